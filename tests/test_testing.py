"""What `wellhead.testing` offers to applications."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Literal

import pydantic
import pytest

import wellhead
from wellhead import open_workspace, testing
from wellhead.errors import InputError

STUB = Path(testing.__file__).with_suffix(".pyi")


def test_the_stub_and_the_module_list_the_same_names() -> None:
    nodes = [node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.ImportFrom)]
    stubbed = {alias.asname: f"{node.module}.{alias.name}" for node in nodes for alias in node.names}

    assert testing.__all__ == sorted(name for name in stubbed if name is not None) == dir(testing)
    for name, place in stubbed.items():
        found = getattr(testing, str(name))
        assert getattr(found, "__qualname__", None) in {None, name}
        assert place in {f"{getattr(found, '__module__', None)}.{name}", getattr(found, "__name__", None)}


def test_another_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'server'"):
        testing.server  # noqa: B018  # looking it up is what is tested


@pytest.mark.parametrize(
    ("used", "not_paid_for"),
    [("", {"asyncio", "cryptography", "fastapi", "pydantic"}), ("testing.servers", {"fastapi", "pydantic", "typer"})],
)
def test_a_test_pays_only_for_what_it_uses(used: str, not_paid_for: set[str]) -> None:
    code = f"import sys\nfrom wellhead import testing\n{used}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert not_paid_for.isdisjoint(done.stdout.split())


def test_an_answering_data_source_validates_and_gives_its_secret_out(tmp_path: Path) -> None:
    with testing.open_workspace(tmp_path) as workspace:
        workspace.add({"name": "orders", "type": "answering", "password": "letmein-123"})
        assert workspace.validate("orders").status == "passed"
        resolved = workspace.resolve("orders")
    assert isinstance(resolved, testing.AnsweringDataSource)
    assert resolved.password is not None
    assert resolved.password.reveal() == "letmein-123"


@pytest.mark.parametrize("step", ["resolve", "connect", "authenticate", "query"])
def test_a_failing_data_source_fails_at_the_chosen_check_with_the_chosen_code(tmp_path: Path, step: str) -> None:
    with testing.open_workspace(tmp_path) as workspace:
        workspace.add({"name": "broken", "type": "failing", "fails_at": step, "code": "auth_failed"})
        result = workspace.validate("broken")
    assert result.status == "failed"
    assert [(check.name, check.code) for check in result.errors] == [(step, "auth_failed")]


def test_a_slow_data_source_runs_into_the_deadline(tmp_path: Path) -> None:
    with testing.open_workspace(tmp_path) as workspace:
        workspace.add({"name": "sleepy", "type": "slow"})
        result = workspace.validate("sleepy", timeout=0.2)
    assert result.status == "timeout"
    assert result.errors[0].name == "connect"
    assert result.duration_ms < 5000


def test_a_test_can_bring_its_own_types_and_then_has_only_those(tmp_path: Path) -> None:
    answering = [kind for kind in testing.data_source_types() if kind.get_type_name() == "answering"]
    with testing.open_workspace(tmp_path, types=answering) as workspace:
        assert [item["name"] for item in workspace.types()] == ["answering"]


def test_the_types_for_tests_are_not_there_unless_asked_for(workspace: Path) -> None:
    with open_workspace(workspace) as opened, pytest.raises(InputError) as refused:
        opened.add({"name": "orders", "type": "answering"})
    assert refused.value.common_code == "unknown_type"


def test_a_running_service_answers_and_ends(tmp_path: Path) -> None:
    with testing.running_service(tmp_path) as service:
        request = urllib.request.Request(f"{service.url}/api/v1/datasources/types", headers=service.headers)
        with urllib.request.urlopen(request) as response:
            names = {item["name"] for item in json.load(response)["items"]}
    assert {"answering", "failing", "slow"} <= names
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(service.url)


def test_nothing_of_the_users_settings_gets_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WELLHEAD_KEY_FILE", "/nowhere/keys.json")
    with testing.open_workspace(tmp_path) as workspace:
        workspace.add({"name": "orders", "type": "answering", "password": "letmein-123"})
    assert (tmp_path / ".wellhead" / "keys.json").exists()


class CanonicalDataSource(wellhead.DataSourceConfig):
    """A type with a rule that sees the whole document before it is read."""

    type: Literal["canonical"] = "canonical"
    host: str = wellhead.field(description="Where it is.")

    @pydantic.model_validator(mode="before")
    @classmethod
    def _lower_host(cls, document: Any) -> Any:
        return {**document, "host": document["host"].lower()} if "host" in document else document


def test_a_type_with_a_validator_before_its_fields_is_read_as_it_was_saved(tmp_path: Path) -> None:
    with testing.open_workspace(tmp_path, types=[wellhead.DataSourceType(CanonicalDataSource)]) as workspace:
        added = workspace.add({"name": "a", "type": "canonical", "host": "DB.example.com"})
        assert workspace.get("a") == added
        assert isinstance(added, CanonicalDataSource)
        assert added.host == "db.example.com"
