"""What was dialled in a validation, and whether what was expected there answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wellhead.codes import CODES
from wellhead.errors import CheckFailedError
from wellhead.guard.network import GuardedStream
from wellhead.guard.services import TLS

UNEXPLAINED = frozenset(("protocol_error", "connection_lost", "connection_timeout", "tls_failed"))
"""The codes that another service on the port often ends with."""

_HUNG_UP = (
    f"{CODES['connection_lost'].remedy} It closed when TLS was started: perhaps it offers none on this port, as with "
    "`tls_not_offered`."
)


@dataclass(frozen=True, slots=True)
class Dialled:
    """A connection that a validator has made.

    Attributes:
        stream: The connection.
        service: What should answer, as `Stream.service` calls it; None if the validator does not say.
        fields: JSON Pointers of the fields that led there.
    """

    stream: GuardedStream
    service: str | None
    fields: Sequence[str]

    def without_tls(self) -> CheckFailedError | None:
        """Say that the server may offer no TLS, if it hung up when that was started."""
        if not self.stream.is_starting_tls:
            return None
        return CheckFailedError("connection_lost", hint=_HUNG_UP)

    def wrong_service(self) -> CheckFailedError | None:
        """Say which other service answers, if it is one that is recognised."""
        heard = self.stream.service
        expected = {None, self.service} | ({TLS} if self.stream.is_starting_tls else set())
        if self.service is None or heard in expected:
            return None
        message = f"This port answers like {heard}, not like {self.service}."
        return CheckFailedError("wrong_service", message, fields=self.fields)
