"""The key ring as a running process uses it."""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from support.probe import ProbeSource, probe_of
from wellhead.errors import (
    KeyRingDamagedError,
    KeyRingError,
    KeyRingMissingError,
    KeyRingUnreachableError,
    SecretUnavailableError,
)
from wellhead.secrets.keyring import KeyRing
from wellhead.storage.live_keys import LiveKeys
from wellhead.storage.service import ConfigurationStorageService

pytestmark = pytest.mark.anyio


class Provider:
    """A provider that the test makes fail, or hang."""

    def __init__(self) -> None:
        self.kept = KeyRing.first()
        self.error: KeyRingError | None = None
        self.calls = 0
        self.answers = threading.Event()
        self.answers.set()

    def known(self) -> KeyRing | None:
        return None

    def ring(self) -> KeyRing:
        self.calls += 1
        assert self.answers.wait(30)
        if self.error is not None:
            raise self.error
        return self.kept

    def ring_for_writing(self) -> KeyRing:
        return self.ring()

    def change(self, change: Callable[[KeyRing | None], KeyRing]) -> KeyRing:
        self.kept = change(self.kept)
        return self.kept


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.answers.set()


@pytest.fixture
def keys(provider: Provider) -> LiveKeys:
    return LiveKeys(provider, patience=0.2)


async def until_asked_again(provider: Provider, keys: LiveKeys) -> None:
    """Let a late answer come, and wait until the provider is asked again."""
    before = provider.calls
    provider.answers.set()
    for _ in range(1000):
        await keys.ring()
        if provider.calls > before:
            return
        await asyncio.sleep(0.005)
    pytest.fail("it was not asked again")


async def test_C_11_a_new_ring_is_used_at_once(provider: Provider, keys: LiveKeys) -> None:
    assert await keys.ring() is provider.kept
    provider.kept = provider.kept.with_new_key(primary=True)
    assert await keys.ring() is await keys.ring_for_writing() is provider.kept


async def test_D_51_with_a_damaged_ring_the_last_good_one_is_used_and_the_log_says_so_once(
    provider: Provider, keys: LiveKeys
) -> None:
    good = await keys.ring()
    provider.error = KeyRingDamagedError("The ring is damaged.")
    with structlog.testing.capture_logs() as logs:
        assert [await keys.ring(), await keys.ring_for_writing()] == [good, good]
        assert await keys.state() == "degraded"
        provider.error = None
        assert await keys.state() == "ready"
    assert [(line["log_level"], line.get("reason")) for line in logs] == [
        ("warning", "The ring is damaged."),
        ("info", None),
    ]


async def test_D_51_a_ring_that_was_damaged_from_the_start_is_not_used(provider: Provider, keys: LiveKeys) -> None:
    provider.error = KeyRingDamagedError("damaged")
    for asked in (keys.ring, keys.ring_for_writing, keys.state):
        with pytest.raises(KeyRingDamagedError):
            await asked()


@pytest.mark.parametrize("error", [KeyRingMissingError("gone"), KeyRingError("others may read it")])
async def test_a_ring_that_is_gone_or_unsafe_is_not_used_any_more(
    provider: Provider, keys: LiveKeys, error: KeyRingError
) -> None:
    await keys.ring()
    provider.error = error
    for asked in (keys.ring, keys.ring_for_writing, keys.state):
        with pytest.raises(type(error)):
            await asked()


async def test_having_no_ring_yet_is_all_right(provider: Provider, keys: LiveKeys) -> None:
    provider.error = KeyRingMissingError("none yet")
    assert await keys.state() == "ready"


async def test_D_50_while_the_provider_is_out_of_reach_secrets_are_opened_but_none_is_sealed(
    provider: Provider, keys: LiveKeys
) -> None:
    good = await keys.ring()
    for _ in range(3):
        provider.error = KeyRingUnreachableError("no answer")
        assert await keys.ring() is good
        assert await keys.state() == "degraded"
        with pytest.raises(KeyRingUnreachableError):
            await keys.ring_for_writing()
        provider.error, provider.kept = None, provider.kept.with_new_key(primary=True)
        good = await keys.ring_for_writing()
        assert good is provider.kept


