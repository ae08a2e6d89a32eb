"""What commands write: lines for people, and documents for programs."""

from __future__ import annotations

import io
import json
import re
import sys
from typing import Any

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def say(text: str = "") -> None:
    """Write a line to standard output; nothing in it steers a terminal."""
    sys.stdout.write(f"{tamed(text)}\n")


def warn(text: str) -> None:
    """Write a line to standard error; nothing in it steers a terminal."""
    sys.stderr.write(f"{tamed(text)}\n")


def tamed(text: str) -> str:
    """Take out what would steer a terminal: a record that was edited by hand, or comes from others, can hold that."""
    return _STEERING.sub("\ufffd", text)


def write_whatever_the_encoding() -> None:
    """Let what a terminal cannot show come out escaped, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(document: Any) -> None:
    """Print a document to standard output: indented for a terminal, on one line for programs."""
    indent = 2 if sys.stdout.isatty() else None
    plain = sys.stdout.encoding.lower().replace("_", "-") != "utf-8"
    sys.stdout.write(json.dumps(document, ensure_ascii=plain, indent=indent) + "\n")
