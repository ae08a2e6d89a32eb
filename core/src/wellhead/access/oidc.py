"""Telling by a token of OpenID Connect who sends a request: a JWT (RFC 7519), signed by the issuer of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from joserfc import jws
from joserfc.errors import JoseError

from wellhead import base64url, clock, strict_json
from wellhead.access.authentication import MAX_TOKEN_BYTES
from wellhead.access.jwks import IssuerKeys
from wellhead.access.policy import Role
from wellhead.access.principal import Principal, is_user_name, is_workspace_name
from wellhead.errors import MalformedJSONError, SettingsError
from wellhead.settings import Settings

_LEEWAY = 60
"""Seconds by which the clocks of the issuer and of this machine may differ."""

_LONGEST = 24 * 3600
"""Seconds: a token that is good for longer is refused."""

_ROLES: tuple[Role, ...] = get_args(Role)


class _AnyHeaders(jws.JWSRegistry):
    """Takes headers that are not used here, and those that are long; the whole token is not."""

    max_header_length = MAX_TOKEN_BYTES


class OpenIdConnect:
    """Believes one issuer, in what it signed for one audience by the algorithms of the settings."""

    def __init__(self, settings: Settings, keys: IssuerKeys | None = None) -> None:
        """Believe the issuer of the settings.

        Args:
            settings: The settings.
            keys: Its keys; those at the address of the settings if left out.

        Raises:
            SettingsError: The settings name an issuer, but not all that is needed.
        """
        needed = {"audience": settings.oidc_audience, "jwks_url": settings.oidc_jwks_url}
        missing = [f"WELLHEAD_OIDC_{name.upper()}" for name, value in needed.items() if not value]
        if missing or settings.oidc_issuer is None:
            names = " and ".join(missing or ["WELLHEAD_OIDC_ISSUER"])
            raise SettingsError(f"An issuer of tokens needs {names} too. Set it, or take WELLHEAD_OIDC_ISSUER away.")
        self._settings = settings
        self._keys = keys or IssuerKeys(settings.oidc_jwks_url or "")
        self._registry = _AnyHeaders(algorithms=list(settings.oidc_algorithms), strict_check_header=False)
        rules = (rule.partition("=") for rule in settings.oidc_roles)
        self._roles: Mapping[str, str] = {value: role for value, _, role in rules} or {role: role for role in _ROLES}

    async def principal_of(self, presented: bytes) -> Principal | None:
        """Return whose token it is, if all is well with it."""
        header = _header_of(presented)
        if header is None or header.get("alg") not in self._settings.oidc_algorithms or "crit" in header:
            return None
        key_id = header.get("kid")
        key = await self._keys.find(key_id) if isinstance(key_id, str) else None
        if key is None:
            return None
        try:
            signed = jws.deserialize_compact(presented, key, registry=self._registry)
            claims = strict_json.parse_object(signed.payload or b"")
        except (JoseError, MalformedJSONError, ValueError):
            return None
        return self._principal_in(claims) if self._are_good(claims) else None

    def _are_good(self, claims: Mapping[str, Any]) -> bool:
        """Tell whether claims are of the issuer, for the audience, and for now (RFC 7519, 4.1)."""
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        is_for_us = claims.get("iss") == self._settings.oidc_issuer and self._settings.oidc_audience in audiences
        now = int(clock.now().timestamp())
        ends, begins = claims.get("exp"), [claims[name] for name in ("nbf", "iat") if name in claims]
        return (
            is_for_us
            and isinstance(claims.get("sub"), str)
            and type(ends) is int
            and now - _LEEWAY < ends <= now + _LONGEST
            and all(type(begin) is int and begin <= now + _LEEWAY for begin in begins)
        )

    def _principal_in(self, claims: Mapping[str, Any]) -> Principal | None:
        user = claims.get(self._settings.oidc_user_claim)
        workspace = claims.get(self._settings.oidc_workspace_claim)
        role = self._role_in(claims.get(self._settings.oidc_role_claim))
        if role is None or not isinstance(user, str) or not isinstance(workspace, str):
            return None
        return Principal(user, workspace, role) if is_user_name(user) and is_workspace_name(workspace) else None

    def _role_in(self, claimed: Any) -> Role | None:
        """Return the role with the most rights of those that a claim means, which is a text or a list of texts."""
        values = claimed if isinstance(claimed, list) else [claimed]
        meant = {self._roles.get(value) for value in values if isinstance(value, str)}
        return next((role for role in reversed(_ROLES) if role in meant), None)


def _header_of(presented: bytes) -> dict[str, Any] | None:
    """Return the header of what may be a signed token; None if it has not the form of one."""
    parts = presented.split(b".")
    if len(presented) > MAX_TOKEN_BYTES or len(parts) != 3:  # noqa: PLR2004  # header, claims, signature
        return None
    try:
        return strict_json.parse_object(base64url.decode(parts[0].decode("ascii")))
    except (MalformedJSONError, ValueError):
        return None
