"""What is wrong with a reply, whatever it was asked for. Sentences that the model is told before its second try."""

import re
from collections import Counter

from backend.app.models.adaptation import Piece
from backend.app.textbook.masking import MaskedText

MARK = re.compile(r"⟦[^⟦⟧\n]{1,40}⟧")


def common_problems(piece: Piece, masked: MaskedText, reply: str) -> list[str]:
    """Checks that hold for translations and for personalized text alike."""
    if not reply.strip():
        return ["The reply is empty."]
    given, found = Counter(mask.mark for mask in masked.masks), Counter(MARK.findall(reply))
    return [
        f"The mark {mark} stands {found[mark]} times in it instead of {given[mark]}."
        for mark in given | found
        if found[mark] != given[mark]
    ]
