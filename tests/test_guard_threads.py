"""Blocking calls in threads of their own."""

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from wellhead.guard.threads import in_thread

pytestmark = pytest.mark.anyio


async def test_it_returns_what_the_function_returns_and_raises_what_it_raises() -> None:
    assert await in_thread(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 7, 0)


async def test_a_function_that_raises_stop_iteration_does_not_hang() -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.wait_for(in_thread(next, iter(())), 5)


async def test_G_07_a_function_that_wants_to_exit_raises_that_here() -> None:
    with pytest.raises(SystemExit):
        try:
            await in_thread(sys.exit, 3)
        except SystemExit as error:  # caught inside: a task that ends with it ends the loop
            raise SystemExit(error.code) from None


async def test_N_19_many_blocked_calls_do_not_keep_another_from_running() -> None:
    release = threading.Event()
    blocked = [asyncio.create_task(in_thread(release.wait)) for _ in range(50)]
    await asyncio.sleep(0)

    assert await asyncio.wait_for(in_thread(abs, -1), 5) == 1
    assert await asyncio.wait_for(asyncio.to_thread(abs, -1), 5) == 1

    release.set()
    await asyncio.gather(*blocked)


def test_a_process_ends_while_a_call_is_blocked() -> None:
    program = """
import asyncio, time
from wellhead.guard.threads import in_thread
async def main():
    try:
        await asyncio.wait_for(in_thread(time.sleep, 60), 0.1)
    except TimeoutError:
        print("over")
asyncio.run(main())
"""
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("over\n", "", 0)
    assert time.monotonic() - started < 20
