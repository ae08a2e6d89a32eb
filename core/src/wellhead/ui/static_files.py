"""The style sheets, scripts and pictures of the page: part of the package, kept by browsers until they change."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOREVER = "public, max-age=31536000, immutable"


async def static_file(request: Request) -> Response:
    """Answer with one of the files, compressed for those who take it so."""
    found = _files().get(request.path_params["name"])
    if found is None:
        return Response("There is no such file.", 404, media_type="text/plain")
    content, compressed, kind = found
    is_current = request.path_params["version"] == version()
    headers = {"Vary": "Accept-Encoding", "Cache-Control": _FOREVER if is_current else "no-cache"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(compressed, headers={**headers, "Content-Encoding": "gzip"}, media_type=kind)
    return Response(content, headers=headers, media_type=kind)


async def favicon(_request: Request) -> Response:
    """Lead on to the icon, for those who look for it where it used to be."""
    return RedirectResponse(f"/static/{version()}/icon.svg")


@cache
def version() -> str:
    """Return what changes with any of the files: a part of their addresses."""
    digest = hashlib.sha256()
    for name, (content, _, _) in sorted(_files().items()):
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:12]


@cache
def _files() -> dict[str, tuple[bytes, bytes, str]]:
    """Return content, compressed content and media type of each file, by its name below `static`."""
    found = {}
    for name, file in _walk(files("wellhead.ui") / "static", ""):
        kind = _TYPES.get(name[name.rfind(".") :])
        if kind is not None:
            content = file.read_bytes()
            found[name] = (content, gzip.compress(content, 9, mtime=0), kind)
    return found


def _walk(directory: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found = []
    for entry in directory.iterdir():
        name = prefix + entry.name
        found += _walk(entry, f"{name}/") if entry.is_dir() else [(name, entry)]
    return found
