"""Places for workers: so many in all, so many for each group, first come first served, a bounded line."""

from __future__ import annotations

import pytest

from wellhead.errors import ValidationBusyError
from wellhead.validation.slots import Slots, Ticket

pytestmark = pytest.mark.anyio


def have_places(tickets: list[Ticket]) -> list[bool]:
    return [ticket.has_place for ticket in tickets]


async def test_who_comes_first_has_a_place_and_the_others_wait() -> None:
    slots = Slots(2, waiting=2)

    tickets = [slots.enter() for _ in range(4)]

    assert have_places(tickets) == [True, True, False, False]


async def test_R_07_when_the_line_is_full_nobody_more_is_let_in() -> None:
    slots = Slots(1, waiting=1)
    tickets = [slots.enter() for _ in range(2)]

    with pytest.raises(ValidationBusyError, match="Try again"):
        slots.enter()

    tickets[0].leave()
    assert have_places([tickets[1], slots.enter()]) == [True, False]


async def test_nobody_can_wait_where_no_line_is_allowed() -> None:
    slots = Slots(1, waiting=0)

    assert slots.enter().has_place
    with pytest.raises(ValidationBusyError):
        slots.enter()


async def test_the_next_in_line_is_called() -> None:
    slots = Slots(1, waiting=2)
    first, second, third = (slots.enter() for _ in range(3))

    first.leave()

    await second.turn()
    assert not third.has_place


async def test_a_group_that_has_its_share_does_not_hold_up_the_others() -> None:
    slots = Slots(3, waiting=3)
    mine, yours = ((("me", 2),), (("you", 2),))

    tickets = [slots.enter(groups) for groups in (mine, mine, mine, yours)]

    assert have_places(tickets) == [True, True, False, True]
    tickets[3].leave()
    assert not tickets[2].has_place
    tickets[0].leave()
    assert tickets[2].has_place


async def test_a_place_is_given_back_once() -> None:
    slots = Slots(1, waiting=3)
    first, *others = (slots.enter() for _ in range(3))

    for _ in range(3):
        first.leave()

    assert have_places(others) == [True, False]


async def test_who_leaves_the_line_is_not_called() -> None:
    slots = Slots(1, waiting=3)
    first, second, third = (slots.enter() for _ in range(3))

    second.leave()
    first.leave()

    assert have_places([second, third]) == [False, True]


async def test_a_place_at_once_is_taken_only_where_nobody_waits_for_it() -> None:
    slots = Slots(2, waiting=2)
    few = (("few", 1),)
    first = slots.enter_at_once(few)
    assert first is not None

    assert slots.enter_at_once(few) is None
    waiting = slots.enter(few)
    assert slots.enter_at_once() is None  # there is a place, but somebody waits
    waiting.leave()
    assert slots.enter_at_once() is not None


async def test_R_07_a_group_has_the_same_part_of_the_line_as_of_the_places() -> None:
    slots = Slots(4, waiting=4)
    mine, yours = ((("me", 3),), (("you", 3),))
    tickets = [slots.enter(mine) for _ in range(6)]
    assert have_places(tickets) == [True] * 3 + [False] * 3
    with pytest.raises(ValidationBusyError):
        slots.enter(mine)

    tickets = [slots.enter(yours) for _ in range(2)]

    assert have_places(tickets) == [True, False]
