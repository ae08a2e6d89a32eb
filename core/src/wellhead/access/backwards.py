"""Reading a file's lines from its end, in blocks: the newest of a log, without all that came before them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

BLOCK = 64 * 1024
"""Bytes that are read at once."""


def lines_backwards(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the lines that the first bytes of a file have, the last one first, without line breaks; no empty ones.

    Args:
        file: The file; it is read at its places, wherever it stands.
        size: How many bytes; what was appended later is left out.
    """
    rest = b""
    for begin in range((size - 1) // BLOCK * BLOCK, -1, -BLOCK):
        first, *others = (os.pread(file.fileno(), min(BLOCK, size - begin), begin) + rest).split(b"\n")
        yield from filter(None, reversed(others))
        rest = first
    if rest:
        yield rest
