"""A stranger's program, with nothing but the client that openapi-python-client makes from /openapi.json."""

import json
import os
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httpx
from wellhead_client import AuthenticatedClient
from wellhead_client.api.data_sources import (
    create_data_source,
    delete_data_source,
    list_data_sources,
    patch_data_source,
    read_data_source,
    read_health,
    read_history,
    replace_data_source,
    validate_data_source,
    validate_data_sources,
    validate_unsaved_data_source,
)
from wellhead_client.api.types import list_types
from wellhead_client.models import (
    ApiCreate,
    ApiPatch,
    ApiRead,
    CsvCreate,
    CsvPatch,
    CsvRead,
    DataSourcePage,
    HealthHistory,
    History,
    JsonCreate,
    JsonPatch,
    JsonRead,
    MysqlCreate,
    MysqlPatch,
    MysqlRead,
    NamelessDataSource,
    NamelessDataSourceType,
    PostgresCreate,
    PostgresPatch,
    PostgresRead,
    Problem,
    RedisCreate,
    RedisPatch,
    RedisRead,
    SecretState,
    TypeList,
    UnavailableRead,
    ValidationRequest,
    ValidationResult,
    ValidationStatus,
)
from wellhead_client.types import UNSET, Response

Create = ApiCreate | CsvCreate | JsonCreate | MysqlCreate | PostgresCreate | RedisCreate
Patch = ApiPatch | CsvPatch | JsonPatch | MysqlPatch | PostgresPatch | RedisPatch
Read = ApiRead | CsvRead | JsonRead | MysqlRead | PostgresRead | RedisRead

url = os.environ["SERVICE_URL"]
servers: dict[str, dict[str, Any]] = json.loads(os.environ["SERVERS"])
client = AuthenticatedClient(
    base_url=url, token=os.environ["SERVICE_TOKEN"], timeout=httpx.Timeout(60), raise_on_unexpected_status=True
)


def expect(actual: object, expected: object, claim: str) -> None:
    if actual != expected:
        raise SystemExit(f"{claim}: {actual!r} is not {expected!r}")


def one(answer: Response[Any], status: HTTPStatus = HTTPStatus.OK) -> Read:
    """Return the data source that is in an answer."""
    expect(answer.status_code, status, "a data source is answered")
    if isinstance(answer.parsed, Read):
        return answer.parsed
    raise SystemExit(f"no data source, but {answer.parsed!r}")


def problem(answer: Response[Any], status: HTTPStatus) -> Problem:
    """Return the problem that is in an answer."""
    expect(answer.status_code, status, "a problem is answered")
    if isinstance(answer.parsed, Problem):
        return answer.parsed
    raise SystemExit(f"no problem, but {answer.parsed!r}")


def result(answer: ValidationResult | Problem | None) -> ValidationResult:
    if isinstance(answer, ValidationResult):
        return answer
    raise SystemExit(f"no result, but {answer!r}")


def lives_its_life(
    create: Create, patch: Patch, put_back: Callable[[dict[str, Any]], Create], kind: type[Read]
) -> None:
    """Do with one data source all that can be done, by the names and types of the generated client."""
    tried = result(validate_unsaved_data_source.sync(client=client, body=create))
    expect(tried.success, True, f"{create.type_} validates before it is saved: {tried.to_dict()}")

    answer = create_data_source.sync_detailed(client=client, body=create)
    made = one(answer, HTTPStatus.CREATED)
    expect(type(made), kind, "what is made has the class of its type")
    expect((made.name, made.revision, made.state), (create.name, 1, "ok"), "what is made is what was sent")
    first = answer.headers["ETag"]
    expect(one(read_data_source.sync_detailed(made.id, client=client)), made, "what is read is what was made")

    same = replace_data_source.sync_detailed(made.id, client=client, body=put_back(made.to_dict()), if_match=first)
    expect((one(same), same.headers["ETag"]), (made, first), "what was read can be put back, and changes nothing")

    patched = patch_data_source.sync_detailed(made.id, client=client, body=patch, if_match=first)
    expect((one(patched).description, one(patched).revision), ("Patched", 2), "a patch changes what it says")
    stale = patch_data_source.sync_detailed(made.id, client=client, body=patch, if_match=first)
    expect(problem(stale, HTTPStatus.PRECONDITION_FAILED).code, "revision_mismatch", "a stale ETag is refused")
    history = read_history.sync(made.id, client=client)
    expect(isinstance(history, History) and history.items[0].changed, ["description"], "the history tells of it")

    checked = result(validate_data_source.sync(made.id, client=client))
    expect(checked.success, True, f"{create.type_} validates: {checked.to_dict()}")
    changes = ValidationRequest(changes=patch)
    expect(result(validate_data_source.sync(made.id, client=client, body=changes)).success, True, "changes are tried")
    health = read_health.sync(made.id, client=client)
    expect(isinstance(health, HealthHistory) and health.items[-1].revision, 2, "the result is kept")

    page = list_data_sources.sync(client=client, type_=[create.type_], limit=1)
    items = page.items if isinstance(page, DataSourcePage) else []
    expect([(type(item), item.id) for item in items], [(kind, made.id)], "the list has it")


