"""The encryption of single secrets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellhead import base64url
from wellhead.secrets.cipher import SealBrokenError, seal, unseal
from wellhead.secrets.keyring import Key

KEY = Key("k1", "primary", bytes(range(32)))
OTHER = Key("k2", "primary", bytes(32))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(TEXT, st.binary(max_size=50))
def test_what_was_sealed_opens_again(plaintext: str, bound_to: bytes) -> None:
    assert unseal(KEY, seal(KEY, plaintext, bound_to=bound_to), bound_to=bound_to) == plaintext


@given(TEXT, st.data())
def test_C_06_C_07_a_box_with_any_byte_changed_does_not_open(plaintext: str, data: st.DataObject) -> None:
    box = seal(KEY, plaintext, bound_to=b"here")
    place = data.draw(st.integers(0, len(box) - 1))
    character = data.draw(st.characters().filter(lambda other: other != box[place]))
    with pytest.raises(SealBrokenError):
        unseal(KEY, box[:place] + character + box[place + 1 :], bound_to=b"here")


@given(st.binary(max_size=300).map(base64url.encode) | st.text(max_size=300))
def test_C_08_no_other_text_is_a_box(text: str) -> None:
    with pytest.raises(SealBrokenError):
        unseal(KEY, text, bound_to=b"")


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_a_box_opens_in_its_own_place_only(here: bytes, there: bytes) -> None:
    box = seal(KEY, "x", bound_to=here)
    if here != there:
        with pytest.raises(SealBrokenError):
            unseal(KEY, box, bound_to=there)


def test_C_09_a_box_does_not_open_with_another_key() -> None:
    with pytest.raises(SealBrokenError):
        unseal(OTHER, seal(KEY, "x", bound_to=b""), bound_to=b"")


def test_C_16_no_two_boxes_share_anything() -> None:
    boxes = [base64url.decode(seal(KEY, "same", bound_to=b"same")) for _ in range(200)]
    for part in (slice(0, 32), slice(32, -16), slice(-16, None)):
        assert len({box[part] for box in boxes}) == len(boxes)


@pytest.mark.parametrize(("one", "other"), [("a", "a" * 63), ("é" * 5, "x" * 40)])
def test_a_box_does_not_tell_how_long_the_secret_is(one: str, other: str) -> None:
    assert len(seal(KEY, one, bound_to=b"")) == len(seal(KEY, other, bound_to=b""))


@pytest.mark.parametrize(
    "change", [lambda box: box + "=", lambda box: box + "A", lambda box: box[:-1], lambda box: box + "\n"]
)
def test_C_07_padding_and_additions_are_refused(change) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SealBrokenError):
        unseal(KEY, change(seal(KEY, "x", bound_to=b"")), bound_to=b"")


@given(st.text())
def test_C_07_a_value_has_one_base64url_text_only(text: str) -> None:
    try:
        data = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(data) == text
