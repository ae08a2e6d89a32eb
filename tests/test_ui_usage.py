"""How to use a data source: what is shown works as it is copied."""

import ast
import subprocess
from pathlib import Path
from typing import Any

import pytest

from wellhead.ui.usage import Place, Way, name_or_id, ways_to_use

ID = "5f3c2d1e-0a4b-4c5d-8e6f-7a8b9c0d1e2f"
LOCAL = Place("http://127.0.0.1:8000", Path("/srv/it's here"))
SERVER = Place("https://wellhead.example.com", None)
NAMES = ["warehouse", "müller's $HOME `id`", 'a "b" \\ c', "!x", "a;b&c|d", "*"]


def source(name: str | None = "warehouse", **fields: Any) -> dict[str, Any]:
    return {"id": ID, "name": name, "type": "postgres", "host": "db.example.com", **fields}


def snippets(ways: list[Way], title: str) -> list[str]:
    return [text for way in ways if way.title == title for _, text in way.snippets]


def arguments(command: str) -> list[str]:
    """Return what a shell hands to the command, whose place a function takes."""
    name = command.split(maxsplit=1)[0]
    script = f"{name}() {{ printf '%s\\0' \"$@\"; }}\n{command}"
    done = subprocess.run(["bash", "-c", script], check=True, capture_output=True, env={"WELLHEAD_TOKEN": "t o k"})
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("name", NAMES)
def test_whatever_the_name_a_shell_hands_it_over_whole(name: str) -> None:
    validate, run = snippets(ways_to_use(source(name), LOCAL), "Command line")
    assert arguments(validate) == ["validate", name, "--workspace", str(LOCAL.workspace)]
    assert arguments(run) == [
        "run", name, "--workspace", str(LOCAL.workspace), "--", "sh", "-c", 'echo "$WELLHEAD_HOST"'
    ]  # fmt: skip


@pytest.mark.parametrize("name", [None, "--help", ID.replace("5", "6"), "a\nb", "a\u202eb"])
def test_a_name_that_a_command_would_take_for_something_else_gives_way_to_the_id(name: str | None) -> None:
    assert name_or_id(source(name)) == ID


@pytest.mark.parametrize("name", NAMES)
def test_the_python_opens_the_workspace_and_reveals_the_first_secret_that_is_set(name: str) -> None:
    found = source(name, password=None, client_key={"is_set": True, "set_in_revision": 1})
    (text,) = snippets(ways_to_use(found, LOCAL, secrets=["password", "client_key"]), "Python")
    constants = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
    assert constants == [str(LOCAL.workspace), name]
    assert text.endswith("print(source.host)\nclient_key = source.client_key.reveal()")


def test_curl_has_the_address_and_the_variable_of_the_token() -> None:
    read, validate = snippets(ways_to_use(source(), LOCAL), "curl")
    url = f"http://127.0.0.1:8000/api/v1/datasources/{ID}"
    assert arguments(read) == ["-sS", "-H", "Authorization: Bearer t o k", url]
    assert arguments(validate) == ["-sS", "-X", "POST", "-H", "Authorization: Bearer t o k", f"{url}/validate"]


def test_who_may_not_validate_is_not_told_how() -> None:
    assert len(snippets(ways_to_use(source(), LOCAL, may_validate=False), "curl")) == 1


def test_in_server_mode_only_the_api_is_offered_and_where_secrets_are() -> None:
    ways = ways_to_use(source(password={"is_set": True}), SERVER, secrets=["password"])
    assert [way.title for way in ways] == ["Python", "curl"]
    assert all("secrets to nobody" in (way.note or "") for way in ways)
    (text,) = snippets(ways, "Python")
    assert "open_workspace" not in text
    assert f"https://wellhead.example.com/api/v1/datasources/{ID}" in text
    ast.parse(text)
