"""The fields of a data source as they are shown."""

from typing import Any

from wellhead.ui.shown_fields import fields_of, rows_of

FACTS = {"is_set": True, "set_at": "2026-11-26T17:43:31.000Z", "set_in_revision": 2}


def parameter(name: str, group: str | None = None, **more: Any) -> dict[str, Any]:
    title = name.capitalize()
    return {"name": name, "title": title, "group": group, "default": None, "visible_when": None, **more}


def test_fields_come_by_group_in_the_order_of_the_type_with_its_titles() -> None:
    source = {"name": "x", "labels": {}, "state": "ok", "port": 5, "password": FACTS, "host": "db"}
    shown = fields_of(source, [parameter("host"), parameter("password", "Login"), parameter("port", default=5)])
    rows = {
        group: [(row.title, row.kind, row.value, row.is_default) for row in rows]
        for group, rows in shown.groups.items()
    }
    assert rows == {
        "": [("Host", "text", "db", False), ("Port", "text", "5", True)],
        "Login": [("Password", "secret", FACTS, False)],
    }


def test_what_is_not_set_is_only_named_and_what_does_not_apply_is_not() -> None:
    basic = {"auth": ["basic"]}
    parameters = [
        parameter("auth"),
        parameter("scope"),
        parameter("user", visible_when=basic),
        parameter("header", visible_when=basic, default="X-Key"),
        parameter("left", visible_when=basic),
    ]
    source = {"auth": "none", "scope": None, "user": None, "header": "X-Key", "left": "over"}
    shown = fields_of(source, parameters)
    assert [row.title for row in shown.groups[""]] == ["Auth", "Left"]
    assert shown.unset == ["Scope"]


def test_without_its_type_all_that_is_stored_is_shown_secrets_as_facts() -> None:
    shown = fields_of({"id": "1", "name": "x", "state": "type_unavailable", "ca_file": "a", "key": FACTS}, [])
    assert [(row.title, row.kind) for row in shown.groups[""]] == [("CA file", "text"), ("Key", "secret")]


def test_maps_have_a_row_for_each_entry_and_truth_is_a_word() -> None:
    rows = list(rows_of("Headers", {"X-Team": "sales", "X-Key": FACTS, "X-On": True}))
    assert [(row.title, row.kind) for row in rows] == [
        ("Headers: X-Team", "text"), ("Headers: X-Key", "secret"), ("Headers: X-On", "text")
    ]  # fmt: skip
    assert rows[2].value == "Yes"


def test_what_is_long_is_shown_when_asked_for_and_says_what_it_is() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----"
    for value, summary in (
        (pem, "PEM, 3 lines"),
        ('{"a":\n1}', "JSON, 2 lines"),
        ("a" * 200, "Text, 200 characters"),
        ([f"table_{number}" for number in range(40)], "40 items"),
        ([{"a": 1}], "1 items"),
    ):
        (row,) = rows_of("It", value)
        assert (row.kind, row.summary) == ("long", summary)
