"""What is checked: an installed plugin, or the directory of one's source."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from wellhead.plugins.choice import normalized
from wellhead.plugins.found import FoundPlugin, find_plugins
from wellhead.plugins.hookspecs import ENTRY_POINT_GROUP
from wellhead.plugins.loader import load
from wellhead.plugins.trial import Trials
from wellhead.testing.kit.project import PROJECT_FILE, Project, TargetError

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")


@dataclass(frozen=True, slots=True)
class Target:
    """A plugin to be checked, in words that another process understands.

    Attributes:
        distribution: The name of its distribution.
        version: The distribution's version.
        entry_points: Names and values of its entry points.
        requires: The names of the distributions that it needs.
        path: Where its modules are, if it is not installed.
        project: The directory of its source, if that is known.
        type_name: The one type to look at; None for all.
    """

    distribution: str
    version: str
    entry_points: tuple[tuple[str, str], ...]
    requires: tuple[str, ...] = ()
    path: str | None = None
    project: str | None = None
    type_name: str | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `as_document` has written."""
        points = tuple((name, value) for name, value in document["entry_points"])
        return cls(**{**document, "entry_points": points, "requires": tuple(document["requires"])})

    def as_document(self) -> dict[str, Any]:
        """Write it as JSON."""
        return asdict(self)

    @property
    def places(self) -> tuple[str, ...]:
        """Where modules are looked for before all other places."""
        return () if self.path is None else (self.path,)

    @property
    def plugins(self) -> list[FoundPlugin]:
        """Its plugins, one for each entry point."""
        points = [EntryPoint(name, value, ENTRY_POINT_GROUP) for name, value in self.entry_points]
        # Nothing is remembered of these: their fingerprints only tell them from one another.
        return [FoundPlugin(point, self.distribution, self.version, f"{point.name}={point.value}") for point in points]

    @property
    def project_directory(self) -> Path:
        """The directory of its source.

        Raises:
            TargetError: It is not known.
        """
        if self.project is None:
            raise TargetError(f"The source of {self.distribution} is not at hand: name its directory.")
        return Path(self.project)

    def read_project(self) -> Project | None:
        """Read its `pyproject.toml`; None if it is not known where that is.

        Raises:
            TargetError: It cannot be read.
        """
        return None if self.project is None else Project.read(Path(self.project))


def target_of(name_or_path: str) -> Target:
    """Find a plugin by the path of its source, or by the name of a distribution, an entry point or a type.

    Raises:
        TargetError: There is none.
    """
    path = Path(name_or_path)
    if path.suffix == ".whl":
        raise TargetError("A wheel is checked when it is installed. To compare with one, use --since.")
    if "/" in name_or_path or name_or_path in {".", ".."} or (path / PROJECT_FILE).is_file():
        return target_at(path)
    return installed_target(name_or_path)


def target_at(directory: Path) -> Target:
    """Return the plugin whose source is in a directory; it need not be installed.

    Raises:
        TargetError: There is no plugin in it.
    """
    project = Project.read(directory.absolute())
    points = project.facts.get("entry-points", {}).get(ENTRY_POINT_GROUP)
    if not isinstance(points, dict) or not points:
        raise TargetError(
            f"{directory / PROJECT_FILE} declares no plugin: it needs a table [project.entry-points.wellhead]."
        )
    source = project.directory / "src"
    return Target(
        distribution=str(project.facts.get("name", "unknown")),
        version=str(project.facts.get("version", "0")),
        entry_points=tuple((str(name), str(value)) for name, value in points.items()),
        requires=tuple(_names(project.facts.get("dependencies", ()))),
        path=str(source if source.is_dir() else project.directory),
        project=str(project.directory),
    )


def installed_target(name: str) -> Target:
    """Return the installed plugin of this name: of its distribution, its entry point, or one of its types.

    Raises:
        TargetError: There is none.
    """
    found = find_plugins()
    for plugin in found:
        if name in {plugin.point.name, plugin.distribution} or normalized(name) == normalized(plugin.distribution):
            return _of_distribution(plugin.distribution, found)
    for loaded in load(found, trials=Trials(None)):
        if name in loaded.report.types:
            return replace(_of_distribution(loaded.report.distribution, found), type_name=name)
    names = ", ".join(sorted({plugin.distribution for plugin in found})) or "none"
    raise TargetError(f"No plugin and no type '{name}' is installed. Installed plugins: {names}.")


def wheel_target(wheel: Path, directory: Path) -> Target:
    """Return the plugin in a wheel, which need not be installed.

    Args:
        wheel: The wheel.
        directory: An empty directory to unpack it into, which stays there as long as it is looked at.

    Raises:
        TargetError: It is none, or has no plugin in it.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(directory)
        held = Distribution.at(next(directory.glob("*.dist-info")))
        points = tuple((point.name, point.value) for point in held.entry_points if point.group == ENTRY_POINT_GROUP)
        return Target(held.name, held.version, points, tuple(_names(held.requires or ())), path=str(directory))
    except (OSError, zipfile.BadZipFile, StopIteration, KeyError) as error:
        raise TargetError(f"{wheel} is no wheel of a plugin.") from error


def _of_distribution(name: str, found: list[FoundPlugin]) -> Target:
    own = [plugin for plugin in found if plugin.distribution == name]
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        raise TargetError(f"The metadata of {name} are damaged. Install it again.") from None
    directory = _source_of(installed)
    return Target(
        distribution=name,
        version=own[0].version,
        entry_points=tuple((plugin.point.name, plugin.point.value) for plugin in own),
        requires=tuple(_names(installed.requires or ())),
        project=None if directory is None else str(directory),
    )


def _source_of(installed: Distribution) -> Path | None:
    """Return the directory that a distribution was installed from in editable mode (PEP 610)."""
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return None
    directory = Path(unquote(urlsplit(origin["url"]).path))
    return directory if (directory / PROJECT_FILE).is_file() else None


def _names(requirements: object) -> Iterator[str]:
    for requirement in requirements if isinstance(requirements, list | tuple) else ():
        if (found := _REQUIREMENT.match(str(requirement))) is not None:
            yield normalized(found[1])
