"""`Secret`: a value that is encrypted at rest and never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn, Self, final

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from wellhead.clock import from_text, to_text
from wellhead.errors import SecretUnavailableError
from wellhead.model.markers import MultiLine

_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_KEY_ENDS = re.compile(r"-----END [A-Z ]*PRIVATE KEY-----")
_REFERENCE = re.compile(r"(env:[A-Za-z_][A-Za-z0-9_]{0,254}|file:/[^\x00-\x1f\x7f]{1,1023})")
_FACT_NAMES = frozenset(("is_set", "set_at", "set_in_revision", "ref"))


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """What may be told of a stored secret.

    Attributes:
        set_at: When it was last set, in UTC.
        set_in_revision: In which revision of the data source.
        reference: Where its value comes from, such as `env:PG_PASSWORD`; None if the value itself is stored.
    """

    set_at: datetime
    set_in_revision: int
    reference: str | None = None

    def as_document(self) -> dict[str, Any]:
        """Return the form in which a secret is read."""
        document: dict[str, Any] = {
            "is_set": True,
            "set_at": to_text(self.set_at),
            "set_in_revision": self.set_in_revision,
        }
        if self.reference is not None:
            document["ref"] = self.reference
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read the form that `as_document` writes; the instant may be spelt in any way (RFC 3339).

        Raises:
            ValueError: It has another form.
        """
        if document.get("is_set") is not True or document.keys() - _FACT_NAMES:
            raise ValueError("not the facts of a secret")
        set_at, revision, reference = (document.get(key) for key in ("set_at", "set_in_revision", "ref"))
        if not isinstance(set_at, str) or type(revision) is not int or not isinstance(reference, str | None):
            raise ValueError("not the facts of a secret")
        return cls(from_text(set_at), revision, reference)

    @classmethod
    def is_document(cls, value: object) -> bool:
        """Tell whether a value is the form that `as_document` writes."""
        try:
            return isinstance(value, Mapping) and cls.from_document(value) is not None
        except ValueError:
            return False


_CHANGED_FACTS = SecretFacts(datetime(1970, 1, 1, tzinfo=UTC), 0)
"""Stands for facts that were changed since they were read: no stored secret has these, as revisions begin with 1."""


@final
class Secret:
    """A value that is encrypted at rest and never returned by the API.

    It is in one of three states: with its value in clear (`Secret("…")`), as a reference to where the value is to be
    found at the moment of use (`Secret.from_reference("env:PG_PASSWORD")`), or sealed: known to be stored, with the
    value out of reach (`is_sealed`). A validator of a type gets it in clear. A rule of a type's model may meet any
    of the three, and should pass over what is not in clear: `if secret.is_clear and …`.

    It shows its value only through `reveal()`: not when printed, compared, dumped or pickled.
    """

    __slots__ = ("_facts", "_reference", "_value")

    def __init__(self, value: str) -> None:
        self._value: str | None = value
        self._reference: str | None = None
        self._facts: SecretFacts | None = None

    @classmethod
    def from_reference(cls, reference: str) -> Self:
        """Make a secret whose value is looked up when it is used: `env:NAME` or `file:/path`."""
        secret = cls("")
        secret._value, secret._reference = None, reference
        return secret

    @classmethod
    def sealed(cls, facts: SecretFacts) -> Self:
        """Make a secret that stands for what is stored."""
        secret = cls("")
        secret._value, secret._facts = None, facts
        return secret

    def reveal(self) -> str:
        """Return the value in clear.

        Raises:
            SecretUnavailableError: The secret is sealed or an unresolved reference.
        """
        if self._value is None:
            raise SecretUnavailableError("The secret is not in clear here: use open_workspace(…).resolve(…).")
        return self._value

    @property
    def is_clear(self) -> bool:
        """True where `reveal()` gives the value."""
        return self._value is not None

    @property
    def is_sealed(self) -> bool:
        """True where the secret stands for what is stored."""
        return self._facts is not None

    @property
    def reference(self) -> str | None:
        """Where the value is to be found, such as `env:PG_PASSWORD`; None if this is no reference."""
        return self._reference

    @property
    def facts(self) -> SecretFacts | None:
        """What may be told of the stored secret; None if it is not sealed."""
        return self._facts

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._state() == other._state()

    def __hash__(self) -> int:
        return hash(self._state())

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")

    def _state(self) -> tuple[str | None, str | None, SecretFacts | None]:
        return self._value, self._reference, self._facts

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._read, serialization=core_schema.plain_serializer_function_ser_schema(_dump, when_used="json")
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "minLength": 1, "writeOnly": True, "x-secret": True}

    @classmethod
    def _read(cls, value: Any) -> Secret:
        """Take a secret in any of its written or read forms."""
        if isinstance(value, Secret):
            return value
        if isinstance(value, str):
            if not value:
                raise PydanticCustomError("secret_empty", "A secret may not be empty.")
            return cls(value)
        if value is None:
            raise PydanticCustomError("required", "The field is required.")
        if isinstance(value, dict) and value.keys() == {"ref"}:
            if not isinstance(value["ref"], str) or not _REFERENCE.fullmatch(value["ref"]):
                raise PydanticCustomError("reference_syntax", "The reference cannot be used.")
            return cls.from_reference(value["ref"])
        try:
            return cls.sealed(SecretFacts.from_document(value))
        except (ValueError, AttributeError):
            if isinstance(value, dict) and "is_set" in value and value.keys() <= _FACT_NAMES:
                return cls.sealed(_CHANGED_FACTS)
            raise PydanticCustomError("secret_form", "A secret has none of the accepted forms.") from None


def _dump(secret: Secret) -> dict[str, Any]:
    """Dump the facts: what is not stored yet has none but that it is set."""
    if secret.facts is not None:
        return secret.facts.as_document()
    return {"is_set": True} if secret.reference is None else {"is_set": True, "ref": secret.reference}


def _check_private_key(secret: Secret) -> Secret:
    if secret.is_clear:
        text = secret.reveal()
        if "ENCRYPTED" in text:
            raise PydanticCustomError("pem_encrypted", "The private key is encrypted.")
        begin = _KEY_BEGINS.search(text)  # one pattern for all of it would look for the end again from every beginning
        if begin is None or not _KEY_ENDS.search(text, begin.end() + 1):
            raise PydanticCustomError("pem_syntax", "This is not a private key in PEM form.")
    return secret


SecretPem = Annotated[Secret, MultiLine(), AfterValidator(_check_private_key)]
"""A secret private key in PEM form (RFC 7468), without a passphrase."""
