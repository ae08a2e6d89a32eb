"""How things look on a terminal: tables, one data source, and checks as they end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from wellhead import clock
from wellhead.access.issued import IssuedToken
from wellhead.catalog.types import INSTALL_HINT
from wellhead.cli.console import out
from wellhead.cli.writing import say, tamed
from wellhead.model.result import Check, ValidationResult
from wellhead.storage.findings import Finding
from wellhead.storage.key_service import KeyUse
from wellhead.storage.rewriting import FieldChange, MigrationOutcome
from wellhead.storage.rotation import Rotation

_NOTHING = "–"  # noqa: RUF001  # a dash that is seen
_MARKS = {
    "passed": "[green]✓[/]",
    "warning": "[yellow]![/]",
    "failed": "[red]✗[/]",
    "timeout": "[red]⏱[/]",
    "skipped": "[dim]·[/]",
}
_COLOURS = {
    "ok": "green",
    "ready": "green",
    "passed": "green",
    "primary": "green",
    "warning": "yellow",
    "repaired": "green",
}
_COLOURS |= dict.fromkeys(("enabled", "disabled"), "yellow")


def _status(text: str | None) -> str:
    return f"[dim]{_NOTHING}[/]" if text is None else f"[{_COLOURS.get(text, 'red')}]{escape(text)}[/]"


def show_types(items: Sequence[Mapping[str, Any]]) -> None:
    """Print a table of types; what is broken comes with reason and remedy."""
    if not items:
        out.print(INSTALL_HINT)
        return
    table = Table("Type", "State", "Title", "From", "Loaded in", box=None, pad_edge=False)
    for item in items:
        took = _NOTHING if item["load_ms"] is None else f"{item['load_ms']:.1f} ms"
        origin = f"{item['distribution']} {item['version']}" if item["distribution"] else _NOTHING
        name, title = (escape(tamed(item[key])) for key in ("name", "title"))
        table.add_row(name, _status(item["state"]), title, escape(origin), took)
    out.print(table)
    for item in items:
        if item["reason"]:
            about, remedy = tamed(f"{item['name']}: {item['reason']}"), tamed(str(item["remedy"]))
            say(f"\n{about}\n  To mend it: {remedy}")


def show_list(items: Sequence[Mapping[str, Any]], total: int, *, filtered: bool = False) -> None:
    """Print a table of data sources."""
    if not items:
        out.print("No data source matches." if filtered else "No data source. Make one: wellhead add TYPE")
        return
    table = Table("Name", "Type", "State", "Health", "Changed", "Id", box=None, pad_edge=False)
    for item in items:
        health = item["health"]["status"] if item["health"] else None
        name, kind = escape(tamed(item["name"] or "?")), escape(tamed(item["type"] or "?"))
        table.add_row(name, kind, _status(item["state"]), _status(health), item["updated_at"] or _NOTHING, item["id"])
    out.print(table)
    if total > len(items):
        out.print(f"{len(items)} of {total}. More: without --limit.")


def show_source(item: Mapping[str, Any]) -> None:
    """Print one data source, a field a line; of secrets, when they were set."""
    table = Table("Field", "Value", box=None, pad_edge=False, show_header=False)
    for name, value in item.items():
        table.add_row(f"[bold]{escape(name)}[/]", escape(tamed(_written(value))))
    out.print(table)


def show_history(items: Sequence[Mapping[str, Any]]) -> None:
    """Print a table of former revisions."""
    if not items:
        out.print("No former revision is kept. One is with each change, as WELLHEAD_HISTORY says.")
        return
    table = Table("Revision", "Changed", "By", "Fields", box=None, pad_edge=False)
    for item in items:
        by, fields = tamed(item["by"] or _NOTHING), tamed(", ".join(item["changed"]) or _NOTHING)
        table.add_row(str(item["revision"]), item["at"], escape(by), escape(fields))
    out.print(table)


def show_findings(findings: Sequence[Finding]) -> None:
    """Print a table of what was looked at, with what to do below, once for each thing that is to be done."""
    table = Table("Looked at", "Status", "What was found", box=None, pad_edge=False)
    for finding in findings:
        table.add_row(escape(finding.part), _status(finding.status), escape(tamed(finding.message)))
    out.print(table)
    remedies = dict.fromkeys((finding.code, finding.remedy) for finding in findings if finding.remedy is not None)
    if remedies:
        out.print("\nWhat to do:")
    for code, remedy in remedies:
        say(f"  {code}: {tamed(remedy or '')}")


def _written(value: Any) -> str:
    if isinstance(value, dict) and value.get("is_set") is True:
        return f"secret, from {value['ref']}" if "ref" in value else f"secret, set {value['set_at']}"
    if value is None or value == {}:
        return _NOTHING
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def show_check(check: Check) -> None:
    """Print one check as it ended."""
    out.print(f"  {_MARKS[check.status]} {escape(check.name)}", end="")
    say("" if check.message is None else f": {check.message}")
    if check.hint is not None and check.status != "skipped":
        say(f"      {check.hint}")
    if check.fields and check.status in {"failed", "timeout"}:
        say(f"      Look at: {', '.join(field.removeprefix('/') for field in check.fields)}")


def show_result(name: str, result: ValidationResult) -> None:
    """Print how a validation ended, and the details that it found."""
    out.print(f"{escape(tamed(name))}: {_status(result.status)} in {result.duration_ms:.0f} ms")
    for key, value in result.details.items():
        text = ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)
        say(f"  {key.replace('_', ' ')}: {tamed(text)}")


def show_results(rows: Iterable[tuple[str, ValidationResult]], totals: Mapping[str, int]) -> None:
    """Print a table of many validations, and how many ended how."""
    if not totals:
        out.print("No data source. Make one: wellhead add TYPE")
        return
    table = Table("Name", "Status", "Check", "What to do", box=None, pad_edge=False)
    for name, result in rows:
        worst = next(iter((*result.errors, *result.warnings)), None)
        told = ("", "") if worst is None else (worst.name, f"{worst.message or ''} {worst.hint or ''}".strip())
        table.add_row(escape(tamed(name)), _status(result.status), *(escape(text) for text in told))
    out.print(table)
    out.print(", ".join(f"{number} {escape(status)}" for status, number in sorted(totals.items())))


def show_keys(keys: Sequence[KeyUse]) -> None:
    """Print a table of keys."""
    if not keys:
        out.print("No key. The first one is made with the first secret, or by: wellhead keys add")
        return
    table = Table("Key", "State", "Created", "Records", "Former revisions", box=None, pad_edge=False)
    for key in keys:
        counts = str(key.records), str(key.revisions)
        table.add_row(escape(tamed(key.id)), _status(key.state), key.created_at or _NOTHING, *counts)
    out.print(table)
    if any(key.state == "missing" for key in keys):
        out.print(
            "What a missing key sealed does not open. Restore the key ring from a backup, or send the secrets anew."
        )


def show_tokens(tokens: Sequence[IssuedToken]) -> None:
    """Print a table of tokens."""
    if not tokens:
        out.print("No token. Issue one: wellhead token create --root DIR --user NAME --role viewer|editor|admin")
        return
    table = Table("Id", "User", "Workspace", "Role", "Expires", box=None, pad_edge=False)
    now = clock.now()
    for token in tokens:
        user = escape(tamed(token.principal.user))
        ends = clock.to_text(token.expires_at) if token.expires_at > now else "[red]has expired[/]"
        table.add_row(token.id, user, token.principal.workspace, token.principal.role, ends)
    out.print(table)


def show_rotation(rotation: Rotation) -> None:
    """Print what a rotation did, and what it left."""
    made = "is primary now" if rotation.is_new else "was primary already"
    say(f"Key {rotation.key_id} {made}. Sealed anew: {rotation.resealed}. Left: {len(rotation.left)}.")
    for left in rotation.left:
        document = left.document
        name = document.id if document.name is None else f"{document.name} ({document.id})"
        revision = "" if document.revision is None else f", revision {document.revision}"
        say(tamed(f"  {name}{revision}: {left.reason}"))
    if rotation.left:
        out.print("Mend those and rotate once more, or send their secrets anew. Old keys stay in the ring until then.")


def show_migrations(outcomes: Sequence[MigrationOutcome], totals: Mapping[str, int], *, dry_run: bool) -> None:
    """Print what came of migrating records: the fields that change, and why others were not migrated."""
    for outcome in outcomes:
        name = tamed(outcome.name or outcome.id)
        if outcome.versions is not None:
            first, last = outcome.versions
            say(f"{name}: schema version {first} to {last}")
            for change in outcome.changes if dry_run else ():
                _show_change(change)
        elif outcome.reason is not None:
            say(f"{name}: {outcome.status}. {tamed(outcome.reason)}")
    counts = ", ".join(f"{number} {status}" for status, number in totals.items())
    out.print(f"{counts or 'No data source'}.{' Nothing was written: this was a dry run.' if dry_run else ''}")


def _show_change(change: FieldChange) -> None:
    for mark, text in (("-", change.before), ("+", change.after)):
        if text is not None:
            shown = "set" if json.loads(text) == {"is_set": True} else text
            say(f"  {mark} {tamed(change.name)}: {tamed(shown)}")


def show_audit(entries: Sequence[Mapping[str, Any]]) -> None:
    """Print a table of entries of the audit log."""
    if not entries:
        out.print("Nothing was done that fits.")
        return
    table = Table("When", "Who", "From", "Did", "To", "Fields", "Outcome", box=None, pad_edge=False)
    for entry in entries:
        texts = [
            *(entry.get(name) for name in ("at", "user", "address", "operation")),
            entry.get("name") or entry.get("id"),
            ", ".join(map(str, entry.get("fields", ()))) or entry.get("role"),
            entry.get("code") or entry.get("outcome"),
        ]
        if entry.get("count"):
            texts[3] = f"{texts[3]} ({entry['count']} times)"
        table.add_row(*(escape(tamed(str(text))) if text else _NOTHING for text in texts))
    out.print(table)
