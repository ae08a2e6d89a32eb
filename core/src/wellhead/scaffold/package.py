"""The package of a new plugin: its names, its files, and writing them."""

from __future__ import annotations

from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

from packaging.version import Version

from wellhead.plugins.rules import check_name

Family = Literal["api", "database", "file", "server"]
"""Which family the model of the type derives from; that of a `server` derives from none, and has its own fields."""


def write_package(name: str, family: Family, parent: Path) -> Path:
    """Write the package of a plugin with one type.

    Args:
        name: The type's name.
        family: What the type derives from.
        parent: Where the folder of the package is made, and what is missing of the path to it.

    Returns:
        The folder, which is named like the distribution.

    Raises:
        TypeRefusedError: No type can have this name.
        FileExistsError: The folder is there already; nothing was written.
        OSError: It cannot be written.
    """
    check_name(name)
    words = _words_of(name)
    folder = parent / words["distribution"]
    texts = {path: _filled(template, words) for path, template in _files(family, words).items()}
    folder.mkdir(parents=True)
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def _files(family: Family, words: dict[str, str]) -> dict[str, str]:
    """Return the files of the package, each with its template."""
    module = f"src/{words['package']}"
    return {
        "pyproject.toml": "common/pyproject.toml",
        "README.md": "common/README.md",
        "CHANGELOG.md": "common/CHANGELOG.md",
        ".gitignore": "common/gitignore",
        f"{module}/__init__.py": f"{family}/module.py",
        f"{module}/py.typed": "common/py.typed",
        f"tests/test_{words['word']}.py": f"{family}/test.py",
        "tests/test_contract.py": "common/test_contract.py",
    }


def _words_of(name: str) -> dict[str, str]:
    """Return what stands in the templates for the name, in all its spellings."""
    word = name.replace("-", "_")
    return {
        "name": name,
        "word": word,
        "title": name.replace("-", " ").capitalize(),
        "distribution": f"wellhead-{name}",
        "package": f"wellhead_{word}",
        "classes": "".join(part.capitalize() for part in name.split("-")),
        "core": _range_of(Version(version("wellhead"))),
    }


def _range_of(core: Version) -> str:
    """Return the versions of core that a plugin made with this one works with: up to what may break it."""
    upper = f"0.{core.minor + 1}" if core.major == 0 else str(core.major + 1)
    return f">={core.major}.{core.minor},<{upper}"


def _filled(template: str, words: dict[str, str]) -> str:
    """Return a template's text with the words filled in."""
    source = files(__package__) / "templates" / f"{template}.tmpl"
    return Template(source.read_text(encoding="utf-8")).substitute(words)
