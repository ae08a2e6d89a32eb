"""What no code of ours may do: run or unpickle data, use a shell, skip verification, log what an exception says."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.programs import missing_service

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for place in ("core", "plugins/*", "examples/*") for path in ROOT.glob(f"{place}/src/**/*.py"))

BANNED = {
    "import pickle": "TID251",
    "import pickle\npickle.loads(b'')": "S301",
    "import marshal\nmarshal.loads(b'')": "S302",
    "import shelve": "TID251",
    "import dill": "TID251",
    "import yaml\nyaml.load('')": "S506",
    "eval('1')": "S307",
    "exec('1')": "S102",
    "import subprocess\nsubprocess.run('ls', shell=True)": "S602",
    "import os\nos.system('ls')": "S605",
    "import httpx\nhttpx.get('', verify=False)": "S501",
    "import ssl\nssl._create_unverified_context()": "S323",
    "import tempfile\ntempfile.mktemp()": "S306",
    "import xml.etree.ElementTree": "TID251",
    "import hashlib\nhashlib.md5(b'')": "S324",
    "import pickle as p\np.loads": "TID251",
    "from yaml import unsafe_load": "TID251",
    "import multiprocessing.connection": "TID251",
}
"""What is refused, each with ruff's rule."""

_LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log", "msg"}


def test_O_03_the_rules_are_on_for_all_that_is_installed() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert {"S", "TID251"} <= set(lint["select"])
    off = {rule for pattern, rules in lint["per-file-ignores"].items() if "tests" not in pattern for rule in rules}
    assert not {rule for rule in [*off, *lint["ignore"]] if rule.startswith(("S", "TID"))}


def test_O_03_no_line_of_ours_is_excused_from_them() -> None:
    rules = "|".join(set(BANNED.values()))
    for path in SOURCES:
        assert not re.search(rf"noqa[^#\n]*\b({rules})\b", path.read_text()), path


@pytest.mark.slow
@pytest.mark.parametrize("code", BANNED)
def test_O_03_what_is_dangerous_does_not_pass(code: str) -> None:
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    if ruff is None:
        missing_service("ruff is not there: it is in the group `lint`")
    command = [ruff, "check", "--output-format", "json", "--stdin-filename", "core/src/wellhead/x.py", "-"]
    done = subprocess.run(command, cwd=ROOT, input=code, capture_output=True, text=True, check=False)
    assert BANNED[code] in {found["code"] for found in json.loads(done.stdout)}, done


def test_O_03_no_log_line_has_the_text_of_an_exception() -> None:
    found = [f"{path.name}:{line}" for path in SOURCES for line in texts_in_logs(ast.parse(path.read_text()))]
    assert found == []


@pytest.mark.parametrize(
    "call",
    [
        "log.info('x', error=repr(error))",
        "self._log.warning('x', error=str(error))",
        "log.error(f'failed: {error}')",
        "log.error(f'failed: {value!r}')",
        "log.error('failed: %s', error)",
        "structlog.get_logger('x').error('x', why=error)",
        "log.exception('x')",
        "log.error('x', exc_info=True)",
        "logging.getLogger(__name__).log(10, 'x', error)",
        "log.error('x', why=error.args)",
    ],
)
def test_the_search_for_texts_of_exceptions_finds_them(call: str) -> None:
    code = "try:\n    pass\nexcept OSError as error:\n    {}\n"
    assert list(texts_in_logs(ast.parse(code.format(call)))) == [4]
    for fine in ("log.error('x', error=logs.where(error))", "log.error('x', why=error.strerror)", "print(error)"):
        assert list(texts_in_logs(ast.parse(code.format(fine)))) == []


def texts_in_logs(tree: ast.AST) -> Iterator[int]:
    """Return the lines of calls that log what an exception or an object says of itself."""
    caught = {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name}
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and _logs(call.func):
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            names = {keyword.arg for keyword in call.keywords}
            is_whole = call.func.attr == "exception" or names & {"exc_info", "stack_info"}
            if is_whole or any(_tells(value, caught) for value in given):
                yield call.lineno


def _logs(function: ast.Attribute) -> bool:
    logger = ast.unparse(function.value).rpartition(".")[2]
    return function.attr in _LEVELS and re.search(r"log(ger)?\b|getLogger|get_logger", logger) is not None


def _tells(value: ast.AST, caught: set[str]) -> bool:
    """Tell whether a value has the text of an exception: its attributes are facts, but for `args`."""
    if isinstance(value, ast.Name):
        return value.id in caught
    if isinstance(value, ast.Attribute):
        return value.attr == "args"
    if isinstance(value, ast.FormattedValue) and value.conversion in {ord("r"), ord("a")}:
        return True
    if isinstance(value, ast.Call) and ast.unparse(value.func) in {"logs.where", "where", "type"}:
        return False
    if isinstance(value, ast.Call) and ast.unparse(value.func) in {"repr", "ascii"}:
        return True
    return any(_tells(inner, caught) for inner in ast.iter_child_nodes(value))
