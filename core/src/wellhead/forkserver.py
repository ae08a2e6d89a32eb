"""The program that workers are forked from: `python -c "from wellhead.forkserver import main; main(3)"`.

It ties the server to the plugins, as `assembly` does for the service. It knows no settings, no store and no key.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from wellhead.guard.egress import EgressPolicy
from wellhead.plugins.origin import load_type
from wellhead.validation.inside.forkserver import ForkServer, Rules
from wellhead.validation.inside.worker import work
from wellhead.validation.wire import Message


def main(descriptor: int) -> None:
    """Serve the service at the other end of a socket, until it closes it.

    Args:
        descriptor: The socket.
    """
    ForkServer(socket.socket(fileno=descriptor), read_rules=_rules, load=load_type, work=work).run()


def _rules(document: Message) -> Rules:
    hidden = tuple(Path(path) for path in document["hidden"])
    paths = [Path(path).absolute() for path in {*sys.path, sys.prefix, sys.base_prefix, sys.exec_prefix} if path]
    readable = [str(path) for path in paths if not any(secret.is_relative_to(path) for secret in hidden)]
    policy, texts = EgressPolicy.from_document(document["egress"]), document.get("texts", False)
    return Rules(policy, hidden, document["memory"], tuple(readable), texts)
