"""The baseline: the least that FastAPI and uvicorn need to answer one request with a typed, validated document.

Run as `python bare.py PORT`. The model has the fields that a data source of type `postgres` is read with, and uvicorn
has the settings of `wellhead serve`.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from uuid import UUID, uuid4

import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel


class SecretState(BaseModel):
    """What is told of a secret."""

    is_set: bool
    set_at: datetime
    set_in_revision: int


class DataSource(BaseModel):
    """A data source as it is read."""

    id: UUID
    name: str
    type: str
    description: str | None
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    revision: int
    host: str
    port: int
    database: str
    username: str
    password: SecretState | None
    tls_mode: str
    ca_certificate: str | None
    client_certificate: str | None
    client_key: SecretState | None
    state: str
    health: None


NOW = datetime.now(UTC)
SOURCE = DataSource(
    id=uuid4(),
    name="warehouse",
    type="postgres",
    description="Orders",
    labels={"team": "sales"},
    created_at=NOW,
    updated_at=NOW,
    revision=1,
    host="db.example.com",
    port=5432,
    database="orders",
    username="reader",
    password=SecretState(is_set=True, set_at=NOW, set_in_revision=1),
    tls_mode="verify-full",
    ca_certificate=None,
    client_certificate=None,
    client_key=None,
    state="ok",
    health=None,
)
SOURCES = [SOURCE.model_copy(update={"id": uuid4()}) for _ in range(50)]

READY: dict[str, bytes] = {}

app = FastAPI()


@app.get("/one")
async def read_one() -> DataSource:
    """Read one."""
    return SOURCE


@app.get("/fifty")
async def read_fifty() -> list[DataSource]:
    """Read fifty."""
    return SOURCES


async def read_ready(request: Request) -> Response:
    """Answer with so many bytes that are ready."""
    size = request.path_params["size"]
    if size not in READY:
        READY[size] = b" " * int(size)
    return Response(READY[size], media_type="application/json")


app.add_route("/ready/{size}", read_ready)


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan="off",
    )
