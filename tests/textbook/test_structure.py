"""A reply with another structure is refused with a sentence that says why; an honest translation is not."""

import re
from collections.abc import Callable

import pytest

from backend.app.lifespan import SAMPLE_BOOK
from backend.app.textbook.docusaurus import read_book
from backend.app.textbook.masking import mask
from backend.app.textbook.sectioning import split_chapter
from backend.app.textbook.structure import differences, structure_of, top_blocks
from tests.fixtures.mdx import pseudo_translated

SOURCE = mask("""## Robots move

A **robot** is a machine,
and `ros2` runs it. See [the docs](https://a.b) <kbd>now</kbd>.

- first *item*
- second item
  - inner item

1. one
2. two

| Name | Use |
|------|-----|
| `a` | first row |
| b | second row |

> A quote of words.

:::note Mind this

Text in a note[^1].

:::

```py
code
```

[^1]: The footnote.
""").text

HONEST: dict[str, Callable[[str], str]] = {
    "the source itself": str,
    "other words": pseudo_translated,
    "lines joined": lambda text: text.replace("machine,\nand", "machine, and"),
    "lines cut": lambda text: text.replace("is a machine,", "is\na machine,"),
    "other bullets": lambda text: re.sub(r"(?m)^( *)- ", r"\1* ", text),
    "a loose list": lambda text: text.replace("- second", "\n- second"),
    "no blank lines around code": lambda text: text.replace("\n\n⟦K", "\n⟦K"),
    "more blank lines": lambda text: text.replace("\n\n", "\n\n\n"),
    "indented marks": lambda text: re.sub(r"(?m)^(⟦[KZ])", r"   \1", text),
    "emphasis elsewhere": lambda text: text.replace("first *item*", "*first item*"),
    "no emphasis": lambda text: text.replace("*item*", "item"),
    "marks in another order": lambda text: text.replace("⟦C1⟧ runs it. See", "See ⟦C1⟧ run"),
    "stripped": str.strip,
    "narrow table": lambda text: text.replace("|------|-----|", "|---|---|"),
}

