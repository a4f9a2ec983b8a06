"""The reading order of pages: Docusaurus's sidebar generated from the folders.

Knows `_category_` files, positions and number prefixes. Siblings (pages and folders alike) are sorted by position,
those without one last, then by name; a folder's index page comes first in it. A hand-written sidebars.js is not read.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml

from backend.app.textbook.front_matter import mapping, number_setting, text_setting


class _Stripped(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def number(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Place:
    """What decides where a page stands. `source` is relative to the docs folder, with slashes."""

    source: str
    chapter_id: str
    position: float | None
    label: str


@dataclass(slots=True)
class _Folder:
    path: str  # relative to the docs folder; "" is the root
    pages: list[Place] = field(default_factory=list[Place])
    folders: dict[str, "_Folder"] = field(default_factory=dict[str, "_Folder"])


def reading_order(
    root: Path, places: Iterable[Place], strip_prefix: Callable[[str], _Stripped]
) -> tuple[list[tuple[str, str]], list[str]]:
    """([(source, label of its top folder, "" at the root)] in reading order, warnings)."""
    sorter = _Sorter(root, strip_prefix)
    return [(place.source, module) for place, module in sorter.walk(_tree(places))], sorter.warnings


@dataclass(slots=True)
class _Sorter:
    root: Path
    strip_prefix: Callable[[str], _Stripped]
    warnings: list[str] = field(default_factory=list[str])

    def walk(self, top: _Folder) -> list[tuple[Place, str]]:
        """Depth first without recursion: folders may be nested as deep as the file system allows."""
        found: list[tuple[Place, str]] = []
        stack: list[tuple[_Folder | Place, str]] = [(top, "")]
        while stack:
            item, module = stack.pop()
            if isinstance(item, Place):
                found.append((item, module))
                continue
            linked = None if item is top else self._linked_page(item)
            if linked is not None:
                found.append((linked, module))
            entries: list[tuple[tuple[bool, float, str], _Folder | Place, str]] = [
                (_key(page.position, page.source), page, module) for page in item.pages if page is not linked
            ]
            for folder in item.folders.values():
                position, label = self._category(folder)
                entries.append((_key(position, folder.path), folder, label if item is top else module))
            entries.sort(key=lambda entry: entry[0])
            stack.extend((entry, label) for _, entry, label in reversed(entries))
        return found

    def _category(self, folder: _Folder) -> tuple[float | None, str]:
        """(position, label) of a folder: its `_category_` file, then its index page, then its name."""
        settings = self._settings(folder)
        linked = self._linked_page(folder)
        stripped = self.strip_prefix(folder.path.rsplit("/", 1)[-1])
        position = number_setting(settings, "position")
        if position is None and linked is not None:
            position = linked.position
        if position is None:
            position = stripped.number
        label = text_setting(settings, "label") or (linked.label if linked else "") or stripped.name
        return position, label

    def _linked_page(self, folder: _Folder) -> Place | None:
        """The page that opens when a reader clicks on the folder."""
        settings = self._settings(folder, warn=False)
        link = mapping(settings.get("link"))
        if "link" in settings and link.get("type") != "doc":
            return None
        wanted = str(link.get("id", ""))
        if wanted:
            local = f"{self._stripped_path(folder.path)}/{wanted}"
            return next((page for page in folder.pages if page.chapter_id in (local, wanted)), None)
        names = ("index", "readme", folder.path.rsplit("/", 1)[-1].lower())
        stems = ((page, page.source.rsplit("/", 1)[-1].rsplit(".", 1)[0].lower()) for page in folder.pages)
        return next((page for page, stem in stems if stem in names), None)

    def _stripped_path(self, path: str) -> str:
        return "/".join(self.strip_prefix(part).name for part in path.split("/"))

    def _settings(self, folder: _Folder, *, warn: bool = True) -> dict[str, Any]:
        for name in ("_category_.json", "_category_.yml", "_category_.yaml"):
            path = self.root / folder.path / name
            if not path.is_file():
                continue
            try:
                text = path.read_bytes().decode("utf-8-sig")
                loaded: Any = json.loads(text) if name.endswith("json") else yaml.safe_load(text)
            except (ValueError, TypeError, yaml.YAMLError, RecursionError, OSError) as error:
                if warn:
                    reason = str(error).splitlines()[0]
                    self.warnings.append(f"{folder.path}/{name} cannot be read ({reason}); the folder's name is used")
                return {}
            return mapping(loaded)
        return {}


def _key(position: float | None, name: str) -> tuple[bool, float, str]:
    return (position is None, position or 0.0, name)


def _tree(places: Iterable[Place]) -> _Folder:
    top = _Folder("")
    for place in places:
        folder = top
        parts = place.source.split("/")[:-1]
        for depth, part in enumerate(parts):
            folder = folder.folders.setdefault(part, _Folder("/".join(parts[: depth + 1])))
        folder.pages.append(place)
    return top
