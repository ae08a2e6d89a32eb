"""Marks on a field that core reads: `Harmless` and `MultiLine`, and how to find them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic.fields import FieldInfo

HARMLESS_KEY = "x-harmless"


class Harmless:
    """Marks a field that has no say in where the data source's secrets go.

    A change of any other field asks for every stored secret anew. Write `Annotated[int, wellhead.Harmless()]`
    or `wellhead.field(5, harmless=True)`.
    """


class MultiLine:
    """Marks a text that may have line breaks and tabs; other control characters are refused all the same."""


def metadata(info: FieldInfo) -> Iterator[Any]:
    """Go through everything that a field's annotation carries, at any depth."""
    yield from info.metadata
    yield from _nested(info.annotation)


def is_harmless(info: FieldInfo) -> bool:
    """Tell whether a field is marked as harmless."""
    extra = info.json_schema_extra
    marked = isinstance(extra, dict) and extra.get(HARMLESS_KEY) is True
    return marked or any(mark is Harmless or isinstance(mark, Harmless) for mark in metadata(info))


def is_multi_line(info: FieldInfo) -> bool:
    """Tell whether a field is marked as having line breaks."""
    return any(mark is MultiLine or isinstance(mark, MultiLine) for mark in metadata(info))


def _nested(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for argument in get_args(annotation):
        yield from _nested(argument)
