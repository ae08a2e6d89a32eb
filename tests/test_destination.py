"""The hosts that a data source's secrets are sent to."""

from typing import Any, Literal

import pydantic
import pytest

import wellhead
from support.probe import ProbeSource
from wellhead.model.destination import hosts_of
from wellhead.model.shape import shape_of
from wellhead.secrets.reference_rules import ReferenceRule
from wellhead.secrets.references import References
from wellhead.validation.unlocking import resolve_references

LOGIN = {"name": "n", "port": 1, "database": "d", "username": "u"}


class Tunnel(pydantic.BaseModel):
    """A part of a type that names a host."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    gateway: wellhead.Host


class Database(wellhead.DatabaseDataSource):
    """A database that has other hosts besides."""

    type: Literal["probe-database"] = "probe-database"
    replicas: list[wellhead.Host] = wellhead.field(default_factory=list)
    tunnel: Tunnel | None = None
    portal: wellhead.Url | None = None
    note: str | None = None


class Service(wellhead.APIDataSource):
    """An API."""

    type: Literal["probe-api"] = "probe-api"


class File(wellhead.FileDataSource):
    """A file."""

    type: Literal["probe-file"] = "probe-file"


@pytest.mark.parametrize(
    ("more", "hosts"),
    [
        ({}, {"db.example.com"}),
        ({"note": "other.example.com"}, {"db.example.com"}),
        ({"replicas": ["r1.example.com", "10.0.0.5"]}, {"db.example.com", "r1.example.com", "10.0.0.5"}),
        ({"tunnel": {"gateway": "gw.example.com"}}, {"db.example.com", "gw.example.com"}),
        ({"portal": "https://Portal.example.com:8443/x"}, {"db.example.com", "portal.example.com"}),
    ],
)
def test_all_hosts_that_a_database_names_are_told(more: dict[str, Any], hosts: set[str]) -> None:
    assert hosts_of(Database(host="DB.example.com", **LOGIN, **more)) == hosts


def test_an_api_tells_where_it_logs_in_too() -> None:
    source = Service(
        name="n",
        url="https://[fd00::1]:8443/v1",
        auth_type="oauth2_client_credentials",
        token_url="https://login.example.com/token",
        client_id="c",
        client_secret=wellhead.Secret("s"),
    )
    assert hosts_of(source) == {"fd00::1", "login.example.com"}


def test_of_other_types_nobody_can_tell() -> None:
    assert hosts_of(ProbeSource(name="n", host="db.example.com")) is None
    assert hosts_of(File(name="n", path="x", format="f")) is None


@pytest.mark.parametrize(("host", "is_allowed"), [("db.example.com", True), ("attacker.net", False)])
def test_X_05_a_reference_is_looked_up_for_the_hosts_of_its_data_source_only(host: str, is_allowed: bool) -> None:
    source = Database(host=host, **LOGIN, password=wellhead.Secret.from_reference("env:PG"))  # type: ignore[arg-type]  # of different types
    rules = [ReferenceRule.from_text("env:PG@db.example.com")]
    references = References(environment={"PG": "value"}, mode="server", rules=rules)
    if is_allowed:
        resolved: Any = resolve_references(shape_of(Database), source, references)
        assert resolved.password.reveal() == "value"
    else:
        with pytest.raises(wellhead.WellheadError, match="WELLHEAD_REFERENCE_ALLOW"):
            resolve_references(shape_of(Database), source, references)
