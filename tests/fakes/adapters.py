"""What Claude might make of a piece that is to be rewritten for a level: a good reply, and the bad ones.

    claude.adapts(adapters.good)
    claude.adapts(adapters.HOSTILE["number_changed"])

Each is a function from the request to the reply's text (and its stop_reason), made of the masked piece in it. Knows
the request's tags and Markdown, and none of the code that judges the replies. A bad one returns the good reply where
the piece has nothing to spoil.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

Body = Mapping[str, Any]
Said = str | tuple[str, str]

LABELS = {
    "beginner": ("Definition", "Example", "Step by step"),
    "intermediate": ("Tip", "Common mistake", "Optimization"),
    "advanced": ("Research", "Technique", "Trade-off"),
}
WORDS = {
    "Definition": "A term is a word with one meaning. We use it the same way each time.",
    "Example": "Think of a toy car with 3 wheels. It can roll, but it can tip over too.",
    "Step by step": "\n1. Read the text.\n2. Try it out.\n3. Look at what you get.",
    "Tip": "Try this first with a small case, and write down what you see.",
    "Common mistake": "People often change several things at once and cannot tell which of them helped.",
    "Optimization": "Measure before you change anything, and keep the version that was faster.",
    "Research": "Model predictive control is worth a look.",
    "Technique": "Warm starting helps here.",
    "Trade-off": "Speed often costs accuracy.",
}
_GAPS = re.compile(
    r"(?<=[^\W\d_]{2})[,;:]? (?=(?:and|but|because|which|that|so|when|while|where|if|with|for|to|from|by|as|or|in|on"
    r"|of|at|is|are|can|must|the|an?)\b)"
)
_WHOLE = re.compile(r"(\*\*|__|\*|_)(?=\S).+?\1|!?\[[^\]]*\](?:\(⟦\w+⟧\))?|⟦\w+⟧|“[^”]*”|\"[^\"]*\"|\([^)]*\)")
_PROSE = re.compile(r"^(?P<mark>[ \t]*(?:>[ \t]?)*(?:(?:[-*+]|\d+[.)])[ \t]+)?)(?P<words>[^\s#|>⟦].*)$")
_NO_PROSE = re.compile(r"^[ \t>]*(?:#|\||⟦|$)")


def piece_of(body: Body) -> str:
    """The masked text of the request's piece."""
    found = re.search(r"<piece>\n(.*)\n</piece>", _asked(body), re.DOTALL)
    assert found, "the request has no piece"
    return found[1]


def level_of(body: Body) -> str:
    found = re.search(r"<level>(\w+)</level>", _asked(body))
    assert found, "the request names no level"
    return found[1]


def good(body: Body) -> str:
    """The piece with shorter sentences for a beginner, and an added block where there is room for one."""
    piece, level = piece_of(body), level_of(body)
    text = _in_short_sentences(piece, _terms(body)) if level == "beginner" else piece
    if level == "advanced":
        return _for_experts(piece, _terms(body))
    for label in reversed(LABELS[level][: 2 if len(piece.split()) > 60 else 1]):
        text = _with_quote(text, label) if len(piece.split()) > 15 else text
    return text


