"""Types that several plugins claim: used from the one that the operator prefers, or from none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from wellhead.plugins.choice import PREFER, PluginChoice
from wellhead.plugins.registry import RegisteredType
from wellhead.plugins.reports import PluginReport, report_it

THIS_PROGRAM = "this program"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plugin that was loaded, or refused: what became of it, and its types."""

    report: PluginReport
    types: tuple[RegisteredType, ...] = ()


def settle(loaded: Sequence[Loaded], *, taken: Sequence[str], choice: PluginChoice) -> list[Loaded]:
    """Take plugins out that claim a type which another one claims too, or which is taken already.

    Where the operator prefers a distribution for the type, the others lose that type only.

    Args:
        loaded: The plugins.
        taken: The types that are registered already: those of this program.
        choice: What the operator prefers.

    Returns:
        The plugins as they are used. One that lost some of its types is there twice: with those, and without.
    """
    claims: dict[str, list[str]] = {name: [THIS_PROGRAM] for name in taken}
    for plugin in loaded:
        for name in plugin.report.types:
            claims.setdefault(name, []).append(plugin.report.distribution)
    winners = {name: winner for name, claimants in claims.items() if (winner := _winner(name, claimants, choice))}
    return [settled for plugin in loaded for settled in _settle(plugin, claims, winners, choice)]


def _winner(name: str, claimants: list[str], choice: PluginChoice) -> str | None:
    """Return the claimant that the operator prefers, if it claims the type once, and the type is not taken already."""
    preferred = [claimant for claimant in claimants if choice.prefers(name, claimant)]
    return preferred[0] if len(preferred) == 1 and THIS_PROGRAM not in claimants else None


def _settle(
    plugin: Loaded, claims: Mapping[str, list[str]], winners: Mapping[str, str], choice: PluginChoice
) -> Iterator[Loaded]:
    report = plugin.report
    lost = [name for name in report.types if len(claims[name]) > 1 and winners.get(name) != report.distribution]
    open_ = [name for name in lost if name not in winners]
    if open_:
        yield Loaded(_in_conflict(report, open_[0], claims[open_[0]], choice))
        return
    if kept := tuple(described for described in plugin.types if described.name not in lost):
        yield Loaded(replace(report, types=tuple(described.name for described in kept)), kept)
    elif not lost:
        yield plugin
    if lost:
        reason = f"{PREFER} gives type '{lost[0]}' to {winners[lost[0]]}."
        remedy = f"To use this one, write {lost[0]}={report.distribution} in {PREFER}."
        yield Loaded(replace(report, state="disabled", types=tuple(lost), reason=reason, remedy=remedy))


def _in_conflict(report: PluginReport, name: str, claimants: Sequence[str], choice: PluginChoice) -> PluginReport:
    """Say who claims a type, and how to settle it."""
    reason = f"Type '{name}' is claimed by {' and by '.join(claimants)}; neither is used."
    others = [claimant for claimant in claimants if claimant not in {report.distribution, THIS_PROGRAM}]
    if others:
        remedy = f"Name the one to use, {PREFER}={name}={report.distribution}, or remove one: pip uninstall {others[0]}"
    elif THIS_PROGRAM in claimants:
        remedy = f"Remove it: pip uninstall {report.distribution}"
    else:
        remedy = report_it(report.distribution)
    if name in choice.prefer and choice.prefer[name] not in {*claimants}:
        reason += f" {PREFER} names {choice.prefer[name]}, which does not claim it."
    return replace(report, state="conflict", reason=reason, remedy=remedy)
