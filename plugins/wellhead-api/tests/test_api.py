"""The type `api` against real HTTP servers: everything that can be wrong, and what is said about it."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from support.canary import Canary
from support.certificates import Certificates, Pair, make_certificates
from support.rogue import saying, serve, server_context
from support.validating import last, outcomes, validate
from wellhead.codes import CODES
from wellhead.model.result import ValidationResult
from wellhead_api import ApiDataSource, wellhead_data_source_types

pytestmark = pytest.mark.anyio

[API] = wellhead_data_source_types()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PASSED = [(name, "passed", None) for name in ("resolve", "connect", "request", "response")]
JSON = {"content_type": "application/json"}


@dataclass
class Site:
    """A running server.

    Attributes:
        url: Its address.
        requests: What it was asked: method, path with query, headers, body.
    """

    url: str = ""
    requests: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the last request, by names in lower case."""
        return self.requests[-1][2]


@contextlib.asynccontextmanager
async def site(answer: Handler | web.Response | None = None, *, tls: Pair | None = None) -> AsyncIterator[Site]:
    """Run a server that answers every path alike."""
    made = Site()

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        made.requests.append((request.method, request.path_qs, headers, await request.text()))
        if callable(answer):
            return await answer(request)
        known = answer or web.json_response({"status": "up"})
        return web.Response(body=known.body, status=known.status, headers=known.headers)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    server = TestServer(application, host="127.0.0.1")
    await server.start_server(ssl=server_context(tls) if tls is not None else None, access_log=None)
    made.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.port}"
    try:
        yield made
    finally:
        await server.close()


async def run(url: str, *, seconds: float = 5.0, **fields: Any) -> ValidationResult:
    return await validate(API, ApiDataSource(name="a", url=url, **fields), timeout=seconds)


async def expect(url: str, check: str, code: str, fields: tuple[str, ...], hint: str = "", **given: Any) -> None:
    """Validate, and claim which check failed and what it said."""
    result = await run(url, **given)
    failed = last(result)
    assert (failed.name, failed.status, failed.code, failed.fields) == (check, "failed", code, fields)
    assert (hint or CODES[code].remedy) in (failed.hint or "")
    assert result.status == "failed"


def refused(**fields: Any) -> set[tuple[str, str]]:
    """Return where a configuration is refused, and why; nothing if it is not."""
    try:
        ApiDataSource(name="a", **({"url": "https://api.example.com/v1"} | fields))
    except ValidationError as error:
        return {
            ("/".join(str(part) for part in item["loc"] if part != "[key]"), item["type"]) for item in error.errors()
        }
    return set()


@pytest.fixture
def certificates() -> Certificates:
    return make_certificates()


async def test_an_api_without_login_passes_every_check() -> None:
    async with site() as api:
        result = await run(f"{api.url}/v1")

    assert (result.status, outcomes(result)) == ("passed", PASSED)
    assert result.details == {
        "http_status": 200,
        "latency_ms": result.details["latency_ms"],
        "content_type": "application/json",
    }
    assert 0 < result.details["latency_ms"] < 5000
    assert api.requests[0][:2] == ("GET", "/v1")
    assert {name: api.headers[name] for name in ("accept-encoding", "user-agent", "accept", "host")} == {
        "accept-encoding": "identity",
        "user-agent": "wellhead",
        "accept": "application/json, */*;q=0.5",
        "host": api.url.removeprefix("http://"),
    }


async def test_https_tells_the_tls_version_and_when_the_certificate_expires(certificates: Certificates) -> None:
    async with site(tls=certificates.server) as api:
        result = await run(api.url, ca_certificate=certificates.ca)

    assert result.status == "passed"
    assert [check.name for check in result.checks] == ["resolve", "connect", "tls", "request", "response"]
    assert result.details["tls_version"] == "TLSv1.3"
    assert result.details["certificate_days_left"] == 90


@pytest.mark.parametrize(
    ("which", "code"),
    [
        ("untrusted", "certificate_untrusted"),
        ("expired", "certificate_expired"),
        ("other_name", "certificate_name_mismatch"),
    ],
)
async def test_H_12_a_bad_certificate_is_refused_and_nothing_is_sent(
    which: str, code: str, certificates: Certificates
) -> None:
    async with site(tls=getattr(certificates, which)) as api:
        fields = ("/url", "/ca_certificate")
        await expect(api.url, "tls", code, fields, ca_certificate=certificates.ca, auth_type="bearer", token="t" * 20)

    assert api.requests == []


