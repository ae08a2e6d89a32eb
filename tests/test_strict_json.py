"""JSON as Wellhead accepts it."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wellhead import strict_json
from wellhead.errors import MalformedJSONError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def code_of(text: bytes) -> str | None:
    try:
        strict_json.parse(text)
    except MalformedJSONError as error:
        return error.problems[0].code
    return None


@given(DOCUMENTS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_document_comes_back_as_it_was_written(document: object, ascii_only: bool) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only).encode()
    assert strict_json.parse(text) == document


@given(st.binary(max_size=60) | TEXTS.map(str.encode))
@settings(max_examples=300, deadline=None)
def test_I_17_any_bytes_are_parsed_or_refused_and_never_crash(text: bytes) -> None:
    assert code_of(text) is None or json.dumps(code_of(text)).isascii()


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": 1, "\\u0061": 2}',
        b'[{"x": {"k": 1, "b": 2, "k": null}}]',
        '{"é": 1, "\\u00e9": 2}'.encode(),
    ],
)
def test_I_01_duplicate_keys_are_refused_however_they_are_written(text: bytes) -> None:
    assert code_of(text) == "duplicate_key"


def test_I_01_keys_that_only_look_alike_are_different() -> None:
    assert strict_json.parse('{"é": 1, "e\\u0301": 2}'.encode()) == {"é": 1, "e\u0301": 2}


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"[1e400]"])
def test_I_02_what_is_no_finite_number_is_refused(number: bytes) -> None:
    assert code_of(number) == "absurd_number"


@pytest.mark.parametrize(
    "text", [b'"\\ud800"', b'["\\udfff"]', b'{"\\ud83d": 1}', b'"\\ude00\\ud83d"', b'{"a":"x\\ud800y"}']
)
def test_I_03_a_lone_surrogate_is_refused(text: bytes) -> None:
    assert code_of(text) == "invalid_unicode"


def test_I_03_a_pair_of_surrogates_is_one_character() -> None:
    assert strict_json.parse(b'"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_I_04_depth_is_limited(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    assert code_of(opening * 31 + b"[]" + closing * 31) is None
    assert code_of(opening * 32 + b"[]" + closing * 32) == "nested_too_deep"


@pytest.mark.parametrize("depth", [300, 100_000])
def test_I_04_no_depth_crashes_the_parser(depth: int) -> None:
    assert code_of(b"[" * depth + b"]" * depth) == "nested_too_deep"
    assert code_of(b'{"a":' * depth) in {"nested_too_deep", "malformed_json"}


@pytest.mark.parametrize("number", [b"9" * 4000, b"-" + b"9" * 4000, b"0." + b"1" * 4000, b"1e" + b"1" * 4000])
def test_I_05_a_number_of_thousands_of_digits_is_refused(number: bytes) -> None:
    assert code_of(number) == "absurd_number"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'\xef\xbb\xbf{"a": 1}', "malformed_json"),
        ('{"a": 1}'.encode("utf-16"), "invalid_unicode"),
        ('{"a": 1}'.encode("utf-16-le"), "malformed_json"),
        ('{"a": 1}'.encode("utf-32-be"), "malformed_json"),
        ('{"a": "é"}'.encode("latin-1"), "invalid_unicode"),
        (b'"\xc0\xaf"', "invalid_unicode"),
        (b'"\xed\xa0\x80"', "invalid_unicode"),
    ],
)
def test_I_06_only_utf_8_without_a_byte_order_mark_is_taken(text: bytes, code: str) -> None:
    assert code_of(text) == code


@pytest.mark.parametrize(
    "text",
    [b"", b" ", b"{", b"[1,]", b"{'a': 1}", b'{"a": 1,}', b"[1] x", b"01", b"+1", b".5", b"1.", b"0x1", b"1_0", b"True",
     b"nul", b'"\t"', b'"\x00"', b"// no\n1", b'"\\x41"', b"\x0b1", b"\xc2\xa01"],
)  # fmt: skip
def test_what_is_not_json_is_refused_with_its_place(text: bytes) -> None:
    with pytest.raises(MalformedJSONError, match="see line 1, column"):
        strict_json.parse(text)


@pytest.mark.parametrize(("text", "value"), [(b"5.0", 5), (b"1e2", 100), (b"-0.0", 0), (b"9007199254740992.0", 2**53)])
def test_I_07_a_number_with_a_fraction_of_zero_is_an_integer(text: bytes, value: int) -> None:
    parsed = strict_json.parse(text)
    assert parsed == value
    assert type(parsed) is int


@pytest.mark.parametrize("text", [b"5.5", b"1e300", b"-2.5e-3"])
def test_other_numbers_stay_floats(text: bytes) -> None:
    assert type(strict_json.parse(text)) is float
    assert math.isclose(strict_json.parse(text), float(text))


@pytest.mark.parametrize("text", [b"[]", b"null", b'"a"', b"1"])
def test_where_an_object_is_expected_nothing_else_will_do(text: bytes) -> None:
    with pytest.raises(MalformedJSONError, match="JSON object"):
        strict_json.parse_object(text)


@given(
    st.text("abcdefghij", min_size=12, max_size=12),
    st.sampled_from(['{{"k": "{0}",}}', '{{"{0}": 1, "{0}": 2}}', '["{0}", NaN]', '["{0}\\ud800"]']),
)
@settings(max_examples=60, deadline=None)
def test_no_error_repeats_a_value_that_was_sent(value: str, form: str) -> None:
    with pytest.raises(MalformedJSONError) as caught:
        strict_json.parse(form.format(value).encode())
    assert value not in f"{caught.value} {caught.value.problems}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
