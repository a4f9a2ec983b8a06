"""The YAML block above a page, read so that a broken one costs a warning and never the page."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

import frontmatter
import yaml

_BLOCK = re.compile(r"\A-{3,}[ \t]*\n(.*?)^-{3,}[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_SIMPLE_LINE = re.compile(r"^([A-Za-z_]\w*):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def split_front_matter(text: str) -> tuple[dict[str, Any], str, str]:
    """(settings, body, problem). `text` has LF line ends and no BOM. When the YAML is broken, `problem` says
    how, and the settings are what its plain `key: value` lines say: the usual culprit is an unquoted colon."""
    block = _BLOCK.match(text)
    if block is None:
        return {}, text, ""
    body = text[block.end() :]
    try:
        loaded: Any = frontmatter.loads(text[: block.end()]).metadata  # pyright: ignore[reportUnknownMemberType]
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return _simple_settings(block.group(1)), body, f"front matter is not valid YAML ({reason}); read line by line"
    return mapping(loaded), body, ""


def with_title(block: str, title: str, *, add: bool) -> str:
    """The block (fences and all, or "") with another title and everything else as it was. Without a title of its own
    it gets one only when `add`; a broken block stays as it is."""
    quoted = json.dumps(title, ensure_ascii=False)
    if not block.strip():
        return f"---\ntitle: {quoted}\n---\n\n" if add else block
    match = _BLOCK.match(block)
    try:
        root = cast("yaml.Node | None", yaml.compose(match[1], Loader=yaml.SafeLoader)) if match else None  # pyright: ignore[reportUnknownMemberType]
    except yaml.YAMLError:
        return block
    if match is None or (root is not None and not isinstance(root, yaml.MappingNode)):
        return block
    start = match.start(1)
    for key, value in root.value if root else ():
        if key.value == "title":
            old = match[1][value.start_mark.index : value.end_mark.index]
            end = start + value.end_mark.index - (len(old) - len(old.rstrip()))
            return f"{block[: start + value.start_mark.index]}{quoted}{block[end:]}"
    return f"{block[:start]}title: {quoted}\n{block[start:]}" if add and not (root and root.flow_style) else block


def mapping(value: object) -> dict[str, Any]:
    """A loaded YAML or JSON value as settings; anything else than an object is no settings."""
    return (
        {str(key): entry for key, entry in cast("dict[Any, Any]", value).items()} if isinstance(value, dict) else {}
    )


def text_setting(settings: Mapping[str, Any], name: str) -> str:
    """A setting as text; numbers and dates as YAML shows them; "" when it is missing or no scalar."""
    value = settings.get(name)
    return "" if value is None or isinstance(value, bool | list | dict) else str(value).strip()


def number_setting(settings: Mapping[str, Any], name: str) -> float | None:
    """A setting as a number; None when it is missing or not a finite number."""
    try:
        number = float(settings[name]) if not isinstance(settings[name], bool) else None
    except (KeyError, TypeError, ValueError):
        return None
    return number if number is not None and abs(number) < 1e15 else None


def flag_setting(settings: Mapping[str, Any], name: str, default: bool = False) -> bool:
    """A setting as yes or no; "true" in quotes counts, as it does for Docusaurus."""
    value = settings.get(name)
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower(), default)
    return value if isinstance(value, bool) else default


def _simple_settings(block: str) -> dict[str, Any]:
    return {
        match[1]: match[2].strip("'\"") for match in _SIMPLE_LINE.finditer(block) if match[2] not in ("", "|", ">")
    }
