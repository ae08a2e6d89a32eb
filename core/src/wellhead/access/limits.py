"""Limits: how often a user may act in a workspace, by kind of action, and how often an address may fail to log in.

A key is whose action it is and of what kind, never a path and never a header. A limit on failed logins is looked at
only where a login has failed, so that nobody can lock out somebody else.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from wellhead.access.policy import Permission
from wellhead.access.principal import Principal
from wellhead.access.rates import Rate, Standing, standing_after

Kind = Literal["read", "write", "validate"]
"""A kind of action; each has a limit of its own."""

Limited = Literal["read", "write", "validate", "login"]
"""What has a limit: a kind of action, or failing to log in."""

KINDS: Mapping[Permission, Kind] = {
    "read": "read",
    "audit": "read",
    "metrics": "read",
    "write": "write",
    "tokens": "write",
    "plugins": "write",
    "validate": "validate",
}
"""The kind of action of what needs a permission."""

Key = tuple[str, ...]

_REMEMBERED = 10_000
"""Of how many keys something is kept; then the one is forgotten that has not acted for the longest time."""

_NETWORK = 64
"""Bits of an IPv6 address that one customer has, as a rule (RFC 6177); who has one address there has all."""


class Buckets(Protocol):
    """Where it is kept who has acted how often."""

    async def take(self, key: Key, rate: Rate) -> Standing:
        """Take one action from a bucket, if that is permitted, and return how it stands."""

    async def close(self) -> None:
        """Give back what is held open."""


class LocalBuckets:
    """Buckets of this process, in bounded memory."""

    def __init__(
        self, workers: int = 1, *, remembered: int = _REMEMBERED, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep this worker's share of each rate.

        Args:
            workers: How many workers there are; requests may come to any of them.
            remembered: Of how many keys something is kept.
            monotonic: Gives this instant, in seconds.
        """
        self._workers = workers
        self._remembered = remembered
        self._monotonic = monotonic
        self._full_at: OrderedDict[Key, float] = OrderedDict()
        self._shares: dict[Rate, Rate] = {}

    def __len__(self) -> int:
        """Return of how many keys something is kept."""
        return len(self._full_at)

    async def take(self, key: Key, rate: Rate) -> Standing:
        """Take one action from a bucket, if that is permitted, and return how it stands."""
        share = self._shares.get(rate)
        if share is None:
            share = self._shares[rate] = rate.share(self._workers) or Rate(1, rate.window * self._workers)
        standing, full_at = standing_after(share, self._full_at.get(key, 0.0), self._monotonic())
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._remembered:
            self._full_at.popitem(last=False)
        return standing

    async def close(self) -> None:
        """Hold nothing open."""


class Limits:
    """How often who may do what."""

    def __init__(self, rates: Mapping[Limited, Rate | None], buckets: Buckets) -> None:
        """Enforce rates.

        Args:
            rates: The rate of each; None for no limit.
            buckets: Where it is kept who has acted how often.
        """
        self._rates = rates
        self._buckets = buckets

    async def take(self, kind: Kind, principal: Principal) -> Standing | None:
        """Count an action of somebody, and return how they stand; None without a limit."""
        rate = self._rates[kind]
        return None if rate is None else await self._buckets.take((kind, principal.workspace, principal.user), rate)

    async def take_failed_login(self, address: str | None) -> Standing | None:
        """Count a failed login from an address, and return how it stands; None without a limit."""
        rate = self._rates["login"]
        return None if rate is None else await self._buckets.take(("login", origin_of(address)), rate)

    async def close(self) -> None:
        """Give back what is held open."""
        await self._buckets.close()


def origin_of(address: str | None) -> str:
    """Return what is counted of an address: the network of an IPv6 address; nothing of what is no address."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped or ipaddress.IPv6Network((int(parsed) >> _NETWORK << _NETWORK, _NETWORK)))
