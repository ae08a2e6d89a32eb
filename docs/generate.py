"""Fills the generated parts of the pages from the code.

A part begins with `<!-- generated: NAME -->` and ends with `<!-- end -->`. Run this after a change of what a part
tells of, and commit the pages with it: `uv run python docs/generate.py`. A test compares.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, ClassVar

import typer

import wellhead
from wellhead import testing
from wellhead.access.policy import OF_THE_SERVICE, least_role
from wellhead.api.operations import OPERATIONS, Operation
from wellhead.api.parameters import LIST_PARAMETERS
from wellhead.catalog.type_page import parameter_table, table
from wellhead.cli.main import app
from wellhead.codes import CODES, Kind
from wellhead.model.families import FAMILIES
from wellhead.model.parameters import parameters_of
from wellhead.model.shape import shape_of
from wellhead.model.source import RESERVED_FIELDS, DataSourceConfig
from wellhead.plugins import hookspecs
from wellhead.plugins.loader import load_plugins
from wellhead.plugins.registry import DataSourceTypeRegistry
from wellhead.settings import PREFIX, Settings
from wellhead.testing.kit.rules import RULES, WAIVABLE

DOCS = Path(__file__).parent
_PART = re.compile(r"(<!-- generated: ([a-z:-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def generated(text: str) -> str:
    """Return a page's text with its generated parts as they must be."""

    def fill(part: re.Match[str]) -> str:
        name, _, argument = part[2].partition(":")
        body = PARTS[name](argument) if argument else PARTS[name]()
        return f"{part[1]}\n{body.strip()}\n\n{part[3]}"

    return _PART.sub(fill, text)


def settings() -> str:
    """List the settings."""
    schema = Settings.model_json_schema()["properties"]
    rows = (
        (f"`{PREFIX}{name.upper()}`", f"`{name}`", _kind(schema[name]), _default(info.default), info.description or "")
        for name, info in Settings.model_fields.items()
    )
    return table(("Variable", "Key in the file", "Value", "If not set", "Meaning"), rows)


def _kind(schema: dict[str, Any]) -> str:
    """Say in words what a JSON Schema allows."""
    forms = [form for form in schema.get("anyOf", [schema]) if form.get("type") != "null"]
    form = forms[0]
    kind = {
        "array": "list",
        "string": "text",
        "number": "number",
        "integer": "whole number",
        "boolean": "`true` or `false`",
    }[form["type"]]
    if form.get("format") == "path":
        kind = "path"
    if form["type"] == "array" and form["items"].get("format") == "path":
        kind = "list of paths"
    low = form.get("minimum", form.get("exclusiveMinimum"))
    if low is None:
        return kind
    return f"{kind}, {'more than ' if 'exclusiveMinimum' in form else ''}{low:g} to {form['maximum']:g}"


def _default(value: Any) -> str:
    if value is None or value == () or type(value).__name__ == "PydanticUndefinedType":
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def codes(kind: Kind) -> str:
    """Describe the codes of one kind."""
    return "\n\n".join(
        f"### `{name}`\n\n{code.title}\n\n- Likely cause: {code.cause}\n- What to do: {code.remedy}"
        for name, code in CODES.items()
        if code.kind == kind
    )


def failures(type_name: str) -> str:
    """List the codes that the checks of a type, which connects to a server, can end with."""
    known = _registry().describe(type_name)
    core = DOCS.parent / "core/src/wellhead"
    parts = ("guard/network.py", "guard/tls.py", "validation/inside/diagnosis.py", "validation/inside/dialled.py")
    sources = [core / part for part in parts]
    sources += (DOCS.parent / "plugins" / str(known.distribution) / "src").rglob("*.py")
    texts = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    found = {*re.findall(r'"([a-z]+(?:_[a-z]+)*)"', texts), "secret_unavailable", "deadline", "plugin_error"}
    found |= {"tls_disabled", "tls_unverified"} if issubclass(known.model, wellhead.DatabaseDataSource) else set()
    rows = (
        (f"`{name}`", code.cause, code.remedy) for name, code in CODES.items() if name in found and code.kind == "check"
    )
    return table(("Code", "What it means, and the likely cause", "What to do"), rows)


def _registry() -> DataSourceTypeRegistry:
    registry = DataSourceTypeRegistry()
    load_plugins(registry)
    return registry


def commands() -> str:
    """Describe each command of the command line."""
    return "\n\n".join(_command(name, command) for name, command in _leaves(typer.main.get_command(app), ""))


