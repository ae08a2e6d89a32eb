"""Where a type comes from, in words, so that another process can find it again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module, invalidate_caches
from importlib.metadata import EntryPoint
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any

from wellhead.errors import TypeRefusedError
from wellhead.model.check_code import CheckCode
from wellhead.model.extension import DataSourceType
from wellhead.plugins.calling import types_of
from wellhead.plugins.hookspecs import ENTRY_POINT_GROUP
from wellhead.plugins.registry import RegisteredType, describe

_MAIN = "__main__"


def origin_of(found: RegisteredType) -> dict[str, Any]:
    """Say where a type comes from, as JSON.

    Raises:
        TypeRefusedError: It was registered by hand, and is not to be found by the name of a module.
    """
    if found.entry_point is not None:
        return {"name": found.name, "entry_point": list(found.entry_point)}
    return {
        "name": found.name,
        "model": _place_of(found.model, found.name),
        "validator": _place_of(found.validator, found.name),
        "errors": dict(found.errors),
        "codes": {name: [code.title, code.cause, code.remedy] for name, code in found.codes.items()},
        "preload": list(found.preload),
    }


def load_type(origin: Mapping[str, Any]) -> RegisteredType:
    """Find a type, and import what its author wants to be there before the first validation.

    Raises:
        BaseException: Whatever importing a plugin raises.
    """
    if "entry_point" in origin:
        name, value = origin["entry_point"]
        invalidate_caches()  # it may have been installed while this process runs
        provided = types_of(EntryPoint(name, value, ENTRY_POINT_GROUP), value)
        found = next(described for described in provided if described.name == origin["name"])
    else:
        model, validator = _thing_at(origin["model"]), _thing_at(origin["validator"])
        codes = {name: CheckCode(*texts) for name, texts in origin["codes"].items()}
        preload = tuple(origin["preload"])
        found = describe(DataSourceType(model, validator, errors=origin["errors"], codes=codes, preload=preload))
    for module in found.preload:
        with suppress(ImportError):  # the validator will miss it too, and tell
            import_module(module)
    return found


def _place_of(thing: Any, type_name: str) -> dict[str, str | None]:
    """Name the module of a class or a function, and its name there."""
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    name = getattr(thing, "__qualname__", "")
    if module is None or _named(module, name) is not thing:
        raise TypeRefusedError(
            "not-importable",
            f"Type '{type_name}' cannot be validated: workers do not find its model or its validator. "
            "Define both at the top level of a module.",
        )
    return {"module": module.__name__, "file": getattr(module, "__file__", None), "name": name}


def _thing_at(place: Mapping[str, Any]) -> Any:
    return _named(_module(place["module"], place["file"]), place["name"])


def _named(module: ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _module(name: str, file: str | None) -> ModuleType:
    """Import a module by its name; one that has none, such as a program's main one, by its file."""
    if name != _MAIN:
        with suppress(ImportError):
            return import_module(name)
    name = "__wellhead_main__" if name == _MAIN else name
    spec = spec_from_file_location(name, file) if file is not None else None
    if spec is None or spec.loader is None:
        raise ImportError("the module has no file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
