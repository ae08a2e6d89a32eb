"""Redis' protocol over a connection of core's: redis-py writes the commands and reads the answers."""

from typing import Any

from redis._parsers import Encoder, _AsyncRESP2Parser
from redis.connection import PythonRespSerializer
from redis.exceptions import NoPermissionError, ResponseError

import wellhead

MAX_LINE, MAX_BYTES = 4096, 1 << 20
PROTECTED = "The server is in protected mode, and only lets in its own machine: set a password there."


class Conversation:
    """Commands and answers. It is also what the parser reads from, so that no server says more than it may."""

    def __init__(self, stream: wellhead.Stream) -> None:
        self._stream, self._left, self._parser = stream, MAX_BYTES, _AsyncRESP2Parser(MAX_LINE)
        self._reader, self.encoder = self, Encoder("utf-8", "replace", decode_responses=True)  # what the parser wants
        self._parser.on_connect(self)

    async def ask(self, *words: str, if_allowed: bool = False) -> Any:
        """Send a command, and return the answer; None where the user may not ask, if that is no failure."""
        await self._stream.write(b"".join(PythonRespSerializer(MAX_LINE, self.encoder.encode).pack(*words)))
        answer = await self._parser.read_response()
        if isinstance(answer, ResponseError) and not (if_allowed and isinstance(answer, NoPermissionError)):
            raise wellhead.CheckFailedError("client_not_allowed", hint=PROTECTED) if "DENIED" in str(answer) else answer
        return None if isinstance(answer, NoPermissionError) else answer

    async def readexactly(self, size: int) -> bytes:
        """Read as much as the server has announced, unless that is too much."""
        self._left -= size
        if self._left < 0:
            raise wellhead.CheckFailedError("protocol_error")
        return await self._stream.read(size)

    async def readline(self) -> bytes:
        """Read a line with its end."""
        line = await self._stream.read_line(limit=min(self._left, MAX_LINE))
        self._left -= len(line) + 2
        return line + b"\r\n"
