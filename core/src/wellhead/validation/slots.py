"""How many workers there are at once, in all and for each owner, and who waits for one."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Hashable

from wellhead.errors import ValidationBusyError

Groups = tuple[tuple[Hashable, int], ...]
"""What a worker counts for, each with the most workers that may count for it."""


class Slots:
    """Gives out places for workers, first come first served, but that nobody waits for another owner's limit."""

    def __init__(self, total: int, *, waiting: int) -> None:
        """Give out places.

        Args:
            total: How many workers there may be at once.
            waiting: How many may wait for one.
        """
        self._total = total
        self._most_waiting = waiting
        self._taken: Counter[Hashable] = Counter()
        self._in_all = 0
        self._queue: deque[Ticket] = deque()

    @property
    def taken(self) -> int:
        """How many places are taken."""
        return self._in_all

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._queue)

    def enter(self, groups: Groups = ()) -> Ticket:
        """Get in line, or a place at once if there is one.

        Raises:
            ValidationBusyError: Too many wait already.
        """
        if self._line_is_full(groups) and not self._has_place(groups):
            raise ValidationBusyError("Too many validations wait already. Try again in a few seconds.")
        ticket = Ticket(self, groups)
        self._queue.append(ticket)
        self._serve()
        return ticket

    def enter_at_once(self, groups: Groups = ()) -> Ticket | None:
        """Get a place, if there is one just now and nobody waits for it."""
        return self.enter(groups) if not self._queue and self._has_place(groups) else None

    def leave(self, ticket: Ticket) -> None:
        """Take a ticket out of the line, or its place back."""
        if ticket in self._queue:
            self._queue.remove(ticket)
        elif ticket.has_place:
            self._in_all -= 1
            self._taken.subtract(group for group, _ in ticket.groups)
            self._taken += Counter()  # forgets those who have none
        ticket.has_place = False
        self._serve()

    def _has_place(self, groups: Groups) -> bool:
        return self._in_all < self._total and all(self._taken[group] < most for group, most in groups)

    def _line_is_full(self, groups: Groups) -> bool:
        """Tell whether nobody more may wait: in all, or of a group, which has such a part of the line as of places."""
        if len(self._queue) >= self._most_waiting:
            return True
        for group, most in groups:
            waiting = sum(group in dict(ticket.groups) for ticket in self._queue)
            if waiting >= -(-self._most_waiting * most // self._total):
                return True
        return False

    def _serve(self) -> None:
        for ticket in tuple(self._queue):
            if self._has_place(ticket.groups):
                self._queue.remove(ticket)
                self._in_all += 1
                self._taken.update(group for group, _ in ticket.groups)
                ticket.call()


class Ticket:
    """A place in the line, and then one for a worker. It must be given back."""

    def __init__(self, slots: Slots, groups: Groups) -> None:
        self._slots = slots
        self._called = asyncio.Event()
        self.groups = groups
        self.has_place = False

    def call(self) -> None:
        """Say that there is a place now."""
        self.has_place = True
        self._called.set()

    async def turn(self) -> None:
        """Wait for the place."""
        await self._called.wait()

    def leave(self) -> None:
        """Give it back; a second time is no matter."""
        self._slots.leave(self)