def _for_experts(piece: str, terms: tuple[str, ...]) -> str:
    """One short block where a fifth more leaves room for it, else other sentences."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"⟦\w+⟧", "", piece))
    for label in ("Research", "Trade-off"):
        block = quote(label, WORDS[label])
        if 5 * len(block) < len("".join(words)) and 6 * len(block.split()) < len(words):
            return _with_quote(piece, label)
    return _in_short_sentences(piece, terms)


def quote(label: str, words: str) -> str:
    lines = f"**{label}:** {words}".split("\n")
    return "\n".join(f"> {line.strip()}".rstrip() for line in lines)


def _asked(body: Body) -> str:
    content = body["messages"][0]["content"]
    return content if isinstance(content, str) else "\n".join(block["text"] for block in content)


def _terms(body: Body) -> tuple[str, ...]:
    found = re.search(r"<terms>(.*?)</terms>", _asked(body), re.DOTALL)
    return tuple(term.strip() for term in found[1].split("\n") if term.strip()) if found else ()


def _with_quote(text: str, label: str) -> str:
    """An added block below the first paragraph that is followed by no list, or at the end."""
    parts = text.split("\n\n")
    for number, part in enumerate(parts[:-1]):
        following = parts[number + 1]
        if _PROSE.match(part) and not _is_item(part) and not _is_item(following) and not part.startswith(">"):
            return "\n\n".join([*parts[: number + 1], quote(label, WORDS[label]), *parts[number + 1 :]])
    return f"{text.rstrip()}\n\n{quote(label, WORDS[label])}"


def _is_item(part: str) -> bool:
    return re.match(r"[ \t]*(?:[-*+]|\d+[.)])[ \t]|[ \t]|>", part) is not None


def _in_short_sentences(text: str, terms: tuple[str, ...]) -> str:
    return "\n".join(line if _NO_PROSE.match(line) else _short_line(line, terms) for line in text.split("\n"))


def _short_line(line: str, terms: tuple[str, ...]) -> str:
    prose = _PROSE.match(line)
    if not prose:
        return line
    sentences = re.split(r"(?<=[.!?])(?=\s)", prose["words"])
    return prose["mark"] + "".join(_parted(sentence, terms) for sentence in sentences)


def _parted(sentence: str, terms: tuple[str, ...]) -> str:
    """Long sentences in two, again and again, at the gap nearest to the middle."""
    if len(sentence.split()) < 9:
        return sentence
    whole = [match.span() for match in _WHOLE.finditer(sentence)]
    whole += [match.span() for term in terms for match in re.finditer(re.escape(term), sentence, re.IGNORECASE)]
    gaps = [gap for gap in _GAPS.finditer(sentence) if not any(start < gap.start() < end for start, end in whole)]
    gaps = [gap for gap in gaps if 3 <= len(sentence[: gap.start()].split()) <= len(sentence.split()) - 3]
    if not gaps:
        return sentence
    gap = min(gaps, key=lambda gap: abs(gap.start() - len(sentence) / 2))
    first, second = sentence[: gap.start()], sentence[gap.end() :]
    return f"{_parted(first, terms)}. {_parted(second[0].upper() + second[1:], terms)}"


# --- hostile ones: each spoils one thing of the good reply


def _spoiled(spoil: Callable[[str, str, str], str | None]) -> Callable[[Body], Said]:
    """`spoil(reply, piece, level)`; None: there is nothing to spoil."""

    def adapter(body: Body) -> Said:
        reply = good(body)
        return spoil(reply, piece_of(body), level_of(body)) or reply

    return adapter


def _replaced(pattern: str, replacement: str | Callable[[re.Match[str]], str], text: str) -> str | None:
    """The first match replaced; None when there is none."""
    spoiled = re.sub(pattern, replacement, text, count=1, flags=re.MULTILINE)
    return spoiled if spoiled != text else None


def _bold_lost(reply: str, _piece: str, _level: str) -> str | None:
    return _replaced(r"(?<!> )(?<![*\w])\*\*(?=\w)([^*\n:.⟦]{2,40})(?<=\w)\*\*(?![*\w])", "it", reply)


def _term_replaced(reply: str, _piece: str, _level: str) -> str | None:
    spoiled = re.sub(r"(?<!> )(?<![*\w])\*\*(?=\w)([^*\n:.⟦]{2,40})(?<=\w)\*\*(?![*\w])", "**thing**", reply)
    return spoiled if spoiled != reply else None


def _number_changed(reply: str, piece: str, _level: str) -> str | None:
    number = re.search(r"(?<=[ (])\d+(?:\.\d+)?(?= \w)", "\n".join(re.findall(r"^[A-Za-z].*", piece, re.MULTILINE)))
    return reply.replace(f" {number[0]} ", " 77.7 ") if number and f" {number[0]} " in reply else None


def _count_changed(reply: str, piece: str, _level: str) -> str | None:
    word = re.search(r"\b(?:two|three|four|five|six)\b", piece)
    return re.sub(rf"\b{word[0]}\b", "nine", reply, count=1) if word and re.search(rf"\b{word[0]}\b", reply) else None


def _heading_reworded(reply: str, _piece: str, _level: str) -> str | None:
    return _replaced(r"^(#{1,6}) (.+?)( ⟦\w+⟧)?$", r"\1 All about it\3", reply)


def _heading_added(reply: str, _piece: str, _level: str) -> str | None:
    return f"{reply.rstrip()}\n\n## Summary\n\nThat was all."


def _url(reply: str, _piece: str, _level: str) -> str | None:
    return f"{reply.rstrip()} See https://robots.example.org/guide for more."


def _linked(reply: str, _piece: str, level: str) -> str | None:
    return f"{reply.rstrip()}\n\n{quote(LABELS[level][0], 'Read [the guide](https://example.org/guide) on this.')}"


def _doi(reply: str, _piece: str, level: str) -> str | None:
    return f"{reply.rstrip()}\n\n{quote(LABELS[level][0], 'This was shown in doi:10.1109/tro.2019.12345 long ago.')}"


def _arxiv(reply: str, _piece: str, level: str) -> str | None:
    return (
        f"{reply.rstrip()}\n\n{quote(LABELS[level][0], 'More on this is in arXiv preprint 1707.06347 on the web.')}"
    )


def _author(reply: str, _piece: str, level: str) -> str | None:
    return f"{reply.rstrip()}\n\n{quote(LABELS[level][0], 'This goes back to earlier work (Karlsson, 2021) too.')}"


def _et_al(reply: str, _piece: str, level: str) -> str | None:
    return f"{reply.rstrip()}\n\n{quote(LABELS[level][0], 'Karlsson et al. have shown that this works well.')}"


def _too_long(reply: str, _piece: str, level: str) -> str | None:
    more = "The same can be said in many other ways, and each of them takes its own time to read and to understand."
    return f"{reply.rstrip()} " + " ".join([more] * (10 + len(reply.split()) // 12))


def _too_many_blocks(reply: str, _piece: str, level: str) -> str | None:
    label = LABELS[level][0]
    return reply.rstrip() + f"\n\n{quote(label, WORDS[label])}" * (4 + len(reply.split()) // 50)


def _harder(reply: str, piece: str, level: str) -> str | None:
    """A beginner's text made harder: one endless sentence in words of many syllables."""
    if level != "beginner" or len(piece.split()) < 20:
        return None
    hard = (
        "Notwithstanding considerable terminological heterogeneity, the aforementioned conceptualization necessitates"
        " comprehensive interdisciplinary familiarity with computational methodologies, architectural considerations"
        " and the organizational particularities of heterogeneous infrastructural environments"
    )
    return f"{piece.rstrip()}\n\n> **Definition:** {hard}, {hard[0].lower()}{hard[1:]}."


