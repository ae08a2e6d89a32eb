"""Limits in HTTP: the answer 429, and the header fields that say how somebody stands.

The fields are those of draft-ietf-httpapi-ratelimit-headers: structured fields (RFC 9651), the policy's name being the
kind of action.
"""

from __future__ import annotations

from functools import cache

from wellhead.access.limits import Kind, Limits
from wellhead.access.principal import Principal
from wellhead.access.rates import Rate, Standing
from wellhead.api.problems import HttpProblem

Header = tuple[bytes, bytes]


async def check_rate(limits: Limits, kind: Kind, principal: Principal) -> tuple[Header, ...]:
    """Count an action, and return the header fields of its answer, whatever that will be.

    Raises:
        HttpProblem: 429, where it is one too many.
    """
    standing = await limits.take(kind, principal)
    if standing is None:
        return ()
    _refuse(standing, kind)
    return (
        (b"ratelimit-policy", _policy(kind, standing.rate)),
        (b"ratelimit", b'"%b";r=%d;t=%d' % (kind.encode(), standing.remaining, standing.reset)),
    )


async def check_failed_login(limits: Limits, address: str | None) -> None:
    """Count a failed login.

    Raises:
        HttpProblem: 429, where it is one too many.
    """
    standing = await limits.take_failed_login(address)
    if standing is not None:
        _refuse(standing, "login")


def _refuse(standing: Standing, name: str) -> None:
    if standing.retry_after:
        raise HttpProblem(
            429,
            "rate_limited",
            {
                "Retry-After": str(standing.retry_after),
                "RateLimit-Policy": _policy(name, standing.rate).decode(),
                "RateLimit": f'"{name}";r=0;t={standing.retry_after}',
            },
        )


@cache
def _policy(name: str, rate: Rate) -> bytes:
    return f'"{name}";q={rate.count};w={rate.window}'.encode()
