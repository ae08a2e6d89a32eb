"""`wellhead edit`, by options and in an editor."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from support.canary import Canary
from support.command import COMMAND, CommandLine
from wellhead import open_workspace

SERVER = {"host": "127.0.0.1", "port": 9, "database": "sales", "username": "reader", "tls_mode": "disable"}
PASSWORD = "the-first-password"


@pytest.fixture
def wellhead(workspace: Path) -> CommandLine:
    """The command line in a workspace with two data sources."""
    (workspace / "sales.csv").write_text("a,b\n1,2\n")
    with open_workspace(workspace) as opened:
        opened.add({"type": "csv", "name": "sales", "path": "sales.csv", "labels": {"team": "x", "tier": "1"}})
        opened.add({"type": "postgres", "name": "db", "password": PASSWORD, **SERVER})
    return CommandLine(workspace)


@pytest.fixture
def editor(tmp_path: Path) -> Any:
    """Make editors: each is a program that runs a few lines on the document, once per opening."""

    def make(*edits: str) -> dict[str, str]:
        script = tmp_path / "editor.py"
        script.write_text(
            "import json, os, sys\nfrom pathlib import Path\n"
            f"path, seen = Path(sys.argv[1]), Path({str(tmp_path / 'seen')!r})\n"
            "turn = int(seen.read_text().split()[0]) if seen.exists() else 0\n"
            "seen.write_text(f'{turn + 1} {path} {path.stat().st_mode:o} {path.parent.stat().st_mode:o}')\n"
            f"edit = {list(edits)!r}[turn]\n"
            "text = path.read_text()\n"
            "document = json.loads(text) if text.startswith('{') and not edit.startswith('text') else None\n"
            "exec(edit)\n"
            "path.write_text(text if document is None else json.dumps(document))\n"
        )
        return {"EDITOR": f"{COMMAND[0]} {script}", "VISUAL": ""}

    return make


def shown(wellhead: CommandLine, name: str) -> dict[str, Any]:
    document: dict[str, Any] = wellhead("show", name, "--json").document
    return document


def test_options_change_what_they_name(wellhead: CommandLine) -> None:
    run = wellhead("edit", "SALES", "--set", "description=new", "--set", "labels.team=y", "--unset", "labels.tier")
    assert run.out == "Saved sales, revision 2.\n"
    document = shown(wellhead, "sales")
    assert (document["description"], document["labels"], document["path"]) == ("new", {"team": "y"}, "sales.csv")
    assert "Nothing changed" in wellhead("edit", "sales", "--set", "description=new").out
    assert wellhead("edit", "sales", "--unset", "description", "--json").document == shown(wellhead, "sales")
    assert shown(wellhead, "sales")["description"] is None


def test_a_file_is_a_merge_patch(wellhead: CommandLine) -> None:
    wellhead("edit", "sales", "--from-file", "-", stdin=json.dumps({"labels": {"team": None}, "delimiter": ";"}))
    document = shown(wellhead, "sales")
    assert (document["labels"], document["delimiter"]) == ({"tier": "1"}, ";")


def test_a_secret_is_set_kept_and_cleared(wellhead: CommandLine, canary: Canary) -> None:
    secret = canary.secret()
    canary.saw(wellhead("edit", "db", "--secret-env", "password=OWN", "--set", "host=::1", "--json", OWN=secret).out)
    wellhead("edit", "db", "--set", "description=kept")
    check = ("run", "db", "--", "sh", "-c", '[ "$WELLHEAD_PASSWORD" = "$OWN" ]')
    wellhead(*check, OWN=secret)
    wellhead("edit", "db", "--unset", "password")
    assert shown(wellhead, "db")["password"] is None


def test_a_new_destination_needs_the_secret_anew(wellhead: CommandLine) -> None:
    assert "password" in wellhead("edit", "db", "--set", "host=db.example.com", code=2).err
    assert shown(wellhead, "db")["host"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("sales",), 2),
        (("nothing", "--set", "path=x"), 1),
        (("sales", "--set", "pth=x"), 2),
        (("sales", "--set", "path"), 2),
        (("sales", "--unset", "path"), 2),
        (("db", "--set", "password=hunter2"), 2),
        (("sales", "--set", "name=db"), 1),
        (("sales", "--set", "path=gone.csv", "--verify"), 1),
    ],
    ids=str,
)
def test_what_does_not_fit_changes_nothing(wellhead: CommandLine, arguments: tuple[str, ...], code: int) -> None:
    assert wellhead("edit", *arguments, code=code).err
    assert shown(wellhead, "sales")["revision"] == shown(wellhead, "db")["revision"] == 1


def test_an_editor_gets_what_a_read_shows_and_saves_it(wellhead: CommandLine, editor: Any, tmp_path: Path) -> None:
    run = wellhead.talk("edit", "db", answers=[], **editor("document['description'] = 'edited'"))
    assert run.code == 0, run.out
    assert "null instead" in run.out
    document = shown(wellhead, "db")
    assert (document["description"], document["password"]["set_in_revision"]) == ("edited", 1)
    _, path, mode, directory_mode = (tmp_path / "seen").read_text().split()
    assert (stat.S_IMODE(int(mode, 8)), stat.S_IMODE(int(directory_mode, 8))) == (0o600, 0o700)
    assert not Path(path).parent.exists()


def test_an_editor_shows_no_secret_and_takes_one(wellhead: CommandLine, editor: Any) -> None:
    lines = f"assert {PASSWORD!r} not in text; document['password'] = 'the-second'; document['host'] = '::1'"
    run = wellhead.talk("edit", "db", answers=[], **editor(lines))
    assert run.code == 0, run.out
    wellhead("run", "db", "--", "sh", "-c", '[ "$WELLHEAD_PASSWORD" = the-second ]')
    assert wellhead.talk("edit", "db", answers=[], **editor("", "document['password'] = None")).code == 0
    assert shown(wellhead, "db")["password"] is None


def test_what_does_not_fit_is_shown_and_edited_again_with_the_text_kept(wellhead: CommandLine, editor: Any) -> None:
    answers = [("again?", "y")] * 3
    edits = ("document.update(pth=1, path='kept.csv')", "text += ','", "text = text[:-1]", "document.pop('pth')")
    run = wellhead.talk("edit", "sales", answers=answers, **editor(*edits))
    assert run.code == 0, run.out
    assert "pth: " in run.out
    assert shown(wellhead, "sales")["path"] == "kept.csv"


def test_giving_up_saves_nothing_and_leaves_no_file(wellhead: CommandLine, editor: Any, tmp_path: Path) -> None:
    run = wellhead.talk("edit", "sales", answers=[("again?", "n")], **editor("document['pth'] = 'hunter2'"))
    assert run.code == 2
    assert "Nothing was saved" in run.out
    assert not Path((tmp_path / "seen").read_text().split()[1]).exists()
    assert shown(wellhead, "sales")["revision"] == 1


def test_a_document_left_as_it_is_saves_nothing(wellhead: CommandLine, editor: Any) -> None:
    run = wellhead.talk("edit", "sales", answers=[], **editor("pass"))
    assert (run.code, "Nothing changed" in run.out) == (0, True)
    assert shown(wellhead, "sales")["revision"] == 1


def test_somebody_elses_change_in_between_is_a_conflict(wellhead: CommandLine, editor: Any) -> None:
    command = [*COMMAND, "edit", "sales", "--set", "description=theirs"]
    lines = f"import subprocess; subprocess.run({command!r}, check=True); document['description'] = 'mine'"
    run = wellhead.talk("edit", "sales", answers=[], **editor(lines))
    assert run.code == 1
    assert "wellhead edit sales" in run.out
    assert shown(wellhead, "sales")["description"] == "theirs"


@pytest.mark.parametrize("command", ["no-such-editor", "false", "'"])
def test_an_editor_that_fails_saves_nothing(wellhead: CommandLine, command: str) -> None:
    run = wellhead.talk("edit", "sales", answers=[], VISUAL=command)
    assert run.code == 1
    assert "Traceback" not in run.out
    assert shown(wellhead, "sales")["revision"] == 1


def test_a_command_that_is_ended_leaves_no_file(wellhead: CommandLine, editor: Any, tmp_path: Path) -> None:
    lines = "import signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(10)"
    assert wellhead.talk("edit", "sales", answers=[], **editor(lines)).code == 143
    assert not Path((tmp_path / "seen").read_text().split()[1]).parent.exists()


def test_a_value_of_another_type_is_a_change(wellhead: CommandLine, editor: Any) -> None:
    run = wellhead.talk("edit", "sales", answers=[("again?", "n")], **editor("document['has_header'] = 1"))
    assert run.code == 2
    assert "has_header: " in run.out
