"""Trial imports: each plugin is imported in a process that may be lost, before the service imports it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from wellhead.plugins.found import FoundPlugin, surroundings
from wellhead.plugins.reports import report_it
from wellhead.plugins.scratch_process import START_SECONDS, ScratchProcess
from wellhead.plugins.verdicts import Verdict, VerdictFile

SECONDS = 5.0
"""How long importing a plugin may take."""

_Outcomes = dict[int, Verdict]


class Trials:
    """Tries plugins, and remembers what came of it."""

    def __init__(self, memory: Path | None, *, seconds: float = SECONDS, path: Sequence[str] = ()) -> None:
        """Try plugins.

        Args:
            memory: The file that remembers; None remembers nothing.
            seconds: How long importing one may take.
            path: Where their modules are looked for first.
        """
        self._memory = VerdictFile(memory)
        self._path = path
        self._seconds = seconds
        self._surroundings = ""

    def verdicts(self, plugins: Sequence[FoundPlugin], *, anew: bool = False) -> list[Verdict]:
        """Say of each plugin whether it may be imported.

        Args:
            plugins: The plugins.
            anew: Whether those that may not, as far as is remembered, are tried again.
        """
        if not plugins:
            return []
        now = self._surroundings = surroundings()
        known = self._memory.read("" if anew else now)
        fingerprints = [plugin.fingerprint for plugin in plugins]
        untried = {
            fingerprint: plugin
            for fingerprint, plugin in zip(fingerprints, plugins, strict=True)
            if fingerprint not in known
        }
        found = self._try(list(untried.values()))
        tried = {
            fingerprint: replace(found[number], is_held=found[number].state == "ready")
            for number, fingerprint in enumerate(untried)
            if number in found
        }
        self._memory.add(tried, now)
        # What could not be tried, since no process can be had, is used: the service is not to lose all types by that.
        return [known.get(fingerprint) or tried.get(fingerprint) or Verdict() for fingerprint in fingerprints]

    def hold(self, plugins: Sequence[FoundPlugin]) -> None:
        """Remember of plugins that were tried that their types keep the rules, beside what the last verdicts saw."""
        known = self._memory.read(self._surroundings) if plugins else {}
        held = {plugin.fingerprint: known[plugin.fingerprint] for plugin in plugins if plugin.fingerprint in known}
        self._memory.add(held, self._surroundings)

    def _try(self, plugins: Sequence[FoundPlugin]) -> _Outcomes:
        """Try plugins one after the other; where one ends the process, the others go on in a new one."""
        found: _Outcomes = {}
        left = deque(range(len(plugins)))
        while left:
            try:
                outcomes = self._try_in_one_process([plugins[number] for number in left])
            except OSError as error:
                structlog.get_logger("wellhead.plugins").warning("no trial import", error=type(error).__name__)
                break
            for verdict in outcomes:
                found[left.popleft()] = verdict
        return found

    def _try_in_one_process(self, plugins: Sequence[FoundPlugin]) -> list[Verdict]:
        """Return what became of the plugins up to the one that ended the process; of one at least.

        Raises:
            OSError: There is no process, or it came to nothing before the first plugin.
        """
        with ScratchProcess("wellhead.plugins.scratch", path=self._path) as process:
            process.say(
                [
                    {"name": plugin.point.name, "value": plugin.point.value, "distribution": plugin.distribution}
                    for plugin in plugins
                ]
            )
            return self._listen(process, plugins)

    def _listen(self, process: ScratchProcess, plugins: Sequence[FoundPlugin]) -> list[Verdict]:
        found: list[Verdict] = []
        process.wait(START_SECONDS)
        while len(found) < len(plugins):
            distribution = plugins[len(found)].distribution
            try:
                found.append(Verdict.from_document(process.wait(self._seconds)))
                if len(found) < len(plugins):
                    process.wait(self._seconds)  # it begins with the next one
            except TimeoutError:
                reason = f"Importing it took longer than {self._seconds:g} seconds."
                return [*found, Verdict("broken", reason, report_it(distribution))]
            except (OSError, ValueError):
                if found:  # what came before may have to do with it: it gets a process of its own to begin with
                    return found
                return [Verdict("broken", f"Importing it {process.how_it_ended()}.", report_it(distribution))]
        return found
