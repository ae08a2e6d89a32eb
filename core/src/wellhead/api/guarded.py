"""Operations behind their permissions: what an operation needs is looked at inside its own route, never by its path."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from wellhead.access.limits import KINDS
from wellhead.access.principal import Principal
from wellhead.api.auditing import audited
from wellhead.api.limiting import check_rate
from wellhead.api.operations import Handler, Operation
from wellhead.api.problems import HttpProblem
from wellhead.api.requests import source_id_of
from wellhead.assembled import Wellhead
from wellhead.service import Service


class UnguardedOperationError(Exception):
    """An operation neither needs a permission nor is public, so that anybody could do it."""


def endpoint_of(operation: Operation, *, is_open: bool) -> Handler:
    """Return what answers an operation: its handler, for those whose role permits it and who do not ask too often.

    Args:
        operation: The operation.
        is_open: Whether it needs no token.

    Raises:
        UnguardedOperationError: It neither needs a permission nor is public.
    """
    permission = operation.permission
    if is_open:
        return operation.handler
    if permission is None:
        raise UnguardedOperationError(f"{operation.method} {operation.path} declares no permission, and is not public.")

    kind = KINDS[permission]

    async def endpoint(request: Request) -> Response:
        state: dict[str, Any] = request.scope["state"]
        service: Service = request.app.state.service
        state["headers"] = await check_rate(service.limits, kind, state["principal"])
        if operation.audited is None:
            return await permitted(request)
        return await audited(request, operation.audited, permitted, is_change=kind == "write")

    async def permitted(request: Request) -> Response:
        principal: Principal = request.scope["state"]["principal"]
        if not principal.may(permission):
            await _check_source(request)
            raise HttpProblem(403, "forbidden")
        return await operation.handler(request)

    return endpoint


async def _check_source(request: Request) -> None:
    """See to it that a data source which is not there is not found, before a role is refused.

    Raises:
        DataSourceNotFoundError: There is no such data source in the workspace.
    """
    if "source_id" in request.path_params:
        wellhead: Wellhead = request.state.wellhead
        await wellhead.catalog.read(source_id_of(request))
