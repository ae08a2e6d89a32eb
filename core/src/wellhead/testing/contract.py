"""`DataSourceTypeContract`: the rules for plugins as tests, one for each rule.

from wellhead.testing import DataSourceTypeContract

class TestSqlite(DataSourceTypeContract):
    type_name = "sqlite"
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import ClassVar
from unittest import SkipTest

from wellhead.testing.kit.checking import check
from wellhead.testing.kit.outcomes import Outcome, Report
from wellhead.testing.kit.project import PROJECT_FILE, TargetError
from wellhead.testing.kit.rule import Rule
from wellhead.testing.kit.rules import RULES
from wellhead.testing.kit.target import Target, installed_target, target_at


class DataSourceTypeContract:
    """The rules for plugins, as tests of one type: `test_K01_loads_alone` and so on.

    Derive a test class from it. A rule that the plugin's `pyproject.toml` waives, the one that is nearest above the
    test's file, is skipped with the reason. All rules are checked once for each type, when the first of the tests runs.

    Attributes:
        type_name: The name of the type.
    """

    type_name: ClassVar[str]


def _test_of(rule: Rule) -> Callable[[DataSourceTypeContract], None]:
    def test(self: DataSourceTypeContract) -> None:
        __tracebackhide__ = True
        _judge(_outcome_of(type(self), rule.number))

    test.__name__ = f"test_{rule.number}_{rule.name.replace('-', '_')}"
    test.__qualname__ = f"{DataSourceTypeContract.__name__}.{test.__name__}"
    test.__doc__ = rule.claim
    return test


def _judge(outcome: Outcome) -> None:
    """Let a test end as a rule ended.

    Raises:
        AssertionError: The rule is broken.
        SkipTest: It is waived, or could not be checked.
    """
    __tracebackhide__ = True
    found = "\n".join(f"- {message}" for message in outcome.messages)
    if outcome.status == "failed":
        raise AssertionError(f"{outcome.number} {outcome.name}:\n{found}")
    if outcome.status == "waived":
        raise SkipTest(f"waived: {outcome.reason}")
    if outcome.status == "skipped":
        raise SkipTest(found)


def _outcome_of(case: type[DataSourceTypeContract], number: str) -> Outcome:
    outcomes = _report(_target_of(case.type_name, Path(inspect.getfile(case)))).outcomes
    return next(outcome for outcome in outcomes if outcome.number == number)


@cache
def _report(target: Target) -> Report:
    return check(target)


@cache
def _target_of(type_name: str, file: Path) -> Target:
    """Find the plugin of a type: the one whose source the test's file lies in, or else one that is installed."""
    for directory in file.absolute().parents:
        if (directory / PROJECT_FILE).is_file():
            try:
                source = target_at(directory)
            except TargetError:  # a project that is no plugin, such as that of a workspace
                continue
            return replace(_installed_or(source), type_name=type_name)
    return replace(installed_target(type_name), type_name=type_name)


def _installed_or(source: Target) -> Target:
    """Return the plugin as it is installed, so that it is tested as its users get it; or else its source."""
    try:
        distribution(source.distribution)
    except PackageNotFoundError:
        return source
    return replace(installed_target(source.distribution), project=source.project)


for _rule in RULES:
    _test = _test_of(_rule)
    setattr(DataSourceTypeContract, _test.__name__, _test)
