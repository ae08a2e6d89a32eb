"""What all files have in common: their beginning is unpacked and decoded, never more of it than a limit."""

from __future__ import annotations

import codecs
import zlib
from typing import Any, BinaryIO, Literal, NamedTuple

import wellhead
from wellhead_files.recognition import doubtful_encoding, is_packed, likely_encoding, other_format, wide_encoding

HEAD_BYTES = 1 << 20
MAX_COLUMNS_SHOWN = 200

Compression = Literal["none", "gzip"]

_GZIP = b"\x1f\x8b"
_PIECE = 1 << 16
_MAX_RATIO = 250
_FIELDS = ("/compression", "/path")


class Head(NamedTuple):
    """The beginning of a file, whether that is all of it, and the encoding that it rather seems to be in."""

    text: str
    is_whole: bool
    doubt: str | None = None

    def warn(self, context: wellhead.ValidationContext) -> None:
        """Warn where the text was decoded, but probably to wrong letters."""
        if self.doubt:
            context.warn("encoding_doubtful", hint=_encoding_hint(self.doubt))


def compression_field() -> Any:
    """Make the field `compression`."""
    return wellhead.field("none", description="How the file is compressed.", harmless=True)


def read_text(file: BinaryIO, encoding: str, compression: Compression, *, limit: int = HEAD_BYTES) -> Head:
    """Read, unpack and decode the beginning of the file."""
    data, is_whole = _unpacked(file, limit) if compression == "gzip" else _plain(file, limit)
    if not data and is_whole:
        raise wellhead.CheckFailedError("file_empty", fields=["/path"])
    if hint := other_format(data):
        raise wellhead.CheckFailedError("format_mismatch", hint=hint, fields=["/path"])
    name = codecs.lookup(encoding).name
    text = _decoded(data, encoding, name, is_whole=is_whole)
    return Head(text.removeprefix("\ufeff"), is_whole, doubtful_encoding(data, name, is_whole=is_whole))


def whole_lines(head: Head) -> Head:
    """Leave out the line that the end of the head has cut off."""
    if head.is_whole:
        return head
    end = max(head.text.rfind("\n"), head.text.rfind("\r"))
    if end < 0:
        raise wellhead.CheckFailedError("file_too_large", fields=["/path"])
    return head._replace(text=head.text[: end + 1])


def refuse_nul(text: str, code: str) -> None:
    """Refuse what is no text."""
    if "\0" in text:
        wide = wide_encoding(text.encode("latin-1", "replace"))
        hint = _encoding_hint(wide) if wide else "The file has NUL characters: it is binary, or in another encoding."
        raise wellhead.CheckFailedError(code, hint=hint, fields=["/path", "/encoding"])


def _decoded(data: bytes, encoding: str, name: str, *, is_whole: bool) -> str:
    decoder = codecs.getincrementaldecoder("utf-8-sig" if name == "utf-8" else encoding)()
    try:
        if name.startswith(("utf-16", "utf-32")) and b"\0" not in data:  # there, a line break has one
            raise UnicodeError
        return decoder.decode(data, final=is_whole)
    except UnicodeError:
        likely = likely_encoding(data, is_whole=is_whole)
        hint = None if likely is None or name.startswith(likely) else _encoding_hint(likely)
        raise wellhead.CheckFailedError("encoding_mismatch", hint=hint) from None


def _encoding_hint(likely: str) -> str:
    return f"The file reads like {likely}: set 'encoding' to {likely}."


def _plain(file: BinaryIO, limit: int) -> tuple[bytes, bool]:
    data = file.read(limit)
    if data.startswith(_GZIP):
        hint = "The file begins like gzip: set 'compression' to gzip."
        raise wellhead.CheckFailedError("compression_mismatch", hint=hint, fields=_FIELDS)
    return data, len(data) < limit


def _unpacked(file: BinaryIO, limit: int) -> tuple[bytes, bool]:
    """Unpack gzip members, until there are `limit` bytes of output, or as many of input were used up."""
    piece = file.read(_PIECE)
    if piece and not piece.startswith(_GZIP):
        plain = "The file does not begin like gzip, whatever its name is: set 'compression' to none."
        hint = other_format(piece) or plain
        raise wellhead.CheckFailedError("compression_mismatch", hint=hint, fields=_FIELDS)
    data = bytearray()
    used = 0
    member = zlib.decompressobj(wbits=31)
    while piece and len(data) < limit and used < limit:
        if member.eof:
            piece = piece.lstrip(b"\0") or file.read(_PIECE).lstrip(b"\0")  # padding
            if not piece:
                break
            member = zlib.decompressobj(wbits=31)
        try:
            data += member.decompress(piece, limit - len(data))
        except zlib.error:
            raise wellhead.CheckFailedError("archive_damaged", fields=_FIELDS) from None
        rest = member.unused_data if member.eof else member.unconsumed_tail
        used += len(piece) - len(rest)
        if len(data) > _PIECE and len(data) > used * _MAX_RATIO:
            raise wellhead.CheckFailedError("compression_ratio", fields=_FIELDS)
        piece = rest or file.read(_PIECE)
    is_whole = not piece and len(data) < limit
    if is_whole and used and not member.eof:
        raise wellhead.CheckFailedError("archive_damaged", fields=_FIELDS)
    if is_packed(data):
        raise wellhead.CheckFailedError("compression_nested", fields=_FIELDS)
    return bytes(data), is_whole
