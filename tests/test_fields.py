"""The field types that core knows: hosts, URLs, paths, headers, encodings, certificates."""

import encodings
import re
import time
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

import wellhead
from support.types import codes, make_type, problems
from wellhead.catalog.documents import read_new
from wellhead.model.addresses import check_host, check_url
from wellhead.model.fields import check_encoding, check_path
from wellhead.model.markers import is_harmless

HOSTS = {
    "db.example.com": "db.example.com",
    "DB.Example.COM": "db.example.com",
    "localhost": "localhost",
    "my_container": "my_container",
    "192.0.2.7": "192.0.2.7",
    "2001:DB8:0::7": "2001:db8::7",
    "::ffff:192.0.2.7": "::ffff:c000:207",
    "bücher.example": "xn--bcher-kva.example",
    "例え。テスト": "xn--r8jz45g.xn--zckzah",
    "a1.2b": "a1.2b",
}
NUMERIC = [
    "0x7f.1",
    "2130706433",
    "0177.0.0.1",
    "127.1",
    "0",
    "0x7f000001",
    "1.2.3.4.5",
    "a.0x",
    "256.1.1.1",
    "10.0.0.01",
]
UNICODE = ["①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1", "a\u200db.de", "٣.٣", "ex\u00adample.com", "℀.com", "\ud800.de"]  # noqa: RUF001  # the look-alike is what is tested
SYNTAX = [
    "",
    ".",
    "a..b",
    ".a",
    "a.",
    "-a",
    "a-",
    "a b",
    "a\n",
    "a/b",
    "@abstract",
    "/run/pg",
    "h:5432",
    "u@h",
    "a,b",
    "[::1]",
    "a" * 64,
    "a." * 127 + "a",
    "*",
    "a%2eb",
]
ZONES = ["fe80::1%lo", "fe80::1%25lo", "::1%", "127.0.0.1%lo"]


@pytest.mark.parametrize(("host", "spelling"), HOSTS.items())
def test_a_host_is_brought_into_its_one_spelling(host: str, spelling: str) -> None:
    config = read_new(make_type(host=wellhead.Host).shape, {"name": "n", "type": "mine", "host": host})
    assert config.model_dump()["host"] == spelling


@pytest.mark.parametrize("host", NUMERIC)
def test_N_02_an_address_in_an_unusual_spelling_is_refused(host: str) -> None:
    assert codes("deep", host=host) == {"/host": "host_syntax"}
    assert codes("web", url=f"http://{host}/") == {"/url": "url_syntax"}


@pytest.mark.parametrize("host", UNICODE)
def test_N_03_characters_that_stand_for_digits_and_dots_are_refused(host: str) -> None:
    with pytest.raises(PydanticCustomError, match="not a host name"):
        check_host(host)


@pytest.mark.parametrize("host", ZONES)
def test_N_21_zones_are_refused(host: str) -> None:
    assert codes("deep", host=host) == {"/host": "host_syntax"}
    assert codes("web", url=f"https://[{host}]/") == {"/url": "url_syntax"}


@pytest.mark.parametrize("host", SYNTAX)
def test_N_10_what_is_no_host_is_refused(host: str) -> None:
    assert codes("deep", host=host) == {"/host": "host_syntax"}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
@settings(max_examples=300, deadline=None)
def test_a_host_that_is_taken_stays_what_it_is(host: str) -> None:
    try:
        spelling = check_host(host)
    except PydanticCustomError:
        return
    assert check_host(spelling) == spelling
    assert re.fullmatch(r"[a-z0-9._:-]{1,253}", spelling)


@pytest.mark.parametrize("port", [1, 65535, 5432])
def test_a_port_in_range_is_taken(port: int) -> None:
    assert problems("mydb", port=port) == []


@pytest.mark.parametrize(("port", "code"), [(0, "out_of_range"), (65536, "out_of_range"), (-1, "out_of_range")])
def test_a_port_out_of_range_is_refused(port: int, code: str) -> None:
    assert codes("mydb", port=port) == {"/port": code}


@pytest.mark.parametrize("value", [True, "5432", "1_0", 5.5, None, [5432], {"a": 1}])
def test_I_07_nothing_is_coerced_to_an_integer(value: object) -> None:
    assert codes("mydb", port=value) == {"/port": "wrong_type"}


@pytest.mark.parametrize("value", [5, True, None, ["x"], {"x": 1}, 1.5])
def test_I_07_nothing_is_coerced_to_a_text(value: object) -> None:
    found = codes("mydb", database=value, name=value, host=value)
    assert found == {"/name": "wrong_type", "/database": "wrong_type", "/host": "wrong_type"}


@pytest.mark.parametrize("value", ["yes", "true", 1, 0, "1", None])
def test_I_07_nothing_is_coerced_to_a_truth_value(value: object) -> None:
    shape = make_type(flag=bool).shape
    with pytest.raises(wellhead.WellheadError, match="Must be true or false"):
        read_new(shape, {"name": "n", "type": "mine", "flag": value})


