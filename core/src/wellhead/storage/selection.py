"""What a list asks of a store, and what the store answers. Nothing here knows how a store finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

SortKey = tuple[str, bool]
Instants = tuple[datetime | None, datetime | None]


@dataclass(frozen=True, slots=True)
class Position:
    """Where an item stands in a sorted list.

    Attributes:
        values: Its values of the fields that the list is sorted by.
        name: The key of its name, which decides where they are equal.
        id: Its id, which decides after that.
    """

    values: tuple[str, ...]
    name: str
    id: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which data sources are wanted, in which order, and how many.

    Attributes:
        types: Types, any of which will do; all if empty.
        labels: Labels, all of which a data source must have; a value of None stands for any.
        name: The key of the exact name; None for any.
        text: A part of the key of the name or of the description; None for any.
        states: States, any of which will do; all if empty.
        health: Statuses of the newest result, any of which will do; `none` for none; all if empty.
        created: Not before the first instant and not after the second.
        updated: As `created`, for the last change.
        sort: Fields to sort by, each with True for descending; then by the name's key and the id.
        limit: The most that are wanted.
        after: The position after which to begin; None for the beginning.
    """

    types: tuple[str, ...] = ()
    labels: tuple[tuple[str, str | None], ...] = ()
    name: str | None = None
    text: str | None = None
    states: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    created: Instants = (None, None)
    updated: Instants = (None, None)
    sort: tuple[SortKey, ...] = ()
    limit: int = 50
    after: Position | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was found.

    Attributes:
        items: The data sources as they are read, each as the bytes of a JSON object.
        total: How many there are, wherever the list begins and ends.
        next: The position of the last one, if there are more after it; else None.
    """

    items: Sequence[bytes]
    total: int
    next: Position | None


class Group(NamedTuple):
    """What data sources that are counted together have in common.

    Attributes:
        type: The name of their type; None where that cannot be read.
        state: Their state.
        health: The status of their newest result; `none` for none.
    """

    type: str | None
    state: str
    health: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One data source as it is read.

    Attributes:
        item: It, as the bytes of a JSON object.
        revision: The number of its state.
    """

    item: bytes
    revision: int