@pytest.mark.parametrize("name", ["verify_ssl", "verify", "tls_mode", "insecure"])
def test_H_12_there_is_no_field_that_turns_verification_off(name: str) -> None:
    assert refused(**{name: False}) == {(name, "extra_forbidden")}


async def test_without_ca_certificate_a_private_authority_is_not_trusted(certificates: Certificates) -> None:
    async with site(tls=certificates.server) as api:
        hint = "Put the authority's certificate (PEM) into `ca_certificate`."
        await expect(api.url, "tls", "certificate_untrusted", ("/url", "/ca_certificate"), hint)


async def test_a_damaged_ca_certificate_is_named(certificates: Certificates) -> None:
    damaged = certificates.ca.replace("M", "!", 5)
    async with site(tls=certificates.server) as api:
        await expect(
            api.url, "tls", "certificate_untrusted", ("/ca_certificate",), "is damaged", ca_certificate=damaged
        )


async def test_https_at_a_port_without_tls_says_so() -> None:
    async with site() as api:
        fields = ("/url", "/ca_certificate")
        await expect(api.url.replace("http", "https"), "tls", "tls_not_offered", fields, "is it `http:`?")


async def test_http_at_a_port_with_tls_fails_with_a_hint(certificates: Certificates) -> None:
    async with site(tls=certificates.server) as api:
        await expect(api.url.replace("https", "http"), "request", "tls_required", ("/url",), "begins with `https:`")
    assert api.requests == []


async def test_http_at_a_port_with_tls_that_sends_an_alert_fails_with_the_same_hint() -> None:
    async with serve(saying(b"\x15\x03\x01\0\x02\x02\x46")) as rogue:
        url = f"http://127.0.0.1:{rogue.port}"
        await expect(url, "request", "tls_required", ("/url",), "begins with `https:`")
    assert rogue.connections == 1


SSH = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"


@pytest.mark.parametrize(
    ("scheme", "said", "name"),
    [
        ("http", SSH, "SSH"),
        ("https", SSH, "SSH"),
        ("http", b"\x4a\0\0\0\x0a8.0.36\0", "MySQL"),
        ("https", b"+OK ready\r\n", "POP3"),
    ],
)
async def test_N_18_another_service_is_named_in_words_of_ours(scheme: str, said: bytes, name: str) -> None:
    async with serve(saying(said)) as rogue:
        result = await run(f"{scheme}://127.0.0.1:{rogue.port}")

    failed = last(result)
    assert (failed.code, failed.fields) == ("wrong_service", ("/url",))
    assert failed.message == f"This port answers like {name}, not like HTTP."
    assert "OpenSSH" not in str(result.as_document())


@pytest.mark.parametrize(
    ("which", "code"), [("not_yet_valid", "certificate_not_yet_valid"), ("self_signed", "certificate_self_signed")]
)
async def test_what_is_wrong_with_a_certificate_is_told_apart(
    which: str, code: str, certificates: Certificates
) -> None:
    async with site(tls=getattr(certificates, which)) as api:
        await expect(api.url, "tls", code, ("/url", "/ca_certificate"), ca_certificate=certificates.ca)


async def test_a_self_signed_certificate_is_trusted_where_it_is_set_itself(certificates: Certificates) -> None:
    pair = certificates.self_signed
    async with site(tls=pair) as api:
        assert (await run(api.url, ca_certificate=pair.certificate)).status == "passed"


async def test_a_certificate_that_expires_soon_is_warned_about(certificates: Certificates) -> None:
    async with site(tls=certificates.expires_soon) as api:
        result = await run(api.url, ca_certificate=certificates.ca)

    assert (result.status, result.success) == ("warning", True)
    [warning] = result.warnings
    assert (warning.name, warning.code) == ("tls", "certificate_expires_soon")
    assert warning.message == "The server's certificate expires in 10 days."


