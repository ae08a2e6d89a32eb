"""What must be stored: a model of each data source, in which an answered write is there and another may be.

All writes of the load are conditional (`If-Match`). So of those that were sent for one revision and not answered at
most one can have been made, and none any more once another one for that revision is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class State:
    """What a data source is at one moment: its revision, and a text that no other revision was given."""

    revision: int
    text: str | None


GONE = State(0, None)


@dataclass(slots=True)
class Source:
    """What is known of one data source.

    Attributes:
        id: Its id.
        name: Its name.
        kind: What it is to be validated against.
        seen: The states that it is known to have had, in their order.
        maybe: The states that it may have come to: those of writes that were sent and not answered.
        writing: Held by who changes it, so that the states have an order.
        is_meddled_with: Whether a fault changes its file: then nothing is known of it.
    """

    id: str
    name: str
    kind: str
    seen: list[State]
    maybe: set[State] = field(default_factory=set)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_meddled_with: bool = False

    @property
    def latest(self) -> State:
        """The last state that it is known to have had."""
        return self.seen[-1]

    @property
    def is_there(self) -> bool:
        """Whether it must be there."""
        return self.latest != GONE and GONE not in self.maybe

    def moment(self) -> int:
        """Return what `allowed` takes for this moment."""
        return len(self.seen) - 1

    def allowed(self, moment: int) -> set[State]:
        """Return the states that a read may find which began at a moment and ends now."""
        return {*self.seen[moment:], *self.maybe}

    def came_to(self, state: State) -> None:
        """Take in that it has a state; nothing else that was sent for the one before can be made any more."""
        if state != self.latest:
            self.seen.append(state)
            self.maybe.clear()

    def found(self, state: State) -> None:
        """Take in that a read has found a state: a write that was not answered was made."""
        if state in self.maybe:
            self.came_to(state)

    def text_of(self, revision: int) -> str | None:
        """Return the text of a revision."""
        return next(state.text for state in self.seen if state.revision == revision)


@dataclass(slots=True)
class Workspace:
    """What is known of one workspace.

    Attributes:
        name: Its name.
        sources: Its data sources, by their ids.
        unborn: Those that may have been made, by their names: the kind and text of a create without an answer.
    """

    name: str
    sources: dict[str, Source] = field(default_factory=dict)
    unborn: dict[str, tuple[str, str]] = field(default_factory=dict)

    def born(self, source_id: str, name: str) -> Source:
        """Take in that a data source was made."""
        kind, text = self.unborn.pop(name)
        source = self.sources[source_id] = Source(source_id, name, kind, [State(1, text)])
        return source

    def present(self) -> Iterator[Source]:
        """Yield the data sources that the load may use."""
        return (source for source in self.sources.values() if source.is_there and not source.is_meddled_with)
