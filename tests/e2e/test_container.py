"""The Containerfile of the examples: its lines run here, and the image is built where something can build it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.documents import document_of
from support.service import SOURCES, running_service
from support.team import ADMIN_TOKEN, command
from wellhead.access.rates import Rate
from wellhead.settings import PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "examples/container/Containerfile"
SETTINGS = FILE.with_name("wellhead.env")
SCRIPTS = Path(sys.executable).parent


def instructions() -> list[tuple[str, str]]:
    """Return the instructions, each with what follows it."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.MULTILINE).replace("\\\n", "")
    return [(line.split()[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def only(name: str) -> str:
    """Return what follows the only instruction of a name."""
    [found] = [rest for instruction, rest in instructions() if instruction == name]
    return found


def variables() -> dict[str, str]:
    """Return the variables that the image sets."""
    return dict(pair.split("=", 1) for pair in shlex.split(only("ENV")))


def test_nothing_runs_as_root_and_the_last_stage_builds_nothing() -> None:
    names = [name for name, _ in instructions()]
    last = instructions()[len(names) - 1 - names[::-1].index("FROM") :]
    assert names.count("FROM") == 2
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", only("USER"))
    assert not any("pip" in rest for name, rest in last if name == "RUN")
    assert [name for name, _ in last].index("USER") < [name for name, _ in last].index("ENTRYPOINT")


def test_its_settings_are_settings_and_its_command_is_one() -> None:
    own = {name: value for name, value in variables().items() if name.startswith(PREFIX)}
    assert {name.removeprefix(PREFIX).lower() for name in own} <= Settings.model_fields.keys()
    assert own["WELLHEAD_PLUGINS_STRICT"] == "true"
    command = [*json.loads(only("ENTRYPOINT")), *json.loads(only("CMD"))]
    assert "--behind-proxy" in command
    done = subprocess.run([SCRIPTS / command[0], *command[1:], "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(option in done.stdout for option in command if option.startswith("--"))


def test_its_file_of_settings_limits_what_users_may_do(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line for line in SETTINGS.read_text().splitlines() if line and not line.startswith("#")]
    for name, _, value in (line.partition("=") for line in lines):
        assert name.removeprefix(PREFIX).lower() in Settings.model_fields
        monkeypatch.setenv(name, value)
    settings = load_settings()
    rates = (settings.limit_read, settings.limit_write, settings.limit_validate, settings.limit_logins)
    assert None not in map(Rate.from_text, rates)
    assert settings.allowed_hosts == ("data.example.com",)


def test_what_is_written_lies_where_it_may_be() -> None:
    volumes = json.loads(only("VOLUME"))
    written = [variables()[f"WELLHEAD_{name}"] for name in ("ROOT", "CACHE_DIR")]
    assert all(path in volumes or path.startswith("/tmp/") for path in written)
    made = next(rest for name, rest in reversed(instructions()) if name == "RUN")
    assert set(volumes) <= set(made.split())


def test_the_health_check_tells_a_service_from_none(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    _, _, command = only("HEALTHCHECK").partition("CMD ")
    program, *arguments = json.loads(command)
    assert program == "python"
    with running_service(tmp_path / "workspace", tmp_path / "config") as service:
        port = service.url.rpartition(":")[2]
        check = [sys.executable, *(part.replace("8000", port) for part in arguments)]
        assert subprocess.run(check, check=False, stderr=subprocess.DEVNULL).returncode == 0
    assert subprocess.run(check, check=False, stderr=subprocess.DEVNULL).returncode == 1


@pytest.mark.slow
def test_what_the_first_stage_installs_can_serve(tmp_path: Path) -> None:
    build = next(rest for name, rest in instructions() if name == "RUN")
    for name in ("core", "plugins"):
        shutil.copytree(ROOT / name, tmp_path / "src" / name, ignore=shutil.ignore_patterns("__pycache__"))
    here = build.replace("/opt/wellhead", str(tmp_path / "venv")).replace("/src/", f"{tmp_path}/src/")
    subprocess.run(["bash", "-ec", here.replace("python -m venv", f"{sys.executable} -m venv")], check=True)
    installed = tmp_path / "venv/bin/python"
    (tmp_path / "data").mkdir()
    places = {"/data": str(tmp_path / "data"), "/tmp/wellhead": str(tmp_path / "cache")}  # in the image
    places["/run/secrets/wellhead/keys.json"] = str(tmp_path / "keys.json")
    own = {name: places.get(value, value) for name, value in variables().items() if name.startswith(PREFIX)}
    command(tmp_path, "keys", "add", "--primary", "--workspace", str(tmp_path / "data"), **own)
    made = json.loads(command(tmp_path, "token", "create", "--user", "ada", "--role", "editor", "--json", **own))
    more = json.loads(only("CMD"))[1:]
    own |= {"WELLHEAD_TOKEN": ADMIN_TOKEN}
    with running_service(
        tmp_path / "data", tmp_path / "config", python=str(installed), option="--root", more=more, **own
    ) as service:
        ready = service.client.get("/readyz").json()["plugins"]["ready"]
        headers = {"Authorization": f"Bearer {made['token']}"}
        assert service.client.post(SOURCES, json=document_of(), headers=headers).status_code == 201
    assert (tmp_path / "data/ada/.datasources").is_dir()
    assert (tmp_path / "data/.audit/audit.jsonl").stat().st_size
    assert ready == len(list((ROOT / "plugins").iterdir()))


@pytest.mark.slow
def test_the_image_can_be_built() -> None:
    for builder in ("podman", "docker", "buildah"):
        if (
            shutil.which(builder)
            and subprocess.run([builder, "info"], capture_output=True, check=False).returncode == 0
        ):
            subprocess.run([builder, "build", "-f", str(FILE), "-t", "wellhead-test", str(ROOT)], check=True)
            return
    pytest.skip("nothing here can build an image")