def _unchanged_for_beginners(_reply: str, piece: str, level: str) -> str | None:
    """The source's own long sentences, with an added block that is easy to read."""
    prose = [line for line in piece.split("\n") if _PROSE.match(line) and line.endswith(".")]
    words = " ".join(prose).split()
    is_hard = len(words) >= 45 and len(words) >= 15 * sum(word.endswith((".", ":")) for word in words)
    return f"{piece.rstrip()}\n\n{quote('Example', WORDS['Example'])}" if level == "beginner" and is_hard else None


def _paragraph_dropped(reply: str, piece: str, _level: str) -> str | None:
    """The longest paragraph without marks."""
    own = [part for part in reply.split("\n\n") if re.match(r"[A-Za-z]", part) and "⟦" not in part]
    longest = max(own, key=len, default="")
    return reply.replace(f"{longest}", "", 1) if len(longest.split()) >= 25 else None


def _mark_dropped(reply: str, _piece: str, _level: str) -> str | None:
    return _replaced(r"⟦\w+⟧", "", reply)


def _mark_doubled(reply: str, _piece: str, _level: str) -> str | None:
    return _replaced(r"⟦C\d+⟧", lambda mark: f"{mark[0]} and {mark[0]}", reply)


def _mark_moved(reply: str, _piece: str, level: str) -> str | None:
    """The code stands in an added block instead of where it was."""
    mark = re.search(r"⟦[CF]\d+⟧", reply)
    if not mark:
        return None
    rest = reply.replace(mark[0], "it", 1).rstrip()
    return f"{rest}\n\n{quote(LABELS[level][0], f'Look at {mark[0]} once more before you go on.')}"


def _item_lost(reply: str, _piece: str, _level: str) -> str | None:
    return _replaced(r"^[ \t]*(?:[-*+]|\d+[.)])[ \t]+[^⟦\n]+\n", "", reply)


def _row_lost(reply: str, _piece: str, _level: str) -> str | None:
    return _replaced(r"^\|[^-⟦\n][^⟦\n]*\n(?!\|[-: |]+$)", "", reply)


def _unlabelled(reply: str, _piece: str, _level: str) -> str | None:
    return f"{reply.rstrip()}\n\n> Think of a cat that learns to jump onto a table."


def _wrong_label(reply: str, _piece: str, level: str) -> str | None:
    label = "Trade-off" if level == "beginner" else "Example"
    return f"{reply.rstrip()}\n\n{quote(label, 'Some words that would be fine below another label.')}"


def _paragraph_added(reply: str, _piece: str, level: str) -> str | None:
    """What should be an added block, as prose, with a number of its own."""
    return f"{reply.rstrip()}\n\nIn practice it is 42 times faster to begin with the smallest case."


def _labelled_paragraph(reply: str, _piece: str, level: str) -> str | None:
    """An added block that is no quote."""
    label = LABELS[level][0]
    return f"{reply.rstrip()}\n\n**{label}:** {WORDS[label].strip()}"


def _off_topic(reply: str, _piece: str, _level: str) -> str | None:
    return (
        f"{reply.rstrip()}\n\nBread rises because yeast makes gas, so the baker kneads the dough, lets it rest in a"
        " warm kitchen and shapes it into loaves."
    )


def _refusal(reply: str, _piece: str, _level: str) -> str | None:
    return "I'm sorry, but I can't help with rewriting this text."


