"""The key ring in a variable."""

import json

import pytest

from support.canary import Canary
from wellhead.errors import KeyRingDamagedError, KeyRingError
from wellhead.secrets.key_variable import VariableKeys
from wellhead.secrets.keyring import KeyRing


def test_a_ring_is_read_from_its_text() -> None:
    ring = KeyRing.first()
    keys = VariableKeys(ring.to_bytes().decode())
    assert keys.ring().primary == ring.primary
    assert keys.ring() is keys.ring_for_writing()


@pytest.mark.parametrize("text", ["", "{}", "AAAA", "\udcff", "correct horse battery staple"])
def test_C_14_another_text_is_no_ring_and_is_not_repeated(text: str, canary: Canary) -> None:
    for given in (text, text + canary.secret()):
        with pytest.raises(KeyRingDamagedError, match="WELLHEAD_KEYS") as caught:
            VariableKeys(given).ring_for_writing()
        canary.saw(str(caught.value))
        assert caught.value.__cause__ is None


def test_a_ring_in_a_variable_is_not_changed_and_the_error_says_how_to() -> None:
    text = KeyRing.first().to_bytes().decode()
    keys = VariableKeys(text)
    with pytest.raises(KeyRingError, match="WELLHEAD_KEY_FILE") as caught:
        keys.change(lambda ring: ring or KeyRing.first())
    assert json.loads(text)["keys"][0]["key"] not in str(caught.value)
