"""A data source as environment variables, for `wellhead run`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from wellhead.model.secret import Secret
from wellhead.model.source import DataSourceConfig
from wellhead.settings import PREFIX, Settings

_SERVER_MADE = {"id", "created_at", "updated_at", "revision"}


def environment_of(config: DataSourceConfig, names: Mapping[str, str]) -> dict[str, str]:
    """Write a data source's fields as variables.

    Args:
        config: The data source, with its secrets in clear.
        names: Variables that the type's own tools read, each with the field that it is set from.

    Returns:
        A mapping: `WELLHEAD_<FIELD>` for each field that is set, and the type's own variables. A map is written as
        JSON, true and false as `true` and `false`.
    """
    fields = {
        name: _text(value) for name, value in config.model_dump(exclude=_SERVER_MADE).items() if value is not None
    }
    variables = {f"WELLHEAD_{re.sub('[^A-Z0-9]', '_', name.upper())}": text for name, text in fields.items()}
    return variables | {variable: fields[name] for variable, name in names.items() if name in fields}


def without_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """Take Wellhead's own settings out of an environment: its token and keys are not for what it runs."""
    own = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    return {name: text for name, text in variables.items() if name.upper() not in own}


def _text(value: Any) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=_text)
