"""Logging without secrets: events with plain facts. Texts of exceptions are never logged, as they can hold input."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from typing import Any

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: str) -> None:
    """Send the log to standard error: coloured lines to a terminal, JSON lines to everything else.

    Args:
        level: `debug`, `info`, `warning` or `error`.
    """
    is_terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if is_terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_WithoutTexts("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=max(LEVELS[level], logging.WARNING), handlers=[handler], force=True)


class _WithoutTexts(logging.Formatter):
    """Writes what other libraries log; of an exception where it happened, and not its text."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  # the name that the standard library calls
        return "\n".join(where(ei[1])) if ei[1] is not None else ""


def where(error: BaseException, *, texts: bool = False) -> list[str]:
    """Return what may be logged of an exception: the classes of its chain, and the lines that it came through.

    Args:
        error: What was raised.
        texts: Say what the exceptions say too, as nothing but a test of the code that raised them may.
    """
    found: list[str] = []
    current: BaseException | None = error
    while current is not None and len(found) < 10:  # noqa: PLR2004  # a chain that is longer says no more
        frames = traceback.extract_tb(current.__traceback__)[-8:]
        lines = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
        text = f": {current}," if texts else ""
        found.append(f"{type(current).__name__}{text} at {lines}")
        current = current.__cause__ or current.__context__
    return found
