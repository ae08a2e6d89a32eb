"""The rounds of reloads that the supervisor leads."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from wellhead.api.serving.rounds import DONE, FAILED, READY, RELOAD, Rounds


@dataclass
class Workers:
    """Workers by number, each with the supervisor's end of its line and its own."""

    ends: dict[int, tuple[socket.socket, socket.socket]] = field(default_factory=dict)
    starting: set[int] = field(default_factory=set)

    def add(self, number: int) -> None:
        self.ends[number] = socket.socketpair()
        self.ends[number][1].setblocking(False)

    def lines(self) -> list[tuple[socket.socket, bool]]:
        return [(ours, number not in self.starting) for number, (ours, _) in self.ends.items()]

    def line(self, number: int) -> socket.socket:
        return self.ends[number][0]

    def said(self, number: int) -> bytes:
        """Return what the supervisor has said to a worker since it was last asked."""
        with suppress(BlockingIOError):
            return self.ends[number][1].recv(64)
        return b""


@pytest.fixture
def workers() -> Iterator[Workers]:
    """Three workers."""
    made = Workers()
    for number in range(3):
        made.add(number)
    yield made
    for pair in made.ends.values():
        for end in pair:
            end.close()


@pytest.fixture
def rounds(workers: Workers) -> Rounds:
    """Rounds of the three workers."""
    return Rounds(workers.lines)


def test_all_are_asked_and_the_one_that_wanted_it_is_told_when_all_are_done(rounds: Rounds, workers: Workers) -> None:
    rounds.heard(workers.line(1), RELOAD)
    assert [workers.said(number) for number in range(3)] == [RELOAD] * 3
    for number in (2, 1):
        rounds.heard(workers.line(number), DONE)
    assert [workers.said(number) for number in range(3)] == [b"", b"", b""]
    rounds.heard(workers.line(0), DONE)
    assert [workers.said(number) for number in range(3)] == [b"", DONE, b""]


def test_what_is_wanted_meanwhile_gets_a_round_of_its_own(rounds: Rounds, workers: Workers) -> None:
    rounds.heard(workers.line(0), RELOAD)
    rounds.heard(workers.line(1), RELOAD)
    rounds.heard(workers.line(1), RELOAD)
    assert workers.said(1) == RELOAD
    for number in range(3):
        rounds.heard(workers.line(number), DONE)
    assert [workers.said(number) for number in range(3)] == [RELOAD + DONE + RELOAD, RELOAD, RELOAD + RELOAD]
    for number in range(3):
        rounds.heard(workers.line(number), DONE)
    assert [workers.said(number) for number in range(3)] == [b"", DONE + DONE, b""]


def test_one_failure_is_told_and_the_next_round_begins_afresh(rounds: Rounds, workers: Workers) -> None:
    for answer, outcome in ((FAILED, FAILED), (DONE, DONE)):
        rounds.heard(workers.line(0), RELOAD)
        rounds.heard(workers.line(1), answer)
        for number in (0, 2):
            rounds.heard(workers.line(number), DONE)
        assert workers.said(0) == RELOAD + outcome


def test_a_worker_that_ends_is_not_waited_for(rounds: Rounds, workers: Workers) -> None:
    rounds.heard(workers.line(0), RELOAD)
    for number in (0, 1):
        rounds.heard(workers.line(number), DONE)
    gone = workers.ends.pop(2)
    rounds.ended(gone[0])
    assert workers.said(0) == RELOAD + DONE
    for end in gone:
        end.close()


def test_the_one_that_wanted_it_may_end_itself(rounds: Rounds, workers: Workers) -> None:
    rounds.heard(workers.line(2), RELOAD)
    rounds.heard(workers.line(1), RELOAD)
    gone = workers.ends.pop(2)
    rounds.ended(gone[0])
    for end in gone:
        end.close()
    for _ in range(2):
        for number in range(2):
            rounds.heard(workers.line(number), DONE)
    assert workers.said(1) == RELOAD + RELOAD + DONE


def test_a_worker_that_is_starting_is_asked_once_it_answers(rounds: Rounds, workers: Workers) -> None:
    workers.starting.add(2)
    rounds.heard(workers.line(0), RELOAD)
    assert workers.said(2) == b""
    for number in (0, 1):
        rounds.heard(workers.line(number), DONE)
    assert workers.said(0) == RELOAD
    rounds.heard(workers.line(2), READY)
    assert workers.said(2) == RELOAD
    rounds.heard(workers.line(2), DONE)
    assert workers.said(0) == DONE
