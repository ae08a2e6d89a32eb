"""The history against a model of it: whatever is done in whatever order, each revision comes back as it was."""

import asyncio
import os
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from support.probe import ProbeSource, probe_of
from wellhead import Secret
from wellhead.errors import InputError, SecretsPurgedError, WellheadError

T = TypeVar("T")
KEPT = 4
TEXTS = st.sampled_from(["a", "b", "é\u2028", ""])
State = tuple[str, str | None, str | None, tuple[tuple[str, str], ...]]


class History(RuleBasedStateMachine):
    """A data source that is changed, restored, purged, and opened by another process in between."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.workspace = Path(self.directory.name) / "workspace"
        self.workspace.mkdir()
        self.loop = asyncio.new_event_loop()
        self.probe = probe_of(self.workspace, kept_revisions=KEPT)
        config = ProbeSource(name="n", host="h", note="a", password="first")
        self.id = str(self.run(self.probe.service.save_config(config)).id)
        self.states: dict[int, State] = {1: ("h", "a", "first", ())}
        self.purged: set[int] = set()
        self.number = 1

    def run(self, work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        return self.loop.run_until_complete(awaited())

    def teardown(self) -> None:
        self.probe.store.close()
        self.loop.close()
        self.directory.cleanup()

    def kept(self) -> list[int]:
        return list(range(self.number - 1, max(0, self.number - 1 - KEPT), -1))

    def saved(self, revision: int | None, state: State) -> None:
        assert revision is not None
        if revision != self.number:
            assert revision == self.number + 1
            self.number = revision
        assert self.states.setdefault(revision, state) == state

    @rule(note=TEXTS)
    def change(self, note: str) -> None:
        config: Any = self.run(self.probe.service.get_config(self.id))
        host, _, password, tokens = self.states[self.number]
        saved = self.run(self.probe.service.update_config(self.id, config.model_copy(update={"note": note})))
        self.saved(saved.revision, (host, note, password, tokens))

    @rule(host=st.sampled_from(["h", "i"]), password=st.none() | st.sampled_from(["x", "y" * 100]), token=st.booleans())
    def move(self, host: str, password: str | None, token: bool) -> None:
        config: Any = self.run(self.probe.service.get_config(self.id))
        secrets = {"k": "token"} if token else {}
        changes = {
            "host": host,
            "password": None if password is None else Secret(password),
            "tokens": {name: Secret(value) for name, value in secrets.items()},
        }
        saved = self.run(self.probe.service.update_config(self.id, config.model_copy(update=changes)))
        self.saved(saved.revision, (host, self.states[self.number][1], password, tuple(secrets.items())))

    @rule(back=st.integers(1, KEPT + 2))
    def go_back(self, back: int) -> None:
        wanted = self.number - back
        work = self.probe.service.rollback(self.id, wanted)
        if wanted not in self.kept():
            with pytest.raises(InputError) as caught:
                self.run(work)
            assert caught.value.problems[0].allowed == tuple(self.kept())
        elif wanted in self.purged:
            with pytest.raises(SecretsPurgedError):
                self.run(work)
        else:
            self.saved(self.run(work).revision, self.states[wanted])

    @rule()
    @precondition(lambda self: self.number > 2)
    def purge(self) -> None:
        has_secrets = {number for number in self.kept() if self.states[number][2] or self.states[number][3]}
        done = self.run(self.probe.service.purge_history(self.id))
        assert done.changed == len(has_secrets - self.purged)
        self.purged |= has_secrets

    @rule()
    def open_again(self) -> None:
        self.probe.store.close()
        self.probe = probe_of(self.workspace, kept_revisions=KEPT)

    @invariant()
    def what_is_stored_and_what_was_is_as_the_model_says(self) -> None:
        stored = self.run(self.probe.service.read(self.id))
        clear: Any = self.run(self.probe.service.reveal(stored))
        password = None if clear.password is None else clear.password.reveal()
        tokens = tuple((name, token.reveal()) for name, token in clear.tokens.items())
        assert (stored.revision, stored.state) == (self.number, "ok")
        assert (clear.host, clear.note, password, tokens) == self.states[self.number]
        found = [former.record.revision for former in self.run(self.probe.service.history(self.id))]
        assert found == self.kept()


History.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestHistory = History.TestCase


@pytest.mark.anyio
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_C_04_D_22_any_changed_byte_of_a_history_restores_what_was_or_nothing(
    workspace: Path, data: st.DataObject
) -> None:
    probe = probe_of(workspace)
    name = os.urandom(8).hex()
    made: Any = await probe.service.save_config(ProbeSource(name=name, host="first", password="of first"))
    changed = made.model_copy(update={"host": "second", "password": Secret("of second")})
    await probe.service.update_config(str(made.id), changed)
    text = bytearray(probe.history(made).read_bytes())
    position = data.draw(st.integers(0, len(text) * 8 - 1))
    text[position // 8] ^= 1 << position % 8
    probe.history(made).write_bytes(bytes(text))
    record = probe.path(made).read_bytes()
    try:
        restored = await probe.service.rollback(str(made.id), 1)
    except WellheadError:
        assert probe.path(made).read_bytes() == record
    else:
        clear: Any = await probe.service.reveal(restored)
        assert (clear.host, clear.password.reveal()) == ("first", "of first")
