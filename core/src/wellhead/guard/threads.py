"""Running blocking calls in threads that nobody has to wait for."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking function in a thread of its own; a cancelled call goes on there, unseen.

    `asyncio.to_thread` would not do: its few threads are shared with the store, and a process does not end before
    they do. One target that never answers would hold both.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(settler: Callable[[Any], None], value: Any) -> None:
        if not outcome.done():
            settler(value)

    def work() -> None:
        try:
            found: tuple[Callable[[Any], None], Any] = outcome.set_result, context.run(function, *args, **kwargs)
        except StopIteration:  # a future cannot hold it
            found = outcome.set_exception, RuntimeError("the function raised StopIteration")
        except BaseException as error:  # noqa: BLE001  # it belongs to whoever waits
            found = outcome.set_exception, error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, *found)

    threading.Thread(target=work, name="wellhead-check", daemon=True).start()
    return await outcome
