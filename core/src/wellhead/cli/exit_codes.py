"""What a command ends with."""

from __future__ import annotations

from wellhead.errors import InputError, SettingsError, WellheadError

EXIT_NO, EXIT_USAGE, EXIT_SETTINGS = 1, 2, 78


def exit_code(error: WellheadError) -> int:
    """Return the exit code of an error."""
    if isinstance(error, SettingsError):
        return EXIT_SETTINGS
    return EXIT_USAGE if isinstance(error, InputError) else EXIT_NO
