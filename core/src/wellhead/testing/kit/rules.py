"""The one table of rules for plugins."""

from __future__ import annotations

from collections.abc import Iterator

from wellhead.testing.kit import (
    canaries,
    fields,
    loading,
    naming,
    overheard,
    refusals,
    round_trips,
    schema_changes,
    speed,
    validations,
)
from wellhead.testing.kit.outcomes import Finding
from wellhead.testing.kit.rule import Rule
from wellhead.testing.kit.subject import Subject

WAIVERS, LOADS = "K00", "K01"
"""The rules that stand before all others, and cannot be waived."""


def _loaded(_: Subject) -> Iterator[Finding]:
    """Find nothing: whoever is asked has loaded it."""
    return iter(())


RULES: tuple[Rule, ...] = (
    Rule(
        WAIVERS,
        "waivers",
        "Each waiver names a rule that can be waived, and says why it does not fit this plugin.",
        'In `pyproject.toml`: `[tool.wellhead.waivers]` with lines as `K07 = "The driver has no import cost."`.',
        loading.check_waivers,
    ),
    Rule(
        LOADS,
        "loads-alone",
        "The plugin loads by itself in a clean process, changes no function that is not its own, and each of its types "
        "keeps the rules of the registry: for names, secrets, defaults that validate, and the schema.",
        "The message says which rule is broken, and where.",
        _loaded,
    ),
    Rule(
        "K02",
        "import-cost",
        "Loading the plugin costs no more than importing pydantic a few times over.",
        "Import drivers and whatever else is large inside the validator. `python -X importtime -c 'import wellhead_x'` "
        "lists what takes long.",
        loading.check_cost,
    ),
    Rule(
        "K03",
        "no-threads",
        "Loading the plugin starts no thread and no process.",
        "Start them inside the validator, which has a process of its own that ends with it.",
        loading.check_threads,
    ),
    Rule(
        "K04",
        "no-output",
        "Loading the plugin prints nothing.",
        "Take out what prints. A command such as `wellhead list --json` is read by programs.",
        loading.check_output,
    ),
    Rule(
        "K05",
        "no-effects",
        "Loading the plugin changes nothing of the process, such as its environment, and writes no file.",
        "The process belongs to the service and to every other plugin. Do it inside the validator.",
        loading.check_effects,
    ),
    Rule(
        "K06",
        "no-network",
        "Loading the plugin makes no socket, and looks up no name.",
        "Reach out inside the validator only, with `context.connect`.",
        loading.check_network,
    ),
    Rule(
        "K07",
        "late-driver",
        "Loading the plugin imports no driver: none of the distributions that it depends on, but what core has anyway.",
        "Import the driver inside the validator, and name it in `DataSourceType(preload=…)`.",
        loading.check_drivers,
    ),
    Rule(
        "K10",
        "distribution-name",
        "The distribution is named `wellhead-…`, in lower case and with hyphens.",
        "Change `name` in `pyproject.toml`.",
        naming.check_distribution,
    ),
    Rule(
        "K11",
        "module-name",
        "The module is named as the distribution, with underscores.",
        "Name the module `wellhead_x` in a distribution `wellhead-x`: nobody else's is called so.",
        naming.check_modules,
    ),
    Rule(
        "K12",
        "entry-point-name",
        "The entry point is named as a type, or as the distribution without `wellhead-`.",
        "It is what is shown of a plugin that does not load.",
        naming.check_entry_points,
    ),
    Rule(
        "K13",
        "type-name",
        "The name of a type has no word in it that every type's could have, such as `source`.",
        "Name the type as its product or its format is named: `postgres`.",
        naming.check_types,
    ),
    Rule(
        "K14",
        "depends-on-wellhead",
        "The distribution depends on `wellhead`.",
        "Add `wellhead>=0.1,<0.2` to `dependencies`, so that it is never installed beside a core that it does not fit.",
        naming.check_dependency,
    ),
    Rule(
        "K20",
        "titles",
        "Each field has a title for people: a few words, with abbreviations in capitals.",
        "A title that is left out is made of the field's name. One that is written has its abbreviations in capitals.",
        fields.check_titles,
    ),
    Rule(
        "K21",
        "descriptions",
        "Each type and each field, nested ones too, has a description.",
        "Write `wellhead.field(description=…)`, and a docstring for the model.",
        fields.check_descriptions,
    ),
    Rule(
        "K22",
        "examples",
        "Each type has an example that the API takes, once secrets are put in.",
        "Give `examples` to the required fields, or whole ones to `DataSourceType(examples=…)`.",
        fields.check_examples,
    ),
    Rule(
        "K23",
        "secrets-are-secret",
        "A field that is named like a password, a token, a key, a passphrase or a credential is a `wellhead.Secret`.",
        "Make it one. If it is none, name it so that nobody takes it for one: `public_key`, `key_id`.",
        fields.check_secret_names,
    ),
    Rule(
        "K24",
        "harmless-fields",
        "Each field that is marked as harmless has no say in where secrets go. This rule only lists them.",
        "Read the list as somebody who wants to have the password sent to themselves.",
        fields.list_harmless,
    ),
    Rule(
        "K30",
        "round-trips",
        "What is saved comes back from create, read and resolve as it was: quotes, emoji, right-to-left texts, `%`, "
        "`:`, `@`, backslashes, line breaks where they are allowed, and long texts, in each field that takes them.",
        "A rule of the model that changes a value must leave it alone the second time: it runs whenever it is read.",
        round_trips.check_round_trips,
    ),
    Rule(
        "K31",
        "refusals",
        "An unknown field, a required one that is missing, and a value of another type are refused, at that field.",
        'Rules in `mode="before"` must take any document; `ValueError` belongs into a `field_validator` of its field.',
        refusals.check_refusals,
    ),
    Rule(
        "K32",
        "fast-models",
        "The model judges texts of 100,000 characters in less than a second each: the service waits for it.",
        "Set `max_length`, and take repetitions inside repetitions out of regular expressions.",
        speed.check_speed,
        seconds=4.0,
    ),
    Rule(
        "K33",
        "models-keep-secrets",
        "A secret is in nothing that the model shows of itself, and in no error that it raises.",
        "Do not copy a secret into another field, and do not put one into the text of an exception.",
        canaries.check_model,
    ),
    Rule(
        "K40",
        "validators-end",
        "A validation ends by its deadline, and does not pass, against a server that says nothing, one that closes "
        "connections, and one that talks without end; it ends with a file that is missing, empty, huge or random.",
        "Read with a limit (`read_line`, `read_until`), try a connection once, and give exceptions of the driver a "
        "code in `DataSourceType(errors=…)`.",
        validations.check_ends,
        seconds=30.0,
    ),
    Rule(
        "K41",
        "validators-codes",
        "Each code that a check ends with is one of the catalogue, or has a meaning in the type's `codes`.",
        'Use a code of the catalogue, or add yours: `codes={"my_code": wellhead.CheckCode(…)}`.',
        validations.check_codes,
        seconds=30.0,
    ),
    Rule(
        "K42",
        "validators-steps",
        "Each check that runs is among the validator's `steps`.",
        "Add it to `steps`, in its place: what was not reached is told as skipped by that.",
        validations.check_steps,
        seconds=30.0,
    ),
    Rule(
        "K43",
        "validators-keep-secrets",
        "A secret is in nothing that a validator says: checks with their messages, details, output and logs.",
        "Pass on codes and parsed facts only, and no text of a driver or of a server: it may repeat what it was sent.",
        overheard.check_validators,
        seconds=20.0,
    ),
    Rule(
        "K50",
        "schema-changes",
        "No change of a model breaks what is stored: since the snapshot, no field is gone, newly required, of another "
        "type, no longer secret or newly so, and none that secrets are bound to is harmless, unless `schema_version` "
        "is raised. Then the migrations make of a record with the fields of the snapshot one that fits the model. A "
        "secret stays one.",
        "Raise `schema_version` and write a migration that leaves no field unfit. `wellhead plugin check --snapshot` "
        "writes `schema-snapshot.json`; do that at each release, and commit the file.",
        schema_changes.check_changes,
    ),
)

WAIVABLE = frozenset(rule.number for rule in RULES) - {WAIVERS, LOADS}