def login(kind: str) -> dict[str, Any]:
    server = servers[kind]
    return {"port": server["port"], "ca_certificate": server["ca"], "password": server["password"]}


shop: dict[str, Any] = {"host": "localhost", "database": "shop", "username": "reader"}
lives_its_life(
    PostgresCreate("Orders", "postgres", **shop, **login("postgres")),
    PostgresPatch(description="Patched"),
    PostgresCreate.from_dict,
    PostgresRead,
)
lives_its_life(
    MysqlCreate("Bills", "mysql", **shop, **login("mysql")),
    MysqlPatch(description="Patched"),
    MysqlCreate.from_dict,
    MysqlRead,
)
lives_its_life(
    RedisCreate("Cache", "redis", host="localhost", **login("redis")),
    RedisPatch(description="Patched"),
    RedisCreate.from_dict,
    RedisRead,
)
lives_its_life(
    CsvCreate("Sales", "csv", path="sales.csv"), CsvPatch(description="Patched"), CsvCreate.from_dict, CsvRead
)
lives_its_life(
    JsonCreate("Sales of JSON", "json", path="sales.json"),
    JsonPatch(description="Patched"),
    JsonCreate.from_dict,
    JsonRead,
)
lives_its_life(
    ApiCreate("This service", "api", url=url, health_path="/healthz", expected_json=True),
    ApiPatch(description="Patched"),
    ApiCreate.from_dict,
    ApiRead,
)

# A secret is read as facts, kept where they are sent back, and cleared by null.
cached = list_data_sources.sync(client=client, name="Cache")
cache = cached.items[0] if isinstance(cached, DataSourcePage) else None
if not isinstance(cache, RedisRead) or not isinstance(cache.password, SecretState):
    raise SystemExit(f"no data source with a secret, but {cache!r}")
expect((cache.password.is_set, cache.password.set_in_revision), (True, 1), "a secret is read as facts")
cleared = one(patch_data_source.sync_detailed(cache.id, client=client, body=RedisPatch(password=None)))
expect(isinstance(cleared, RedisRead) and cleared.password, None, "null clears a secret")

# A connection string gives the fields. The defaults of the class are not sent with it, as it has its own.
text = "postgresql://reader@db.example.com:6543/orders"
short = PostgresCreate("Short", "postgres", connection_string=text, port=UNSET, tls_mode=UNSET)
taken = one(create_data_source.sync_detailed(client=client, body=short), HTTPStatus.CREATED)
expect(isinstance(taken, PostgresRead) and (taken.host, taken.port), ("db.example.com", 6543), "it is taken apart")

# What does not fit is told with its place, and a name that is taken as a conflict.
wrong = problem(
    create_data_source.sync_detailed(client=client, body=CsvCreate("Wrong", "csv", path="../up.csv", delimiter="::")),
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
places = [item.pointer for item in wrong.errors] if wrong.errors else []
expect(sorted(map(str, places)), ["/delimiter", "/path"], "a problem says where")
taken_name = create_data_source.sync_detailed(client=client, body=CsvCreate("sales", "csv", path="other.csv"))
expect(problem(taken_name, HTTPStatus.CONFLICT).code, "name_taken", "a name is taken once")

# A configuration to validate needs no name.
nameless = NamelessDataSource(NamelessDataSourceType.CSV)
nameless["path"] = "missing.csv"
expect(
    result(validate_unsaved_data_source.sync(client=client, body=nameless)).status,
    ValidationStatus.FAILED,
    "what is not there does not validate",
)

# Many are validated at once: lines of JSON.
lines = validate_data_sources.sync(client=client, type_=["csv", "json"])
totals = json.loads(str(lines).splitlines()[-1])
expect(totals, {"totals": {"passed": 2}}, "the last line has the totals")

found = list_types.sync(client=client)
names = [item.name for item in found.items] if isinstance(found, TypeList) else []
expect(names, ["api", "csv", "json", "mysql", "postgres", "redis"], "all types are there")
page = list_data_sources.sync(client=client, limit=200)
for item in page.items if isinstance(page, DataSourcePage) else []:
    if isinstance(item, UnavailableRead):
        raise SystemExit(f"{item.name} cannot be read: {item.state}")
    gone = delete_data_source.sync_detailed(item.id, client=client, if_match=f'"{item.revision}"')
    expect(gone.status_code, HTTPStatus.NO_CONTENT, "a data source can be deleted")
missing = read_data_source.sync_detailed(taken.id, client=client)
expect(problem(missing, HTTPStatus.NOT_FOUND).code, "not_found", "what is deleted is not there")
print("ok")
