"""The three families that types derive from: databases, files and APIs."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from wellhead.model.connection_string import CONNECTION_STRING, Options, take_apart
from wellhead.model.fields import (
    CertificatePem,
    Encoding,
    FilePath,
    HeaderName,
    HeaderValue,
    Host,
    PlainHeaderName,
    Port,
    Url,
    UrlPath,
    field,
    is_header_value,
)
from wellhead.model.secret import Secret, SecretPem
from wellhead.model.source import DataSourceConfig

TlsMode = Literal["disable", "require", "verify-ca", "verify-full"]
"""How a connection is protected: not at all, encrypted, with the certificate checked, or with the server's name too."""
_WITH_TLS = {"tls_mode": ["require", "verify-ca", "verify-full"]}
_VERIFYING = {"tls_mode": ["verify-ca", "verify-full"]}


class DatabaseDataSource(DataSourceConfig):
    """A database that is reached over the network.

    On input it also takes `connection_string`, which is taken apart into the fields and never stored. A type says
    which schemes it reads (`connection_schemes`), and which keys of the query stand for which field
    (`connection_options`; with the field's values where they are written otherwise there).
    """

    connection_schemes: ClassVar[tuple[str, ...]] = ()
    connection_options: ClassVar[Options] = {}

    host: Host = field(description="Host name or IP address of the server.", examples=["db.example.com"], order=10)
    port: Port = field(description="TCP port of the server.", order=11)
    database: Annotated[str, Field(min_length=1, max_length=128)] = field(
        description="Name of the database.", examples=["sales"], order=12
    )
    username: Annotated[str, Field(min_length=1, max_length=128)] = field(
        description="User to log in as.", examples=["reader"], group="Login", order=20
    )
    password: Secret | None = field(None, description="Password of the user.", group="Login", order=21)
    tls_mode: TlsMode = field(
        "verify-full",
        description="How the connection is protected: not at all, encrypted, or encrypted with the server's "
        "certificate checked (verify-ca), its name too (verify-full).",
        title="TLS mode",
        group="TLS",
        order=30,
    )
    ca_certificate: CertificatePem | None = field(
        None,
        description="Certificates (PEM) of the authorities to trust; the system's if left out.",
        title="CA certificate",
        group="TLS",
        order=31,
        visible_when=_VERIFYING,
    )
    client_certificate: CertificatePem | None = field(
        None, description="Certificate (PEM) to show to the server.", group="TLS", order=32, visible_when=_WITH_TLS
    )
    client_key: SecretPem | None = field(
        None, description="Private key (PEM) of the client certificate.", group="TLS", order=33, visible_when=_WITH_TLS
    )

    @classmethod
    def expand_input(cls, document: dict[str, Any]) -> dict[str, Any]:
        """Take `connection_string` apart into the fields.

        Raises:
            ConnectionStringError: It cannot be taken apart, or a field of the document disagrees with it.
        """
        if CONNECTION_STRING not in document or not cls.connection_schemes:
            return document
        return take_apart(document, schemes=cls.connection_schemes, options=cls.connection_options)

    @model_validator(mode="after")
    def _check_client_certificate(self) -> Self:
        missing = None
        if self.client_certificate is not None and self.client_key is None:
            missing = "client_key"
        if self.client_key is not None and self.client_certificate is None:
            missing = "client_certificate"
        if missing:
            problem = InitErrorDetails(type="missing", loc=(missing,), input=None)
            raise ValidationError.from_exception_data(type(self).__name__, [problem], hide_input=True)
        return self


class FileDataSource(DataSourceConfig):
    """A file below the workspace, or below a root that the settings list."""

    path: FilePath = field(
        description="Path of the file, relative to the workspace; absolute only below a root of the settings.",
        examples=["data/sales.csv"],
        order=10,
    )
    format: str = field(description="Format of the file.", order=11)
    encoding: Encoding = field(
        "utf-8", description="Text encoding of the file.", examples=["utf-8", "windows-1252"], order=12
    )


AuthType = Literal["none", "basic", "bearer", "api_key", "oauth2_client_credentials"]
_Text = Annotated[str, Field(min_length=1, max_length=1000)]


def _for_auth(auth_type: AuthType, **keywords: Any) -> Any:
    return field(None, group="Login", required_when={"auth_type": auth_type}, **keywords)


class APIDataSource(DataSourceConfig):
    """A web API that is reached over HTTP."""

    url: Url = field(
        description="Base address of the API.", title="URL", examples=["https://api.example.com/v1"], order=10
    )
    method: Literal["GET", "HEAD"] = field("GET", description="Method of the request that checks the API.", order=11)
    health_path: Annotated[UrlPath, Field(max_length=1000)] | None = field(
        None, description="Path, below the base address, that the check asks for.", examples=["/health"], order=12
    )
    expected_status: Annotated[int, Field(ge=100, le=599)] = field(
        200, description="HTTP status that the check expects.", harmless=True, order=13
    )
    auth_type: AuthType = field("none", description="How to log in.", title="Authentication", group="Login", order=20)
    username: _Text | None = _for_auth("basic", description="User name for basic authentication.", order=21)
    password: Secret | None = _for_auth("basic", description="Password for basic authentication.", order=22)
    token: Secret | None = _for_auth("bearer", description="Token for bearer authentication.", order=23)
    api_key: Secret | None = _for_auth("api_key", description="The API key.", title="API key", order=24)
    api_key_header: HeaderName = field(
        "X-API-Key",
        description="Header that carries the API key.",
        title="API key header",
        group="Login",
        order=25,
        visible_when={"auth_type": "api_key"},
    )
    token_url: Url | None = _for_auth(
        "oauth2_client_credentials", description="Address that gives out tokens.", title="Token URL", order=26
    )
    client_id: _Text | None = _for_auth(
        "oauth2_client_credentials", description="OAuth 2.0 client id.", title="Client ID", order=27
    )
    client_secret: Secret | None = _for_auth(
        "oauth2_client_credentials", description="OAuth 2.0 client secret.", order=28
    )
    scope: _Text | None = field(
        None,
        description="OAuth 2.0 scopes, separated by spaces.",
        group="Login",
        order=29,
        visible_when={"auth_type": "oauth2_client_credentials"},
    )
    headers: Annotated[dict[PlainHeaderName, HeaderValue], Field(max_length=50)] = field(
        default_factory=dict,
        description="Headers to send with every request; secrets go into secret_headers.",
        examples=[{"Accept": "application/json"}],
        group="Headers",
        order=40,
    )
    secret_headers: Annotated[dict[HeaderName, Secret], Field(max_length=50)] = field(
        default_factory=dict, description="Headers whose values are secret.", group="Headers", order=41
    )

    @model_validator(mode="after")
    def _check_secret_headers(self) -> Self:
        sent: dict[tuple[str, ...], Secret | None] = {("token",): self.token, ("api_key",): self.api_key}
        sent |= {("secret_headers", name): secret for name, secret in self.secret_headers.items()}
        problems = [
            InitErrorDetails(type=PydanticCustomError("header_value", "header_value"), loc=path, input=None)
            for path, secret in sent.items()
            if secret is not None and secret.is_clear and not is_header_value(secret.reveal())
        ]
        if problems:
            raise ValidationError.from_exception_data(type(self).__name__, problems, hide_input=True)
        return self


FAMILIES: tuple[type[DataSourceConfig], ...] = (DatabaseDataSource, FileDataSource, APIDataSource)