@contextlib.contextmanager
def handshakes(context: ssl.SSLContext) -> Iterator[str]:
    """Run a server that makes one TLS handshake, which fails, and waits for the client to go; return its address.

    It is no server of asyncio, which closes before its alert is sent.
    """

    def make_one(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.settimeout(10)
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(incoming, outgoing, server_side=True)
            while data := connection.recv(65536):
                incoming.write(data)
                with contextlib.suppress(ssl.SSLError):
                    tls.do_handshake()
                connection.sendall(outgoing.read())

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=make_one, args=(listening,))
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


async def test_a_server_that_wants_a_client_certificate_says_so(certificates: Certificates) -> None:
    context = server_context(certificates.server)
    context.load_verify_locations(cadata=certificates.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    with handshakes(context) as url:
        await expect(url, "request", "client_certificate_required", ("/url",), ca_certificate=certificates.ca)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1")
async def test_N_28_a_server_with_old_tls_only_is_told(certificates: Certificates) -> None:
    context = server_context(certificates.server)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    fields = ("/url", "/ca_certificate")
    with handshakes(context) as url:
        await expect(url, "tls", "tls_version_unsupported", fields, ca_certificate=certificates.ca)


async def test_a_port_where_nothing_listens_is_refused() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        await expect(f"http://127.0.0.1:{unused.getsockname()[1]}", "connect", "connection_refused", ("/url",))


def login(kind: str, canary: Canary) -> dict[str, Any]:
    """Return the fields of a way of logging in."""
    return {
        "none": {},
        "basic": {"username": "jürgen", "password": canary.secret()},
        "bearer": {"token": canary.plain_secret()},
        "api_key": {"api_key": canary.plain_secret(), "api_key_header": "X-Shop-Key"},
    }[kind] | {"auth_type": kind}


def sent_login(fields: dict[str, Any], headers: dict[str, str]) -> bool:
    """Tell whether the headers carry the login."""
    if fields["auth_type"] == "basic":
        text = base64.b64decode(headers.get("authorization", "").removeprefix("Basic ")).decode()
        return text == f"{fields['username']}:{fields['password']}"
    if fields["auth_type"] == "bearer":
        return headers.get("authorization") == f"Bearer {fields['token']}"
    return headers.get("x-shop-key") == fields.get("api_key")


@pytest.mark.parametrize("kind", ["basic", "bearer", "api_key"])
async def test_each_login_reaches_the_server(kind: str, canary: Canary, certificates: Certificates) -> None:
    fields = login(kind, canary)
    async with site(tls=certificates.server) as api:
        result = await run(api.url, ca_certificate=certificates.ca, **fields)

    assert result.status == "passed"
    assert sent_login(fields, api.headers)
    canary.saw(json.dumps(result.as_document()))


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("kind", "fields", "hint"),
    [
        ("none", ("/auth_type", "/secret_headers"), "set `auth_type`"),
        ("basic", ("/username", "/password"), "Check `username` and `password`"),
        ("bearer", ("/token",), "Check `token`"),
        ("api_key", ("/api_key", "/api_key_header"), "Check `api_key`"),
    ],
)
async def test_a_refused_login_points_to_its_fields(
    status: int, kind: str, fields: tuple[str, ...], hint: str, canary: Canary
) -> None:
    async with site(web.json_response({"error": "no"}, status=status)) as api:
        result = await run(api.url, **login(kind, canary))

    failed = last(result)
    assert (failed.name, failed.code, failed.fields) == ("response", "auth_failed", fields)
    assert failed.message == f"The server refused the login, with status {status}."
    assert hint in (failed.hint or "")
    canary.saw(json.dumps(result.as_document()))


async def test_a_refused_login_points_to_secret_headers_too() -> None:
    async with site(web.Response(status=401)) as api:
        given = {"auth_type": "bearer", "token": "abcdefgh", "secret_headers": {"X-Tenant-Key": "ijklmnop"}}
        await expect(api.url, "response", "auth_failed", ("/token", "/secret_headers"), "Check `token`", **given)


