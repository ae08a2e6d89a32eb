"""`field`, by which an author describes a field once, and the field types that core knows."""

from __future__ import annotations

import codecs
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

import idna
from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError, PydanticUndefined

from wellhead.model.markers import HARMLESS_KEY, MultiLine

Condition = Mapping[str, str | int | bool | Sequence[str | int | bool]]
"""Other fields' names, each with the value, or the values, that it must have."""

VISIBLE_KEY = "x-visible-when"
REQUIRED_KEY = "x-required-when"

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_CONNECTION_HEADERS = frozenset(
    "connection content-length expect host http2-settings keep-alive proxy-connection te trailer transfer-encoding "
    "upgrade accept-encoding".split()
)
_SECRET_HEADERS = re.compile(r"authorization|proxy-authorization|cookie|.*(api-?key|token|secret|password).*", re.I)
_SECRET_QUERY = re.compile(
    r".*(api[-_]?key|access[-_]?key|token|secret|passw|pwd|credential|signature).*|key|sig|auth", re.I
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_BINARY_CODECS = frozenset({"undefined", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"})


def field(
    default: Any = PydanticUndefined,
    *,
    default_factory: Callable[[], Any] | None = None,
    description: str | None = None,
    title: str | None = None,
    group: str | None = None,
    order: int | None = None,
    placeholder: str | None = None,
    examples: Sequence[Any] | None = None,
    harmless: bool = False,
    visible_when: Condition | None = None,
    required_when: Condition | None = None,
    **constraints: Any,
) -> Any:
    """Describe one field of a type, once for the API, its schema, the command line and the forms.

    Args:
        default: The value if none is sent; a field without one is required.
        default_factory: Makes the default, where it is a map or a list.
        description: One sentence for people who fill it in.
        title: A short name for forms; made from the field's name if left out.
        group: The heading under which forms show it.
        order: Its place among the fields, smaller first; as written if left out.
        placeholder: What an empty form field shows.
        examples: Values that are valid.
        harmless: The field has no say in where secrets go, so a change of it does not ask for them anew.
        visible_when: The field applies only while other fields have these values: `{"auth_type": "basic"}`, or
            `{"tls_mode": ["verify-ca", "verify-full"]}`. Else it must keep its default.
        required_when: As `visible_when`, and then the field is required.
        **constraints: What `pydantic.Field` takes: `ge`, `le`, `min_length`, `max_length`, `pattern` …

    Returns:
        A pydantic field.
    """
    shown = {
        "x-group": group,
        "x-order": order,
        "x-placeholder": placeholder,
        HARMLESS_KEY: harmless or None,
        VISIBLE_KEY: _lists(visible_when or required_when),
        REQUIRED_KEY: _lists(required_when),
    }
    given = {"default": default} if default_factory is None else {"default_factory": default_factory}
    return Field(
        **given,
        description=description,
        title=title,
        examples=None if examples is None else list(examples),
        json_schema_extra={key: value for key, value in shown.items() if value is not None},
        **constraints,
    )


def _lists(condition: Condition | None) -> dict[str, list[Any]] | None:
    """Write a condition with lists only."""
    if condition is None:
        return None
    return {name: [value] if isinstance(value, str | int) else list(value) for name, value in condition.items()}


def check_host(host: str) -> str:
    """Check a host and bring it into its one spelling: lower case, IDNA as A-labels (RFC 5891), addresses canonical.

    Underscores are accepted, because names inside container networks have them.

    Raises:
        PydanticCustomError: `host_syntax`.
    """
    error = PydanticCustomError("host_syntax", "This is not a host name or an IP address.")
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
    if len(name) > 253 or numeric or not all(_LABEL.fullmatch(label) for label in labels):
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
        port = parts.port
    except ValueError:
        raise error from None
    query_keys = [key for key, _ in parse_qsl(parts.query, keep_blank_values=True)]
    if "@" in parts.netloc or any(_SECRET_QUERY.fullmatch(key) for key in query_keys):
        raise PydanticCustomError("credentials_in_url", "The address holds a user name, a password or a key.")
    if not parts.hostname or port == 0 or parts.netloc.endswith(":"):
        raise error
    try:
        check_host(parts.hostname)
    except PydanticCustomError:
        raise error from None
    return url


def check_path(path: str) -> str:
    """Check the path of a file: plain components only, none of them hidden or `..`.

    Raises:
        PydanticCustomError: `path_syntax`.
    """
    parts = path.removeprefix("/").split("/")
    plain = all(part and not part.startswith(".") and not part.startswith("~") for part in parts)
    if len(path) > 1024 or not plain or "\\" in path or _SCHEME.match(path):
        raise PydanticCustomError("path_syntax", "This path cannot be used.")
    return path


def check_header_name(name: str) -> str:
    """Check a header's name: a token (RFC 9110, 5.1) that does not steer the connection itself.

    Raises:
        PydanticCustomError: `header_name`.
    """
    if not _TOKEN.fullmatch(name) or name.lower() in _CONNECTION_HEADERS:
        raise PydanticCustomError("header_name", "This is not a header name that can be set.")
    return name


def check_plain_header_name(name: str) -> str:
    """Check the name of a header whose value is shown to everyone who may read the data source.

    Raises:
        PydanticCustomError: `header_name`, or `secret_header` where such a header usually holds a secret.
    """
    if _SECRET_HEADERS.fullmatch(check_header_name(name)):
        raise PydanticCustomError("secret_header", "A header that usually holds a secret is among the plain ones.")
    return name


def is_header_value(value: str) -> bool:
    """Tell whether a header can have this value."""
    return len(value) <= 4096 and _HEADER_VALUE.fullmatch(value) is not None  # noqa: PLR2004  # as in the schema


def check_header_value(value: str) -> str:
    """Check a header's value: visible ASCII and inner spaces.

    Raises:
        PydanticCustomError: `header_value`.
    """
    if not is_header_value(value):
        raise PydanticCustomError("header_value", "This header value cannot be sent.")
    return value


def check_encoding(name: str) -> str:
    """Check the name of a text encoding, as Python's codecs know it.

    Raises:
        PydanticCustomError: `unknown_encoding`.
    """
    try:
        codec = codecs.lookup(name)
        "".encode(name)
    except (LookupError, ValueError, UnicodeError):
        codec = None
    if codec is None or codec.name in _BINARY_CODECS:
        raise PydanticCustomError("unknown_encoding", "No text encoding has this name.")
    return name


def _check_certificate(text: str) -> str:
    blocks = re.findall(r"-----BEGIN ([A-Z ]+)-----[\s\S]+?-----END \1-----", text)
    if not blocks or any(kind not in {"CERTIFICATE", "TRUSTED CERTIFICATE"} for kind in blocks):
        raise PydanticCustomError("pem_syntax", "This is not a certificate in PEM form.")
    return text


def _schema(**keywords: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **keywords})


Host = Annotated[str, AfterValidator(check_host), _schema(minLength=1, maxLength=253, format="hostname")]
"""A host name or an IP address, in one canonical spelling."""

Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP port, 1 to 65535."""

Url = Annotated[str, AfterValidator(check_url), _schema(maxLength=2000, format="uri", pattern="^https?://")]
"""An http or https address without credentials or fragment (RFC 3986)."""

FilePath = Annotated[str, AfterValidator(check_path), _schema(minLength=1, maxLength=1024)]
"""The path of a file, relative to the workspace, or absolute below a root that the settings list."""

HeaderName = Annotated[str, AfterValidator(check_header_name), _schema(minLength=1, maxLength=100)]
"""The name of a request header (RFC 9110)."""

PlainHeaderName = Annotated[str, AfterValidator(check_plain_header_name), _schema(minLength=1, maxLength=100)]
"""The name of a request header whose value is no secret."""

HeaderValue = Annotated[str, AfterValidator(check_header_value), _schema(minLength=1, maxLength=4096)]
"""The value of a request header: visible ASCII and inner spaces."""

Encoding = Annotated[str, AfterValidator(check_encoding), _schema(minLength=1, maxLength=40)]
"""The name of a text encoding, such as `utf-8` or `windows-1252`."""

CertificatePem = Annotated[str, MultiLine(), AfterValidator(_check_certificate), _schema(maxLength=32768)]
"""One or more certificates in PEM form (RFC 7468)."""
