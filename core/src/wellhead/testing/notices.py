"""What the tests of a plugin are told beside a result: what would else be seen nowhere."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from wellhead import logs
from wellhead.codes import CODES
from wellhead.model.extension import Migration
from wellhead.model.result import ValidationResult
from wellhead.plugins.registry import RegisteredType
from wellhead.validation.wording import CORE_CHECKS


class PluginWarning(UserWarning):
    """Something about a plugin is not as it should be, though its result does not show it."""


def notices_of(known: RegisteredType, result: ValidationResult) -> list[str]:
    """Hold a result against what its type says of itself.

    Args:
        known: The type.
        result: What a validation of one of its data sources found.

    Returns:
        A sentence for each thing that the type should say: checks that are not among its validator's `steps`, if there
        are any, and codes that nobody has given a meaning.
    """
    return [*unknown_steps(known, result), *unknown_codes(known, result)]


def tell_defect(type_name: str, where: list[str]) -> None:
    """Print where in a plugin's code something was raised that nobody understood, with what it says."""
    lines = "\n  from ".join(where)
    sys.stderr.write(f"A check of type '{type_name}' raised what nobody has given a code:\n  {lines}\n")


def telling(known: RegisteredType) -> RegisteredType:
    """Return a type whose migrations print where in a plugin's code they raised, with what it says."""
    told = {version: _telling(known.name, migration) for version, migration in known.migrations.items()}
    return replace(known, migrations=told)


def _telling(type_name: str, migration: Migration) -> Migration:
    @functools.wraps(migration)
    def told(fields: dict[str, Any]) -> dict[str, Any]:
        try:
            return migration(fields)
        except Exception as error:
            lines = "\n  from ".join(logs.where(error, texts=True))
            sys.stderr.write(f"A migration of type '{type_name}' raised:\n  {lines}\n")
            raise

    return told


def unknown_steps(known: RegisteredType, result: ValidationResult) -> Iterator[str]:
    """Say which checks of a result are not among the steps of its type's validator, if there are any."""
    steps = tuple(getattr(known.validator, "steps", ()))
    if not steps:
        return
    for name in dict.fromkeys(check.name for check in result.checks):
        if name not in steps and name not in CORE_CHECKS:
            yield f"Type '{known.name}': the check '{name}' is not among the validator's steps: {', '.join(steps)}."


def unknown_codes(known: RegisteredType, result: ValidationResult) -> Iterator[str]:
    """Say which codes of a result nobody has given a meaning."""
    for check in result.checks:
        if check.code is not None and check.code not in CODES and check.code not in known.codes:
            yield f"Type '{known.name}': the code '{check.code}' has no meaning: add it to the `codes` of its record."
