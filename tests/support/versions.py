"""One type in three versions of its schema, as an author would let it grow, and its data sources in each."""

from __future__ import annotations

from typing import Any, Literal

import pydantic

import wellhead

Fields = dict[str, Any]


class FirstSource(wellhead.DataSourceConfig):
    """The first version."""

    type: Literal["probe"] = "probe"
    hostname: str
    timeout_ms: int = wellhead.field(1000, harmless=True)
    password: wellhead.Secret | None = None
    tokens: dict[str, wellhead.Secret] = wellhead.field(default_factory=dict)
    legacy_key: wellhead.Secret | None = None


class SecondSource(wellhead.DataSourceConfig):
    """The second one: `hostname` is `host`, `password` is `passphrase`, and `legacy_key` is gone."""

    type: Literal["probe"] = "probe"
    host: str
    timeout_ms: int = wellhead.field(1000, harmless=True)
    passphrase: wellhead.Secret | None = None
    tokens: dict[str, wellhead.Secret] = wellhead.field(default_factory=dict)


class Login(pydantic.BaseModel):
    """A nested model with a secret in it."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    passphrase: wellhead.Secret | None = None


class ThirdSource(wellhead.DataSourceConfig):
    """The third one: the time-out is in seconds, the passphrase is in a model of its own, and tokens are headers."""

    type: Literal["probe"] = "probe"
    host: str
    port: int = 443
    timeout: float = wellhead.field(1.0, harmless=True)
    login: Login | None = None
    headers: dict[str, wellhead.Secret] = wellhead.field(default_factory=dict)


def to_second(fields: Fields) -> Fields:
    """Rename a field and a secret, and drop another secret."""
    fields["host"] = fields.pop("hostname")
    if "password" in fields:
        fields["passphrase"] = fields.pop("password")
    fields.pop("legacy_key", None)
    return fields


def to_third(fields: Fields) -> Fields:
    """Change the unit of a field, nest a secret, and rename a map of secrets."""
    fields["timeout"] = fields.pop("timeout_ms") / 1000
    if "passphrase" in fields:
        fields["login"] = {"passphrase": fields.pop("passphrase")}
    fields["headers"] = fields.pop("tokens")
    return fields


FIRST = wellhead.DataSourceType(FirstSource)
SECOND = wellhead.DataSourceType(SecondSource, schema_version=2, migrations={1: to_second})
THIRD = wellhead.DataSourceType(ThirdSource, schema_version=3, migrations={1: to_second, 2: to_third})


def second_with(migration: Any, model: type[wellhead.DataSourceConfig] = SecondSource) -> wellhead.DataSourceType:
    """Return the second version with another migration."""
    return wellhead.DataSourceType(model, schema_version=2, migrations={1: migration})
