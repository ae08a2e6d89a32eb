"""The rule that a validator keeps secrets: it is run in this process, and heard as it is.

The service takes secrets out of what a validator says, and lets what it prints go nowhere; here neither is done.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from wellhead import logs
from wellhead.catalog.documents import read_new
from wellhead.guard.egress import EgressPolicy
from wellhead.guard.enforcement import Refusals, refusals
from wellhead.guard.files import FileGuard
from wellhead.model.source import DataSourceConfig
from wellhead.plugins.registry import RegisteredType
from wellhead.testing import servers
from wellhead.testing.kit.canaries import is_in
from wellhead.testing.kit.outcomes import Finding
from wellhead.testing.kit.rogues import document_for_file, document_for_server, leads_to_servers, urls_of
from wellhead.testing.kit.samples import Document, Secretive, problems_of, with_canaries
from wellhead.testing.kit.subject import SkippedError, Subject
from wellhead.testing.servers import Answer, Request, RunningServer
from wellhead.validation.inside.context import RunContext
from wellhead.validation.inside.steps import Reports
from wellhead.validation.inside.worker import run_validator
from wellhead.validation.wording import Wording

SECONDS = 2.0


def check_validators(subject: Subject) -> Iterator[Finding]:
    """Validate documents with a secret like no other text, and look for it in all that the validators say.

    Raises:
        SkippedError: No type has a secret.
    """
    secretive = [(known, found) for known in subject.types if known.validator for found in with_canaries(known)]
    if not secretive:
        raise SkippedError("No type with a validator has a secret.")
    for known, found in secretive:
        subject.say(f"{known.name}.{found.place}")
        leaks = {where for where, text in _said(subject, known, found) if is_in(found.needle, text)}
        yield from (Finding(f"{known.name}.{found.place} is in {where}.") for where in sorted(leaks))


def _said(subject: Subject, known: RegisteredType, found: Secretive) -> Iterator[tuple[str, str]]:
    if leads_to_servers(known):
        for start in _servers_for(known):
            with start() as server:
                yield from _heard(subject, known, _led(known, found, document_for_server(known, server)))
    else:
        yield from _heard(subject, known, _led(known, found, document_for_file(known, "missing")))


def _servers_for(known: RegisteredType) -> Iterator[Callable[[], AbstractContextManager[RunningServer]]]:
    """Return servers that repeat what they are sent."""
    yield partial(servers.serve, _greet_and_echo)
    if "ca_certificate" in known.model.model_fields and "tls_mode" not in known.model.model_fields:
        yield partial(servers.tls, script=_greet_and_echo)
    if urls_of(known):
        yield partial(servers.http, _reflect)


async def _greet_and_echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say that all is well, as servers do that speak first, and then repeat what comes."""
    writer.write(b"+OK ready\r\n")
    await servers.scripts.echoing(reader, writer)


def _reflect(request: Request) -> Answer:
    return Answer({"error": f"{request.headers} {request.target} {request.body!r}"}, 401)


def _led(known: RegisteredType, found: Secretive, there: Document | None) -> Document:
    """Take what leads somewhere from one document, and the rest, with the secret, from the other."""
    leading = {"host", "port", "path", "ca_certificate", *urls_of(known)}
    target = {name: value for name, value in (there or {}).items() if name in leading}
    in_clear = {"tls_mode": "disable"} if "tls_mode" in known.model.model_fields else {}
    plain = {**found.document, **target, **in_clear}
    return plain if not problems_of(known, plain) else {**found.document, **target}


def _heard(subject: Subject, known: RegisteredType, document: Document) -> Iterator[tuple[str, str]]:
    """Run a validator once, and return all that it said, each with what that is."""
    config = read_new(known.shape, {**document, "name": "overheard"})
    said: list[dict[str, Any]] = []
    with _listening(subject.scratch) as (output, log), closing(FileGuard(subject.scratch)) as files:
        asyncio.run(_run(known, config, files, said))
    yield "a check of the result", json.dumps([item for item in said if "name" in item], ensure_ascii=False)
    yield "the details of the result", json.dumps([item for item in said if "fact" in item], ensure_ascii=False)
    yield "what the validator prints", output.read_text(encoding="utf-8", errors="replace")
    yield "what the validator logs", log.getvalue()


async def _run(known: RegisteredType, config: DataSourceConfig, files: FileGuard, said: list[dict[str, Any]]) -> None:
    refusals.set(Refusals())
    context = RunContext(
        files=files,
        policy=EgressPolicy.parse((), (), public_only=False),
        wording=Wording((), fields=known.model.model_fields, codes=known.codes),  # it knows no secret to take out
        errors=known.errors,
        deadline=time.monotonic() + SECONDS,
        reports=Reports(
            check=lambda check: said.append(check.as_document()),
            fact=lambda name, value: said.append({"fact": name, "value": value}),
        ),
    )
    with suppress(Exception):  # whatever a validator raises is never shown: what it means is a code
        async with asyncio.timeout(SECONDS):
            await run_validator(known.validator, config, context)
    context.close()


@contextmanager
def _listening(scratch: Path) -> Iterator[tuple[Path, io.StringIO]]:
    """Let what is printed go to a file, and what is logged, at any level, to a text."""
    logs.configure("debug")
    log = io.StringIO()
    handler, root = logging.StreamHandler(log), logging.getLogger()
    kept = [os.dup(standard) for standard in (1, 2)]
    with tempfile.NamedTemporaryFile(dir=scratch, delete=False) as file:
        for standard in (1, 2):
            os.dup2(file.fileno(), standard)
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            yield Path(file.name), log
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for standard, descriptor in zip((1, 2), kept, strict=True):
                os.dup2(descriptor, standard)
                os.close(descriptor)
            logs.configure("error")
