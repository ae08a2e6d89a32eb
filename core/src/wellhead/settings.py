"""The settings: environment variables `WELLHEAD_…`, and keys of one TOML file. The docs' table is made from it."""

from __future__ import annotations

import difflib
import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from wellhead.errors import SettingsError
from wellhead.setting_rules import (
    ALGORITHMS,
    DISTRIBUTION,
    ORIGIN,
    RATE,
    ROLE_RULE,
    RULES,
    TYPE_NAME,
    default_cache_directory,
    default_config_directory,
)

PREFIX = "WELLHEAD_"
_LEAST_RECHECK = 10
_TOML_PLACE = re.compile(r"\(at (line \d+, column \d+|end of document)\)$")


Words = Annotated[tuple[str, ...], NoDecode]
Paths = Annotated[tuple[Path, ...], NoDecode]


class Settings(BaseSettings):
    """All settings. A variable wins over the file; a list is written with commas in a variable."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True)

    workspace: Path = Field(Path(), description="The directory whose `.datasources` holds the data sources.")
    root: Path | None = Field(
        None,
        description="The directory of the workspaces of a service for several users, which `wellhead serve` is where "
        "this is set.",
    )
    config_dir: Path = Field(
        default_factory=default_config_directory,
        description="The directory for the key ring and the token; `~/.config/wellhead` if not set.",
    )
    cache_dir: Path | None = Field(
        default_factory=default_cache_directory,
        description="The directory for what can be made again, such as what trial imports of plugins found; "
        "`~/.cache/wellhead` if not set.",
    )
    key_file: Path | None = Field(
        None, description="The key ring; `keys.json` in the configuration directory if not set."
    )
    keys: str | None = Field(
        None,
        repr=False,
        description="The text of the key ring, where there is no place for a file; not together with `key_file`. "
        "Wellhead never changes it.",
    )
    token: str | None = Field(
        None,
        repr=False,
        pattern=r"^[\x21-\x7e]{16,512}$",
        description="The token of the REST API, 16 or more visible ASCII characters; made and kept in `token` in the "
        "configuration directory if not set.",
    )
    host: str = Field("127.0.0.1", description="The address that `wellhead serve` listens on.")
    port: int = Field(
        8000, ge=0, le=65535, description="The port that `wellhead serve` listens on; 0 takes a free one."
    )
    workers: int = Field(1, ge=1, le=64, description="How many processes of `wellhead serve` answer requests.")
    shutdown_delay: float = Field(
        0,
        ge=0,
        le=300,
        description="Seconds after SIGTERM for which `/readyz` answers 503 and all else goes on, until load balancers "
        "have turned away.",
    )
    oidc_issuer: str | None = Field(
        None,
        description="The issuer of OpenID Connect that a service for several users believes, as in `iss` of tokens.",
    )
    oidc_audience: str | None = Field(None, description="What those tokens must be for, as in their `aud`.")
    oidc_jwks_url: str | None = Field(
        None,
        description="Where the issuer's public keys are: an https address of a JWK Set; http on this machine only.",
    )
    oidc_algorithms: Words = Field(
        ("RS256",), description="The algorithms of signatures that are believed: asymmetric ones, such as `ES256`."
    )
    oidc_user_claim: str = Field("sub", description="The claim that names the user.")
    oidc_workspace_claim: str = Field("workspace", description="The claim that names the workspace.")
    oidc_role_claim: str = Field("role", description="The claim that names the role: a text, or a list of texts.")
    oidc_roles: Words = Field(
        (),
        description="What values of that claim mean, such as `data-team=editor`; if not set, they are names of roles.",
    )
    tls_certificate: Path | None = Field(
        None, description="The certificate of `wellhead serve`, with those between it and the root, in PEM; for HTTPS."
    )
    tls_key: Path | None = Field(None, description="The private key of that certificate, in PEM, without a password.")
    behind_proxy: bool = Field(
        False, description="Whether a reverse proxy in front of `wellhead serve` speaks HTTPS to the users."
    )
    trusted_proxies: Words = Field(
        ("127.0.0.1", "::1"),
        description="The addresses and networks of that proxy: only from there is `X-Forwarded-For` believed.",
    )
    cors_origins: Words = Field(
        (),
        description="Origins of web pages that may use the REST API, such as `https://app.example.com`.",
    )
    public_docs: bool = Field(
        False,
        description="Whether a service for several users shows `/openapi.json` and `/docs` to anybody; in local mode "
        "they are shown.",
    )
    page: bool = Field(True, description="Whether `wellhead serve` shows the page for browsers, at `/`.")
    session_seconds: int = Field(
        43_200,
        ge=60,
        le=2_592_000,
        description="Seconds after which somebody who signed in with a browser has to do so again.",
    )
    allowed_hosts: Words = Field(
        (), description="Host names under which the REST API answers, besides localhost and the address it listens on."
    )
    file_roots: Paths = Field((), description="Directories below which data sources may name files by absolute paths.")
    reference_env: Words = Field(
        (), description="Patterns of variables that secrets may refer to, such as `PG_*`; never `WELLHEAD_*`."
    )
    reference_dirs: Paths = Field((), description="Directories below which secrets may refer to files.")
    reference_allow: Words = Field(
        (),
        description="In a service for several users: which references may go to which hosts, such as "
        "`env:PG_*@*.example.com` or `file:/run/secrets/pg/*@db.example.com`. None may, if not set.",
    )
    history: int = Field(
        20,
        ge=0,
        le=200,
        description="How many former revisions of each data source are kept; 0 keeps none, from the next change on.",
    )
    require_if_match: bool = Field(
        False,
        description="Refuse changes that do not say which revision they were made for, by `If-Match` or by a "
        "`revision` in the body.",
    )
    egress_allow: Words = Field(
        (),
        description="Destinations that may be dialled although they are not public, such as `10.0.0.0/8` or "
        "`db.internal:5432`; of use only to a service for several users.",
    )
    egress_deny: Words = Field(
        (),
        description="Destinations that are never dialled, such as `10.0.0.0/8` or `*.corp.example:5432`, whatever "
        "allows them.",
    )
    validation_timeout: float = Field(10.0, gt=0, le=3600, description="Seconds that a validation may take.")
    validation_timeout_max: float = Field(
        60.0, gt=0, le=3600, description="The most seconds that a request may give to a validation."
    )
    validation_workers: int = Field(
        16,
        ge=1,
        le=1000,
        description="How many processes run validations at once; validating many takes half of them.",
    )
    validation_queue: int = Field(
        64, ge=0, le=100_000, description="How many validations may wait for a process; more are refused with 503."
    )
    validation_memory: int = Field(
        512, ge=64, le=65536, description="Megabytes of memory that the process of a validation may take."
    )
    recheck_seconds: float = Field(
        0,
        ge=0,
        le=31_536_000,
        description="Seconds after which `wellhead serve` validates each data source again, give or take a tenth; 0: "
        "never.",
    )
    plugins_allow: Words = Field(
        (), description="The distributions whose plugins are used, such as `wellhead-postgres`; all, if not set."
    )
    plugins_deny: Words = Field(
        (), description="Distributions whose plugins are not used, whatever allows them. They are not imported."
    )
    plugins_prefer: Words = Field(
        (),
        description="Which distribution provides a type that several claim, such as `postgres=wellhead-postgres`.",
    )
    plugins_strict: bool = Field(
        False, description="Whether a plugin that is broken, in conflict or incompatible stops the start of a service."
    )
    metrics_public: bool = Field(False, description="Whether `/metrics` needs no token.")
    limit_read: str = Field(
        "12000/minute", description="How often a user may read in a workspace, such as `600/minute` or `off`."
    )
    limit_write: str = Field(
        "3000/minute", description="How often a user may change something in a workspace, such as `60/minute` or `off`."
    )
    limit_validate: str = Field(
        "1200/minute", description="How often a user may validate in a workspace, such as `60/minute` or `off`."
    )
    limit_logins: str = Field(
        "300/minute",
        description="How often an address may send no token or a wrong one, such as `60/minute` or `off`. It never "
        "keeps out a valid token.",
    )
    limits_redis: str | None = Field(
        None,
        repr=False,
        description="The Redis in which all workers and machines count together, such as `redis://127.0.0.1:6379/0`; "
        "it needs `wellhead[redis-limits]`. If not set, each worker enforces its share.",
    )
    quota: int = Field(
        10_000, ge=0, le=1_000_000, description="How many data sources a workspace may have; 0: any number."
    )
    body_timeout: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="Seconds that a client may take to send the head of a request, and as many for its body.",
    )
    connections: int = Field(
        512,
        ge=16,
        le=100_000,
        description="How many connections each process keeps. Of more, the one that has waited for a request for the "
        "longest time is ended.",
    )
    audit_required: bool = Field(
        False,
        description="Whether a change needs an entry in the audit log on disk before it is made; it is refused where "
        "none can be written.",
    )
    audit_size: int = Field(
        10, ge=1, le=1024, description="Megabytes above which the file of the audit log is put aside."
    )
    audit_kept: int = Field(
        10, ge=0, le=1000, description="How many files of the audit log are kept besides the present one."
    )
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="What is logged: debug, info, warning or error."
    )
    log_format: str | None = Field(
        None,
        pattern="^(text|json)$",
        description="How the log is written: `text` or `json`; text to a terminal, JSON elsewhere, if not set.",
    )

    @field_validator(
        "allowed_hosts",
        "oidc_algorithms",
        "oidc_roles",
        "trusted_proxies",
        "cors_origins",
        "file_roots",
        "reference_env",
        "reference_dirs",
        "reference_allow",
        "egress_allow",
        "egress_deny",
        "plugins_allow",
        "plugins_deny",
        "plugins_prefer",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("recheck_seconds")
    @classmethod
    def _not_too_often(cls, value: float) -> float:
        if 0 < value < _LEAST_RECHECK:
            raise ValueError("too often")
        return value

    @field_validator("plugins_allow", "plugins_deny")
    @classmethod
    def _distributions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(DISTRIBUTION.fullmatch(name) for name in value):
            raise ValueError("must be names of distributions")
        return value

    @field_validator("oidc_algorithms")
    @classmethod
    def _asymmetric(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not ALGORITHMS.issuperset(value):
            raise ValueError("must be asymmetric algorithms")
        return value

    @field_validator("oidc_roles")
    @classmethod
    def _meanings(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(ROLE_RULE.fullmatch(rule) for rule in value):
            raise ValueError("must be rules")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(ORIGIN.fullmatch(origin) for origin in value):
            raise ValueError("must be origins")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)
        return value

    @field_validator("limit_read", "limit_write", "limit_validate", "limit_logins")
    @classmethod
    def _rates(cls, value: str) -> str:
        if value != "off" and not RATE.fullmatch(value):
            raise ValueError("must be a rate")
        return value

    @field_validator("plugins_prefer")
    @classmethod
    def _preferences(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        rules = [rule.partition("=") for rule in value]
        are_rules = all(TYPE_NAME.fullmatch(name) and DISTRIBUTION.fullmatch(found) for name, _, found in rules)
        if not are_rules or len({name for name, _, _ in rules}) < len(rules):
            raise ValueError("must be rules, one for a type")
        return value

    @field_validator("root", "config_dir", "cache_dir", "key_file", "tls_certificate", "tls_key")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser()

    @field_validator("file_roots", "reference_dirs")
    @classmethod
    def _absolute(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        expanded = tuple(path.expanduser() for path in value)
        if not all(path.is_absolute() for path in expanded):
            raise ValueError("must be absolute paths")
        return expanded

    @property
    def is_encrypted(self) -> bool:
        """Whether what users send is encrypted on its way, by this service or by a proxy in front of it."""
        return self.behind_proxy or (self.tls_certificate is not None and self.tls_key is not None)

    @property
    def sessions_path(self) -> Path:
        """Where the sessions of browsers are kept: in a directory of the root's own, or else of the configuration's."""
        return self.config_dir / "sessions" if self.root is None else self.root / ".sessions"

    @property
    def key_path(self) -> Path:
        """Where the key ring is."""
        return self.key_file or self.config_dir / "keys.json"

    @property
    def trials_path(self) -> Path | None:
        """Where it is kept what trial imports of plugins found."""
        return None if self.cache_dir is None else self.cache_dir / "plugins.json"

    @property
    def token_path(self) -> Path:
        """Where the token is kept."""
        return self.config_dir / "token"

    @property
    def private_files(self) -> tuple[Path, ...]:
        """What is never opened for a data source, wherever it lies: the key ring, the token, the key of HTTPS."""
        found = (self.key_path, self.token_path, self.tls_key)
        return tuple(path.absolute() for path in found if path is not None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # pydantic-settings calls it with all of them
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what the caller says, then variables; a file comes in by `load_settings`."""
        return init_settings, env_settings


