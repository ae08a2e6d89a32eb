"""Marks on a field that core reads: `Harmless` and `MultiLine`, and how to find them."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

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
    """Tell whether a field is marked as harmless; a mark on a part of its value, such as a list's items, is not one."""
    extra = info.json_schema_extra
    forms = [form for form in get_args(info.annotation) if form is not NoneType] if _is_union(info.annotation) else []
    marks = [info.metadata, *([getattr(form, "__metadata__", ()) for form in forms] if len(forms) == 1 else [])]
    marked = any(mark is Harmless or isinstance(mark, Harmless) for part in marks for mark in part)
    return marked or (isinstance(extra, dict) and extra.get(HARMLESS_KEY) is True)


def is_multi_line(info: FieldInfo) -> bool:
    """Tell whether a field is marked as having line breaks."""
    return any(mark is MultiLine or isinstance(mark, MultiLine) for mark in metadata(info))


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in {Union, UnionType}


def _nested(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for argument in get_args(annotation):
        yield from _nested(argument)
