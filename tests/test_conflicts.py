"""Types that several plugins claim."""

from collections.abc import Callable

import pytest

from support.types import ApiSource, DeepSource
from wellhead.model.extension import DataSourceType
from wellhead.plugins.choice import PluginChoice
from wellhead.plugins.conflicts import Loaded, settle
from wellhead.plugins.registry import describe
from wellhead.plugins.reports import PluginReport

DEEP, WEB = describe(DataSourceType(DeepSource)), describe(DataSourceType(ApiSource))


def plugin(distribution: str, *types: object) -> Loaded:
    described = tuple(types)
    names = tuple(found.name for found in described)  # type: ignore[attr-defined]
    return Loaded(PluginReport(distribution, distribution, "1", types=names), described)  # type: ignore[arg-type]


def states(settled: list[Loaded]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(found.report.distribution, found.report.state, found.report.types) for found in settled]


def test_G_03_of_two_claimants_neither_is_used_and_each_is_told_how_to_settle_it() -> None:
    settled = settle([plugin("one", DEEP), plugin("two", DEEP), plugin("web", WEB)], taken=[], choice=PluginChoice())
    assert states(settled) == [
        ("one", "conflict", ("deep",)),
        ("two", "conflict", ("deep",)),
        ("web", "ready", ("web",)),
    ]
    assert settled[0].report.reason == "Type 'deep' is claimed by one and by two; neither is used."
    assert settled[0].report.remedy == (
        "Name the one to use, WELLHEAD_PLUGINS_PREFER=deep=one, or remove one: pip uninstall two"
    )
    assert settled[0].types == ()


def test_G_03_the_one_that_the_operator_prefers_is_used_and_the_other_keeps_its_other_types() -> None:
    choice = PluginChoice.of((), (), ("deep=Two",))
    settled = settle([plugin("one", DEEP, WEB), plugin("two", DEEP)], taken=[], choice=choice)
    assert states(settled) == [("one", "ready", ("web",)), ("one", "disabled", ("deep",)), ("two", "ready", ("deep",))]
    assert settled[0].types == (WEB,)
    assert settled[1].report.reason == "WELLHEAD_PLUGINS_PREFER gives type 'deep' to two."
    assert not any(found.report.is_bad for found in settled)


def test_G_03_a_preference_for_what_does_not_claim_the_type_settles_nothing_and_says_so() -> None:
    choice = PluginChoice.of((), (), ("deep=three",))
    settled = settle([plugin("one", DEEP), plugin("two", DEEP)], taken=[], choice=choice)
    assert {found.report.state for found in settled} == {"conflict"}
    assert "names three, which does not claim it" in (settled[0].report.reason or "")


@pytest.mark.parametrize("prefer", [(), ("deep=one",)])
def test_G_03_what_this_program_registered_stays_whatever_is_preferred(prefer: tuple[str, ...]) -> None:
    settled = settle([plugin("one", DEEP)], taken=["deep"], choice=PluginChoice.of((), (), prefer))
    assert states(settled) == [("one", "conflict", ("deep",))]
    assert settled[0].report.remedy == "Remove it: pip uninstall one"


@pytest.mark.parametrize("make", [lambda: [plugin("one", DEEP, DEEP)], lambda: [plugin("one", DEEP)] * 2])
def test_G_03_a_distribution_that_claims_a_type_twice_cannot_be_preferred(make: Callable[[], list[Loaded]]) -> None:
    settled = settle(make(), taken=[], choice=PluginChoice.of((), (), ("deep=one",)))
    assert {found.report.state for found in settled} == {"conflict"}
    assert "Report it to the author of one" in (settled[0].report.remedy or "")


def test_a_preference_where_nothing_is_disputed_changes_nothing() -> None:
    settled = settle([plugin("one", DEEP)], taken=[], choice=PluginChoice.of((), (), ("deep=two",)))
    assert states(settled) == [("one", "ready", ("deep",))]
