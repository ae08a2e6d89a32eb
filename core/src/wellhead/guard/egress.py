"""Which destinations may be dialled on a user's behalf: the egress policy, which only decides and dials nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from wellhead.guard.addresses import METADATA_NAMES, Address, is_never_dialled, is_public, meanings
from wellhead.guard.egress_rules import EgressRuleError, Rule, asked_name

__all__ = ["EgressPolicy", "EgressRuleError", "Rule"]


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """What may be dialled.

    Metadata services and link-local addresses never are. A destination that a rule denies is not either, whatever
    allows it.

    Attributes:
        allow: Rules for destinations that may be dialled although they are not public.
        deny: Rules for destinations that are not dialled.
        public_only: True where only public destinations, and those of `allow`, are dialled; where it is False,
            `allow` changes nothing.
    """

    allow: tuple[Rule, ...]
    deny: tuple[Rule, ...]
    public_only: bool

    @classmethod
    def parse(cls, allow: Iterable[str], deny: Iterable[str], *, public_only: bool) -> EgressPolicy:
        """Read a policy from its rules.

        Args:
            allow: Rules, each a network, an address, a host or `*.` and a domain, which a port may follow.
            deny: Rules of the same form.
            public_only: Whether only public destinations, and those of `allow`, are dialled.

        Raises:
            EgressRuleError: A rule cannot be read.
        """
        return cls(_rules("allow", allow), _rules("deny", deny), public_only)

    def permits_name(self, host: str, port: int) -> bool:
        """Tell whether a host may be looked up in order to dial it; what it has for addresses is judged afterwards."""
        return self._permits_names({asked_name(host)}, port)

    def permits(self, address: str, port: int, *, names: Iterable[str] = ()) -> bool:
        """Tell whether an address may be dialled.

        Args:
            address: The address that is really dialled; with or without a zone (RFC 4007).
            port: The port.
            names: The host names that were resolved to this address, which the rules for hosts are about.

        Returns:
            False also for what is no IP address, such as the path of a socket. An IPv6 address that has an IPv4
            address inside is permitted only if both are.
        """
        known = {asked_name(name) for name in names}
        try:
            dialled = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return self._permits_names(known, port) and all(
            self._permits_address(meaning, port, known) for meaning in meanings(dialled)
        )

    def as_document(self) -> dict[str, Any]:
        """Return the policy as JSON, from which another process can make it."""
        return {
            "allow": [str(rule) for rule in self.allow],
            "deny": [str(rule) for rule in self.deny],
            "public_only": self.public_only,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> EgressPolicy:
        """Make the policy that `as_document` has returned.

        Raises:
            EgressRuleError: A rule cannot be read.
            KeyError: The document lacks a member.
        """
        return cls.parse(document["allow"], document["deny"], public_only=document["public_only"])

    def _permits_names(self, names: set[str], port: int) -> bool:
        return names.isdisjoint(METADATA_NAMES) and not any(rule.covers_name(names, port) for rule in self.deny)

    def _permits_address(self, address: Address, port: int, names: set[str]) -> bool:
        if is_never_dialled(address) or any(rule.covers_address(address, port) for rule in self.deny):
            return False
        if not self.public_only or is_public(address):
            return True
        return any(rule.covers_address(address, port) or rule.covers_name(names, port) for rule in self.allow)


def _rules(side: str, texts: Iterable[str]) -> tuple[Rule, ...]:
    """Read the rules of one list.

    Raises:
        EgressRuleError: One cannot be read.
    """
    found = []
    for position, text in enumerate(texts, start=1):
        try:
            found.append(Rule.parse(text))
        except EgressRuleError as error:
            raise EgressRuleError(f"rule {position} of {side}, {text!r}: {error}.", side=side) from None
    return tuple(found)
