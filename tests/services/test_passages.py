"""What is sent: within the budget, without repetition, cut where a citation can point."""

from hypothesis import given
from hypothesis import strategies as st

from backend.app.models.domain import Chunk, ScoredChunk
from backend.app.services.passages import MAX_PASSAGE_TOKENS, estimate_tokens, pack
from tests.fakes.book import NODE, TOPIC, chunk, hit, passage

LONG = " ".join(f"Sentence number {n} about robot {n * 7}." for n in range(60))


def distinct(number: int) -> str:
    return " ".join(f"Part {number} says word{number}x{n} here." for n in range(40))


def test_blocks_are_sentences_and_joined_the_text() -> None:
    sent = passage(NODE)
    assert sent.blocks == (
        "A node is a process that performs computation. ",
        "Nodes talk through topics, services and actions.",
    )


def test_a_source_is_the_place_in_the_book_and_the_title_says_where_that_is() -> None:
    assert passage(position=17).source == "book://chunk-17"
    assert passage().title == "ROS 2 > Nodes"


def test_takes_hits_in_order_until_the_budget_is_used() -> None:
    packed = pack([hit(distinct(n), 2 * n) for n in range(10)])
    assert 2 <= len(packed) < 10
    assert [p.hit.chunk.position for p in packed] == list(range(0, 2 * len(packed), 2))
    assert sum(estimate_tokens(p.text) for p in packed) <= MAX_PASSAGE_TOKENS


def test_a_passage_that_does_not_fit_lets_smaller_ones_pass() -> None:
    packed = pack([hit(LONG, 0), hit(NODE, 2), hit(TOPIC, 4)], max_tokens=300)
    assert [p.text for p in packed] == [NODE, TOPIC]


def test_the_same_page_under_two_routes_is_sent_once() -> None:
    twins = [hit(NODE, 0), hit(NODE, 1, chapter_id="copy/nodes"), hit(f"**{NODE}** ", 2), hit(TOPIC, 4)]
    assert [p.hit.chunk.position for p in pack(twins)] == [0, 4]


def section_of(*texts: str, anchor: str = "nodes", start: int = 10) -> dict[int, Chunk]:
    return {start + n: chunk(text, start + n, anchor=anchor) for n, text in enumerate(texts)}


def test_the_best_hit_is_read_with_its_section_and_the_others_alone() -> None:
    around = section_of(NODE, TOPIC, "Services answer once.") | section_of("Next section.", anchor="next", start=13)
    best, other = ScoredChunk(around[11], 0.9, 0.9, 0), hit(distinct(1), 50)
    packed = pack([best, other], {**around, 49: chunk(position=49), 51: chunk(position=51)})
    assert [[part.position for part in passage.chunks] for passage in packed] == [[10, 11, 12], [50]]
    assert packed[0].text == f"{NODE}\n\n{TOPIC}\n\nServices answer once."
    assert packed[0].hit is best


def test_a_section_is_read_only_as_far_as_it_leaves_room_for_others() -> None:
    best = ScoredChunk(section_of(*(distinct(n) for n in range(9)))[14], 0.9, 0.9, 0)
    (long,) = pack([best], section_of(*(distinct(n) for n in range(9))))
    assert [part.position for part in long.chunks] == [14, 15]
    (whole,) = pack([best], {14: best.chunk} | section_of(*(f"Part {n}." for n in range(4))))
    assert [part.position for part in whole.chunks] == [10, 11, 12, 13, 14]


def test_hits_side_by_side_in_one_section_are_one_passage() -> None:
    found = section_of(distinct(1), NODE, TOPIC)
    packed = pack([ScoredChunk(found[n], 0.5, 0.5, 0) for n in (12, 10, 11)])
    assert [[part.position for part in passage.chunks] for passage in packed] == [[11, 12], [10]]


def test_blank_passages_are_never_sent() -> None:
    assert pack([hit(" \n"), hit("---", 1)]) == ()


def test_the_estimate_is_careful_with_code_and_other_scripts() -> None:
    assert estimate_tokens("a" * 320) == 100
    assert estimate_tokens("روبوٹ") == 5
    assert estimate_tokens("{}[]();") > estimate_tokens("letters")
    assert estimate_tokens("") == 0


@given(st.text(max_size=200))
def test_the_estimate_never_falls_below_a_token_per_3_2_characters(text: str) -> None:
    assert estimate_tokens(text) >= len(text) / 3.2
