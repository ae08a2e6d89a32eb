"""uv, for the tests that build and install wheels."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def uv_command() -> tuple[str, ...]:
    """Return the command that runs uv: the one that runs the tests, or one that is installed now."""
    if found := os.environ.get("UV") or shutil.which("uv"):
        return (found,)
    if importlib.util.find_spec("uv") is not None:
        return (sys.executable, "-m", "uv")
    target = Path(tempfile.mkdtemp(prefix="wellhead-uv-"))
    base = Path(sys.base_prefix, "bin", "python3")
    subprocess.run([base, "-m", "pip", "install", "-q", "--target", target, "uv"], check=True)
    return (str(target / "bin" / "uv"),)