def _empty(reply: str, _piece: str, _level: str) -> str | None:
    return " \n"


def _commentary(reply: str, _piece: str, _level: str) -> str | None:
    return f"Here is the rewritten text:\n\n{reply}"


def _farewell(reply: str, _piece: str, _level: str) -> str | None:
    return f"{reply.rstrip()}\n\nI hope this helps! Let me know if you want another version."


def _fenced(reply: str, _piece: str, _level: str) -> str | None:
    return f"```markdown\n{reply}\n```"


def _html(reply: str, _piece: str, _level: str) -> str | None:
    return f'{reply.rstrip()} <img src="x" onerror="alert(1)" />'


def _fence_added(reply: str, _piece: str, level: str) -> str | None:
    return f"{reply.rstrip()}\n\n```python\nprint('hello')\n```"


def _other_text(reply: str, _piece: str, _level: str) -> str | None:
    return (
        "Bread rises because yeast makes gas. The baker kneads the dough, lets it rest in a warm place, and shapes it"
        " into loaves. After an hour in the oven the crust is brown and the kitchen smells of it."
    )


def _cell_changed(reply: str, _piece: str, _level: str) -> str | None:
    return _replaced(r"^\|(?![-: ]+\|)[^|\n⟦]*[A-Za-z][^|\n⟦]*\|", "| Thing |", reply)


def _columns_swapped(reply: str, _piece: str, _level: str) -> str | None:
    return _replaced(r"^\|(?![-: ]+\|)([^|\n⟦]*)\|([^|\n⟦]*)\|", r"|\2|\1|", reply)


def _unit_changed(reply: str, _piece: str, _level: str) -> str | None:
    return _replaced(r"(?<=\d )(?:ms|kHz|Hz|MHz|m|km|kg|N)(?![\w/·²])", "GB", reply)


def _picture(reply: str, _piece: str, _level: str) -> str | None:
    return _replaced(r"(?<=[a-z])\. ", " 🚀. ", reply)


def _foreign_word(reply: str, _piece: str, _level: str) -> str | None:
    return _replaced(r"(?<=[a-z]) the (?=[a-z])", " یہ ", reply)


def _footnote_in_block(reply: str, _piece: str, level: str) -> str | None:
    return f"{reply.rstrip()}\n\n{quote(LABELS[level][0], 'More on this is in the note [^1] below the page.')}"


def _great_number(reply: str, _piece: str, level: str) -> str | None:
    return f"{reply.rstrip()}\n\n{quote(LABELS[level][0], 'This makes it run a thousand times faster.')}"


def cut(body: Body) -> Said:
    """The reply stops in the middle, and the API says so."""
    reply = good(body)
    return reply[: len(reply) // 2], "max_tokens"


def silently_cut(body: Body) -> Said:
    """The same, and the model believes that it has finished."""
    reply = good(body)
    return reply[: len(reply) // 2]


def refused(body: Body) -> Said:
    return "", "refusal"


def echo(body: Body) -> Said:
    """The piece as it was, where there are sentences to rewrite."""
    piece = piece_of(body)
    prose = [line for line in piece.split("\n") if _PROSE.match(line) and line.endswith(".")]
    return piece if len(re.findall(r"[^\W\d_]{2,}", " ".join(prose))) >= 80 else good(body)


def at_first(adapter: Callable[[Body], Said]) -> Callable[[Body], Said]:
    """Its second try is the good one."""

    def then_good(body: Body) -> Said:
        told = len(body["messages"]) > 1 or len(body["messages"][0]["content"]) > 1
        return good(body) if told else adapter(body)

    return then_good


HOSTILE: Mapping[str, Callable[[Body], Said]] = {
    **{
        spoil.__name__.removeprefix("_"): _spoiled(spoil)
        for spoil in (
            _bold_lost, _term_replaced, _number_changed, _count_changed, _heading_reworded, _heading_added, _url,
            _linked, _doi, _arxiv, _author, _et_al, _too_long, _too_many_blocks, _harder, _unchanged_for_beginners,
            _paragraph_dropped, _mark_dropped, _mark_doubled, _mark_moved, _item_lost, _row_lost, _unlabelled,
            _wrong_label, _paragraph_added, _labelled_paragraph, _off_topic, _refusal, _empty, _commentary,
            _farewell, _fenced, _html, _fence_added, _other_text, _cell_changed,
            _columns_swapped, _unit_changed, _picture, _foreign_word, _footnote_in_block,
            _great_number,
        )
    },
    "cut": cut,
    "silently_cut": silently_cut,
    "refused": refused,
    "echo": echo,
}  # fmt: skip
FOR_BEGINNERS = ("harder", "unchanged_for_beginners")
"""Those that spoil only a beginner's text."""
