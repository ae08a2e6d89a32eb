"""Logging without secrets: events with plain facts. Texts of exceptions are never logged, as they can hold input."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO, cast

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
REQUEST_ID: ContextVar[str | None] = ContextVar("wellhead_request_id", default=None)
"""The id of the request that this task works for; each line of the log has it."""


class _StandardError:
    """Standard error as it is when something is written. Where it is closed, lines are lost, and nothing else is."""

    def write(self, text: str) -> None:
        """Write a text."""
        try:
            sys.stderr.write(text)
        except (OSError, ValueError):
            return

    def flush(self) -> None:
        """Send on what was written."""
        with suppress(OSError, ValueError):
            sys.stderr.flush()


_STANDARD_ERROR = _StandardError()


class _JSONProcessors(list[Any]):
    """The way of lines to programs.

    Attributes:
        has_info: Whether lines of the level `info` are written.
    """

    def __init__(self, level: str) -> None:
        super().__init__([_as_json])
        self.has_info = LEVELS[level] <= logging.INFO


def configure(level: str, form: str | None = None) -> None:
    """Send the log to standard error.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        form: `text` or `json`; if left out, text to a terminal, and JSON to everything else.
    """
    is_terminal = sys.stderr.isatty()
    is_text = is_terminal if form is None else form == "text"
    structlog.configure(
        processors=[_add_facts, structlog.dev.ConsoleRenderer(colors=is_terminal)]
        if is_text
        else _JSONProcessors(level),
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _STANDARD_ERROR)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_WithoutTexts("%(levelname)s %(name)s: %(message)s") if is_text else _JSONLines())
    logging.basicConfig(level=max(LEVELS[level], logging.WARNING), handlers=[handler], force=True)


def info(logger: str, event: str, facts: dict[str, Any]) -> None:
    """Log an event that comes often; a line for programs is written at once, without what structlog does for each.

    Args:
        logger: The name of the logger.
        event: The event.
        facts: What there is to tell of it, texts and numbers; it is changed.
    """
    processors = structlog.get_config()["processors"]
    if not isinstance(processors, _JSONProcessors) or processors[0] is not _as_json:  # a test may have put others there
        structlog.get_logger(logger).info(event, **facts)
    elif processors.has_info:
        facts["event"] = event
        _STANDARD_ERROR.write(_as_line(_add_facts(None, "info", facts)))


def _as_line(facts: Mapping[str, Any]) -> str:
    """Write texts and numbers as a line of JSON; an encoder of the whole object takes twice as long."""
    told = [f'"{name}": {_encode(fact) if isinstance(fact, str) else fact}' for name, fact in facts.items()]
    return f"{{{', '.join(told)}}}\n"


def _add_facts(_logger: Any, method: str, event: Any) -> Any:
    """Add what every line has: the id of the request, the level, and the instant."""
    if "request_id" not in event and (request_id := REQUEST_ID.get()) is not None:
        event["request_id"] = request_id
    event["level"] = method
    event["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return event


_encode = json.JSONEncoder(default=repr, check_circular=False).encode


def _as_json(logger: Any, method: str, event: Any) -> str:
    """Write a line for a program, whatever its facts are."""
    return _encode(_add_facts(logger, method, event))


class _WithoutTexts(logging.Formatter):
    """Writes what other libraries log; of an exception where it happened, and not its text."""

    def format(self, record: logging.LogRecord) -> str:
        """Write what was logged."""
        plain = logging.makeLogRecord({**vars(record), "msg": _message_of(record), "args": None})
        return super().format(plain)

    def formatException(self, ei: Any) -> str:  # noqa: N802  # the name that the standard library calls
        return "\n".join(where(ei[1])) if ei[1] is not None else ""


class _JSONLines(logging.Formatter):
    """Writes what other libraries log as lines of JSON, like our own."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        line: dict[str, Any] = {"logger": record.name, "event": _message_of(record), "level": record.levelname.lower()}
        if record.exc_info is not None and record.exc_info[1] is not None:
            line["error"] = where(record.exc_info[1])
        line["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        return json.dumps(line)


def _message_of(record: logging.LogRecord) -> str:
    """Return the message of another library: with its numbers and texts, and of objects no more than their classes.

    What an object or an exception shows of itself can hold input. asyncio shows them in its texts, too: of a task that
    failed, or of one that took long, so of asyncio there is no more than what it says itself.
    """
    is_asyncio = record.name.partition(".")[0] == "asyncio"
    shown = (int, float) if is_asyncio else (int, float, str)
    given = record.args.items() if isinstance(record.args, Mapping) else enumerate(record.args or ())
    args = {key: value if isinstance(value, shown) else _Class(value) for key, value in given}
    text = str(record.msg) if isinstance(record.msg, str) else type(record.msg).__name__
    with suppress(TypeError, ValueError, KeyError):  # where they do not fit the text, it is told without them
        text %= args if isinstance(record.args, Mapping) else tuple(args.values())
    return text.partition("\n")[0] if is_asyncio else text


class _Class:
    """Shows the class of something, and nothing else of it."""

    def __init__(self, shown: object) -> None:
        self._name = type(shown).__name__

    def __repr__(self) -> str:
        return self._name


def where(error: BaseException, *, texts: bool = False) -> list[str]:
    """Return what may be logged of an exception: the classes of its chain, and the lines that it came through.

    Args:
        error: What was raised.
        texts: Say what the exceptions say too, as nothing but a test of the code that raised them may.
    """
    found: list[str] = []
    current: BaseException | None = error
    while current is not None and len(found) < 10:  # noqa: PLR2004  # a chain that is longer says no more
        frames = traceback.extract_tb(current.__traceback__)[-8:]
        lines = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
        text = f": {current}," if texts else ""
        found.append(f"{type(current).__name__}{text} at {lines}")
        current = current.__cause__ or current.__context__
    return found