async def test_headers_and_secret_headers_are_sent_and_replace_defaults(canary: Canary) -> None:
    secret = canary.plain_secret()
    async with site() as api:
        result = await run(
            api.url, headers={"accept": "text/csv", "X-Version": "2"}, secret_headers={"Cookie": f"session={secret}"}
        )

    assert (api.headers["accept"], api.headers["x-version"]) == ("text/csv", "2")
    assert api.headers["cookie"] == f"session={secret}"
    canary.saw(json.dumps(result.as_document()))


@pytest.mark.parametrize("fields", [{"auth_type": "bearer", "token": "abcdefgh"}, {"secret_headers": {"X-K": "abcd"}}])
async def test_a_login_without_tls_is_warned_about(fields: dict[str, Any]) -> None:
    async with site() as api:
        result = await run(api.url, **fields)

    assert result.status == "warning"
    assert ("request", "warning", "secrets_unencrypted") in outcomes(result)


@pytest.mark.parametrize(
    ("status", "fields", "hint"),
    [
        (404, ("/health_path", "/url"), "check `health_path`"),
        (405, ("/method",), "try the other one"),
        (429, ("/url",), "try again later"),
        (500, ("/url",), "look at its log"),
        (503, ("/url",), "look at its log"),
        (204, ("/url", "/health_path", "/expected_status"), "set `expected_status`"),
        (422, ("/url", "/health_path", "/expected_status"), "set `expected_status`"),
        (400, ("/url", "/health_path"), "a port with TLS needs `https:`"),
    ],
)
async def test_an_unexpected_status_is_told_with_a_hint(status: int, fields: tuple[str, ...], hint: str) -> None:
    async with site(web.Response(status=status)) as api:
        result = await run(api.url)

    failed = last(result)
    assert (failed.name, failed.code, failed.fields) == ("response", "unexpected_status", fields)
    assert failed.message == f"The server answered with status {status} instead of 200."
    assert hint in (failed.hint or "")
    assert result.details["http_status"] == status


async def test_a_step_that_does_not_apply_is_not_called_skipped() -> None:
    async with site(web.Response(status=404)) as api:
        result = await run(api.url)

    assert [check.name for check in result.checks] == ["resolve", "connect", "request", "response"]


@pytest.mark.parametrize("status", [204, 302, 401, 404])
async def test_the_expected_status_passes_whatever_it_is(status: int) -> None:
    async with site(web.Response(status=status, headers={"Location": "/login"})) as api:
        result = await run(api.url, expected_status=status)

    assert (result.status, len(api.requests)) == ("passed", 1)


@pytest.mark.parametrize(
    ("url", "health_path", "asked"),
    [
        ("", None, "/"),
        ("/v1", "/health", "/v1/health"),
        ("/v1/", "/health", "/v1/health"),
        ("/v1?format=json", "/health", "/v1/health?format=json"),
        ("/v1?format=json", "/health?deep=1", "/v1/health?deep=1"),
        ("/a%2Fb/../c", "/d%20e", "/a%2Fb/../c/d%20e"),
    ],
)
async def test_the_health_path_is_put_behind_the_address(url: str, health_path: str | None, asked: str) -> None:
    async with site() as api:
        await run(api.url + url, health_path=health_path)

    assert [request[1] for request in api.requests] == [asked]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_H_10_the_request_has_the_method_that_is_set_and_no_body(method: str) -> None:
    async with site() as api:
        result = await run(api.url, method=method, expected_json=True)

    assert result.status == "passed"
    assert (api.requests[0][0], api.requests[0][3]) == (method, "")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "get", "TRACE"])
def test_H_10_other_methods_are_refused(method: str) -> None:
    assert refused(method=method) == {("method", "literal_error")}


@pytest.mark.parametrize("body", ["", "{", "<html></html>", "[" * 100_000, "\ud800", "NaN!", "{} {}"])
async def test_H_09_a_body_that_is_not_the_json_it_promises_fails(body: str) -> None:
    answer = web.Response(body=body.encode("utf-8", "surrogatepass"), **JSON)
    async with site(answer) as api:
        await expect(api.url, "response", "not_json", ("/url", "/health_path"))


@pytest.mark.parametrize("body", ["[]", "null", "9" * 5000, "\ufeff{}", json.dumps({"a": [{"b": "é"}]})])
@pytest.mark.parametrize("content_type", ["application/json", "application/problem+json"])
async def test_json_of_every_shape_passes(body: str, content_type: str) -> None:
    async with site(web.Response(body=body.encode(), content_type=content_type)) as api:
        assert (await run(api.url, expected_json=True)).status == "passed"


