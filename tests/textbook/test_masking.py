"""What must not change becomes marks and comes back byte for byte, whatever the text is."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backend.app.lifespan import SAMPLE_BOOK
from backend.app.textbook.masking import MARK, BrokenMarks, mask, unmask

EDGE = Path(__file__).parent / "data" / "docusaurus-edge"
PAGES = sorted([*SAMPLE_BOOK.rglob("*.md*"), *EDGE.rglob("*.md*")])

MASKED = {
    "a `b` ``c ` d`` e": "a ⟦C1⟧ ⟦C2⟧ e",
    "see\n\n```py title='x'\na = {`\n```\n\nend": "see\n\n⟦K1⟧\n\nend",
    "- a\n  ~~~\n  x\n  ~~~\n- b": "- a\n  ⟦K1⟧\n- b",
    "> ```\n> x\n> ```\n\nb": "> ⟦K1⟧\n\nb",
    "```\nnever closed": "⟦K1⟧",
    "$x_{1}$ is $5 or $6.": "⟦F1⟧ is ⟦X2⟧5 or ⟦X3⟧6.",
    "a\n\n$$\nx\n$$\n": "a\n\n⟦M1⟧\n",
    'a [b *c*](https://d.e/f_(g) "T") h': "a [b *c*](⟦L1⟧) h",
    "a [b][c] and [d] and [ ] x[0]": "a [b][⟦L1⟧] and [d] and [ ] x[0]",
    "a ![b](c.png) ![d][e] [![f](g)](h)": "a ⟦I1⟧ ⟦I2⟧ [⟦I3⟧](⟦L4⟧)",
    "at https://a.b/c_(d). (www.e.f), g@h.io!": "at ⟦L1⟧. (⟦L2⟧), ⟦L3⟧!",
    "[a]: https://b.c 'd'\n": "⟦G1⟧\n",
    "a[^1]\n\n[^1]: b": "a⟦N1⟧\n\n⟦D2⟧b",
    "<Tabs>\n<TabItem value='a'>\n\nb\n\n</TabItem>\n</Tabs>": "⟦J1⟧\n⟦J2⟧\n\nb\n\n⟦J3⟧\n⟦J4⟧",
    "<Foo\n  a={{b: 1}}\n/>\n": "⟦J1⟧\n",
    "> <Foo\n>   a={1}\n> />\n": "> ⟦J1⟧\n",
    "<summary>A <b>c</b><br/></summary>": "⟦T1⟧A ⟦T2⟧c⟦Y3⟧⟦S4⟧⟦Y5⟧",
    "{/* a */}\n\nb {c} d {/* e */}": "⟦B1⟧\n\nb ⟦E2⟧ d ⟦E3⟧",
    "<!-- a\nb -->\n\nc": "⟦B1⟧\n\nc",
    "import A from 'a';\nimport B from 'b';\n\nexport const c = {\n\n};\n\nd": "⟦P1⟧\n\n⟦P2⟧\n\nd",
    "Import this.\n\nexporting is fine": "Import this.\n\nexporting is fine",
    ":::note A *b*\n\nc\n\n:::": "⟦A1⟧A *b*\n\nc\n\n⟦Z2⟧",
    ":::tip[A]{.b}\nc\n:::": "⟦A1⟧A⟦X2⟧\nc\n⟦Z3⟧",
    ":::note\na\n:::": "⟦O1⟧\na\n⟦Z2⟧",
    "## A {#b}\n### C {/* #d */} ##\n## E <!-- #f -->": "## A ⟦H1⟧\n### C ⟦H2⟧ ##\n## E ⟦H3⟧",
    "A\n===\n\nB\n---\n\n---\n": "A\n⟦U1⟧\n\nB\n⟦V2⟧\n\n⟦R3⟧\n",
    "a &lt; \\{b\\} < c { d }": "a ⟦X1⟧ ⟦X2⟧b⟦X3⟧ ⟦X4⟧ c ⟦E5⟧",
    "a  \nb\\\nc  \n- d": "a⟦X1⟧b⟦X2⟧c  \n- d",
    "- [ ] a\n- [x] b": "- ⟦X1⟧ a\n- ⟦X2⟧ b",
    "| a | `b` |\n|---|---|\n| c \\| d | e |": "| a | ⟦C1⟧ |\n|---|---|\n| c ⟦X2⟧ d | e |",
    "a ⟦C1⟧ b": "a ⟦X1⟧C1⟦X2⟧ b",
    "---\ntitle: a\n---\n\nb": "⟦W1⟧\n\nb",
    "---\n\nNo matter.\n\n---\n\nb": "⟦R1⟧\n\nNo matter.\n\n⟦R2⟧\n\nb",
    "\ufeff---\r\na: b\r\n---\r\nc `d\r\ne` f": "\ufeff⟦W1⟧\nc ⟦C2⟧ f",
}


@pytest.mark.parametrize("source", MASKED)
def test_what_a_model_reads(source: str) -> None:
    masked = mask(source)
    assert masked.text == MASKED[source]
    assert unmask(masked.text, masked) == source
    assert mask(source) == masked


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_come_back_byte_for_byte(path: Path) -> None:
    page = path.read_bytes().decode()
    for text in (page, page.replace("\n", "\r\n"), page.replace("\n", "\r"), "\ufeff" + page):
        masked = mask(text)
        assert unmask(masked.text, masked) == text
        assert not set("<{}`$\\") & set(masked.text)


SIGNS = (
    "` `` ``` ~~~ $ $$ { } < > </ /> <b> </b> <A\u00a0b={ <!-- --> {/* */} [ ] ( ) ![ ]: [^1] [^1]: ::: :::note"
    " --- === | \\ ⟦ ⟧ ⟦C1⟧ &amp; & https://a.b @ * ** _ 0 word \u2028 \ufeff"
)
LINES = (
    "# ",
    "- ",
    "1. ",
    "> ",
    "a b",
    "import a",
    "export {",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "  \n",
    "\\\n",
    "\t",
    "    ",
)
PARTS = (*SIGNS.split(" "), *LINES)


@given(st.lists(st.sampled_from(PARTS), max_size=60).map("".join))
@example("> ```\r")
@example(":::note[^1]\\]:$$)a https://a.b")
def test_every_text_comes_back(text: str) -> None:
    masked = mask(text)
    assert unmask(masked.text, masked) == text
    assert not set("<{}`$\\") & set(masked.text)
    assert [found.mark for found in masked.masks] == MARK.findall(masked.text)


HOSTILE_SIGNS = "< ` $ { [ ]( ![a]( <!-- \\ http://) :::note[]{ ${` `a`` ⟦ | *"
HOSTILE_LINES = (
    "{\n",
    "$$a\n",
    "> ```\n\n",
    "import {\n\n",
    "{a\n\n",
    "[a]: b\n",
    "- ",
    "> ",
    "a  \n",
    "``` ",
    "<a b='",
    "<a b={",
)
HOSTILE = (*HOSTILE_SIGNS.split(" "), *HOSTILE_LINES)


@pytest.mark.parametrize("part", HOSTILE)
def test_hostile_text_ends(part: str) -> None:
    """A quadratic step would take minutes here."""
    text = (part * 60_000)[:60_000]
    masked = mask(text)
    assert unmask(masked.text, masked) == text


def test_a_reply_with_broken_marks_is_named() -> None:
    masked = mask("a `b` and `c`\n")
    with pytest.raises(BrokenMarks) as broken:
        unmask("⟦C2⟧ und ⟦C2⟧ ⟦C3⟧ ⟦C2", masked)
    assert broken.value.problems == (
        "The mark ⟦C1⟧ is missing.",
        "The mark ⟦C2⟧ is there 2 times instead of once.",
        "The mark ⟦C3⟧ is not one of the source's.",
        "The mark ⟦ is not one of the source's.",
    )


def test_a_block_gets_its_lines_back_whatever_surrounds_it() -> None:
    source = "\n1. Run:\n\n   ```sh\n   a\n   ```\n\n> Text\n>\n> $$\n> x\n> $$\n\n- `b`\n- ```\n  c\n  ```\n\n<A>\n"
    masked = mask(source)
    reply = re.sub(r"\n+[ >]*(⟦[KMJ]\d+⟧)\n*", r"\n  \1 \n", masked.text).replace("- ", "* ").strip()
    assert reply != masked.text
    assert unmask(reply, masked) == source.replace("- ", "* ")


def test_words_are_what_is_left_to_adapt() -> None:
    assert mask("# ⟦ `code` 12 --- \n\n```\nmany words\n```\n\n$x$ https://a.b\n").words == 0
    assert mask("It's a well-known 3D `x` robot.").words == 5
    assert mask("یہ ایک روبوٹ ہے۔").words == 4
