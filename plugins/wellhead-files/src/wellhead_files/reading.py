"""What all files have in common: their beginning is unpacked and decoded, never more of it than a limit."""

from __future__ import annotations

import codecs
import zlib
from typing import Any, BinaryIO, Literal, NamedTuple

import wellhead

HEAD_BYTES = 1 << 20
MAX_COLUMNS_SHOWN = 200

Compression = Literal["none", "gzip"]

_GZIP = b"\x1f\x8b"
_PACKED = (_GZIP, b"PK\x03\x04", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c")
_TAR = (257, b"ustar")
_PIECE = 1 << 16
_MAX_RATIO = 250
_FIELDS = ("/compression", "/path")


class Head(NamedTuple):
    """The beginning of a file, and whether that is all of it."""

    text: str
    is_whole: bool


def compression_field() -> Any:
    """Make the field `compression`."""
    return wellhead.field("none", description="How the file is compressed.", harmless=True)


def read_text(file: BinaryIO, encoding: str, compression: Compression, *, limit: int = HEAD_BYTES) -> Head:
    """Read, unpack and decode the beginning of the file."""
    data, is_whole = _unpacked(file, limit) if compression == "gzip" else _plain(file, limit)
    if not data and is_whole:
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
    return Head(text.removeprefix("\ufeff"), is_whole)


def whole_lines(head: Head) -> Head:
    """Leave out the line that the end of the head has cut off."""
    if head.is_whole:
        return head
    end = max(head.text.rfind("\n"), head.text.rfind("\r"))
    if end < 0:
        raise wellhead.CheckFailedError("file_too_large", fields=["/path"])
    return Head(head.text[: end + 1], is_whole=False)


def refuse_nul(text: str, code: str) -> None:
    """Refuse what is no text."""
    if "\0" in text:
        hint = "The file has NUL characters: it is binary, or in an encoding such as utf-16."
        raise wellhead.CheckFailedError(code, hint=hint, fields=["/path", "/encoding"])


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
        hint = "The file does not begin like gzip: if it is not compressed, set 'compression' to none."
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
    place, tar = _TAR
    if data.startswith(_PACKED) or data.startswith(tar, place):
        raise wellhead.CheckFailedError("compression_nested", fields=_FIELDS)
    return bytes(data), is_whole


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
