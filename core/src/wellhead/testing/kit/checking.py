"""Checking a plugin against the rules: in processes of their own, so that one that hangs or crashes fails one rule."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wellhead.plugins.scratch_process import START_SECONDS, ScratchProcess
from wellhead.plugins.trial import Trials
from wellhead.testing.kit.outcomes import Outcome, Report
from wellhead.testing.kit.project import TargetError
from wellhead.testing.kit.rules import LOADS, RULES, WAIVABLE, WAIVERS, Rule
from wellhead.testing.kit.target import Target

_LONGEST = 1 << 20
_TRIAL_SECONDS = 5.0
_Answer = Mapping[str, Any]


def check(target: Target) -> Report:
    """Check a plugin against all rules.

    Args:
        target: The plugin.

    Raises:
        TargetError: Its `pyproject.toml` cannot be read, or it has no type of the name that is asked for.
    """
    project = target.read_project()
    waived = {} if project is None else project.waivers(WAIVABLE)
    outcomes = [_outcome(rule, answer, waived) for rule, answer in _answers(target)]
    return Report(target.distribution, target.version, outcomes)


def _outcome(rule: Rule, answer: _Answer, waived: Mapping[str, str]) -> Outcome:
    if (why := answer.get("skipped")) is not None:
        return Outcome(rule.number, rule.name, "skipped", (why,))
    defects = tuple(message for message, is_defect in answer["findings"] if is_defect)
    notes = tuple(message for message, is_defect in answer["findings"] if not is_defect)
    if defects and rule.number in waived:
        return Outcome(rule.number, rule.name, "waived", defects, waived[rule.number])
    if defects:
        return Outcome(rule.number, rule.name, "failed", defects)
    return Outcome(rule.number, rule.name, "info" if notes else "passed", notes)


def _answers(target: Target) -> Iterator[tuple[Rule, _Answer]]:
    """Ask for each rule in turn what was found."""
    if (reason := _why_not_loaded(target)) is not None:
        for rule in RULES:
            told = {"skipped": "The plugin does not load."} if rule.number != LOADS else _failed(reason)
            yield rule, told if rule.number != WAIVERS else _of_waivers(target)
        return
    seen = _observed(target)
    if isinstance(seen, str):
        yield from ((rule, _failed(seen) if rule.number == LOADS else {"skipped": seen}) for rule in RULES)
        return
    with tempfile.TemporaryDirectory(prefix="wellhead-kit-", ignore_cleanup_errors=True) as scratch:
        left = list(RULES)
        while left:
            answers = _ask(target, left, {"seen": seen, "scratch": scratch})
            yield from zip(left, answers, strict=False)
            left = left[len(answers) :]


def _why_not_loaded(target: Target) -> str | None:
    verdicts = Trials(None, seconds=_TRIAL_SECONDS, path=target.places).verdicts(target.plugins)
    return next((verdict.reason for verdict in verdicts if verdict.state != "ready"), None)


def _of_waivers(target: Target) -> _Answer:
    project = target.read_project()
    found = [] if project is None else project.false_waivers(WAIVABLE)
    return {"findings": [[text, True] for text in found]}


def _observed(target: Target) -> dict[str, Any] | str:
    """Return what was noted when it was loaded; or what is wrong, in one sentence."""
    try:
        with ScratchProcess("wellhead.testing.kit.probe", path=target.places, longest=_LONGEST) as process:
            process.say(target.as_document())
            try:
                return process.wait(START_SECONDS)
            except TimeoutError:
                return "Loading it did not end."
            except (OSError, ValueError):
                return f"Loading it a second time {process.how_it_ended()}."
    except OSError as error:
        raise TargetError(f"No process can be started: {error.strerror}.") from error


def _ask(target: Target, rules: Sequence[Rule], more: Mapping[str, Any]) -> list[_Answer]:
    """Check rules in one process, up to the one that ends it or does not end; of one at least."""
    answers: list[_Answer] = []
    with ScratchProcess("wellhead.testing.kit.inside", path=target.places, longest=_LONGEST) as process:
        process.say({"target": target.as_document(), "rules": [rule.number for rule in rules], **more})
        at, seconds = "loading it", START_SECONDS
        for rule in rules:
            try:
                while True:
                    message = process.wait(seconds)
                    if "end" in message:
                        break
                    at, seconds = message.get("at", ""), rule.seconds
                answers.append(message)
            except TimeoutError:
                return [*answers, _failed(f"It did not end within {seconds:g} seconds{_place(at)}.")]
            except (OSError, ValueError):
                return [*answers, _failed(f"It {process.how_it_ended()}{_place(at)}.")]
            seconds = START_SECONDS
    return answers


def _place(at: str) -> str:
    return f": {at}" if at else ""


def _failed(message: str) -> _Answer:
    return {"findings": [[message, True]]}
