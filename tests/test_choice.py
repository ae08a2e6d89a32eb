"""What the operator chose of the plugins."""

import pytest

from wellhead.plugins.choice import PluginChoice, normalized
from wellhead.plugins.reports import PluginRefusedError


@pytest.mark.parametrize("name", ["wellhead-postgres", "Wellhead_Postgres", "wellhead.postgres", "WELLHEAD--_postgres"])
def test_names_of_distributions_are_compared_by_pep_503(name: str) -> None:
    assert normalized(name) == "wellhead-postgres"
    choice = PluginChoice.of((), (name,), (f"postgres={name}",))
    with pytest.raises(PluginRefusedError):
        choice.check("Wellhead.Postgres")
    assert choice.prefers("postgres", "wellhead_postgres")


def test_without_a_list_every_distribution_may_be_used() -> None:
    PluginChoice().check("anything")


def test_of_an_allow_list_only_what_it_names_is_used_and_the_remedy_says_how_to_add_more() -> None:
    choice = PluginChoice.of(("wellhead-files",), (), ())
    choice.check("wellhead_files")
    with pytest.raises(PluginRefusedError) as refused:
        choice.check("Other_Plugin")
    assert (refused.value.state, refused.value.reason, refused.value.remedy) == (
        "disabled",
        "WELLHEAD_PLUGINS_ALLOW does not name it.",
        "To use it, add other-plugin to WELLHEAD_PLUGINS_ALLOW.",
    )


def test_what_is_denied_is_not_used_whatever_allows_it() -> None:
    with pytest.raises(PluginRefusedError) as refused:
        PluginChoice.of(("one",), ("ONE",), ()).check("one")
    assert refused.value.reason == "WELLHEAD_PLUGINS_DENY names it."
