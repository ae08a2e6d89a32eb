"""The registry: which types there are, and what each is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from wellhead.errors import TypeRefusedError, UnknownTypeError
from wellhead.model.check_code import CheckCode
from wellhead.model.extension import DataSourceType, DataSourceTypeExtension, Migration
from wellhead.model.shape import Shape, shape_of
from wellhead.model.source import DataSourceConfig
from wellhead.model.validator import ValidatorClass
from wellhead.plugins.record_rules import check_examples, check_record
from wellhead.plugins.rules import check_base, check_model, check_name, check_parameters

Parameters = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class RegisteredType:
    """One type in the registry.

    Attributes:
        name: Its name, such as `postgres`.
        shape: What core knows of its model.
        validator: What validates its data sources; None if nothing does.
        tell_parameters: Tells what forms and the command line ask for.
        title: Its name for people.
        description: One sentence.
        icon: A short text or emoji.
        docs_url: Where it is documented.
        errors: What exceptions of its driver mean: class names to codes of checks.
        codes: Codes of its checks that are its own, and what they mean.
        examples: Whole configurations to start from.
        schema_version: The version of its model's schema.
        migrations: What brings stored fields from each older version of the schema to the next.
        environment: Variables that its own tools read, each with the field that it is set from.
        preload: Modules that are imported before the first validation.
        entry_point: Name and value of the entry point that it came by; None if it was registered by hand.
        distribution: The name of the distribution that provides it; None if it was registered by hand.
        version: The distribution's version.
        load_ms: How long loading its plugin took, in milliseconds; None if it was registered by hand.
    """

    name: str
    shape: Shape
    validator: ValidatorClass | None
    tell_parameters: Callable[[], Parameters]
    title: str
    description: str | None = None
    icon: str | None = None
    docs_url: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, CheckCode] = field(default_factory=dict)
    examples: tuple[dict[str, Any], ...] = ()
    schema_version: int = 1
    migrations: Mapping[int, Migration] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    preload: tuple[str, ...] = ()
    entry_point: tuple[str, str] | None = None
    distribution: str | None = None
    version: str | None = None
    load_ms: float | None = None

    @property
    def model(self) -> type[DataSourceConfig]:
        """The model of its configurations."""
        return self.shape.model

    @property
    def parameters(self) -> Parameters:
        """What forms and the command line ask for."""
        return self.tell_parameters()


class DataSourceTypeRegistry:
    """The types that there are. An object like any other: two may live in one process."""

    def __init__(self) -> None:
        self._types: dict[str, RegisteredType] = {}

    def register_type(
        self, type_name: str, model_class: type[DataSourceConfig], validator_class: ValidatorClass | None
    ) -> None:
        """Register a type made of a model and a validator.

        Raises:
            TypeRefusedError: It breaks a rule, or the name is taken.
        """
        described = describe(DataSourceType(model_class, validator_class))
        if described.name != type_name:
            raise TypeRefusedError(
                "name-mismatch", f"The model's type is '{described.name}', but it is registered as '{type_name}'."
            )
        self.add(described)

    def add(self, described: RegisteredType) -> None:
        """Add a type that `describe` has checked.

        Raises:
            TypeRefusedError: The name is taken.
        """
        if described.name in self._types:
            other = self._types[described.name].distribution
            raise TypeRefusedError("name-taken", f"There is a type '{described.name}' already, from {other or 'here'}.")
        self._types[described.name] = described

    def get_type(self, type_name: str) -> tuple[type[DataSourceConfig], ValidatorClass | None]:
        """Return a type's model and validator.

        Raises:
            UnknownTypeError: No such type is registered.
        """
        found = self.describe(type_name)
        return found.model, found.validator

    def describe(self, type_name: str) -> RegisteredType:
        """Return all that is known of a type.

        Raises:
            UnknownTypeError: No such type is registered.
        """
        try:
            return self._types[type_name]
        except KeyError:
            raise unknown_type(self.list_types()) from None

    def find(self, type_name: str) -> RegisteredType | None:
        """Return all that is known of a type; None if it is not registered."""
        return self._types.get(type_name)

    def list_types(self) -> list[str]:
        """Return the names of the types, sorted."""
        return sorted(self._types)


def unknown_type(installed: list[str]) -> UnknownTypeError:
    """Make the error for a type that nobody provides, with what is installed or what to install."""
    if installed:
        return UnknownTypeError(f"No such type; installed: {', '.join(installed)}.", installed=installed)
    return UnknownTypeError("No type is installed. Install one, for example: pip install wellhead-files")


def describe(extension: DataSourceTypeExtension, *, is_held: bool = False) -> RegisteredType:
    """Check a type against the rules of the registry, and read all that core needs of it.

    Args:
        extension: The type.
        is_held: Whether it is known to keep the rules, so that those that take long need not be looked at again.

    Raises:
        TypeRefusedError: It breaks a rule; the message says which, and how to mend it.
    """
    model = extension.get_model_class()
    check_base(model)
    name = extension.get_type_name()
    check_name(name)
    shape = shape_of(model) if is_held else check_model(name, model)
    validator = extension.get_validator_class()
    if validator is not None and not callable(validator):
        raise TypeRefusedError(
            "validator-not-callable", f"The validator of '{name}' is neither a class nor a function."
        )
    more = extension if isinstance(extension, DataSourceType) else DataSourceType(model)
    check_record(more)
    parameters = cache(lambda: check_parameters(shape, extension.get_connection_parameters()))
    if not is_held or type(extension).get_connection_parameters is not DataSourceType.get_connection_parameters:
        parameters()  # now, while what a plugin's own code raises is expected
    summary = (model.__doc__ or "").strip().partition("\n")[0]
    return RegisteredType(
        name=name,
        shape=shape,
        validator=validator,
        tell_parameters=parameters,
        title=more.title or name.replace("-", " ").capitalize(),
        description=more.description or summary or None,
        icon=more.icon,
        docs_url=more.docs_url,
        errors=dict(more.errors),
        codes=dict(more.codes),
        examples=check_examples(name, shape, more.examples),
        schema_version=more.schema_version,
        migrations=dict(more.migrations),
        environment=more.environment,
        preload=tuple(more.preload),
    )
