"""Running what the docs show: blocks of `python`, `console` and `sh` in the pages, in their order.

- `python`: all blocks of a page run in one namespace, in the page's directory.
- `console`: lines with `$ ` are commands (`> ` goes on with one), the lines below are what comes out. `…` stands for
  anything on a line, a line of its own for any number of lines. A command without a shown output must succeed.
- `sh`: each block is one script, which must succeed.
- `json`, `toml`: must be well-formed.
- A block below `<!-- not run: REASON -->` is not run.
- A block below `<!-- file: PATH -->` is written to that file, in the page's directory, before anything runs.

In a page, `pip install -q -e .` makes the folder known to Python as that would, without building or downloading.
All shell commands of a page run in one bash, in the page's directory, with `wellhead` on the path. A page that says
`<!-- with a service -->` gets one, for the address that `wellhead serve` has by default; one that says
`<!-- with a PostgreSQL -->` gets that, for port 5432 of localhost, with `root.crt` and `password.txt`;
`<!-- with a MariaDB -->` does the same for port 3306, and `<!-- with a Redis -->` for port 6379. One that says
`<!-- with Node.js -->` is left out where that is missing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEFAULT_ADDRESS = "http://127.0.0.1:8000"
UV_RUN = "PYTHONPATH=.uv python3 -m uv run "
INSTALL = "pip install -q -e ."
DEFAULT_PORT_OF_POSTGRES = "port=5432"
DEFAULT_PORT_OF_MARIADB = "port=3306"
DEFAULT_PORT_OF_REDIS = "port=6379"
WITH_A_SERVICE = "<!-- with a service -->"
WITH_NODE = "<!-- with Node.js -->"
WITH_A_POSTGRES = "<!-- with a PostgreSQL -->"
WITH_A_MARIADB = "<!-- with a MariaDB -->"
WITH_A_REDIS = "<!-- with a Redis -->"

_FENCE = re.compile(
    r"^(?P<skip><!-- (?:not run: [^\n]+|file: (?P<file>\S+)) -->\n+)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_SEPARATOR = "\x1e"


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page.

    Attributes:
        language: What the fence says.
        text: What is inside.
        line: The line of the fence, from 1.
        is_run: False where the page says that it is not run, or that it is a file.
        file: The file that it is, if it is one.
    """

    language: str
    text: str
    line: int
    is_run: bool
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a page, and what the page says that it prints; None if it says nothing."""

    text: str
    expected: str | None
    line: int


def pages() -> list[Path]:
    """Return every page for people."""
    places = ("*.md", "core/*.md", "plugins/*/*.md", "examples/*.md", "docs/**/*.md")
    written = [path for place in places for path in ROOT.glob(place)]
    return sorted(path for path in written if "_build" not in path.parts)


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            match["language"],
            match["text"],
            text.count("\n", 0, match.start()) + 1,
            match["skip"] is None,
            match["file"],
        )
        for match in _FENCE.finditer(text)
    ]


def write_files(found: list[Block], directory: Path) -> None:
    """Write the blocks that are files."""
    for block in found:
        if block.file is not None:
            path = directory / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")


def install(project: Path, site: Path) -> None:
    """Make a project known to Python in a directory of packages: its modules, and its entry points."""
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    facts = site / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {about['name']}\nVersion: {about['version']}\n")
    groups = about.get("entry-points", {}).items()
    (facts / "entry_points.txt").write_text(
        "".join(f"[{group}]\n" + "".join(f"{name} = {at}\n" for name, at in of.items()) for group, of in groups)
    )
    for module in (project / "src").iterdir():
        (site / module.name).symlink_to(module)


def run_python(found: list[Block], page: Path) -> None:
    """Run the `python` blocks of a page in one namespace."""
    namespace: dict[str, object] = {"__name__": "docs"}
    for block in found:
        if block.language == "python" and block.is_run:
            code = compile("\n" * block.line + block.text, str(page), "exec", dont_inherit=True)
            exec(code, namespace)


def commands(found: list[Block]) -> list[Command]:
    """Return the shell commands of a page."""
    result: list[Command] = []
    for block in found:
        if block.is_run and block.language == "sh":
            result.append(Command(block.text, None, block.line))
        elif block.is_run and block.language == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                lines = part.rstrip("\n").split("\n")
                size = 1 + sum(1 for line in lines[1:] if line.startswith("> "))
                text = "\n".join([lines[0], *(line.removeprefix("> ") for line in lines[1:size])])
                result.append(Command(text, "\n".join(lines[size:]) or None, block.line))
    return result


def run_commands(found: list[Command], directory: Path, home: Path, instead: dict[str, str]) -> list[str]:
    """Run the shell commands of a page in one bash.

    Args:
        found: The commands.
        directory: Where they run.
        home: The home directory.
        instead: What stands in the page, and what is run instead of that.

    Returns:
        What differs from what the page says; empty if all is well.
    """
    script = "\n".join(f"{command.text}\nprintf '{_SEPARATOR}%s{_SEPARATOR}' $?" for command in found)
    site = home / "site"
    own = {UV_RUN: "", INSTALL: f"{sys.executable} -P {__file__} {site}"}
    for shown, run in {**own, **instead}.items():
        script = script.replace(shown, run)
    variables = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "WELLHEAD_CONFIG_DIR": str(home / ".config" / "wellhead"),
        "PYTHONPATH": str(site),
        "PYTHONUTF8": "1",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=directory, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
    )  # fmt: skip
    parts = done.stdout.split(_SEPARATOR)
    if len(parts) != 2 * len(found) + 1:
        return [f"bash stopped early:\n{done.stdout}"]
    outcomes = zip(found, parts[0::2], parts[1::2], strict=False)
    return [text for command, output, status in outcomes if (text := _difference(command, output, status))]


def _difference(command: Command, output: str, status: str) -> str | None:
    said = f"line {command.line}: {command.text}\n"
    if command.expected is None:
        return None if status == "0" else f"{said}ended with {status}:\n{output}"
    printed = "\n".join(line.rstrip() for line in output.strip("\n").split("\n"))
    return (
        None
        if re.fullmatch(_pattern(command.expected), printed)
        else f"{said}printed:\n{printed}\nnot:\n{command.expected}"
    )


def _pattern(expected: str) -> str:
    """Make a pattern of an expected output, in which `…` stands for anything."""
    lines = [line.rstrip() for line in expected.strip("\n").split("\n")]
    parts = [r"(?:.*\n)*?.*" if line == "…" else ".*?".join(map(re.escape, line.split("…"))) for line in lines]
    return "\n".join(parts)


if __name__ == "__main__":
    install(Path.cwd(), Path(sys.argv[1]))
