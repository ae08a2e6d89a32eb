"""What the storage needs to know of a type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from wellhead.errors import TypeUnavailableError
from wellhead.model.extension import Migration
from wellhead.model.shape import Shape


class KnownType(Protocol):
    """A type, as far as storing its data sources goes."""

    @property
    def shape(self) -> Shape:
        """The shape of its model."""
        ...

    @property
    def distribution(self) -> str | None:
        """The distribution that provides it."""
        ...

    @property
    def version(self) -> str | None:
        """The distribution's version."""
        ...

    @property
    def schema_version(self) -> int:
        """The version of its model's schema."""
        ...

    @property
    def migrations(self) -> Mapping[int, Migration]:
        """What brings stored fields from each older version of the schema to the next."""
        ...


FindType = Callable[[str], KnownType | None]
"""Returns what is known of a type; None if it is not registered."""


def known_type(find_type: FindType, type_name: str) -> KnownType:
    """Return what is known of a type.

    Raises:
        TypeUnavailableError: It is not registered.
    """
    known = find_type(type_name)
    if known is None:
        raise TypeUnavailableError(f"The plugin that provides type '{type_name}' is not there.")
    return known
