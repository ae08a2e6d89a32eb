"""The few pages for people: what a code means, and the API at a glance. No script, no foreign host."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from typing import Any

from fastapi import Request, Response

from wellhead.api.answers import Ready
from wellhead.api.problems import HttpProblem
from wellhead.codes import CODES

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;"
    "background:#fff}code{font-size:.95em}h2{margin-top:2rem}td,th{text-align:left;padding:.2rem 1rem .2rem 0;"
    "vertical-align:top}@media(prefers-color-scheme:dark){body{color:#e6e8ea;background:#15181c}a{color:#8ab4f8}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'"


async def openapi_document(request: Request) -> Response:
    """Answer with the OpenAPI document, which is made once."""
    content: bytes = await request.app.state.openapi()
    return Ready(content)


async def problem_page(request: Request) -> Response:
    """Answer with what a code means, why it happens, and what to do."""
    code = request.path_params["code"]
    entry = CODES.get(code)
    if entry is None:
        raise HttpProblem(404, "not_found")
    body = (
        f"<h1><code>{html.escape(code)}</code></h1><p><strong>{html.escape(entry.title)}</strong></p>"
        f"<h2>Why it happens</h2><p>{_text(entry.cause)}</p><h2>What to do</h2><p>{_text(entry.remedy)}</p>"
    )
    return _page(code, body)


async def docs_page(request: Request) -> Response:
    """Answer with a page of all operations and schemas."""
    document: dict[str, Any] = await request.app.state.document()
    rows = [
        f"<tr><td><code>{method.upper()}</code></td><td><code>{html.escape(path)}</code></td>"
        f"<td>{_text(operation['summary'])}</td></tr>"
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    sections = [_schema(name, schema) for name, schema in document["components"]["schemas"].items()]
    body = (
        "<h1>Wellhead API</h1><p>For programs: <a href='/openapi.json'>openapi.json</a>. Every request needs "
        f"<code>Authorization: Bearer</code> and the token.</p><table>{''.join(rows)}</table>"
        f"<h1>Schemas</h1>{''.join(sections)}"
    )
    return _page("API", body)


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", []))
    rows = [
        f"<tr><td><code>{html.escape(field)}</code>{' *' if field in required else ''}</td>"
        f"<td>{html.escape(_kind(inner))}</td><td>{_text(inner.get('description') or '')}</td></tr>"
        for field, inner in schema.get("properties", {}).items()
    ]
    about = f"<p>{_text(schema.get('description') or '')}</p>"
    forms = ", ".join(_kind(form) for form in [*schema.get("oneOf", []), *schema.get("anyOf", [])])
    listed = f"<p>One of: {html.escape(forms)}</p>" if forms and not rows else ""
    return f"<h2 id='{html.escape(name)}'>{html.escape(name)}</h2>{about}{listed}<table>{''.join(rows)}</table>"


def _kind(schema: dict[str, Any]) -> str:
    """Say what a schema allows, with values as JSON."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema or "enum" in schema:
        values = schema["enum"] if "enum" in schema else [schema["const"]]
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in values)
    forms = schema.get("anyOf") or schema.get("oneOf")
    if forms:
        return " | ".join(_kind(form) for form in forms)
    kinds = schema.get("type", "any")
    names = [kinds] if isinstance(kinds, str) else kinds
    items = schema.get("items")
    return " | ".join(f"array of {_kind(items)}" if name == "array" and items else name for name in names)


def _text(text: str) -> str:
    """Write a text whose backticks mark code."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def _page(title: str, body: str) -> Response:
    document = (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{html.escape(title)} · Wellhead</title><style>{_STYLE}</style><main>{body}</main></html>"
    )
    return Response(document, media_type="text/html", headers={"Content-Security-Policy": _POLICY})
