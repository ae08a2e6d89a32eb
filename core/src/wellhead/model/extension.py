"""The interface of a type: what a plugin provides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, get_args, runtime_checkable

from wellhead.errors import TypeRefusedError
from wellhead.model.check_code import CheckCode
from wellhead.model.parameters import parameters_of
from wellhead.model.shape import shape_of
from wellhead.model.source import DataSourceConfig
from wellhead.model.validator import ValidatorClass

API_VERSION = "1.0"
"""The version of the plugin interface: the second number counts what was added, the first what was broken."""


Migration = Callable[[dict[str, Any]], dict[str, Any]]
"""Brings the stored fields of a type from one version of its schema to the next."""


@runtime_checkable
class DataSourceTypeExtension(Protocol):
    """What core asks of a type. `DataSourceType` is the ready-made way to provide it."""

    def get_type_name(self) -> str:
        """Return the type's name, such as `postgres`."""
        ...

    def get_model_class(self) -> type[DataSourceConfig]:
        """Return the model of its configurations."""
        ...

    def get_validator_class(self) -> ValidatorClass | None:
        """Return what validates them; None if the type cannot be validated."""
        ...

    def get_connection_parameters(self) -> list[dict[str, Any]]:
        """Return the parameters that forms and the command line ask for."""
        ...


@dataclass(frozen=True, slots=True)
class DataSourceType:
    """A type as a plain record: each fact is written once, the rest comes from the model.

    Attributes:
        model: The model; its `type` is a `Literal` of the type's name.
        validator: A `Validator`, or a plain function of a configuration and a context; None if there is nothing
            to validate.
        title: The name for people; made from the type's name if left out.
        description: One sentence; the first line of the model's docstring if left out.
        icon: An emoji or a short text for lists, of up to 16 characters. No image: what shows types need run or load
            nothing.
        docs_url: Where the type is documented.
        requires_api: The versions of core's interface that it works with: `1`, or a range such as `>=1.1,<2` (PEP 440).
        errors: What exceptions of the driver mean: names of exception classes (of the exception or one of its bases)
            to codes of checks. Where a driver numbers its errors, with the number as the exception's first argument
            (an SQLSTATE too), the number can stand for the class: `{"1045": "auth_failed"}`.
        environment: Variables that the type's own tools read, each with the field that it is set from by
            `wellhead run`, such as `{"PGHOST": "host"}`.
        preload: Modules to import before the first validation, such as `("mydriver",)`. Each validation has a process
            of its own, which has them already; what is not listed is imported anew by each.
        codes: Codes of checks that are the type's own, each with what it means:
            `{"not_sqlite": CheckCode("The file is no SQLite database.", cause="…", remedy="…")}`. The name is of
            lower-case words joined by `_`, and is none of core's. Core never takes one that begins with a type's name.
        examples: Valid configurations to start from, as the API takes them, without `type` and `name`. If left out,
            one is made of the examples of the fields that are required.
        schema_version: The version of the model's schema: 1, and one more with each change that would make stored
            data sources unfit, such as a field that was renamed.
        migrations: How stored data sources of older versions come to this one: for each version from 1 to the one
            before `schema_version`, a small pure function that takes the type's fields as that version stored them,
            and returns them as the next one does. A stored secret is an opaque object in its place: it may be moved
            to another key, or left out.
    """

    model: type[DataSourceConfig]
    validator: ValidatorClass | None = None
    title: str | None = None
    description: str | None = None
    icon: str | None = None
    docs_url: str | None = None
    requires_api: str = "1"
    errors: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    preload: Sequence[str] = ()
    codes: Mapping[str, CheckCode] = field(default_factory=dict, kw_only=True)
    examples: Sequence[Mapping[str, Any]] = field(default=(), kw_only=True)
    schema_version: int = field(default=1, kw_only=True)
    migrations: Mapping[int, Migration] = field(default_factory=dict, kw_only=True)

    def get_type_name(self) -> str:
        """Return the one value of the model's `type`.

        Raises:
            TypeRefusedError: `type` is not a `Literal` of one name.
        """
        names = get_args(self.model.model_fields["type"].annotation)
        if len(names) != 1 or not isinstance(names[0], str):
            raise TypeRefusedError(
                "type-not-literal",
                f'{self.model.__name__}.type must name the type, once: type: Literal["mytype"] = "mytype"',
            )
        return names[0]

    def get_model_class(self) -> type[DataSourceConfig]:
        """Return the model."""
        return self.model

    def get_validator_class(self) -> ValidatorClass | None:
        """Return the validator."""
        return self.validator

    def get_connection_parameters(self) -> list[dict[str, Any]]:
        """Return the parameters, derived from the model's fields."""
        return parameters_of(shape_of(self.model))
