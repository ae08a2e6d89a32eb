"""What a setting must be, in plain words, and where a user's directories are."""

from __future__ import annotations

import os
import re
from pathlib import Path

RULES = {
    "token": "must be 16 to 512 visible ASCII characters, without spaces",
    "port": "must be an integer from 0 to 65535",
    "workers": "must be an integer from 1 to 64",
    "shutdown_delay": "must be a number of seconds, from 0 to 300",
    "metrics_public": "must be true or false",
    "log_format": "must be text or json",
    "log_level": "must be debug, info, warning or error",
    "file_roots": "must be absolute paths, in a variable with commas between them",
    "reference_dirs": "must be absolute paths, in a variable with commas between them",
    "allowed_hosts": "must be host names, in a variable with commas between them",
    "reference_env": "must be patterns of variables' names, in a variable with commas between them",
    "oidc_issuer": "must be a text",
    "oidc_audience": "must be a text",
    "oidc_jwks_url": "must be a text",
    "oidc_algorithms": "must be of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and Ed25519",
    "oidc_user_claim": "must be a text",
    "oidc_workspace_claim": "must be a text",
    "oidc_role_claim": "must be a text",
    "oidc_roles": "must be rules such as data-team=editor, in a variable with commas between them",
    "behind_proxy": "must be true or false",
    "trusted_proxies": "must be addresses or networks, in a variable with commas between them",
    "cors_origins": "must be origins such as https://app.example.com, in a variable with commas between them",
    "public_docs": "must be true or false",
    "page": "must be true or false",
    "session_seconds": "must be an integer from 60 to 2592000",
    "require_if_match": "must be true or false",
    "history": "must be an integer from 0 to 200",
    "reference_allow": "must be rules such as env:NAME@host, in a variable with commas between them",
    "egress_allow": "must be networks, addresses or host names, in a variable with commas between them",
    "egress_deny": "must be networks, addresses or host names, in a variable with commas between them",
    "validation_timeout": "must be a number of seconds, more than 0 and at most 3600",
    "validation_timeout_max": "must be a number of seconds, more than 0 and at most 3600",
    "validation_workers": "must be an integer from 1 to 1000",
    "validation_queue": "must be an integer from 0 to 100000",
    "validation_memory": "must be an integer of megabytes, from 64 to 65536",
    "recheck_seconds": "must be 0, or a number of seconds from 10 to 31536000",
    "plugins_allow": "must be names of distributions, in a variable with commas between them",
    "plugins_deny": "must be names of distributions, in a variable with commas between them",
    "plugins_prefer": "must be rules such as postgres=wellhead-postgres, one for a type, with commas between them",
    "plugins_strict": "must be true or false",
    "limit_read": "must be a rate such as 600/minute, or off",
    "limit_write": "must be a rate such as 600/minute, or off",
    "limit_validate": "must be a rate such as 600/minute, or off",
    "limit_logins": "must be a rate such as 600/minute, or off",
    "limits_redis": "must be an address such as redis://127.0.0.1:6379/0",
    "quota": "must be an integer from 0 to 1000000",
    "connections": "must be a number from 16 to 100000",
    "body_timeout": "must be a number of seconds, more than 0 and at most 3600",
    "audit_required": "must be true or false",
    "audit_size": "must be an integer of megabytes, from 1 to 1024",
    "audit_kept": "must be an integer from 0 to 1000",
    "host": "must be a text",
    "keys": "must be the text of a key ring",
}
"""What a setting must be, in plain words; every other one is a path."""

DISTRIBUTION = re.compile("[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"},
)
ROLE_RULE = re.compile(r"[^=\x00-\x1f\x7f]{1,200}=(viewer|editor|admin)")
ORIGIN = re.compile(r"https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?")
RATE = re.compile("[1-9][0-9]{0,8}/(second|minute|hour)")
TYPE_NAME = re.compile("[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")


def default_config_directory() -> Path:
    """Return the user's configuration directory for Wellhead (XDG Base Directory Specification)."""
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (base if base.is_absolute() else Path("~/.config").expanduser()) / "wellhead"


def default_cache_directory() -> Path | None:
    """Return the user's directory for what can be made again (XDG Base Directory Specification), if there is a home."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (base if base.is_absolute() else Path("~/.cache").expanduser()) / "wellhead"
    except RuntimeError:
        return None
