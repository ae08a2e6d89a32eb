"""The root names: what `import wellhead` gives, and what it costs."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import wellhead

STUB = Path(wellhead.__file__).with_suffix(".pyi")


def stubbed() -> dict[str, str]:
    """Read the stub: each name with the module that it comes from."""
    found = {}
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            assert [alias.name for alias in node.names] == [alias.asname for alias in node.names]
            found |= {alias.name: node.module or "" for alias in node.names}
    return found


def imported_by(statement: str) -> set[str]:
    """Return the top packages, and Wellhead's own modules, that a statement makes a new interpreter import."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    modules = done.stdout.split()
    return {name.partition(".")[0] for name in modules} | {name for name in modules if name.startswith("wellhead.")}


@pytest.mark.parametrize("name", wellhead.__all__)
def test_each_root_name_is_there(name: str) -> None:
    assert getattr(wellhead, name) is not None
    assert getattr(wellhead, name) is getattr(import_module(stubbed()[name]), name)


def test_the_stub_and_the_module_list_the_same_names() -> None:
    assert wellhead.__all__ == sorted(stubbed())
    assert dir(wellhead) == wellhead.__all__


def test_another_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'postgres'"):
        wellhead.postgres  # noqa: B018  # looking it up is what is tested


def test_a_deprecated_name_works_and_says_at_its_user_what_to_use_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(wellhead._DEPRECATED, "Hidden", ("wellhead.model.secret", "Use wellhead.Secret."))
    monkeypatch.setattr("wellhead.model.secret.Hidden", wellhead.Secret, raising=False)

    for _ in range(2):  # each use of it, and not only the first
        with pytest.warns(DeprecationWarning, match=r"wellhead\.Hidden is deprecated\. Use wellhead\.Secret\.") as told:
            assert wellhead.Hidden is wellhead.Secret
        assert [warning.filename for warning in told] == [__file__]

    assert "Hidden" not in wellhead.__all__


def test_no_deprecated_name_is_a_root_name_still() -> None:
    assert wellhead._DEPRECATED.keys().isdisjoint(wellhead.__all__)


HEAVY = {"fastapi", "asyncpg", "aiohttp", "aiomysql", "pydantic_settings", "uvicorn", "cryptography", "typer"}


def test_importing_wellhead_imports_nothing_heavy() -> None:
    found = imported_by("import wellhead")
    assert found.isdisjoint(HEAVY | {"pydantic", "pluggy", "wellhead.errors"})


def test_what_a_plugin_needs_is_imported_without_service_drivers_or_settings() -> None:
    names = ["DataSourceConfig", "DatabaseDataSource", "DataSourceType", "Validator", "field", "hookimpl", "Secret"]
    found = imported_by(f"from wellhead import {', '.join(names)}")
    assert found.isdisjoint(HEAVY)


def test_the_registry_is_imported_without_service_or_drivers() -> None:
    assert imported_by("from wellhead import DataSourceTypeRegistry").isdisjoint(HEAVY)


@pytest.mark.parametrize("plugin", ["wellhead_postgres", "wellhead_files"])
def test_importing_a_plugin_does_not_import_its_driver(plugin: str) -> None:
    assert imported_by(f"import {plugin}").isdisjoint(HEAVY)
