"""The syntax of addresses: hosts and URLs in the one spelling that all programs read alike."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote_plus, urlsplit

import idna
from pydantic_core import PydanticCustomError

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
_MAX_HOST = 253
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@]+)(:[0-9]{1,5})?")
_SECRET_QUERY = re.compile(
    r".*(api[-_]?key|access[-_]?key|token|secret|passw|pwd|credential|signature).*|key|sig|auth",
    re.IGNORECASE | re.DOTALL,
)


def check_host(host: str) -> str:
    """Check a host and bring it into its one spelling: lower case, IDNA as A-labels (RFC 5891), addresses canonical.

    Underscores are accepted, because names inside container networks have them.

    Raises:
        PydanticCustomError: `host_syntax`.
    """
    error = PydanticCustomError("host_syntax", "This is not a host name or an IP address.")
    if len(host) > _MAX_HOST:
        raise error
    try:
        return str(ipaddress.ip_address(host if "%" not in host else ""))
    except ValueError:
        pass
    try:
        name = host if host.isascii() else idna.encode(host).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise error from None
    labels = name.split(".")
    # A last label of digits, or 0x and digits, is an address in a spelling that resolvers disagree about.
    numeric = re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]*", labels[-1])
    if len(name) > _MAX_HOST or numeric or not all(_LABEL.fullmatch(label) for label in labels):
        raise error
    return name.lower()


def check_url(url: str) -> str:
    """Check an http or https address that is stored and shown in clear.

    Raises:
        PydanticCustomError: `url_syntax`, or `credentials_in_url` where it holds a user name or a known key.
    """
    error = PydanticCustomError("url_syntax", "This is not a plain http or https address.")
    if not re.fullmatch(r"https?://[\x21-\x7e]{1,2000}", url) or "\\" in url or "#" in url:
        raise error
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise error from None
    if "@" in parts.netloc or _has_secret_key(parts.query):
        raise _credentials()
    if not _AUTHORITY.fullmatch(parts.netloc) or not host or port == 0:
        raise error
    try:
        check_host(host)
    except PydanticCustomError:
        raise error from None
    return url


def check_url_path(path: str) -> str:
    """Check a path that is put behind an address: it stays on that server, and is shown in clear.

    Raises:
        PydanticCustomError: `url_syntax`, or `credentials_in_url` where it holds a known key.
    """
    if not re.fullmatch(r"/(?!/)[\x21-\x7e]*", path) or "\\" in path or "#" in path:
        raise PydanticCustomError("url_syntax", "This is not a plain path.")
    if _has_secret_key(path.partition("?")[2]):
        raise _credentials()
    return path


def _has_secret_key(query: str) -> bool:
    """Tell whether a query has a key that usually goes with a secret; some programs take `;` for `&`."""
    keys = [unquote_plus(pair.partition("=")[0]) for pair in re.split("[&;]", query)]
    return any(_SECRET_QUERY.fullmatch(key) for key in keys)


def _credentials() -> PydanticCustomError:
    return PydanticCustomError("credentials_in_url", "The address holds a user name, a password or a key.")
