"""Types of data sources for tests, as authors of plugins would write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

import wellhead
from wellhead import clock
from wellhead.catalog.documents import read_new
from wellhead.errors import InputError
from wellhead.model.extension import DataSourceType
from wellhead.model.secret import SecretFacts
from wellhead.model.shape import Shape
from wellhead.model.source import BASE_FIELDS
from wellhead.plugins.registry import RegisteredType, describe
from wellhead.storage.changes import change_of
from wellhead.storage.records import Record
from wellhead.storage.stored import StoredDataSource

SET_AT = clock.from_text("2026-11-23T08:15:00.120Z")
FACTS = SecretFacts(SET_AT, 1)
SOURCE_ID = "0b1f0c7e-6b0a-4a53-9d39-0c7f4f1f2a11"


class Strict(BaseModel):
    """A nested model as the registry wants it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Proxy(Strict):
    host: wellhead.Host
    notes: Annotated[str, wellhead.MultiLine()] = ""
    password: wellhead.Secret | None = None


class Basic(Strict):
    kind: Literal["basic"]
    user: str
    password: wellhead.Secret


class Bearer(Strict):
    kind: Literal["bearer"]
    token: wellhead.Secret


def _fails(value: str) -> str:
    if value == "raise value":
        raise ValueError(f"the value {value} is wrong")
    if value == "raise key":
        raise KeyError(value)
    return value


class DeepSource(wellhead.DataSourceConfig):
    """Secrets at every place where they may be."""

    type: Literal["deep"] = "deep"
    host: wellhead.Host = "localhost"
    count: int = 1
    ratio: float = 1.0
    note: Annotated[str, AfterValidator(_fails)] = ""
    retries: Annotated[int, wellhead.Harmless()] = 3
    password: wellhead.Secret | None = None
    tokens: dict[str, wellhead.Secret] = Field(default_factory=dict)
    proxy: Proxy | None = None
    proxies: dict[str, Proxy] = Field(default_factory=dict)
    auth: Annotated[Basic | Bearer, Field(discriminator="kind")] | None = None
    tags: list[str] = Field(default_factory=list)
    options: dict[str, Any] = Field(default_factory=dict)
    either: int | str = 0


class DatabaseSource(wellhead.DatabaseDataSource):
    """A database."""

    connection_schemes: ClassVar[tuple[str, ...]] = ("mydb", "my")
    connection_options: ClassVar[dict[str, str]] = {"sslmode": "tls_mode", "application_name": "application_name"}

    type: Literal["mydb"] = "mydb"
    port: wellhead.Port = wellhead.field(5432, description="TCP port.")
    application_name: str = wellhead.field("wellhead", harmless=True)


class ApiSource(wellhead.APIDataSource):
    """A web API."""

    type: Literal["web"] = "web"


class FileSource(wellhead.FileDataSource):
    """A file."""

    type: Literal["text"] = "text"
    format: Literal["text"] = "text"


DEEP = describe(DataSourceType(DeepSource)).shape
DATABASE = describe(DataSourceType(DatabaseSource)).shape
API = describe(DataSourceType(ApiSource)).shape
FILE = describe(DataSourceType(FileSource)).shape

MINIMAL: Mapping[str, dict[str, Any]] = {
    "deep": {"name": "warehouse", "type": "deep"},
    "mydb": {"name": "warehouse", "type": "mydb", "host": "db.example.com", "database": "sales", "username": "reader"},
    "web": {"name": "warehouse", "type": "web", "url": "https://api.example.com/v1"},
    "text": {"name": "warehouse", "type": "text", "path": "data/sales.txt"},
}
SHAPES: Mapping[str, Shape] = {"deep": DEEP, "mydb": DATABASE, "web": API, "text": FILE}


def document(type_name: str, **fields: Any) -> dict[str, Any]:
    """Return a document that fits its type, with some fields of the caller's."""
    return {**MINIMAL[type_name], **fields}


def problems(type_name: str, **fields: Any) -> list[dict[str, Any]]:
    """Return what is wrong with a document for a new data source; nothing if it fits."""
    try:
        read_new(SHAPES[type_name], document(type_name, **fields))
    except InputError as error:
        return [problem.as_document() for problem in error.problems]
    return []


def codes(type_name: str, **fields: Any) -> dict[str, str]:
    """Return the codes of what is wrong, by pointer."""
    return {problem["pointer"]: problem["code"] for problem in problems(type_name, **fields)}


def stored(type_name: str, *, revision: int = 1, **fields: Any) -> StoredDataSource:
    """Return a data source as the store has it, with its secrets as facts."""
    shape = SHAPES[type_name]
    config = read_new(shape, document(type_name, **fields))
    dumped = config.model_dump(mode="json", exclude=set(BASE_FIELDS))
    change = change_of(shape, None, config)
    facts = {pointer: SecretFacts(SET_AT, 1, secret.reference) for pointer, secret in change.secrets.items()}
    instant = clock.to_text(SET_AT)
    plain = shape.without_secrets(dumped)
    record = Record(
        SOURCE_ID, type_name, config.name, config.description, config.labels, instant, instant, revision, plain
    )
    blank = tuple(name for name in shape.secret_fields() if dumped.get(name, "") is None)
    found = StoredDataSource(SOURCE_ID, "ok", config.name, type_name, revision, config, record, plain, facts, blank)
    read = {name: value for name, value in found.as_document().items() if name not in {"state", "health"}}
    sealed = shape.model.model_validate_json(json.dumps(read), strict=True)
    return StoredDataSource(SOURCE_ID, "ok", config.name, type_name, revision, sealed, record, plain, facts, blank)


def make_type(type_name: str = "mine", **annotations: Any) -> RegisteredType:
    """Make and describe a type with these fields, each an annotation or a pair of annotation and default."""
    return describe(DataSourceType(make_model(type_name, **annotations)))


def make_model(type_name: str = "mine", **annotations: Any) -> type[wellhead.DataSourceConfig]:
    """Make a model with these fields, each an annotation or a pair of annotation and default."""
    pairs = {name: value if isinstance(value, tuple) else (value,) for name, value in annotations.items()}
    members: dict[str, Any] = {
        "__annotations__": {"type": Literal[type_name], **{name: pair[0] for name, pair in pairs.items()}},
        "__module__": __name__,
        "type": type_name,
        **{name: pair[1] for name, pair in pairs.items() if len(pair) > 1},
    }
    made = type(wellhead.DataSourceConfig)("MadeSource", (wellhead.DataSourceConfig,), members)
    assert issubclass(made, wellhead.DataSourceConfig)
    return made
