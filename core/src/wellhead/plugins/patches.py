"""Noticing what an import changes of what is not its own: functions of core and of Python's library.

It notices what is changed by the time that the import has ended. It holds nobody back: what hides or waits is not seen.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_CORE = "wellhead"
_LIBRARY = """
builtins asyncio asyncio.base_events asyncio.events asyncio.runners asyncio.tasks base64 concurrent.futures copy
datetime functools hashlib hmac http.client importlib importlib.metadata inspect io ipaddress json json.decoder
json.encoder logging os os.path pathlib pickle pkgutil random re secrets select selectors shutil signal socket ssl stat
string struct subprocess sys tempfile threading time traceback types typing urllib.parse urllib.request uuid
"""
_VALUES = (property, classmethod, staticmethod, str, bytes, int, float, tuple, frozenset)
_LAZY = ("__pydantic", "__abstractmethods__", "__signature__", "__doc__", "__annotations__", "__file__", "__cached__")

Facts = dict[str, tuple[object, object]]
"""Dotted names, each with what it names and, of a function, its code."""


class Watch(MetaPathFinder):
    """What core and Python's library are made of, as it was when each module was loaded."""

    def __init__(self) -> None:
        """Look at what there is; modules of core that are imported later are looked at once they are there."""
        self._seen: dict[str, Facts] = {}
        for name in _LIBRARY.split():
            self._look_at(import_module(name))
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] == _CORE:
                self._look_at(module)
        sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module of core, and look at it when it has been loaded."""
        if not fullname.startswith(f"{_CORE}."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_look(module: ModuleType) -> None:
                load(module)
                self._look_at(module)

            spec.loader.exec_module = load_and_look  # type: ignore[method-assign]  # of this one loader
        return spec

    def changes(self) -> list[str]:
        """Return the names of what is another one now, or gone, or in the place of what was inherited."""
        return [name for module in list(self._seen) for name in self._changes_of(module)]

    def _look_at(self, module: ModuleType) -> None:
        self._seen[module.__name__] = dict(_facts_of(module))

    def _changes_of(self, name: str) -> Iterator[str]:
        before, module = self._seen[name], sys.modules.get(name)
        now = dict(_facts_of(module)) if module is not None else {}
        for known, (thing, code) in before.items():
            other, other_code = now.get(known, (None, None))
            if other is not thing or other_code is not code:
                yield known
        for added in now.keys() - before.keys():
            if _replaces_inherited(added, now[added][0], before):
                yield added


def _facts_of(module: ModuleType) -> Iterator[tuple[str, tuple[object, object]]]:
    """Go through what a module and its classes are made of; of Python's library, through what is public."""
    is_core = module.__name__.partition(".")[0] == _CORE
    for name, value in list(vars(module).items()):
        if not _is_watched(name, value, is_core=is_core):
            continue
        place = f"{module.__name__}.{name}"
        yield place, _fact(value)
        if isinstance(value, type) and value.__module__ == module.__name__:
            for inner, part in list(vars(value).items()):
                if _is_watched(inner, part, is_core=is_core):
                    yield f"{place}.{inner}", _fact(part)


def _is_watched(name: str, value: object, *, is_core: bool) -> bool:
    if name.startswith(_LAZY) or isinstance(value, ModuleType):
        return False
    if is_core:
        return callable(value) or isinstance(value, _VALUES)
    is_private = name.startswith("_") and not name.endswith("__")
    return not is_private and (callable(value) or isinstance(value, property | classmethod | staticmethod))


def _fact(value: Any) -> tuple[object, object]:
    function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    # Not `getattr`: a class of ctypes or a proxy may answer to any name.
    return value, function.__code__ if inspect.isfunction(function) else None


def _replaces_inherited(name: str, added: object, before: Facts) -> bool:
    """Tell whether a name that is new in a class hides what the class inherited."""
    place, _, attribute = name.rpartition(".")
    owner = before.get(place, (None, None))[0]
    if not isinstance(owner, type) or not (callable(added) or isinstance(added, property | classmethod | staticmethod)):
        return False
    return any(attribute in vars(base) for base in owner.__mro__[1:])