def _leaves(group: Any, before: str) -> Iterator[tuple[str, Any]]:
    """Go through the commands of a group, and of the groups in it, by their full names."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _leaves(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _command(name: str, command: Any) -> str:
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    options = [item for item in command.params if item.param_type_name == "option"]
    usage = " ".join(["wellhead", name, *(_metavar(item) for item in arguments)])
    rows = [(f"`{_metavar(item)}`", item.help or "") for item in arguments]
    rows += [(", ".join(f"`{text}`" for text in _spellings(item)), item.help or "") for item in options]
    return f"### `{usage}`\n\n{command.help}\n\n{table(('Argument or option', 'Meaning'), rows)}"


def _metavar(argument: Any) -> str:
    return str(argument.metavar or argument.name)


def _spellings(option: Any) -> list[str]:
    texts = sorted(option.opts, key=len)
    value = "" if option.is_flag else f" {option.metavar or texts[-1].strip('-').upper()}"
    return [text + value for text in texts]


def operations() -> str:
    """List the operations of the API."""
    rows = (
        (f"`{item.method} {item.path}`", item.summary, _needs(item), _answers(item), _role(item)) for item in OPERATIONS
    )
    return table(("Operation", "What it does", "Takes", "Answers", "Role"), rows)


def _role(operation: Operation) -> str:
    if operation.permission is None:
        return "anybody"
    role = f"`{least_role(operation.permission)}`"
    if operation.permission in OF_THE_SERVICE:
        role += ", of several users only with `WELLHEAD_TOKEN`"
    return f"anybody, or {role}" if operation.is_public else role


def _needs(operation: Operation) -> str:
    parts = [f"`?{parameter.name}=`" for parameter in operation.query]
    if len(parts) > 8:  # noqa: PLR2004  # the list's, which have a table of their own
        parts = ["the parameters below"]
    parts += ["`?timeout=`"] if operation.takes_timeout else []
    parts += [f"`{operation.body}`{'' if operation.body_required else ' (may be left out)'}"] if operation.body else []
    parts += ["`If-Match`"] if operation.conditional else []
    return ", ".join(parts) or "nothing"


def _answers(operation: Operation) -> str:
    lines = f" lines of `{operation.lines}`" if operation.lines is not None else ""
    good = [f"{status}{f' `{schema}`' if schema else lines}" for status, schema in operation.answers]
    bad = [str(status) for status in sorted(operation.problems)]
    return "; ".join(part for part in (", ".join(good), ", ".join(bad)) if part) or "200 page"


def query() -> str:
    """List the parameters of the list."""
    rows = (
        (
            f"`{item.name}`",
            "yes" if item.repeats else "no",
            item.description,
            ", ".join(f"`{value}`" for value in item.allowed or ()),
        )
        for item in LIST_PARAMETERS
    )
    return table(("Parameter", "May repeat", "Meaning", "Values"), rows)


def base() -> str:
    """List the fields of the base."""
    rows = ((f"`{name}`", info.description or "") for name, info in DataSourceConfig.model_fields.items())
    return table(("Field", "Meaning"), rows)


def reserved() -> str:
    """List the names that no type may define."""
    return ", ".join(f"`{name}`" for name in sorted(RESERVED_FIELDS - DataSourceConfig.model_fields.keys()))


def families() -> str:
    """List the fields of each family."""
    return "\n\n".join(
        f"## `{family.__name__}`\n\n{inspect.getdoc(family)}\n\n{_fields(family)}" for family in FAMILIES
    )


def _fields(family: type[DataSourceConfig]) -> str:
    model = type("Example", (family,), {"__annotations__": {}, "__module__": family.__module__})
    return parameter_table(parameters_of(shape_of(model)))


def types() -> str:
    """List the parameters of every type of this repository."""
    registry = _registry()
    found = (registry.describe(name) for name in registry.list_types())
    return "\n\n".join(
        f"## `{item.name}`\n\n{item.title}, from `{item.distribution}`.\n\n{parameter_table(item.parameters)}"
        for item in found
        if (DOCS.parent / "plugins" / str(item.distribution)).is_dir()
    )


def testing_names() -> str:
    """Describe what tests are written with."""
    parts = [
        _described(testing.open_workspace, "open_workspace"),
        _described(testing.running_service, "running_service"),
        _members(testing.RunningService),
        _described(testing.data_source_types, "data_source_types"),
    ]
    for model in (testing.AnsweringDataSource, testing.FailingDataSource, testing.SlowDataSource):
        head = f"## Type `{model.model_fields['type'].default}`: `{model.__name__}`"
        parts.append(f"{head}\n\n{_prose(model)}\n\n{parameter_table(parameters_of(shape_of(model)))}")
    return "\n\n".join(parts)


def contract() -> str:
    """Describe the class that tests of types derive from."""
    return f"## `DataSourceTypeContract`\n\n{_prose(testing.DataSourceTypeContract)}"


def rules() -> str:
    """Describe each rule for plugins."""
    parts = (
        f"## {rule.number} `{rule.name}`\n\n{rule.claim}\n\n- What to do: {rule.remedy}\n- {_waiving(rule.number)}"
        for rule in RULES
    )
    return "\n\n".join(parts)


def _waiving(number: str) -> str:
    return f'To waive it: `{number} = "why"`.' if number in WAIVABLE else "It cannot be waived."


def servers() -> str:
    """List the servers for tests, which are context managers."""
    return _first_lines(testing.servers, "servers", lambda item: hasattr(item, "__wrapped__"))


def scripts() -> str:
    """List what a server for tests can do with a connection."""
    return _first_lines(testing.servers.scripts, "scripts", lambda item: item.__module__.endswith(".scripts"))


def _first_lines(module: Any, name: str, wanted: Callable[[Any], bool]) -> str:
    """List functions of a module that tests use: how each is called, and what it does."""
    found = [(key, item) for key, item in vars(module).items() if inspect.isfunction(item) and wanted(item)]
    rows = (
        (f"`{name}.{key}({_parameter_names(item)})`", (inspect.getdoc(item) or "").partition("\n")[0])
        for key, item in sorted(found)
        if not key.startswith("_")
    )
    return table(("Name", "What it does"), rows)


def _parameter_names(function: Any) -> str:
    """Write a function's parameters without their types; those that follow the star are given by name."""
    star = False
    parts = []
    for item in inspect.signature(function).parameters.values():
        if item.kind is item.KEYWORD_ONLY and not star:
            star = True
            parts.append("*")
        parts.append(f"*{item.name}" if item.kind is item.VAR_POSITIONAL else item.name)
        star = star or item.kind is item.VAR_POSITIONAL
    return ", ".join(parts)