@pytest.mark.parametrize("value", ["1.5", True, None])
def test_I_07_nothing_is_coerced_to_a_fraction(value: object) -> None:
    assert codes("deep", ratio=value) == {"/ratio": "wrong_type"}
    assert problems("deep", ratio=5) == []


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com",
        "http://localhost:8080/v1?page=1&q=a%20b",
        "https://[2001:db8::1]:8443/x;y=1",
        "http://192.0.2.1/",
    ],
)
def test_a_plain_url_is_taken_as_it_is(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example.com",
        "ftp://h/",
        "HTTPS//h",
        "https:/h",
        "https://",
        "https:///x",
        "https://h#f",
        "https://h\\@evil/",
        "https://h\\.evil/",
        "https://h%2eevil/",
        "https://h%00/",
        "https://h h/",
        "https://h/\n",
        "https://h\t/",
        "https://é/",
        "https://h:",
        "https://h:0",
        "https://h:99999",
        "https://h:8a",
        "https://h:80:90",
        "https://[::1",
        "https://[::1]x/",
        "https://h[::1]/",
        "https://[v1.abc]/",
        "https://..h/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://h/" + "x" * 2001,
    ],
)
def test_H_08_a_url_that_programs_read_differently_is_refused(url: str) -> None:
    assert set(codes("web", url=url).values()) == {"url_syntax"}


@pytest.mark.parametrize(
    "url",
    [
        "https://u:p@h/",
        "https://u@h/",
        "https://:p@h/",
        "https://h/?api_key=x",
        "https://h/?a=1&Access-Token=x",
        "https://h/?a=1;api_key=x",
        "https://h/?api%5Fkey=x",
        "https://h/?token",
        "https://h/?api_key%0a=x",
        "https://h/?sig=x",
        "https://h/?X-Amz-Signature=x",
        "https://h/?password=x",
    ],
)
def test_L_09_a_url_with_credentials_is_refused(url: str) -> None:
    assert codes("web", url=url) == {"/url": "credentials_in_url"}


@pytest.mark.parametrize(
    ("path", "code"),
    [("health", "url_syntax"), ("//evil.example/", "url_syntax"), ("/a#b", "url_syntax"), ("/\\evil", "url_syntax"),
     ("/a b", "url_syntax"), ("/é", "url_syntax"), ("", "url_syntax"), ("/a?api_key=x", "credentials_in_url")],
)  # fmt: skip
def test_L_09_H_08_a_health_path_stays_on_the_server_and_holds_no_key(path: str, code: str) -> None:
    assert codes("web", health_path=path) == {"/health_path": code}
    assert problems("web", health_path="/health?deep=1&x=%20") == []


@given(st.text("htps:/.?#[]@\\%a1 \t", max_size=24).map(lambda text: f"https://{text}"))
@settings(max_examples=300, deadline=None)
def test_H_08_a_url_that_is_taken_has_one_plain_host(url: str) -> None:
    if codes("web", url=url):
        return
    assert re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", urlsplit(url).hostname or "")
    assert "@" not in urlsplit(url).netloc


@pytest.mark.parametrize("path", ["a.csv", "data/a b.csv", "/srv/data/a.csv", "ünï/売上.csv", "a..b", "x" * 1024])
def test_a_plain_path_is_taken(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["", "/", "..", "../a", "a/../b", "a/..", "/../etc/passwd", "//a", "a//b", "a/", ".", "./a", "a/./b", "x" * 1025],
)
def test_F_01_a_path_that_leaves_or_bends_is_refused(path: str) -> None:
    assert codes("text", path=path) == {"/path": "path_syntax"}


@pytest.mark.parametrize("path", ["a\0b", "a\0", "\0", "a\nb", "a\x7fb"])
def test_F_08_control_characters_in_a_path_are_refused(path: str) -> None:
    assert codes("text", path=path) == {"/path": "control_character"}


@pytest.mark.parametrize("path", [".env", ".datasources/a.json", "a/.ssh/id", "~/a", "~root/a", "a/~b", "/home/.x/y"])
def test_F_09_hidden_components_are_refused(path: str) -> None:
    assert codes("text", path=path) == {"/path": "path_syntax"}


@pytest.mark.parametrize(
    "path",
    ["http://h/a.csv", "s3://bucket/a", "file:///etc/passwd", "\\\\host\\share", "a\\b", "C:a", "data:x", "s3:a"],
)
def test_F_17_what_is_no_path_but_an_address_is_refused(path: str) -> None:
    assert codes("text", path=path) == {"/path": "path_syntax"}


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0", "\r", "\x7f"])
def test_H_01_control_characters_in_header_values_are_refused(value: str) -> None:
    assert codes("web", headers={"X-A": value}) == {"/headers/X-A": "header_value"}
    assert codes("web", secret_headers={"X-A": value}) == {"/secret_headers/X-A": "control_character"}


