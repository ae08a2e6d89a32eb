"""The command line, run as a command."""

import json
import os
import re
import socket
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.canary import Canary
from support.command import COMMAND, CommandLine
from support.plugin import install_plugin
from support.service import SOURCES, running_service
from wellhead import open_workspace

DATABASE = ("--set", "host=127.0.0.1", "--set", "port=9", "--set", "database=sales", "--set", "username=reader")
PLAIN = (*DATABASE, "--set", "tls_mode=disable")


@pytest.fixture
def wellhead(workspace: Path) -> CommandLine:
    """The command line in an empty workspace."""
    return CommandLine(workspace)


@pytest.fixture
def csv(wellhead: CommandLine) -> dict[str, Any]:
    """A data source that works."""
    (wellhead.workspace / "sales.csv").write_text("a,b\n1,2\n")
    with open_workspace(wellhead.workspace) as opened:
        opened.add({"type": "csv", "name": "sales", "path": "sales.csv"})
        return opened.list()[0]


def test_the_types_are_listed(wellhead: CommandLine) -> None:
    assert {"csv", "postgres"} <= set(wellhead("types").out.split())


def test_a_broken_plugin_is_listed_with_its_remedy(wellhead: CommandLine, tmp_path: Path) -> None:
    plugins = install_plugin(tmp_path / "plugins", "broken", "raise RuntimeError('hunter2')")
    run = wellhead("types", PYTHONPATH=str(plugins))
    assert "broken" in run.out
    assert "pip uninstall broken" in run.out
    assert "csv" in run.out
    assert "hunter2" not in run.out


def test_reading_makes_nothing(wellhead: CommandLine, tmp_path: Path) -> None:
    for command in (("list",), ("types",), ("validate", "--all")):
        wellhead(*command)
    wellhead("show", "nothing", code=1)
    assert list(wellhead.workspace.iterdir()) == []
    assert not (tmp_path / "config").exists()


def test_a_data_source_is_added_shown_listed_validated_and_removed(wellhead: CommandLine, csv: dict[str, Any]) -> None:
    assert "sales.csv" in wellhead("show", "sales").out
    assert csv["id"] in wellhead("list").out
    assert "passed" in wellhead("validate", "sales").out
    assert "Removed sales" in wellhead("remove", "SALES", "--yes").out
    wellhead("show", csv["id"], code=1)


def without_times(types: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**item, "load_ms": None} for item in types["items"]]


def test_json_is_what_the_api_would_answer(wellhead: CommandLine, csv: dict[str, Any], tmp_path: Path) -> None:
    wellhead("add", "postgres", "--name", "db", *PLAIN)
    with running_service(wellhead.workspace, tmp_path / "config") as service:
        answers = {path: service.client.get(path).json() for path in (SOURCES, f"{SOURCES}/types")}
        assert wellhead("list", "--json").document == answers[SOURCES]
        assert without_times(wellhead("types", "--json").document) == without_times(answers[f"{SOURCES}/types"])
        assert wellhead("show", "sales", "--json").document == service.client.get(f"{SOURCES}/{csv['id']}").json()
        result = service.client.post(f"{SOURCES}/{csv['id']}/validate").json()
    own = wellhead("validate", "sales", "--json").document
    assert own.keys() == result.keys()
    assert [check["name"] for check in own["checks"]] == [check["name"] for check in result["checks"]]


@pytest.mark.parametrize("document", [{"type": "csv"}, {"type": "csv", "name": "x", "path": "y", "pth": 1}])
def test_errors_in_json_are_those_of_the_api_too(
    wellhead: CommandLine, tmp_path: Path, document: dict[str, Any]
) -> None:
    own = wellhead("add", "csv", "--from-file", "-", "--json", stdin=json.dumps(document), code=2).document
    with running_service(wellhead.workspace, tmp_path / "config") as service:
        answer = service.client.post(SOURCES, json=document).json()
    del answer["request_id"]
    assert own == answer


