"""Writes out what a page says by its words alone: the anchors of headings, and which definition a link means. So both
hold when the words become other ones.

Knows the three ways in which Docusaurus pages write ids. Must not know why the words change.
"""

import re
from collections.abc import Iterator

from backend.app.textbook.masking import Mask, mask, put_back
from backend.app.textbook.parser import Heading, parse_headings, split_lines
from backend.app.textbook.structure import StructureBlock, structure_of

_DEFINITION = re.compile(r"\[(?!\^)((?:[^\[\]\\]|\\.)+)\]:")
_SHORTCUT = re.compile(r"(?<!\])\[([^\[\]]{1,999})\](?:\[\]|(?![\[(:]))")
_CLOSING = re.compile(r"(?:[ \t]+#+)?[ \t\r]*\n?\Z")
_CLASSIC = re.compile(r"\{#[^{}\s]+\}\s*\Z")
_EXPRESSION = "{{/* #{} */}}"
_WRITTEN_CLASSIC = "{{#{}}}"
_HTML_COMMENT = "<!-- #{} -->"


def name_definitions(content: str) -> str:
    """The page with `[words][words]` for each `[words]` that means the definition `[words]: target`."""
    masked = mask(content)
    return put_back(_with_labels(masked.text, masked.masks), masked.masks)


def pin_headings(content: str) -> str:
    """The page with the id of each heading from h2 to h6 written out, as the page writes ids elsewhere (else as
    `{/* #id */}`). Headings that have one stay as they are, and so does a page without headings."""
    masked = mask(content)
    lines = split_lines(masked.text)
    syntax = _syntax(masked.masks)
    anchors = iter(parse_headings(content))
    for heading in structure_of(masked.text).blocks:
        if heading.name == "heading":
            anchor = _anchor_of(put_back(heading.text, masked.masks), heading, anchors)
            if anchor and "⟦H" not in heading.text:
                _write(lines, heading, anchor, syntax)
    return put_back("".join(lines), masked.masks)


def _with_labels(text: str, masks: tuple[Mask, ...]) -> str:
    defined = {_label(match[1]) for found in masks if (match := _DEFINITION.match(found.source))}

    def written_out(match: re.Match[str]) -> str:
        label = put_back(match[1], masks)
        return f"[{match[1]}][{label}]" if _label(label) in defined else match.group()

    return _SHORTCUT.sub(written_out, text) if defined else text


def _label(words: str) -> str:
    return " ".join(words.split()).casefold()


def _syntax(masks: tuple[Mask, ...]) -> str:
    ids = [found.source.strip() for found in masks if found.kind == "heading_id"]
    if any(_CLASSIC.match(written) for written in ids):
        return _WRITTEN_CLASSIC
    return _HTML_COMMENT if any(written.startswith("<") for written in ids) else _EXPRESSION


def _anchor_of(source: str, block: StructureBlock, headings: Iterator[Heading]) -> str:
    level = int(block.detail[1])
    alone = parse_headings(f"{'#' * level} {' '.join(source.split())}\n")
    shown = alone[0].text if alone else ""
    return next((known.anchor for known in headings if known.level == level and known.text == shown), "")


def _write(lines: list[str], heading: StructureBlock, anchor: str, syntax: str) -> None:
    """Behind the heading's last word: before a closing row of `#`, above the line of a setext heading. Docusaurus
    knows the classic syntax only in lines that begin with `#`; elsewhere it does not compile."""
    number = heading.end - (2 if heading.end - heading.line > 1 else 1)
    line = lines[number]
    closing = _CLOSING.search(line)
    at = closing.start() if closing else len(line)
    known = syntax if syntax != _WRITTEN_CLASSIC or line.startswith("#") else _EXPRESSION
    lines[number] = f"{line[:at]} {known.format(anchor)}{line[at:]}"
