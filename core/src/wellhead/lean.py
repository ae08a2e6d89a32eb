"""What a process of ours does before it imports all else, to start sooner and to take less memory."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import Any

_THRESHOLD = 50_000


def start() -> None:
    """Look for garbage less often, and import structlog without what draws tracebacks: nothing here logs one.

    This is for processes of our own. A program that embeds Wellhead has its own ways.
    """
    gc.set_threshold(_THRESHOLD)  # what is imported is no garbage, and each look goes over all of it
    modules: dict[str, Any] = sys.modules
    if "rich" not in modules:
        modules["rich"] = None
        import_module("structlog")
        del modules["rich"]
