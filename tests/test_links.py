"""Following links that nobody else could have made."""

import os
from pathlib import Path

import pytest

from support.faults import give_away
from wellhead.secrets.links import UntrustedLinkError, without_links


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a file in it."""
    place = Path(os.path.realpath(tmp_path)) / "place"
    place.mkdir()
    (place / "file").write_text("content")
    return place


def test_a_path_without_links_is_taken_as_it_is(place: Path) -> None:
    place.chmod(0o777)
    assert without_links(place / "file") == place / "file"


@pytest.mark.parametrize("target", ["file", "./file", "../place/file", "{}/file", "other"])
def test_a_link_of_ones_own_is_followed(place: Path, target: str) -> None:
    (place / "other").symlink_to("file")
    (place / "link").symlink_to(target.format(place))
    assert without_links(place / "link") == place / "file"


def test_a_link_in_the_middle_is_followed(place: Path) -> None:
    (place.parent / "elsewhere").symlink_to("place")
    assert without_links(place.parent / "elsewhere" / "file") == place / "file"


def test_a_link_in_a_directory_that_others_may_write_is_trusted_only_where_they_cannot_replace_it(place: Path) -> None:
    (place / "link").symlink_to("file")
    place.chmod(0o777)
    with pytest.raises(UntrustedLinkError) as caught:
        without_links(place / "link")
    assert caught.value.place == place
    place.chmod(0o1777)
    assert without_links(place / "link") == place / "file"


def test_a_link_into_a_directory_that_others_may_write_is_refused(place: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("place/file")
    place.chmod(0o770)
    with pytest.raises(UntrustedLinkError):
        without_links(tmp_path / "link")


@pytest.mark.parametrize("whose", ["link", "file", "."])
def test_what_somebody_else_owns_on_the_way_of_a_link_is_refused(place: Path, whose: str) -> None:
    (place / "link").symlink_to("file")
    give_away(place / whose)
    with pytest.raises(UntrustedLinkError):
        without_links(place / "link")


@pytest.mark.parametrize("target", ["loop", "nothing", "file/below"])
def test_a_link_that_leads_nowhere_is_an_error_of_the_system(place: Path, target: str) -> None:
    (place / "loop").symlink_to(target)
    with pytest.raises(OSError):  # noqa: PT011  # which one differs
        without_links(place / "loop")
