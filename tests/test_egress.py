"""The egress policy."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.embedding import EMBEDDINGS, Embedding
from wellhead.guard.addresses import METADATA_NAMES, Address
from wellhead.guard.egress import EgressPolicy, EgressRuleError

METADATA = ["169.254.169.254", "169.254.0.1", "fd00:ec2::254", "fd20:ce::254", "fd00:42::42", "100.100.100.200"]
METADATA += ["fd00:c1::a9fe:a9fe", "fd00:a9fe:a9fe::1", "fd00:100::100:200"]
METADATA += ["192.0.0.192", "168.63.129.16", "fe80::1", "fe80::1%lo", "fe80::a9fe:a9fe%25eth0"]
EVERYTHING = ["0.0.0.0/0", "::/0", "*.internal", "metadata", "metadata.google.internal", *METADATA[:-2]]

PORT = 5432


def local(allow: Iterable[str] = (), deny: Iterable[str] = ()) -> EgressPolicy:
    return EgressPolicy.parse(allow, deny, public_only=False)


def server(allow: Iterable[str] = (), deny: Iterable[str] = ()) -> EgressPolicy:
    return EgressPolicy.parse(allow, deny, public_only=True)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.255.255.254", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
)
def test_N_01_loopback_is_refused_in_server_mode_and_allowed_in_local_mode(address: str) -> None:
    assert not server().permits(address, PORT)
    assert local().permits(address, PORT)


@pytest.mark.parametrize("embed", EMBEDDINGS.values(), ids=EMBEDDINGS)
@pytest.mark.parametrize("inner", ["169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16"])
def test_N_04_a_metadata_service_inside_another_address_is_refused_whatever_is_allowed(
    embed: Embedding, inner: str
) -> None:
    outer = str(embed(IPv4Address(inner), 0))
    assert not local(EVERYTHING).permits(outer, PORT)
    assert not server(EVERYTHING).permits(outer, PORT, names=["db.internal"])


@pytest.mark.parametrize("embed", EMBEDDINGS.values(), ids=EMBEDDINGS)
@pytest.mark.parametrize("inner", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "100.64.0.1", "198.18.0.1"])
def test_N_04_both_the_outer_and_the_inner_address_must_be_permitted(embed: Embedding, inner: str) -> None:
    outer = str(embed(IPv4Address(inner), 0))
    assert not server().permits(outer, PORT)
    assert not server(["::/0"]).permits(outer, PORT)
    assert not local(deny=[inner]).permits(outer, PORT)
    assert not local(deny=["::/0"]).permits(outer, PORT)
    assert local().permits(outer, PORT)


@pytest.mark.parametrize("outer", ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2a00::5efe:8.8.8.8"])
def test_N_04_a_public_address_inside_another_is_permitted(outer: str) -> None:
    assert server().permits(outer, PORT)


@pytest.mark.parametrize("outer", ["::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::1"])
def test_N_04_what_is_allowed_is_allowed_inside_another_address_too(outer: str) -> None:
    assert server(["10.0.0.0/8"]).permits(outer, PORT)


@pytest.mark.parametrize("embed", EMBEDDINGS.values(), ids=EMBEDDINGS)
@settings(deadline=None)
@given(data=st.data(), noise=st.integers(0, 2**128 - 1))
def test_N_04_no_embedding_of_a_refused_address_is_permitted(embed: Embedding, data: st.DataObject, noise: int) -> None:
    refused = ["169.254.0.0/16", "100.100.100.200/32", "10.0.0.0/8", "127.0.0.0/8", "192.168.0.0/16", "240.0.0.0/4"]
    network = IPv4Network(data.draw(st.sampled_from(refused)))
    inner = data.draw(st.ip_addresses(network=network).map(lambda address: IPv4Address(int(address))))
    outer = str(embed(inner, noise))
    assert not server(["::/0"]).permits(outer, PORT)
    assert not local(EVERYTHING, [str(network)]).permits(outer, PORT)


@pytest.mark.parametrize("address", METADATA)
def test_N_05_no_rule_allows_metadata_services_and_link_local_addresses(address: str) -> None:
    for policy in (local(), server(), local(EVERYTHING), server(EVERYTHING)):
        assert not policy.permits(address, 80)
        assert not policy.permits(address, 80, names=["db.internal"])


@pytest.mark.parametrize("name", sorted(METADATA_NAMES))
@pytest.mark.parametrize("spelling", [str, str.upper, "{}.".format, "{}..".format, str.title])
def test_N_05_metadata_names_are_refused_before_they_are_looked_up(name: str, spelling: Any) -> None:
    for policy in (local(), local(EVERYTHING), server(EVERYTHING)):
        assert not policy.permits_name(spelling(name), 80)
        assert not policy.permits("8.8.8.8", 80, names=[spelling(name)])


@pytest.mark.parametrize(
    "name", ["\uff4detadata.google.internal", "metadata。google。internal", "METADATA.google\uff0einternal."]
)
def test_N_03_N_05_metadata_names_are_refused_in_characters_that_stand_for_others(name: str) -> None:
    assert not local().permits_name(name, 80)


@pytest.mark.parametrize("name", ["db.metadata.google.internal", "metadata.example", "xmetadata", "a..b", "\ud800", ""])
def test_other_names_may_be_looked_up(name: str) -> None:
    assert server().permits_name(name, 80)


@pytest.mark.parametrize(
    "address",
    ["0.0.0.1", "10.0.0.1", "100.64.0.1", "172.16.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.0.1",
     "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
     "fec0::1", "fc00::1", "fd12::1", "ff02::1", "100::1", "2001:db8::1", "3fff::1", "5f00::1", "2001:2::1", "4000::1",
     "fd12::1%eth0"],
)  # fmt: skip
def test_N_06_special_ranges_need_an_allow_rule_in_server_mode(address: str) -> None:
    assert not server().permits(address, PORT)
    assert local().permits(address, PORT)
    assert server(["0.0.0.0/0", "::/0"]).permits(address, PORT)
    assert server([f"{address.partition('%')[0]}"]).permits(address, PORT)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_public_addresses_are_permitted_everywhere(address: str) -> None:
    assert local().permits(address, PORT)
    assert server().permits(address, PORT)


@pytest.mark.parametrize(
    "address",
    ["", "/var/run/postgresql/.s.PGSQL.5432", "@abstract", "\0abstract", "localhost", "db.internal", "127.1", "0x7f.1",
     "0177.0.0.1", "2130706433", "127.0.0.1:80", "[::1]", "①②⑦.⓪.⓪.①", "127.0.0.1 ", "127.0.0.1\0", "%lo"],
)  # fmt: skip
def test_N_02_N_10_what_is_no_address_is_refused(address: str) -> None:
    assert not local().permits(address, PORT)
    assert not server(EVERYTHING).permits(address, PORT)


@pytest.mark.parametrize(
    ("names", "is_permitted"),
    [
        (["db.internal"], True),
        (["DB.internal."], True),
        (["a.corp.example"], True),
        (["corp.example"], False),
        (["other.internal", "db.internal"], True),
        (["other.internal"], False),
        ([], False),
    ],
)
def test_N_23_a_rule_for_a_host_allows_what_that_host_was_resolved_to(names: list[str], is_permitted: bool) -> None:
    policy = server(["db.internal", "*.corp.example"])
    assert policy.permits("10.0.0.1", PORT, names=names) is is_permitted


def test_N_23_a_rule_for_a_host_denies_its_name_and_what_it_was_resolved_to() -> None:
    policy = local(deny=["db.internal", "*.corp.example:22"])
    assert not policy.permits_name("db.internal", PORT)
    assert not policy.permits("8.8.8.8", PORT, names=["ok.example", "DB.internal."])
    assert not policy.permits_name("a.corp.example", 22)
    assert policy.permits_name("a.corp.example", 23)
    assert policy.permits_name("corp.example", 22)


@pytest.mark.parametrize(
    ("allow", "deny", "port", "is_permitted"),
    [
        ("10.0.0.0/8:5432", "192.168.0.0/16", 5432, True),
        ("10.0.0.0/8:5432", "192.168.0.0/16", 5433, False),
        ("10.0.0.0/8", "10.0.0.1:22", 5432, True),
        ("10.0.0.0/8", "10.0.0.1:22", 22, False),
        ("10.0.0.1:5432", "10.0.0.0/8", 5432, False),
        ("10.0.0.1", "10.0.0.1", 5432, False),
        ("db.internal:5432", "10.0.0.0/8", 5432, False),
        ("10.0.0.1", "db.internal", 5432, False),
        ("10.0.0.1", "db.internal:22", 5432, True),
        ("db.internal:5432", "*.internal", 5432, False),
        ("0.0.0.0/0", "0.0.0.0/0", 5432, False),
    ],
)
def test_N_24_deny_wins_over_allow_for_the_ports_that_it_is_about(
    allow: str, deny: str, port: int, is_permitted: bool
) -> None:
    assert server([allow], [deny]).permits("10.0.0.1", port, names=["db.internal"]) is is_permitted


def test_N_24_loopback_that_is_denied_is_not_reached_by_the_unspecified_address() -> None:
    assert not local(deny=["127.0.0.0/8"]).permits("0.0.0.0", PORT)
    assert not local(deny=["::1"]).permits("::", PORT)


@st.composite
def covering(draw: st.DrawFn, address: Address) -> str:
    """A rule that covers an address on a port."""
    bits = draw(st.integers(0, address.max_prefixlen))
    mask = (1 << address.max_prefixlen) - (1 << (address.max_prefixlen - bits))
    text = f"{type(address)(int(address) & mask)}/{bits}"
    port = draw(st.sampled_from(["", f":{PORT}"]))
    return f"[{text}]{port}" if isinstance(address, IPv6Address) else f"{text}{port}"


def is_mapped(address: Address) -> bool:
    return isinstance(address, IPv6Address) and address.ipv4_mapped is not None


addresses = st.ip_addresses().filter(lambda address: not is_mapped(address))
hosts = st.from_regex(r"(\*\.)?[a-z]{1,8}(\.[a-z]{1,8}){0,2}(:[1-9][0-9]{0,3})?", fullmatch=True)
rules = st.lists(st.one_of(hosts, addresses.flatmap(covering)), max_size=5)


@settings(deadline=None)
@given(data=st.data(), address=addresses, allow=rules, deny=rules, public_only=st.booleans())
def test_N_24_deny_always_wins(
    data: st.DataObject, address: Address, allow: list[str], deny: list[str], public_only: bool
) -> None:
    wins = data.draw(covering(address))
    allow += data.draw(st.lists(covering(address), max_size=2))
    policy = EgressPolicy.parse([*allow, "db.internal"], [*deny, wins], public_only=public_only)
    assert not policy.permits(str(address), PORT, names=["db.internal"])


@settings(deadline=None)
@given(address=addresses, allow=rules, deny=rules)
def test_server_mode_permits_nothing_that_local_mode_refuses(
    address: Address, allow: list[str], deny: list[str]
) -> None:
    if server(allow, deny).permits(str(address), PORT):
        assert local(allow, deny).permits(str(address), PORT)


@settings(deadline=None)
@given(allow=rules, deny=rules, public_only=st.booleans())
def test_a_policy_comes_back_from_its_document(allow: list[str], deny: list[str], public_only: bool) -> None:
    policy = EgressPolicy.parse(allow, deny, public_only=public_only)
    assert EgressPolicy.from_document(json.loads(json.dumps(policy.as_document()))) == policy


@pytest.mark.parametrize("side", ["allow", "deny"])
def test_N_22_a_bad_rule_is_named_by_its_list_and_its_place(side: str) -> None:
    lists = {"allow": (), "deny": (), side: ("10.0.0.0/8", "10.0.0.1/8")}
    with pytest.raises(EgressRuleError) as raised:
        EgressPolicy.parse(**lists, public_only=True)
    assert raised.value.side == side
    assert str(raised.value) == (
        f"rule 2 of {side}, '10.0.0.1/8': it has bits behind the length of its prefix; write 10.0.0.0/8."
    )


def test_N_25_a_policy_never_changes() -> None:
    policy: Any = server()
    for field in dataclasses.fields(policy):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(policy, field.name, ())


@settings(deadline=None)
@given(address=st.text(), port=st.integers(), names=st.lists(st.text(), max_size=2))
def test_any_text_is_judged(address: str, port: int, names: list[str]) -> None:
    policy = local(deny=["0.0.0.0/0", "::/0"])
    assert not policy.permits(address, port, names=names)
    assert policy.permits_name(address, port) in {True, False}


def test_the_address_is_judged_and_not_what_stands_before_a_zone() -> None:
    assert ip_address("fe80::1%lo").is_link_local
    assert not local().permits("169.254.169.254%lo", 80)
