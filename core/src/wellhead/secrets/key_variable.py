"""The key ring in a variable, for machines that have no place for a file. It is read, and never written."""

from __future__ import annotations

from collections.abc import Callable

from wellhead.errors import InputError, KeyRingDamagedError, KeyRingError
from wellhead.secrets.keyring import KeyRing


class VariableKeys:
    """The key ring whose text the setting `WELLHEAD_KEYS` holds."""

    def __init__(self, text: str) -> None:
        """Hold the ring.

        Args:
            text: The text of the ring, as a key file has it.
        """
        self._text = text
        self._ring: KeyRing | None = None

    def known(self) -> KeyRing | None:
        """Return the ring, once it was read."""
        return self._ring

    def ring(self) -> KeyRing:
        """Return the ring.

        Raises:
            KeyRingDamagedError: The text is no key ring.
        """
        if self._ring is None:
            try:
                self._ring = KeyRing.from_bytes(self._text.encode("utf-8", errors="surrogateescape"))
            except (ValueError, InputError):
                message = "WELLHEAD_KEYS holds no key ring. It must be the whole text of a key file."
                raise KeyRingDamagedError(message) from None
        return self._ring

    def ring_for_writing(self) -> KeyRing:
        """Return the ring; none is made.

        Raises:
            KeyRingDamagedError: The text is no key ring.
        """
        return self.ring()

    def change(self, change: Callable[[KeyRing | None], KeyRing]) -> KeyRing:  # noqa: ARG002  # the interface's
        """Refuse, and say how the ring is changed.

        Raises:
            KeyRingError: Always.
        """
        raise KeyRingError(
            "The key ring is in WELLHEAD_KEYS, which is not changed from here. Put its text into a file, run the "
            "command with WELLHEAD_KEY_FILE instead of WELLHEAD_KEYS, and give the service the file's new text."
        )
