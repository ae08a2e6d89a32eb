"""The lines between the processes of a validation: whole, bounded, JSON objects, with their descriptors."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellhead.validation.wire import Lines, Message, WireError, decode, encode, send

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


@given(messages=st.lists(st.dictionaries(st.text(), JSON), max_size=5), cuts=st.lists(st.integers(0, 500)))
def test_what_is_written_is_read_however_it_was_cut(messages: list[Message], cuts: list[int]) -> None:
    data = b"".join(encode(message) for message in messages)
    lines = Lines(1 << 20)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})

    read = [message for start, end in itertools.pairwise(places) for message in lines.feed(data[start:end])]

    assert read == messages


@given(st.binary(max_size=200))
def test_I_17_whatever_comes_is_a_message_or_refused(data: bytes) -> None:
    try:
        assert isinstance(decode(data), dict)
    except WireError:
        return


@pytest.mark.parametrize("line", [b"", b"[]", b"1", b"{", b"[" * 100_000, b'"\\ud800"', b"\xff", b"{'a': 1}"])
def test_what_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        decode(line)


@pytest.mark.parametrize("data", [b"x" * 101, b'{"a":"' + b"x" * 100 + b'"}\n'])
def test_G_18_a_line_has_a_limit_whether_or_not_it_ends(data: bytes) -> None:
    lines = Lines(100)
    lines.feed(data)

    with pytest.raises(WireError, match="too long"):
        list(lines)


def test_descriptors_come_in_the_order_of_their_messages(pair: tuple[socket.socket, socket.socket]) -> None:
    ends = [os.pipe() for _ in range(3)]
    lines = Lines(1000)
    send(pair[0], {"number": "none"})
    for number, (_, end) in enumerate(ends):
        send(pair[0], {"number": number}, [end])
    got: list[Message] = []
    while len(got) < 4:
        lines.receive(pair[1])
        got += lines

    for number, (end, _) in enumerate(ends):
        received = lines.descriptors.popleft()
        os.write(received, b"%d" % number)
        assert os.read(end, 10) == b"%d" % number
        os.close(received)
    for end in (end for both in ends for end in both):
        os.close(end)


def test_the_end_is_told(pair: tuple[socket.socket, socket.socket]) -> None:
    lines = Lines(1000)
    pair[0].close()

    assert not lines.receive(pair[1])
