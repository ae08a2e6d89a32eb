"""The rules for plugins: each is broken by a plugin that breaks no other one, and the good plugin breaks none."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.plugins import GOOD, Plugin, changed, when_loaded, when_validated, with_field, without_validator
from wellhead.testing.kit.checking import check
from wellhead.testing.kit.outcomes import Outcome
from wellhead.testing.kit.rules import LOADS, RULES, WAIVABLE
from wellhead.testing.kit.target import target_at

CHEAP = without_validator()
SLOW_PATTERN = """
    code: str = wellhead.field("x", description="A code of letters.")

    @pydantic.field_validator("code")
    @classmethod
    def _check_code(cls, value):
        import re
        if not re.fullmatch("(a+)+b?", value) and value == "never":
            raise ValueError("no code")
        return value
"""
QUADRATIC = SLOW_PATTERN.replace('re.fullmatch("(a+)+b?", value)', 're.search("a+b", value)')
UNRESOLVED = """
    extra: Annotated[str, pydantic.WithJsonSchema({"$ref": "#/$defs/No"})] = wellhead.field("x", description="More.")
"""
QUOTING = """
    query: str = wellhead.field("x", description="What is asked for.")

    @pydantic.field_validator("query")
    @classmethod
    def _quote(cls, value):
        from urllib.parse import quote
        return quote(value, safe="")
"""
BEFORE = """
    @pydantic.model_validator(mode="before")
    @classmethod
    def _look(cls, document):
        if "host" not in document:
            raise ValueError("Where is it?")
        return document
"""
TELLING = """
    @pydantic.model_validator(mode="after")
    def _compare(self):
        if self.greeting == "x" and self.password.is_clear:
            raise ValueError(f"x is not for {self.password.reveal()}")
        return self
"""
COPYING = """
    address: str | None = wellhead.field(None, description="The whole address of the server.")

    @pydantic.model_validator(mode="after")
    def _write_address(self):
        if self.password.is_clear:
            object.__setattr__(self, "address", f"greet://{self.password.reveal()}@{self.host}")
        return self