def testing_servers() -> str:
    """Describe what the servers for tests are made of."""
    known = testing.servers
    parts = [_described(known.serve, "servers.serve")]
    parts += [_members(kind) for kind in (known.RunningServer, known.HttpServer, known.Request)]
    parts += [f"## `{kind.__name__}`\n\n{_prose(kind)}" for kind in (known.Answer, known.Upgrade, known.Turn)]
    return "\n\n".join(parts)


def testing_certificates() -> str:
    """Describe the certificates for tests."""
    known = testing.certificates
    return f"{_described(known.make_certificates, 'certificates.make_certificates')}\n\n" + "\n\n".join(
        [f"## `Certificates`\n\n{_prose(known.Certificates)}", _members(known.Authority)]
    )


def testing_mutations() -> str:
    """Describe the changes of what servers say."""
    known = testing.mutations
    parts = [
        _described(known.of_conversation, "mutations.of_conversation"),
        _described(known.mutated, "mutations.mutated"),
    ]
    return "\n\n".join([*parts, f"## `Framing`\n\n{_prose(known.Framing)}"])


def hooks() -> str:
    """Describe each hook."""
    found = (
        item for _, item in inspect.getmembers(hookspecs, inspect.isfunction) if item.__module__ == hookspecs.__name__
    )
    return "\n\n".join(_described(item, item.__name__) for item in found)


def interface() -> str:
    """Describe what plugins are written with."""
    parts = [_described(wellhead.DataSourceType, "DataSourceType"), _described(wellhead.CheckCode, "CheckCode")]
    parts += [_members(wellhead.DataSourceTypeExtension)]
    parts += [_members(wellhead.Validator), _members(wellhead.ValidationContext), _members(wellhead.CheckStep)]
    parts += [
        _members(wellhead.Stream),
        _described(wellhead.CheckFailedError, "CheckFailedError"),
        _described(wellhead.field, "field"),
        _members(wellhead.Harmless),
        _members(wellhead.MultiLine),
        _members(wellhead.Secret),
    ]
    return "\n\n".join(parts)


FOR_PROGRAMS = frozenset(
    {
        "Check",
        "ConfigurationStorageService",
        "DataSourceTypeRegistry",
        "DataSourceValidationService",
        "SecretFacts",
        "ValidationResult",
        "WellheadError",
        "Workspace",
        "open_workspace",
    }
)
"""The root names that are for programs which use Wellhead, and not for plugins."""


def names(whose: str) -> str:
    """List the root names of plugins, or those of programs."""
    chosen = (name for name in wellhead.__all__ if (name in FOR_PROGRAMS) == (whose == "programs"))
    return ", ".join(f"`wellhead.{name}`" for name in chosen)


