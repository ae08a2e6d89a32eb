"""Tickets stand for a token: for a while or once, and only together with what was kept."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from wellhead.access.tickets import Ticket, Tickets
from wellhead.errors import StorageIOError

TOKEN = "wh_0123456789abcdef"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


@pytest.fixture
def tickets(place: Path) -> Tickets:
    return Tickets(place)


def test_a_session_stands_for_its_token_until_it_ends(tickets: Tickets) -> None:
    ticket = tickets.issue(TOKEN, "session", seconds=60)
    assert [tickets.token_of(ticket, "session") for _ in range(2)] == [TOKEN, TOKEN]
    assert tickets.end(ticket)
    assert tickets.token_of(ticket, "session") is None
    assert not tickets.end(ticket)


def test_a_code_is_good_for_once(tickets: Tickets) -> None:
    ticket = tickets.issue(TOKEN, "sign-in", seconds=60)
    assert [tickets.redeem(ticket) for _ in range(2)] == [TOKEN, None]


def test_a_session_is_no_code_and_a_code_no_session(tickets: Tickets) -> None:
    session, code = (tickets.issue(TOKEN, kind, seconds=60) for kind in ("session", "sign-in"))
    assert tickets.redeem(session) is None
    assert tickets.token_of(code, "session") is None
    assert tickets.token_of(session, "session") == TOKEN


def test_another_process_knows_it_too(tickets: Tickets, place: Path) -> None:
    ticket = tickets.issue(TOKEN, "session", seconds=60)
    assert Tickets(place).token_of(ticket, "session") == TOKEN


def test_it_is_over_in_time_and_its_file_goes_with_the_next_one(place: Path) -> None:
    now = [1000.0]
    tickets = Tickets(place, now=lambda: now[0])
    old = tickets.issue(TOKEN, "session", seconds=60)
    assert tickets.token_of(old, "session") == TOKEN
    now[0] = 1060.0
    assert tickets.token_of(old, "session") is None
    tickets.issue(TOKEN, "session", seconds=60)
    assert not (place / f"{old.id}.json").exists()


def test_files_are_gone_through_once_a_minute_however_many_sign_in(place: Path) -> None:
    now = [1000.0]
    tickets = Tickets(place, now=lambda: now[0])
    tickets.issue(TOKEN, "session", seconds=60)
    tickets.issue(TOKEN, "session", seconds=60)
    over = tickets.issue(TOKEN, "session", seconds=-1)
    tickets.issue(TOKEN, "session", seconds=60)
    assert (place / f"{over.id}.json").exists()
    now[0] += 60
    tickets.issue(TOKEN, "session", seconds=60)
    assert not (place / f"{over.id}.json").exists()


def test_neither_the_file_nor_the_ticket_is_worth_anything_alone(tickets: Tickets, place: Path) -> None:
    ticket = tickets.issue(TOKEN, "session", seconds=60)
    content = (place / f"{ticket.id}.json").read_text()
    assert TOKEN not in content
    assert TOKEN not in ticket.to_text()
    assert ticket.to_text().partition(".")[2] not in content
    assert tickets.token_of(Ticket(ticket.id, bytes(32)), "session") is None


@pytest.mark.parametrize(
    "change", [{"expires_at": 9_999_999_999}, {"kind": "sign-in"}, {"sealed": "AAAA"}, {"sealed": 5}]
)
def test_a_file_that_was_edited_opens_nothing(tickets: Tickets, place: Path, change: dict[str, object]) -> None:
    ticket = tickets.issue(TOKEN, "session", seconds=60)
    file = place / f"{ticket.id}.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert tickets.token_of(ticket, "session") is None
    assert tickets.redeem(ticket) is None


@pytest.mark.parametrize("content", ["{", "{}", "[" * 30_000, '{"expires_at": "soon"}'])
def test_a_damaged_file_is_swept(tickets: Tickets, place: Path, content: str) -> None:
    ticket = tickets.issue(TOKEN, "session", seconds=60)
    file = place / f"{ticket.id}.json"
    file.write_text(content)
    assert tickets.token_of(ticket, "session") is None
    Tickets(place).issue(TOKEN, "session", seconds=60)
    assert not file.exists()


def test_files_that_are_none_of_ours_are_left_alone(tickets: Tickets, place: Path) -> None:
    place.mkdir()
    (place / "notes.txt").write_text("mine")
    tickets.issue(TOKEN, "session", seconds=60)
    assert (place / "notes.txt").read_text() == "mine"


def issued(tickets: Tickets, place: Path, second: int, owner: str) -> Ticket:
    """Make a session, at some second of long ago."""
    ticket = tickets.issue(TOKEN, "session", seconds=60, owner=owner)
    os.utime(place / f"{ticket.id}.json", (second, second))
    return ticket


def test_who_has_too_many_loses_the_oldest_and_nobody_elses(place: Path) -> None:
    tickets = Tickets(place, most_of_one=3)
    other = issued(tickets, place, 1, "red ann")
    code = tickets.issue(TOKEN, "sign-in", seconds=60, owner="red bob")
    own = [issued(tickets, place, 2 + number, "red bob") for number in range(5)]
    assert [tickets.token_of(ticket, "session") for ticket in own] == [None, None, TOKEN, TOKEN, TOKEN]
    assert tickets.token_of(other, "session") == TOKEN
    assert tickets.redeem(code) == TOKEN


def test_where_there_are_too_many_in_all_the_oldest_end(place: Path) -> None:
    tickets = Tickets(place, most_of_one=2, most_in_all=4)
    made = [issued(tickets, place, number, f"red {number}") for number in range(6)]
    assert [tickets.token_of(ticket, "session") for ticket in made] == [None, None, *[TOKEN] * 4]
    assert len(list(place.iterdir())) == 4


def test_several_processes_hold_the_bound_together(place: Path) -> None:
    made = [Tickets(place, most_of_one=3).issue(TOKEN, "session", seconds=60, owner="ann") for _ in range(5)]
    assert sum(Tickets(place).token_of(ticket, "session") is not None for ticket in made) == 3


def test_what_a_file_is_called_tells_nobody_whose_it_is(tickets: Tickets) -> None:
    names = {tickets.issue(TOKEN, "session", seconds=60, owner=owner).id[:16] for owner in ("ann", "ann", "bob")}
    assert len(names) == 2
    assert not any("ann" in name for name in names)


ID = "0" * 32


@pytest.mark.parametrize(
    "text",
    ["", "x", ID, f"{ID}.", f"{ID}.{'A' * 42}", f"../{ID[3:]}.{'A' * 43}", f"{ID}.{'B' * 43}", f"{ID}.{'A' * 43}\n"],
)
def test_what_is_no_ticket_is_not_read_as_one(text: str) -> None:
    assert Ticket.from_text(text) is None


def test_a_ticket_is_read_as_it_was_written() -> None:
    ticket = Ticket.fresh()
    assert Ticket.from_text(ticket.to_text()) == ticket
    assert ticket.to_text() not in repr(ticket)


def test_marks_differ_by_ticket_and_purpose() -> None:
    one, other = Ticket.fresh(), Ticket.fresh()
    assert one.mark("csrf") == one.mark("csrf")
    assert len({one.mark("csrf"), other.mark("csrf"), one.mark("another")}) == 3


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "sessions").write_text("no directory")
    with pytest.raises(StorageIOError, match="Sessions cannot be kept in"):
        Tickets(tmp_path / "sessions").issue(TOKEN, "session", seconds=60)
