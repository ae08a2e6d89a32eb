"""Signatures that every process of a service knows, and nobody else can make."""

from pathlib import Path

import pytest

from support.probe import probe_of
from wellhead.access.signing import SIGNATURE_BYTES, RingKeys, Signer, TokenKeys
from wellhead.access.token import LocalToken
from wellhead.errors import KeyRingError
from wellhead.secrets.cipher import SealBrokenError, seal, unseal
from wellhead.secrets.derivation import derive
from wellhead.secrets.key_file import FileKeys
from wellhead.secrets.keyring import Key, KeyRing
from wellhead.storage.key_service import KeyService
from wellhead.storage.live_keys import LiveKeys

pytestmark = pytest.mark.anyio


def by_token(path: Path, token: str | None = None) -> Signer:
    return Signer(TokenKeys(LocalToken(path / "token", token)))


def by_ring(path: Path) -> Signer:
    """Return the signer of a process that uses the key ring of a directory."""
    return Signer(RingKeys(LiveKeys(FileKeys(path / "keys.json", may_create=lambda: True))))


def ring_of(path: Path) -> FileKeys:
    keys = FileKeys(path / "keys.json", may_create=lambda: True)
    keys.ring_for_writing()
    return keys


async def test_another_process_with_the_same_token_knows_the_signature(tmp_path: Path) -> None:
    signature = await by_token(tmp_path).sign(b"x")
    assert len(signature) == SIGNATURE_BYTES
    assert await by_token(tmp_path).fits(b"x", signature)
    assert not await by_token(tmp_path).fits(b"y", signature)
    assert not await by_token(tmp_path, "a-token-of-somebody-else").fits(b"x", signature)


async def test_another_process_with_the_same_key_ring_knows_the_signature(tmp_path: Path) -> None:
    ring_of(tmp_path)
    ring_of(tmp_path / "other")
    signature = await by_ring(tmp_path).sign(b"x")
    assert await by_ring(tmp_path).fits(b"x", signature)
    assert not await by_ring(tmp_path / "other").fits(b"x", signature)


async def test_a_signature_outlives_a_rotation_and_no_retirement(tmp_path: Path, workspace: Path) -> None:
    service = KeyService(probe_of(workspace).store, LiveKeys(ring_of(tmp_path)))
    running = by_ring(tmp_path)
    before = await running.sign(b"x")
    [old] = ring_of(tmp_path).ring().keys
    await service.rotate()
    assert await running.fits(b"x", before)
    after = await running.sign(b"x")
    assert after != before
    await service.retire(old.id)
    assert not await running.fits(b"x", before)
    assert await running.fits(b"x", after)


@pytest.mark.parametrize("signature", [b"", b"\0" * 16, b"x" * 15, b"x" * 17, b"x" * 1000])
async def test_no_other_signature_fits(tmp_path: Path, signature: bytes) -> None:
    assert not await by_token(tmp_path).fits(b"x", signature)


async def test_no_bit_of_a_signature_may_be_another(tmp_path: Path) -> None:
    signer = by_token(tmp_path)
    signature = await signer.sign(b"x")
    for place in range(SIGNATURE_BYTES * 8):
        changed = bytearray(signature)
        changed[place // 8] ^= 1 << place % 8
        assert not await signer.fits(b"x", bytes(changed))


class Gone:
    """Keys that cannot be had."""

    async def keys(self) -> list[bytes]:
        raise KeyRingError("gone")


async def test_C_21_without_a_key_ring_a_process_still_knows_what_it_signed_itself() -> None:
    signer = Signer(Gone())
    signature = await signer.sign(b"x")
    assert await signer.fits(b"x", signature)
    assert not await Signer(Gone()).fits(b"x", signature)


async def test_L_22_the_derived_key_is_no_key_of_the_ring_and_opens_no_secret() -> None:
    key = KeyRing.first().primary
    one, other = derive(key, "cursor v1"), derive(key, "cursor v2")
    assert len({one, other, key.material}) == 3
    sealed = seal(key, "hunter2", bound_to=b"here")
    with pytest.raises(SealBrokenError):
        unseal(Key(key.id, "primary", one), sealed, bound_to=b"here")
