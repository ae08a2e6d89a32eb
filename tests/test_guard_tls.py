"""TLS contexts for clients."""

import ssl
from pathlib import Path

import pytest

from support.certificates import make_certificates
from wellhead.errors import CheckFailedError
from wellhead.guard.tls import client_context

CERTIFICATES = make_certificates()


def test_disable_makes_no_context() -> None:
    assert client_context("disable") is None


@pytest.mark.parametrize(
    ("mode", "checks_name", "verify"),
    [
        ("require", False, ssl.CERT_NONE),
        ("verify-ca", False, ssl.CERT_REQUIRED),
        ("verify-full", True, ssl.CERT_REQUIRED),
    ],
)
def test_N_28_each_mode_checks_what_it_says_and_speaks_nothing_old(
    mode: str, checks_name: bool, verify: ssl.VerifyMode
) -> None:
    context = client_context(mode)  # type: ignore[arg-type]

    assert context is not None
    assert (context.check_hostname, context.verify_mode) == (checks_name, verify)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_ca_certificate_replaces_those_of_the_system() -> None:
    context = client_context("verify-full", ca_certificate=CERTIFICATES.ca)

    assert context is not None
    assert len(context.get_ca_certs()) == 1


def test_N_27_the_keys_of_sessions_are_not_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))

    context = client_context("verify-full")

    assert context is not None
    assert context.keylog_filename is None
    assert not (tmp_path / "keys").exists()


DAMAGED = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("text", [DAMAGED, "Zürich\n" + CERTIFICATES.ca, "", "TRUSTED"])
def test_a_damaged_ca_certificate_is_named(text: str) -> None:
    with pytest.raises(CheckFailedError) as raised:
        client_context("verify-full", ca_certificate=text)

    assert (raised.value.check_code, raised.value.fields) == ("certificate_untrusted", ("/ca_certificate",))


ENCRYPTED_KEY = """-----BEGIN RSA PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,00000000000000000000000000000000

AAAAAAAAAAAAAAAAAAAAAA==
-----END RSA PRIVATE KEY-----
"""


@pytest.mark.parametrize("key", [CERTIFICATES.server.key, "rubbish", ENCRYPTED_KEY])
def test_a_client_key_that_cannot_be_used_is_named_and_nobody_is_asked(key: str) -> None:
    with pytest.raises(CheckFailedError) as raised:
        client_context("require", client_certificate=CERTIFICATES.client.certificate, client_key=key)

    assert raised.value.check_code == "client_certificate_invalid"


def test_a_client_key_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    client = CERTIFICATES.client
    assert client_context("require", client_certificate=client.certificate, client_key=client.key) is not None

    assert not list(tmp_path.iterdir())