HOSTILE: dict[str, tuple[Callable[[str], str], str]] = {
    "a heading more": (lambda text: text + "\n## More\n", "1 headings of level 2, your text has 2"),
    "another level": (lambda text: text.replace("## ", "### "), "headings of level 2, your text has none"),
    "a heading less": (lambda text: text.replace("## ", ""), "headings of level 2, your text has none"),
    "a setext heading": (lambda text: text.replace("\n\n- first", "\n---\n\n- first"), "no headings|has 2"),
    "items merged": (lambda text: text.replace("*\n- second", "* second"), "5 list items, your text has 4"),
    "an item less": (lambda text: text.replace("2. two\n", ""), "5 list items, your text has 4"),
    "another depth": (lambda text: text.replace("  - inner", "- inner"), "in bullet_list"),
    "a list of paragraphs": (lambda text: re.sub(r"(?m)^ *(-|\d\.) ", "\n", text), "list items, your text has none"),
    "another kind of list": (lambda text: re.sub(r"(?m)^\d\. ", "- ", text), "Where the source has"),
    "a row less": (lambda text: text.replace("| b | second row |\n", ""), "table rows"),
    "a cell less": (lambda text: text.replace("| b | second row |", "| b |"), "row"),
    "a cell more": (lambda text: text.replace("| b | second row |", "| b | second | row |"), "row"),
    "a column less": (lambda text: re.sub(r"(?m)\|[^|\n]*\|$", "|", text), "table columns"),
    "an emptied cell": (lambda text: text.replace("second row", " "), "td"),
    "no quote": (lambda text: text.replace("> A", "A"), "block quotes, your text has none"),
    "a fence of its own": (lambda text: text + "\n```\nx\n```\n", "code fences of its own"),
    "an open fence": (lambda text: text.replace("A **robot**", "```\nA **robot**"), "code fences of its own"),
    "HTML": (lambda text: text.replace("second item", "second <b>item</b>"), "'<'"),
    "a brace": (lambda text: text.replace("second item", "{second}"), "'{'"),
    "a formula": (lambda text: text.replace("second item", "$x$"), "'\\$'"),
    "a backslash": (lambda text: text.replace("⟦C1⟧", "\\⟦C1⟧"), "outside of the marks"),
    "an import": (lambda text: text.replace("A **robot**", "import **robot**"), "import"),
    "a directive": (lambda text: text + "\n:::tip\n", ":::"),
    "a definition": (lambda text: text + "\n[x]: y\n", "definition"),
    "a link taken apart": (lambda text: text.replace("[the docs](", "the docs ("), "has to stay one"),
    "an empty link": (lambda text: text.replace("[the docs]", "the docs []"), "has to stay one"),
    "a link with a gap": (lambda text: text.replace("docs](", "docs] ("), "has to stay one"),
    "tags crossed": (lambda text: re.sub(r"(⟦T\d+⟧)now(⟦Y\d+⟧)", r"\2now\1", text), "have to enclose"),
    "tags across emphasis": (lambda text: re.sub(r"(⟦T\d+⟧)now(⟦Y\d+⟧)", r"**\1now** \2", text), "have to enclose"),
    "a mark elsewhere": (lambda text: text.replace("⟦C1⟧ ", "").replace("second row", "⟦C1⟧"), "⟦C1⟧ is not where"),
    "code in a line": (lambda text: re.sub(r"\n\n(⟦K\d+⟧)\n", r" \1 ", text), "stand alone"),
    "the note's end moved": (lambda text: re.sub(r"(?s)(⟦Z\d+⟧)\n\n(⟦K\d+⟧)", r"\2\n\n\1", text), "Where the source"),
    "a footnote in a line": (lambda text: re.sub(r"\n(⟦D\d+⟧)", r"and \1", text), "footnotes"),
    "bold lost": (lambda text: text.replace("**", ""), "not bold any more"),
    "bold that does not close": (lambda text: text.replace("**robot**", "** robot **"), "not bold|do not close"),
    "two paragraphs": (lambda text: text.replace("machine,\n", "machine.\n\n"), "paragraphs"),
    "a rule": (lambda text: text + "\n---\n", "lines of dashes"),
    "nothing": (lambda text: "", "your text has none"),
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_translations_pass(name: str) -> None:
    assert differences(SOURCE, HONEST[name](SOURCE)) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_other_structures_are_refused_with_the_reason(name: str) -> None:
    change, reason = HOSTILE[name]
    reply = change(SOURCE)
    assert reply != SOURCE
    found = differences(SOURCE, reply)
    assert found
    assert re.search(reason, " ".join(found)), found


def test_a_tag_is_not_left_alone_on_a_line() -> None:
    source = mask("See <span>the **robot**</span> here.").text
    assert differences(source, source.replace(" ⟦T1⟧", "\n⟦T1⟧\n"))
    assert differences(source, source.replace(" here", "\nhere")) == []


def test_a_list_that_counts_from_three_still_does() -> None:
    assert differences("3. a\n4. b\n", "3. x\n4. y\n") == []
    assert differences("3. a\n4. b\n", "1. x\n2. y\n")


def test_every_piece_of_a_book_is_like_itself_with_other_words() -> None:
    for chapter in read_book(SAMPLE_BOOK).chapters:
        for piece in split_chapter(chapter.content, chapter.title):
            masked = mask(piece.text)
            assert differences(masked.text, pseudo_translated(masked.text)) == []


def test_blocks_say_where_they_stand() -> None:
    blocks = structure_of("# A\n\n> - b\n>   c\n\n⟦K1⟧\n").blocks
    assert [(block.name, block.detail, block.around, block.line) for block in blocks] == [
        ("heading", "h1", (), 0),
        ("quote", "", (), 2),
        ("item", "bullet_list", ("blockquote", "bullet_list"), 2),
        ("paragraph", "", ("blockquote", "bullet_list"), 2),
        ("mark", "⟦K1⟧", (), 5),
    ]
    assert [(top.name, top.line, top.level) for top in top_blocks("# A\n\n> b\n\nc\n⟦V2⟧\n")] == [
        ("heading", 0, 1),
        ("blockquote", 2, 0),
        ("heading", 4, 2),
    ]


@pytest.mark.parametrize(
    "part", ["[", "](", "*", "_a", "- ", "> ", "|", "![", "~~", "⟦L1⟧](", "1. ", "# a\n", "a\n\n"]
)
def test_hostile_text_is_compared(part: str) -> None:
    text = (part * 20_000)[:20_000]
    assert differences(text, text) == []
