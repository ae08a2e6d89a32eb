"""The token of local mode."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from support.probe import open_descriptors
from support.workers import make_tokens, together
from wellhead.access.token import LocalToken
from wellhead.errors import SettingsError


def test_A_03_a_token_is_made_of_256_random_bits_in_a_private_file(tmp_path: Path) -> None:
    one, other = (
        LocalToken(tmp_path / "a" / "token").read_or_make(),
        LocalToken(tmp_path / "b" / "token").read_or_make(),
    )
    assert re.fullmatch(r"wh_[\w-]{43}", one)
    assert one != other
    assert (tmp_path / "a" / "token").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


def test_a_token_that_was_made_is_read_again(tmp_path: Path) -> None:
    assert LocalToken(tmp_path / "token").read_or_make() == LocalToken(tmp_path / "token").read_or_make()


def test_processes_that_make_the_first_token_at_once_agree(tmp_path: Path) -> None:
    found = together(make_tokens, 3, tmp_path, 15)
    assert found == [found[0]] * 3


def test_only_the_right_token_fits(tmp_path: Path) -> None:
    token = LocalToken(tmp_path / "token")
    right = token.read_or_make().encode()
    assert token.fits(right)
    for wrong in (b"", right[:-1], right + b"x", right.swapcase(), b"\xff" * 46, b"x" * 100_000):
        assert not token.fits(wrong)


def test_a_token_that_was_given_is_used_and_no_file_is_looked_at(tmp_path: Path) -> None:
    token = LocalToken(tmp_path / "token", "a-token-of-our-own")
    assert token.fits(b"a-token-of-our-own")
    assert token.path is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666])
def test_a_token_file_that_others_may_read_or_write_is_refused_and_left_as_it_is(tmp_path: Path, mode: int) -> None:
    token = LocalToken(tmp_path / "token")
    token.read_or_make()
    (tmp_path / "token").chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        token.read_or_make()
    assert (tmp_path / "token").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"short", b"x" * 513, b"with a space inside it", "é".encode() * 20, b"\0" * 20]
)
def test_a_file_without_a_token_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    (tmp_path / "token").chmod(0o600)
    with pytest.raises(SettingsError, match="has no token") as caught:
        LocalToken(tmp_path / "token").read_or_make()
    assert "inside" not in str(caught.value)


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("other"), lambda path: path.symlink_to("token")]
)
def test_what_is_no_file_is_refused_without_leaving_a_descriptor_open(tmp_path: Path, make: Any) -> None:
    (tmp_path / "other").write_bytes(b"a-token-of-somebody-else")
    make(tmp_path / "token")
    before = open_descriptors()
    with pytest.raises(SettingsError, match="cannot be used"):
        LocalToken(tmp_path / "token").read_or_make()
    assert open_descriptors() == before


def test_a_token_that_cannot_be_made_is_an_error_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SettingsError, match="cannot be used"):
        LocalToken(tmp_path / "file" / "token").read_or_make()
