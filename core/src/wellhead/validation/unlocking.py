"""The first step of a validation where there are secrets: they are brought in clear, references looked up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import ValidationError

from wellhead.errors import SecretUnavailableError, WellheadError
from wellhead.model.destination import hosts_of
from wellhead.model.pointer import place, to_pointer
from wellhead.model.secret import Secret
from wellhead.model.shape import Shape
from wellhead.model.source import DataSourceConfig
from wellhead.secrets.references import References, UnresolvedReferenceError
from wellhead.validation.run import Run, secrets_of

Unlock = Callable[[], Awaitable[DataSourceConfig]]
"""Returns a configuration with its stored secrets in clear; references stay references."""


async def unlock_secrets(run: Run, unlock: Unlock, references: References) -> bool:
    """Bring the secrets of a validation's data source in clear, as its check `secrets`; without any there is none.

    Returns:
        Whether the validation can go on.
    """
    shape = run.known.shape
    found = shape.secrets(run.config.model_dump())
    fields = sorted(to_pointer(path) for path, value in found if isinstance(value, Secret))
    if not fields:
        return True
    run.open_step("secrets", fields)
    try:
        config = resolve_references(shape, await unlock(), references)
    except SecretUnavailableError as error:
        run.close_step("failed", "secret_unavailable", error.message)
        return False
    except WellheadError:
        run.close_step("failed", "secret_unavailable")
        return False
    if not all(secret.is_clear for secret in secrets_of(shape, config)):
        run.close_step("failed", "secret_unavailable")
        return False
    run.unlocked(config)
    run.close_step("passed")
    return True


def resolve_references(shape: Shape, config: DataSourceConfig, references: References) -> DataSourceConfig:
    """Return a configuration with the values that its references point to.

    Raises:
        SecretUnavailableError: One does not resolve, or to what does not fit; the message names the field.
    """
    document: dict[str, Any] = config.model_dump()
    found = [(path, value) for path, value in shape.secrets(document) if isinstance(value, Secret) and value.reference]
    hosts = hosts_of(config) if found else None
    for path, secret in found:
        try:
            place(document, path, Secret(references.resolve(secret.reference or "", hosts=hosts)))
        except UnresolvedReferenceError as error:
            raise SecretUnavailableError(f"The reference of {to_pointer(path)} does not resolve: {error}.") from None
    if not found:
        return config
    try:
        return shape.model.model_validate(document)
    except ValidationError:
        names = ", ".join(to_pointer(path) for path, _ in found)
        raise SecretUnavailableError(f"What the reference of {names} points to does not fit the field.") from None


def already(config: DataSourceConfig) -> Unlock:
    """Return what unlocks a configuration that has no stored secrets."""

    async def unlock() -> DataSourceConfig:
        return config

    return unlock
