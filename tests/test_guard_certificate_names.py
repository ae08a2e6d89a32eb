"""For whom a certificate is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellhead.guard.certificate_names import names_of


@pytest.mark.parametrize(
    ("alternatives", "names"),
    [
        ([("DNS", "db.example.com"), ("DNS", "*.DB.example.com")], ("db.example.com", "*.db.example.com")),
        ([("IP Address", "192.0.2.7"), ("IP Address", "2001:DB8:0:0:0:0:0:7")], ("192.0.2.7", "2001:db8::7")),
        ([("DNS", "a"), ("DNS", "A"), ("DNS", "b"), ("DNS", "c"), ("DNS", "d"), ("DNS", "e")], ("a", "b", "c", "d")),
        ([("email", "root@example.com"), ("URI", "https://example.com"), ("DirName", "x")], ()),
        ([("DNS", "call 555"), ("DNS", "<b>"), ("DNS", ""), ("DNS", "x" * 81), ("IP Address", "<invalid>")], ()),
    ],
)
def test_a_few_names_are_shown(alternatives: list[tuple[str, str]], names: tuple[str, ...]) -> None:
    assert names_of(alternatives) == names


@given(st.lists(st.tuples(st.sampled_from(["DNS", "IP Address"]), st.text())))
def test_N_18_whatever_a_certificate_says_only_names_come_out(alternatives: list[tuple[str, str]]) -> None:
    names = names_of(alternatives)

    assert len(names) <= 4
    assert all(re.fullmatch(r"[a-z0-9.*:-]{1,80}", name) for name in names)
