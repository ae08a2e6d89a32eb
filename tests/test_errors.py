"""The errors: one tree, drawn on top, with codes that are documented."""

import inspect
import re

import pytest

from wellhead import errors
from wellhead.codes import CODES
from wellhead.errors import InputError, InputProblem, WellheadError

CLASSES = [item for _, item in inspect.getmembers(errors, inspect.isclass) if issubclass(item, WellheadError)]


def drawn() -> dict[str, str]:
    """Read the tree in the docstring: each class with its parent."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.search(r"[A-Z][A-Za-z]+Error", line)
        if match and not re.match(r"\S", line):
            above = [item for item in above if item[0] < match.start()]
            parents[match[0]] = above[-1][1] if above else "Exception"
            above.append((match.start(), match[0]))
    return parents


def test_the_tree_in_the_docstring_is_the_real_one() -> None:
    assert drawn() == {item.__name__: item.__base__.__name__ for item in CLASSES if item.__base__}


def test_all_public_names_are_listed() -> None:
    assert set(errors.__all__) == {item.__name__ for item in CLASSES} | {"InputProblem"}
    assert errors.__all__ == sorted(errors.__all__)


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_has_a_documented_code_and_a_name_that_says_so(error: type[WellheadError]) -> None:
    internal = {"invalid", "type_refused"}
    assert error.code in CODES.keys() | internal
    assert error.__name__.endswith("Error")


def test_problems_that_agree_give_the_error_their_code() -> None:
    same = [InputProblem("/a", "required", "m"), InputProblem("/b", "required", "m")]
    assert InputError(same).common_code == "required"
    assert InputError([*same, InputProblem("/c", "too_long", "m")]).common_code == "invalid"


def test_a_problem_is_shown_with_what_it_has() -> None:
    assert InputProblem("/a", "c", "m").as_document() == {"pointer": "/a", "code": "c", "message": "m"}
    assert InputProblem("limit", "c", "m", "h", (1, 2), in_query=True).as_document() == {
        "parameter": "limit",
        "code": "c",
        "message": "m",
        "hint": "h",
        "allowed": [1, 2],
    }


def test_the_message_of_an_input_error_tells_all_problems() -> None:
    error = InputError([InputProblem("", "c", "One."), InputProblem("/b", "c", "Two.")])
    assert str(error) == error.message == "/: One.; /b: Two."
