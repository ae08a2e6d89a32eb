"""The catalogue of codes."""

import re
from pathlib import Path

import pytest

import wellhead
from wellhead.codes import CODES

SOURCES = Path(wellhead.__file__).parents[3]


def _source() -> str:
    files = [*SOURCES.glob("core/src/**/*.py"), *SOURCES.glob("plugins/*/src/**/*.py")]
    return "\n".join(path.read_text() for path in files if path.name != "codes.py")


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_the_catalogue_is_used(code: str) -> None:
    assert re.search(rf"[\"'/]{code}[\"'/]", _source()), code


@pytest.mark.parametrize(("code", "entry"), CODES.items())
def test_every_code_says_what_it_means_why_and_what_to_do(code: str, entry: object) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    assert all(getattr(entry, part).endswith((".", "?", "]", "pem")) for part in ("title", "cause", "remedy"))
