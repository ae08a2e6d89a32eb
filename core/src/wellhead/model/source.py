"""`DataSourceConfig`, the base of every type's model."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from wellhead.clock import from_text, to_text
from wellhead.model.conditions import Conditions, check_conditions, conditions_of
from wellhead.model.markers import MultiLine, is_multi_line
from wellhead.model.texts import (
    Location,
    check_label_key,
    check_name,
    control_characters,
    is_plainly_safe,
    unsafe_numbers,
)

TYPE_NAME = r"^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$"

Name = Annotated[str, AfterValidator(check_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 100})]
LabelKey = Annotated[
    str,
    AfterValidator(check_label_key),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9._/-]{1,63}$", "maxLength": 63}),
]
LabelValue = Annotated[str, Field(max_length=200)]
Description = Annotated[str, MultiLine(), Field(max_length=2000)]


def _read_instant(value: Any) -> Any:
    """Read an instant: a type with a validator of `mode="before"` gets JSON as Python's values, and texts are none."""
    if isinstance(value, str):
        with suppress(ValueError):
            return from_text(value)
    return value


Instant = Annotated[datetime, BeforeValidator(_read_instant)]


class DataSourceConfig(BaseModel):
    """The configuration of one data source: the base of the model of every type.

    A type's model derives from it, or from one of its families, and sets `type` to a `Literal` of its name. Unknown
    fields are refused, and an instance never changes. `id`, `created_at`, `updated_at` and `revision` are made by
    the server, and are None until the data source is saved.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=False)

    multi_line_fields: ClassVar[frozenset[str]] = frozenset()
    conditions: ClassVar[Conditions] = {}

    id: UUID | None = Field(None, description="Made by the server.")
    name: Name = Field(description="A name for people, unique in its workspace.", examples=["warehouse"])
    type: str = Field(description="The data source's type.", pattern=TYPE_NAME, min_length=2, max_length=32)
    description: Description | None = Field(None, description="What it is and who owns it.")
    labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=32)] = Field(
        default_factory=dict,
        description="Keys and values for filtering.",
        examples=[{"team": "sales"}],
        json_schema_extra={"additionalProperties": False},
    )
    created_at: Instant | None = Field(None, description="Made by the server.")
    updated_at: Instant | None = Field(None, description="Made by the server.")
    revision: Annotated[int, Field(ge=1)] | None = Field(None, description="The number of this saved state.")

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Read the marks of the fields once."""
        super().__pydantic_init_subclass__(**kwargs)
        cls.multi_line_fields = frozenset(name for name, info in cls.model_fields.items() if is_multi_line(info))
        cls.conditions = conditions_of(cls.model_fields)

    @classmethod
    def expand_input(cls, document: dict[str, Any]) -> dict[str, Any]:
        """Take shorthands of the input apart into fields; a family may have some, the base has none.

        Raises:
            InputError: A shorthand does not fit.
        """
        return document

    @field_validator("*", mode="after")
    @classmethod
    def _refuse_unsafe_values(cls, value: Any, info: ValidationInfo) -> Any:
        if is_plainly_safe(value):
            return value
        multi_line = info.field_name in cls.multi_line_fields or info.field_name == "description"
        found: list[tuple[Literal["control_character", "out_of_range"], Location]] = []
        found += [("control_character", path) for path in control_characters(value, multi_line=multi_line)]
        found += [("out_of_range", path) for path in unsafe_numbers(value)]
        if found:
            problems = [
                InitErrorDetails(type=PydanticCustomError(kind, kind), loc=path, input=None) for kind, path in found
            ]
            raise ValidationError.from_exception_data(cls.__name__, problems, hide_input=True)
        return value

    @field_serializer("created_at", "updated_at", when_used="json")
    def _write_instant(self, instant: datetime | None) -> str | None:
        return None if instant is None else to_text(instant)

    @model_validator(mode="after")
    def _check_conditions(self) -> Self:
        check_conditions(self)
        return self


BASE_FIELDS = frozenset(DataSourceConfig.model_fields)
SERVER_FIELDS = ("id", "created_at", "updated_at", "revision")
RESERVED_FIELDS = BASE_FIELDS | frozenset(
    ("state", "health", "created_by", "updated_by", "owner", "workspace", "schema_version", "etag", "links", "meta")
)
"""Names that no type may define, so that core can grow without breaking a plugin."""
