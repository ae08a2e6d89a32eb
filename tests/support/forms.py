"""Forms of a page as a browser without scripts has them: what they would post, and how that is changed."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from urllib.parse import urlencode

from httpx2 import Response
from starlette.testclient import TestClient

Pairs = list[tuple[str, str]]
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}


class PageForm(HTMLParser):
    """One form of a page.

    Attributes:
        action: Where it is posted to.
        pairs: The names and values that it would post.
    """

    def __init__(self, html: str, *, form: str = "form") -> None:
        """Read the form whose id, or else whose class, is this one."""
        super().__init__()
        self.action = ""
        self.pairs: Pairs = []
        self._wanted, self._is_inside = form, False
        self._select: tuple[str, list[str], list[str]] | None = None
        self._area: str | None = None
        self._text = ""
        self.feed(html)
        assert self.action, f"there is no form {form}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element would post."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_inside = self._wanted in (given.get("id"), given.get("class"))
            self.action = given["action"] if self._is_inside else self.action
        elif self._is_inside and tag == "input" and "name" in given:
            if given.get("type") not in {"checkbox", "radio"} or "checked" in given:
                self.pairs.append((given["name"], given.get("value", "")))
        elif self._is_inside and tag == "select":
            self._select = (given["name"], [], [])
        elif self._select is not None and tag == "option":
            self._select[1].append(given["value"])
            if "selected" in given:
                self._select[2].append(given["value"])
        elif self._is_inside and tag == "textarea":
            self._area, self._text = given["name"], ""

    def handle_data(self, data: str) -> None:
        """Note what is in a field of several lines."""
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        """Take what ends here."""
        if tag == "form":
            self._is_inside = False
        elif tag == "select" and self._select is not None:
            name, every, selected = self._select
            self.pairs.append((name, (selected or every)[-1 if selected else 0]))
            self._select = None
        elif tag == "textarea" and self._area is not None:
            self.pairs.append((self._area, self._text.removeprefix("\n")))
            self._area = None

    def values(self, name: str) -> list[str]:
        """Return what it would post under a name."""
        return [value for known, value in self.pairs if known == name]

    def fill(self, values: Mapping[str, str]) -> PageForm:
        """Type something into the fields of these names, the last of each."""
        for name, value in values.items():
            self.put(name, value)
        return self

    def put(self, name: str, value: str, *, at: int = -1) -> PageForm:
        """Type something into one of the fields of a name."""
        places = [place for place, (known, _) in enumerate(self.pairs) if known == name]
        assert places, f"there is no field {name}"
        self.pairs[places[at]] = (name, value)
        return self

    def post(self, client: TestClient, *, path: str = "", more: Pairs | None = None, script: bool = False) -> Response:
        """Send it, and do not follow where the answer leads."""
        headers = {**_FORM, **({"X-Part": "form"} if script else {})}
        content = urlencode([*self.pairs, *(more or [])])
        return client.post(self.action + path, content=content, headers=headers, follow_redirects=False)