@pytest.mark.parametrize("name", ["", " X", "X ", "X Y", "X:", "X\r\nY", "X\0", "Ü", "x" * 101, "a(b)", "X\t", '"X"'])
def test_H_02_a_header_name_is_a_token(name: str) -> None:
    assert set(codes("web", headers={name: "v"}).values()) <= {"header_name", "control_character"}
    assert codes("web", headers={name: "v"})
    assert codes("web", secret_headers={name: "v"})
    assert codes("web", auth_type="api_key", api_key="k", api_key_header=name)


@pytest.mark.parametrize(
    "name", ["Host", "content-LENGTH", "Transfer-Encoding", "Connection", "TE", "Upgrade", "Expect"]
)
def test_H_03_headers_that_steer_the_connection_are_refused(name: str) -> None:
    assert codes("web", headers={name: "v"}) == {f"/headers/{name}": "header_name"}
    assert codes("web", secret_headers={name: "v"}) == {f"/secret_headers/{name}": "header_name"}


@pytest.mark.parametrize("value", ["é", "a\u2028b", "😀", "", " a", "a ", "a\tb", "x" * 4097])
def test_H_11_header_values_are_visible_ascii(value: str) -> None:
    assert set(codes("web", headers={"X-A": value}).values()) == {"header_value"}


@pytest.mark.parametrize("value", ["é", " a", "a ", "😀"])
def test_H_11_secrets_that_travel_in_headers_are_visible_ascii_too(value: str) -> None:
    assert codes("web", secret_headers={"X-A": value}) == {"/secret_headers/X-A": "header_value"}
    assert codes("web", auth_type="bearer", token=value) == {"/token": "header_value"}
    assert codes("web", auth_type="api_key", api_key=value) == {"/api_key": "header_value"}


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-API-Key", "x-auth-token", "My-Secret", "X-Apikey-2"])
def test_a_header_that_usually_holds_a_secret_belongs_to_the_secret_ones(name: str) -> None:
    assert codes("web", headers={name: "v"}) == {f"/headers/{name}": "secret_header"}
    assert problems("web", secret_headers={name: "v"}) == []


@pytest.mark.parametrize("name", ["utf-8", "UTF_16", "windows-1252", "latin1", "shift_jis", "cp037"])
def test_a_text_encoding_is_taken(name: str) -> None:
    assert check_encoding(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nope",
        "rot13",
        "base64",
        "hex",
        "zip",
        "bz2",
        "idna",
        "punycode",
        "undefined",
        "unicode_escape",
        "unicode-escape",
        "raw_unicode_escape",
        "../x",
        "utf-8\0",
        "x" * 5000,
    ],
)
def test_what_is_no_text_encoding_is_refused(name: str) -> None:
    assert codes("text", encoding=name) == {"/encoding": "unknown_encoding"}


def test_R_04_no_spelling_of_an_encoding_is_remembered() -> None:
    before = len(encodings._cache)  # type: ignore[attr-defined]  # there is no other way to see it
    for number in range(100):
        codes("text", encoding=f"no-such-encoding-{number}")
        assert codes("text", encoding=f"utf{'-_ '[number % 3] * (number // 3)}_8") == {}
    assert len(encodings._cache) <= before + 1  # type: ignore[attr-defined]  # as above


@pytest.mark.parametrize(
    ("pem", "fits"),
    [
        ("-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n", True),
        ("# a comment\r\n" + "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n" * 2, True),
        ("-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n", False),
        (
            (
                "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"
                "-----BEGIN PRIVATE KEY-----\nA\n-----END PRIVATE KEY-----\n"
            ),
            False,
        ),
        ("-----BEGIN CERTIFICATE-----\nAA", False),
        ("-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nAA\n-----END CERTIFICATE-----\n", False),
        ("-----BEGIN CERTIFICATE----------END CERTIFICATE-----", False),
        ("/etc/ssl/ca.pem", False),
    ],
)
def test_a_certificate_is_a_pem_text_without_a_key(pem: str, fits: bool) -> None:
    assert codes("mydb", ca_certificate=pem) == ({} if fits else {"/ca_certificate": "pem_syntax"})


@pytest.mark.parametrize("line", ["-----BEGIN CERTIFICATE-----", "-----BEGIN A-----", "-----BEGIN ", "-----END A-----"])
def test_G_15_a_certificate_is_refused_in_no_time_however_often_it_begins(line: str) -> None:
    began = time.process_time()
    assert codes("mydb", ca_certificate=line * 16_000) == {"/ca_certificate": "pem_syntax"}
    assert time.process_time() - began < 1


def test_field_writes_what_forms_show_into_the_schema() -> None:
    shape = make_type(
        size=(int, wellhead.field(5, group="Limits", order=3, placeholder="5", harmless=True, ge=1))
    ).shape
    written = shape.model.model_json_schema()["properties"]["size"]
    shown = {"x-group": "Limits", "x-order": 3, "x-placeholder": "5", "x-harmless": True, "minimum": 1, "default": 5}
    assert shown.items() <= written.items()
    assert is_harmless(shape.model.model_fields["size"])
