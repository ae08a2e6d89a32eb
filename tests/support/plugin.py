"""Plugins that are installed for one test only: a module and its entry point, in a directory for `PYTHONPATH`."""

from __future__ import annotations

from pathlib import Path

HOOKS = """

@wellhead.hookimpl
def wellhead_data_source_types():
    return [wellhead.DataSourceType(model, validate) for model in MODELS]
"""

GADGET = '''
"""Types that misbehave when they are told to."""

import os
from typing import Literal

import pydantic
import wellhead


class Gadget(wellhead.DataSourceConfig):
    """A gadget."""

    type: Literal["gadget"] = "gadget"
    host: str = wellhead.field(description="Where it is.")
    key: wellhead.Secret | None = wellhead.field(None, description="Its key.")
    mood: str = wellhead.field("fine", description="How it feels.", harmless=True)

    @pydantic.model_validator(mode="after")
    def _feel(self):
        shown = self.key.reveal() if self.key is not None and self.key.is_clear else "nothing"
        if self.mood == "wrong":
            raise ValueError(f"the key {shown} of {self.host} is wrong")
        if self.mood == "broken" or self.mood == os.environ.get("GADGET_BREAKS_AT"):
            raise RuntimeError(f"the key {shown} of {self.host} broke it")
        return self


class Webhook(wellhead.APIDataSource):
    """A web API."""

    type: Literal["webhook"] = "webhook"


async def validate(config, context):
    async with context.check("request"):
        pass


MODELS = (Gadget, Webhook)
'''


def install_plugin(directory: Path, name: str = "gadget", source: str = GADGET) -> Path:
    """Write a plugin.

    Args:
        directory: Where it is put; it may have several.
        name: The name of its distribution and of its module.
        source: The code of its module: `MODELS` and `validate`; the hook is added.

    Returns:
        The directory, to be put into `PYTHONPATH`.
    """
    information = directory / f"{name}-1.2.3.dist-info"
    information.mkdir(parents=True)
    (directory / f"{name}.py").write_text(source.lstrip() + HOOKS)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n")
    (information / "entry_points.txt").write_text(f"[wellhead]\n{name} = {name}\n")
    return directory
