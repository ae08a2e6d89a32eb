"""Keys for other purposes than encryption, derived from those of the ring (HKDF-SHA256, RFC 5869)."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wellhead.secrets.keyring import KEY_BYTES, Key


def derive(key: Key, purpose: str) -> bytes:
    """Return the key for a purpose, which tells nothing of the ring's key, nor of the key for another purpose.

    Args:
        key: A key of the ring.
        purpose: What it is for; never that which secrets are encrypted under.

    Returns:
        32 bytes, the same ones in every process that has the ring.
    """
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"wellhead {purpose}".encode()).derive(
        key.material
    )
