"""Whether a plugin was made for the interface that this Wellhead has."""

from __future__ import annotations

import re

from wellhead.errors import TypeRefusedError
from wellhead.model.extension import API_VERSION
from wellhead.plugins.reports import PluginRefusedError

_PLAIN = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,4}))?")
_RULE = "requires_api is a version of the plugin interface, such as '1', or a specifier, such as '>=1.1,<2' (PEP 440)."


def check_interface(required: object) -> None:
    """Hold the rule that a plugin was made for this version of the interface.

    Args:
        required: A version, such as `1` or `1.2`, which stands for that one and the later ones that keep its promises
            (`>=1.2,<2`); or a specifier of PEP 440.

    Raises:
        PluginRefusedError: `incompatible`: it was made for another one.
        TypeRefusedError: `requires-api`: it is neither a version nor a specifier.
    """
    if not isinstance(required, str):
        raise TypeRefusedError("requires-api", _RULE)
    if not _contains(required.strip(), API_VERSION):
        raise PluginRefusedError(
            "incompatible",
            f"It was made for version {required.strip()} of the plugin interface; this Wellhead has {API_VERSION}.",
            "Install versions of the plugin and of wellhead that fit together: pip install --upgrade wellhead",
        )


def _contains(required: str, version: str) -> bool:
    if (plain := _PLAIN.fullmatch(required)) is not None:
        major, minor = (int(part) for part in version.split("."))
        return int(plain[1]) == major and int(plain[2] or 0) <= minor
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415  # 15 ms, for what few plugins use

    try:
        specifier = SpecifierSet(required)
    except InvalidSpecifier:
        raise TypeRefusedError("requires-api", _RULE) from None
    if not list(specifier):
        raise TypeRefusedError("requires-api", _RULE)
    return specifier.contains(version)
