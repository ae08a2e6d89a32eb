"""References to secrets."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.canary import Canary
from support.probe import open_descriptors
from wellhead.secrets.references import References, UnresolvedReferenceError


def refused(references: References, reference: str) -> str:
    with pytest.raises(UnresolvedReferenceError) as caught:
        references.resolve(reference)
    return str(caught.value)


def test_a_variable_that_is_allowed_is_looked_up_at_the_moment_of_use() -> None:
    variables = {"PG_PASSWORD": "one"}
    references = References(names=["PG_*"], environment=variables)
    assert references.resolve("env:PG_PASSWORD") == "one"
    variables["PG_PASSWORD"] = "two"
    assert references.resolve("env:PG_PASSWORD") == "two"


@pytest.mark.parametrize("name", ["HOME", "XPG_A", "pg_a", "WELLHEAD_TOKEN", "wellhead_token", "WELLHEADX", ""])
def test_other_variables_and_those_of_wellhead_are_refused(name: str) -> None:
    references = References(names=["PG_*", "WELL*", "well*"], environment={name: "value"})
    assert "do not allow" in refused(references, f"env:{name}")


def test_nothing_is_allowed_unless_the_settings_say_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("value")
    assert "do not allow" in refused(References(environment={"A": "value"}), "env:A")
    assert "do not allow" in refused(References(), f"file:{tmp_path}/file")


@pytest.mark.parametrize(
    ("content", "value"), [("v", "v"), ("v\n", "v"), ("v\r\n", "v"), ("v\n\n", "v\n"), ("é ", "é ")]
)
def test_of_a_file_one_line_break_at_the_end_is_no_part_of_the_secret(tmp_path: Path, content: str, value: str) -> None:
    (tmp_path / "file").write_bytes(content.encode())
    assert References(directories=[tmp_path]).resolve(f"file:{tmp_path}/file") == value


@pytest.mark.parametrize(
    "way",
    ["../outside", "in/../../outside", "link", "dirlink/outside", "/etc/hostname", "loop", "nothing", "in", "pipe", ""],
)
def test_no_way_leads_out_of_the_directories_that_are_allowed(tmp_path: Path, way: str) -> None:
    allowed = tmp_path / "allowed"
    (allowed / "in").mkdir(parents=True)
    (tmp_path / "outside").write_text("secret")
    (allowed / "link").symlink_to(tmp_path / "outside")
    (allowed / "dirlink").symlink_to(tmp_path)
    (allowed / "loop").symlink_to("loop")
    os.mkfifo(allowed / "pipe")
    before = open_descriptors()
    refused(References(directories=[allowed]), f"file:{allowed}/{way}")
    assert open_descriptors() == before


def test_links_inside_of_an_allowed_directory_are_followed_as_kubernetes_makes_them(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "password").write_text("value")
    (tmp_path / "password").symlink_to("..data/password")
    assert References(directories=[tmp_path]).resolve(f"file:{tmp_path}/password") == "value"


def test_the_keys_the_token_and_the_store_are_never_read(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    for name in ("keys.json", "token", "store/record.json"):
        (tmp_path / name).write_text("value")
    (tmp_path / "link").symlink_to("keys.json")
    forbidden = [tmp_path / "keys.json", tmp_path / "token", tmp_path / "store"]
    references = References(directories=[tmp_path], forbidden=forbidden)
    for name in ("keys.json", "token", "store/record.json", "link", "store/../token"):
        assert "do not allow" in refused(references, f"file:{tmp_path}/{name}")


@pytest.mark.parametrize("reference", ["", "env", "file:", "file:relative", "http://host/", "KEY:x", "file:./a"])
def test_anything_else_is_refused(reference: str) -> None:
    refused(References(names=["*"], directories=[Path("/")], environment={}), reference)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"a\0b", b"a\x1b[1m", b"x" * (64 * 1024 + 1)])
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    refused(References(directories=[tmp_path]), f"file:{tmp_path}/file")


@pytest.mark.parametrize("value", ["", "a\0b", "\udcff"])
def test_a_variable_that_holds_no_secret_is_refused(value: str) -> None:
    refused(References(names=["A"], environment={"A": value}), "env:A")


@given(st.text(max_size=50), st.text(max_size=300))
@example("file", "\0")
@example("file", "a" * 300)
def test_any_reference_resolves_or_is_refused(kind: str, target: str) -> None:
    references = References(names=["*"], directories=[Path("/nowhere")], environment={"A": "b"})
    for reference in (f"{kind}:{target}", f"env:{target}", f"file:/nowhere/{target}"):
        try:
            assert references.resolve(reference)
        except UnresolvedReferenceError:
            continue


def test_no_refusal_shows_a_value(tmp_path: Path, canary: Canary) -> None:
    secret = canary.secret()
    (tmp_path / "file").write_text(secret + "\0")
    canary.put_into(tmp_path / "file")
    canary.saw(refused(References(directories=[tmp_path]), f"file:{tmp_path}/file"))
    canary.saw(refused(References(names=["B"], environment={"A": secret}), "env:A"))
