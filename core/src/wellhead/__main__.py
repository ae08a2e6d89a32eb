"""The program `wellhead`, which is `python -m wellhead` too: the command line, without what only slows its start."""

from __future__ import annotations

import gc
import sys
from typing import Any

modules: dict[str, Any] = sys.modules
modules["rich.traceback"] = None  # structlog would import it, and a highlighter with it, for what is never logged here
gc.disable()  # nothing that is imported becomes garbage
from wellhead.cli.main import main  # noqa: E402  # after what is above

gc.enable()
del modules["rich.traceback"]

if __name__ == "__main__":
    main()
