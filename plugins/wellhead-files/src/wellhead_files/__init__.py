"""Data sources in files: type `csv`."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections import Counter
from typing import Annotated, BinaryIO, ClassVar, Literal, NamedTuple

from pydantic import Field

import wellhead

HEAD_BYTES = 1 << 20
HEAD_ROWS = 1000
_DELIMITERS = (",", ";", "\t", "|")

MAX_COLUMNS_SHOWN = 200

Character = Annotated[str, Field(min_length=1, max_length=1, pattern=r"^[^\r\n]$"), wellhead.MultiLine()]
Row = tuple[int, list[str]]
"""The number of a row's last line, and its values."""


class Head(NamedTuple):
    """The beginning of a file, and whether that is all of it."""

    text: str
    is_whole: bool


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
            report(rows, config, context, is_whole=head.is_whole)


def read_head(file: BinaryIO, encoding: str) -> Head:
    """Read and decode the beginning of the file, up to the end of its last whole line."""
    data = file.read(HEAD_BYTES)
    is_whole = len(data) < HEAD_BYTES
    if not data:
        raise wellhead.CheckFailedError("file_empty", fields=["/path"])
    name = codecs.lookup(encoding).name
    decoder = codecs.getincrementaldecoder("utf-8-sig" if name == "utf-8" else encoding)()
    try:
        text = decoder.decode(data, final=is_whole)
    except UnicodeError:
        raise wellhead.CheckFailedError(
            "encoding_mismatch", hint=_encoding_hint(data, name, is_whole=is_whole)
        ) from None
    if name.startswith(("utf-16", "utf-32")) and b"\0" not in data:  # there, a line break has one
        raise wellhead.CheckFailedError("encoding_mismatch", hint=_encoding_hint(data, name, is_whole=is_whole))
    if is_whole:
        return Head(text, is_whole)
    end = max(text.rfind("\n"), text.rfind("\r"))
    if end < 0:
        raise wellhead.CheckFailedError("file_too_large", fields=["/path"])
    return Head(text[: end + 1], is_whole)


def _encoding_hint(data: bytes, tried: str, *, is_whole: bool) -> str | None:
    """Suggest another encoding, where the first bytes tell."""
    guess = _guess(data, is_whole=is_whole)
    if guess is None or tried.startswith(guess):
        return None
    return f"The file reads like {guess}: set 'encoding' to {guess}."


def _guess(data: bytes, *, is_whole: bool) -> str | None:
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, final=is_whole)
    except UnicodeDecodeError:
        return None
    return "utf-8"


def parse(head: Head, config: CsvDataSource) -> list[Row]:
    """Parse the first rows. A row that the end of the head has cut off is left out."""
    if "\0" in head.text:
        hint = "The file has NUL characters: it is binary, or in an encoding such as utf-16."
        raise wellhead.CheckFailedError("not_csv", hint=hint, fields=["/path", "/encoding"])
    if config.delimiter == config.quote_character:
        raise wellhead.CheckFailedError("not_csv", hint="'delimiter' and 'quote_character' are the same character.")
    lines = io.StringIO(head.text, newline="")
    reader = csv.reader(lines, delimiter=config.delimiter, quotechar=config.quote_character, strict=True)
    rows: list[Row] = []
    try:
        rows.extend((reader.line_num, row) for row in itertools.islice(reader, HEAD_ROWS) if row)
    except csv.Error:
        was_cut_off = not head.is_whole and rows and not lines.read(1)
        if not was_cut_off:
            hint = f"Line {reader.line_num} is damaged, or a quoted value that begins before it is never closed."
            raise wellhead.CheckFailedError("not_csv", hint=hint) from None
    if not rows:
        raise wellhead.CheckFailedError("file_empty", fields=["/path"])
    return rows


def report(rows: list[Row], config: CsvDataSource, context: wellhead.ValidationContext, *, is_whole: bool) -> None:
    """Tell what was found, and warn about what is odd."""
    first = rows[0][1]
    header, body = (first, rows[1:]) if config.has_header else (None, rows)
    widths = Counter(len(row) for _, row in rows)
    context.detail("columns", header or [f"column {number}" for number in range(1, len(first) + 1)][:MAX_COLUMNS_SHOWN])
    context.detail("rows_checked", len(body))
    if len(widths) > 1:
        usual = widths.most_common(1)[0][0]
        line, row = next((line, row) for line, row in rows if len(row) != usual)
        context.warn("ragged_rows", f"Line {line} has {len(row)} columns, most rows have {usual}.")
    elif len(first) == 1 and (other := _other_delimiter(rows, config.delimiter)):
        context.warn("delimiter_mismatch", hint=f"Every row has the character {other!r}: is it the 'delimiter'?")
    elif header is not None and (len(set(header)) < len(header) or not all(name.strip() for name in header)):
        context.warn("duplicate_columns")
    elif not body and is_whole:
        context.warn("no_rows")


def _other_delimiter(rows: list[Row], delimiter: str) -> str | None:
    others = (other for other in _DELIMITERS if other != delimiter)
    return next((other for other in others if all(other in row[0] for _, row in rows)), None)


@wellhead.hookimpl
def wellhead_data_source_types() -> list[wellhead.DataSourceType]:
    """Provide the type `csv`."""
    return [wellhead.DataSourceType(CsvDataSource, CsvValidator, title="CSV", icon="📄")]
