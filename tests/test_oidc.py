"""Tokens of OpenID Connect, from an issuer that is a real server."""

import asyncio
import base64
import contextlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from support.issuer import AUDIENCE, EC, OTHER_RSA, RSA, Issuer, running_issuer, sign
from wellhead import clock
from wellhead.access import jwks
from wellhead.access.jwks import IssuerKeys, keys_in
from wellhead.access.oidc import OpenIdConnect
from wellhead.access.principal import Principal
from wellhead.errors import SettingsError
from wellhead.settings import load_settings

ADA = Principal("ada", "red", "editor")


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of the keys, which the test turns."""
    now = [1000.0]

    class Time:
        monotonic = staticmethod(lambda: now[0])

    monkeypatch.setattr(jwks, "time", Time)
    return now


def asked(way: OpenIdConnect, *tokens: bytes) -> list[Principal | None]:
    """Return whose each token is."""

    async def ask() -> list[Principal | None]:
        return [await way.principal_of(token) for token in tokens]

    return asyncio.run(ask())


def whose(issuer: Issuer, *tokens: bytes, **settings: Any) -> list[Principal | None]:
    """Return whose each token is, to a service that asks this issuer for the first time."""
    return asked(OpenIdConnect(issuer.settings(**settings)), *tokens)


def part(document: Any) -> bytes:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def test_a_good_token_names_user_workspace_and_role(issuer: Issuer) -> None:
    assert whose(issuer, issuer.token(), issuer.token(aud=["other", AUDIENCE])) == [ADA, ADA]
    assert issuer.paths == ["/keys?v=1"]


@pytest.mark.parametrize("algorithm", ["RS512", "PS256", "ES256", "Ed25519"])
def test_the_algorithms_of_the_settings_are_believed(issuer: Issuer, algorithm: str) -> None:
    okp = OKPKey.generate_key("Ed25519", {"kid": "okp-1"}, private=True)
    issuer.publish(RSA, EC, okp)
    key = {"ES256": EC, "Ed25519": okp}.get(algorithm, RSA)
    token = issuer.token(key, header={"alg": algorithm})
    assert whose(issuer, token, oidc_algorithms=(algorithm,)) == [ADA]
    assert whose(issuer, token) == [None]


def test_A_06_an_unsigned_token_is_nobodys(issuer: Issuer) -> None:
    claims = part(issuer.claims())
    unsigned = [
        b".".join([part({"alg": alg, "kid": "rsa-1"}), claims, signature])
        for alg in ("none", "None", "NONE", "", None, 5, ["RS256"], {"RS256": 1})
        for signature in (b"", b"x", part(b"x" * 256))
    ]
    assert whose(issuer, *unsigned, b".".join([part({"kid": "rsa-1"}), claims, b""])) == [None] * 25


def test_A_06_the_public_key_is_no_secret_to_sign_with(issuer: Issuer) -> None:
    for public in (RSA.as_pem(private=False), RSA.as_der(private=False), issuer.document):
        signed = b".".join([part({"alg": "HS256", "kid": "rsa-1"}), part(issuer.claims())])
        forged = b".".join([signed, part(hmac.digest(public, signed, "sha256"))])
        assert whose(issuer, forged) == [None]


def test_A_06_a_key_of_another_kind_does_not_fit_the_algorithm(issuer: Issuer) -> None:
    crossed = [
        issuer.token(EC, header={"kid": "rsa-1"}),
        issuer.token(RSA, header={"kid": "ec-1"}),
        issuer.token(OTHER_RSA, header={"kid": "rsa-1"}),
    ]
    assert whose(issuer, *crossed, oidc_algorithms=("RS256", "ES256")) == [None] * 3


def test_A_07_a_token_needs_a_subject_though_another_claim_names_the_user(issuer: Issuer) -> None:
    tokens = issuer.token(email="ada", sub="1"), issuer.token(email="ada", sub=...), issuer.token(email="ada", sub=5)
    assert whose(issuer, *tokens, oidc_user_claim="email") == [ADA, None, None]


@pytest.mark.parametrize(
    "more", [{"crit": ["x"], "x": 1}, {"crit": ["exp"], "exp": 1}, {"crit": []}, {"crit": ["b64"], "b64": True}]
)
def test_A_09_a_header_that_has_to_be_understood_makes_it_nobodys(issuer: Issuer, more: dict[str, Any]) -> None:
    signed = b".".join([part({"alg": "RS256", "kid": "rsa-1", **more}), part(issuer.claims())])
    signature = RSA.private_key.sign(signed, PKCS1v15(), SHA256())
    assert whose(issuer, b".".join([signed, part(signature)])) == [None]


@pytest.mark.parametrize("name", ["exp", "aud", "iss", "sub", "workspace", "role"])
def test_A_07_what_is_missing_makes_it_nobodys(issuer: Issuer, name: str) -> None:
    assert whose(issuer, issuer.token(**{name: ...}), issuer.token(**{name: None})) == [None, None]


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "other"},
        {"aud": []},
        {"aud": [[AUDIENCE]]},
        {"aud": {AUDIENCE: 1}},
        {"aud": AUDIENCE + "x"},
        {"aud": AUDIENCE.upper()},
        {"iss": "https://evil.example"},
        {"iss": ["x"]},
        {"sub": 5},
        {"sub": ["ada"]},
        {"sub": ""},
        {"sub": "a b"},
        {"sub": "a\n"},
        {"sub": "x" * 256},
        {"workspace": "../red"},
        {"workspace": "Red"},
        {"workspace": ""},
        {"workspace": ["red"]},
        {"workspace": ".tokens"},
        {"role": "owner"},
        {"role": []},
        {"role": {"admin": True}},
        {"role": [["admin"]]},
    ],
    ids=str,
)
def test_claims_that_say_something_else_make_it_nobodys(issuer: Issuer, change: dict[str, Any]) -> None:
    assert whose(issuer, issuer.token(**change)) == [None]


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value", ["true", '"1900000000"', "1e30", "NaN", "Infinity", "1e999", "[]", "null", "{}", "0.5"]
)
def test_A_08_a_time_that_is_no_integer_makes_it_nobodys(issuer: Issuer, name: str, value: str) -> None:
    text = json.dumps(issuer.claims(**{name: "HERE"})).replace('"HERE"', value)
    assert whose(issuer, sign(text.encode())) == [None]


def test_A_08_a_claim_that_is_there_twice_makes_it_nobodys(issuer: Issuer) -> None:
    text = json.dumps(issuer.claims(sub="bob"))
    for more in ('"sub":"ada"', '"exp":1900000000', '"s\\u0075b":"ada"', '"role":"admin"'):
        assert whose(issuer, sign(f"{text[:-1]},{more}}}".encode())) == [None]
    twice = part(b'{"alg":"RS256","kid":"x","kid":"rsa-1"}')
    assert whose(issuer, b".".join([twice, *issuer.token().split(b".")[1:]])) == [None]


@pytest.mark.parametrize("payload", [b"", b"[]", b"x", b"\xff", b"null", b'"x"', b"{" * 50, b"\xef\xbb\xbf{}"])
def test_claims_that_are_no_object_make_it_nobodys(issuer: Issuer, payload: bytes) -> None:
    assert whose(issuer, sign(payload)) == [None]


@pytest.mark.parametrize("seconds_left", [-61, -3600, 24 * 3600 + 5, 10**12])
def test_A_08_what_has_ended_or_lasts_too_long_is_nobodys(issuer: Issuer, seconds_left: int) -> None:
    assert whose(issuer, issuer.token(exp=int(time.time()) + seconds_left)) == [None]


def test_A_14_clocks_may_differ_by_a_minute(issuer: Issuer) -> None:
    now = int(time.time())
    good = [issuer.token(exp=now - 50), issuer.token(nbf=now + 50), issuer.token(iat=now + 50)]
    assert whose(issuer, *good) == [ADA] * 3
    assert whose(issuer, issuer.token(nbf=now + 70), issuer.token(iat=now + 70)) == [None, None]


@pytest.mark.parametrize("year", [1, 1970, 9999])
def test_A_14_a_clock_that_is_wrong_is_no_error(issuer: Issuer, monkeypatch: pytest.MonkeyPatch, year: int) -> None:
    way, token = OpenIdConnect(issuer.settings()), issuer.token()
    monkeypatch.setattr(clock, "now", lambda: datetime(year, 6, 1, tzinfo=UTC))
    assert asked(way, token) == [None]


def test_A_14_a_clock_that_goes_back_far_makes_no_old_token_good(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = issuer.token(exp=int(time.time()) - 120)
    past = datetime.now(UTC) - timedelta(days=2)
    monkeypatch.setattr(clock, "now", lambda: past)
    assert whose(issuer, ended) == [None]


@pytest.mark.parametrize(
    "key_id", ["../../etc/passwd", "' OR 1=1 --", "", "rsa-1\0", "RSA-1", 1, None, ["rsa-1"], {"a": 1}, ..., "x" * 4000]
)
def test_A_09_the_id_of_a_key_is_only_looked_up(issuer: Issuer, key_id: Any) -> None:
    header = {} if key_id is ... else {"kid": key_id}
    good = issuer.token().split(b".")
    head = part({"alg": "RS256", **header})
    assert whose(issuer, b".".join([head, *good[1:]])) == [None]


@pytest.mark.parametrize("name", ["jku", "jwk", "x5u", "x5c"])
def test_A_09_keys_that_a_token_brings_along_are_not_looked_at(issuer: Issuer, name: str) -> None:
    mine = RSAKey.generate_key(2048, {"kid": "rsa-1"}, private=True)
    with running_issuer() as evil:
        evil.publish(mine)
        values = {"jwk": mine.as_dict(private=False), "jku": evil.jwks_url, "x5u": evil.jwks_url, "x5c": ["x"]}
        forged = issuer.token(mine, header={name: values[name]})
        assert whose(issuer, forged) == [None]
        assert evil.paths == []
    assert whose(issuer, issuer.token(header={"nonce": "x", name: values[name]})) == [ADA]


def test_a_header_that_must_be_understood_is_not(issuer: Issuer) -> None:
    good = issuer.token().split(b".")
    head = part({"alg": "RS256", "kid": "rsa-1", "crit": ["b64"], "b64": False})
    assert whose(issuer, b".".join([head, *good[1:]])) == [None]


def test_A_10_a_flood_of_unknown_keys_fetches_once_in_thirty_seconds(issuer: Issuer, seconds: list[float]) -> None:
    way = OpenIdConnect(issuer.settings())
    flood = [issuer.token(header={"kid": f"unknown-{number}"}) for number in range(50)]
    assert asked(way, *flood, issuer.token()) == [None] * 50 + [ADA]
    assert len(issuer.paths) == 1
    seconds[0] += 29
    asked(way, *flood)
    assert len(issuer.paths) == 1
    seconds[0] += 1
    asked(way, *flood)
    assert len(issuer.paths) == 2


def test_A_10_those_who_ask_at_once_fetch_once(issuer: Issuer) -> None:
    issuer.delay = 0.2
    way, token = OpenIdConnect(issuer.settings()), issuer.token()

    async def ask() -> list[Principal | None]:
        return await asyncio.gather(*(way.principal_of(token) for _ in range(30)))

    assert asyncio.run(ask()) == [ADA] * 30
    assert len(issuer.paths) == 1


def test_A_10_a_key_that_is_new_is_known_half_a_minute_later(issuer: Issuer, seconds: list[float]) -> None:
    way = OpenIdConnect(issuer.settings())
    assert asked(way, issuer.token(), issuer.token(OTHER_RSA)) == [ADA, None]
    issuer.publish(RSA, OTHER_RSA)
    assert asked(way, issuer.token(OTHER_RSA)) == [None]
    seconds[0] += 30
    assert asked(way, issuer.token(OTHER_RSA)) == [ADA]


def test_a_key_that_was_withdrawn_is_not_believed_after_five_minutes(issuer: Issuer, seconds: list[float]) -> None:
    way = OpenIdConnect(issuer.settings())
    assert asked(way, issuer.token()) == [ADA]
    issuer.publish(OTHER_RSA)
    seconds[0] += 301
    assert asked(way, issuer.token()) == [None]


def test_the_last_keys_stand_in_for_an_hour(issuer: Issuer, seconds: list[float]) -> None:
    way = OpenIdConnect(issuer.settings())
    assert asked(way, issuer.token()) == [ADA]
    issuer.status = 503
    seconds[0] += 3000
    assert asked(way, issuer.token()) == [ADA]
    seconds[0] += 700
    assert asked(way, issuer.token()) == [None]
    issuer.status = 200
    seconds[0] += 30
    assert asked(way, issuer.token()) == [ADA]


def test_A_10_a_document_of_more_than_64_kib_is_not_read(issuer: Issuer) -> None:
    keys = json.loads(issuer.document)
    issuer.document = json.dumps({**keys, "padding": "x" * (64 * 1024)}).encode()
    assert whose(issuer, issuer.token()) == [None]
    issuer.document = json.dumps({**keys, "padding": "x" * (60 * 1024)}).encode()
    assert whose(issuer, issuer.token()) == [ADA]


def test_A_10_a_redirect_is_not_followed(issuer: Issuer) -> None:
    with running_issuer() as other:
        issuer.status, issuer.location = 302, other.jwks_url
        assert whose(issuer, issuer.token()) == [None]
        assert other.paths == []


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example.com/keys",
        "http://10.0.0.1/keys",
        "http://127.0.0.1.evil.example/keys",
        "ftp://127.0.0.1/keys",
        "file:///etc/passwd",
        "//127.0.0.1/keys",
        "keys",
    ],
)
def test_A_10_keys_are_fetched_by_https_only(url: str) -> None:
    with pytest.raises(SettingsError, match="https"):
        IssuerKeys(url)
    for good in ("https://issuer.example.com/keys", "http://localhost:1/", "http://[::1]/keys"):
        IssuerKeys(good)


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"\xff", b'{"keys": 5}', b'{"keys": [5, null, {}]}', b"{}", b"<html>"]
)
def test_keys_that_are_none_are_no_error(issuer: Issuer, document: bytes) -> None:
    issuer.document = document
    assert whose(issuer, issuer.token()) == [None]


def test_an_issuer_that_is_not_there_is_no_error(issuer: Issuer) -> None:
    settings = issuer.settings(oidc_jwks_url="http://127.0.0.1:9/keys")
    assert asked(OpenIdConnect(settings), issuer.token()) == [None]


@pytest.fixture
def dripping() -> Iterator[int]:
    """The port of a server that begins a long record of TLS, and goes on byte by byte."""
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"\x16\x03\x03\x3f\x00")
            while not over.wait(0.05):
                connection.sendall(b"\x02")

    def serve(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=server.accept()[:1], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=[server], daemon=True).start()
        yield server.getsockname()[1]
        over.set()
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_A_10_an_issuer_that_drips_keeps_no_thread(
    issuer: Issuer, dripping: int, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "_SECONDS", 0.5)
    settings = issuer.settings(oidc_jwks_url=f"{scheme}://127.0.0.1:{dripping}/keys")

    assert asked(OpenIdConnect(settings), issuer.token()) == [None]

    for fetching in [thread for thread in threading.enumerate() if thread.name == "wellhead-check"]:
        fetching.join(5)
        assert not fetching.is_alive()


def test_A_11_what_is_too_long_is_not_looked_at(issuer: Issuer) -> None:
    fits, too_long = issuer.token(padding="x" * 4000), issuer.token(padding="x" * 7000)
    assert len(fits) < 8192 < len(too_long)
    assert whose(issuer, fits, too_long) == [ADA, None]


def test_A_11_an_encrypted_or_compressed_token_is_nobodys(issuer: Issuer) -> None:
    head = part({"alg": "RSA-OAEP", "enc": "A256GCM", "zip": "DEF", "kid": "rsa-1"})
    assert whose(issuer, b".".join([head, b"x", b"x", b"x", b"x"]), b"..", b"...", b"a.b.c", b"") == [None] * 5


def test_A_12_keys_that_are_weak_or_symmetric_are_left_out(issuer: Issuer) -> None:
    with pytest.warns(SecurityWarning):
        short = RSAKey.generate_key(1024, {"kid": "short"}, private=True)
    secret = OctKey.generate_key(256, {"kid": "secret"})
    document = {
        "keys": [
            short.as_dict(private=False),
            secret.as_dict(private=True),
            {**RSA.as_dict(private=False), "kid": "for encryption", "use": "enc"},
            {**EC.as_dict(private=False), "x": "AA"},
            ECKey.generate_key("P-256", {"kid": "good"}, private=True).as_dict(private=False),
        ]
    }
    assert keys_in(json.dumps(document).encode()).keys() == {"good"}


@pytest.mark.parametrize("algorithm", ["HS256", "none", "dir", "RS1", "", "rs256", "RS256,HS512"])
def test_A_12_only_asymmetric_algorithms_can_be_set(monkeypatch: pytest.MonkeyPatch, algorithm: str) -> None:
    monkeypatch.setenv("WELLHEAD_OIDC_ALGORITHMS", algorithm)
    with pytest.raises(SettingsError, match="WELLHEAD_OIDC_ALGORITHMS: must be of RS256"):
        load_settings()


@pytest.mark.parametrize("name", ["oidc_audience", "oidc_jwks_url"])
def test_an_issuer_without_the_rest_is_refused(issuer: Issuer, name: str) -> None:
    with pytest.raises(SettingsError, match=f"WELLHEAD_{name.upper()}"):
        OpenIdConnect(issuer.settings(**{name: None}))


def test_claims_are_mapped_as_the_settings_say(issuer: Issuer) -> None:
    settings = {
        "oidc_user_claim": "email",
        "oidc_workspace_claim": "team",
        "oidc_role_claim": "groups",
        "oidc_roles": ("staff=viewer", "data team=editor", "ops=admin"),
    }
    found = {
        ("staff",): "viewer",
        ("staff", "data team"): "editor",
        ("ops", "staff", "x"): "admin",
        ("admin",): None,
        (): None,
    }
    for groups, role in found.items():
        token = issuer.token(email="ada@example.com", team="blue", groups=list(groups))
        expected = None if role is None else Principal("ada@example.com", "blue", role)  # type: ignore[arg-type]  # a role
        assert whose(issuer, token, **settings) == [expected]
    assert whose(issuer, issuer.token(email="ada@example.com", team="blue", groups="ops"), **settings) != [None]


@pytest.mark.parametrize("rule", ["staff", "staff=owner", "=admin", "staff=", "a=b=admin"])
def test_a_rule_for_roles_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    monkeypatch.setenv("WELLHEAD_OIDC_ROLES", rule)
    with pytest.raises(SettingsError, match="WELLHEAD_OIDC_ROLES"):
        load_settings()


def test_any_change_of_a_token_makes_it_nobodys(issuer: Issuer) -> None:
    good = issuer.token()
    changed = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(0, len(good), 7)]
    assert set(whose(issuer, *changed)) <= {None}
