"""What an operator's tools ask: the numbers of the service."""

from __future__ import annotations

from fastapi import Request, Response

from wellhead.api.query import read_query
from wellhead.api.telemetry.exposition import Exposition
from wellhead.service import Service


async def metrics(request: Request) -> Response:
    """Answer with the numbers of all processes of the service, as Prometheus reads them."""
    read_query(request, ())
    service: Service = request.app.state.service
    exposition: Exposition = request.app.state.exposition
    content, media_type = await exposition.write(service, request.headers.get("accept", ""))
    return Response(content, headers={"Content-Type": media_type})
