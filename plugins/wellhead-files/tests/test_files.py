"""The type `csv` on real files: everything that can be wrong with them, and what is said about it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from support.validating import last, outcomes, validate
from wellhead.codes import CODES
from wellhead.model.result import ValidationResult
from wellhead_files import CsvDataSource, wellhead_data_source_types

pytestmark = pytest.mark.anyio

CSV, _ = wellhead_data_source_types()
GOOD = "name,city\nAda,London\nZoë,Zürich\n"

Run = Callable[..., Any]


@pytest.fixture
def run(workspace: Path) -> Run:
    """Return what writes a file, and validates it."""

    async def run(content: bytes | str | None, path: str = "data.csv", **fields: Any) -> ValidationResult:
        if content is not None:
            (workspace / path).write_bytes(content if isinstance(content, bytes) else content.encode())
        return await validate(CSV, CsvDataSource(name="a", path=path, **fields), workspace=workspace)

    return run


async def expect(run: Run, content: bytes | str | None, check: str, code: str, hint: str = "", **fields: Any) -> None:
    result = await run(content, **fields)
    failed = last(result)
    assert (failed.name, failed.status, failed.code) == (check, "failed", code)
    assert result.status == "failed"
    assert (hint or CODES[code].remedy) in (failed.hint or "")


async def warned(run: Run, content: bytes | str, code: str, **fields: Any) -> str:
    result = await run(content, **fields)
    assert outcomes(result) == [("locate", "passed", None), ("read", "passed", None), ("parse", "warning", code)]
    assert result.success
    return f"{last(result).message} {last(result).hint}"


async def test_a_good_file_passes_every_check(run: Run) -> None:
    result = await run(GOOD)

    assert outcomes(result) == [(name, "passed", None) for name in ("locate", "read", "parse")]
    assert result.details == {"columns": ["name", "city"], "rows_checked": 2}


@pytest.mark.parametrize(
    ("bytes_of", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-8-sig", "UTF8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-32", "utf-32"),
        ("windows-1252", "windows-1252"),
        ("latin-1", "iso-8859-1"),
        ("mac_roman", "macintosh"),
    ],
)
async def test_F_14_a_file_in_the_encoding_that_is_declared(run: Run, bytes_of: str, encoding: str) -> None:
    result = await run(GOOD.encode(bytes_of), encoding=encoding)

    assert result.status == "passed"
    assert result.details["columns"] == ["name", "city"]


async def test_F_14_an_encoding_that_is_declared_wrong_is_named_with_a_hint(run: Run) -> None:
    western = GOOD.encode("windows-1252")
    await expect(run, western, "read", "encoding_mismatch", "set 'encoding' to windows-1252")
    await expect(run, western, "read", "encoding_mismatch", "set 'encoding' to windows-1252", encoding="ascii")
    for wide in ("utf-16-le", "utf-16-be"):
        await expect(run, GOOD.encode(wide), "read", "encoding_mismatch", f"set 'encoding' to {wide}")
    await expect(run, GOOD.encode("utf-16"), "read", "encoding_mismatch", "set 'encoding' to utf-16")
    await expect(run, GOOD.encode("utf-32"), "read", "encoding_mismatch", "set 'encoding' to utf-32")
    await expect(run, GOOD, "read", "encoding_mismatch", "set 'encoding' to utf-8", encoding="ascii")
    await expect(run, GOOD + "x", "read", "encoding_mismatch", "set 'encoding' to utf-8", encoding="utf-16")
    await expect(run, "ab,cd\nef,gh\n", "read", "encoding_mismatch", "set 'encoding' to utf-8", encoding="utf-16-le")
    await expect(run, "“quoted”\n", "read", "encoding_mismatch", "set 'encoding' to utf-8", encoding="windows-1252")


@pytest.mark.parametrize("encoding", ["windows-1252", "iso-8859-1", "iso-8859-15", "macintosh"])
async def test_F_14_an_encoding_that_makes_wrong_letters_is_warned_about(run: Run, encoding: str) -> None:
    result = await run("name,city\nZoë,Zürich\n", encoding=encoding)

    assert outcomes(result)[1] == ("read", "warning", "encoding_doubtful")
    assert result.checks[1].hint == "The file reads like utf-8: set 'encoding' to utf-8."
    assert (await run(GOOD.encode(encoding), encoding=encoding)).status == "passed"
    assert (await run("name,city\nAda,London\n", encoding=encoding)).status == "passed"


async def test_F_14_half_a_character_at_the_end_and_lone_surrogates_are_refused(run: Run) -> None:
    await expect(run, b"name\nZo\xc3", "read", "encoding_mismatch")
    await expect(run, b"name\n\xed\xa0\x80\n", "read", "encoding_mismatch")
    await expect(run, b"\xff\xfen\0\n\0\0\xd8", "read", "encoding_mismatch", encoding="utf-16")


async def test_a_character_at_the_end_of_the_head_may_be_cut(run: Run) -> None:
    for shift in range(4):
        rows = "x" * shift + "name\n" + "🎉\n" * 300_000
        assert (await run(rows)).status == "passed"


async def test_F_14_utf_16_without_a_mark_reads_as_text_with_nul(run: Run) -> None:
    for wide in ("utf-16-le", "utf-16-be"):
        await expect(run, "name,city\n".encode(wide), "parse", "not_csv", f"set 'encoding' to {wide}")


async def test_F_13_binary_files_are_no_csv(run: Run) -> None:
    await expect(run, b"\x01\x02\x03\x04\0\0\0\0\n", "parse", "not_csv", "it is binary")
    await expect(run, b"a,b\n1,\0\n", "parse", "not_csv", "NUL")
    await expect(run, os.urandom(4096), "read", "encoding_mismatch")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\n\r\n"])
async def test_an_empty_file_is_named(run: Run, content: bytes) -> None:
    result = await run(content)

    assert last(result).code == "file_empty"
    assert last(result).fields == ("/path",)


async def test_F_13_a_quote_that_is_never_closed(run: Run) -> None:
    await expect(run, 'a,b\n1,"2\n3,4\n', "parse", "not_csv", "Line 3 is damaged")
    await expect(run, 'a,b\n1,"2"x\n', "parse", "not_csv", "Line 2 is damaged")


async def test_F_13_a_quote_that_is_never_closed_in_a_large_file(run: Run) -> None:
    await expect(run, 'a,b\n1,"2\n' + "3,4\n" * 500_000, "parse", "not_csv", "never closed")


async def test_F_13_a_field_above_the_limit_of_the_parser(run: Run) -> None:
    await expect(run, "a,b\n1," + "x" * 200_000 + "\n", "parse", "not_csv", "Line 2 is damaged")


async def test_F_13_one_huge_line_is_not_read_to_its_end(run: Run) -> None:
    await expect(run, "x," * 2_000_000, "read", "file_too_large")


async def test_F_13_fifty_thousand_columns_stay_bounded(run: Run) -> None:
    line = ",".join(f"c{number}" for number in range(50_000)) + "\n"

    result = await run(line, has_header=False)
    named = await run(line + line)

    assert result.status == named.status == "passed"
    assert len(result.details["columns"]) == len(named.details["columns"]) == 200


async def test_F_13_of_many_rows_the_first_thousand_are_parsed(run: Run) -> None:
    result = await run("a,b\n" + "1,2\n" * 5000)

    assert (result.status, result.details["rows_checked"]) == ("passed", 999)


async def test_F_13_a_million_columns_stay_bounded(run: Run) -> None:
    result = await run("," * ((1 << 20) - 2) + "\n", has_header=False)

    assert (result.status, len(result.details["columns"])) == ("passed", 200)


async def test_quoted_line_breaks_are_part_of_a_value(run: Run) -> None:
    result = await run('a,b\r\n1,"two\r\nlines"\r\n')

    assert (result.status, result.details["rows_checked"]) == ("passed", 1)


async def test_a_value_of_several_lines_at_the_end_of_the_head_is_no_fault(run: Run) -> None:
    row = '1,"' + "a line of a long letter\n" * 200 + '"\n'

    for shift in range(5):
        result = await run("a,b\n" + "x" * 997 * shift + ",\n" + row * 400)
        assert result.status == "passed", last(result)


async def test_old_line_breaks_are_understood(run: Run) -> None:
    result = await run("a,b\r1,2\r3,4\r")

    assert (result.status, result.details["rows_checked"]) == ("passed", 2)


async def test_rows_of_different_lengths_are_warned_about_with_the_line(run: Run) -> None:
    assert "Line 5 has 3 columns, most rows have 2." in await warned(
        run, "a,b\n\n1,2\n3,4\n5,6,7\n8,9\n", "ragged_rows"
    )


async def test_another_delimiter_is_guessed_where_values_have_the_one_that_is_set(run: Run) -> None:
    said = await warned(run, "name;price\nTea;1,5\nMilk;2\n", "ragged_rows")
    assert "Every row has the character ';' equally often" in said

    for rows in ("note\na;b\nc,d\n", "a;b\n1,5;2;3\n4;5\n", "a;b\n1,2\n3;4\n"):
        assert CODES["ragged_rows"].remedy in await warned(run, rows, "ragged_rows")


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
async def test_another_delimiter_is_guessed(run: Run, delimiter: str) -> None:
    content = GOOD.replace(",", delimiter)

    assert repr(delimiter) in await warned(run, content, "delimiter_mismatch")
    assert (await run(content, delimiter=delimiter)).status == "passed"


async def test_one_column_may_be_all_there_is(run: Run) -> None:
    assert (await run("name\nAda\nZoë\n")).status == "passed"


async def test_the_faults_of_a_header_are_warned_about(run: Run) -> None:
    await warned(run, "a,a\n1,2\n", "duplicate_columns")
    await warned(run, "a, \n1,2\n", "duplicate_columns")
    await warned(run, "a,b\n", "no_rows")
    assert (await run("1,1\n2,2\n", has_header=False)).status == "passed"


async def test_another_quote_character(run: Run) -> None:
    assert (await run("a,b\n'1,5',2\n", quote_character="'")).status == "passed"
    await expect(run, GOOD, "parse", "not_csv", "the same character", delimiter="'", quote_character="'")


def test_a_line_break_is_no_delimiter() -> None:
    for field in ("delimiter", "quote_character"):
        for value in ("\n", "\r", "", "ab"):
            with pytest.raises(ValueError, match="1 validation error"):
                CsvDataSource(name="a", path="a.csv", **{field: value})


async def test_F_10_a_sparse_file_of_100_megabytes_takes_no_longer(run: Run, workspace: Path) -> None:
    with (workspace / "data.csv").open("wb") as file:
        file.write(b"a,b\n" + b"1,2\n" * 400_000)
        file.truncate(100 << 20)
    started = time.monotonic()

    result = await run(None)

    assert result.status == "passed"
    assert time.monotonic() - started < 1


async def test_F_10_a_sparse_file_of_zeros_is_no_csv(run: Run, workspace: Path) -> None:
    with (workspace / "data.csv").open("wb") as file:
        file.truncate(100 << 20)

    await expect(run, None, "read", "file_too_large")


NO_FILES = {
    "missing": "missing.csv",
    "a link": "link.csv",
    "a link to nothing": "link_to_nothing.csv",
    "below a link": "up/outside.csv",
    "below a link, missing": "up/missing.csv",
    "a pipe": "fifo",
    "a directory": "directory",
    "absolute": "{above}/outside.csv",
    "absolute, missing": "{above}/missing.csv",
    "of the kernel": "/proc/self/status",
    "below a file": "plain.csv/more",
}


@pytest.mark.parametrize("path", [".hidden.csv", "../outside.csv", "a/../../b.csv"])
def test_F_01_a_path_that_can_be_no_file_is_refused_before_it_is_saved(path: str) -> None:
    with pytest.raises(ValidationError):
        CsvDataSource(name="a", path=path)


@pytest.mark.parametrize("path", NO_FILES.values(), ids=NO_FILES)
async def test_F_18_whatever_is_no_file_of_the_workspace_gives_the_same_answer(workspace: Path, path: str) -> None:
    above = workspace.parent
    for plain in (above / "outside.csv", workspace / "plain.csv"):
        plain.write_text(GOOD)
    for link, target in (("link.csv", "outside.csv"), ("link_to_nothing.csv", "missing.csv"), ("up", ".")):
        (workspace / link).symlink_to(above / target)
    os.mkfifo(workspace / "fifo")
    (workspace / "directory").mkdir()

    result = await validate(CSV, CsvDataSource(name="a", path=path.format(above=above)), workspace=workspace)

    assert outcomes(result) == [("locate", "failed", "file_unavailable")]
    assert last(result).fields == ("/path",)
    assert (last(result).message, last(result).hint) == (
        CODES["file_unavailable"].title,
        CODES["file_unavailable"].remedy,
    )
    assert "WELLHEAD_FILE_ROOTS" in (last(result).hint or "")


@pytest.mark.parametrize(
    "path", ["../outside.csv", "a/../../b", ".datasources/x.json", ".hidden.csv", "~/x", "a//b", "a/", "http://x/y", "s3://b/k",
             "file:///etc/passwd", "\\\\host\\share", "a\0b", ""]
)  # fmt: skip
def test_F_01_f_09_f_17_such_paths_are_refused_before_anything_is_opened(path: str) -> None:
    with pytest.raises(ValueError, match="1 validation error"):
        CsvDataSource(name="a", path=path)
