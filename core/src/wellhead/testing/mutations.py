"""What a broken or malicious server might say: changes of a good conversation, the same ones for the same seed.

with testing.servers.recording(port) as server:
    ...  # validate against it once
for turns in mutations.of_conversation(server.turns, 200, framing=mutations.POSTGRES):
    with testing.servers.replaying(turns) as rogue:
        ...  # and against each of these
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from wellhead.testing.servers.scripts import Turn

_INTERESTING = (0, 1, 2, 3, 4, 5, 10, 12, 13, 32, 127, 128, 251, 254, 255)
_LONGEST_INSERTION = 300
_CHANCE_OF_ORDER, _CHANCE_OF_HEAD, _CHANCE_OF_RIGHT_LENGTH = 0.1, 0.4, 0.7


@dataclass(frozen=True, slots=True)
class Framing:
    """How a protocol's messages begin, so that changes hit their lengths and their types.

    Attributes:
        head: How many bytes come before a message's content.
        length_at: Where its length is.
        length_size: How many bytes the length has.
        byteorder: Whether the length's first byte is the most significant one, `big`, or the least, `little`.
        counted: How many bytes of the head the length counts besides the content.
        type_at: Where the byte is that says of which type the message is.
    """

    head: int
    length_at: int
    length_size: int
    byteorder: Literal["little", "big"]
    counted: int
    type_at: int

    @property
    def longest(self) -> int:
        """The highest length that can be stated."""
        return (1 << 8 * self.length_size) - 1

    def length_of(self, message: bytes) -> int:
        """Return how many bytes a message has that begins here, by its length."""
        stated = message[self.length_at : self.length_at + self.length_size]
        return self.head - self.counted + int.from_bytes(stated, self.byteorder)

    def with_length(self, message: bytes, length: int) -> bytes:
        """Return a message that states another length, in as many bytes as it has for that."""
        stated = (length % (self.longest + 1)).to_bytes(self.length_size, self.byteorder)
        return message[: self.length_at] + stated + message[self.length_at + self.length_size :]

    def split(self, part: bytes) -> list[bytes]:
        """Take a part of a conversation apart into its messages; what is no whole message comes last, as it is."""
        messages = []
        while len(part) >= self.head and self.head <= (size := self.length_of(part)) <= len(part):
            messages.append(part[:size])
            part = part[size:]
        return [*messages, part] if part else messages


POSTGRES = Framing(head=5, length_at=1, length_size=4, byteorder="big", counted=4, type_at=0)
"""A type, and a length that counts itself (PostgreSQL documentation, 55.2.1)."""

MYSQL = Framing(head=4, length_at=0, length_size=3, byteorder="little", counted=0, type_at=4)
"""A length and a number; the content begins with a type (MySQL documentation, Protocol::Packet)."""


def mutated(data: bytes, seed: int, *, framing: Framing | None = None) -> bytes:
    """Change some bytes in one place, in one way or in several.

    Args:
        data: Anything that a server says.
        seed: Which of the many changes is made.
        framing: How the data's messages begin. One of them is changed then; often it states its new length rightly,
            so that what reads it gets beyond that.
    """
    chance = random.Random(seed)  # noqa: S311  # it makes tests repeatable, and keeps nothing secret
    messages = framing.split(data) if framing is not None else [data]
    if not messages:
        return chance.randbytes(chance.randint(1, 9))
    at = chance.randrange(len(messages))
    messages[at] = _changed_message(messages[at], chance, framing)
    if len(messages) > 1 and chance.random() < _CHANCE_OF_ORDER:
        chance.shuffle(messages)
    return b"".join(messages)


def of_conversation(
    turns: Sequence[Turn], count: int, *, seed: int = 0, framing: Framing | None = None
) -> Iterator[list[Turn]]:
    """Change a conversation in many ways, each time in one or two of its turns.

    Args:
        turns: What was said, as `servers.recording` has recorded it.
        count: How many changed conversations there are to be.
        seed: Which ones.
        framing: How the messages in the turns begin.

    Yields:
        Changed conversations, for `servers.scripts.replaying`.
    """
    places = [at for at, turn in enumerate(turns) if turn.says]
    for number in range(count):
        chance = random.Random(f"{seed} {number}")  # noqa: S311  # as above
        changed = list(turns)
        for at in chance.sample(places, k=min(len(places), chance.choice((1, 1, 2)))):
            said = mutated(turns[at].says, chance.getrandbits(32), framing=framing)
            changed[at] = Turn(turns[at].hears, said)
        yield changed


def _changed_message(message: bytes, chance: random.Random, framing: Framing | None) -> bytes:
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        if framing is not None and len(message) > framing.head and chance.random() < _CHANCE_OF_HEAD:
            message = chance.choice((_other_length, _other_type))(message, chance, framing)
        else:
            message = _mended(chance.choice(_CHANGES)(message, chance), len(message), chance, framing)
    return message


def _mended(message: bytes, before: int, chance: random.Random, framing: Framing | None) -> bytes:
    """Let a message that has another length now often say so."""
    has_changed = framing is not None and before != len(message) >= framing.head
    if framing is None or not has_changed or chance.random() > _CHANCE_OF_RIGHT_LENGTH:
        return message
    return framing.with_length(message, len(message) - framing.head + framing.counted)


def _other_length(message: bytes, chance: random.Random, framing: Framing) -> bytes:
    right = len(message) - framing.head + framing.counted
    return framing.with_length(
        message, chance.choice((0, 1, right - 1, right + 1, 2 * right, framing.longest // 2, framing.longest))
    )


def _other_type(message: bytes, chance: random.Random, framing: Framing) -> bytes:
    return _with_byte(message, framing.type_at, chance.choice((chance.randrange(256), *b"RESKNZTDC\0\1\xfb\xfe\xff")))


def _flip_bit(data: bytes, chance: random.Random) -> bytes:
    at = _place(data, chance)
    return _with_byte(data, at, data[at] ^ 1 << chance.randrange(8)) if data else data


def _set_byte(data: bytes, chance: random.Random) -> bytes:
    return _with_byte(data, _place(data, chance), chance.choice(_INTERESTING)) if data else data


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: _place(data, chance)]


def _insert(data: bytes, chance: random.Random) -> bytes:
    at = _place(data, chance)
    return data[:at] + chance.randbytes(chance.choice((1, 2, 4, _LONGEST_INSERTION))) + data[at:]


def _duplicate(data: bytes, chance: random.Random) -> bytes:
    start = _place(data, chance)
    end = chance.randint(start, len(data))
    return data[:end] + data[start:end] * chance.choice((1, 1, 3)) + data[end:]


def _drop(data: bytes, chance: random.Random) -> bytes:
    at = _place(data, chance)
    return data[:at] + data[at + chance.choice((1, 2, 4, 16)) :]


_CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip_bit, _flip_bit, _set_byte, _set_byte, _cut, _insert, _duplicate, _drop,
)  # fmt: skip


def _place(data: bytes, chance: random.Random) -> int:
    return chance.randrange(len(data)) if data else 0


def _with_byte(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]
