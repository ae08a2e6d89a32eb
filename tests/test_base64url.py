"""Base64url, read strictly."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wellhead import base64url


@given(st.binary(max_size=80))
@settings(max_examples=100, deadline=None)
def test_bytes_come_back(data: bytes) -> None:
    text = base64url.encode(data)
    assert "=" not in text
    assert base64url.decode(text) == data


@given(st.text("AZaz09-_+/= \n", max_size=12))
@settings(max_examples=300, deadline=None)
def test_C_07_there_is_one_text_for_one_value(text: str) -> None:
    try:
        data = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(data) == text


@pytest.mark.parametrize("text", ["AA==", "AB", "A", "A+8", "A/8", "AA A", "AA\n", "ÄÄ", "AA=", "=", "AAAA=", "\ud800"])
def test_C_07_padding_foreign_characters_and_spare_bits_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        base64url.decode(text)