def test_an_unknown_type_is_wrong_usage_and_names_those_that_there_are(wellhead: CommandLine) -> None:
    run = wellhead("add", "postgre", code=2)
    assert "csv, " in run.err
    assert run.err.count("postgres, redis") == 1
    assert wellhead("add", "postgre", "--json", code=2).document["code"] == "unknown_type"


def test_secrets_come_from_files_variables_and_standard_input(
    wellhead: CommandLine, tmp_path: Path, canary: Canary
) -> None:
    secret, path = canary.secret(), tmp_path / "secret.txt"
    path.write_text(f"{secret}\n")
    canary.put_into(path)
    wellhead("add", "postgres", "--name", "a", *PLAIN, "--secret-file", f"password={path}")
    wellhead("add", "postgres", "--name", "b", *PLAIN, "--secret-file", "password=-", stdin=f"{secret}\r\n")
    wellhead("add", "postgres", "--name", "c", *PLAIN, "--secret-env", "password=OWN", OWN=secret)
    document = {"type": "postgres", "password": secret, "name": "d"}
    wellhead("add", "postgres", *PLAIN, "--from-file", "-", stdin=json.dumps(document))
    for name in "abcd":
        shown = wellhead("run", name, "--", "sh", "-c", '[ "$WELLHEAD_PASSWORD" = "$OWN" ] && echo same', OWN=secret)
        assert shown.out == "same\n", name
        canary.saw(wellhead("show", name, "--json").out)


@pytest.mark.parametrize("key", ["password", "connection_string", "client_key"])
def test_a_secret_is_not_taken_from_an_argument(wellhead: CommandLine, key: str) -> None:
    run = wellhead("add", "postgres", "--name", "x", *PLAIN, "--set", f"{key}=hunter2-in-argv", code=2)
    assert f"--secret-file {key}=PATH" in run.err
    assert "hunter2" not in run.err + run.out


def test_no_option_takes_a_secret_as_its_value(wellhead: CommandLine) -> None:
    for option in ("--password", "--token", "--secret"):
        wellhead("add", "postgres", option, "hunter2", code=2)


def test_a_connection_string_comes_from_a_variable(wellhead: CommandLine, canary: Canary) -> None:
    secret = canary.plain_secret()
    text = f"postgresql://reader:{secret}@127.0.0.1:9/sales?sslmode=disable"
    run = wellhead("add", "postgres", "--name", "x", "--secret-env", "connection_string=DSN", "--json", DSN=text)
    canary.saw(run.out)
    assert (run.document["host"], run.document["port"], run.document["username"]) == ("127.0.0.1", 9, "reader")
    assert run.document["password"]["is_set"] is True


def test_a_file_of_another_type_is_refused(wellhead: CommandLine) -> None:
    document = json.dumps({"type": "postgres", "name": "x", "path": "y"})
    assert "another type" in wellhead("add", "csv", "--from-file", "-", stdin=document, code=2).err


def test_a_terminal_is_asked_for_what_is_missing_and_shows_no_secret(wellhead: CommandLine, canary: Canary) -> None:
    secret = canary.plain_secret()
    answers = [("Name: ", "talked"), ("Host: ", "localhost"), ("Database: ", "sales"), ("Username: ", "reader")]
    run = wellhead.talk("add", "postgres", answers=[*answers, ("none): ", secret), ("without TLS", "y")])
    canary.saw(run.out)
    assert run.code == 0, run.out
    shown = wellhead("show", "talked", "--json").document
    assert (shown["host"], shown["port"], shown["tls_mode"]) == ("localhost", 5432, "disable")
    assert shown["password"]["is_set"] is True


