"""Issued tokens: what is kept of them, who they are for, and how soon one that was revoked is refused."""

import asyncio
import hashlib
import json
import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.command import CommandLine
from wellhead import clock
from wellhead.access import issued_tokens
from wellhead.access.issued import IssuedToken, digest_of, issue
from wellhead.access.issued_tokens import IssuedTokens
from wellhead.access.principal import Principal
from wellhead.access.token_store import DIRECTORY, TokenStore
from wellhead.errors import SettingsError, StorageIOError, TokenNotFoundError

ADA = Principal("ada@example.com", "ada", "editor")
HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    return TokenStore(tmp_path)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of the look-up, which the test turns."""
    now = [1000.0]
    monkeypatch.setattr(issued_tokens.time, "monotonic", lambda: now[0])
    return now


def added(store: TokenStore, principal: Principal = ADA, lifetime: timedelta = HOUR) -> tuple[str, IssuedToken]:
    token, kept = issue(principal, lifetime)
    store.add(kept)
    return token, kept


def asked(tokens: IssuedTokens, *presented: str | bytes) -> list[Principal | None]:
    """Return whose each token is."""

    async def ask() -> list[Principal | None]:
        texts = [text.encode() if isinstance(text, str) else text for text in presented]
        return [await tokens.principal_of(text) for text in texts]

    return asyncio.run(ask())


def test_A_03_a_token_has_256_random_bits_and_only_its_hash_is_kept(store: TokenStore) -> None:
    (token, kept), (other, _) = added(store), added(store)
    assert re.fullmatch(r"wh_[0-9a-f]{16}_[\w-]{43}", token)
    assert token.split("_", 2)[2] != other.split("_", 2)[2]
    file = store.path / f"{kept.id}.json"
    assert json.loads(file.read_bytes())["sha256"] == hashlib.sha256(token.encode()).hexdigest()
    assert token.split("_", 2)[2] not in "".join(path.read_text() for path in store.path.iterdir())
    assert file.stat().st_mode & 0o777 == 0o600
    assert store.path.stat().st_mode & 0o777 == 0o700


def test_what_is_kept_is_read_again(store: TokenStore) -> None:
    kept = sorted((added(store)[1] for _ in range(3)), key=lambda token: token.id)
    assert store.read() == kept
    assert IssuedToken.from_bytes(kept[0].to_bytes()) == kept[0]


def test_a_token_names_its_user_workspace_and_role(store: TokenStore) -> None:
    one, other = added(store)[0], added(store, Principal("bob", "shared", "viewer"))[0]
    assert asked(IssuedTokens(store), one, other) == [ADA, Principal("bob", "shared", "viewer")]


def test_everything_else_is_nobodys(store: TokenStore) -> None:
    token, kept = added(store)
    wrong = [token[:-1], token + "x", token.swapcase(), token + "\n", "", "wh_", f"wh_{kept.id}_", token.encode() * 200]
    wrong += [f"wh_{kept.id}_{'x' * 43}", f"wh_{'0' * 16}_{token[-43:]}", b"\xff\xfe", kept.digest, kept.id]
    assert asked(IssuedTokens(store), *wrong) == [None] * len(wrong)


def test_A_04_an_unknown_id_costs_the_same_comparison(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    token, kept = added(store)
    compared: list[tuple[int, int]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr(issued_tokens.hmac, "compare_digest", compare)
    asked(IssuedTokens(store), token, f"wh_{kept.id}_{'x' * 43}", f"wh_{'0' * 16}_{'x' * 43}", "no token at all")
    assert compared == [(64, 64)] * 4


def test_an_empty_token_is_nobodys_though_it_has_a_hash_too(store: TokenStore) -> None:
    added(store)
    assert asked(IssuedTokens(store), b"", digest_of(b"")) == [None, None]


def test_A_13_a_token_that_was_revoked_is_refused_after_a_second(store: TokenStore, seconds: list[float]) -> None:
    token, kept = added(store)
    tokens = IssuedTokens(store)
    assert asked(tokens, token) == [ADA]
    store.remove(kept.id)
    seconds[0] += 1.0
    assert asked(tokens, token) == [None]


def test_one_that_was_issued_by_another_process_is_known_at_once(store: TokenStore, seconds: list[float]) -> None:
    tokens = IssuedTokens(store)
    for _ in range(3):
        assert asked(tokens, "x") == [None]
        token, _ = added(TokenStore(store.path.parent))
        seconds[0] += 0.01
        assert asked(tokens, token) == [ADA]


def test_tokens_that_nobody_knows_do_not_let_all_be_read(
    store: TokenStore, seconds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = added(store)
    tokens = IssuedTokens(store)
    assert asked(tokens, token) == [ADA]
    monkeypatch.setattr(store, "read", lambda: pytest.fail("all were read"))
    assert asked(tokens, *(f"wh_{number:016x}_{'x' * 43}" for number in range(100))) == [None] * 100


def test_the_tokens_are_not_read_again_while_nothing_changes(
    store: TokenStore, seconds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = added(store)
    tokens = IssuedTokens(store)
    reads: list[float] = []
    read = store.read
    monkeypatch.setattr(store, "read", lambda: reads.append(seconds[0]) or read())
    monkeypatch.setattr(issued_tokens.time, "time_ns", lambda: time.time() * 1e9 + 5e9)  # all has settled
    for _ in range(100):
        assert asked(tokens, token) == [ADA]
        seconds[0] += 0.25
    assert reads == [1000.0]
    seconds[0] += 60
    asked(tokens, token)
    assert len(reads) == 2


def test_a_change_in_the_same_tick_of_the_clock_is_seen_too(store: TokenStore, seconds: list[float]) -> None:
    tokens = IssuedTokens(store)
    for _ in range(20):
        token, kept = added(store)
        seconds[0] += 1
        assert asked(tokens, token) == [ADA]
        store.remove(kept.id)
        seconds[0] += 1
        assert asked(tokens, token) == [None]


def test_those_who_ask_at_once_read_once(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    token, _ = added(store)
    reads: list[int] = []
    read = store.read

    def slow() -> list[IssuedToken]:
        reads.append(1)
        time.sleep(0.05)
        return read()

    monkeypatch.setattr(store, "read", slow)
    tokens = IssuedTokens(store)

    async def ask() -> list[Principal | None]:
        return await asyncio.gather(*(tokens.principal_of(token.encode()) for _ in range(50)))

    assert asyncio.run(ask()) == [ADA] * 50
    assert len(reads) == 1


def test_a_token_ends_when_it_says(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    token, kept = added(store)
    tokens = IssuedTokens(store)
    for late, whose in ((-0.001, ADA), (0, None), (1e6, None)):
        monkeypatch.setattr(clock, "now", lambda late=late: kept.expires_at + timedelta(seconds=late))
        assert asked(tokens, token) == [whose]


@pytest.mark.parametrize("year", [1, 1970, 9999])
def test_A_14_a_clock_that_is_wrong_is_no_error(store: TokenStore, year: int, monkeypatch: pytest.MonkeyPatch) -> None:
    token, _ = added(store)
    monkeypatch.setattr(clock, "now", lambda: datetime(year, 1, 1, tzinfo=UTC))
    assert asked(IssuedTokens(store), token) == [None if year == 9999 else ADA]


def test_a_store_that_cannot_be_looked_at_lets_nobody_in(store: TokenStore, seconds: list[float]) -> None:
    token, _ = added(store)
    tokens = IssuedTokens(store)
    assert asked(tokens, token) == [ADA]
    store.path.rename(store.path.with_name("gone"))
    store.path.write_text("a file")
    seconds[0] += 1
    for _ in range(2):
        with pytest.raises(StorageIOError, match="cannot be looked up") as caught:
            asked(tokens, token)
        assert str(store.path) not in caught.value.message


@pytest.mark.parametrize(
    "change",
    [
        {"role": "owner"},
        {"role": ["admin"]},
        {"user": ""},
        {"user": "a b"},
        {"workspace": "../other"},
        {"workspace": "-x"},
        {"workspace": "x\n"},
        {"sha256": ""},
        {"sha256": "x" * 64},
        {"id": "0" * 15},
        {"id": "0" * 16},
        {"expires_at": "never"},
        {"expires_at": None},
    ],
    ids=str,
)
def test_a_file_that_says_something_else_is_no_token(store: TokenStore, change: dict[str, Any]) -> None:
    token, kept = added(store)
    path = store.path / f"{kept.id}.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **change}))
    path.chmod(0o600)
    assert asked(IssuedTokens(store), token) == [None]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"{}", b"{" * 5000], ids=repr)
def test_a_damaged_file_does_not_harm_the_others(store: TokenStore, content: bytes) -> None:
    token, _ = added(store)
    (store.path / f"{'0' * 16}.json").write_bytes(content)
    (store.path / "notes.txt").write_bytes(b"x")
    (store.path / f"{'1' * 16}.json").symlink_to("/etc/passwd")
    (store.path / f"{'2' * 16}.json").mkdir()
    assert asked(IssuedTokens(store), token) == [ADA]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_token_that_others_could_have_written_is_not_used(store: TokenStore, mode: int) -> None:
    token, kept = added(store)
    (store.path / f"{kept.id}.json").chmod(mode)
    assert asked(IssuedTokens(store), token) == [None]


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_directory_that_others_may_write_to_is_refused(store: TokenStore, mode: int) -> None:
    added(store)
    store.path.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 700"):
        store.read()
    with pytest.raises(SettingsError, match="chmod 700"):
        added(store)


@pytest.mark.parametrize("token_id", ["", "0" * 16, "../x", "x" * 400, "0" * 16 + "/", "0\0"])
def test_what_is_not_there_cannot_be_revoked(store: TokenStore, token_id: str) -> None:
    with pytest.raises(TokenNotFoundError):
        store.remove(token_id)


@pytest.fixture
def wellhead(workspace: Path) -> CommandLine:
    """The command line in a directory that is the root of workspaces."""
    return CommandLine(workspace)


def create(wellhead: CommandLine, *options: str, code: int = 0) -> Any:
    return wellhead("token", "create", "--root", ".", *options, "--json", code=code).document


def test_a_token_is_issued_listed_and_revoked_by_commands(wellhead: CommandLine) -> None:
    made = create(wellhead, "--user", "ada", "--role", "editor")
    assert made.keys() == {"token", "id", "user", "workspace", "role", "created_at", "expires_at"}
    assert (made["user"], made["workspace"], made["role"]) == ("ada", "ada", "editor")
    lasts = clock.from_text(made["expires_at"]) - clock.from_text(made["created_at"])
    assert lasts == timedelta(days=30)
    token = made.pop("token")
    listed = wellhead("token", "list", "--root", ".", "--json")
    assert listed.document == {"items": [made]}
    assert token not in listed.out
    table = wellhead("token", "list", WELLHEAD_ROOT=".").out
    assert table.splitlines()[1].split()[1:4] == ["ada", "ada", "editor"]
    assert wellhead("token", "revoke", "--root", ".", made["id"], "--json").document == {"id": made["id"]}
    assert "There is no token" in wellhead("token", "revoke", "--root", ".", made["id"], code=1).err
    assert "Issue one" in wellhead("token", "list", "--root", ".").out
    log = (wellhead.workspace / ".audit" / "audit.jsonl").read_text()
    names = ("operation", "id", "name", "workspace", "role", "code")
    assert [tuple(json.loads(line)[name] for name in names) for line in log.splitlines()] == [
        ("create_token", made["id"], "ada", "ada", "editor", None),
        ("revoke_token", made["id"], "ada", "ada", "editor", None),
        ("revoke_token", None, None, "", None, "not_found"),
    ]
    assert token not in log
    assert token[-43:] not in log


def test_where_the_audit_log_is_required_no_token_is_issued_or_revoked_without_it(wellhead: CommandLine) -> None:
    made = create(wellhead, "--user", "ada", "--role", "editor")
    shutil.rmtree(wellhead.workspace / ".audit")
    (wellhead.workspace / ".audit").write_text("")
    options, required = ("--root", "."), {"WELLHEAD_AUDIT_REQUIRED": "true"}
    wellhead("token", "create", *options, "--user", "bob", "--role", "viewer", code=1, **required)
    wellhead("token", "revoke", *options, made["id"], code=1, **required)
    assert [item["user"] for item in wellhead("token", "list", *options, "--json").document["items"]] == ["ada"]
    wellhead("token", "revoke", *options, made["id"])


def test_A_13_a_token_is_revoked_even_where_tokens_cannot_be_read(wellhead: CommandLine) -> None:
    made = create(wellhead, "--user", "ada", "--role", "editor")
    (wellhead.workspace / DIRECTORY).chmod(0o777)
    wellhead("token", "revoke", "--root", ".", made["id"])
    assert not list((wellhead.workspace / DIRECTORY).glob("*.json"))


def test_a_person_sees_the_token_once_with_its_id(wellhead: CommandLine) -> None:
    shown = wellhead("token", "create", "--root", ".", "--user", "ada", "--role", "viewer", "--expires", "90s").out
    token = shown.splitlines()[0]
    assert re.fullmatch(r"wh_[0-9a-f]{16}_[\w-]{43}", token)
    assert f"Its id is {token[3:19]}." in shown
    assert (wellhead.workspace / DIRECTORY / f"{token[3:19]}.json").is_file()


def test_a_workspace_of_another_name_may_be_named(wellhead: CommandLine) -> None:
    made = create(wellhead, "--user", "ada@example.com", "--role", "admin", "--workspace", "team-1")
    assert (made["user"], made["workspace"]) == ("ada@example.com", "team-1")


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        (("--user", "ada@example.com", "--role", "admin"), "/workspace"),
        (("--user", "Ada", "--role", "admin"), "/workspace"),
        (("--user", "ada", "--role", "admin", "--workspace", ".."), "/workspace"),
        (("--user", "ada", "--role", "admin", "--workspace", ".tokens"), "/workspace"),
        (("--user", "ada", "--role", "admin", "--workspace", "x" * 64), "/workspace"),
        (("--user", "a b", "--role", "admin", "--workspace", "x"), "/user"),
        (("--user", "", "--role", "admin", "--workspace", "x"), "/user"),
        (("--user", "ada", "--role", "admin", "--expires", "never"), "/expires"),
        (("--user", "ada", "--role", "admin", "--expires", "0d"), "/expires"),
        (("--user", "ada", "--role", "admin", "--expires", "3661d"), "/expires"),
        (("--user", "ada", "--role", "admin", "--expires", "30"), "/expires"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_issued(
    wellhead: CommandLine, options: tuple[str, ...], pointer: str
) -> None:
    document = create(wellhead, *options, code=2)
    assert [item["pointer"] for item in document["errors"]] == [pointer]
    assert not (wellhead.workspace / DIRECTORY).exists()


def test_a_role_that_is_none_is_wrong_usage(wellhead: CommandLine) -> None:
    wellhead("token", "create", "--root", ".", "--user", "ada", "--role", "owner", code=2)


@pytest.mark.parametrize("options", [(), ("--root", "nowhere")])
def test_without_a_root_the_settings_are_wrong(wellhead: CommandLine, options: tuple[str, ...]) -> None:
    assert "--root" in wellhead("token", "list", *options, code=78).err
