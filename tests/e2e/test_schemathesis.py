"""What schemathesis makes of the OpenAPI document, sent to a live service for several users, for each role."""

from __future__ import annotations

import os
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.documents import document_of
from support.service import SOURCES
from support.team import TeamService, running_team
from support.uv import uv_command

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BEFORE = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["exclude-newer"]
FUZZER = "schemathesis==4.32.5"
PHASES = ("Examples", "Coverage", "Fuzzing", "Stateful")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeamService]:
    """A service that limits nobody, and gives validations a second."""
    limits = {f"WELLHEAD_LIMIT_{kind}": "off" for kind in ("READ", "WRITE", "VALIDATE", "LOGINS")}
    variables = {"WELLHEAD_VALIDATION_TIMEOUT": "1", "WELLHEAD_VALIDATION_TIMEOUT_MAX": "1", "WELLHEAD_QUOTA": "0"}
    with running_team(tmp_path_factory.mktemp("team"), **limits, **variables) as team:
        yield team


@pytest.mark.parametrize("role", ["nobody", "viewer", "editor", "admin"])
def test_I_16_no_request_gets_an_answer_that_the_document_does_not_have(
    team: TeamService, role: str, tmp_path: Path
) -> None:
    tokens = {kind: team.token(f"{kind}-of-{role}", kind, role)["token"] for kind in ("viewer", "editor", "admin")}
    with team.client(tokens["editor"]) as editor:
        made = [editor.post(SOURCES, json=document_of(kind)).raise_for_status().json() for kind in ("csv", "postgres")]
    (tmp_path / "openapi.json").write_bytes(team.service.client.get("/openapi.json").raise_for_status().content)
    sent = ["--header", f"Authorization: Bearer {tokens[role]}"] if role in tokens else []
    parts = ["schemathesis.toml"] if role == "editor" else ["schemathesis.toml", "schemathesis-bodies.toml"]
    (tmp_path / "schemathesis.toml").write_text("".join((HERE / part).read_text() for part in parts))
    status, said = fuzz(tmp_path, team.service.url, made[0]["id"], *sent)
    assert status == 0, said
    assert all(f"✅  {phase}" in said for phase in PHASES), said
    assert "Traceback" not in team.service.log.read_text()


def fuzz(directory: Path, url: str, source_id: str, *options: str) -> tuple[int, str]:
    """Send requests, in an amount that does not depend on the machine; return what is said of the answers.

    With `WELLHEAD_FUZZ_SECONDS`, that long and by chance.
    """
    seconds = os.environ.get("WELLHEAD_FUZZ_SECONDS")
    by_chance = ["--max-time", str(seconds), "--generation-database", "none"]
    amount = by_chance if seconds else ["--max-examples", "10", "--generation-deterministic"]
    command = [*uv_command(), "tool", "run", "-q", "--exclude-newer", BEFORE, "--from", FUZZER, "st", "run"]
    command += ["openapi.json", "--url", url, "--no-color", *amount, *options]
    variables = {**os.environ, "SOURCE_ID": source_id}
    done = subprocess.run(
        command, cwd=directory, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout
