"""The locks of the operating system, by portalocker.

Where a Redis client is installed, `import portalocker` loads it for a lock that nobody here uses, which would be most
of the time that a command takes. So that lock is loaded when a program asks for it, and not before.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

_LOCK, _MODULE = "RedisLock", "portalocker.redis"


def _without_redis() -> None:
    """Import portalocker, which takes a module that is None for one that is not installed."""
    sys.modules[_MODULE] = None  # type: ignore[assignment]  # what Python's import system takes for "not there"
    try:
        loaded: Any = import_module("portalocker")
    finally:
        del sys.modules[_MODULE]
    delattr(loaded, _LOCK)
    loaded.__getattr__ = _later


def _later(name: str) -> Any:
    if name != _LOCK:
        raise AttributeError(f"module 'portalocker' has no attribute {name!r}")
    return getattr(import_module(_MODULE), _LOCK)


if "portalocker" not in sys.modules:
    _without_redis()

from portalocker import AlreadyLocked, LockException, LockFlags, lock, unlock  # noqa: E402  # after what is above

__all__ = ["AlreadyLocked", "LockException", "LockFlags", "lock", "unlock"]
