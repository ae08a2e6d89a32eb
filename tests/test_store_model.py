"""The store against a model: three processes that write and list, and are killed while they do (D-55)."""

from __future__ import annotations

import shutil
import tempfile
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from support.workers import SPAWN, obey

PROCESSES = st.integers(0, 2)
NAMES = st.sampled_from(["a", "b", "c", "d"])
PLACES = st.integers(0, 9)
DELAYS = st.floats(0, 0.02)

State = tuple[str, str | None] | None
"""Name and note of a data source; None where there is none."""


class Process:
    """A process that does what it is told."""

    def __init__(self, workspace: Path) -> None:
        self.pipe, theirs = SPAWN.Pipe()
        self.process: BaseProcess = SPAWN.Process(target=obey, args=(theirs, workspace), daemon=True)
        self.process.start()
        theirs.close()

    def tell(self, *order: Any) -> Any:
        """Let it do something, and return what came of it."""
        self.pipe.send(order)
        return self.pipe.recv()

    def kill(self) -> Any:
        """Kill it, and return what it said last: what came of its order, or None if it did not get so far."""
        self.process.kill()
        self.process.join()
        try:
            return self.pipe.recv()
        except (EOFError, ConnectionResetError):
            return None
        finally:
            self.pipe.close()


class Store(RuleBasedStateMachine):
    """What was acknowledged is there; what was killed before is as before or as wanted, and whole."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="wellhead-model-"))
        self.workspace = self.home / "workspace"
        self.workspace.mkdir()
        self.processes = [Process(self.workspace) for _ in range(3)]
        self.known: dict[str, State] = {}
        self.kills = 0

    def teardown(self) -> None:
        for process in self.processes:
            process.kill()
        shutil.rmtree(self.home)

    @rule(process=PROCESSES, name=NAMES)
    def create(self, process: int, name: str) -> None:
        taken = name in self.names()
        outcome, record_id = self.processes[process].tell("create", name)
        assert outcome == ("NameTakenError" if taken else "done")
        if not taken:
            self.known[record_id] = name, None

    @rule(process=PROCESSES, place=PLACES, name=NAMES)
    def rename(self, process: int, place: int, name: str) -> None:
        if (record_id := self.one(place)) is None:
            return
        (old, note), taken = self.known[record_id] or ("", None), name in self.names()
        outcome, _ = self.processes[process].tell("update", record_id, {"name": name})
        assert outcome == ("NameTakenError" if taken and name != old else "done")
        if outcome == "done":
            self.known[record_id] = name, note

    @rule(process=PROCESSES, place=PLACES, note=NAMES)
    def change(self, process: int, place: int, note: str) -> None:
        if (record_id := self.one(place)) is not None:
            name, _ = self.known[record_id] or ("", None)
            assert self.processes[process].tell("update", record_id, {"note": note})[0] == "done"
            self.known[record_id] = name, note

    @rule(process=PROCESSES, place=PLACES)
    def delete(self, process: int, place: int) -> None:
        if (record_id := self.one(place)) is not None:
            assert self.processes[process].tell("delete", record_id)[0] == "done"
            del self.known[record_id]

    @rule(name=NAMES)
    def all_want_one_name(self, name: str) -> None:
        taken = name in self.names()
        for process in self.processes:
            process.pipe.send(("create", name))
        found = [process.pipe.recv() for process in self.processes]
        assert sorted(outcome for outcome, _ in found) == ["NameTakenError"] * (2 + taken) + ["done"] * (not taken)
        self.known |= {record_id: (name, None) for outcome, record_id in found if outcome == "done"}

    @rule(
        process=PROCESSES, place=PLACES, name=NAMES, what=st.sampled_from(["create", "update", "delete"]), after=DELAYS
    )
    def kill(self, process: int, place: int, name: str, what: str, after: float) -> None:
        record_id = self.one(place)
        if what == "create":
            order: tuple[Any, ...] = ("create", name)
        elif record_id is not None:
            order = ("update", record_id, {"note": name}) if what == "update" else ("delete", record_id)
        else:
            return
        self.processes[process].pipe.send(order)
        time.sleep(after)
        said = self.processes[process].kill()
        self.processes[process] = Process(self.workspace)
        self.kills += 1
        self.settle(order, record_id, said)

    def settle(self, order: tuple[Any, ...], record_id: str | None, said: Any) -> None:
        """Take over what is there after a kill, if it may be."""
        there = self.look(self.processes[0])
        if order[0] == "create":
            new = {key: state for key, state in there.items() if key not in self.known}
            assert list(new.values()) in ([], [(order[1], None)])
            assert said is None or said[0] != "done" or said[1] in new
            self.known |= new
            return
        assert record_id is not None
        before = self.known[record_id]
        wanted: State = None if order[0] == "delete" or before is None else (before[0], order[2]["note"])
        assert there.get(record_id) in ({wanted} if said is not None and said[0] == "done" else {before, wanted})
        self.known[record_id] = there.get(record_id)
        if there.get(record_id) is None:
            del self.known[record_id]

    @invariant()
    def every_list_is_the_model(self) -> None:
        for process in self.processes:
            assert self.look(process) == self.known

    def look(self, process: Process) -> dict[str, State]:
        """Return what a process lists by the index, which must be what a look at all records finds."""
        outcome, found = process.tell("list")
        assert outcome == "done", found
        by_index, by_files = found
        assert by_index == by_files
        return dict(by_index)

    def names(self) -> set[str]:
        return {state[0] for state in self.known.values() if state is not None}

    def one(self, place: int) -> str | None:
        """Return one of the ids that there are."""
        return sorted(self.known)[place % len(self.known)] if self.known else None


def run(examples: int, steps: int) -> None:
    """Run the model."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Store,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


def test_D_55_three_processes_that_are_killed_agree_with_a_model() -> None:
    run(examples=2, steps=10)


@pytest.mark.slow
def test_D_55_three_processes_that_are_killed_agree_with_a_model_for_long() -> None:
    run(examples=40, steps=40)
