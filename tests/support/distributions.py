"""Distributions for one test: built as real wheels, and installed into a directory of the test's own as pip would."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

GOOD = '''
"""A type for tests."""

from typing import Literal

import wellhead


class Source(wellhead.DataSourceConfig):
    """A data source for tests."""

    type: Literal["{name}"] = "{name}"
    host: str = "localhost"


class Validator(wellhead.Validator[Source]):
    """Pass one check."""

    async def validate(self, config, context):
        async with context.check("{check}"):
            pass


@wellhead.hookimpl
def wellhead_data_source_types():
    return [wellhead.DataSourceType(Source, Validator)]
'''


def good(name: str, *, check: str = "query") -> str:
    """Return the code of a plugin with one type, which has a name and one check."""
    return GOOD.format(name=name, check=check)


@dataclass(frozen=True)
class Site:
    """A directory that distributions are installed into.

    Attributes:
        path: The directory, to be put into `PYTHONPATH` or `sys.path`.
    """

    path: Path
    wheels: Path = field(init=False)

    def __post_init__(self) -> None:
        self.path.mkdir(exist_ok=True)
        object.__setattr__(self, "wheels", self.path.parent / f"{self.path.name}-wheels")
        self.wheels.mkdir(exist_ok=True)

    def install(self, name: str, source: str, *, version: str = "1.0") -> None:
        """Build a wheel with one module and its entry point, and install it in place of another version.

        Args:
            name: The name of the distribution; of its module and its entry point, with underscores.
            source: The code of the module.
            version: The version.
        """
        self.uninstall(name)
        with zipfile.ZipFile(build_wheel(self.wheels, name, source, version=version)) as wheel:
            wheel.extractall(self.path)

    def uninstall(self, name: str) -> None:
        """Remove a distribution with all that its RECORD lists."""
        for record in self.path.glob(f"{_module(name)}-*.dist-info/RECORD"):
            for line in record.read_text().splitlines():
                (self.path / line.partition(",")[0]).unlink()
            record.parent.rmdir()
        for cached in self.path.glob(f"__pycache__/{_module(name)}.*"):
            cached.unlink()


def build_wheel(directory: Path, name: str, source: str, *, version: str = "1.0") -> Path:
    """Build a wheel with one module; return its path."""
    module = _module(name)
    information = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": source,
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{information}/entry_points.txt": f"[wellhead]\n{module} = {module}\n",
    }
    record = [f"{path},sha256={_digest(text)},{len(text.encode())}" for path, text in files.items()]
    path = directory / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, text in files.items():
            wheel.writestr(member, text)
        wheel.writestr(f"{information}/RECORD", "\n".join([*record, f"{information}/RECORD,,"]) + "\n")
    return path


def _module(name: str) -> str:
    return name.replace("-", "_")


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