@pytest.mark.parametrize("content_type", ["application/xml", "application/x-yaml", "application/x-python-pickle"])
async def test_H_09_no_other_format_is_parsed(content_type: str) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
    async with site(web.Response(body=bomb, content_type=content_type)) as api:
        assert (await run(api.url)).status == "passed"
        fields = ("/url", "/health_path", "/expected_json")
        await expect(api.url, "response", "not_json", fields, expected_json=True)


async def test_a_web_page_is_warned_about_and_is_no_json() -> None:
    async with site(web.Response(text="<html>Welcome</html>", content_type="text/html")) as api:
        assert outcomes(await run(api.url))[-1] == ("response", "warning", "web_page")
        fields = ("/url", "/health_path", "/expected_json")
        await expect(api.url, "response", "not_json", fields, expected_json=True)


async def test_a_large_answer_is_warned_about() -> None:
    async with site(web.json_response(["x" * 1000] * 2000)) as api:
        result = await run(api.url)

    assert outcomes(result)[-1] == ("response", "warning", "response_too_large")


async def test_a_large_answer_of_another_kind_is_not_read() -> None:
    async with site(web.Response(body=bytes(8 << 20), content_type="application/octet-stream")) as api:
        assert (await run(api.url)).status == "passed"


def test_H_01_line_breaks_and_nul_in_headers_are_refused() -> None:
    for value in ("a\r\nX-Evil: 1", "a\nb", "a\0b", " a", "a ", ""):
        assert refused(headers={"X-A": value}), value
        assert refused(secret_headers={"X-A": value}), value
    for name in ("X-A\r\nX-Evil", "X\0A"):
        assert refused(headers={name: "a"}), name
        assert refused(auth_type="api_key", api_key="abcd", api_key_header=name), name


@pytest.mark.parametrize("name", ["", " X-A", "X A", "X-A:", "X(A)", "X-Ä", "X" * 101])
def test_H_02_a_header_name_is_a_token(name: str) -> None:
    for fields in ({"headers": {name: "a"}}, {"secret_headers": {name: "a"}}):
        assert {kind for _, kind in refused(**fields)} == {"header_name"}
    assert refused(auth_type="api_key", api_key="abcd", api_key_header=name)


@pytest.mark.parametrize(
    "name", ["Content-Length", "transfer-encoding", "Host", "CONNECTION", "Accept-Encoding", "Upgrade", "Expect", "TE"]
)
def test_H_03_headers_that_steer_the_connection_are_refused(name: str) -> None:
    for fields in ({"headers": {name: "1"}}, {"secret_headers": {name: "1"}}):
        assert {kind for _, kind in refused(**fields)} == {"header_name"}
    assert refused(auth_type="api_key", api_key="abcd", api_key_header=name) == {("api_key_header", "header_name")}


@pytest.mark.parametrize(
    "url",
    [
        "https://user:password@api.example.com/",
        "https://api.example.com/#fragment",
        "https://api.example.com\\@evil.example.com/",
        "https://api%2eexample.com/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://api.example.com:0/",
        "https://[fe80::1%25lo]/",
        "ftp://api.example.com/",
        "https:///v1",
        "https://api.example.com/ a",
        "https://api.example.com/\r\nX: 1",
        "https://api.example.com/?api_key=abcdefgh",
    ],
)
def test_H_08_an_ambiguous_address_is_refused(url: str) -> None:
    assert {pointer for pointer, _ in refused(url=url)} == {"url"}
    oauth = {"auth_type": "oauth2_client_credentials", "client_id": "c", "client_secret": "abcd"}
    assert {pointer for pointer, _ in refused(token_url=url, **oauth)} == {"token_url"}


@pytest.mark.parametrize("value", ["é", "\udc80", "\x7f", "日本"])
def test_H_11_header_values_are_visible_ascii(value: str) -> None:
    assert refused(headers={"X-A": value})
    assert refused(secret_headers={"X-A": value})


