"""Rules for loading: what it costs, and what it does besides."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

from wellhead.plugins.choice import normalized
from wellhead.testing.kit.outcomes import Finding
from wellhead.testing.kit.subject import Subject

_LEAST_LIMIT_MS = 1000.0
_TIMES_PYDANTIC = 3
_OF_EVERY_PLUGIN = frozenset(
    ("wellhead", "pydantic", "pydantic-core", "pluggy", "typing-extensions", "annotated-types", "typing-inspection")
)


def check_waivers(subject: Subject) -> Iterator[Finding]:
    """Find waivers of rules that there are not, or without a reason."""
    if (project := subject.project) is not None:
        yield from (Finding(text) for text in project.false_waivers(subject.waivable))


def check_cost(subject: Subject) -> Iterator[Finding]:
    """Compare the time of loading with that of importing pydantic, on the same machine, in the same process."""
    took, pydantic = subject.seen["import_ms"], subject.seen["pydantic_ms"]
    limit = max(_LEAST_LIMIT_MS, _TIMES_PYDANTIC * pydantic)
    if took > limit:
        yield Finding(f"Loading it takes {took:.0f} ms; {limit:.0f} ms would do (pydantic takes {pydantic:.0f} ms).")
    else:
        yield Finding(f"Loading it takes {took:.0f} ms; importing pydantic takes {pydantic:.0f} ms.", is_defect=False)


def check_threads(subject: Subject) -> Iterator[Finding]:
    """Find threads and processes that loading starts."""
    yield from (Finding(f"Loading it starts the thread '{name}'.") for name in subject.seen["threads"])
    yield from (Finding(f"Loading it starts a process ({event}).") for event in subject.seen["processes"])


def check_output(subject: Subject) -> Iterator[Finding]:
    """Find what loading prints."""
    if said := subject.seen["output"]:
        yield Finding(f"Loading it prints: {said.splitlines()[0][:80]!r}")


def check_effects(subject: Subject) -> Iterator[Finding]:
    """Find what loading changes of the process, and what it writes."""
    yield from (Finding(f"Loading it changes {name}.") for name in subject.seen["changed"])
    yield from (Finding(f"Loading it opens {path} for writing.") for path in subject.seen["written"])


def check_network(subject: Subject) -> Iterator[Finding]:
    """Find the network's use when loading."""
    yield from (Finding(f"Loading it uses the network ({event}).") for event in dict.fromkeys(subject.seen["network"]))


def check_drivers(subject: Subject) -> Iterator[Finding]:
    """Find modules of the plugin's own dependencies that loading imports."""
    own = set(subject.target.requires) - _OF_EVERY_PLUGIN - _of_core()
    homes = packages_distributions()
    for module in subject.seen["modules"]:
        if found := own & {normalized(name) for name in homes.get(module, ())}:
            yield Finding(f"Loading it imports {module} of {found.pop()}. Import it inside the validator.")


def _of_core() -> set[str]:
    """Return the names of what core itself needs: that is there anyway."""
    try:
        listed = requires("wellhead") or []
    except PackageNotFoundError:
        return set()
    return {
        normalized(text.partition(";")[0].split(">")[0].split("[")[0].strip()) for text in listed if ";" not in text
    }
