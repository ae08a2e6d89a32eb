"""Problem details (RFC 9457) for errors: the one table from errors to HTTP statuses, and the documents made from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wellhead import errors
from wellhead.codes import CODES

STATUS: dict[type[errors.WellheadError], int] = {
    errors.WellheadError: 500,
    errors.SettingsError: 500,
    errors.KeyRingError: 503,
    errors.KeyRingMissingError: 503,
    errors.KeyRingDamagedError: 503,
    errors.KeyRingUnreachableError: 503,
    errors.InputError: 422,
    errors.MalformedJSONError: 400,
    errors.ConnectionStringError: 422,
    errors.UnknownTypeError: 404,
    errors.DataSourceNotFoundError: 404,
    errors.TokenNotFoundError: 404,
    errors.RevisionMismatchError: 412,
    errors.ConflictError: 409,
    errors.NameTakenError: 409,
    errors.QuotaExceededError: 409,
    errors.TypeUnavailableError: 409,
    errors.RecordCorruptError: 409,
    errors.RecordUnreadableError: 409,
    errors.RecordInvalidError: 409,
    errors.NewerFormatError: 409,
    errors.SecretsPurgedError: 409,
    errors.SecretUnavailableError: 409,
    errors.KeyInUseError: 409,
    errors.RecordTooLargeError: 413,
    errors.ValidationFailedError: 422,
    errors.ValidationBusyError: 503,
    errors.StorageError: 503,
    errors.StoreBusyError: 503,
    errors.StoreReadOnlyError: 503,
    errors.StoreUnavailableError: 503,
    errors.InsufficientStorageError: 507,
    errors.StorageIOError: 500,
    errors.AuditUnavailableError: 503,
    errors.DurabilityUnknownError: 500,
    errors.TypeRefusedError: 500,
    errors.CheckFailedError: 500,
}


def problem_document(status: int, code: str, *, detail: str | None = None, **members: Any) -> dict[str, Any]:
    """Make a problem document.

    Args:
        status: The HTTP status.
        code: A code of the catalogue.
        detail: What happened; the code's remedy if left out.
        **members: More members, such as `errors`.
    """
    entry = CODES[code]
    return {
        "type": f"/problems/{code}",
        "title": entry.title,
        "status": status,
        "code": code,
        "detail": detail or entry.remedy,
        **members,
    }


def problem_of(error: errors.WellheadError) -> dict[str, Any]:
    """Make the problem document of an error."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if isinstance(error, errors.MalformedJSONError):
        return problem_document(status, error.common_code, detail=error.problems[0].message)
    if isinstance(error, errors.InputError):
        items = [item.as_document() for item in error.problems]
        return problem_document(status, error.common_code, detail=_summary(error.problems), errors=items)
    if isinstance(error, errors.ValidationFailedError):
        return problem_document(status, error.code, detail=error.message, result=error.result)
    if isinstance(error, errors.UnknownTypeError):
        return problem_document(status, "not_found", detail=error.message)
    return problem_document(status, error.code, detail=error.message)


def _summary(problems: Sequence[errors.InputProblem]) -> str:
    if len(problems) == 1:
        return problems[0].message
    if len(problems) < errors.MAX_PROBLEMS:
        return f"{len(problems)} things do not fit; see 'errors'."
    return f"{len(problems)} things or more do not fit; the first are in 'errors'."
