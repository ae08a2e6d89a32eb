"""Rules of the egress policy."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wellhead.guard.egress_rules import EgressRuleError, Rule, asked_name


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("10.0.0.0/8", Rule(ip_network("10.0.0.0/8"))),
        ("10.0.0.0/8:5432", Rule(ip_network("10.0.0.0/8"), 5432)),
        ("0.0.0.0/0", Rule(ip_network("0.0.0.0/0"))),
        ("2001:db8::/32", Rule(ip_network("2001:db8::/32"))),
        ("[2001:db8::/32]:5432", Rule(ip_network("2001:db8::/32"), 5432)),
        ("[2001:db8::1]:5432", Rule(ip_network("2001:db8::1/128"), 5432)),
        ("[2001:db8::1]", Rule(ip_network("2001:db8::1/128"))),
        ("2001:DB8::0:1", Rule(ip_network("2001:db8::1/128"))),
        ("::/0", Rule(ip_network("::/0"))),
        ("db.internal", Rule("db.internal")),
        ("db.internal:5432", Rule("db.internal", 5432)),
        ("localhost:65535", Rule("localhost", 65535)),
        ("*.corp.example", Rule("*.corp.example")),
        ("*.corp.example:443", Rule("*.corp.example", 443)),
        ("my_db", Rule("my_db")),
    ],
)
def test_N_22_a_rule_is_read(text: str, rule: Rule) -> None:
    assert Rule.parse(text) == rule


@pytest.mark.parametrize("address", ["10.1.2.3", "2001:db8::1"])
def test_N_22_a_bare_address_is_that_address_only(address: str) -> None:
    rule = Rule.parse(address)
    assert rule.covers_address(ip_address(address), 80)
    assert not rule.covers_address(ip_address(address) + 1, 80)


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("DB.Internal", "db.internal"),
        ("db.internal.", "db.internal"),
        ("*.CORP.example.:443", "*.corp.example:443"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("*.bücher.example", "*.xn--bcher-kva.example"),
    ],
)
def test_N_23_a_host_has_one_spelling(text: str, spelling: str) -> None:
    assert str(Rule.parse(text)) == spelling


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ".", "*", "*.", "**", "*.*", "*.*.example", "db.*.example", "*example.com", "*.example.*", "..example",
        "a..b", "-a.example", "a b", " db.internal", "db.internal ", "10.0.0.0/8 ", "http://db.internal",
        "db.internal/8", "db@internal", "/var/run/postgresql",
        "user:pass@db.internal", "127.1", "2130706433", "0x7f.1", "0177.0.0.1",
        "010.0.0.1", "10.0.0", "10.0.0.0.0", "256.0.0.1", "10.0.0.1.", "*.10.0.0.1", "*.::1", "10.*", "10.0.0.0/",
        "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "10.0.0.0/0.255.255.255",
        "10.0.0.0/\u0661", "\u06610.0.0.1", "①②⑦.⓪.⓪.①", "127。0。0。1", "fe80::1%eth0", "[fe80::1%eth0]:80",
        "2001:db8::/129", "2001:db8:::1", "[10.0.0.0/8]:80",
        "[db.internal]:80", "[2001:db8::1", "2001:db8::1]", "[2001:db8::1]x", "[2001:db8::1]80",
        "[]:80", "[", ":80", "10.0.0.0/8:", "db.internal:", "db.internal:0", "db.internal:65536", "db.internal:-1",
        "db.internal:+1", "db.internal:080", "db.internal:x", "db.internal:1_0", "db.internal: 80",
        "db.internal:\uff18\uff10", "db.internal:80:80", "db.internal:*", "10.0.0.0:80/8",
        "a" * 64, "db\n.internal", "db\0", "\ud800",
    ],
)  # fmt: skip
def test_N_22_anything_else_is_refused_with_the_form_that_is_needed(text: str) -> None:
    with pytest.raises(EgressRuleError, match=r"; write .*10\.0\.0\.0/8"):
        Rule.parse(text)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("10.0.0.1/8", "10.0.0.0/8"),
        ("10.1.0.0/8:5432", "10.0.0.0/8"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("::1/0", "::/0"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ("[::ffff:0:0/96]:80", "0.0.0.0/0"),
    ],
)
def test_N_22_a_network_that_is_not_what_it_seems_is_refused_with_what_to_write(text: str, instead: str) -> None:
    with pytest.raises(EgressRuleError) as raised:
        Rule.parse(text)
    assert str(raised.value).endswith(f"; write {instead}")
    Rule.parse(instead)


@pytest.mark.parametrize(
    ("rule", "host", "is_covered"),
    [
        ("db.internal", "db.internal", True),
        ("db.internal", "DB.internal.", True),
        ("db.internal", "a.db.internal", False),
        ("db.internal", "xdb.internal", False),
        ("db.internal", "db.internal.example", False),
        ("*.corp.example", "db.corp.example", True),
        ("*.corp.example", "a.b.CORP.example.", True),
        ("*.corp.example", "corp.example", False),
        ("*.corp.example", "evilcorp.example", False),
        ("*.corp.example", "db.corp.example.evil.example", False),
        ("*.corp.example", "", False),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("xn--bcher-kva.example", "BÜCHER.example", True),
        ("*.corp.example", "db。\uff43orp\uff0eexample", True),
        ("10.0.0.0/8", "10.0.0.1", False),
    ],
)
def test_N_23_a_host_is_covered_by_whole_labels(rule: str, host: str, is_covered: bool) -> None:
    assert Rule.parse(rule).covers_name({asked_name(host)}, 80) is is_covered


@pytest.mark.parametrize("destination", ["10.0.0.0/8", "db.internal", "*.internal"])
@pytest.mark.parametrize(("written", "is_covered"), [("", True), (":5432", True), (":5433", False), (":54", False)])
def test_N_24_a_rule_with_a_port_is_about_that_port_only(destination: str, written: str, is_covered: bool) -> None:
    rule = Rule.parse(destination + written)
    covers = rule.covers_address(ip_address("10.0.0.1"), 5432), rule.covers_name({"db.internal"}, 5432)
    assert any(covers) is is_covered


@pytest.mark.parametrize("host", ["a..b", "\ud800.example", "é" * 64, ""])
def test_what_no_name_service_is_asked_for_is_no_error(host: str) -> None:
    assert asked_name(host) == host


@settings(deadline=None)
@given(text=st.text(alphabet="0123456789abcdef.:/[]*-%x", max_size=24))
def test_N_22_any_text_is_a_rule_that_reads_back_or_is_refused(text: str) -> None:
    try:
        rule = Rule.parse(text)
    except EgressRuleError:
        return
    assert Rule.parse(str(rule)) == rule
