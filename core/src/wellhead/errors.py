"""Every error that Wellhead raises on purpose.

    WellheadError
    ├── SettingsError                 the settings do not allow a start
    │   └── KeyRingError              the key ring cannot be used
    │       ├── KeyRingMissingError       there is none
    │       ├── KeyRingDamagedError       what there is, is no key ring
    │       └── KeyRingUnreachableError   it cannot be read just now
    ├── InputError                    what was sent does not fit
    │   ├── MalformedJSONError        the text is not JSON as Wellhead accepts it
    │   └── ConnectionStringError     a connection string cannot be taken apart
    ├── UnknownTypeError              no installed plugin provides this type
    ├── DataSourceNotFoundError       no data source has this id or name
    ├── TokenNotFoundError            no token has this id
    ├── RevisionMismatchError         somebody else saved in between
    ├── ConflictError                 what is stored does not allow it
    │   ├── NameTakenError
    │   ├── QuotaExceededError        the workspace has as many data sources as it may have
    │   ├── TypeUnavailableError      the record's plugin is not installed
    │   ├── RecordCorruptError
    │   ├── RecordUnreadableError
    │   ├── RecordInvalidError
    │   ├── NewerFormatError
    │   ├── SecretsPurgedError        a former revision whose secrets were taken out
    │   ├── SecretUnavailableError
    │   └── KeyInUseError             a key cannot be taken away
    ├── RecordTooLargeError
    ├── ValidationFailedError         saving was to depend on a validation, and that failed
    ├── ValidationBusyError           too many validations run and wait already
    ├── StorageError                  the store cannot do its work just now
    │   ├── StoreBusyError
    │   ├── StoreReadOnlyError
    │   ├── StoreUnavailableError
    │   ├── InsufficientStorageError
    │   ├── StorageIOError
    │   │   └── AuditUnavailableError     the audit log cannot be written or read
    │   └── DurabilityUnknownError
    ├── TypeRefusedError              a plugin's type breaks a rule of the registry
    └── CheckFailedError              a check of a validation has failed

Facts are attributes; a message says what happened, to which name, and what to do.
No message holds a secret or a value that a client sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = [
    "AuditUnavailableError",
    "CheckFailedError",
    "ConflictError",
    "ConnectionStringError",
    "DataSourceNotFoundError",
    "DurabilityUnknownError",
    "InputError",
    "InputProblem",
    "InsufficientStorageError",
    "KeyInUseError",
    "KeyRingDamagedError",
    "KeyRingError",
    "KeyRingMissingError",
    "KeyRingUnreachableError",
    "MalformedJSONError",
    "NameTakenError",
    "NewerFormatError",
    "QuotaExceededError",
    "RecordCorruptError",
    "RecordInvalidError",
    "RecordTooLargeError",
    "RecordUnreadableError",
    "RevisionMismatchError",
    "SecretUnavailableError",
    "SecretsPurgedError",
    "SettingsError",
    "StorageError",
    "StorageIOError",
    "StoreBusyError",
    "StoreReadOnlyError",
    "StoreUnavailableError",
    "TokenNotFoundError",
    "TypeRefusedError",
    "TypeUnavailableError",
    "UnknownTypeError",
    "ValidationBusyError",
    "ValidationFailedError",
    "WellheadError",
]


class WellheadError(Exception):
    """The root of all errors that Wellhead raises on purpose.

    Attributes:
        code: The stable code, documented in the catalogue of codes.
        message: What happened, and what to do about it.
    """

    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SettingsError(WellheadError):
    """The settings do not allow a start."""

    code = "settings_invalid"


class KeyRingError(SettingsError):
    """The key ring cannot be used: it is missing, unsafe or damaged."""

    code = "key_unavailable"


class KeyRingMissingError(KeyRingError):
    """There is no key ring."""


class KeyRingDamagedError(KeyRingError):
    """What there is, is no key ring."""


class KeyRingUnreachableError(KeyRingError):
    """The key ring cannot be read just now, or did not come in time."""


@dataclass(frozen=True, slots=True)
class InputProblem:
    """One thing that is wrong with what was sent.

    Attributes:
        pointer: Where, as a JSON Pointer (RFC 6901); for a query, the parameter's name.
        code: The stable code.
        message: What is wrong, without the value.
        hint: What to do about it.
        allowed: The values that are allowed, where they can be listed.
        in_query: True where `pointer` is a query parameter's name.
    """

    pointer: str
    code: str
    message: str
    hint: str | None = None
    allowed: tuple[Any, ...] | None = None
    in_query: bool = False

    def as_document(self) -> dict[str, Any]:
        """Return the problem as the API and the command line show it."""
        document: dict[str, Any] = {"parameter" if self.in_query else "pointer": self.pointer}
        document |= {"code": self.code, "message": self.message}
        if self.hint is not None:
            document["hint"] = self.hint
        if self.allowed is not None:
            document["allowed"] = list(self.allowed)
        return document


MAX_PROBLEMS = 1000
"""The problems that one error tells at most: what has more was not made by hand, and takes long to go through."""


class InputError(WellheadError):
    """What was sent does not fit. All problems are told at once; of more than `MAX_PROBLEMS`, the first.

    Attributes:
        problems: What is wrong, in the order of the document.
    """

    code = "invalid"

    def __init__(self, problems: Sequence[InputProblem]) -> None:
        self.problems = tuple(problems[:MAX_PROBLEMS])
        super().__init__("; ".join(f"{problem.pointer or '/'}: {problem.message}" for problem in self.problems))

    @property
    def common_code(self) -> str:
        """The code of all problems if they agree, else `invalid`."""
        codes = {problem.code for problem in self.problems}
        return codes.pop() if len(codes) == 1 else self.code


class MalformedJSONError(InputError):
    """The text is not JSON as Wellhead accepts it (RFC 8259, RFC 7493)."""

    code = "malformed_json"

    def __init__(self, code: str, message: str, pointer: str = "") -> None:
        super().__init__([InputProblem(pointer, code, message)])


class ConnectionStringError(InputError):
    """A connection string cannot be taken apart."""


class UnknownTypeError(WellheadError):
    """No installed plugin provides this type.

    Attributes:
        installed: The names of the types that there are.
    """

    code = "unknown_type"

    def __init__(self, message: str, *, installed: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.installed = tuple(installed)


class DataSourceNotFoundError(WellheadError):
    """No data source has this id or name."""

    code = "not_found"


class TokenNotFoundError(WellheadError):
    """No token has this id."""

    code = "not_found"


class RevisionMismatchError(WellheadError):
    """The stored revision is not the one that the change was made for.

    Attributes:
        stored: The revision that is stored.
    """

    code = "revision_mismatch"

    def __init__(self, *, stored: int, more: str = "") -> None:
        what = f"The stored revision is {stored}. Read the data source again and repeat the change on that."
        super().__init__(f"{what}{more}")
        self.stored = stored


class ConflictError(WellheadError):
    """What is stored does not allow it."""

    code = "conflict"


class NameTakenError(ConflictError):
    """Another data source of the workspace has this name."""

    code = "name_taken"


class QuotaExceededError(ConflictError):
    """The workspace has as many data sources as it may have."""

    code = "quota_exceeded"


class TypeUnavailableError(ConflictError):
    """The plugin that provides the record's type is not installed or does not work."""

    code = "type_unavailable"


