"""Which formats there are, and what is said of every other one: what counts is the content, never the name."""

from __future__ import annotations

import gzip
import pickle
import re
import sqlite3
import zipfile
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest

from support.validating import last, outcomes, validate
from wellhead.model.result import ValidationResult
from wellhead_files import CsvDataSource, JsonDataSource, wellhead_data_source_types
from wellhead_files.recognition import likely_encoding, other_format

pytestmark = pytest.mark.anyio

CSV, JSON = wellhead_data_source_types()
GERMAN = "Straße,Größe\nMünchner Straße,groß\n"


async def check(workspace: Path, path: str, content: bytes, kind: str = "csv", **fields: Any) -> ValidationResult:
    (workspace / path).write_bytes(content)
    if kind == "csv":
        return await validate(CSV, CsvDataSource(name="a", path=path, **fields), workspace=workspace)
    return await validate(JSON, JsonDataSource(name="a", path=path, format=kind, **fields), workspace=workspace)


def test_F_12_f_16_no_columnar_or_executable_format_is_offered() -> None:
    offered = {
        one.get_type_name(): next(p for p in one.get_connection_parameters() if p["name"] == "format")["enum"]
        for one in (CSV, JSON)
    }

    assert offered == {"csv": ["csv"], "json": ["json", "jsonl"]}


def test_F_12_f_17_no_library_is_there_that_would_open_a_path_or_an_address() -> None:
    names = {re.split(r"[^a-z-]", requirement)[0] for requirement in requires("wellhead-files") or ()}

    assert names == {"wellhead"}


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PAR1\x15\x04\x15\x10\x15\x14L\x15", "Parquet"),
        (b"PAR1\x15\x04" + b"\0" * 50 + b"PAR1", "Parquet"),
        (b"ARROW1\0\0\xff\xff\xff\xff", "Arrow"),
        (b"Obj\x01\x04\x14avro.codec", "Avro"),
        (b"\x89HDF\r\n\x1a\n\0\0", "HDF5"),
        (b"\x93NUMPY\x01\0v\0{'descr'", "NumPy"),
        (pickle.dumps({"a": 1}), "pickle"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "old Excel"),
        (b"%PDF-1.7\n", "PDF"),
        (b"BZh91AY&SY\0", "bzip2"),
        (b"\x28\xb5\x2f\xfd\x04", "Zstandard"),
        (b"\n<!DOCTYPE html><title>Log in</title>", "login page"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><a/>", "XML"),
    ],
)
async def test_F_12_f_16_a_file_of_another_format_is_named_whatever_its_name_says(
    workspace: Path, kind: str, content: bytes, said: str
) -> None:
    result = await check(workspace, f"data.{kind}", content, kind, encoding="windows-1252")

    assert outcomes(result)[1:] == [("read", "failed", "format_mismatch")]
    assert said in (last(result).hint or "")
    assert last(result).fields == ("/path",)


async def test_F_16_real_workbooks_and_databases_are_named(workspace: Path) -> None:
    with zipfile.ZipFile(workspace / "made.zip", "w") as archive:
        archive.writestr("xl/vbaProject.bin", b"macro")
    sqlite3.connect(workspace / "made.db").executescript("create table t (a)").connection.close()

    for made, said in (("made.zip", "Excel workbook"), ("made.db", "SQLite")):
        result = await check(workspace, "data.csv", (workspace / made).read_bytes())
        assert last(result).code == "format_mismatch"
        assert said in (last(result).hint or "")


@pytest.mark.parametrize(
    "content", [b'{"a": 1, "b": 2}\n{"a": 3}\n', b'[\n  {"a": 1}\n]\n', b'\n{\n"a": 1}', b'[{"a": 1}]']
)
async def test_F_16_json_is_no_csv(workspace: Path, content: bytes) -> None:
    result = await check(workspace, "data.csv", content)

    assert last(result).code == "format_mismatch"
    assert "of type json" in (last(result).hint or "")


@pytest.mark.parametrize(
    "content", [b"[id],{name}\n1,2\n", b"PAR1,PAR2\n1,2\n", b"<a>,<b>\n1,2\n", b"PK,BZh\n1,2\n", b'{"a,b\n1,2\n']
)
async def test_columns_with_odd_names_are_no_other_format(workspace: Path, content: bytes) -> None:
    assert (await check(workspace, "data.csv", content)).status == "passed"


async def test_a_column_of_json_without_a_header_is_csv(workspace: Path) -> None:
    assert (await check(workspace, "data.csv", b'{"a": 1}\n{"a": 2}\n', has_header=False)).status == "passed"


async def test_F_16_what_counts_is_the_content_and_not_the_ending_of_the_name(workspace: Path) -> None:
    plain, packed = b"a,b\n1,2\n", gzip.compress(b"a,b\n1,2\n")

    assert (await check(workspace, "plain.csv.gz", plain)).status == "passed"
    assert (await check(workspace, "packed.csv", packed, compression="gzip")).status == "passed"
    named_gz = last(await check(workspace, "plain.csv.gz", plain, compression="gzip"))
    assert (named_gz.code, "whatever its name is" in (named_gz.hint or "")) == ("compression_mismatch", True)
    named_csv = last(await check(workspace, "packed.csv", packed))
    assert (named_csv.code, "set 'compression' to gzip" in (named_csv.hint or "")) == ("compression_mismatch", True)


@pytest.mark.parametrize(
    ("text", "encoding", "guess"),
    [
        (GERMAN, "windows-1252", "windows-1252"),
        (
            "prix,remarque du lecteur\n5 \u20ac \u2013 \u201cbon\u201d,l\u2019été à Paris\n",
            "windows-1252",
            "windows-1252",
        ),
        (GERMAN, "utf-8", "utf-8"),
        (GERMAN, "utf-16", "utf-16"),
        (GERMAN, "utf-16-le", "utf-16-le"),
        (GERMAN, "utf-16-be", "utf-16-be"),
        (GERMAN, "utf-32", "utf-32"),
        (GERMAN, "cp437", None),
        (GERMAN, "mac-roman", None),
        ("имя,город\nИлья,Львов\n", "windows-1251", None),
        ("имя,город\nИлья,Львов\n", "koi8-r", None),
        ("名前,都市\n太郎,東京\n", "shift_jis", None),
        ("名前,都市\n太郎,東京\n", "euc_jp", None),
    ],
)
def test_F_14_an_encoding_is_guessed_only_where_the_bytes_speak_for_it(
    text: str, encoding: str, guess: str | None
) -> None:
    assert likely_encoding(text.encode(encoding), is_whole=True) == guess


@pytest.mark.parametrize(
    "data",
    [b"Z\xfcrich,Z\xc3\xbcrich and more text", b"a long name\nZo\xc3", b"some text \x01\xfc", bytes(range(256)) * 9],
)
def test_F_14_damaged_or_mixed_text_and_noise_give_no_guess(data: bytes) -> None:
    assert likely_encoding(data, is_whole=True) is None


@pytest.mark.parametrize("data", [b"", b"a", b"name,city\n", b"[{}]", b"\xef\xbb\xbfname", "é".encode()])
def test_text_is_no_other_format(data: bytes) -> None:
    assert other_format(data) is None
