"""Changes of what a server says: repeatable, of every kind, and where the protocol has its lengths and types."""

from __future__ import annotations

import pytest

from wellhead.testing import mutations, servers
from wellhead.testing.mutations import MYSQL, POSTGRES, Framing

READY = b"Z\0\0\0\x05I"
POSTGRES_MESSAGES = [b"R\0\0\0\x08\0\0\0\0", b"S\0\0\0\x0bname\0v\0", READY]
MYSQL_MESSAGES = [servers.mysql_packet(1, b"\0" * 20), servers.mysql_packet(2, b"\xfe" + bytes(300))]
TURNS = [servers.Turn(0, b"welcome"), servers.Turn(9, b"first answer"), servers.Turn(3, b""), servers.Turn(4, b"last")]


def test_the_same_seed_makes_the_same_change() -> None:
    data = bytes(range(256))
    assert [mutations.mutated(data, seed) for seed in range(50)] == [
        mutations.mutated(data, seed) for seed in range(50)
    ]


def test_other_seeds_make_other_changes() -> None:
    data = bytes(range(256))
    changed = {mutations.mutated(data, seed) for seed in range(500)}
    assert len(changed) > 480
    assert {len(found) < len(data) for found in changed} == {True, False}
    assert any(len(found) > len(data) for found in changed)
    assert any(sum(one != other for one, other in zip(data, found, strict=False)) == 1 for found in changed)


@pytest.mark.parametrize("data", [b"", b"x", b"R\0"])
@pytest.mark.parametrize("framing", [None, POSTGRES, MYSQL])
def test_whatever_is_said_can_be_changed(data: bytes, framing: Framing | None) -> None:
    changed = {mutations.mutated(data, seed, framing=framing) for seed in range(100)}
    assert len(changed) > 1


@pytest.mark.parametrize(("framing", "messages"), [(POSTGRES, POSTGRES_MESSAGES), (MYSQL, MYSQL_MESSAGES)])
def test_messages_are_told_apart(framing: Framing, messages: list[bytes]) -> None:
    assert framing.split(b"".join(messages)) == messages
    assert framing.split(b"".join(messages) + b"\1") == [*messages, b"\1"]
    assert framing.split(b"") == []


def test_a_length_that_is_shorter_than_the_head_ends_the_splitting() -> None:
    assert POSTGRES.split(b"R\0\0\0\x03abc") == [b"R\0\0\0\x03abc"]


def test_with_a_framing_lengths_and_types_are_hit_and_lengths_are_mended() -> None:
    long = b"S\0\0\0\x14" + bytes(16)
    changed = [mutations.mutated(long, seed, framing=POSTGRES) for seed in range(600)]
    whole = [found for found in changed if len(found) >= 5]
    assert any(found[1:5] == b"\xff\xff\xff\xff" for found in whole)
    assert any(found[1:] == long[1:] and found[:1] != b"S" for found in whole)
    assert any(len(found) != len(long) and POSTGRES.length_of(found) == len(found) for found in whole)
    assert any(len(found) != len(long) and POSTGRES.length_of(found) != len(found) for found in whole)


def test_one_or_two_turns_of_a_conversation_are_changed_and_the_turns_stay() -> None:
    conversations = list(mutations.of_conversation(TURNS, 200))
    counts = {sum(one != other for one, other in zip(TURNS, turns, strict=True)) for turns in conversations}
    assert counts <= {0, 1, 2}  # none where a change changes nothing, such as a part doubled that is empty
    assert {1, 2} <= counts
    assert all([turn.hears for turn in turns] == [0, 9, 3, 4] for turns in conversations)
    assert all(turns[2].says == b"" for turns in conversations)


def test_conversations_are_repeated_by_their_seed() -> None:
    first, again = (list(mutations.of_conversation(TURNS, 20, seed=7)) for _ in range(2))
    assert first == again
    assert first != list(mutations.of_conversation(TURNS, 20, seed=8))
