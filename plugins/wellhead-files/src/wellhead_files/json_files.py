"""The type `json`: JSON documents, and JSON Lines."""

from __future__ import annotations

from typing import Literal

import wellhead
from wellhead_files.json_parsing import Findings, check_beginning, check_document, check_lines
from wellhead_files.reading import HEAD_BYTES, Compression, compression_field, read_text, refuse_nul, whole_lines

DOCUMENT_BYTES = 8 << 20


class JsonDataSource(wellhead.FileDataSource):
    """A file of JSON records."""

    type: Literal["json"] = "json"
    format: Literal["json", "jsonl"] = wellhead.field(
        "json", description="Format of the file: one JSON document, or an object on each line (JSON Lines).", order=11
    )
    records_pointer: str = wellhead.field(
        "",
        description="JSON Pointer to the array of records; empty where the document itself is the array.",
        examples=["", "/items", "/result/rows"],
        visible_when={"format": "json"},
        harmless=True,
        max_length=500,
        pattern=r"^(/([^~/]|~[01])*)*$",
    )
    compression: Compression = compression_field()


class JsonValidator(wellhead.Validator[JsonDataSource]):
    """Open the file, decode it or its head, and parse that."""

    steps = ("locate", "read", "parse")

    async def validate(self, config: JsonDataSource, context: wellhead.ValidationContext) -> None:
        """Check the document as a whole, or the first thousand lines."""
        async with context.check("locate", fields=["/path"]):
            file = context.open(config.path)
        by_line = config.format == "jsonl"
        limit = HEAD_BYTES if by_line else DOCUMENT_BYTES
        with file:
            async with context.check("read", fields=["/encoding", "/path"]):
                head = await context.in_thread(read_text, file, config.encoding, config.compression, limit=limit)
                head = whole_lines(head) if by_line else head
                head.warn(context)
        async with context.check("parse", fields=["/format", "/path"]):
            refuse_nul(head.text, "file_not_json")
            if head.is_whole and not head.text.strip():
                raise wellhead.CheckFailedError("file_empty", fields=["/path"])
            if by_line:
                report(await context.in_thread(check_lines, head.text), context)
            elif head.is_whole:
                report(await context.in_thread(check_document, head.text, config.records_pointer), context)
            else:
                context.detail("document", check_beginning(head.text, config.records_pointer))
                context.warn("file_not_read_whole")


def report(findings: Findings, context: wellhead.ValidationContext) -> None:
    """Tell what was found, and warn about what is odd."""
    context.detail("document", findings.document)
    context.detail("columns", findings.columns)
    context.detail("records_checked", findings.records_checked)
    if not findings.records_checked:
        context.warn("no_records")
    elif findings.oddity:
        context.warn("records_not_objects", findings.oddity)
    elif findings.has_duplicate_keys:
        context.warn("duplicate_keys")
