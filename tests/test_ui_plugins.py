"""The page of plugins: what mends one can be copied, and the worst comes first."""

from typing import Any

import pytest

from wellhead.ui.plugins import Plugins, Remedy


@pytest.mark.parametrize(
    ("text", "words", "command"),
    [
        ("pip install --force-reinstall acme", "", "pip install --force-reinstall acme"),
        ("Remove it: pip uninstall acme", "Remove it:", "pip uninstall acme"),
        (
            "Name the one to use, WELLHEAD_PLUGINS_PREFER=x=acme, or remove one: pip uninstall other",
            "Name the one to use, `WELLHEAD_PLUGINS_PREFER=x=acme`, or remove one:",
            "pip uninstall other",
        ),
        (
            "To use this one, write x=acme in WELLHEAD_PLUGINS_PREFER.",
            "To use this one, write x=acme in `WELLHEAD_PLUGINS_PREFER`.",
            None,
        ),
        (
            "Restart the service, so that it uses what is installed now.",
            "Restart the service, so that it uses what is installed now.",
            None,
        ),
    ],
)
def test_the_command_of_a_remedy_is_told_from_its_words(text: str, words: str, command: str | None) -> None:
    assert Remedy.of(text) == Remedy(words, command)


def item(name: str, state: str, reason: str | None = None) -> dict[str, Any]:
    return {"name": name, "title": name.title(), "state": state, "reason": reason, "distribution": f"d-{name}"}


def test_what_is_not_in_use_is_sorted_by_how_bad_it_is() -> None:
    states = ("disabled", "ready", "incompatible", "conflict", "broken")
    found = Plugins.of([item(name, state) for name, state in zip("abcde", states, strict=True)])
    assert [bad["name"] for bad in found.bad] == ["e", "d", "c", "a"]
    assert [ready["name"] for ready in found.ready] == ["b"]


def test_what_is_used_as_it_was_waits_for_a_restart_once_for_each_distribution() -> None:
    items = [
        item("a", "ready", "changed") | {"distribution": "both"},
        item("b", "ready", "changed") | {"distribution": "both"},
    ]
    assert [of["distribution"] for of in Plugins.of([*items, item("c", "ready")]).restarts] == ["both"]
    assert Plugins.of(items, []).restarts == []
