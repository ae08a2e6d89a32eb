"""Filters of a selection as conditions in SQL. What each one means is written here once, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wellhead.storage.index.rows import microseconds
from wellhead.storage.selection import Instants, Selection

_TRIGRAM = 3


@dataclass(slots=True)
class Filter:
    """Conditions on a row of `sources`, named `s`, and the values for their places."""

    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, condition: str, *values: Any) -> None:
        """Add a condition."""
        self.conditions.append(condition)
        self.values += values

    @property
    def where(self) -> str:
        """All conditions together."""
        return " AND ".join(self.conditions) or "1"


def filter_of(selection: Selection, *, few: bool, by_label: bool = False) -> Filter:
    """Return the conditions of a selection.

    Args:
        selection: The selection.
        few: True where few rows match, so that it is worth to look them up, and to sort what is found.
        by_label: True where the first label's rows are gone through, named `l`.
    """
    chosen = Filter()
    _add_labels(chosen, selection.labels, few=few, by_label=by_label)
    for column, wanted in (("type", selection.types), ("state", selection.states), ("health_status", selection.health)):
        # A sign before a column keeps SQLite from using its index, for which all matches would have to be sorted.
        sign = "" if few or len(wanted) == 1 else "+"
        if wanted:
            chosen.add(f"{sign}s.{column} IN ({', '.join('?' * len(wanted))})", *map(_storable, wanted))
    if selection.name is not None:
        chosen.add("s.name_key = ?", _storable(selection.name))
    if selection.text is not None:
        phrase = phrase_of(selection.text)
        if few and phrase is not None:
            chosen.add("s.number IN (SELECT rowid FROM texts WHERE texts MATCH ?)", phrase)
        text = _storable(selection.text)
        chosen.add("(instr(s.name_key, ?) OR instr(s.description_key, ?))", text, text)
    _add_instants(chosen, "created", selection.created)
    _add_instants(chosen, "updated", selection.updated)
    return chosen


def _add_labels(chosen: Filter, labels: tuple[tuple[str, str | None], ...], *, few: bool, by_label: bool) -> None:
    for place, (key, value) in enumerate(labels):
        condition, values = label_condition(key, value)
        if place == 0 and by_label:
            chosen.add("l.key = ?" if value is None else "l.key = ? AND l.value = ?", *values)
        elif place == 0 and few:
            chosen.add(f"s.number IN (SELECT number FROM labels WHERE {condition})", *values)  # noqa: S608  # as above
        else:
            chosen.add(f"EXISTS (SELECT 1 FROM labels WHERE number = s.number AND {condition})", *values)  # noqa: S608  # as above


def _add_instants(chosen: Filter, column: str, instants: Instants) -> None:
    for sign, instant in zip((">=", "<="), instants, strict=True):
        if instant is not None:
            chosen.add(f"s.{column} {sign} ?", microseconds(instant))


def phrase_of(text: str) -> str | None:
    """Write a text for the table of trigrams; None where it cannot answer, which is right about whole trigrams only."""
    if len(text) < _TRIGRAM or "\0" in text or _storable(text) is None:
        return None
    return '"' + text.replace('"', '""') + '"'


def _storable(text: str) -> str | None:
    """Return a text as it can be compared; one with half a character equals nothing, as null does."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return text


def label_condition(key: str, value: str | None) -> tuple[str, tuple[str | None, ...]]:
    """Return the condition that a row of `labels` is one that is wanted, and the values for its places."""
    if value is None:
        return "key = ?", (_storable(key),)
    return "key = ? AND value = ?", (_storable(key), _storable(value))
