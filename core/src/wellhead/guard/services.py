"""Which well-known service speaks: recognised by its first bytes, told by a name of our own, never by its words."""

from __future__ import annotations

QUESTION = b"\x00\x00\x00\x08\x04\xd2\x16\x2f\r\n\r\n"
"""Asks a silent server who it is: to PostgreSQL a request for TLS, to HTTP a damaged line that it complains of."""

TLS = "TLS"

_BEGINNINGS = {
    b"SSH-": "SSH",
    b"HTTP/": "HTTP",
    b"RTSP/": "RTSP",
    b"* OK": "IMAP",
    b"* PREAUTH": "IMAP",
    b"* BYE": "IMAP",
    b"+OK ": "POP3",
    b"+OK\r\n": "Redis",
    b"+PONG\r\n": "Redis",
    b"-ERR": "Redis",
    b"-NOAUTH": "Redis",
    b"-DENIED": "Redis",
    b"AMQP": "AMQP",
    b"RFB 0": "VNC",
    b"@RSYNCD:": "rsync",
    b"ERROR\r\n": "Memcached",
    b"\x05\x00\x00\x00\x0b": "MySQL's X Protocol",
    b"R\x00\x00\x00\x08\x00\x00\x00": "PostgreSQL",
}
_TLS_RECORDS = range(0x14, 0x18)
_MYSQL_PROTOCOLS = (9, 10)
_MYSQL_ERROR = 0xFF
_LONGEST_COMPLAINT = 1024


def recognise(first: bytes, *, asked: bool = False) -> str | None:
    """Tell which service sends these bytes first.

    Args:
        first: What a server sent first, or answered to the client's first message.
        asked: It was an answer to `QUESTION`.

    Returns:
        A name from a fixed list, such as `MySQL`; None for what is not recognised.
    """
    for beginning, name in _BEGINNINGS.items():
        if first.startswith(beginning):
            return name
    if asked and first in {b"S", b"N"}:
        return "PostgreSQL"
    for is_it, name in ((_is_mysql, "MySQL"), (_is_postgres, "PostgreSQL"), (_is_tls, TLS)):
        if is_it(first):
            return name
    return _greeter(first)


def _is_mysql(first: bytes) -> bool:
    """Look for a greeting, or an error in its place (MySQL documentation, Protocol::Handshake, ERR_Packet)."""
    length, kind = int.from_bytes(first[:3], "little"), first[4:5]
    if first[3:4] != b"\0" or not kind:
        return False
    if kind[0] == _MYSQL_ERROR:
        return length < _LONGEST_COMPLAINT
    return kind[0] in _MYSQL_PROTOCOLS and first[5:6].isdigit()


def _is_postgres(first: bytes) -> bool:
    """Look for an error, which begins with its severity (PostgreSQL documentation, 55.7)."""
    return first[:2] == b"E\0" and first[5:7] in {b"SF", b"SE", b"SP"}


def _is_tls(first: bytes) -> bool:
    """Look for the head of a record (RFC 8446, 5.1)."""
    return len(first) > 1 and first[0] in _TLS_RECORDS and first[1] == 3  # noqa: PLR2004  # the version of all since SSL 3


def _greeter(first: bytes) -> str | None:
    """Tell apart what greets with the status 220 (RFC 5321, RFC 959)."""
    if first[:4] not in {b"220 ", b"220-"}:
        return None
    words = first.upper()
    if b"FTP" in words:
        return "FTP"
    return "SMTP" if b"SMTP" in words else "SMTP or FTP"