class RecordCorruptError(ConflictError):
    """The stored record is damaged."""

    code = "record_corrupt"


class RecordUnreadableError(ConflictError):
    """The stored record cannot be opened."""

    code = "record_unreadable"


class RecordInvalidError(ConflictError):
    """The stored record does not fit its type."""

    code = "invalid_record"


class NewerFormatError(ConflictError):
    """A newer Wellhead wrote the record."""

    code = "newer_format"


class SecretsPurgedError(ConflictError):
    """The secrets of a former revision were taken out of the history."""

    code = "secrets_purged"


class SecretUnavailableError(ConflictError):
    """A stored secret cannot be decrypted, or its reference cannot be resolved."""

    code = "secret_unavailable"


class KeyInUseError(ConflictError):
    """A key cannot be taken away: something needs it, or may need it."""

    code = "key_in_use"


class RecordTooLargeError(WellheadError):
    """The record would be larger than a record may be."""

    code = "record_too_large"


class ValidationFailedError(WellheadError):
    """Nothing was saved, because saving was to depend on a validation.

    Attributes:
        result: The validation's result, as the API shows it.
    """

    code = "validation_failed"

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__("Nothing was saved: the validation did not pass. See 'result' for the check that failed.")
        self.result = result


class ValidationBusyError(WellheadError):
    """Too many validations run and wait already."""

    code = "validation_busy"


class StorageError(WellheadError):
    """The store cannot do its work just now."""

    code = "storage_io_error"


class StoreBusyError(StorageError):
    """Another process holds the store's lock for too long."""

    code = "store_busy"


class StoreReadOnlyError(StorageError):
    """The store can be read but not written."""

    code = "store_read_only"


class StoreUnavailableError(StorageError):
    """The store's directory is gone or cannot be used."""

    code = "store_unavailable"


class InsufficientStorageError(StorageError):
    """The disk is full, or out of inodes or quota."""

    code = "insufficient_storage"


class StorageIOError(StorageError):
    """The operating system reported an error while reading or writing."""


class AuditUnavailableError(StorageIOError):
    """The audit log cannot be written or read, and what was asked for needs it."""

    code = "audit_unavailable"


class DurabilityUnknownError(StorageError):
    """The change is made, but it is not known to survive a power cut."""

    code = "durability_unknown"


class TypeRefusedError(WellheadError):
    """A plugin's type breaks a rule of the registry.

    Attributes:
        rule: The rule's short name.
    """

    code = "type_refused"

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class CheckFailedError(WellheadError):
    """A check of a validation has failed; raise it inside `context.check`.

    Attributes:
        check_code: The check's code, such as `auth_failed`.
        hint: What to do about it; if left out, the code's own remedy.
        fields: JSON Pointers of the fields to look at; if left out, those that the check names.
    """

    code = "check_failed"

    def __init__(
        self, code: str, message: str | None = None, *, hint: str | None = None, fields: Sequence[str] | None = None
    ) -> None:
        super().__init__(message or code)
        self.check_code = code
        self.text = message
        self.hint = hint
        self.fields = None if fields is None else tuple(fields)
