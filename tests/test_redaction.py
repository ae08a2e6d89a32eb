"""Keeping secrets out of texts."""

import base64
import html
import json
import re
import time
import unicodedata
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellhead.secrets.redaction import REDACTED, Redactor

SECRETS = ["hunter2", "pä ss/wörd+&'\"", "a-very-long-secret-" * 5, "tab\tand\nbreak", "日本語の秘密"]
ALIKE = "sS\u017fiI\u0131\u0130kK\u212a\u00b5\u03bcßẞ"
"""Letters of which some are the same where case does not matter."""
SPELLINGS: list[Callable[[str], str]] = [
    str,
    str.upper,
    lambda secret: quote(secret, safe=""),
    quote_plus,
    html.escape,
    json.dumps,
    lambda secret: json.dumps(secret, ensure_ascii=False),
    repr,
    lambda secret: base64.b64encode(secret.encode()).decode(),
    lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    lambda secret: secret.encode().hex(),
    lambda secret: secret.encode().hex().upper(),
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("spell", SPELLINGS)
def test_L_24_a_secret_is_hidden_however_it_is_spelt(secret: str, spell: Callable[[str], str]) -> None:
    spelt = spell(secret)
    cleaned = Redactor([secret]).clean(f"login of x failed: {spelt}, said the server", limit=1000)
    assert REDACTED in cleaned
    assert spelt.strip("'\"=") not in cleaned
    assert cleaned.startswith("login of x failed: ")
    assert cleaned.endswith(", said the server")


@pytest.mark.parametrize("user", ["", "a", "ab", "abc", "reader", "é"])
@pytest.mark.parametrize("after", ["", "\n", "@host"])
def test_L_10_a_server_that_shows_the_authorization_header_does_not_show_the_password(user: str, after: str) -> None:
    header = base64.b64encode(f"{user}:correct horse battery{after}".encode()).decode()
    cleaned = Redactor(["correct horse battery"]).clean(f"Basic {header} is wrong")
    assert "correct" not in _decoded(cleaned)
    assert "horse" not in _decoded(cleaned)
    assert REDACTED in cleaned


def _decoded(text: str) -> str:
    """Return what anyone can read out of the base64 in a text, wherever it starts."""
    characters = [character for character in text if character.isalnum() or character in "+/"]
    found = [base64.b64decode("".join(characters[start:])[: (len(characters) - start) // 4 * 4]) for start in range(4)]
    return " ".join(data.decode("latin-1") for data in found)


@pytest.mark.parametrize("splitter", ["\0", "\n", "\x1b", "\u200b", "\u202e", "\ufeff"])
def test_L_10_a_server_cannot_split_a_secret_with_characters_that_are_taken_out(splitter: str) -> None:
    cleaned = Redactor(["hunter2"]).clean(f"no: {splitter.join('hunter2')}")
    assert cleaned == f"no: {REDACTED}"


@given(st.text(min_size=4), st.text(), st.text())
def test_no_text_around_a_secret_uncovers_it(secret: str, before: str, after: str) -> None:
    cleaned = Redactor([secret]).clean(before + secret + after, limit=10_000)
    visible = "".join(character for character in secret if unicodedata.category(character)[0] != "C")
    if visible and visible not in REDACTED and len(visible) >= 4:
        assert visible not in cleaned.replace(REDACTED, "\n")


@pytest.mark.parametrize("text", ["'x1!' is wrong", "(x1!)", "x1!", "pw=x1!;"])
def test_a_short_secret_is_hidden_where_it_stands_alone(text: str) -> None:
    assert "x1!" not in Redactor(["x1!"]).clean(text)


def test_a_short_secret_does_not_take_words_apart() -> None:
    assert Redactor(["at"]).clean("what attack is at work") == f"what attack is {REDACTED} work"


@given(st.text(), st.lists(st.text(max_size=20), max_size=3), st.integers(1, 300))
def test_L_24_what_is_returned_is_short_and_has_no_control_characters(
    text: str, secrets: list[str], limit: int
) -> None:
    cleaned = Redactor(secrets).clean(text, limit=limit)
    assert len(cleaned) <= limit
    assert not any(unicodedata.category(character)[0] == "C" for character in cleaned)


def test_without_secrets_a_text_stays_as_it_is() -> None:
    assert Redactor([]).clean("plain") == Redactor([""]).clean("plain") == "plain"


def test_a_long_text_is_cut_after_the_secret_was_hidden() -> None:
    cleaned = Redactor(["hunter2hunter2"]).clean("x" * 190 + "hunter2hunter2")
    assert "hunter" not in cleaned
    assert len(cleaned) == 200


def test_a_secret_where_a_long_text_is_cut_is_not_shown_in_part() -> None:
    secret = "correct horse battery"
    filler = "\n" * (20_000 - 10)

    assert Redactor([secret]).clean(filler + secret) == ""


def test_of_a_very_long_text_only_the_beginning_is_looked_at() -> None:
    assert Redactor(["secret"]).clean("x" * 10_000_000, limit=5) == "xxxx…"


@given(st.text(ALIKE, min_size=4, max_size=12), st.data())
def test_L_24_a_secret_is_hidden_in_letters_that_are_the_same(secret: str, data: st.DataObject) -> None:
    same = [[letter for letter in ALIKE if re.fullmatch(letter, one, re.IGNORECASE)] for one in secret]
    written = "".join(data.draw(st.sampled_from(letters)) for letters in same)
    assert Redactor([secret]).clean(f"no: {written}") == f"no: {REDACTED}"


@pytest.mark.parametrize(("count", "length"), [(5, 15_000), (50, 4_000)])
def test_G_15_long_secrets_keep_nobody_waiting(count: int, length: int) -> None:
    secrets = [f"{number:04}<" * (length // 5) for number in range(count)]
    began = time.process_time()
    assert Redactor(secrets).clean(f"no: {secrets[-1]}") == f"no: {REDACTED}"
    assert time.process_time() - began < 1
