"""Rules for names, by which people guess one from the other: distribution, module, entry point and type."""

from __future__ import annotations

from collections.abc import Iterator

from wellhead.plugins.choice import normalized
from wellhead.testing.kit.outcomes import Finding
from wellhead.testing.kit.subject import Subject

_PREFIX = "wellhead-"
_SAYS_NOTHING = frozenset(("wellhead", "datasource", "source", "plugin", "type", "connector"))


def check_distribution(subject: Subject) -> Iterator[Finding]:
    """Find a distribution whose name does not say that it is a plugin, or is not spelt as indexes spell it."""
    name = subject.target.distribution
    if not normalized(name).startswith(_PREFIX) or name != normalized(name):
        yield Finding(f"The distribution is named '{name}'; '{_PREFIX}{_own_part(name)}' is what people look for.")


def check_modules(subject: Subject) -> Iterator[Finding]:
    """Find entry points whose module is not named as the distribution."""
    wanted = normalized(subject.target.distribution).replace("-", "_")
    for name, value in subject.target.entry_points:
        module = value.partition(":")[0].partition(".")[0].strip()
        if module != wanted:
            yield Finding(f"The entry point '{name}' leads to the module '{module}'; it should be '{wanted}'.")


def check_entry_points(subject: Subject) -> Iterator[Finding]:
    """Find entry points that are named after neither a type nor the distribution."""
    known = {known.name for known in subject.types} | {_own_part(subject.target.distribution)}
    for name, _ in subject.target.entry_points:
        if name.replace("_", "-") not in known and subject.target.type_name is None:
            yield Finding(f"The entry point is named '{name}'; it should be {' or '.join(map(repr, sorted(known)))}.")


def check_types(subject: Subject) -> Iterator[Finding]:
    """Find types whose name has a word that every type's could have."""
    for known in subject.types:
        for word in _SAYS_NOTHING.intersection(known.name.split("-")):
            yield Finding(f"The type is named '{known.name}'; '{word}' in it says nothing.")


def check_dependency(subject: Subject) -> Iterator[Finding]:
    """Find a plugin that does not say that it needs core."""
    if "wellhead" not in subject.target.requires:
        yield Finding("It does not depend on wellhead: add 'wellhead>=0.1,<0.2' to the project's dependencies.")


def _own_part(distribution: str) -> str:
    """Return what tells a distribution from other plugins."""
    return normalized(distribution).removeprefix(_PREFIX)
