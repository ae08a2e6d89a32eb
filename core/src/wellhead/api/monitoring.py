"""What an operator's tools ask: the numbers of the service."""

from __future__ import annotations

from fastapi import Request, Response

from wellhead.api.exposition import Exposition
from wellhead.api.query import read_query
from wellhead.assembly import Wellhead


async def metrics(request: Request) -> Response:
    """Answer with the numbers of all processes of the service, as Prometheus reads them."""
    read_query(request, ())
    wellhead: Wellhead = request.app.state.wellhead
    exposition: Exposition = request.app.state.exposition
    content, media_type = await exposition.write(wellhead.catalog, request.headers.get("accept", ""))
    return Response(content, headers={"Content-Type": media_type})