def test_a_type_without_a_tls_mode_is_not_asked_about_tls(wellhead: CommandLine, tmp_path: Path) -> None:
    plugins = install_plugin(tmp_path / "plugins")
    answers = [("Name: ", "talked"), ("Host: ", "localhost")]
    run = wellhead.talk("add", "gadget", answers=answers, PYTHONPATH=str(plugins))
    assert run.code == 0, run.out
    assert "without TLS" not in run.out


def test_a_server_elsewhere_is_not_asked_about_tls(wellhead: CommandLine) -> None:
    answers = [("none): ", "a password")]
    run = wellhead.talk("add", "postgres", "--name", "far", *DATABASE, "--set", "host=db.example.com", answers=answers)
    assert "without TLS" not in run.out
    assert wellhead("show", "far", "--json").document["tls_mode"] == "verify-full"


def test_without_a_terminal_nothing_is_asked(wellhead: CommandLine) -> None:
    run = wellhead("add", "postgres", "--name", "x", code=2)
    for name in ("host", "database", "username"):
        assert f"{name}: The field is required" in run.err


def test_a_question_that_is_not_answered_ends_the_command(wellhead: CommandLine) -> None:
    run = wellhead.talk("add", "csv", answers=[("Name", "\x03")])
    assert run.code in {1, 130}
    assert "Traceback" not in run.out


@pytest.mark.parametrize("answer", ["n", ""])
def test_removing_asks_first(wellhead: CommandLine, csv: dict[str, Any], answer: str) -> None:
    assert wellhead.talk("remove", "sales", answers=[("Remove sales for good?", answer)]).code == 1
    assert "--yes" in wellhead("remove", "sales", code=1).err
    wellhead("show", "sales")


def test_many_are_validated_at_once(wellhead: CommandLine, csv: dict[str, Any]) -> None:
    wellhead("add", "csv", "--name", "gone", "--set", "path=gone.csv")
    run = wellhead("validate", "--all", "--json", code=1)
    lines = [json.loads(line) for line in run.out.splitlines()]
    assert {line["name"]: line["result"]["status"] for line in lines[:-1]} == {"sales": "passed", "gone": "failed"}
    assert lines[-1] == {"totals": {"passed": 1, "failed": 1}}
    assert "gone" in wellhead("validate", "sales", "gone", code=1).out
    wellhead("validate", "sales")


def test_one_that_is_named_twice_is_validated_once(wellhead: CommandLine, csv: dict[str, Any]) -> None:
    lines = wellhead("validate", "sales", csv["id"], "sales", "--json").out.splitlines()
    assert [json.loads(line).get("status") for line in lines] == ["passed"]


@pytest.mark.parametrize(
    "arguments", [("validate",), ("validate", "sales", "--all"), ("validate", "--timeout", "0", "sales")]
)
def test_validating_nothing_or_too_much_is_wrong_usage(wellhead: CommandLine, arguments: tuple[str, ...]) -> None:
    wellhead(*arguments, code=2)


def test_the_environment_of_a_command_has_the_fields(wellhead: CommandLine, csv: dict[str, Any]) -> None:
    script = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('WELLHEAD_')}))"
    variables = wellhead("run", "sales", "--", COMMAND[0], "-c", script).document
    assert (variables["WELLHEAD_PATH"], variables["WELLHEAD_HAS_HEADER"]) == ("sales.csv", "true")
    assert (variables["WELLHEAD_TYPE"], variables["WELLHEAD_LABELS"]) == ("csv", "{}")
    assert not {"WELLHEAD_ID", "WELLHEAD_REVISION"} & variables.keys()


@pytest.mark.parametrize("code", [0, 1, 7, 78])
def test_the_exit_code_of_a_command_is_passed_on(wellhead: CommandLine, csv: dict[str, Any], code: int) -> None:
    wellhead("run", "sales", "--", "sh", "-c", f"exit {code}", code=code)


def test_the_options_of_a_command_are_its_own(wellhead: CommandLine, csv: dict[str, Any]) -> None:
    assert wellhead("run", "sales", "--", "echo", "--json", "--help", "-w").out == "--json --help -w\n"


