"""What the bytes of a file tell about it, whatever its name and its fields say: another format, or another encoding."""

from __future__ import annotations

import codecs
import re
from typing import Final

PACKED: Final = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c")
"""How gzip, zip, bzip2, xz, Zstandard and 7-Zip begin."""

_EXPORT = "export the data as CSV or JSON Lines"
_UNPACK = "unpack it, or pack the file itself with gzip"
_FORMATS: Final = {
    b"PK\x03\x04": ("a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("an old Excel workbook", "save the sheet as CSV"),
    b"PAR1\x15": ("Parquet", _EXPORT),
    b"ARROW1\0\0": ("Arrow", _EXPORT),
    b"Obj\x01": ("Avro", _EXPORT),
    b"\x89HDF\r\n\x1a\n": ("HDF5", _EXPORT),
    b"\x93NUMPY": ("a NumPy array", _EXPORT),
    b"\x80\x02": ("a Python pickle", _EXPORT),
    b"\x80\x03": ("a Python pickle", _EXPORT),
    b"\x80\x04": ("a Python pickle", _EXPORT),
    b"\x80\x05": ("a Python pickle", _EXPORT),
    b"SQLite format 3\0": ("a SQLite database", _EXPORT),
    b"%PDF-": ("a PDF document", _EXPORT),
    b"BZh91AY&SY": ("bzip2", _UNPACK),
    b"\xfd7zXZ\0": ("xz", _UNPACK),
    b"\x28\xb5\x2f\xfd": ("Zstandard", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("7-Zip", _UNPACK),
    b"Rar!\x1a\x07": ("a RAR archive", _UNPACK),
}
_WEB_PAGES = (b"<!doctype html", b"<html", b"<?xml")
_TAR = (257, b"ustar")

_WESTERN_CODECS = frozenset(("cp1252", "iso8859-1", "iso8859-15", "mac-roman"))
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_HIGH = bytes(range(0x80, 0x100))
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SIGN_IN_A_WORD = re.compile(
    rb"[A-Za-z][\x80-\x89\x8b\x91\x93-\x99\x9b\xa1-\xa9\xab-\xb1\xb4\xb6\xb8\xbb-\xbf][A-Za-z]"
)
_PIECE_OF_UTF_8 = re.compile(rb"[\xc2-\xf4](?:[\x80-\xbf]|\Z)")
_SAMPLE = 2000


def other_format(data: bytes) -> str | None:
    """Return a hint where a file begins like something that is neither CSV nor JSON."""
    place, tar = _TAR
    if data.startswith(tar, place):
        return _hint("a tar archive", _UNPACK)
    for magic, (name, advice) in _FORMATS.items():
        if data.startswith(magic):
            return _hint(name, advice)
    if data[:100].removeprefix(codecs.BOM_UTF8).lstrip().lower().startswith(_WEB_PAGES):
        return "The file is a web page or XML: open it in a browser, it may be a login page in place of the data."
    return None


def is_packed(data: bytes | bytearray) -> bool:
    """Tell whether data begins like an archive or a compressed file."""
    place, tar = _TAR
    return data.startswith(PACKED) or data.startswith(tar, place)


def likely_encoding(data: bytes, *, is_whole: bool) -> str | None:
    """Name the encoding that the bytes speak for, if any."""
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if wide := wide_encoding(data):
        return wide
    if _is_utf_8(data, is_whole=is_whole):
        return "utf-8"
    return "windows-1252" if _is_western(data) else None


def wide_encoding(data: bytes) -> str | None:
    """Name the form of UTF-16 that text without a byte order mark is in, if every second byte is NUL."""
    first, second = data[:_SAMPLE:2], data[1:_SAMPLE:2]
    if not first.count(0) and second.count(0) * 2 > len(second):
        return "utf-16-le"
    if not second.count(0) and first.count(0) * 2 > len(first):
        return "utf-16-be"
    return None


def doubtful_encoding(data: bytes, codec: str, *, is_whole: bool) -> str | None:
    """Name the likely encoding where one was declared that takes any bytes, and makes wrong letters of them."""
    if codec not in _WESTERN_CODECS or data.isascii():
        return None
    return "utf-8" if _is_utf_8(data, is_whole=is_whole) else None


def _hint(name: str, advice: str) -> str:
    return f"The file begins like {name}, which is not read: {advice}."


def _is_utf_8(data: bytes, *, is_whole: bool) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, final=is_whole)
    except UnicodeDecodeError:
        return False
    return True


def _is_western(data: bytes) -> bool:
    """Tell whether data reads like text of western Europe: some accents between many plain letters.

    In Cyrillic or Japanese text most bytes are high. Older western encodings have letters where windows-1252 has dashes
    and quotation marks. Damaged UTF-8 has pairs of high bytes.
    """
    high = len(data) - len(data.translate(None, _HIGH))
    letters = len(data) - len(data.translate(None, _LETTERS))
    odd = (_CONTROLS, _SIGN_IN_A_WORD, _PIECE_OF_UTF_8)
    if high * 3 > letters or any(pattern.search(data) for pattern in odd):
        return False
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return True
