"""Encryption of single secrets: AES-256-GCM, with a key that is used once.

For each secret a fresh 32-byte salt is drawn, and a key is derived from the ring's key and that salt with
HKDF-SHA256 (RFC 5869). As no derived key is ever used twice, the nonce is fixed. The associated data say where the
secret belongs; with any other, it does not open. The text is padded to a multiple of 64 bytes to hide its length.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wellhead import base64url
from wellhead.secrets.keyring import KEY_BYTES, Key

SCHEME = "hkdf-sha256+aes-256-gcm"

_SALT_BYTES = 32
_TAG_BYTES = 16
_BLOCK = 64
_NONCE = bytes(12)
_INFO = b"wellhead secret v1"


class SealBrokenError(Exception):
    """A sealed secret does not open: wrong key, wrong place, or damaged."""


def seal(key: Key, plaintext: str, *, bound_to: bytes) -> str:
    """Encrypt a secret.

    Args:
        key: The key of the ring to derive from.
        plaintext: The secret.
        bound_to: The associated data.

    Returns:
        Base64url of salt, ciphertext and tag.
    """
    salt = os.urandom(_SALT_BYTES)
    text = plaintext.encode("utf-8") + b"\x80"
    text += bytes(-len(text) % _BLOCK)
    return base64url.encode(salt + AESGCM(_derive(key, salt)).encrypt(_NONCE, text, bound_to))


def unseal(key: Key, sealed: str, *, bound_to: bytes) -> str:
    """Decrypt a secret.

    Raises:
        SealBrokenError: The key or the associated data are not those of the encryption, or the text is damaged.
    """
    try:
        data = base64url.decode(sealed)
    except ValueError:
        raise SealBrokenError from None
    if len(data) < _SALT_BYTES + _BLOCK + _TAG_BYTES or (len(data) - _SALT_BYTES - _TAG_BYTES) % _BLOCK:
        raise SealBrokenError
    salt, box = data[:_SALT_BYTES], data[_SALT_BYTES:]
    try:
        text = AESGCM(_derive(key, salt)).decrypt(_NONCE, box, bound_to)
    except InvalidTag:
        raise SealBrokenError from None
    return text[: text.rindex(b"\x80")].decode("utf-8")


def _derive(key: Key, salt: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=_INFO).derive(key.material)
