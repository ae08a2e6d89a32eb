"""Head and body of an answer leave in one write, and nothing is kept back for longer than that takes."""

import asyncio

import pytest

from wellhead.api.joining import Joining

pytestmark = pytest.mark.anyio
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that remembers what it was given."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 4)})
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True


async def test_a_head_leaves_together_with_what_follows_it() -> None:
    wire = Wire()
    joining = Joining(wire)
    for part in (HEAD, b"body", b"more", HEAD, b""):
        joining.write(part)
    assert wire.written == [HEAD + b"body", b"more", HEAD]
    await asyncio.sleep(0)
    assert len(wire.written) == 3


async def test_a_head_that_nothing_follows_leaves_at_the_next_turn() -> None:
    wire = Wire()
    Joining(wire).write(HEAD)
    assert wire.written == []
    await asyncio.sleep(0)
    assert wire.written == [HEAD]


async def test_two_heads_keep_their_order_and_a_close_comes_last() -> None:
    wire = Wire()
    joining = Joining(wire)
    joining.write(b"HTTP/1.1 100 \r\n\r\n")
    joining.write(HEAD)
    joining.write(HEAD)
    assert not wire.is_closed
    joining.close()
    assert wire.written == [b"HTTP/1.1 100 \r\n\r\n" + HEAD, HEAD]
    assert wire.is_closed


async def test_all_else_is_the_transport_s() -> None:
    assert Joining(Wire()).get_extra_info("peername") == ("192.0.2.1", 4)
