"""Which service speaks."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wellhead.guard.services import QUESTION, TLS, recognise

NAMES = {"AMQP", "FTP", "HTTP", "IMAP", "Memcached", "MySQL", "MySQL's X Protocol", "POP3", "PostgreSQL", "RTSP",
         "Redis", "SMTP", "SMTP or FTP", "SSH", TLS, "VNC", "rsync"}  # fmt: skip


@pytest.mark.parametrize(
    ("first", "name"),
    [
        (b"\x4a\0\0\0\x0a8.0.36\0\x0b\0\0\0", "MySQL"),
        (b"\x59\0\0\0\x0a5.5.5-10.11.6-MariaDB-0+deb12u1\0", "MySQL"),
        (b"\x20\0\0\0\x093.23.58\0", "MySQL"),
        (b"\x45\0\0\0\xff\x6a\x04Host '192.0.2.7' is not allowed to connect", "MySQL"),
        (b"\x05\0\0\0\x0b\x08\x05\x1a\0", "MySQL's X Protocol"),
        (b"E\0\0\0\x5fSFATAL\0VFATAL\0C28000\0", "PostgreSQL"),
        (b"R\0\0\0\x08\0\0\0\x03", "PostgreSQL"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7\r\n", "SSH"),
        (b"220 mail.example.com ESMTP Postfix\r\n", "SMTP"),
        (b"220-FileZilla Server 1.8.2\r\n220 FTP\r\n", "FTP"),
        (b"220 (vsFTPd 3.0.5)\r\n", "FTP"),
        (b"220 welcome\r\n", "SMTP or FTP"),
        (b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n", "IMAP"),
        (b"+OK Dovecot ready.\r\n", "POP3"),
        (b"HTTP/1.1 400 Bad Request\r\n", "HTTP"),
        (b"HTTP/1.0 200 OK\r\n", "HTTP"),
        (b"+OK\r\n", "Redis"),
        (b"+PONG\r\n", "Redis"),
        (b"-ERR unknown command\r\n", "Redis"),
        (b"-NOAUTH Authentication required.\r\n", "Redis"),
        (b"-DENIED Redis is running in protected mode\r\n", "Redis"),
        (b"\x15\x03\x01\0\x02\x02\x46", TLS),
        (b"\x16\x03\x03\0\x7a\x02\0\0\x76", TLS),
        (b"AMQP\0\0\x09\x01", "AMQP"),
        (b"RFB 003.008\n", "VNC"),
        (b"ERROR\r\n", "Memcached"),
        (b"@RSYNCD: 31.0\n", "rsync"),
        (b"RTSP/1.0 400 Bad Request\r\n", "RTSP"),
    ],
)
def test_a_service_is_recognised_by_what_it_says_first(first: bytes, name: str) -> None:
    assert recognise(first) == name
    assert name in NAMES


@pytest.mark.parametrize(
    "first",
    [b"", b"S", b"N", b"\0", b"220", b"SSH", b"HTTP", b"Hello", b"\0\0\x12\x04\0\0\0\0\0", b"\x15", b"\x4a\0\0\0\x0a"],
)
def test_what_is_not_sure_is_not_recognised(first: bytes) -> None:
    assert recognise(first) is None


@pytest.mark.parametrize("answer", [b"S", b"N"])
def test_yes_and_no_are_postgresqls_where_it_was_asked(answer: bytes) -> None:
    assert recognise(answer, asked=True) == "PostgreSQL"
    assert QUESTION.startswith(b"\0\0\0\x08")


@given(st.binary(max_size=300), st.booleans())
@example(b"\x03\0\0\0\xff", False)
def test_N_18_whatever_a_server_says_only_a_name_of_ours_comes_out(first: bytes, asked: bool) -> None:
    assert recognise(first, asked=asked) in NAMES | {None}
