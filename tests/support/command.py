"""The real command line, in a process of its own, with or without a terminal.

Without one it is forked from a process that has loaded it, where that makes no difference (`support.forked`).
"""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from support import forked

COMMAND = (sys.executable, "-m", "wellhead")


@dataclass(frozen=True, slots=True)
class Run:
    """What a command did: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it wrote, as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The command line with a workspace.

    Attributes:
        workspace: The workspace, which commands are run in.
    """

    workspace: Path

    def __call__(self, *arguments: str | Path, stdin: str = "", code: int = 0, **environment: str) -> Run:
        """Run a command that must end with an exit code, and never with a traceback."""
        run = self._run([str(argument) for argument in arguments], stdin.encode(), {**os.environ, **environment})
        assert "Traceback" not in run.err, run.err
        assert run.code == code, run
        return run

    def _run(self, arguments: list[str], stdin: bytes, environment: dict[str, str]) -> Run:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(stdin)
            given.seek(0)
            code = forked.parent().run(
                arguments, self.workspace, environment, [given.fileno(), out.fileno(), err.fileno()]
            )
            if code is None:
                to: dict[str, Any] = {"stdin": given, "stdout": out, "stderr": err}
                started = subprocess.Popen([*COMMAND, *arguments], cwd=self.workspace, env=environment, **to)
                code = started.wait(60)
            return Run(code, _text_of(out), _text_of(err))

    def talk(self, *arguments: str, answers: list[tuple[str, str]], **environment: str) -> Run:
        """Run a command on a terminal, and answer its questions.

        Args:
            *arguments: The command.
            answers: Parts of questions, each with what is typed then, in their order.
            **environment: Variables for the command.
        """
        process, terminal = pty.fork()
        if process == 0:
            os.chdir(self.workspace)
            os.environ["TERM"] = "dumb"
            os.environ["COLUMNS"] = "200"
            os.environ.update(environment)
            signal.signal(
                signal.SIGINT, signal.SIG_DFL
            )  # a shell's job in the background ignores it; on a terminal none does
            os.execv(COMMAND[0], [*COMMAND, *arguments])  # the command to test
        seen, since = "", 0
        for question, answer in answers:
            seen = _read_until(terminal, seen, question, since)
            since = len(seen)
            os.write(terminal, answer.encode() + b"\n")
        seen = _read_until(terminal, seen, None, since)
        os.close(terminal)
        _, status = os.waitpid(process, 0)
        return Run(os.waitstatus_to_exitcode(status), seen, "")


def _text_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _read_until(terminal: int, seen: str, wanted: str | None, since: int) -> str:
    """Read what a terminal shows until a text comes, or the end where there is none."""
    end = time.monotonic() + 30
    while wanted is None or wanted not in seen[since:]:
        assert time.monotonic() < end, f"{wanted!r} did not come: {seen}"
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux tells the end of a terminal like this
            data = b""
        if not data:
            assert wanted is None, f"{wanted!r} did not come: {seen}"
            break
        seen += data.decode(errors="replace")
    return seen