"""
HARMLESS = '    colour: str = wellhead.field("red", description="The colour of the text.", harmless=True)'
TITLED = '    ca: str = wellhead.field("x", title="{}", description="Who signs it.")'
WRITING = "import os\nopen('/tmp/wellhead-kit-test', 'w').close()\nos.unlink('/tmp/wellhead-kit-test')"
NEEDS_DRIVER = ("wellhead>=0.1,<0.2", "psutil>=7")
GONE = {"type": "string", "values": None, "required": False, "secret": False, "bound": True}
SNAPSHOT = {"greeter": {"schema_version": 1, "fields": {"realm": GONE}}}
MIGRATING = ", schema_version=2, migrations={1: migrate})"


def migrated_by(body: str) -> Plugin:
    """Return the good plugin in its second version, with a migration of this body."""
    hook = "@wellhead.hookimpl\n"
    plugin = changed(hook, f"def migrate(fields):\n    {body}\n\n\n{hook}", snapshot=SNAPSHOT)
    plugin.source = plugin.source.replace("(GreeterDataSource)]", f"(GreeterDataSource{MIGRATING}]")
    return plugin


BAD: dict[str, tuple[str, Plugin, str]] = {
    "unknown-waiver": ("K00", Plugin(CHEAP, waivers={"K99": "It is old."}), "K99 is no rule"),
    "waiver-of-loading": ("K00", Plugin(CHEAP, waivers={"K01": "It is new."}), "K01 is no rule that can be waived"),
    "waiver-without-reason": ("K00", Plugin(CHEAP, waivers={"K20": " "}), "K20 is waived without a reason"),
    "raises": ("K01", when_loaded("raise RuntimeError"), "RuntimeError"),
    "hangs": ("K01", when_loaded("while True: pass"), "longer than 5 seconds"),
    "ends": ("K01", when_loaded("import os\nos._exit(3)"), "exit code 3"),
    "bad-default": ("K01", changed("field(7000,", "field(70000,"), "default of GreeterDataSource.port"),
    "bad-reference": ("K01", with_field(UNRESOLVED), "a $ref that leads nowhere"),
    "slow": ("K02", when_loaded("import time\ntime.sleep(3.5)"), "ms would do"),
    "thread": (
        "K03",
        when_loaded("import threading\nthreading.Thread(target=threading.Event().wait, name='t', daemon=True).start()"),
        "the thread 't'",
    ),
    "process": ("K03", when_loaded("import subprocess\nsubprocess.run(['true'], check=True)"), "a process"),
    "prints": ("K04", when_loaded("print('Hello from the plugin')"), "'Hello from the plugin'"),
    "warns": ("K04", when_loaded("import os\nos.write(2, b'careful')"), "'careful'"),
    "environment": ("K05", when_loaded("import os\nos.environ['TZ'] = 'UTC'"), "the environment"),
    "directory": ("K05", when_loaded("import os\nos.chdir('/tmp')"), "the current directory"),
    "signals": ("K05", when_loaded("import signal\nsignal.signal(15, print)"), "signal handlers"),
    "logging": ("K05", when_loaded("import logging\nlogging.basicConfig(level=10)"), "the root logger"),
    "writes": ("K05", when_loaded(WRITING), "/tmp/wellhead-kit-test"),
    "socket": ("K06", when_loaded("import socket\nsocket.socket().close()"), "socket.__new__"),
    "driver": ("K07", when_loaded("import psutil", requires=NEEDS_DRIVER), "psutil"),
    "distribution": ("K10", Plugin(CHEAP, name="greeter-plugin"), "'wellhead-greeter-plugin'"),
    "spelling": ("K10", Plugin(CHEAP, name="wellhead_greeter"), "'wellhead-greeter'"),
    "module": ("K11", Plugin(CHEAP, module="greeter"), "'wellhead_greeter'"),
    "entry-point": ("K12", Plugin(CHEAP, entry_point="main"), "'greeter'"),
    "type": ("K13", changed('["greeter"] = "greeter"', '["greeter-source"] = "greeter-source"'), "'source'"),
    "independent": ("K14", Plugin(CHEAP, requires=()), "wellhead>=0.1,<0.2"),
    "title": ("K20", with_field(TITLED.format("Ca name")), "CA"),
    "no-title": ("K20", with_field(TITLED.format("ca_name")), "ca_name"),
    "undescribed": ("K21", with_field('    colour: str = "red"'), "greeter.colour"),
    "described-by-name": (
        "K21",
        with_field('    colour: str = wellhead.field("x", description="Colour.")'),
        "greeter.colour has no description",
    ),
    "no-example": ("K22", changed(', examples=["greeter.example.com"]', ""), "host"),
    "plain-password": (
        "K23",
        with_field('    admin_token: str | None = wellhead.field(None, description="Token of the administrator.")'),
        "greeter.admin_token",
    ),
    "quotes-twice": ("K30", with_field(QUOTING), "query is another one when it is read"),
    "refuses-whole": ("K31", with_field(BEFORE), "without host"),
    "quadratic": ("K32", with_field(QUADRATIC), "greeter.code"),
    "tells": ("K33", with_field(TELLING), "the text of a validation error"),
    "copies": ("K33", with_field(COPYING), "repr() of the model"),
    "passes-always": (
        "K40",
        changed("stream = await context.connect(config.host, config.port)", "return", validates=True),
        "it ended as 'passed'",
    ),
    "slips": ("K40", when_validated("config.pasword"), "pasword"),
    "retries": (
        "K40",
        when_validated("import asyncio\n            await asyncio.sleep(3600)"),
        "closes connections: it ended as 'timeout'",
    ),
    "unknown-code": ("K41", when_validated('raise wellhead.CheckFailedError("greeter_sad")'), "'greeter_sad'"),
    "unknown-step": ("K42", changed(', "authenticate")', ', "greet")', validates=True), "'authenticate'"),
    "says": ("K43", when_validated('context.detail("login", config.password.reveal())'), "the details"),
    "logs": ("K43", when_validated("import logging; logging.debug(config.password.reveal())"), "logs"),
    "structlogs": (
        "K43",
        when_validated("import structlog; structlog.get_logger().debug(config.password.reveal())"),
        "prints",
    ),
    "prints-it": ("K43", when_validated("print(config.password.reveal())"), "prints"),
    "in-a-message": (
        "K43",
        when_validated('raise wellhead.CheckFailedError("auth_failed", config.password.reveal())'),
        "a check of the result",
    ),
    "migration-raises": ("K50", migrated_by("del fields['relm']\n    return fields"), "raised KeyError"),
    "migration-in-vain": ("K50", migrated_by("return fields"), "They are: host, password, realm."),
    "migration-hangs": ("K50", migrated_by("while True: pass"), "the migrations of type 'greeter'"),
    "field-gone": ("K50", Plugin(CHEAP, snapshot=SNAPSHOT), "greeter.realm is gone"),
}  # fmt: skip
QUICKLY = {
    "unknown-waiver",
    "entry-point",
    "plain-password",
    "refuses-whole",
    "says",
    "field-gone",
}
"""Those that are checked each time, and not only among the slow tests: each has three processes of its own."""


def outcomes(plugin: Plugin, directory: Path) -> dict[str, Outcome]:
    return {found.number: found for found in check(target_at(plugin.write(directory / "plugin"))).outcomes}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICKLY else pytest.mark.slow) for name in BAD]
)
def test_a_bad_plugin_breaks_its_rule_and_no_other(name: str, tmp_path: Path) -> None:
    number, plugin, message = BAD[name]
    found = outcomes(plugin, tmp_path)
    broken = {key: outcome.messages for key, outcome in found.items() if outcome.status == "failed"}
    assert list(broken) == [number], broken
    assert message in "\n".join(broken[number])
    if number == LOADS:
        assert {outcome.status for key, outcome in found.items() if key not in {"K00", LOADS}} == {"skipped"}


@pytest.mark.slow
def test_G_15_a_model_that_takes_for_ever_over_a_text_is_found_and_all_other_rules_are_checked(tmp_path: Path) -> None:
    found = outcomes(with_field(SLOW_PATTERN), tmp_path)
    assert [number for number, outcome in found.items() if outcome.status == "failed"] == ["K32"]
    message = "It did not end within 4 seconds: greeter.code, with a text of 100,000 characters."
    assert found["K32"].messages == (message,)
    assert found["K33"].status == "passed"


def test_each_rule_but_that_for_harmless_fields_has_a_bad_plugin() -> None:
    assert {number for number, _, _ in BAD.values()} == {rule.number for rule in RULES} - {"K24"}


def test_the_good_plugin_breaks_none_and_all_are_checked(tmp_path: Path) -> None:
    fields = {
        "host": {"type": "string", "values": None, "required": True, "secret": False, "bound": True},
        "password": {"type": "string", "values": None, "required": True, "secret": True, "bound": False},
    }
    found = outcomes(Plugin(GOOD, snapshot={"greeter": {"schema_version": 1, "fields": fields}}), tmp_path)
    assert {outcome.status for number, outcome in found.items() if number != "K02"} == {"passed"}, found
    assert found["K02"].status == "info"
    assert "ms" in found["K02"].messages[0]


def test_harmless_fields_are_listed_and_break_no_rule(tmp_path: Path) -> None:
    found = outcomes(with_field(HARMLESS), tmp_path)
    assert not [outcome for outcome in found.values() if outcome.status == "failed"]
    assert found["K24"].status == "info"
    assert "colour" in found["K24"].messages[0]


def test_a_waived_rule_is_shown_with_its_reason(tmp_path: Path) -> None:
    found = outcomes(Plugin(CHEAP, name="greeter-plugin", waivers={"K10": "It had its name before."}), tmp_path)
    assert not [outcome for outcome in found.values() if outcome.status == "failed"]
    assert (found["K10"].status, found["K10"].reason) == ("waived", "It had its name before.")
    assert "greeter-plugin" in found["K10"].messages[0]


def test_rules_are_numbered_once_in_order_and_all_but_two_can_be_waived() -> None:
    numbers = [rule.number for rule in RULES]
    assert numbers == sorted(set(numbers))
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert set(numbers) - WAIVABLE == {"K00", LOADS}
