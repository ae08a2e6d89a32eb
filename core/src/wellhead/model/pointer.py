"""JSON Pointers (RFC 6901), and reading and writing inside a document with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Path = tuple[str, ...]


def to_pointer(path: Iterable[str | int]) -> str:
    """Write a path as a JSON Pointer: `("secret_headers", "a/b")` becomes `/secret_headers/a~1b`."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def from_pointer(pointer: str) -> Path:
    """Take a JSON Pointer apart into its path."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def place(document: dict[str, Any], path: Path, value: Any) -> None:
    """Set a value inside nested objects, making the objects on the way."""
    *parents, last = path
    for part in parents:
        document = document.setdefault(part, {})
    document[last] = value