@pytest.mark.parametrize(("command", "code"), [("no-such-command", 127), ("/etc/passwd", 126), ("/", 126)])
def test_a_command_that_cannot_be_run_is_told(
    wellhead: CommandLine, csv: dict[str, Any], command: str, code: int
) -> None:
    assert f"{command} cannot be run" in wellhead("run", "sales", "--", command, code=code).err


def test_a_value_that_no_environment_can_hold_is_told(wellhead: CommandLine, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "nul").write_bytes(b"a\0b")
    document = json.dumps({"password": {"ref": f"file:{secrets}/nul"}})
    wellhead("add", "postgres", "--name", "x", *PLAIN, "--from-file", "-", stdin=document)
    run = wellhead("run", "x", "--", "true", code=1, WELLHEAD_REFERENCE_DIRS=str(secrets))
    assert run.err.startswith("Error: ")


def test_each_use_is_logged_without_the_secret(wellhead: CommandLine, tmp_path: Path, canary: Canary) -> None:
    wellhead("add", "postgres", "--name", "db", *PLAIN, "--secret-env", "password=OWN", OWN=canary.secret())
    wellhead("run", "db", "--", "true")
    wellhead("run", "db", "--", "false", code=1)
    log = tmp_path / "config" / "audit.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    done = [(line["operation"], line["name"], line["revision"]) for line in lines]
    assert done == [("create", "db", 1), ("run", "db", 1), ("run", "db", 1)]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_what_cannot_be_logged_is_not_run(wellhead: CommandLine, csv: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "config" / "audit.jsonl").unlink()
    (tmp_path / "config" / "audit.jsonl").mkdir()
    run = wellhead("run", "sales", "--", "echo", "it ran", code=1)
    assert "it ran" not in run.out
    assert run.err.startswith("Error: ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("bogus",), 2),
        (("list", "--bogus"), 2),
        (("list", "--limit", "0"), 2),
        (("list", "--sort", "password"), 2),
        (("list", "--state", "bogus"), 2),
        (("show",), 2),
        (("show", "nothing"), 1),
        (("remove", "nothing", "--yes"), 1),
        (("run", "nothing", "--", "true"), 1),
        (("run", "nothing"), 2),
        (("add", "csv", "--set", "path"), 2),
        (("add", "csv", "--set", "=x"), 2),
        (("add", "csv", "--secret-file", "path=/no/such/file"), 2),
        (("add", "csv", "--secret-env", "path=NO_SUCH_VARIABLE"), 2),
        (("add", "csv", "--from-file", "/no/such/file"), 2),
        (("list", "--workspace", "/no/such/directory"), 78),
        (("list", "--config", "/no/such/file.toml"), 78),
        (("serve", "--port", "99999"), 2),
    ],
    ids=str,
)
def test_exit_codes_say_what_was_wrong(wellhead: CommandLine, arguments: tuple[str, ...], code: int) -> None:
    run = wellhead(*arguments, code=code)
    assert not arguments or run.err