async def test_C_21_a_provider_that_hangs_is_waited_for_once_and_then_by_nobody(
    provider: Provider, keys: LiveKeys
) -> None:
    good = await keys.ring()
    provider.answers.clear()
    together = await asyncio.wait_for(asyncio.gather(*(keys.ring() for _ in range(5))), 10)
    assert together == [good] * 5
    asked = provider.calls
    with pytest.raises(KeyRingUnreachableError, match="in time"):
        await keys.ring_for_writing()
    assert await keys.ring() is good
    assert await keys.state() == "degraded"
    assert provider.calls == asked  # no thread more hangs
    await until_asked_again(provider, keys)
    assert await keys.state() == "ready"


async def test_C_21_a_provider_that_never_answered_is_an_error_within_the_bound(
    provider: Provider, keys: LiveKeys
) -> None:
    provider.answers.clear()
    for asked in (keys.ring, keys.ring_for_writing, keys.state):
        with pytest.raises(KeyRingUnreachableError):
            await asyncio.wait_for(asked(), 10)


async def test_a_change_is_waited_for_and_used_at_once(provider: Provider, keys: LiveKeys) -> None:
    def change(ring: KeyRing | None) -> KeyRing:
        assert ring is not None
        return ring.with_new_key(primary=True)

    assert await keys.change(change) is provider.kept is await keys.ring()


# In the storage service


def service_of(workspace: Path, provider: Provider) -> ConfigurationStorageService:
    probe = probe_of(workspace)
    find: Any = probe.service._find_type
    return ConfigurationStorageService(probe.store, LiveKeys(provider, patience=0.2), find)


async def test_C_21_D_50_without_an_answer_all_but_secrets_is_read_and_written(
    workspace: Path, provider: Provider
) -> None:
    service = service_of(workspace, provider)
    saved = await service.save_config(ProbeSource(name="secret", host="h", password="x"))
    provider.answers.clear()
    other = service_of(workspace, provider)  # one that has no ring to go on with
    assert {item.name: item.state for item in await other.list_configs()} == {"secret": "secret_unavailable"}
    assert (await other.get_config(str(saved.id))).name == "secret"
    assert (await other.save_config(ProbeSource(name="plain", host="h"))).revision == 1
    with pytest.raises(KeyRingUnreachableError):
        await other.save_config(ProbeSource(name="another", host="h", password="y"))
    with pytest.raises(SecretUnavailableError):
        await other.reveal(await other.read(str(saved.id)))
    assert {item.name for item in await service.list_configs()} == {"secret", "plain"}
    assert {item.state for item in await service.list_configs()} == {"ok"}


async def test_D_50_no_record_is_sealed_with_a_key_that_may_be_primary_no_more(
    workspace: Path, provider: Provider
) -> None:
    service = service_of(workspace, provider)
    saved = await service.save_config(ProbeSource(name="n", host="h", password="x"))
    before = {path.name: path.read_bytes() for path in (workspace / ".datasources").glob("*.json")}
    provider.error = KeyRingUnreachableError("no answer")
    with pytest.raises(KeyRingUnreachableError):
        await service.update_config(str(saved.id), saved.model_copy(update={"note": "changed"}))
    assert {path.name: path.read_bytes() for path in (workspace / ".datasources").glob("*.json")} == before
    provider.error, provider.kept = None, provider.kept.with_new_key(primary=True)
    await service.update_config(str(saved.id), saved.model_copy(update={"note": "changed"}))
    record = (await service.read(str(saved.id))).record
    assert record is not None
    assert record.key_id == provider.kept.primary.id


async def test_an_error_that_nobody_waits_for_any_more_is_not_reported(provider: Provider, keys: LiveKeys) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
    provider.error = KeyRingMissingError("none yet")
    provider.answers.clear()
    asking = asyncio.create_task(keys.ring())
    while not provider.calls:  # noqa: ASYNC110  # it is asked in a thread
        await asyncio.sleep(0.005)

    asking.cancel()
    await asyncio.wait({asking})
    del asking
    threads = [thread for thread in threading.enumerate() if thread.name == "wellhead-check"]
    provider.answers.set()
    for thread in threads:
        await asyncio.to_thread(thread.join, 30)
    for _ in range(5):
        await asyncio.sleep(0)
    gc.collect()

    assert reported == []
