"""Servers for tests: some that behave well, and rogue ones that a validator must withstand.

    with testing.servers.silent() as server:
        result = workspace.validate(…)  # of a data source at `server.host` and `server.port`
    assert b"the password" not in server.received

Each runs in a thread with an event loop of its own, on a free port of this machine, until the `with` block ends. No
connection lasts longer than 60 seconds, and none that seems endless brings more than 64 MiB.
"""

from __future__ import annotations

from wellhead.testing.servers import scripts
from wellhead.testing.servers.databases import (
    MYSQL_UPGRADE,
    POSTGRES_UPGRADE,
    mysql_greeting,
    mysql_packet,
    mysql_wanting_clear_password,
    mysql_without_tls,
    postgres_wanting_clear_password,
    postgres_without_tls,
)
from wellhead.testing.servers.encrypted import (
    closing_in_handshake,
    expired,
    expiring_soon,
    old_tls,
    self_signed,
    stalling_in_handshake,
    tls,
    wrong_name,
)
from wellhead.testing.servers.recording import RecordingServer, recording, replaying
from wellhead.testing.servers.rogue import closing, dripping, echoing, endless, resetting, silent
from wellhead.testing.servers.running import RunningServer, Script, Upgrade, serve, server_context
from wellhead.testing.servers.scripts import Turn
from wellhead.testing.servers.web import (
    Answer,
    HttpServer,
    Request,
    http,
    http_bomb,
    http_redirecting,
    http_with_endless_body,
    http_with_endless_headers,
    http_with_endless_interim_answers,
)

__all__ = [
    "MYSQL_UPGRADE",
    "POSTGRES_UPGRADE",
    "Answer",
    "HttpServer",
    "RecordingServer",
    "Request",
    "RunningServer",
    "Script",
    "Turn",
    "Upgrade",
    "closing",
    "closing_in_handshake",
    "dripping",
    "echoing",
    "endless",
    "expired",
    "expiring_soon",
    "http",
    "http_bomb",
    "http_redirecting",
    "http_with_endless_body",
    "http_with_endless_headers",
    "http_with_endless_interim_answers",
    "mysql_greeting",
    "mysql_packet",
    "mysql_wanting_clear_password",
    "mysql_without_tls",
    "old_tls",
    "postgres_wanting_clear_password",
    "postgres_without_tls",
    "recording",
    "replaying",
    "resetting",
    "scripts",
    "self_signed",
    "serve",
    "server_context",
    "silent",
    "stalling_in_handshake",
    "tls",
    "wrong_name",
]