@pytest.mark.parametrize("option", ["--name", "--set", "--secret-env", "--from-file", "--workspace", "--config"])
def test_arguments_that_are_no_text_end_no_command_with_a_traceback(wellhead: CommandLine, option: str) -> None:
    value = {"--set": b"path=\xff\x1b", "--secret-env": b"path=\xff"}.get(option, b"\xff\xfe")
    done = subprocess.run(
        [*COMMAND, "add", "csv", option.encode(), value],
        cwd=wellhead.workspace,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode in {2, 78}
    assert b"Traceback" not in done.stderr
    assert b"\x1b" not in done.stderr


@pytest.fixture
def unicode(wellhead: CommandLine) -> None:
    """A data source whose name not every terminal can show."""
    with open_workspace(wellhead.workspace) as opened:
        opened.add({"type": "csv", "name": "販売 📈", "path": "é.csv"})


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize(("command", "code"), [("list", 0), ("validate", 1)])
@pytest.mark.usefixtures("unicode")
def test_a_terminal_of_another_encoding_gets_what_it_can_show(
    wellhead: CommandLine, encoding: str, command: str, code: int
) -> None:
    names = [] if command == "list" else ["販売 📈"]
    wellhead(command, *names, code=code, PYTHONIOENCODING=encoding)


@pytest.mark.usefixtures("unicode")
def test_json_is_json_in_every_encoding(wellhead: CommandLine) -> None:
    page = wellhead("list", "--json", PYTHONIOENCODING="ascii").document
    assert (page["items"][0]["name"], page["items"][0]["path"]) == ("販売 📈", "é.csv")


def test_a_pipe_that_is_closed_early_ends_quietly(wellhead: CommandLine) -> None:
    command = f"{COMMAND[0]} -m wellhead types --json | true"
    done = subprocess.run(["sh", "-c", command], cwd=wellhead.workspace, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_a_record_that_was_edited_does_not_steer_the_terminal(wellhead: CommandLine, csv: dict[str, Any]) -> None:
    path = wellhead.workspace / ".datasources" / f"{csv['id']}.json"
    document = json.loads(path.read_text())
    document["name"] = "\x1b]0;owned\x07\x1b[2J\u202e"
    document["fields"]["path"] = "\x1b[31mred"
    path.write_text(json.dumps(document))
    for command in (("list",), ("show", csv["id"]), ("remove", csv["id"], "--yes", "--force")):
        run = wellhead(*command)
        assert "\x1b" not in run.out + run.err
        assert "\u202e" not in run.out + run.err


def test_settings_come_from_a_file_and_variables_win(
    wellhead: CommandLine, csv: dict[str, Any], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    file = tmp_path / "settings.toml"
    file.write_text(f'workspace = "{other}"\nlog_level = "error"\n')
    assert wellhead("list", "--config", file, "--json").document["total"] == 0
    assert (
        wellhead("list", "--config", file, "--json", WELLHEAD_WORKSPACE=str(wellhead.workspace)).document["total"] == 1
    )
    assert wellhead("list", "--config", file, "--json", "--workspace", wellhead.workspace).document["total"] == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bogus = 1\nport = 1", "bogus"),
        ("[server]\nport = 1", "server"),
        ('port = "hunter2"', "port in "),
        ('log_level = "hunter2"', "log_level in "),
        ('token = "hunter2"', "token in "),
        ('file_roots = ["hunter2"]', "file_roots in "),
        ("port = [", "TOML"),
        ('port = "\\xff', "TOML"),
    ],
)
def test_settings_that_do_not_fit_are_named_and_not_repeated(
    wellhead: CommandLine, tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    run = wellhead("list", "--config", file, code=78)
    assert run.err.startswith("Error: ")
    assert told in run.err
    assert "hunter2" not in run.err


@pytest.mark.parametrize(
    "variables", [{"WELLHEAD_PORT": "x"}, {"WELLHEAD_LOG_LEVEL": "loud"}, {"WELLHEAD_REFERENCE_DIRS": "x"}]
)
def test_variables_that_do_not_fit_are_named(wellhead: CommandLine, variables: dict[str, str]) -> None:
    assert next(iter(variables)) in wellhead("list", code=78, **variables).err


@pytest.mark.parametrize("side", ["ALLOW", "DENY"])
def test_N_22_a_rule_that_cannot_be_read_ends_every_command_and_is_named(wellhead: CommandLine, side: str) -> None:
    variables = {f"WELLHEAD_EGRESS_{side}": "db.internal,10.0.0.1/8"}
    for command in (("list",), ("types",), ("serve", "--port", "0")):
        said = wellhead(*command, code=78, **variables).err
        assert f"WELLHEAD_EGRESS_{side}: rule 2 of {side.lower()}, '10.0.0.1/8'" in " ".join(said.split())
        assert "write 10.0.0.0/8." in said


def test_N_24_a_destination_that_is_denied_is_refused_with_the_setting_to_change(wellhead: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = ("--set", f"port={server.getsockname()[1]}", *DATABASE[:2], *DATABASE[4:])
        wellhead("add", "postgres", "--name", "sales", *place)
        denied = {"WELLHEAD_EGRESS_DENY": "127.0.0.0/8"}
        [check] = wellhead("validate", "sales", "--json", code=1, **denied).document["checks"][:1]
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert (check["name"], check["code"]) == ("resolve", "destination_rejected")
    assert "WELLHEAD_EGRESS_ALLOW" in check["hint"]
    assert "WELLHEAD_EGRESS_DENY" in check["hint"]


def test_N_25_neither_a_workspace_nor_a_data_source_changes_the_egress_policy(wellhead: CommandLine) -> None:
    for name in (".env", "settings.toml", "wellhead.toml", ".datasources/settings.toml"):
        path = wellhead.workspace / name
        path.parent.mkdir(exist_ok=True, mode=0o700)
        path.write_text("WELLHEAD_EGRESS_ALLOW=rubbish/\n" if name == ".env" else 'egress_allow = ["rubbish/"]\n')
    wellhead("list")  # it would end with 78 if it had read one of them
    for name in ("egress_allow", "egress_deny", "policy"):
        said = wellhead("add", "postgres", "--name", "sales", *DATABASE, "--set", f"{name}=0.0.0.0/0", code=2).err
        assert name in said


def test_a_workspace_that_vanished_is_told(wellhead: CommandLine) -> None:
    command = f"mkdir gone && cd gone && rmdir ../gone && exec {COMMAND[0]} -m wellhead list"
    # Python itself cannot start in such a place with a relative path in PYTHONPATH, such as the README's.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        ["sh", "-c", command], cwd=wellhead.workspace, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 78
    assert "Traceback" not in done.stderr
    wellhead("list", "--workspace", "~no-such-user/x", code=78)
    wellhead("list", code=78, WELLHEAD_CONFIG_DIR="~no-such-user/x")


def test_the_version_and_the_short_help_are_there(wellhead: CommandLine) -> None:
    assert re.fullmatch(r"wellhead \d+\.\d+\.\d+\S*\n", wellhead("--version").out)
    assert "--set" in wellhead("add", "-h").out


@pytest.mark.parametrize(
    ("words", "expected"), [("wellhead add po", "postgres"), ("wellhead show s", "sales"), ("wellhead edit ", "sales")]
)
def test_a_shell_completes_types_and_names(
    wellhead: CommandLine, csv: dict[str, Any], words: str, expected: str
) -> None:
    count = str(len(words.split(" ")) - 1)
    run = wellhead(_WELLHEAD_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=count)
    assert run.out.split() == [expected]


def test_completing_is_quiet_about_errors(wellhead: CommandLine) -> None:
    words = {"COMP_WORDS": "wellhead show x", "COMP_CWORD": "2"}
    run = wellhead(_WELLHEAD_COMPLETE="complete_bash", WELLHEAD_PORT="x", **words)
    assert run.out.strip() == run.err == ""


def test_all_are_listed_unless_a_limit_is_given(wellhead: CommandLine) -> None:
    with open_workspace(wellhead.workspace) as opened:
        for number in range(205):
            opened.add({"type": "csv", "name": f"s{number:03}", "path": "x.csv"})
    page = wellhead("list", "--json").document
    assert (len(page["items"]), page["next"], page["total"]) == (205, None, 205)
    assert len(wellhead("list", "--limit", "203", "--json").document["items"]) == 203
    assert "2 of 205" in wellhead("list", "--limit", "2").out


def test_a_filter_that_matches_nothing_is_told_as_that(wellhead: CommandLine, csv: dict[str, Any]) -> None:
    assert wellhead("list", "--type", "json").out == "No data source matches.\n"


@pytest.mark.parametrize("option", [("--type", "A b"), ("--q", "ab"), ("--label", "a b"), ("--label", ":x")])
def test_a_filter_of_bad_form_is_wrong_usage(wellhead: CommandLine, option: tuple[str, str]) -> None:
    assert f"{option[0]}: Must be" in wellhead("list", *option, code=2).err


def test_what_does_not_fit_is_asked_again(wellhead: CommandLine, csv: dict[str, Any]) -> None:
    given = ("--set", "database=sales", "--set", "username=reader", "--set", "tls_mode=disable")
    answers = [("Name: ", "sales"), ("Host: ", "no host"), ("none): ", ""), ("Host: ", "::1"), ("Name: ", "other")]
    run = wellhead.talk("add", "postgres", *given, answers=answers)
    assert run.code == 0, run.out
    assert "host: " in run.out
    assert wellhead("show", "other", "--json").document["host"] == "::1"


def test_what_no_answer_mends_ends_the_command(wellhead: CommandLine) -> None:
    answers = [("Name: ", "x"), ("Path: ", "x.csv")]
    assert wellhead.talk("add", "csv", "--set", "pth=1", answers=answers).code == 2


def test_the_next_command_is_one_that_a_shell_takes(wellhead: CommandLine) -> None:
    assert "wellhead validate 'my sales'" in wellhead("add", "csv", "--name", "my sales", "--set", "path=x").out


def test_a_refusal_to_save_names_the_check_and_what_to_do(wellhead: CommandLine) -> None:
    run = wellhead("add", "csv", "--name", "x", "--set", "path=x.csv", "--verify", code=1)
    assert "locate: " in run.err
    assert "Check the path" in run.err
    assert "'result'" not in run.err


def test_a_command_gets_none_of_wellheads_own_settings(
    wellhead: CommandLine, csv: dict[str, Any], tmp_path: Path
) -> None:
    settings = {"WELLHEAD_TOKEN": "hunter2-hunter2-hunter2", "WELLHEAD_KEY_FILE": str(tmp_path / "keys.json")}
    run = wellhead("run", "sales", "--", "env", OTHER="kept", wellhead_token=settings["WELLHEAD_TOKEN"], **settings)
    assert "hunter2" not in run.out
    assert not {"WELLHEAD_TOKEN", "WELLHEAD_KEY_FILE", "WELLHEAD_CONFIG_DIR"} & _names(run.out)
    assert {"OTHER", "WELLHEAD_PATH"} <= _names(run.out)


def _names(text: str) -> set[str]:
    return {line.partition("=")[0] for line in text.splitlines()}


def test_removing_with_json_prints_nothing(wellhead: CommandLine, csv: dict[str, Any]) -> None:
    assert wellhead("remove", "sales", "--yes", "--json").out == ""
    assert wellhead("remove", "sales", "--yes", "--json", code=1).document["code"] == "not_found"


def test_a_terminal_sees_how_many_passed_and_failed(wellhead: CommandLine, csv: dict[str, Any]) -> None:
    wellhead("add", "csv", "--name", "gone", "--set", "path=gone.csv")
    run = wellhead.talk("validate", "--all", answers=[], TERM="xterm", NO_COLOR="1")
    assert "2/2" in run.out
    assert "1 passed, 1 failed" in run.out
    assert "1 failed, 1 passed" in run.out.splitlines()[-1]
    assert "2/2" not in wellhead("validate", "--all", code=1).err


def test_every_command_is_in_the_help(wellhead: CommandLine) -> None:
    text = wellhead("--help").out
    assert all(name in text for name in ("serve", "types", "list", "show", "add", "validate", "remove", "run"))
    assert "--secret-file" in wellhead("add", "--help").out
