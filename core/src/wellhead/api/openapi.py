"""The OpenAPI 3.1 document, made from the table of operations and the types that are registered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, get_args

from wellhead.access.policy import may
from wellhead.api.answers import NDJSON
from wellhead.api.operations import SOURCE, Operation
from wellhead.api.parameters import timeout_parameter
from wellhead.api.problems import MEDIA_TYPE
from wellhead.api.query import Parameter
from wellhead.api.schemas import TEXT, fixed_schemas, nameless_schema, unavailable_schema
from wellhead.model.schemas import REF, SECRET_SCHEMAS, Direction, schema_name, schemas_of
from wellhead.plugins.registry import RegisteredType

_EVERYWHERE = (400, 401, 414, 421, 429, 503)
_TOO_LARGE = 413
_ONE = "DataSourceRead"
_MISREAD = frozenset('"\\')
_RATE_FIELDS = {
    "RateLimit": "How many actions of this kind are permitted now (`r`), and seconds until all are again (`t`).",
    "RateLimit-Policy": "How many actions of this kind are permitted (`q`) in how many seconds (`w`).",
}
_TITLES = {
    400: "Not a request, or not JSON, as it is accepted here.",
    401: "A valid token is needed.",
    403: "The role does not permit it.",
    404: "There is no such thing.",
    408: "The body took too long to come.",
    409: "What is stored does not allow it.",
    412: "It was changed in between.",
    413: "Too large.",
    414: "The query is too long.",
    415: "Not a media type that is accepted here.",
    421: "Not under this host name.",
    422: "It does not fit.",
    428: "A condition is required.",
    429: "Too many requests.",
    500: "Something went wrong.",
    503: "The service cannot do it just now.",
    507: "The disk is full.",
}


def openapi_document(
    operations: Iterable[Operation], types: Sequence[RegisteredType], *, version: str, timeout_max: float
) -> dict[str, Any]:
    """Make the document.

    Args:
        operations: The table of operations.
        types: The types that are registered.
        version: The version of Wellhead.
        timeout_max: The most seconds that a request may give to a validation.
    """
    documented = [operation for operation in operations if operation.in_document]
    links = _links(documented)
    paths: dict[str, dict[str, Any]] = {}
    for operation in documented:
        item = paths.setdefault(operation.path, {})
        item[operation.method.lower()] = _operation(operation, links, timeout_max)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Wellhead",
            "version": version,
            "description": "Keeps the configurations of data sources, their secrets safe, and checks that they work.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(_schemas(types).items())),
        },
    }


def _links(operations: Iterable[Operation]) -> dict[str, Any]:
    """Say what can be done with a data source that an operation answers with."""
    names = [operation.name for operation in operations if operation.path.startswith(SOURCE)]
    return {name: {"operationId": name, "parameters": {"source_id": "$response.body#/id"}} for name in names}


def _operation(operation: Operation, links: dict[str, Any], timeout_max: float) -> dict[str, Any]:
    query = (*operation.query, *((timeout_parameter(timeout_max),) if operation.takes_timeout else ()))
    parameters = [*_path_parameters(operation.path), *(_query_parameter(parameter) for parameter in query)]
    if operation.conditional:
        text = "The ETag of the revision that the change is made for."
        parameters.append({"name": "If-Match", "in": "header", "description": text, "schema": TEXT})
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            **{str(status): _answer(status, schema, operation, links) for status, schema in operation.answers},
            **{str(status): _problem(status) for status in _problems_of(operation)},
        },
    }
    if operation.is_public:
        described["security"] = []
    if operation.body is not None:
        content = {kind: {"schema": {"$ref": REF + operation.body}} for kind in operation.body_types}
        described["requestBody"] = {"required": operation.body_required, "content": content}
    return described


def _problems_of(operation: Operation) -> list[int]:
    """Return the statuses of its problems; 403 is of those that not every role permits."""
    if operation.permission is None:
        return sorted(operation.problems)
    refusable = () if may("viewer", operation.permission) else (403,)
    slow = (408,) if _TOO_LARGE in operation.problems else ()
    return sorted({*operation.problems, *slow, *refusable, *_EVERYWHERE})


def _path_parameters(path: str) -> list[dict[str, Any]]:
    known = {
        "source_id": {"type": "string", "format": "uuid", "description": "The data source's id."},
        "type_name": {"type": "string", "description": "The type's name."},
    }
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in known.items()
        if f"{{{name}}}" in path
    ]


def _query_parameter(parameter: Parameter) -> dict[str, Any]:
    schema = {"type": "array", "items": dict(parameter.schema)} if parameter.repeats else dict(parameter.schema)
    return {"name": parameter.name, "in": "query", "description": parameter.description, "schema": schema}


def _answer(status: int, schema: str, operation: Operation, links: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": operation.summary}
    if schema:
        answer["content"] = {"application/json": {"schema": {"$ref": REF + schema}}}
    if operation.lines is not None:
        answer["content"] = {NDJSON: {"schema": _lines(operation.lines)}}
    headers: dict[str, Any] = {} if operation.permission is None else _rate_fields()
    if schema == _ONE:
        headers["ETag"] = {"description": "The revision, in quotation marks.", "schema": TEXT}
    if status == 201:  # noqa: PLR2004  # Created
        headers["Location"] = {"description": "The path of the data source.", "schema": TEXT}
    if schema == "DataSourcePage":
        headers["Link"] = {"description": "The next page.", "schema": TEXT}
    if headers:
        answer["headers"] = headers
    if schema == _ONE:
        answer["links"] = links
    return answer


def _lines(schema: str) -> dict[str, Any]:
    """Describe lines of JSON as what they are for OpenAPI 3.1, which cannot describe a line: a text."""
    return {"type": "string", "contentMediaType": NDJSON, "contentSchema": {"$ref": REF + schema}}


def _problem(status: int) -> dict[str, Any]:
    problem: dict[str, Any] = {
        "description": _TITLES[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": REF + "Problem"}}},
    }
    if status == 429:  # noqa: PLR2004  # Too Many Requests
        seconds = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
        problem["headers"] = {"Retry-After": seconds, **_rate_fields()}
    return problem


def _rate_fields() -> dict[str, Any]:
    return {name: {"description": text, "schema": TEXT} for name, text in _RATE_FIELDS.items()}


def _schemas(types: Sequence[RegisteredType]) -> dict[str, Any]:
    """Return all schemas: those of the types, and those that are there without any type too."""
    schemas = fixed_schemas() | SECRET_SCHEMAS
    for found in types:
        for direction in get_args(Direction):
            made = schemas_of(found.shape, found.name, direction)
            schemas |= {name: _without_quoted_defaults(schema) for name, schema in made.items()}
    names = [found.name for found in types]
    schemas["DataSourceCreate"] = _union(names, "Create", "A data source to make, or to put in place of another.")
    schemas["DataSourcePatch"] = _patches(names)
    schemas["DataSourceUnsaved"] = _unsaved(names)
    schemas["NamelessDataSource"] = nameless_schema(names)
    read = _union(names, "Read", "A data source, its secrets as facts.")
    members = [*read.get("oneOf", []), {"$ref": REF + "UnavailableRead"}]
    schemas["DataSourceRead"] = {**read, "oneOf": members} if names else {"$ref": REF + "UnavailableRead"}
    schemas["UnavailableRead"] = unavailable_schema(names)
    return schemas


def _without_quoted_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out defaults that have a quotation mark or a backslash in them.

    openapi-python-client 0.29 doubles a backslash, puts one before a quotation mark, and sends what comes of that with
    every document. A field that is left out has its default anyway.
    """

    def kept(key: str, value: Any) -> bool:
        return key != "default" or not isinstance(value, str) or _MISREAD.isdisjoint(value)

    properties = {
        name: {key: value for key, value in field.items() if kept(key, value)}
        for name, field in schema.get("properties", {}).items()
    }
    return schema | ({"properties": properties} if properties else {})


def _union(names: Sequence[str], direction: Direction, description: str) -> dict[str, Any]:
    if not names:
        return {"description": f"{description} No type is installed.", "not": {}}
    references = {name: REF + schema_name(name, direction) for name in names}
    return {
        "description": description,
        "oneOf": [{"$ref": reference} for reference in references.values()],
        "discriminator": {"propertyName": "type", "mapping": references},
    }


def _unsaved(names: Sequence[str]) -> dict[str, Any]:
    nameless = {"$ref": REF + "NamelessDataSource"}
    forms = [{"$ref": REF + schema_name(name, "Create")} for name in names]
    return {"description": "A data source to validate; it needs no name.", "anyOf": [*forms, nameless]}


def _patches(names: Sequence[str]) -> dict[str, Any]:
    description = "What to change (RFC 7396); null takes a field back to its default, and clears a secret."
    if not names:
        return {"description": description, "type": "object"}
    return {"description": description, "anyOf": [{"$ref": REF + schema_name(name, "Patch")} for name in names]}
