"""The search for secrets finds them: in every place, in every spelling."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Callable
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from support.canary import Canary, forgotten, know

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a URL": lambda secret: quote(secret, safe=""),
    "in a path": quote,
    "in small letters": lambda secret: re.sub("%..", lambda found: found[0].lower(), quote(secret, safe="")),
    "in a form": quote_plus,
    "in JSON": json.dumps,
    "in JSON of Unicode": lambda secret: json.dumps(secret, ensure_ascii=False),
    "in HTML": escape,
    "shown by Python": lambda secret: repr({"password": secret}),
    "shown as bytes": lambda secret: repr(secret.encode()),
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "of a login": lambda secret: base64.b64encode(f"reader:{secret}".encode()).decode(),
    "of another login": lambda secret: base64.b64encode(f"user:{secret}:x".encode()).decode(),
    "in a JWT": lambda secret: base64.urlsafe_b64encode(f'{{"p":"{secret}"}}'.encode()).decode().rstrip("="),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "in capitals": lambda secret: secret.encode().hex().upper(),
}


@pytest.mark.parametrize("kind", ["secret", "plain_secret", "watch"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_found_however_it_is_spelt(tmp_path: Path, spelling: str, kind: str) -> None:
    canary = Canary(tmp_path)
    secret = canary.watch("/ä?+ a\"secret'<>") if kind == "watch" else getattr(canary, kind)()
    canary.search()
    (tmp_path / "file").write_text("before\n" + SPELLINGS[spelling](secret) + "\nafter\n")
    with pytest.raises(AssertionError, match="/file"):
        canary.search()


def test_a_secret_is_found_in_an_answer_and_in_the_name_of_a_file(tmp_path: Path) -> None:
    for put in (lambda canary, text: canary.saw(text), lambda _, text: (tmp_path / text).touch()):
        canary = Canary(tmp_path)
        put(canary, canary.plain_secret())
        with pytest.raises(AssertionError, match="a secret is in"):
            canary.search()


@pytest.mark.parametrize("where", ["command line", "environment"])
def test_a_secret_is_found_in_a_process_that_another_has_started(tmp_path: Path, where: str) -> None:
    canary = Canary(tmp_path)
    secret = canary.plain_secret()
    given = ([secret], {}) if where == "command line" else ([], {"IT": secret})
    (tmp_path / "starts.py").write_text(
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', 'print(flush=True); input()', *{given[0]}], env={given[1]})\n"
    )
    canary.put_into(tmp_path / "starts.py")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, tmp_path / "starts.py"], text=True, **pipes) as process:
        process.stdout.readline()
        with pytest.raises(AssertionError, match=f"the {where} of"):
            canary.search()
        process.communicate("\n")
    canary.search()


def test_what_a_test_has_put_somewhere_is_no_leak(tmp_path: Path) -> None:
    canary = Canary(tmp_path)
    (tmp_path / "file").write_text(canary.secret())
    canary.put_into(tmp_path / "file")
    canary.search()


def test_tokens_and_keys_of_a_service_are_found_but_where_they_are_kept(tmp_path: Path) -> None:
    token = f"wh_0123456789abcdef_{'t' * 43}"
    (tmp_path / "token").write_text(token)
    with forgotten():
        know(token, tmp_path, token_file=tmp_path / "token")
        Canary().search()
        (tmp_path / "log").write_text(f"GET /?token={token[-43:]}")
        (tmp_path / "keys.json").write_text(json.dumps({"keys": [{"key": "k" * 43}]}))
        with pytest.raises(AssertionError, match=r"the token or a key of a service is in .*/log"):
            Canary().search()
        (tmp_path / "log").write_text(f"wrong key: {'k' * 43}")
        with pytest.raises(AssertionError, match=r"the token or a key of a service is in .*/log"):
            Canary().search()
    Canary().search()