def field_types() -> str:
    """List the types of fields that core has, with what their modules say of them."""
    homes = sorted({home for home in map(_home, wellhead.__all__) if home.startswith("wellhead.model.")})
    said = {name: text for home in homes for name, text in _said_of_names(import_module(home))}
    return table(
        ("Type", "What it takes"),
        ((f"`wellhead.{name}`", said[name]) for name in wellhead.__all__ if name in said and name.isidentifier()),
    )


def _home(name: str) -> str:
    return wellhead._HOME_OF[name]


def _said_of_names(module: Any) -> Iterator[tuple[str, str]]:
    """Go through a module's names that are set, each with the text below it."""
    body = ast.parse(inspect.getsource(module)).body
    for node, text in itertools.pairwise(body):
        is_text = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and is_text:
            yield node.targets[0].id, " ".join(inspect.cleandoc(str(text.value.value)).split())


def _members(kind: Any) -> str:
    parts = [f"## `{kind.__name__}`\n\n{_prose(kind)}"]
    for name, member in vars(kind).items():
        inner = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if name.startswith("_") or not callable(inner) or inner is ClassVar:
            continue
        kept = "" if isinstance(member, property) else _signature(inner)
        before = "async " if inspect.iscoroutinefunction(inner) else ""
        parts.append(f"### `{before}{kind.__name__}.{name}{kept}`\n\n{_prose(inner)}")
    return "\n\n".join(parts)


def _described(item: Any, name: str) -> str:
    return f"## `{name}{_signature(item)}`\n\n{_prose(item)}"


def _signature(function: Any) -> str:
    """Write a signature as the source has it, without the names of modules."""
    shown = str(inspect.signature(function)).replace("self, ", "").replace("(self)", "()").replace("cls, ", "")
    shown = re.sub(r"= <factory>|=<factory>", "= {}", shown).replace("PydanticUndefined", "…")
    shown = re.sub(r"(: |-> )'([^']*)'", r"\1\2", shown).replace("ConfigT_contra", "DataSourceConfig")
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", shown)


def _prose(item: Any) -> str:
    """Write a docstring in Google style as Markdown."""
    lines: list[str] = []
    section = ""
    for line in (inspect.getdoc(item) or "").splitlines():
        if re.fullmatch(r"(Args|Returns|Raises|Attributes|Yields):", line):
            section = line.removesuffix(":")
            lines += [f"*{section.replace('Args', 'Arguments')}*", ""]
        elif section and (entry := re.fullmatch(r"    (\**\w+): (.*)", line)) and section != "Returns":
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        else:
            lines.append(line.strip() if not section else line.removeprefix("    ").replace("    ", "  ", 1))
    return "\n".join(lines)


def layers() -> str:
    """Draw the layers as the contract of import-linter has them."""
    linter = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    contract = next(item for item in linter["contracts"] if item["type"] == "layers")
    drawn = ("\n".join(_drawn(name.strip()) for name in layer.split("|")) for layer in contract["layers"])
    return "```text\n" + f"\n{'─' * 100}\n".join(drawn) + "\n```"


def _drawn(name: str, indent: str = "") -> str:
    """Draw one part, and the packages in it: the name of each, and the first line of what its module says."""
    module = import_module(f"wellhead.{name}")
    said = (module.__doc__ or "").partition("\n")[0]
    inside = [found.name for found in iter_modules(getattr(module, "__path__", ())) if found.ispkg]
    rows = [_drawn(f"{name}.{package}", f"{indent}  ") for package in inside]
    return "\n".join([f"{indent + name.rpartition('.')[2]:<16} {said.removesuffix('.')}", *rows])


PARTS: dict[str, Callable[..., str]] = {
    "settings": settings,
    "codes": codes,
    "failures": failures,
    "commands": commands,
    "operations": operations,
    "query": query,
    "base": base,
    "reserved": reserved,
    "families": families,
    "types": types,
    "testing": testing_names,
    "contract": contract,
    "rules": rules,
    "servers": servers,
    "scripts": scripts,
    "testing-servers": testing_servers,
    "testing-certificates": testing_certificates,
    "testing-mutations": testing_mutations,
    "hooks": hooks,
    "interface": interface,
    "layers": layers,
    "names": names,
    "field-types": field_types,
}


def pages() -> Iterator[Path]:
    """Go through the pages of the docs."""
    yield from sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)


def main() -> None:
    """Write every page anew."""
    for path in pages():
        before = path.read_text(encoding="utf-8")
        after = generated(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(DOCS)}\n")


if __name__ == "__main__":
    main()
