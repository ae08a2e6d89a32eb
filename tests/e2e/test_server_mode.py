"""A service for several users: nobody sees another's workspace, roles hold, and a revoked token ends soon."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx2
import pytest

from support import calls
from support.canary import Canary
from support.certificates import make_certificates
from support.distributions import Site, good
from support.documents import document_of
from support.issuer import AUDIENCE, OTHER_RSA, running_issuer
from support.programs import wait_until
from support.raw import raw
from support.service import SOURCES
from support.team import ADMIN_TOKEN, TeamService, command, issue, running_team
from wellhead.access.policy import Role
from wellhead.access.principal import Principal
from wellhead.api.operations import OPERATIONS, Operation
from wellhead.settings import Settings

NOBODY = "5f3c2d1e-0a4b-4c5d-8e6f-7a8b9c0d1e2f"
OF_ONE = [operation for operation in OPERATIONS if "{source_id}" in operation.path]
ROLES: tuple[Role, ...] = get_args(Role)

Clients = dict[tuple[str, str], httpx2.Client]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("team")


@pytest.fixture(scope="module")
def team(home: Path) -> Iterator[TeamService]:
    """A live service for several users, logging at DEBUG."""
    with running_team(home, WELLHEAD_LOG_LEVEL="debug", PYTHONASYNCIODEBUG="1") as running:
        yield running


@pytest.fixture(scope="module")
def tokens(team: TeamService) -> dict[tuple[str, str], str]:
    """A token for each role, in each of two workspaces."""
    return {
        (workspace, role): team.token(f"{role}@{workspace}", role, workspace)["token"]
        for workspace in ("red", "blue")
        for role in ROLES
    }


@pytest.fixture
def clients(team: TeamService, tokens: dict[tuple[str, str], str]) -> Iterator[Clients]:
    """A client for each role in each workspace."""
    opened = {whose: team.client(token) for whose, token in tokens.items()}
    yield opened
    for client in opened.values():
        client.close()


def made(client: httpx2.Client, kind: str = "csv", **fields: Any) -> dict[str, Any]:
    answer = client.post(SOURCES, json=document_of(kind, **fields))
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def without_id(answer: httpx2.Response) -> dict[str, Any]:
    """Return a problem without what is different in each."""
    document: dict[str, Any] = answer.json()
    assert document.pop("request_id")
    return document


def test_Z_02_a_list_and_its_totals_are_of_the_own_workspace(clients: Clients) -> None:
    mine = {made(clients["red", "editor"])["id"] for _ in range(3)}
    other = made(clients["blue", "editor"])
    for role in ROLES:
        page = clients["red", role].get(SOURCES).json()
        assert mine <= {item["id"] for item in page["items"]}
        assert page["total"] == len(page["items"])
        assert other["id"] not in str(page)
        assert clients["red", role].get(SOURCES, params={"name": other["name"]}).json()["total"] == 0
        assert clients["red", role].get(f"{SOURCES}/summary").json()["total"] == page["total"]


def test_Z_03_a_name_that_is_taken_elsewhere_is_free_here(clients: Clients) -> None:
    document = document_of(name="the warehouse of both")
    for workspace in ("red", "blue"):
        assert clients[workspace, "editor"].post(SOURCES, json=document).status_code == 201
        assert clients[workspace, "editor"].post(SOURCES, json=document).json()["code"] == "name_taken"


@pytest.mark.parametrize("operation", OF_ONE, ids=lambda operation: operation.name)
def test_Z_01_what_is_in_another_workspace_is_not_found_in_any_verb(clients: Clients, operation: Operation) -> None:
    theirs = made(clients["red", "editor"], description="not yours")
    bodies: list[Any] = [{}, {"description": "mine now"}, {"revision": 1}, {**theirs, "name": "mine now"}]
    for role in ROLES:
        for body in bodies:
            answers = [
                clients["blue", role].request(
                    operation.method, operation.path.format(source_id=source_id), json=body, headers={"if-match": '"9"'}
                )
                for source_id in (theirs["id"], NOBODY)
            ]
            assert [answer.status_code for answer in answers] == [404, 404]
            assert without_id(answers[0]) == without_id(answers[1])
    assert clients["red", "viewer"].get(f"{SOURCES}/{theirs['id']}").json() == theirs


WHOSE: list[tuple[str, Role] | None] = [None, *((workspace, role) for workspace in ("red", "blue") for role in ROLES)]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_Z_01_each_operation_is_done_for_exactly_those_whom_the_policy_permits(
    clients: Clients, team: TeamService, operation: Operation
) -> None:
    """Every operation, as every role, in the own workspace and another one, and without a token."""
    body = {} if operation.method in {"POST", "PUT", "PATCH"} else None
    query = {"name": "none has this name"} if operation.name == "validateDataSources" else {}
    source = made(clients["red", "editor"])
    for whose in WHOSE:
        path = operation.path.format(source_id=source["id"], type_name="csv", code="not_found")
        send = httpx2.request if whose is None else clients[whose].request
        answer = send(operation.method, team.service.url + path, json=body, params=query, timeout=60)
        expected = _expected(operation, whose, team)
        shown = answer.status_code if answer.status_code in {401, 403, 404, 405} else "done"
        assert shown == expected, (whose, answer.text)
        assert answer.status_code < 500
        if expected != "done":
            assert clients["red", "viewer"].get(f"{SOURCES}/{source['id']}").json() == source
        elif "{source_id}" in operation.path:
            source = made(clients["red", "editor"])


def _expected(operation: Operation, whose: tuple[str, Role] | None, team: TeamService) -> int | str:
    """Return what the policy says: how an operation on a data source of the workspace `red` is answered."""
    if operation.is_open(Settings(root=team.root)):
        return "done"
    if whose is None:
        return 401
    workspace, role = whose
    if "{source_id}" in operation.path and workspace != "red":
        return 404
    assert operation.permission is not None
    return "done" if Principal("x", workspace, role).may(operation.permission) else 403


@pytest.mark.parametrize(
    "path",
    [
        "//{id}",
        "/./{id}",
        "/%2e/{id}",
        "/{id}/",
        "/{id};x=1",
        "/{id}/.",
        "/{ID}",
        "/../datasources/{id}",
        "/%2e%2e/datasources/{id}",
        "%2f{id}",
        "/{id}%2fhealth",
        "/{id}%00",
        "/{id}%20",
        "/%00{id}",
        "\\{id}",
        "/..%5c{id}",
        "/../../../../red/datasources/{id}",
        "/{id}#",
    ],
)
def test_Z_06_no_spelling_of_a_path_leads_to_another_workspace(
    clients: Clients, team: TeamService, tokens: dict[tuple[str, str], str], path: str
) -> None:
    theirs = made(clients["red", "editor"])
    spelt = SOURCES + path.format(id=theirs["id"], ID=theirs["id"].upper())
    for method in ("GET", "DELETE", "PUT"):
        head = f"{method} {spelt} HTTP/1.1\nHost: localhost\nX-HTTP-Method-Override: GET\nX-Workspace: red"
        head += f"\nX-Original-URL: {SOURCES}/{theirs['id']}"
        status, text = raw(team.service, head, token=tokens["blue", "admin"])
        assert status in {400, 404, 405}
        assert theirs["name"] not in text
        assert raw(team.service, head, token=tokens["red", "admin"])[0] in {400, 404, 405}
    assert clients["red", "viewer"].get(f"{SOURCES}/{theirs['id']}").json() == theirs


def test_Z_09_what_was_deleted_is_not_found_by_anybody(clients: Clients) -> None:
    source = made(clients["red", "editor"])
    assert clients["red", "editor"].delete(f"{SOURCES}/{source['id']}").status_code == 204
    for whose in clients.values():
        assert whose.get(f"{SOURCES}/{source['id']}").status_code == 404


def test_Z_09_a_record_that_moves_to_another_workspace_is_not_read_in_its_former_one(
    clients: Clients, team: TeamService
) -> None:
    """Whatever was decided, or remembered, for this id in one workspace is nothing in another."""
    source = made(clients["red", "editor"])
    path = f"{SOURCES}/{source['id']}"
    made(clients["blue", "editor"])
    for _ in range(2):
        assert [clients[where, "viewer"].get(path).status_code for where in ("red", "blue")] == [200, 404]
    (red, blue) = (team.root / where / ".datasources" / f"{source['id']}.json" for where in ("red", "blue"))
    red.rename(blue)
    for _ in range(2):
        assert [clients[where, "viewer"].get(path).status_code for where in ("red", "blue")] == [404, 200]
    assert clients["red", "editor"].delete(path).status_code == 404
    assert clients["blue", "editor"].delete(path).status_code == 204


def test_I_15_a_cursor_is_of_no_use_in_another_workspace_or_to_another_user(clients: Clients) -> None:
    for workspace in ("red", "red", "blue", "blue"):
        made(clients[workspace, "editor"])
    page = clients["red", "viewer"].get(SOURCES, params={"limit": 1})
    cursor = {"cursor": page.json()["next"], "limit": 1}
    link = page.headers["link"].partition(">")[0][1:]
    assert clients["red", "viewer"].get(link).json() == clients["red", "viewer"].get(SOURCES, params=cursor).json()
    for whose in (("blue", "viewer"), ("red", "editor"), ("red", "admin"), ("blue", "admin")):
        answer = clients[whose].get(SOURCES, params=cursor)
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor")


@pytest.mark.slow
def test_a_cursor_is_good_for_all_workers_and_after_a_restart_and_a_rotation(tmp_path: Path) -> None:
    cursors = {}
    for _ in range(2):
        with running_team(tmp_path, workers=2) as team:
            if not cursors:
                for _ in range(3):
                    made(team.service.client)
                command(team.config, "keys", "rotate", "--workspace", str(team.root / "admin"))
                answers = [_alone(team, SOURCES, limit=1).json() for _ in range(6)]
                cursors = {answer["next"]: answer["items"][0]["id"] for answer in answers}
            for _ in range(8):
                for cursor, first in cursors.items():
                    answer = _alone(team, SOURCES, cursor=cursor)
                    assert answer.status_code == 200, answer.text
                    assert len({first, *(item["id"] for item in answer.json()["items"])}) == 3


def _alone(team: TeamService, path: str, **query: Any) -> httpx2.Response:
    """Ask over a connection of its own, so that any of the workers may get it."""
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    return calls.get(team.service.url + path, params=query, headers=headers, timeout=30)


def test_a_file_of_another_workspace_cannot_be_reached(clients: Clients, team: TeamService) -> None:
    made(clients["red", "editor"])
    (team.root / "red" / "secret.csv").write_text("a,b\n1,2\n")
    for path in ("../red/secret.csv", str(team.root / "red" / "secret.csv"), "../.tokens"):
        document = {"type": "csv", "path": path}
        answer = clients["blue", "editor"].post(f"{SOURCES}/validate", json=document)
        assert answer.status_code == 422 or answer.json()["checks"][0]["code"] == "file_unavailable"


@pytest.mark.parametrize("path", ["{}/validate", "validate", "validations"])
def test_X_07_who_may_only_read_does_not_validate_and_learns_nothing_of_others(clients: Clients, path: str) -> None:
    own, other = made(clients["red", "editor"]), made(clients["blue", "editor"])

    def ask(role: str, source: dict[str, Any]) -> httpx2.Response:
        body = document_of() if path == "validate" else None
        return clients["red", role].post(f"{SOURCES}/{path.format(source['id'])}", json=body)

    assert (ask("viewer", own).status_code, ask("editor", own).status_code) == (403, 200)
    if "{}" in path:
        assert [ask(role, other).status_code for role in ROLES] == [404, 404, 404]

    def newest() -> tuple[str, int]:
        items = clients["red", "admin"].get("/api/v1/audit", params={"user": "viewer@red"}).json()["items"]
        return items[0]["outcome"], items[0]["status"]

    # An attempt is answered before its entry is on the disk.
    expected = ("refused", 404 if "{}" in path else 403)
    wait_until(lambda: newest() == expected, f"the newest entry is not {expected}")


def test_the_history_says_which_user_it_was(clients: Clients) -> None:
    source = made(clients["red", "editor"])
    for role in ("editor", "admin"):
        clients["red", role].patch(f"{SOURCES}/{source['id']}", json={"description": f"by {role}"})
    items = clients["red", "viewer"].get(f"{SOURCES}/{source['id']}/history").json()["items"]
    assert {item["by"] for item in items} >= {"editor@red"}


def test_the_token_of_the_settings_is_an_administrators(team: TeamService) -> None:
    with team.client(ADMIN_TOKEN) as client:
        assert client.post("/api/v1/plugins/reload", timeout=60).status_code == 200
        made(client)
    assert (team.root / "admin" / ".datasources").is_dir()


def test_a_secret_is_kept_and_bound_as_in_local_mode(clients: Clients, canary: Canary) -> None:
    client = clients["red", "editor"]
    source = made(client, "postgres", password=canary.secret())
    assert client.get(f"{SOURCES}/{source['id']}").json()["password"]["is_set"]
    answer = client.patch(f"{SOURCES}/{source['id']}", json={"host": "evil.example"})
    assert answer.json()["code"] == "secret_required"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.0.0.1", "192.168.1.1", "[::1]", "169.254.169.254"])
def test_what_is_not_public_is_not_dialled(clients: Clients, host: str) -> None:
    document = document_of("postgres", host=host.strip("[]"), port=9)
    result = clients["red", "editor"].post(f"{SOURCES}/validate", json=document).json()
    codes = {check["code"] for check in result["checks"] if check["status"] == "failed"}
    assert codes == {"destination_rejected"}


def test_references_are_off(clients: Clients) -> None:
    document = document_of("postgres", host="db.example.com", password={"ref": "env:HOME"})
    result = clients["red", "editor"].post(f"{SOURCES}/validate", json=document).json()
    assert (result["checks"][0]["name"], result["checks"][0]["code"]) == ("secrets", "secret_unavailable")


def test_the_start_says_what_is_off(team: TeamService) -> None:
    log = team.service.log.read_text()
    assert "private networks and this machine are not dialled; WELLHEAD_EGRESS_ALLOW" in log
    assert "references to secrets are off; WELLHEAD_REFERENCE_ALLOW" in log


def test_A_01_no_operation_answers_without_a_token_and_all_such_answers_are_alike(
    team: TeamService, clients: Clients
) -> None:
    source_id = made(clients["red", "editor"])["id"]
    open_ones = {"/healthz", "/readyz", "/problems/{code}"}
    answers = [
        calls.request(operation.method, team.service.url + operation.path.format_map(_Filled(source_id=source_id)))
        for operation in OPERATIONS
        if operation.path not in open_ones
    ]
    assert len(answers) > 15
    assert {answer.status_code for answer in answers} == {401}
    assert all(without_id(answer) == without_id(answers[0]) for answer in answers[1:])


class _Filled(dict[str, str]):
    """Fills in any name of a path."""

    def __missing__(self, key: str) -> str:
        return "csv"


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_A_01_the_documents_need_a_token_of_any_role(team: TeamService, clients: Clients, path: str) -> None:
    assert calls.get(team.service.url + path).status_code == 401
    assert clients["blue", "viewer"].get(path).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/problems/not_found"])
def test_what_is_public_in_the_contract_needs_none(team: TeamService, path: str) -> None:
    assert calls.get(team.service.url + path).status_code == 200


def test_A_15_every_token_that_is_none_gets_the_same_answer(team: TeamService, tokens: dict[Any, str]) -> None:
    ended = team.token("ada", "admin", "red")
    command(team.config, "token", "revoke", "--root", str(team.root), ended["id"])
    good = tokens["red", "admin"]
    wrong = [ended["token"], good[:-1] + ("A" if good[-1] != "A" else "B"), "wh_x", "a.b.c", "x" * 9000, good.upper()]
    time.sleep(2)
    answers = [calls.get(team.service.url + SOURCES, headers={"Authorization": f"Bearer {text}"}) for text in wrong]
    assert {answer.status_code for answer in answers} == {401}
    assert all(without_id(answer) == without_id(answers[0]) for answer in answers[1:])


def test_A_13_a_revoked_token_is_refused_by_all_workers_within_two_seconds(tmp_path: Path) -> None:
    with running_team(tmp_path, workers=2) as team:
        kept, ended = team.token("ada", "editor", "red"), team.token("bob", "editor", "red")
        for token in (kept, ended):
            _wait_until_known(team, token["token"])
        command(team.config, "token", "revoke", "--root", str(team.root), ended["id"])
        time.sleep(2)
        assert {_status(team, ended["token"]) for _ in range(20)} == {401}
        assert {_status(team, kept["token"]) for _ in range(20)} == {200}
        log = team.service.log.read_text()
    for token in (kept, ended):
        assert token["token"][-43:] not in log


def test_a_plugin_that_is_installed_is_there_for_all_workers_and_workspaces_after_a_reload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(site.path))
    with running_team(tmp_path, workers=2) as team:
        clients = [team.client(team.token("ada", "editor", workspace)["token"]) for workspace in ("red", "blue")]
        time.sleep(1.5)
        for client in clients:
            made(client)
        site.install("fine", good("fine"))
        assert team.service.client.post("/api/v1/plugins/reload", timeout=60).json()["added"] == ["fine"]
        for client in clients:
            for number in range(8):
                headers = {**client.headers, "connection": "close"}
                body = {"type": "fine", "name": f"fine {number}"}
                assert client.post(SOURCES, json=body, headers=headers).status_code == 201
            assert client.get(SOURCES).json()["total"] == 9
            client.close()


def test_docs_may_be_shown_to_anybody_and_destinations_allowed(tmp_path: Path) -> None:
    settings = {"WELLHEAD_PUBLIC_DOCS": "true", "WELLHEAD_EGRESS_ALLOW": "127.0.0.0/8"}
    with running_team(tmp_path, **settings) as team:
        assert calls.get(team.service.url + "/openapi.json").status_code == 200
        assert calls.get(team.service.url + SOURCES).status_code == 401
        with socket.create_server(("127.0.0.1", 0)) as server:
            document = document_of("postgres", host="127.0.0.1", port=server.getsockname()[1])
            result = team.service.client.post(f"{SOURCES}/validate?timeout=1", json=document).json()
        assert {"name": "connect", "status": "passed"}.items() <= result["checks"][1].items()


def test_tokens_of_an_issuer_are_believed_and_nothing_else_is_told(tmp_path: Path) -> None:
    with running_issuer() as issuer:
        settings = {"WELLHEAD_OIDC_ISSUER": issuer.url, "WELLHEAD_OIDC_AUDIENCE": AUDIENCE}
        with running_team(tmp_path, workers=2, WELLHEAD_OIDC_JWKS_URL=issuer.jwks_url, **settings) as team:
            good = {role: issuer.token(role=role, workspace="red").decode() for role in ROLES}
            bad = [
                issuer.token(OTHER_RSA).decode(),
                issuer.token(aud="other").decode(),
                issuer.token(exp=1).decode(),
                issuer.token(header={"kid": "unknown"}).decode(),
                issuer.token(workspace="..").decode(),
            ]
            with team.client(good["editor"]) as client:
                source = made(client)
                client.patch(f"{SOURCES}/{source['id']}", json={"description": "x"})
                client.patch(f"{SOURCES}/{source['id']}", json={"description": "y"})
                items = client.get(f"{SOURCES}/{source['id']}/history").json()["items"]
                assert "ada" in {item["by"] for item in items}
            with team.client(good["viewer"]) as client:
                assert client.get(SOURCES).json()["total"] == 1
                assert client.post(SOURCES, json=document_of()).status_code == 403
            assert _status(team, issuer.token(workspace="blue").decode()) == 200
            refusals = [
                calls.get(team.service.url + SOURCES, headers={"Authorization": f"Bearer {token}"}) for token in bad
            ]
            refusals.append(calls.get(team.service.url + SOURCES))
            assert {answer.status_code for answer in refusals} == {401}
            assert all(without_id(answer) == without_id(refusals[0]) for answer in refusals[1:])
            log = team.service.log.read_text()
        assert len(issuer.paths) <= 2  # once for each worker
        assert not [token for token in (*good.values(), *bad) if token in log or token.rpartition(".")[2] in log]


def test_Z_02_the_numbers_of_all_workspaces_are_the_operators_and_name_none(
    team: TeamService, clients: Clients, tokens: dict[tuple[str, str], str]
) -> None:
    ids = [made(clients[workspace, "editor"])["id"] for workspace in ("red", "blue")]
    for role in ROLES:
        answer = clients["red", role].get("/metrics")
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    with issued_for_the_operators_workspace(team) as client:
        assert client.get(SOURCES).status_code == 200
        assert client.get("/metrics").status_code == 403
    with team.client(ADMIN_TOKEN) as client:
        text = client.get("/metrics").text
    assert "wellhead_datasources" in text
    for private in (*ids, "red", "blue", *(f"{role}@{workspace}" for workspace, role in tokens)):
        assert f'"{private}"' not in text


def issued_for_the_operators_workspace(team: TeamService) -> httpx2.Client:
    """Return a client of an administrator who has the workspace and the name of the token of the settings."""
    return team.client(team.token("admin", "admin", "admin")["token"])


def test_it_speaks_https_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    certificates = make_certificates()
    pair = certificates.server
    (tmp_path / "cert.pem").write_text(pair.certificate)
    (tmp_path / "key.pem").write_text(pair.key)
    more = ["--tls-certificate", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")]
    with running_team(tmp_path, workers=2, more=[*more, "--host", "0.0.0.0"]) as team:
        assert team.service.url.startswith("https://0.0.0.0:")
        url = team.service.url.replace("0.0.0.0", "localhost")
        context = ssl.create_default_context(cadata=certificates.ca)
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        assert calls.get(url + SOURCES, headers=headers, verify=context).status_code == 200
        with pytest.raises(httpx2.ConnectError):
            calls.get(url + SOURCES, headers=headers)


def test_A_17_behind_a_proxy_it_listens_everywhere_and_writes_down_addresses_that_are_some(tmp_path: Path) -> None:
    with running_team(tmp_path, more=["--host", "0.0.0.0", "--behind-proxy"]) as team:
        url = team.service.url.replace("0.0.0.0", "127.0.0.1")
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        assert calls.get(url + SOURCES, headers=headers).status_code == 200
        assert calls.get(url + SOURCES, headers={**headers, "host": "api.example.com"}).status_code == 421
        for client in ('<b>"evil', "203.0.113.9, 198.51.100.7", "2001:db8::7"):
            forwarded = {**headers, "X-Forwarded-For": client}
            assert calls.post(url + SOURCES, json=document_of(), headers=forwarded).status_code == 201
        items = calls.get(url + "/api/v1/audit", headers=headers).json()["items"]
        assert [item["address"] for item in items] == ["2001:db8::7", "198.51.100.7", None]


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """The root of a service that was never started, with a key ring, and its configuration directory."""
    (tmp_path / "root").mkdir()
    command(tmp_path / "config", "keys", "add", "--primary", "--workspace", str(tmp_path / "root"))
    return tmp_path / "root", tmp_path / "config"


def refused(place: tuple[Path, Path], *options: str, **environment: str) -> str:
    """Start a service that must not start for its settings, and return what it says."""
    root, config = place
    options = (*options,) if "--root" in options else ("--root", str(root), *options)
    return command(config, "serve", "--port", "0", *options, code=78, **environment)


def test_without_a_key_ring_it_does_not_start_and_names_the_command_that_makes_one(place: tuple[Path, Path]) -> None:
    (place[1] / "keys.json").unlink()
    assert "wellhead keys add --primary" in refused(place)
    assert not (place[1] / "keys.json").exists()


def test_with_a_key_ring_that_others_may_read_it_does_not_start(place: tuple[Path, Path]) -> None:
    (place[1] / "keys.json").chmod(0o644)
    assert "chmod 600" in refused(place)


def test_a_key_ring_below_the_root_is_refused(place: tuple[Path, Path]) -> None:
    root, config = place
    key_file = root / "keys.json"
    (config / "keys.json").rename(key_file)
    assert "inside the store" in refused(place, WELLHEAD_KEY_FILE=str(key_file))


def test_A_02_it_listens_for_others_only_encrypted(place: tuple[Path, Path]) -> None:
    assert "--behind-proxy" in refused(place, "--host", "0.0.0.0")


def test_A_02_Z_10_without_users_it_listens_for_nobody_else(place: tuple[Path, Path]) -> None:
    options = ["--workspace", str(place[0]), "--host", "0.0.0.0", "--behind-proxy"]
    assert "--root" in command(place[1], "serve", "--port", "0", *options, code=78)


@pytest.mark.parametrize("option", ["--tls-certificate", "--tls-key"])
def test_a_certificate_and_its_key_belong_together(place: tuple[Path, Path], option: str) -> None:
    assert "Name both" in refused(place, option, "x.pem")


def test_a_certificate_that_is_none_is_refused(place: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("no certificate")
    said = refused(place, "--tls-certificate", str(tmp_path / "x.pem"), "--tls-key", str(tmp_path / "x.pem"))
    assert "cannot be used" in said


def test_a_root_and_a_workspace_exclude_each_other(place: tuple[Path, Path]) -> None:
    assert "Name one of them" in refused(place, "--workspace", str(place[0]))


def test_a_root_that_is_not_there_is_refused(place: tuple[Path, Path], tmp_path: Path) -> None:
    assert "is not a directory" in refused(place, "--root", str(tmp_path / "nowhere"))


@pytest.mark.parametrize("where", ["root", "root/red", "."])
def test_roots_for_files_may_not_overlap_with_the_workspaces(
    place: tuple[Path, Path], tmp_path: Path, where: str
) -> None:
    (place[0] / "red").mkdir()
    assert "overlaps" in refused(place, WELLHEAD_FILE_ROOTS=str(tmp_path / where))


def test_a_token_of_local_mode_is_neither_made_nor_used(place: tuple[Path, Path], tmp_path: Path) -> None:
    (place[1] / "token").write_text("a-token-of-local-mode")
    (place[1] / "token").chmod(0o600)
    with running_team(tmp_path) as team:
        assert _status(team, "a-token-of-local-mode") == 401


def test_the_tokens_directory_is_no_workspace(place: tuple[Path, Path]) -> None:
    said = command(
        place[1], "token", "create", "--root", str(place[0]), "--user", "x", "--role", "admin", "-w", ".tokens", code=2
    )
    assert "workspace" in said
    assert issue(*place, "--user", "x", "--role", "admin")["workspace"] == "x"


def _status(team: TeamService, token: str) -> int:
    """Read the list over a connection of its own, so that any of the workers may get it."""
    return calls.get(team.service.url + SOURCES, headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code


def _wait_until_known(team: TeamService, token: str) -> None:
    """Wait until every worker knows a token that was issued a moment ago."""
    time.sleep(1.5)
    assert {_status(team, token) for _ in range(20)} == {200}
