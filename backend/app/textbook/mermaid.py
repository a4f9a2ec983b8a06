"""The source of a mermaid diagram -> the words that the drawing shows: labels of nodes, edges, messages and states.

Works line by line and knows no diagram type in full: what is neither an arrow, a bracket, a keyword nor a node's
id is taken for a word.
"""

import re

_NO_WORDS = re.compile(
    r"\s*(?:%%.*|(?:graph|flowchart)(?:\s+(?:TB|TD|BT|RL|LR))?|direction\s+\w+|stateDiagram(?:-v2)?|end|else|activate\s.*"
    r"|deactivate\s.*|(?:style|classDef|class|linkStyle|click|accTitle|accDescr)\s.*|autonumber|---)\s*;?\s*",
    re.IGNORECASE,
)
_KEYWORD = re.compile(
    r"^\s*(?:(?:participant|actor)\s+(?:[\w-]+\s+as\s+)?|subgraph\s+(?:[\w-]+\s*(?=\[))?|state\s+(?=\")|title\s+|section\s+"
    r"|[Nn]ote\s+(?:right|left)\s+of\s+|[Nn]ote\s+over\s+|(?:loop|alt|opt|par|rect|and|critical|break)\s+"
    r"|(?:sequenceDiagram|classDiagram|erDiagram|gantt|pie|mindmap|timeline|journey|quadrantChart|gitGraph)\b)"
)
_ARROW = re.compile(r"[<ox]?(?:--+|==+|-\.+-?|\.-|~~~)[->=.)x]*|(?<=\w)(?:-?>>\+?|-[)x])|:::\w+|[|]")
_NODE_ID = re.compile(r"[\w-]+(?=[\[{>]|\((?!\)))")
_SHORT_ID = re.compile(r"\b[A-Za-z]\d{0,2}\b")
_BREAK = re.compile(r"<br\s*/?>|\\n", re.IGNORECASE)
_SIGNS = re.compile(r'[\[\](){}"<>;&]+|\s:(?=\s)|\*')


def diagram_words(source: str) -> str:
    """One line for each line of the diagram that shows something. Ids of nodes with a label, and of one letter
    (`A`, `B2`), show nothing."""
    ids = set(_NODE_ID.findall(source))
    lines = (_line_words(line) for line in source.splitlines() if not _NO_WORDS.fullmatch(line))
    return "\n".join(line for line in lines if not ids.issuperset(line.split()))


def _line_words(line: str) -> str:
    shown = _ARROW.sub(" ", _KEYWORD.sub("", _BREAK.sub(" ", line)))
    bare = _SHORT_ID.sub(" ", _SIGNS.sub(" ", _NODE_ID.sub(" ", shown)))
    return " ".join(bare.split())
