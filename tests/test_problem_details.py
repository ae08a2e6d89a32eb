"""The one table from errors to statuses, and the documents that are made from it."""

import inspect
from typing import Any

import pytest

from wellhead import errors
from wellhead.codes import CODES
from wellhead.errors import InputProblem, WellheadError
from wellhead.problem_details import STATUS, problem_document, problem_of

PUBLIC = [getattr(errors, name) for name in errors.__all__ if name != "InputProblem"]
CONTRACT = {400, 401, 403, 404, 409, 412, 413, 415, 421, 422, 428, 429, 500, 503, 507}


def an(kind: type[WellheadError]) -> WellheadError:
    """Make an error of a class, whatever it is made from."""
    made: dict[type[WellheadError], tuple[Any, ...]] = {
        errors.MalformedJSONError: ("malformed_json", "message"),
        errors.ValidationFailedError: ({"errors": []},),
        errors.TypeRefusedError: ("rule", "message"),
    }
    if kind is errors.RevisionMismatchError:
        return errors.RevisionMismatchError(stored=7)
    if issubclass(kind, errors.InputError) and kind not in made:
        return kind([InputProblem("/port", "out_of_range", "message")])
    return kind(*made.get(kind, ("message",)))


def test_every_error_of_the_module_is_public() -> None:
    defined = {item for _, item in inspect.getmembers(errors, inspect.isclass) if issubclass(item, WellheadError)}
    assert defined == set(PUBLIC)


def test_the_table_has_every_public_error_and_nothing_else() -> None:
    assert set(STATUS) == set(PUBLIC)


@pytest.mark.parametrize("kind", PUBLIC)
def test_every_public_error_becomes_a_problem_with_a_documented_code(kind: type[WellheadError]) -> None:
    document = problem_of(an(kind))
    assert document["status"] == STATUS[kind]
    assert document["status"] in CONTRACT
    assert document["code"] in CODES
    assert document["type"] == f"/problems/{document['code']}"
    assert document["title"] == CODES[document["code"]].title
    assert document["detail"]


def test_an_error_that_a_plugin_derives_has_the_status_of_its_parent() -> None:
    class OwnError(errors.NameTakenError):
        pass

    assert problem_of(OwnError("message"))["status"] == 409


@pytest.mark.parametrize(
    ("codes", "code"), [(["required", "required"], "required"), (["required", "immutable"], "invalid")]
)
def test_the_code_is_that_of_the_items_if_they_agree(codes: list[str], code: str) -> None:
    error = errors.InputError([InputProblem(f"/{number}", own, "message") for number, own in enumerate(codes)])
    document = problem_of(error)
    assert document["code"] == code
    assert [item["code"] for item in document["errors"]] == codes


def test_a_problem_of_the_query_names_a_parameter_in_place_of_a_pointer() -> None:
    item = problem_of(errors.InputError([InputProblem("limit", "bad_format", "message", in_query=True)]))["errors"][0]
    assert item == {"parameter": "limit", "code": "bad_format", "message": "message"}


def test_an_item_has_hint_and_allowed_only_where_there_is_something_to_say() -> None:
    whole = InputProblem("/tls_mode", "not_allowed", "message", "hint", ("disable", "require")).as_document()
    assert whole["hint"] == "hint"
    assert whole["allowed"] == ["disable", "require"]
    assert InputProblem("/port", "required", "message").as_document().keys() == {"pointer", "code", "message"}


def test_a_validation_that_failed_is_told_whole() -> None:
    document = problem_of(errors.ValidationFailedError({"status": "failed", "errors": []}))
    assert (document["code"], document["result"]) == ("validation_failed", {"status": "failed", "errors": []})


def test_a_detail_that_is_left_out_is_what_to_do() -> None:
    assert problem_document(404, "not_found")["detail"] == CODES["not_found"].remedy


@pytest.mark.parametrize(
    ("number", "told", "detail"),
    [
        (1, 1, "message"),
        (2, 2, "2 things do not fit; see 'errors'."),
        (5000, 1000, "1000 things or more do not fit; the first are in 'errors'."),
    ],
)
def test_an_answer_says_how_many_things_do_not_fit(number: int, told: int, detail: str) -> None:
    document = problem_of(
        errors.InputError([InputProblem(f"/{each}", "required", "message") for each in range(number)])
    )
    assert (len(document["errors"]), document["detail"]) == (told, detail)