@pytest.mark.parametrize("name", ["proxy", "http_proxy", "proxies"])
def test_H_13_there_is_no_proxy_field(name: str) -> None:
    assert refused(**{name: "http://127.0.0.1:1"}) == {(name, "extra_forbidden")}


async def test_H_13_n_13_nothing_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password letmein\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with site() as proxy, site() as api:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        result = await run(f"{api.url}/v1")

    assert (result.status, proxy.requests) == ("passed", [])
    assert "authorization" not in api.headers


@pytest.mark.parametrize(
    "fields",
    [
        {"headers": {"X-A": "1", "x-a": "2"}},
        {"headers": {"X-A": "1"}, "secret_headers": {"x-a": "2"}},
        {"secret_headers": {"authorization": "abcd"}, "auth_type": "bearer", "token": "abcd"},
        {"secret_headers": {"X-Api-Key": "abcd"}, "auth_type": "api_key", "api_key": "abcd"},
    ],
)
def test_a_header_is_set_once(fields: dict[str, Any]) -> None:
    assert refused(**fields) == {("", "header_repeated")}
    assert "header_repeated" in CODES


def oauth(token_url: str, secret: str, **fields: Any) -> dict[str, Any]:
    """Return the fields of a login with a token."""
    return {
        "auth_type": "oauth2_client_credentials",
        "token_url": token_url,
        "client_id": "shop+co & 100%",
        "client_secret": secret,
    } | fields


def granting(token: str, **more: Any) -> web.Response:
    return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": 60} | more)


async def test_oauth2_gets_a_token_and_uses_it(canary: Canary, certificates: Certificates) -> None:
    secret, token = canary.secret(), canary.plain_secret()
    async with site(granting(token), tls=certificates.server) as tokens, site(tls=certificates.server) as api:
        fields = oauth(f"{tokens.url}/token", secret, scope="read write", ca_certificate=certificates.ca)
        result = await run(api.url, **fields)

    assert result.status == "passed"
    assert [check.name for check in result.checks] == [
        "secrets",
        *["resolve", "connect", "tls", "token", "request", "response"],
    ]
    assert api.headers["authorization"] == f"Bearer {token}"
    method, path, headers, body = tokens.requests[0]
    assert (method, path) == ("POST", "/token")
    assert parse_qs(body) == {"grant_type": ["client_credentials"], "scope": ["read write"]}
    user, _, password = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode().partition(":")
    assert (unquote_plus(user), unquote_plus(password)) == ("shop+co & 100%", secret)
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    canary.saw(json.dumps(result.as_document()))


@pytest.mark.parametrize(
    ("status", "document", "code", "fields"),
    [
        (401, {}, "auth_failed", ("/client_id", "/client_secret")),
        (400, {"error": "invalid_client"}, "auth_failed", ("/client_id", "/client_secret")),
        (400, {"error": "unauthorized_client"}, "auth_failed", ("/client_id",)),
        (400, {"error": "invalid_scope"}, "auth_failed", ("/scope",)),
        (400, {"error": "unsupported_grant_type"}, "auth_failed", ("/token_url",)),
        (400, {"error": ["invalid_scope"]}, "unexpected_status", ("/token_url",)),
        (404, {}, "unexpected_status", ("/token_url",)),
        (500, {}, "unexpected_status", ("/token_url",)),
        (302, {}, "redirected", ("/token_url",)),
        (200, {}, "token_unusable", ("/token_url",)),
        (200, [], "token_unusable", ("/token_url",)),
        (200, {"access_token": "a", "token_type": "mac"}, "token_unusable", ("/token_url",)),
        (200, {"access_token": 5, "token_type": "Bearer"}, "token_unusable", ("/token_url",)),
        (200, {"access_token": "a\r\nX-Evil: 1", "token_type": "Bearer"}, "token_unusable", ("/token_url",)),
        (200, {"access_token": "é", "token_type": "Bearer"}, "token_unusable", ("/token_url",)),
    ],
)
async def test_a_token_server_that_gives_no_token_is_explained(
    status: int, document: Any, code: str, fields: tuple[str, ...], canary: Canary
) -> None:
    async with site(web.json_response(document, status=status)) as tokens, site() as api:
        result = await run(api.url, **oauth(tokens.url, canary.secret()))

    failed = last(result)
    assert (failed.name, failed.code, failed.fields, bool(failed.hint)) == ("token", code, fields, True)
    assert api.requests == []
    canary.saw(json.dumps(result.as_document()))


