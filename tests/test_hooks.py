"""What is said of a hook that is not as it must be."""

from types import SimpleNamespace
from typing import Any

import pytest

import wellhead
from wellhead.plugins.hooks import call_hook
from wellhead.plugins.reports import PluginRefusedError

PROLOGUE = "import wellhead\n"


def plugin(source: str) -> Any:
    names: dict[str, Any] = {}
    exec(PROLOGUE + source, names)  # the code of a plugin, as its author wrote it
    return SimpleNamespace(**names)


REASONS = {
    "@wellhead.hookimpl\ndef wellhead_data_source_type(): pass": (
        "It has an unknown hook, wellhead_data_source_type. Did you mean wellhead_data_source_types?"
    ),
    "@wellhead.hookimpl\ndef wellhead_datasource_types(): pass": (
        "It has an unknown hook, wellhead_datasource_types. Did you mean wellhead_data_source_types?"
    ),
    "@wellhead.hookimpl\ndef something_else(): pass": "It has an unknown hook, something_else.",
    "@wellhead.hookimpl\ndef wellhead_data_source_types(registry, app): pass": (
        "wellhead_data_source_types(registry, app) takes registry, app; it must take no arguments."
    ),
    "def wellhead_data_source_types(): pass": (
        "wellhead_data_source_types in 'mine' is not marked as a hook: write @wellhead.hookimpl above it."
    ),
    "def wellhead_data_source_type(): pass": (
        "'mine' has no hook. A function wellhead_data_source_types with @wellhead.hookimpl is needed. "
        "Did you mean wellhead_data_source_types by wellhead_data_source_type?"
    ),
    "def unrelated(): pass": (
        "'mine' has no hook. A function wellhead_data_source_types with @wellhead.hookimpl is needed."
    ),
    "@wellhead.hookimpl\ndef wellhead_data_source_types(): return {}": (
        "wellhead_data_source_types() returned no list of types."
    ),
}


@pytest.mark.parametrize("source", REASONS)
def test_G_05_the_reason_names_the_hook_and_what_it_must_be(source: str) -> None:
    with pytest.raises(PluginRefusedError) as refused:
        call_hook(plugin(source), "mine")
    assert (refused.value.state, refused.value.reason) == ("broken", REASONS[source])


def test_a_hook_that_is_as_it_must_be_gives_its_types() -> None:
    assert wellhead.hookimpl
    found = plugin("@wellhead.hookimpl\ndef wellhead_data_source_types(): return ['types']")
    assert call_hook(found, "mine") == ["types"]


def test_an_argument_with_a_default_is_let_be() -> None:
    assert call_hook(plugin("@wellhead.hookimpl\ndef wellhead_data_source_types(more=1): return [more]"), "mine") == [1]
