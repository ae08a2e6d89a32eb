"""What a validator meets in the kit: servers and files that nobody wants to meet, and the documents that lead there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from wellhead.model.result import ValidationStatus
from wellhead.plugins.registry import RegisteredType
from wellhead.testing import certificates, servers
from wellhead.testing.kit.samples import Document, completed, examples_of
from wellhead.testing.servers import RunningServer, scripts

SHORT, LONG = 1.0, 4.0
"""Seconds that a validation may take: where it can only wait, and where it should end by itself."""
_HUGE = 8 << 30


@dataclass(frozen=True, slots=True)
class Rogue:
    """Something that a validator meets.

    Attributes:
        what: What it is, in words.
        may_end_as: How a validation of it may end.
        seconds: How long it may take.
    """

    what: str
    may_end_as: frozenset[ValidationStatus]
    seconds: float


@dataclass(frozen=True, slots=True)
class RogueServer(Rogue):
    """A server.

    Attributes:
        start: Starts it.
    """

    start: Callable[[], AbstractContextManager[RunningServer]]


@dataclass(frozen=True, slots=True)
class RogueFile(Rogue):
    """A file.

    Attributes:
        make: Makes it at a path.
    """

    make: Callable[[Path], object]


def _write_huge(path: Path) -> None:
    """Make a file that is long and takes no room."""
    with path.open("wb") as file:
        file.truncate(_HUGE)


_FAILED: frozenset[ValidationStatus] = frozenset(("failed",))
_NOT_WELL: frozenset[ValidationStatus] = frozenset(("failed", "timeout"))
_ENDED: frozenset[ValidationStatus] = frozenset(("passed", "warning", "failed"))
_ENDLESS = scripts.endless(b"", b"x" * 1024, wait_first=False)

SERVERS = (
    RogueServer("a server that says nothing", _NOT_WELL, SHORT, servers.silent),
    RogueServer("a server that closes connections", _FAILED, LONG, servers.closing),
    RogueServer("a server that talks without end", _NOT_WELL, LONG, partial(servers.serve, _ENDLESS)),
)
SERVERS_WITH_TLS = (
    RogueServer("a TLS server that says nothing", _NOT_WELL, SHORT, partial(servers.tls, script=scripts.silent)),
    RogueServer("a TLS server that closes connections", _FAILED, LONG, partial(servers.tls, script=scripts.closing)),
    RogueServer("a TLS server that talks without end", _NOT_WELL, LONG, partial(servers.tls, script=_ENDLESS)),
)
FILES = (
    RogueFile("a file that is not there", _FAILED, LONG, lambda _: None),
    RogueFile("an empty file", _ENDED, LONG, lambda path: path.write_bytes(b"")),
    RogueFile("a file of random bytes", _ENDED, LONG, lambda path: path.write_bytes(bytes(range(256)) * 64)),
    RogueFile("a file of 8 GiB", _ENDED | _NOT_WELL, LONG, _write_huge),
)


def rogues_for(known: RegisteredType) -> Iterator[Rogue]:
    """Go through what the validator of a type can be led to."""
    names = known.model.model_fields.keys()
    if leads_to_servers(known):
        yield from SERVERS
        # A type with `tls_mode` begins TLS in a way of its protocol: to it, such a server is one that says nothing.
        yield from SERVERS_WITH_TLS if "ca_certificate" in names and "tls_mode" not in names else ()
    elif "path" in names:
        yield from FILES


def document_for_server(known: RegisteredType, server: RunningServer) -> Document | None:
    """Lead the first example of a type to a server; None where it cannot be."""
    names = known.model.model_fields.keys()
    scheme = "http" if server.ca_certificate is None else "https"
    there = dict.fromkeys(urls_of(known), f"{scheme}://{server.host}:{server.port}/")
    if {"host", "port"} <= names:
        there |= {"host": server.host, "port": server.port}  # type: ignore[dict-item]  # values of several types
    for example in examples_of(known)[:1]:
        plain = {name: value for name, value in example.items() if name not in {"tls_mode", "ca_certificate"}}
        if "tls_mode" in names:
            there["tls_mode"] = "disable" if server.ca_certificate is None else "verify-full"
        if server.ca_certificate is not None:
            there["ca_certificate"] = server.ca_certificate
        return completed(known, {**plain, **there})
    return None


def document_for_file(known: RegisteredType, stem: str) -> Document | None:
    """Lead the first example of a type to a file, whose name ends as that of the example."""
    for example in examples_of(known)[:1]:
        suffix = "".join(PurePosixPath(str(example.get("path", ""))).suffixes)
        return completed(known, {**example, "path": f"{stem}{suffix}"})
    return None


def leads_to_servers(known: RegisteredType) -> bool:
    """Tell whether a type has the address of a server."""
    return {"host", "port"} <= known.model.model_fields.keys() or bool(urls_of(known))


def urls_of(known: RegisteredType) -> list[str]:
    """Return the fields that are addresses, and are required: where the validator goes first."""
    return [item["name"] for item in known.parameters if item.get("format") == "uri" and item["required"]]


def prepare() -> None:
    """Make the certificates that all servers share: it takes a moment, and no validation's time."""
    certificates.make_certificates()