async def test_a_token_server_that_does_not_speak_json_is_explained() -> None:
    async with site(web.Response(text="{", **JSON)) as tokens, site() as api:
        await expect(api.url, "token", "not_json", ("/token_url",), **oauth(tokens.url, "abcdefgh"))


async def test_a_token_that_the_api_refuses_points_to_the_scope() -> None:
    async with site(granting("abcdefgh")) as tokens, site(web.Response(status=403)) as api:
        hint = "check `scope`"
        await expect(
            api.url, "response", "auth_failed", ("/scope", "/client_id"), hint, **oauth(tokens.url, "abcdefgh")
        )


@pytest.mark.parametrize("host", ["169.254.169.254", "[::ffff:169.254.169.254]", "metadata.google.internal"])
async def test_N_05_the_token_server_is_judged_like_any_other_destination(host: str, canary: Canary) -> None:
    async with site() as api:
        fields = oauth(f"http://{host}/token", canary.secret())
        await expect(api.url, "token", "destination_rejected", ("/token_url",), **fields)


async def test_a_token_server_without_a_trusted_certificate_gets_nothing(certificates: Certificates) -> None:
    async with site(tls=certificates.untrusted) as tokens, site() as api:
        fields = oauth(tokens.url, "abcdefgh", ca_certificate=certificates.ca)
        await expect(api.url, "token", "certificate_untrusted", ("/token_url",), **fields)

    assert tokens.requests == []


async def test_an_api_that_hangs_up_while_the_token_is_fetched_is_not_waited_for() -> None:
    async def hang_up(_reader: Any, _writer: Any) -> None:
        """End the connection at once."""

    async with serve(hang_up) as api, site(granting("abcdefgh")) as tokens:
        fields = oauth(tokens.url, "abcdefgh")
        await expect(f"http://127.0.0.1:{api.port}", "request", "connection_lost", ("/url",), **fields)


async def test_H_04_a_redirect_is_neither_followed_nor_shown(canary: Canary) -> None:
    secret = canary.plain_secret()
    async with site() as other:
        places = [f"{other.url}/{secret}", "http://169.254.169.254/latest", "//127.0.0.1/", "/here", "javascript:1"]
        for status in (301, 302, 303, 307, 308):
            for place in places:
                async with site(web.Response(status=status, headers={"Location": place})) as api:
                    result = await run(api.url, auth_type="api_key", api_key=secret)
                text = json.dumps(result.as_document())
                assert (last(result).code, last(result).fields) == ("redirected", ("/url",))
                assert "curl -I" in (last(result).hint or "")
                assert len(api.requests) == 1
                assert place not in text
                canary.saw(text)

    assert other.requests == []


async def test_H_05_a_cookie_that_a_server_sets_goes_nowhere() -> None:
    answer = granting("abcdefgh")
    answer.set_cookie("session", "1")
    async with site(answer) as tokens, site() as api:
        await run(api.url, **oauth(tokens.url, "abcdefgh"))

    assert "cookie" not in api.headers


async def test_N_18_a_server_that_repeats_the_secret_does_not_get_it_into_the_result(canary: Canary) -> None:
    secret, token = canary.plain_secret(), canary.plain_secret()
    for leak in (secret, token, secret.lower(), token.upper()):
        page = [
            f"HTTP/1.1 200 {leak}",
            f"Content-Type: text/{leak}; charset={leak}",
            f"Set-Cookie: {leak}",
            f"Set-Cookie: a@b={leak}",
            f"Location: {leak}",
            f"{leak}: {leak}",
            f"Content-Encoding: {leak}",
            "Content-Length: 0",
        ]
        script = saying("\r\n".join([*page, "", ""]).encode())
        async with serve(script) as api, site(granting(token)) as tokens:
            url = f"http://127.0.0.1:{api.port}"
            result = await run(url, **oauth(tokens.url, "abcdefgh"), secret_headers={"X-Key": secret})
        text = json.dumps(result.as_document())
        assert leak not in text
        assert result.details["content_type"] == "other"
        canary.saw(text)
