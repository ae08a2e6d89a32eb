"""Data sources in files: type `csv`."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections import Counter
from typing import Annotated, BinaryIO, ClassVar, Literal

from pydantic import Field

import wellhead

HEAD_BYTES = 1 << 20
HEAD_ROWS = 1000
_DELIMITERS = (",", ";", "\t", "|")

Character = Annotated[str, Field(min_length=1, max_length=1), wellhead.MultiLine()]


class CsvDataSource(wellhead.FileDataSource):
    """A file of comma-separated values."""

    type: Literal["csv"] = "csv"
    format: Literal["csv"] = wellhead.field("csv", description="Format of the file.")
    delimiter: Character = wellhead.field(
        ",", description="Character between the columns.", examples=[",", ";", "\t"], harmless=True
    )
    quote_character: Character = wellhead.field('"', description="Character around quoted values.", harmless=True)
    has_header: bool = wellhead.field(True, description="Whether the first row names the columns.", harmless=True)


class CsvValidator(wellhead.Validator[CsvDataSource]):
    """Open the file, decode its head, and parse that."""

    steps: ClassVar[tuple[str, ...]] = ("locate", "read", "parse")

    async def validate(self, config: CsvDataSource, context: wellhead.ValidationContext) -> None:
        """Check the first megabyte of the file, and its first thousand rows."""
        async with context.check("locate", fields=["/path"]):
            file = context.open(config.path)
        with file:
            async with context.check("read", fields=["/encoding", "/path"]):
                head = await context.in_thread(read_head, file, config.encoding)
        async with context.check("parse", fields=["/delimiter", "/quote_character"]):
            rows = await context.in_thread(parse, head, config)
            report(rows, config, context)


def read_head(file: BinaryIO, encoding: str) -> str:
    """Read and decode the beginning of the file, up to the end of its last whole line."""
    data = file.read(HEAD_BYTES)
    is_whole = len(data) < HEAD_BYTES
    if not data:
        raise wellhead.CheckFailedError("file_empty", fields=["/path"])
    decoder = codecs.getincrementaldecoder("utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding)()
    try:
        text = decoder.decode(data, final=is_whole)
    except UnicodeError:
        raise wellhead.CheckFailedError("encoding_mismatch", hint=_encoding_hint(data)) from None
    return text if is_whole or "\n" not in text else text[: text.rindex("\n") + 1]


def _encoding_hint(data: bytes) -> str | None:
    """Guess the encoding from the first bytes, where they tell."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "The file begins like UTF-16: set 'encoding' to utf-16."
    try:
        data[: HEAD_BYTES - 4].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "The file reads well as UTF-8: set 'encoding' to utf-8."


def parse(text: str, config: CsvDataSource) -> list[list[str]]:
    """Parse the first rows."""
    if "\0" in text:
        hint = "The file has NUL characters: it is binary, or in an encoding such as utf-16."
        raise wellhead.CheckFailedError("not_csv", hint=hint, fields=["/path", "/encoding"])
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=config.delimiter, quotechar=config.quote_character, strict=True)
    try:
        rows = [row for row in itertools.islice(reader, HEAD_ROWS) if row]
    except csv.Error:
        hint = f"Line {reader.line_num} is damaged, or a quoted value that begins before it is never closed."
        raise wellhead.CheckFailedError("not_csv", hint=hint) from None
    if not rows:
        raise wellhead.CheckFailedError("file_empty", fields=["/path"])
    return rows


def report(rows: list[list[str]], config: CsvDataSource, context: wellhead.ValidationContext) -> None:
    """Tell what was found, and warn about what is odd."""
    header, body = (rows[0], rows[1:]) if config.has_header else (None, rows)
    widths = Counter(len(row) for row in rows)
    context.detail("columns", header if header is not None else [f"column {n}" for n in range(1, len(rows[0]) + 1)])
    context.detail("rows_checked", len(body))
    if len(widths) > 1:
        usual = widths.most_common(1)[0][0]
        number, row = next((n, row) for n, row in enumerate(rows, start=1) if len(row) != usual)
        context.warn("ragged_rows", f"Row {number} has {len(row)} columns, most rows have {usual}.")
    elif len(rows[0]) == 1 and (other := _other_delimiter(rows, config.delimiter)):
        context.warn("delimiter_mismatch", hint=f"Every row has the character {other!r}: is it the 'delimiter'?")
    elif header is not None and (len(set(header)) < len(header) or not all(name.strip() for name in header)):
        context.warn("duplicate_columns")
    elif not body:
        context.warn("no_rows")


def _other_delimiter(rows: list[list[str]], delimiter: str) -> str | None:
    others = (other for other in _DELIMITERS if other != delimiter)
    return next((other for other in others if all(other in row[0] for row in rows)), None)


@wellhead.hookimpl
def wellhead_data_source_types() -> list[wellhead.DataSourceType]:
    """Provide the type `csv`."""
    return [wellhead.DataSourceType(CsvDataSource, CsvValidator, title="CSV", icon="📄")]
