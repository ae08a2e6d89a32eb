"""A soak with faults: a mixed load on a real service for minutes, while processes are killed and disks fail.

Run as `uv run python tests/benchmarks/soak.py --minutes 10`. It ends with exit code 1 if anything that was answered is
lost, wrong or shown to the wrong people, or if a process of the service does not stay level.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1])]
from support.soak.soaking import Plan, soak  # noqa: E402  # found by what the line above adds


def main() -> int:
    """Soak, and say what came of it."""
    parser = argparse.ArgumentParser(description="Soak a service with faults.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=20.0, help="requests of the load per second")
    parser.add_argument("--workers", type=int, default=2, help="processes that answer; two or more")
    parser.add_argument("--seed", type=int, default=None, help="a number that decides what is done; any, if left out")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    given = parser.parse_args()
    seed = random.randrange(1_000_000) if given.seed is None else given.seed
    plan = Plan(given.minutes * 60, given.rate, given.workers, seed)
    print(f"seed {seed}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="wellhead-soak-") as home:
        report = soak(plan, Path(home), _tell)
    print(file=sys.stderr)
    document = {"seed": seed, "minutes": given.minutes, "rate": given.rate, "workers": given.workers}
    document |= report.as_document()
    print(json.dumps(document, indent=1) if given.json else "\n".join(_lines(document)))
    return 1 if report.violations else 0


def _tell(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{line}", end="", file=sys.stderr, flush=True)


def _lines(document: dict[str, Any]) -> list[str]:
    """Return the result for people."""
    lines = [f"{document['requests']:,} requests: {document['statuses']}"]
    lines += [f"ms {name}: {times}" for name, times in document["ms"].items()]
    lines += [f"{name}: fired {found['fired']} times; {found['proof']}" for name, found in document["faults"].items()]
    lines += [f"{name}: not possible here: {reason}" for name, reason in document["skipped"].items()]
    for found in document["processes"]:
        growths = [
            f"{name} {growth['first']} -> {growth['last']}"
            for name, growth in found.items()
            if isinstance(growth, dict)
        ]
        lines.append(f"{found['process']} {found['pid']}, {found['minutes']} minutes: {', '.join(growths)}")
    lines.append(f"audit: {document['audit']}")
    lines += [f"BROKEN {name}: {count} times" for name, count in document["violations"].items()]
    return [*lines, *document["examples"], "nothing broke" if not document["violations"] else "it broke"]


if __name__ == "__main__":
    sys.exit(main())
