"""Texts of plugins: fit to be shown."""

from __future__ import annotations

import pytest

from wellhead.codes import CODES
from wellhead.model.check_code import CheckCode
from wellhead.validation.wording import Wording

SECRET = "correct-horse-battery"


@pytest.mark.parametrize("characters", range(40))
def test_G_13_where_a_fact_is_cut_no_part_of_a_secret_is_left(characters: int) -> None:
    wording = Wording([SECRET])
    for _ in range(79):
        wording.fact("x" * 200)
    wording.fact("x" * (200 - characters))

    assert str(wording.fact(f"say {SECRET}")).find("corr") == -1


@pytest.mark.parametrize(
    ("secret", "fact", "shown"),
    [("48151623", 48151623, "[redacted]"), ("481516.23", 481516.23, "[redacted]"), (SECRET, 48151623, 48151623)],
)
def test_G_13_a_number_that_is_a_secret_is_not_shown(secret: str, fact: float, shown: object) -> None:
    assert Wording([secret]).fact(fact) == shown


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\nb", "a\r\nb", "a\u202eb", "a\x9bb", "a\x00b", "a\u2028b"])
def test_no_text_controls_a_terminal_or_breaks_a_line(text: str) -> None:
    wording = Wording([SECRET])

    texts = [wording.word(text), wording.line(text), str(wording.fact(text)), *wording.fact([text])]
    made = wording.check(text, "failed", "code", message=text, hint=text, fields=[text])

    for shown in (*texts, made.name, made.message, made.hint):
        assert shown is not None
        assert shown.isprintable()


def test_a_code_of_the_types_own_brings_its_texts_and_a_check_may_say_others() -> None:
    odd = CheckCode("It is odd.", cause="Somebody added one.", remedy="Add another one.")
    wording = Wording(["odd"], codes={"odd_one": odd, "auth_failed": odd})

    plain = wording.check("login", "failed", "odd_one")
    exact = wording.check("login", "failed", "odd_one", message="It is 7.", hint="Make it 8.")
    cores = wording.check("login", "failed", "auth_failed")

    assert (plain.code, plain.message, plain.hint) == ("odd_one", "It is odd.", "Add another one.")
    assert (exact.message, exact.hint) == ("It is 7.", "Make it 8.")
    assert cores.message == CODES["auth_failed"].title
