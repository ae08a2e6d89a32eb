"""Plugins for the kit's own tests: a good one, as its author has it on disk, and changes that make it a bad one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GOOD = '''
"""Servers that greet: type `greeter`."""

from typing import Annotated, Literal

import pydantic

import wellhead


class GreeterDataSource(wellhead.DataSourceConfig):
    """A server that greets those who know the password."""

    type: Literal["greeter"] = "greeter"
    host: wellhead.Host = wellhead.field(description="Host name of the server.", examples=["greeter.example.com"])
    port: wellhead.Port = wellhead.field(7000, description="TCP port of the server.")
    greeting: str = wellhead.field("hello", description="What is said to the server.")
    password: wellhead.Secret = wellhead.field(description="Password of the user.")


class GreeterValidator(wellhead.Validator[GreeterDataSource]):
    """Connect, and log in."""

    steps = ("resolve", "connect", "authenticate")

    async def validate(self, config, context):
        """Log in with a line, and wait for another one."""
        stream = await context.connect(config.host, config.port)
        async with context.check("authenticate", fields=["/password"]):
            await stream.write(f"PASSWORD {config.password.reveal()}\\n".encode())
            if not (await stream.read_line()).startswith(b"OK"):
                raise wellhead.CheckFailedError("auth_failed")


@wellhead.hookimpl
def wellhead_data_source_types():
    return [wellhead.DataSourceType(GreeterDataSource, GreeterValidator)]
'''
_VALIDATOR = "(GreeterDataSource, GreeterValidator)"


@dataclass
class Plugin:
    """A plugin's source.

    Attributes:
        source: The code of its module.
        name: The name of the distribution.
        module: The name of the module; the distribution's with underscores if left out.
        entry_point: The name of the entry point.
        requires: What it depends on.
        waivers: The rules that it waives.
        snapshot: What its snapshot has, if it has one.
    """

    source: str = GOOD
    name: str = "wellhead-greeter"
    module: str | None = None
    entry_point: str = "greeter"
    requires: tuple[str, ...] = ("wellhead>=0.1,<0.2",)
    waivers: dict[str, str] = field(default_factory=dict)
    snapshot: dict[str, Any] | None = None

    def write(self, directory: Path) -> Path:
        """Write it into a directory that is made; return the directory."""
        module = self.module or self.name.replace("-", "_")
        (directory / "src").mkdir(parents=True)
        (directory / "src" / f"{module}.py").write_text(self.source)
        waivers = "".join(f"{number} = {json.dumps(reason)}\n" for number, reason in self.waivers.items())
        (directory / "pyproject.toml").write_text(
            f'[project]\nname = "{self.name}"\nversion = "1.2"\ndependencies = {json.dumps(self.requires)}\n'
            f'[project.entry-points.wellhead]\n{self.entry_point} = "{module}"\n[tool.wellhead.waivers]\n{waivers}'
        )
        if self.snapshot is not None:
            (directory / "schema-snapshot.json").write_text(json.dumps(self.snapshot))
        return directory


def changed(old: str, new: str, *, validates: bool = False, **more: Any) -> Plugin:
    """Return the good plugin with a change of its code; its validator, which takes time, is left out if need be."""
    assert old in GOOD
    source = GOOD.replace(old, new)
    return Plugin(source if validates else without_validator(source), **more)


def without_validator(source: str = GOOD) -> str:
    """Return a plugin's code without its validator."""
    return source.replace(_VALIDATOR, "(GreeterDataSource)")


def with_field(text: str) -> Plugin:
    """Return the good plugin with another field, or another line of its model."""
    place = "    password: wellhead.Secret = "
    return changed(place, f"{text}\n{place}")


def when_loaded(code: str, **more: Any) -> Plugin:
    """Return the good plugin with something that it does when it is loaded."""
    return changed("import wellhead\n", f"import wellhead\n\n{code}\n", **more)


def when_validated(code: str) -> Plugin:
    """Return the good plugin with something that its validator does first inside its check."""
    place = "            await stream.write("
    return changed(place, f"            {code}\n{place}", validates=True)
