"""What the API says is wrong, at the fields that it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wellhead.ui.asking import Answer
from wellhead.ui.fields import Field, walk

Problem = Mapping[str, Any]
"""One of the `errors` of a problem document: `pointer`, `code`, `message`, `hint`, `allowed`."""

_FAILED = frozenset(("failed", "timeout"))
_AT_NAME = "name_taken"


@dataclass(frozen=True, slots=True)
class Mistakes:
    """What is wrong with a form.

    Attributes:
        at: The problems of each field, by the field's name.
        fields: The fields that have some, in the form's order.
        elsewhere: Problems of what the form has no field for.
        detail: What is wrong with it all; None if the problems say it.
        result: The result of a validation that did not succeed; None if there was none.
    """

    at: Mapping[str, Sequence[Problem]] = field(default_factory=dict)
    fields: Sequence[Field] = ()
    elsewhere: Sequence[Problem] = ()
    detail: str | None = None
    result: Mapping[str, Any] | None = None

    @property
    def count(self) -> int:
        """How many things are wrong."""
        return sum(map(len, self.at.values())) + len(self.elsewhere)

    @property
    def asks_for_secrets(self) -> bool:
        """Whether secrets have to be sent anew, as where they go has changed."""
        return any(problem["code"] == "secret_required" for found in self.at.values() for problem in found)

    def needs_secret(self, found: Field) -> bool:
        """Tell whether the secret of a field, or one in it, has to be sent anew."""
        return any(problem["code"] == "secret_required" for problem in self.at.get(found.name, ()))


NONE = Mistakes()


def mistakes_in(fields: Iterable[Field], values: Mapping[str, Any], answer: Answer) -> Mistakes:
    """Read what is wrong from an answer of the API.

    Args:
        fields: The fields of the form.
        values: What was typed in them.
        answer: The answer, which is a problem document.
    """
    document = answer.document
    problems = list(document.get("errors", ()))
    result = document.get("result")
    if document["code"] == _AT_NAME:
        problems = [{"pointer": "/name", "code": _AT_NAME, "message": document["detail"]}]
    if result is not None:
        problems += _of_checks(result)
    detail = None if problems and result is None else document["detail"]
    return placed(fields, values, problems, detail=detail, result=result)


def placed(
    fields: Iterable[Field],
    values: Mapping[str, Any],
    problems: Iterable[Problem],
    *,
    detail: str | None = None,
    result: Mapping[str, Any] | None = None,
) -> Mistakes:
    """Put problems at the fields that they are about: the one whose pointer fits best."""
    known = list(walk(fields, values))
    at: dict[str, list[Problem]] = {}
    elsewhere = []
    for problem in problems:
        fitting = [found for found in known if _is_in(problem["pointer"], found.pointer)]
        if fitting:
            at.setdefault(max(fitting, key=lambda found: len(found.pointer)).name, []).append(problem)
        else:
            elsewhere.append(problem)
    return Mistakes(at, [found for found in known if found.name in at], elsewhere, detail, result)


def _is_in(pointer: str, outer: str) -> bool:
    return pointer == outer or pointer.startswith(outer + "/")


def _of_checks(result: Mapping[str, Any]) -> list[Problem]:
    """Return what the failed checks of a validation say about fields."""
    return [
        {"pointer": pointer, "code": check["code"], "message": check["message"]}
        for check in result["checks"]
        if check["status"] in _FAILED
        for pointer in check["fields"]
    ]
