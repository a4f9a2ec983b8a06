"""What is sent: within the budget, without repetition, cut where a citation can point."""

from hypothesis import given
from hypothesis import strategies as st

from backend.app.services.passages import MAX_PASSAGE_TOKENS, estimate_tokens, pack
from tests.fakes.book import NODE, TOPIC, hit, passage

LONG = " ".join(f"Sentence number {n} about robot {n * 7}." for n in range(60))


def distinct(number: int) -> str:
    return " ".join(f"Part {number} says word{number}x{n} here." for n in range(40))


def test_blocks_are_sentences_and_joined_the_text() -> None:
    sent = passage(NODE)
    assert sent.blocks == (
        "A node is a process that performs computation. ",
        "Nodes talk through topics, services and actions.",
    )


def test_a_source_names_chapter_anchor_and_place() -> None:
    assert passage(position=17).source == "book://ros/nodes#nodes/chunk-17"
    assert passage().title == "ROS 2 > Nodes"


def test_takes_hits_in_order_until_the_budget_is_used() -> None:
    packed = pack([hit(distinct(n), n) for n in range(10)])
    assert 2 <= len(packed) < 10
    assert [p.hit.chunk.position for p in packed] == list(range(len(packed)))
    assert sum(estimate_tokens(p.text) for p in packed) <= MAX_PASSAGE_TOKENS


def test_a_passage_that_does_not_fit_lets_smaller_ones_pass() -> None:
    packed = pack([hit(LONG, 0), hit(NODE, 1), hit(TOPIC, 2)], max_tokens=300)
    assert [p.text for p in packed] == [NODE, TOPIC]


def test_the_same_page_under_two_routes_is_sent_once() -> None:
    twins = [hit(NODE, 0), hit(NODE, 1, chapter_id="copy/nodes"), hit(f"**{NODE}** ", 2), hit(TOPIC, 3)]
    assert [p.hit.chunk.position for p in pack(twins)] == [0, 3]


def test_blank_passages_are_never_sent() -> None:
    assert pack([hit(" \n"), hit("---", 1)]) == ()


def test_the_estimate_is_careful_with_code_and_other_scripts() -> None:
    assert estimate_tokens("a" * 250) == 100
    assert estimate_tokens("روبوٹ") == 5
    assert estimate_tokens("{}[]();") > estimate_tokens("letters")
    assert estimate_tokens("") == 0


@given(st.text(max_size=200))
def test_the_estimate_never_falls_below_a_token_per_2_5_characters(text: str) -> None:
    assert estimate_tokens(text) >= len(text) / 2.5
