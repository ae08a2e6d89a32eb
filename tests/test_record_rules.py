"""What a type's record says beside its model: texts, codes of its own, and examples."""

from __future__ import annotations

from typing import Any

import pytest

from support.types import make_model
from wellhead import CheckCode, DataSourceType, Secret
from wellhead.codes import CODES
from wellhead.errors import TypeRefusedError
from wellhead.plugins.registry import describe

MODEL = make_model(size=(int, 3), password=(Secret | None, None))
ODD = CheckCode("It is odd.", cause="Somebody added one.", remedy="Add another one.")


def refused(**record: Any) -> TypeRefusedError:
    with pytest.raises(TypeRefusedError) as caught:
        describe(DataSourceType(MODEL, **record))
    return caught.value


def test_a_type_may_have_codes_of_its_own_and_map_errors_to_them() -> None:
    known = describe(DataSourceType(MODEL, codes={"mine_odd": ODD}, errors={"OddError": "mine_odd"}))
    assert known.codes == {"mine_odd": ODD}
    assert known.errors == {"OddError": "mine_odd"}


@pytest.mark.parametrize(
    "codes",
    [
        {"Odd": ODD},
        {"odd-one": ODD},
        {"_odd": ODD},
        {"odd_": ODD},
        {"a_b_c_d_e_f": ODD},
        {"": ODD},
        {5: ODD},
        {"odd": "It is odd."},
        {"odd": ("It is odd.", "cause", "remedy")},
        {"odd": CheckCode("", cause="x", remedy="x")},
        {"odd": CheckCode("x", cause="x\ny", remedy="x")},
        {"odd": CheckCode("x", cause="x", remedy="x" * 401)},
        {"odd": CheckCode("x" * 201, cause="x", remedy="x")},
        {"odd": CheckCode("x\u202ey", cause="x", remedy="x")},
        {"odd": CheckCode("x", cause=None, remedy="x")},  # type: ignore[arg-type]  # what is refused
        [("odd", ODD)],
        None,
    ],
)
def test_a_code_without_a_good_name_or_without_its_texts_is_refused(codes: Any) -> None:
    assert refused(codes=codes).rule == "check-code"


@pytest.mark.parametrize("code", ["auth_failed", "not_found", "plugin_error"])
def test_a_code_of_cores_keeps_its_meaning(code: str) -> None:
    error = refused(codes={code: ODD})
    assert error.rule == "check-code"
    assert f"'{code}'" in error.message


def test_a_code_that_core_has_taken_over_as_it_was_is_not_refused() -> None:
    cores = CODES["auth_failed"]
    same = CheckCode(cores.title, cause=cores.cause, remedy=cores.remedy)
    assert describe(DataSourceType(MODEL, codes={"auth_failed": same})).codes == {"auth_failed": same}


@pytest.mark.parametrize("code", ["nonsense", "not_found", ""])
def test_errors_that_mean_what_nobody_knows_are_refused(code: str) -> None:
    error = refused(errors={"SomeError": code})
    assert error.rule == "error-code"
    assert "'SomeError'" in error.message


@pytest.mark.parametrize("icon", ["🐘", "🗃️", "👩\u200d💻", "DB", "x" * 16])
def test_an_icon_is_an_emoji_or_a_short_text(icon: str) -> None:
    assert describe(DataSourceType(MODEL, icon=icon)).icon == icon


@pytest.mark.parametrize("icon", ["", "  ", "x" * 17, "<svg onload=alert(1)>", "a\nb", "\x1b[31m", "\u202e"])
def test_G_05_an_icon_is_nothing_else(icon: str) -> None:
    assert refused(icon=icon).rule == "record"


def test_examples_are_whole_configurations_that_the_model_takes() -> None:
    known = describe(DataSourceType(MODEL, examples=[{"size": 4}, {"name": "mine", "password": {"ref": "env:P"}}]))
    assert known.examples == (
        {"name": "my-mine", "type": "mine", "size": 4},
        {"name": "mine", "type": "mine", "password": {"ref": "env:P"}},
    )


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        ([{"size": "four"}], "size"),
        ([{"size": 4}, {"wide": 4}], "Example 2 of 'mine' does not fit its model: see wide."),
        ([{"type": "other"}], "another type"),
        (["size"], "no mapping"),
        ([{"size": object()}], "not what the API takes"),
        ("size", "a list of up to"),
        ([{}] * 21, "a list of up to"),
    ],
)
def test_an_example_that_does_not_fit_is_refused_by_its_place_and_field(examples: Any, said: str) -> None:
    error = refused(examples=examples)
    assert error.rule == "example"
    assert said in error.message
    assert "four" not in error.message


def to_next(fields: dict[str, Any]) -> dict[str, Any]:
    return fields


async def to_next_later(fields: dict[str, Any]) -> dict[str, Any]:
    return fields


def test_a_type_has_a_migration_from_each_version_of_its_schema_to_the_next() -> None:
    known = describe(DataSourceType(MODEL, schema_version=3, migrations={2: to_next, 1: to_next}))
    assert (known.schema_version, known.migrations) == (3, {1: to_next, 2: to_next})
    assert describe(DataSourceType(MODEL)).schema_version == 1


@pytest.mark.parametrize("version", [0, -1, 1001, True, "2", 2.0, None])
def test_a_schema_version_is_a_whole_number_from_1(version: Any) -> None:
    assert refused(schema_version=version).rule == "schema-version"


@pytest.mark.parametrize(
    ("version", "migrations", "said"),
    [
        (2, {}, "from schema version 1 to 2 is missing"),
        (4, {1: to_next, 3: to_next}, "from schema version 2 to 3 is missing"),
        (1, {1: to_next}, "has one from schema version 1, but schema_version is 1"),
        (2, {0: to_next, 1: to_next}, "has one from schema version 0"),
        (2, {1: "to_next"}, "from schema version 1 is no plain function"),
        (2, {1: to_next_later}, "from schema version 1 is no plain function"),
        (2, {True: to_next}, "mapping of schema versions"),
        (2, {"1": to_next}, "mapping of schema versions"),
        (2, [to_next], "mapping of schema versions"),
        (1, None, "mapping of schema versions"),
    ],
)
def test_migrations_with_gaps_or_more_than_needed_are_refused(version: int, migrations: Any, said: str) -> None:
    error = refused(schema_version=version, migrations=migrations)
    assert error.rule == "migrations"
    assert said in error.message


class Bare:
    """A type with the four methods, and nothing else that counts."""

    schema_version = 7

    def get_type_name(self) -> str:
        return "mine"

    def get_model_class(self) -> Any:
        return MODEL

    def get_validator_class(self) -> None:
        return None

    def get_connection_parameters(self) -> list[dict[str, Any]]:
        return []


def test_a_type_that_is_no_record_has_schema_version_1() -> None:
    known = describe(Bare())
    assert (known.schema_version, known.migrations) == (1, {})
