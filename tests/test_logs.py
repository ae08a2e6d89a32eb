"""Logs have facts and no texts of exceptions."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import sys
import time
from pathlib import Path

import pytest
import structlog

from wellhead import logs


def failing() -> None:
    try:
        raise KeyError("hunter2-first")
    except KeyError as error:
        raise ValueError("hunter2-second") from error


def test_L_13_of_an_exception_only_its_classes_and_places_are_told() -> None:
    with pytest.raises(ValueError, match="hunter2") as caught:
        failing()
    first, second = logs.where(caught.value)
    assert first.startswith("ValueError at test_logs.py:")
    assert second.startswith("KeyError at test_logs.py:")
    assert "hunter2" not in first + second


def test_L_13_other_libraries_log_no_text_of_an_exception_either(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug", "text")
    try:
        failing()
    except ValueError:
        logging.getLogger("asyncio").exception("a task failed")
    written = capsys.readouterr().err
    assert "a task failed" in written
    assert "ValueError at test_logs.py" in written
    assert "hunter2" not in written


async def failing_task() -> None:
    raise ConnectionError("hunter2-unseen")


def slow(*_: object) -> None:
    time.sleep(0.11)  # asyncio tells of what takes 100 ms


async def neglecting() -> None:
    """Leave a failed task to itself, do slow work with a secret, and let an object fail while it is removed."""
    task = asyncio.create_task(failing_task())
    await asyncio.sleep(0)
    del task
    gc.collect()
    asyncio.get_running_loop().call_soon(slow, b"hunter2-argument")
    await asyncio.sleep(0)


@pytest.mark.parametrize("form", ["text", "json"])
def test_L_11_L_15_asyncio_shows_neither_exceptions_nor_arguments_in_debug_mode(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    logs.configure("debug", form)
    asyncio.run(neglecting(), debug=True)
    written = capsys.readouterr().err
    assert "Task exception was never retrieved" in written
    assert "ConnectionError at test_logs.py" in written
    assert "took 0.1" in written
    assert "hunter2" not in written


class Pool:
    """Shows what it logs in with, as some do."""

    def __repr__(self) -> str:
        return "<Pool password=hunter2>"


@pytest.mark.parametrize("form", ["text", "json"])
def test_L_14_of_objects_that_other_libraries_log_only_the_class_is_shown(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    logs.configure("debug", form)
    log = logging.getLogger("driver.pool")
    log.warning("%r closed %s of %d for %s: %s", Pool(), [Pool()], 3, "idleness", ValueError("hunter2"))
    log.warning("lost %(pool)s", {"pool": Pool()})
    log.warning(Pool())
    log.warning("%d", Pool())
    written = capsys.readouterr().err
    assert "Pool closed list of 3 for idleness: ValueError" in written
    assert "lost Pool" in written
    assert written.count("Pool") == 3
    assert "hunter2" not in written


def test_a_program_reads_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    structlog.get_logger("x").info("request", path="/a\x1b[31m\nb")
    structlog.get_logger("x").debug("nothing")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["path"]) == ("request", "info", "/a\x1b[31m\nb")


def test_the_settings_choose_lines_for_people_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "text")
    structlog.get_logger("x").info("request", status=200)
    line = capsys.readouterr().err
    assert "request" in line
    assert "status=200" in line
    assert "\x1b" not in line


def test_L_13_other_libraries_write_json_where_we_do_and_no_text_either(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug", "json")
    try:
        failing()
    except ValueError:
        logging.getLogger("asyncio").exception("a task failed")
    text = capsys.readouterr().err
    line = json.loads(text)
    assert (line["event"], line["level"], line["logger"]) == ("a task failed", "error", "asyncio")
    assert line["error"][0].startswith("ValueError at test_logs.py")
    assert "hunter2" not in text


@pytest.mark.parametrize("level", ["error", "warning"])
def test_what_is_below_the_level_is_not_logged(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level)
    structlog.get_logger("x").info("request")
    assert not capsys.readouterr().err


def test_a_log_that_is_closed_is_not_an_error_of_the_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    logs.configure("info", "json")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as broken, (tmp_path / "closed").open("w") as closed:
        closed.close()
        for stream in (broken, closed):
            monkeypatch.setattr(sys, "stderr", stream)
            structlog.get_logger("x").info("request")
        monkeypatch.undo()
        with contextlib.suppress(BrokenPipeError):
            broken.close()
    structlog.get_logger("x").info("request")
    assert json.loads(capsys.readouterr().err)["event"] == "request"
