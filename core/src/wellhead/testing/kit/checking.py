"""Checking a plugin against the rules: in processes of their own, so that one that hangs or crashes fails one rule."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from wellhead.plugins.scratch_process import START_SECONDS, ScratchProcess
from wellhead.plugins.trial import Trials
from wellhead.testing.kit.outcomes import Outcome, Report
from wellhead.testing.kit.project import TargetError
from wellhead.testing.kit.rule import Rule
from wellhead.testing.kit.rules import LOADS, RULES, WAIVABLE, WAIVERS
from wellhead.testing.kit.target import Target

_LONGEST = 1 << 20
_TRIAL_SECONDS, _PROBE_SECONDS = 5.0, 10.0
_Answer = Mapping[str, Any]


def check(target: Target, *, before: Mapping[str, Any] | None = None) -> Report:
    """Check a plugin against all rules.

    Args:
        target: The plugin.
        before: The snapshot of its types that they are compared with; the one beside its `pyproject.toml` if left out.

    Raises:
        TargetError: Its `pyproject.toml` cannot be read, it has no type of the name that is asked for, or there is no
            process to check it in.
    """
    project = target.read_project()
    waived = {} if project is None else project.waivers(WAIVABLE)
    outcomes = [_outcome(rule, answer, waived) for rule, answer in _answers(target, before)]
    return Report(target.distribution, target.version, outcomes)


def _outcome(rule: Rule, answer: _Answer, waived: Mapping[str, str]) -> Outcome:
    if (why := answer.get("skipped")) is not None:
        return Outcome(rule.number, rule.name, "skipped", (why,))
    defects = tuple(message for message, is_defect in answer["findings"] if is_defect)
    notes = tuple(message for message, is_defect in answer["findings"] if not is_defect)
    if defects and rule.number in waived:
        return Outcome(rule.number, rule.name, "waived", defects, waived[rule.number])
    if defects:
        return Outcome(rule.number, rule.name, "failed", defects, remedy=rule.remedy)
    return Outcome(rule.number, rule.name, "info" if notes else "passed", notes)


def snapshot(target: Target) -> dict[str, Any]:
    """Describe the fields of a plugin's types, as far as what is stored depends on them.

    Raises:
        TargetError: It does not load.
    """
    if (reason := _why_not_loaded(target)) is not None:
        raise TargetError(f"{target.distribution} {target.version} does not load: {reason}")
    with _started("inside", target) as process, tempfile.TemporaryDirectory() as scratch:
        return _give(process, target, (), {"seen": {}, "scratch": scratch, "before": None})


def _give(process: ScratchProcess, target: Target, rules: Sequence[Rule], more: Mapping[str, Any]) -> dict[str, Any]:
    """Let a process load a plugin, and go on to check rules; return the snapshot of the plugin's types.

    Raises:
        TargetError: It does not load there, though it has before.
    """
    try:
        process.say({"target": target.as_document(), "rules": [rule.number for rule in rules], **more})
        found: dict[str, Any] = process.wait(START_SECONDS)["snapshot"]
    except TimeoutError:
        raise TargetError(f"{target.distribution} loads at one time, and at another time does not end.") from None
    except (OSError, ValueError):
        how = process.how_it_ended()
        raise TargetError(f"{target.distribution} loads at one time, and at another time {how}.") from None
    return found


def _answers(target: Target, before: Mapping[str, Any] | None) -> Iterator[tuple[Rule, _Answer]]:
    """Ask for each rule in turn what was found."""
    with ThreadPoolExecutor(2) as pool:
        trial, observation = pool.submit(_why_not_loaded, target), pool.submit(_observed, target)
    seen = observation.result()
    if reason := trial.result() or seen.get("reason"):
        yield from _unloaded(target, reason)
        return
    if target.type_name not in {None, *seen["types"]}:
        named = ", ".join(seen["types"])
        raise TargetError(f"{target.distribution} provides no type '{target.type_name}'; its types: {named}.")
    with tempfile.TemporaryDirectory(prefix="wellhead-kit-", ignore_cleanup_errors=True) as scratch:
        left = list(RULES)
        while left:
            answers = _ask(target, left, {"seen": seen, "scratch": scratch, "before": before})
            yield from zip(left, answers, strict=False)
            left = left[len(answers) :]


def _unloaded(target: Target, reason: str) -> Iterator[tuple[Rule, _Answer]]:
    """Say of each rule what there is to say of a plugin that does not load."""
    told = {WAIVERS: _of_waivers(target), LOADS: _failed(reason)}
    yield from ((rule, told.get(rule.number, {"skipped": "The plugin does not load."})) for rule in RULES)


def _why_not_loaded(target: Target) -> str | None:
    verdicts = Trials(None, seconds=_TRIAL_SECONDS, path=target.places).verdicts(target.plugins)
    return next((verdict.reason for verdict in verdicts if verdict.state != "ready"), None)


def _of_waivers(target: Target) -> _Answer:
    project = target.read_project()
    found = [] if project is None else project.false_waivers(WAIVABLE)
    return {"findings": [[text, True] for text in found]}


def _observed(target: Target) -> dict[str, Any]:
    """Return what was noted when it was loaded, or the reason why nothing was."""
    with _started("probe", target) as process:
        try:
            process.say(target.as_document())
            return process.wait(_PROBE_SECONDS)
        except TimeoutError:
            return {"reason": "Loading it a second time did not end."}
        except (OSError, ValueError):
            return {"reason": f"Loading it a second time {process.how_it_ended()}."}


def _ask(target: Target, rules: Sequence[Rule], more: Mapping[str, Any]) -> list[_Answer]:
    """Check rules in one process, up to the one that ends it or does not end; of one at least."""
    answers: list[_Answer] = []
    with _started("inside", target) as process:
        _give(process, target, rules, more)
        for rule in rules:
            answer, is_last = _hear(process, rule)
            answers.append(answer)
            if is_last:
                break
    return answers


def _hear(process: ScratchProcess, rule: Rule) -> tuple[_Answer, bool]:
    """Listen until a rule is checked; return what was found, and whether the process is lost."""
    at = ""
    try:
        while "end" not in (message := process.wait(rule.seconds)):
            at = message.get("at", "")
    except TimeoutError:
        return _failed(f"It did not end within {rule.seconds:g} seconds{at and f': {at}'}."), True
    except (OSError, ValueError):
        return _failed(f"It {process.how_it_ended()}{at and f': {at}'}."), True
    return message, False


def _started(module: str, target: Target) -> ScratchProcess:
    try:
        return ScratchProcess(f"wellhead.testing.kit.{module}", path=target.places, longest=_LONGEST)
    except OSError as error:
        raise TargetError(f"No process can be started: {error.strerror}.") from error


def _failed(message: str) -> _Answer:
    return {"findings": [[message, True]]}
