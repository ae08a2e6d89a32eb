"""The type `csv`: files of comma-separated values."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections import Counter
from typing import Annotated, Literal

from pydantic import Field

import wellhead
from wellhead_files.reading import (
    MAX_COLUMNS_SHOWN,
    Compression,
    Head,
    compression_field,
    read_text,
    refuse_nul,
    whole_lines,
)

HEAD_ROWS = 1000
_DELIMITERS = (",", ";", "\t", "|")

Character = Annotated[str, Field(min_length=1, max_length=1, pattern=r"^[^\r\n]$"), wellhead.MultiLine()]
Row = tuple[int, list[str]]
"""The number of a row's last line, and its values."""


class CsvDataSource(wellhead.FileDataSource):
    """A file of comma-separated values."""

    type: Literal["csv"] = "csv"
    format: Literal["csv"] = wellhead.field("csv", description="Format of the file.")
    delimiter: Character = wellhead.field(
        ",", description="Character between the columns.", examples=[",", ";", "\t"], harmless=True
    )
    quote_character: Character = wellhead.field('"', description="Character around quoted values.", harmless=True)
    has_header: bool = wellhead.field(True, description="Whether the first row names the columns.", harmless=True)
    compression: Compression = compression_field()


class CsvValidator(wellhead.Validator[CsvDataSource]):
    """Open the file, decode its head, and parse that."""

    steps = ("locate", "read", "parse")

    async def validate(self, config: CsvDataSource, context: wellhead.ValidationContext) -> None:
        """Check the first megabyte of the file, and its first thousand rows."""
        async with context.check("locate", fields=["/path"]):
            file = context.open(config.path)
        with file:
            async with context.check("read", fields=["/encoding", "/path"]):
                head = whole_lines(await context.in_thread(read_text, file, config.encoding, config.compression))
                head.warn(context)
        async with context.check("parse", fields=["/delimiter", "/quote_character"]):
            rows = await context.in_thread(parse, head, config)
            report(rows, config, context, is_whole=head.is_whole)


def parse(head: Head, config: CsvDataSource) -> list[Row]:
    """Parse the first rows. A row that the end of the head has cut off is left out."""
    refuse_nul(head.text, "not_csv")
    if config.has_header and _is_json(head.text):
        hint = "The file begins like JSON: make a data source of type json for it."
        raise wellhead.CheckFailedError("format_mismatch", hint=hint, fields=["/path"])
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
    other = _other_delimiter(rows, config.delimiter) if len(first) == 1 else None
    if len(widths) > 1:
        usual = widths.most_common(1)[0][0]
        line, row = next((line, row) for line, row in rows if len(row) != usual)
        hint = f"Every row has the character {other!r} equally often: is it the 'delimiter'?" if other else None
        context.warn("ragged_rows", f"Line {line} has {len(row)} columns, most rows have {usual}.", hint=hint)
    elif other:
        context.warn("delimiter_mismatch", hint=f"Every row has the character {other!r}: is it the 'delimiter'?")
    elif header is not None and (len(set(header)) < len(header) or not all(name.strip() for name in header)):
        context.warn("duplicate_columns")
    elif not body and is_whole:
        context.warn("no_rows")


def _other_delimiter(rows: list[Row], delimiter: str) -> str | None:
    """Return the character that separates the columns, if every row has another one than the delimiter equally often.

    A quoted value may have it too: so the rows of one column need only have it at all.
    """
    lines = [delimiter.join(row) for _, row in rows]
    is_ragged = any(len(row) > 1 for _, row in rows)
    for other in _DELIMITERS:
        counts = {line.count(other) for line in lines}
        if other != delimiter and 0 not in counts and not (is_ragged and len(counts) > 1):
            return other
    return None


def _is_json(text: str) -> bool:
    """Tell whether the first line is a JSON object or array, or the beginning of one on several lines."""
    line = text.lstrip().partition("\n")[0].strip()
    if line in {"[", "{"}:
        return True
    if not line.startswith(("[", "{")):
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
