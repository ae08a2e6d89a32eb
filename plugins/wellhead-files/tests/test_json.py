"""The type `json` on real files, and compression: everything that can be wrong with them, and what is said about it."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.validating import last, outcomes, validate
from wellhead.codes import CODES
from wellhead.model.result import ValidationResult
from wellhead_files import CsvDataSource, JsonDataSource, wellhead_data_source_types

pytestmark = pytest.mark.anyio

CSV, JSON = wellhead_data_source_types()
GOOD = '[{"name": "Ada", "city": "London"}, {"name": "Zoë", "age": 4}]'
LINES = '{"name": "Ada", "city": "London"}\n{"name": "Zoë", "age": 4}\n'
CONTENT = "hunter2"
MEGABYTE = 1 << 20

Run = Callable[..., Any]


@pytest.fixture
def run(workspace: Path) -> Run:
    """Return what writes a file, and validates it."""

    async def run(content: bytes | str, *, kind: str = "json", **fields: Any) -> ValidationResult:
        (workspace / "data").write_bytes(content if isinstance(content, bytes) else content.encode())
        if kind == "csv":
            return await validate(CSV, CsvDataSource(name="a", path="data", **fields), workspace=workspace)
        return await validate(JSON, JsonDataSource(name="a", path="data", **fields), workspace=workspace)

    return run


async def expect(run: Run, content: bytes | str, check: str, code: str, hint: str = "", **fields: Any) -> str:
    result = await run(content, **fields)
    failed = last(result)
    assert (failed.name, failed.status, failed.code) == (check, "failed", code), failed
    assert (hint or CODES[code].remedy) in (failed.hint or "")
    assert CONTENT not in repr(result)
    return f"{failed.message} {failed.hint}"


async def warned(run: Run, content: bytes | str, code: str, **fields: Any) -> ValidationResult:
    result = await run(content, **fields)
    assert outcomes(result) == [("locate", "passed", None), ("read", "passed", None), ("parse", "warning", code)]
    return result


@pytest.mark.parametrize(
    ("content", "fields", "document"),
    [
        (GOOD, {}, "array"),
        (f" \r\n{GOOD}\n", {}, "array"),
        (f'{{"a": {{"b/c": [1, {GOOD}]}}}}', {"records_pointer": "/a/b~1c/1"}, "object"),
        (f'{{"~": {GOOD}}}', {"records_pointer": "/~0"}, "object"),
        (f'{{"": {GOOD}}}', {"records_pointer": "/"}, "object"),
        (LINES, {"format": "jsonl"}, "lines"),
        (LINES.rstrip().replace("\n", "\r\n\r\n"), {"format": "jsonl"}, "lines"),
    ],
)
async def test_a_good_file_passes_every_check(run: Run, content: str, fields: dict[str, str], document: str) -> None:
    result = await run(content, **fields)

    assert outcomes(result) == [(name, "passed", None) for name in ("locate", "read", "parse")]
    assert result.details == {"document": document, "columns": ["name", "city", "age"], "records_checked": 2}


@pytest.mark.parametrize("pointer", ["items", "/a~2", "/a~", "~0", "/" + "x" * 500])
async def test_a_pointer_that_is_none_is_refused_before_anything_is_opened(pointer: str) -> None:
    with pytest.raises(ValueError, match="1 validation error"):
        JsonDataSource(name="a", path="a.json", records_pointer=pointer)


async def test_a_pointer_goes_with_documents_only() -> None:
    with pytest.raises(ValueError, match="1 validation error"):
        JsonDataSource(name="a", path="a.json", format="jsonl", records_pointer="/items")


@pytest.mark.parametrize(
    ("content", "pointer", "said"),
    [
        ('{"items": []}', "", "An array is at /items."),
        ('{"a": {"items": []}}', "/a", "An array is at /a/items."),
        ('{"a": {"b": 1}}', "/a/c", "Part 2 of 'records_pointer' leads nowhere."),
        ("[[]]", "/1", "Part 1 of"),
        ("[[]]", "/00", "Part 1 of"),
        ("[[]]", "/-", "Part 1 of"),
        ("[[]]", "/-1", "Part 1 of"),
        ("[[]]", "/" + "9" * 400, "Part 1 of"),
        ('"hunter2"', "", "something else than an array: string"),
        ('{"hunter2 ": [], "b": 7}', "/b", "something else than an array: number"),
        ("null", "", "something else than an array: null"),
        ('{"a": 1}', "", "set 'format' to jsonl"),
    ],
)
async def test_a_pointer_that_leads_to_no_array(run: Run, content: str, pointer: str, said: str) -> None:
    result = await run(content, records_pointer=pointer)

    assert last(result).code == "pointer_not_found"
    assert last(result).fields == ("/records_pointer",)
    assert said in f"{last(result).message} {last(result).hint}"
    assert CONTENT not in repr(result)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "windows-1252"])
@pytest.mark.parametrize(("content", "form"), [(GOOD, "json"), (LINES, "jsonl")])
async def test_F_14_a_file_in_the_encoding_that_is_declared(run: Run, content: str, form: str, encoding: str) -> None:
    declared = encoding.removesuffix("-sig")

    assert (await run(content.encode(encoding), encoding=declared, format=form)).status == "passed"


async def test_F_14_a_mark_in_a_file_whose_byte_order_is_declared_is_no_part_of_the_text(run: Run) -> None:
    assert (await run(b"\xff\xfe" + GOOD.encode("utf-16-le"), encoding="utf-16-le")).status == "passed"


async def test_F_14_an_encoding_that_is_declared_wrong(run: Run) -> None:
    await expect(run, GOOD.encode("windows-1252"), "read", "encoding_mismatch", "set 'encoding' to windows-1252")
    await expect(run, GOOD.encode("utf-16"), "read", "encoding_mismatch", "set 'encoding' to utf-16")
    await expect(run, GOOD, "read", "encoding_mismatch", "set 'encoding' to utf-8", encoding="ascii")
    await expect(run, b'["\xed\xa0\x80"]', "read", "encoding_mismatch")
    await expect(run, "[1]".encode("utf-16-le"), "parse", "file_not_json", "set 'encoding' to utf-16-le")
    assert outcomes(await run(GOOD, encoding="windows-1252"))[1] == ("read", "warning", "encoding_doubtful")


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ('{"a": "hunter2"', "file_not_json", ""),
        ('{"a": NaN}', "file_not_json", "NaN"),
        ('{"a": -Infinity}', "file_not_json", "infinities"),
        ('{"a": "\t"}', "file_not_json", ""),
        ('{"a": 01}', "file_not_json", ""),
        ("{'a': 1}", "file_not_json", ""),
        ('{"a": ' + "7" * 5000 + "}", "json_not_portable", "hundreds of digits"),
        ('{"a": 0.' + "7" * 5000 + "}", "json_not_portable", "hundreds of digits"),
        ('{"a": -1e999}', "json_not_portable", "too large"),
        ('{"a": ' + "[" * 50_000 + "]" * 50_000 + "}", "json_not_portable", "levels"),
        ('{"a": ' + '{"a":' * 50_000 + "1" + "}" * 50_001, "json_not_portable", "levels"),
        ('{"a": ' + "[" * 50_000, "json_not_portable", "levels"),
        (r'{"\ud800": 1}', "json_not_portable", "half a character"),
        (r'{"a": "\ud83d\ud83d\ude00"}', "json_not_portable", "half a character"),
        (r'{"a": "\\\uDE00"}', "json_not_portable", "half a character"),
    ],
)
@pytest.mark.parametrize("form", ["json", "jsonl"])
async def test_F_15_what_parsers_disagree_about_is_a_result(
    run: Run, text: str, code: str, hint: str, form: str
) -> None:
    content = f"[{text}]" if form == "json" else f"{{}}\n{text}\n"

    said = await expect(run, content, "parse", code, hint or "ine", format=form)

    assert form == "json" or "Line 2" in said


async def test_F_15_escapes_that_only_look_like_half_a_character_pass(run: Run) -> None:
    assert (await run(r'[{"a": "\ud83d\ude00", "b": "\\ud800", "c": "\u00e9"}]')).status == "passed"


async def test_F_15_a_key_twice_is_warned_about(run: Run) -> None:
    await warned(run, '[{"a": 1, "a": 2}]', "duplicate_keys")
    await warned(run, '{"a": 1}\n{"b": {"a": 1, "\\u0061": 2}}\n', "duplicate_keys", format="jsonl")


async def test_the_place_of_a_fault_is_named_and_not_what_is_there(run: Run) -> None:
    await expect(run, '[\n{"a": hunter2}]', "parse", "file_not_json", "See line 2, column 7.")
    for number, line in enumerate(("hunter2", '"hunter2"', '["hunter2"]', "null", '{"a": 1} hunter2'), start=2):
        content = '{"a": 1}\n' * (number - 1) + line + "\n"
        await expect(run, content, "parse", "file_not_json", f"Line {number} is not a JSON object.", format="jsonl")


async def test_a_file_of_the_other_format_is_told_apart(run: Run) -> None:
    await expect(run, LINES, "parse", "file_not_json", "set 'format' to jsonl")
    for content in (GOOD, f"[\n{GOOD[1:]}", '{\n"a": 1}'):
        await expect(run, content, "parse", "file_not_json", "set 'format' to json.", format="jsonl")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"a": 1},]', ""),
        ('[{"a": 1,}]', "no comma follows the last"),
        ("[{'a': 1}]", "Keys stand in double quotes"),
        ('[{"a" 1}]', "A colon is missing"),
        ('[{"a": 1} {"a": 2}]', "A comma or a closing bracket is missing"),
        ('[{"a": "b]', "never closed"),
        ('[{"a": "b\tc"}]', "is written \\n or \\t"),
        (r'[{"a": "\x"}]', "A backslash in a text"),
        ('[{"a": 1}, ', "it was cut off"),
        ('[{"a": 1}\n', "it was cut off"),
        ("name;city\nAda;London\n", "of type csv"),
        ("name\nAda\n", "See line 1, column 1."),
    ],
)
async def test_a_fault_is_told_with_what_is_often_behind_it(run: Run, content: str, said: str) -> None:
    await expect(run, content, "parse", "file_not_json", said or "See line 1, column")


async def test_rows_of_values_are_told_from_json_lines(run: Run) -> None:
    await expect(run, "name,city\nAda,London\n", "parse", "file_not_json", "of type csv", format="jsonl")
    await expect(run, "name,city\n" * MEGABYTE, "parse", "file_not_json", "of type csv")


async def test_only_line_feeds_end_a_line(run: Run) -> None:
    result = await run('{"a": "\u2028\x85"}\n{"a": 1}\n', format="jsonl")

    assert (result.status, result.details["records_checked"]) == ("passed", 2)


async def test_the_faults_of_records_are_warned_about(run: Run) -> None:
    await warned(run, "[]", "no_records")
    result = await warned(run, '[{"a": 1}, [1], "hunter2"]', "records_not_objects")
    assert last(result).message == "Record 2 is no object: array."


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \n\n", gzip.compress(b"", mtime=0)])
@pytest.mark.parametrize("form", ["json", "jsonl"])
async def test_an_empty_file_is_named(run: Run, content: bytes, form: str) -> None:
    compression = "gzip" if content.startswith(b"\x1f") else "none"

    assert last(await run(content, format=form, compression=compression)).code == "file_empty"


async def test_columns_and_records_stay_bounded(run: Run) -> None:
    many = ",".join(f'{{"c{number}": 1}}' for number in range(5000))

    for content, form in ((f"[{many}]", "json"), (many.replace(",", "\n"), "jsonl")):
        result = await run(content, format=form)
        assert (len(result.details["columns"]), result.details["records_checked"]) == (200, 1000)


async def test_F_10_of_a_large_document_only_the_beginning_is_looked_at(run: Run) -> None:
    large = '[{"a": 1},' + " " * (8 * MEGABYTE) + "hunter2"

    result = await warned(run, large, "file_not_read_whole")

    assert result.details == {"document": "array"}
    await warned(run, '{"items":' + large, "file_not_read_whole", records_pointer="/items")
    await expect(run, '{"a":' + large, "parse", "pointer_not_found", "set 'format' to jsonl")
    await expect(run, "x" + large, "parse", "file_not_json", "does not begin")


async def test_F_10_of_many_lines_only_the_first_are_looked_at(run: Run) -> None:
    line = '{"a": "' + "x" * 5000 + '"}\n'

    assert (await run(line * 1000 + "hunter2", format="jsonl")).status == "passed"
    assert (await run('{"a": 1}\n' * 1000 + "hunter2\n", format="jsonl")).status == "passed"
    await expect(run, '{"a": "' + "x" * 2 * MEGABYTE, "read", "file_too_large", format="jsonl")


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (GOOD, {}),
        (LINES, {"format": "jsonl"}),
        (LINES * 50_000, {"format": "jsonl"}),
        ("name,city\nAda,London\n", {"kind": "csv"}),
        ("name,city\n" + "".join(f"{n},{n * n}\n" for n in range(300_000)), {"kind": "csv"}),
    ],
    ids=["json", "jsonl", "long jsonl", "csv", "long csv"],
)
async def test_gzip_is_unpacked(run: Run, content: str, fields: dict[str, str]) -> None:
    plain = await run(content, **fields)
    packed = await run(gzip.compress(content.encode(), compresslevel=1), compression="gzip", **fields)

    assert plain.status == packed.status == "passed"
    assert packed.details == plain.details


async def test_gzip_in_several_members_with_padding_is_unpacked(run: Run) -> None:
    first, second = (gzip.compress(line.encode()) for line in LINES.splitlines(keepends=True))

    for content in (first + second, first + b"\0" * 512 + second + b"\0" * 100_000):
        result = await run(content, format="jsonl", compression="gzip")
        assert (result.status, result.details["records_checked"]) == ("passed", 2)


@pytest.mark.parametrize(("kind", "content"), [("csv", "a,b\n1,2\n"), ("json", GOOD)])
async def test_F_16_compression_that_is_set_wrong_is_named_with_a_hint(run: Run, kind: str, content: str) -> None:
    packed = gzip.compress(content.encode())

    await expect(run, packed, "read", "compression_mismatch", "set 'compression' to gzip", kind=kind)
    for plain in (content.encode(), b"\x1f", zlib.compress(content.encode())):
        await expect(run, plain, "read", "compression_mismatch", "to none", kind=kind, compression="gzip")
    await expect(run, b"PK\x03\x04", "read", "compression_mismatch", "zip archive", kind=kind, compression="gzip")


async def test_a_damaged_archive_is_named(run: Run) -> None:
    whole = gzip.compress(os.urandom(200_000).hex().encode())
    swapped = bytearray(whole)
    swapped[-5] ^= 1  # the checksum's neighbour, the length
    flipped = bytearray(whole)
    flipped[1000] ^= 255

    for content in (whole[:-1], whole[:5], whole[:2], bytes(swapped), bytes(flipped), whole + b"hunter2"):
        await expect(run, content, "read", "archive_damaged", compression="gzip")


@pytest.mark.parametrize("fields", [{}, {"format": "jsonl"}, {"kind": "csv"}])
async def test_F_11_a_bomb_is_refused_before_it_is_unpacked(run: Run, fields: dict[str, str]) -> None:
    bomb = gzip.compress(b" " * (100 * MEGABYTE))
    started = time.monotonic()

    await expect(run, bomb, "read", "compression_ratio", compression="gzip", **fields)

    assert time.monotonic() - started < 1


async def test_F_11_members_without_end_are_not_read_to_their_end(run: Run) -> None:
    empty = gzip.compress(b"")

    await expect(
        run, empty * (3 * MEGABYTE // len(empty)), "read", "file_too_large", format="jsonl", compression="gzip"
    )


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.json"), io.BytesIO())
    return buffer.getvalue()


@pytest.mark.parametrize("inner", [gzip.compress(b"[]", mtime=0), b"PK\x03\x04", b"BZh9", b"\x28\xb5\x2f\xfd", _tar()])
async def test_F_11_an_archive_in_an_archive_is_refused(run: Run, inner: bytes) -> None:
    for kind in ("csv", "json"):
        await expect(run, gzip.compress(inner), "read", "compression_nested", kind=kind, compression="gzip")
