"""The unit of the examples: systemd takes it, and the service does with what it leaves."""

from __future__ import annotations

import configparser
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from support import calls
from support.documents import document_of
from support.programs import missing_service
from support.service import SOURCES
from support.team import issue
from wellhead.access.rates import Rate
from wellhead.api.serving.listener import GRACE
from wellhead.cli.exit_codes import EXIT_SETTINGS
from wellhead.settings import PREFIX, Settings, load_settings

UNIT = Path(__file__).parents[2] / "examples/systemd/wellhead.service"
SETTINGS = UNIT.with_name("wellhead.toml")
WELLHEAD = Path(sys.executable).parent / "wellhead"


class _Unit(configparser.RawConfigParser):
    """A unit file; a directive that is there several times has all its values, a line each."""

    def __init__(self) -> None:
        super().__init__(dict_type=_Joined, strict=False, delimiters=("=",), comment_prefixes=("#",))
        self.optionxform = str  # type: ignore[assignment,method-assign]  # as the library's documentation says


class _Joined(dict):  # type: ignore[type-arg]  # what configparser fills
    def __setitem__(self, key: str, value: object) -> None:
        if isinstance(value, list) and isinstance(self.get(key), list):
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


@pytest.fixture
def service_part() -> dict[str, str]:
    """The directives of the unit's service."""
    unit = _Unit()
    unit.read_string(UNIT.read_text())
    return dict(unit["Service"])


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with the program where it is here."""
    if shutil.which("systemd-analyze") is None:
        missing_service("systemd-analyze is not installed")
    path = tmp_path / "wellhead.service"
    path.write_text(UNIT.read_text().replace("/opt/wellhead/bin/wellhead", str(WELLHEAD)))
    return path


def environment_of(part: dict[str, str], places: dict[str, Path]) -> dict[str, str]:
    """Return the variables that the unit sets, with the places of its specifiers."""
    pairs = [line.split("=", 1) for line in part["Environment"].splitlines()]
    return {name: re.sub("%[SCd]", lambda found: str(places[found[0]]), value) for name, value in pairs}


def test_systemd_finds_nothing_wrong_with_it(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_O_05_systemd_finds_it_well_confined(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:]


def test_it_names_only_settings_and_options_that_there_are(service_part: dict[str, str]) -> None:
    variables = environment_of(service_part, {"%S": Path("/s"), "%C": Path("/c"), "%d": Path("/d")})
    assert {name.removeprefix(PREFIX).lower() for name in variables} <= Settings.model_fields.keys()
    program, *arguments = shlex.split(service_part["ExecStart"])
    assert program == "/opt/wellhead/bin/wellhead"
    help_text = subprocess.run([WELLHEAD, arguments[0], "--help"], capture_output=True, text=True, check=True).stdout
    assert all(option in help_text for option in arguments if option.startswith("--"))
    assert tomllib.loads(SETTINGS.read_text()).keys() <= Settings.model_fields.keys()


def test_it_serves_several_users_with_limits_and_a_log_of_all_changes(service_part: dict[str, str]) -> None:
    settings = load_settings(SETTINGS)
    assert "--root" in service_part["ExecStart"]
    assert "--behind-proxy" in service_part["ExecStart"]
    assert settings.audit_required
    assert settings.plugins_strict
    rates = (settings.limit_read, settings.limit_write, settings.limit_validate, settings.limit_logins)
    assert None not in map(Rate.from_text, rates)
    assert settings.quota > 0
    assert settings.allowed_hosts
    assert service_part["User"] not in {"root", "0"}


def test_it_gives_the_service_time_to_end_and_starts_no_wrong_settings_again(service_part: dict[str, str]) -> None:
    assert service_part["KillMode"] == "mixed"
    assert int(service_part["TimeoutStopSec"]) >= GRACE + 5
    assert int(service_part["RestartPreventExitStatus"]) == EXIT_SETTINGS


@pytest.mark.slow
def test_the_service_makes_no_call_that_it_forbids(service_part: dict[str, str], unit: Path, tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        missing_service("strace is not installed")
    places = _places(tmp_path)
    key_file = tmp_path / "keys.json"
    subprocess.run(
        [WELLHEAD, "keys", "add", "--primary", "--workspace", str(tmp_path)],
        env={**os.environ, "WELLHEAD_KEY_FILE": str(key_file)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    key_file.rename(places["%d"] / "keys.json")
    (places["%d"] / "keys.json").chmod(0o440)
    log = tmp_path / "calls"
    _serve_and_use(service_part, places, ["strace", "-f", "-qq", "-o", str(log)])
    text = log.read_text()
    used = set(re.findall(r"^\d+ +(\w+)\(", text, re.MULTILINE))
    assert {"landlock_restrict_self", "prctl", "openat2"} <= used
    assert used - set(_expanded(service_part["SystemCallFilter"].split())) == set()
    families = set(re.findall(r"^\d+ +socket\((AF_\w+)", text, re.MULTILINE))
    assert families <= set(service_part["RestrictAddressFamilies"].split())


def _places(home: Path) -> dict[str, Path]:
    """Make the directories as systemd does, and the workspace of a user."""
    (home / "wellhead").mkdir(mode=0o700)
    (home / "wellhead/ada").mkdir(mode=0o700)
    (home / "wellhead/ada/sales.csv").write_text("region,amount\nnorth,10\n")
    credentials, cache = home / "credentials", home / "cache"
    credentials.mkdir(mode=0o700)
    cache.mkdir()
    return {"%S": home, "%C": cache, "%d": credentials}


def _serve_and_use(part: dict[str, str], places: dict[str, Path], under: list[str]) -> None:
    """Run the unit's command under another program, and use most of what there is."""
    exact = part["ExecStart"].replace("%S", str(places["%S"])).replace("/etc/wellhead/wellhead.toml", str(SETTINGS))
    _, *arguments = shlex.split(exact)
    command = [*under, str(WELLHEAD), *arguments, "--port", "0", "--json"]
    operator = secrets.token_urlsafe(24)  # who alone reads the numbers of all workspaces
    variables = {**os.environ, **environment_of(part, places), "WELLHEAD_TOKEN": operator}
    process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        first = json.loads(process.stdout.readline())
        token = issue(places["%S"] / "wellhead", places["%S"] / "none", "--user", "ada", "--role", "admin")["token"]
        headers = {"Authorization": f"Bearer {token}"}
        with calls.Client(base_url=first["url"], headers=headers, timeout=60) as client:
            made = client.post(SOURCES, json=document_of("csv")).json()
            assert client.post(f"{SOURCES}/{made['id']}/validate").json()["status"] == "passed"
            secret = client.post(SOURCES, json=document_of("postgres", password="secret"))
            assert secret.status_code == 201
            assert client.post(f"{SOURCES}/validations").status_code == 200
            for path in ("/readyz", SOURCES):
                assert client.get(path).status_code == 200
            numbers = client.get("/metrics", headers={"Authorization": f"Bearer {operator}"})
            assert numbers.status_code == 200
            assert client.get(SOURCES).headers["RateLimit-Policy"].startswith('"read";q=3000;')
            written = [entry["operation"] for entry in client.get("/api/v1/audit").json()["items"]]
            assert written[-2:] == ["create", "create_token"]
            assert client.delete(f"{SOURCES}/{made['id']}").status_code == 204
        [served] = psutil.Process(process.pid).children() if under else [psutil.Process(process.pid)]
        served.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _expanded(names: list[str]) -> Iterator[str]:
    """Return the system calls of a filter, those of its sets too."""
    for name in names:
        if name.startswith("@"):
            command = ["systemd-analyze", "syscall-filter", name]
            listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
            lines = [line.strip() for line in listed if line.startswith("    ")]
            yield from _expanded([line for line in lines if not line.startswith("#")])
        else:
            yield name
