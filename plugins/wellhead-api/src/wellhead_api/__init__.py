"""Data sources behind REST APIs: type `api`."""

from __future__ import annotations

import base64
from typing import Literal, Self
from urllib.parse import quote_plus, urlencode

from pydantic import model_validator
from pydantic_core import PydanticCustomError

import wellhead
from wellhead_api.answers import WELL_KNOWN, judge_content, judge_status, token_of

DEFAULT_HEADERS = {
    "Accept": "application/json, */*;q=0.5",
    "Accept-Encoding": "identity",
    "User-Agent": "wellhead",
}
ERRORS = {
    "ServerTimeoutError": "connection_timeout",
    "ServerDisconnectedError": "connection_lost",
    "ClientConnectionResetError": "connection_lost",
    "ClientPayloadError": "connection_lost",
    "ClientResponseError": "protocol_error",
    "InvalidURL": "protocol_error",
}
"""What aiohttp's exceptions mean. Its `ClientOSError` is not here: the error of the system in it says more."""


class ApiDataSource(wellhead.APIDataSource):
    """A REST API."""

    type: Literal["api"] = "api"
    expected_json: bool = wellhead.field(
        False, description="Whether the answer has to be JSON.", title="Expected JSON", harmless=True, order=14
    )
    ca_certificate: wellhead.CertificatePem | None = wellhead.field(
        None,
        description="Certificates (PEM) of the authorities to trust; the system's if left out.",
        title="CA certificate",
        group="TLS",
        order=50,
    )

    @model_validator(mode="after")
    def _check_that_headers_differ(self) -> Self:
        login = {"none": [], "api_key": [self.api_key_header]}.get(self.auth_type, ["Authorization"])
        names = [name.lower() for name in (*self.headers, *self.secret_headers, *login)]
        if len(set(names)) < len(names):
            raise PydanticCustomError("header_repeated", "A header is set more than once.")
        return self


class ApiValidator(wellhead.Validator[ApiDataSource]):
    """Connect, get a token where one is needed, send a request, and look at the answer."""

    steps = ("resolve", "connect", "tls", "request", "response")

    async def validate(self, config: ApiDataSource, context: wellhead.ValidationContext) -> None:
        """Go through the steps of a request, each a check of its own."""
        from wellhead_api import exchange, reaching  # noqa: PLC0415  # the driver is imported when it is needed

        url = exchange.address_of(config.url, config.health_path)
        stream = await reaching.dial(url, context, fields=["/url"])
        if url.scheme == "https":
            async with context.check("tls", fields=["/url", "/ca_certificate"]):
                tls = context.verifying_tls(ca_certificate=config.ca_certificate)
                await reaching.start_tls(stream, tls, url)
                context.detail("tls_version", stream.tls_version)
                context.detail("certificate_days_left", stream.certificate_days_left)
        token = await self._get_token(config, context) if config.auth_type == "oauth2_client_credentials" else ""
        async with context.check("request", fields=["/url"]):
            if url.scheme == "http" and (config.auth_type != "none" or config.secret_headers):
                context.warn("secrets_unencrypted")
            try:
                answer = await exchange.ask(stream, config.method, url, headers_of(config, token))
            except exchange.NoAnswerError:
                await reaching.refuse_tls(stream, url, context)
                raise
        async with context.check("response", fields=["/url", "/health_path"]):
            context.detail("http_status", answer.status)
            context.detail("latency_ms", round(answer.seconds * 1000, 1))
            context.detail(
                "content_type", answer.content_type if WELL_KNOWN.fullmatch(answer.content_type) else "other"
            )
            judge_status(answer.status, config)
            judge_content(answer, context, wants_json=config.expected_json)

    async def _get_token(self, config: ApiDataSource, context: wellhead.ValidationContext) -> str:
        """Get a token with the client's own credentials (RFC 6749, 4.4)."""
        from wellhead_api import exchange, reaching  # noqa: PLC0415  # as above

        async with context.check("token", fields=["/token_url"]):
            url = exchange.address_of(config.token_url or "")
            tls = context.verifying_tls(ca_certificate=config.ca_certificate) if url.scheme == "https" else None
            if tls is None:
                context.warn("secrets_unencrypted")
            stream = await reaching.dial(url, context, fields=["/token_url"])
            if tls is not None:
                await reaching.start_tls(stream, tls, url)
            headers = DEFAULT_HEADERS | {
                "Authorization": basic(quote_plus(config.client_id or ""), quote_plus(clear(config.client_secret))),
                "Content-Type": "application/x-www-form-urlencoded",
            }
            scope = {} if config.scope is None else {"scope": config.scope}
            form = urlencode({"grant_type": "client_credentials"} | scope)
            return token_of(await exchange.ask(stream, "POST", url, headers, form=form))


def headers_of(config: ApiDataSource, token: str) -> dict[str, str]:
    """Return the headers of the request; one that the data source sets takes the place of a default."""
    headers = config.headers | {name: secret.reveal() for name, secret in config.secret_headers.items()}
    match config.auth_type:
        case "basic":
            headers["Authorization"] = basic(config.username or "", clear(config.password))
        case "bearer":
            headers["Authorization"] = f"Bearer {clear(config.token)}"
        case "api_key":
            headers[config.api_key_header] = clear(config.api_key)
        case "oauth2_client_credentials":
            headers["Authorization"] = f"Bearer {token}"
    taken = {name.lower() for name in headers}
    return headers | {name: value for name, value in DEFAULT_HEADERS.items() if name.lower() not in taken}


def basic(user: str, password: str) -> str:
    """Write a login for HTTP Basic authentication, in UTF-8 (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def clear(secret: wellhead.Secret | None) -> str:
    """Return the value of a secret that the model has made sure of."""
    return "" if secret is None else secret.reveal()


@wellhead.hookimpl
def wellhead_data_source_types() -> list[wellhead.DataSourceType]:
    """Provide the type `api`."""
    return [
        wellhead.DataSourceType(
            ApiDataSource,
            ApiValidator,
            title="REST API",
            icon="🌐",
            errors=ERRORS,
            preload=["wellhead_api.exchange"],
        )
    ]
