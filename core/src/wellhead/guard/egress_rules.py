"""One rule of the egress policy: how it is written, and what it covers."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from pydantic_core import PydanticCustomError

from wellhead.guard.addresses import MAPPED, Address, Network
from wellhead.model.addresses import check_host

_FORM = (
    "write a network (10.0.0.0/8), an address (10.1.2.3), a host (db.internal), or all hosts below a domain "
    "(*.corp.example); a port may follow (db.internal:5432, [2001:db8::/32]:5432)"
)
_NETWORK = re.compile(r"[0-9A-Fa-f:.]+(/(0|[1-9][0-9]{0,2}))?")
_LIKE_A_NETWORK = re.compile(r".*[:/%].*|[0-9.]+")
_MAX_PORT = 65535
_BELOW = "*."


class EgressRuleError(ValueError):
    """A rule that cannot be read; its text says which one, what is wrong, and which form is needed.

    Attributes:
        side: The list that it is in, `allow` or `deny`; empty for a rule by itself.
    """

    def __init__(self, message: str, *, side: str = "") -> None:
        super().__init__(message)
        self.side = side


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, which reads back as it is written by `str`.

    Attributes:
        destination: A network; or a host, in ASCII, lower case and without a dot at its end; or `*.` and a domain,
            for all hosts below that.
        port: The only port that it is about; None for all.
    """

    destination: Network | str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Read a rule.

        Raises:
            EgressRuleError: It is none.
        """
        destination, port = _apart(text)
        return cls(_destination(destination), None if port is None else _port(port))

    def covers_address(self, address: Address, port: int) -> bool:
        """Tell whether the rule is about this address, by its network."""
        return self._is_for(port) and not isinstance(self.destination, str) and address in self.destination

    def covers_name(self, names: Collection[str], port: int) -> bool:
        """Tell whether the rule is about one of these names, in the spelling of `asked_name`."""
        if not isinstance(self.destination, str) or not self._is_for(port):
            return False
        if self.destination.startswith(_BELOW):
            return any(name.endswith(self.destination[1:]) for name in names)
        return self.destination in names

    def _is_for(self, port: int) -> bool:
        return self.port is None or self.port == port

    def __str__(self) -> str:
        text = str(self.destination)
        if self.port is None:
            return text
        return f"[{text}]:{self.port}" if isinstance(self.destination, IPv6Network) else f"{text}:{self.port}"


def asked_name(host: str) -> str:
    """Return a host in the spelling in which the name service is asked for it, without a dot at its end.

    It is what `socket.getaddrinfo` makes of it (IDNA 2003), so that no other spelling of a name gets past a rule.
    """
    try:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:  # no name service is ever asked for it
        name = host
    return name.lower().rstrip(".")


def _apart(text: str) -> tuple[str, str | None]:
    """Take a rule apart into destination and port; the colons of an IPv6 address are its own, unless in brackets."""
    if text.startswith("["):
        inside, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in inside or (rest and not rest.startswith(":")):
            raise EgressRuleError(f"brackets are for an IPv6 address with a port; {_FORM}")
        return inside, rest[1:] if rest else None
    if text.count(":") == 1:
        destination, _, port = text.partition(":")
        return destination, port
    return text, None


def _port(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text) or int(text) > _MAX_PORT:
        raise EgressRuleError(f"a port is a number from 1 to {_MAX_PORT}; {_FORM}")
    return int(text)


def _destination(text: str) -> Network | str:
    if _LIKE_A_NETWORK.fullmatch(text):
        return _network(text)
    name = text.removeprefix(_BELOW)
    try:
        host = check_host("" if _LIKE_A_NETWORK.fullmatch(name) else name.lower().removesuffix("."))
    except PydanticCustomError:
        raise EgressRuleError(f"this is no network, address or host; {_FORM}") from None
    return _BELOW + host if name != text else host


def _network(text: str) -> Network:
    try:
        network = ip_network(text if _NETWORK.fullmatch(text) else "", strict=False)
    except ValueError:
        raise EgressRuleError(f"this is no network or address; {_FORM}") from None
    if "/" in text and network.network_address != ip_address(text.partition("/")[0]):
        raise EgressRuleError(f"it has bits behind the length of its prefix; write {network}")
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        inner = IPv4Network((network.network_address.packed[12:], network.prefixlen - MAPPED.prefixlen))
        raise EgressRuleError(f"an IPv4 address inside an IPv6 one is judged as what it is; write {inner}")
    return network
