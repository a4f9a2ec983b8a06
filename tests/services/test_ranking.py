import math

import pytest

from backend.app.services.ranking import DENSE_WEIGHT, FULL_MATCH_WORDS, MISSING_COSINE, Place, fuse, in_context

FULL = FULL_MATCH_WORDS * math.log1p(10)
"""The BM25 from which a passage of a book of ten has a full score for its words."""


def test_scores_are_combined_and_not_ranks() -> None:
    best, second = fuse({0: 0.9, 1: 0.5}, {1: 2 * FULL, 0: FULL}, passages=10, limit=2)
    assert (best.position, second.position) == (0, 1)
    assert best.score == pytest.approx(DENSE_WEIGHT * 0.9 + (1 - DENSE_WEIGHT) * 0.5)
    assert (best.dense, best.lexical) == (0.9, FULL)


def test_a_strong_word_match_beats_a_slightly_better_meaning() -> None:
    assert [hit.position for hit in fuse({0: 0.42, 1: 0.4}, {1: 9.0}, passages=10, limit=2)] == [1, 0]


def test_a_few_common_words_do_not_outweigh_the_meaning() -> None:
    assert [hit.position for hit in fuse({0: 0.6, 1: 0.3}, {1: FULL / 4}, passages=10, limit=2)] == [0, 1]
    assert [hit.position for hit in fuse({0: 0.6, 1: 0.3}, {1: FULL}, passages=10, limit=2)] == [1, 0]


def test_a_passage_missing_from_one_list_is_put_below_its_end() -> None:
    hits = {hit.position: hit for hit in fuse({0: 0.9, 1: 0.5}, {2: 3.0, 0: 1.0}, passages=10, limit=3)}
    assert hits[2].dense == MISSING_COSINE * 0.5
    assert hits[1].lexical == 0


def test_equal_scores_keep_the_order_of_the_book_even_with_float_noise() -> None:
    noisy = {7: 0.5, 2: 0.5 - 1e-9, 5: 0.5 + 1e-9}
    assert [hit.position for hit in fuse(noisy, {}, passages=10, limit=3)] == [2, 5, 7]


def test_scores_stay_between_0_and_1() -> None:
    hits = fuse({0: -0.3, 1: 1.0000001}, {1: FULL}, passages=10, limit=2)
    assert [hit.score for hit in hits] == [1.0, 0.0]
    assert hits[1].dense == -0.3


def test_nothing_found_is_no_hit() -> None:
    assert fuse({}, {}, passages=10, limit=5) == []


def place(chapter: str = "a", *, named: bool = False, slight: bool = False) -> Place:
    return Place(chapter, is_named=named, is_slight=slight)


def test_hits_of_one_chapter_strengthen_each_other() -> None:
    alone, *together = in_context([0.52, 0.5, 0.5, 0.5], [place("b"), place(), place(), place()])
    assert min(together) > alone


def test_hits_alone_in_their_chapters_keep_their_order_and_their_range() -> None:
    scores = in_context([1.0, 0.7, 0.2, 0.0], [place(str(n)) for n in range(4)])
    assert scores == sorted(scores, reverse=True)
    assert 0 <= scores[-1] < scores[0] <= 1
    assert max(in_context([1.0] * 6, [place(named=True)] * 6)) <= 1


def test_a_section_called_like_the_question_comes_before_its_equals() -> None:
    other, named = in_context([0.5, 0.45], [place("a"), place("b", named=True)])
    assert named > other


def test_a_passage_of_few_words_comes_after_its_equals() -> None:
    slight, telling = in_context([0.5, 0.48], [place("a", slight=True), place("b")])
    assert telling > slight
