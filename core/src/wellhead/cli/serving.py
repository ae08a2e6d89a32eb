"""What is looked at before a service starts, and what is said of it."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator

from wellhead.codes import CODES
from wellhead.errors import SettingsError
from wellhead.guard import landlock
from wellhead.mounts import is_shared
from wellhead.settings import Settings, misspelt_variables


def check_settings(settings: Settings) -> None:
    """Look whether settings that belong together are there, and whether the certificate can be used.

    Raises:
        SettingsError: They are not, or it cannot.
    """
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise SettingsError("--tls-certificate and --tls-key belong together. Name both.")
    if settings.tls_certificate is not None and settings.tls_key is not None:
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(settings.tls_certificate, settings.tls_key, password=_no_password)
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"The certificate {settings.tls_certificate} and the key {settings.tls_key} cannot be used. Both must "
                "be PEM files that this user may read, the key must be the certificate's, and have no password."
            ) from error


def notes(settings: Settings) -> Iterator[str]:
    """Say what of this machine is less than it could be, and what a service for several users does not do."""
    for variable, meant in misspelt_variables().items():
        yield f"the variable {variable} is no setting, and does nothing. Did you mean {meant}?"
    if sys.platform != "linux":
        yield "on this system, validations are less isolated than on Linux."
    elif not landlock.is_supported():
        yield "this kernel has no Landlock: a plugin's validations can open files of yours."
    place = settings.workspace if settings.root is None else settings.root
    if is_shared(place.expanduser().absolute()):
        yield f"{CODES['store_on_network'].title} {CODES['store_on_network'].remedy}"
    if settings.root is not None:
        yield from _of_several_users(settings)


def _of_several_users(settings: Settings) -> Iterator[str]:
    if settings.egress_allow:
        yield "of private networks and this machine, only what WELLHEAD_EGRESS_ALLOW lists is dialled."
    else:
        yield "private networks and this machine are not dialled; WELLHEAD_EGRESS_ALLOW lists what may be."
    if not settings.reference_allow:
        yield "references to secrets are off; WELLHEAD_REFERENCE_ALLOW lists which may go to which hosts."
    if settings.host in {"0.0.0.0", "::"} and not settings.allowed_hosts:  # noqa: S104  # compared, not bound
        yield "it answers under the names in WELLHEAD_ALLOWED_HOSTS only, and there are none."


def _no_password() -> str:
    """Refuse to ask for the password of a key on the terminal."""
    raise ValueError("the key has a password")