def load_settings(config_file: Path | None = None, **given: Any) -> Settings:
    """Read the settings.

    Args:
        config_file: A TOML file whose keys are the settings' names.
        **given: Settings that win over everything else; None counts as not given.

    Raises:
        SettingsError: A setting does not fit; the message names each, with its rule.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    from_file = {} if config_file is None else _read_file(config_file)
    set_in_environment = {variable.upper() for variable in os.environ}
    variables = {name for name in Settings.model_fields if PREFIX + name.upper() in set_in_environment}
    defaults = {name: value for name, value in from_file.items() if name not in variables and name not in chosen}
    try:
        return Settings(**{**defaults, **chosen})
    except ValidationError as error:
        names = dict.fromkeys(str(item["loc"][0]).lower() for item in error.errors() if item["loc"])
        places = {name: f"{name} in {config_file}" if name in defaults else PREFIX + name.upper() for name in names}
        lines = [f"{places[name]}: {RULES.get(name, 'must be a path')}" for name in names]
        raise SettingsError(f"Settings that do not fit. {'; '.join(lines)}.") from None
    except RuntimeError as error:
        raise SettingsError("A path of the settings begins with ~ and a user who has no home directory.") from error


def _read_file(path: Path) -> dict[str, Any]:
    """Read a TOML file of settings.

    Raises:
        SettingsError: It cannot be read, or has a key that is no setting.
    """
    if not path.is_file():  # which the library would take for an empty one
        raise SettingsError(f"The settings file {path} does not exist, or is no file.")
    try:
        found = TomlConfigSettingsSource(Settings, path)()
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read by this user.") from error
    except ValueError as error:
        place = _TOML_PLACE.search(str(error))  # the rest can repeat what the file says
        where = f": see {place[1]}" if place else ""
        raise SettingsError(f"The settings file {path} cannot be read as TOML{where}.") from None
    unknown = sorted(found.keys() - Settings.model_fields.keys())
    if unknown:
        told = ", ".join(f"{name}{_likely(name)}" for name in unknown)
        known = ", ".join(Settings.model_fields)
        raise SettingsError(f"The settings file {path} has keys that are no settings: {told}. Known: {known}.")
    return found


def _likely(key: str) -> str:
    meant = _meant(key)
    return f" (did you mean {meant}?)" if meant else ""


def _meant(key: str) -> str | None:
    return next(iter(difflib.get_close_matches(key.lower(), Settings.model_fields, n=1, cutoff=0.8)), None)


def misspelt_variables() -> dict[str, str]:
    """Return the variables of the environment that are no settings, but nearly: what is set, and what was meant."""
    names = {variable: variable.removeprefix(PREFIX).lower() for variable in os.environ if variable.startswith(PREFIX)}
    found = {variable: _meant(name) for variable, name in sorted(names.items()) if name not in Settings.model_fields}
    return {variable: PREFIX + meant.upper() for variable, meant in found.items() if meant}
