"""Wellhead: a place that knows where data sources are and how to log in, keeps the secrets, and checks them.

Names are imported when they are first used, so that `import wellhead` costs next to nothing.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

_HOMES = {
    "wellhead.errors": "CheckFailedError WellheadError",
    "wellhead.model.check_code": "CheckCode",
    "wellhead.model.extension": "DataSourceType DataSourceTypeExtension",
    "wellhead.model.families": "APIDataSource DatabaseDataSource FileDataSource TlsMode",
    "wellhead.model.fields": "CertificatePem Encoding FilePath HeaderName HeaderValue Host Port Url field",
    "wellhead.model.markers": "Harmless MultiLine",
    "wellhead.model.result": "Check ValidationResult",
    "wellhead.model.secret": "Secret SecretFacts SecretPem",
    "wellhead.model.source": "DataSourceConfig",
    "wellhead.model.validator": "CheckStep Stream ValidationContext Validator",
    "wellhead.plugins.hookspecs": "hookimpl",
    "wellhead.plugins.registry": "DataSourceTypeRegistry",
    "wellhead.storage.service": "ConfigurationStorageService",
    "wellhead.validation.service": "DataSourceValidationService",
    "wellhead.workspace": "Workspace open_workspace",
}
_DEPRECATED: dict[str, tuple[str, str]] = {}
"""Names that will go: the module that has each, and what to do, such as `Use wellhead.Secret.`. See the explanation
"The plugin interface" of the docs for how long they stay. They are no longer in `__all__`."""
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605  # the stub `__init__.pyi` lists them for type checkers; a test compares


def __getattr__(name: str) -> Any:
    if name in _DEPRECATED:
        home, instead = _DEPRECATED[name]
        warnings.warn(f"wellhead.{name} is deprecated. {instead}", DeprecationWarning, stacklevel=2)
        return getattr(import_module(home), name)
    if name not in _HOME_OF:
        raise AttributeError(f"module 'wellhead' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
