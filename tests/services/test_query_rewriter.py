"""What is searched for, and in which language the answer is, with a scripted Claude on the wire."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from backend.app.language import vocabulary_of
from backend.app.models.domain import ChapterId, Manifest, PastTurn, ScoredChunk, Source
from backend.app.prompts import load_prompt
from backend.app.services.claude_budget import NoMoney, PlannedTry, Reservation, Unlimited
from backend.app.services.claude_service import ClaudeService, Patience, rewrite_request
from backend.app.services.query_rewriter import QueryRewriter, read_rewrite
from backend.app.services.reader_words import DEFAULT_QUESTION
from backend.app.services.retriever import Findings, SearchQuery
from tests.fakes.book import hit
from tests.fakes.claude import FakeClaude
from tests.fakes.claude_rules import check_request

pytestmark = pytest.mark.anyio

BOOK = ["A sensor measures. A robot balances. An actuator moves a joint. A node sends messages to a topic."] * 3
URDU = "روبوٹ توازن کیسے رکھتا ہے؟"
ENGLISH = "How does a robot keep its balance?"


@dataclass
class Shelf:
    """Where the vocabulary of a small book stands."""

    book: tuple[str, ...] = tuple(BOOK)

    def __post_init__(self) -> None:
        self.kept = Manifest(vocabulary=vocabulary_of(self.book))

    async def manifest(self) -> Manifest:
        return self.kept


class Search:
    """A search that finds these passages, whatever is asked."""

    def __init__(self, *hits: ScoredChunk) -> None:
        self.found = Findings(hits, (), is_marked=False, nearest=())

    async def find(self, query: SearchQuery) -> Findings:
        assert query.forms
        return self.found


def turn(question: str, answer: str = "A node is a process.", *sections: str) -> PastTurn:
    sources = tuple(Source(ChapterId("c"), section, 0.5, "T", "/c", "q") for section in sections)
    return PastTurn(question, answer, sources)


Make = Callable[..., QueryRewriter]


@pytest.fixture
async def door(claude: FakeClaude) -> AsyncIterator[ClaudeService]:
    quick = Patience(deadline_s=2, backoff_s=0.01)
    opened = ClaudeService("k", "claude-haiku-5-5", base_url=claude.base_url, patience=quick)
    await opened.warm_up()
    yield opened
    await opened.close()


@pytest.fixture
def rewriter(door: ClaudeService) -> QueryRewriter:
    return QueryRewriter(door, Shelf(), Search())


@pytest.fixture
def keyless() -> QueryRewriter:
    return QueryRewriter(None, Shelf(), Search())


def asked_text(claude: FakeClaude) -> str:
    return claude.last_body["messages"][0]["content"][0]["text"]


# --- what costs a call


async def test_an_english_question_costs_no_call(rewriter: QueryRewriter, claude: FakeClaude) -> None:
    understood = await rewriter.understand("What is a node?", "", [])
    assert (understood.question, understood.language, understood.thread) == ("What is a node?", "en", ())
    assert understood.search == SearchQuery(("What is a node?",))
    assert claude.requests == []


async def test_a_question_that_stands_by_itself_costs_no_call_in_a_thread(
    rewriter: QueryRewriter, claude: FakeClaude
) -> None:
    understood = await rewriter.understand("What is the zero moment point?", "", [turn("What is a node?")])
    assert understood.search.forms == ("What is the zero moment point?",)
    assert (understood.thread, claude.requests) == ((), [])


async def test_an_urdu_question_is_searched_in_english_and_answered_in_urdu(
    rewriter: QueryRewriter, claude: FakeClaude
) -> None:
    claude.rewrites({URDU: ENGLISH})
    understood = await rewriter.understand(URDU, "", [])
    assert (understood.question, understood.language) == (URDU, "ur")
    assert understood.search.forms == (ENGLISH, URDU)


async def test_a_follow_up_is_rewritten_with_the_thread(rewriter: QueryRewriter, claude: FakeClaude) -> None:
    claude.rewrites({"and why is it slower?": "Why is a service slower than a topic?"})
    thread = [turn("What is a service?", "It answers requests.", "Services")]
    understood = await rewriter.understand("and why is it slower?", "", thread)
    assert understood.search.forms == ("Why is a service slower than a topic?",)
    assert understood.thread == tuple(thread)
    for told in ("What is a service?", "It answers requests.", "Services"):
        assert told in asked_text(claude)


async def test_a_question_of_the_books_own_terms_costs_no_call(door: ClaudeService, claude: FakeClaude) -> None:
    found = hit("A ROS 2 node is a process.", dense=0.6, lexical=5.0)
    search = Search(found)
    understood = await QueryRewriter(door, Shelf(), search).understand("ROS 2 node کیا ہے؟", "", [])
    assert understood.search.forms == ("ros 2 node", "ROS 2 node کیا ہے؟")
    assert (understood.language, claude.requests) == ("ur", [])


@pytest.mark.parametrize(
    ("question", "dense"),
    [
        ("ROS 2 node کیا ہے؟", 0.3),  # weak evidence
        ("ROS 2 action کیا ہے؟", 0.6),  # a term that the passage does not hold
        ("ROS 2 node کا توازن کیسے رکھتے ہیں؟", 0.6),  # an Urdu word would be lost
    ],
)
async def test_terms_that_are_not_the_whole_question_are_not_enough(
    door: ClaudeService, claude: FakeClaude, question: str, dense: float
) -> None:
    found = hit("A ROS 2 node is a process.", dense=dense, lexical=5.0)
    search = Search(found)
    claude.rewrites({question: "English"})
    understood = await QueryRewriter(door, Shelf(), search).understand(question, "", [])
    assert understood.search.forms[0] == "English"


# --- the cache


async def test_the_same_question_is_rewritten_once(rewriter: QueryRewriter, claude: FakeClaude) -> None:
    claude.rewrites({URDU: ENGLISH})
    for question in (URDU, f"  {URDU} ", URDU.replace("؟", "")):
        assert (await rewriter.understand(question, "", [])).search.forms[0] == ENGLISH
    assert len(claude.requests) == 1


async def test_signs_that_mean_something_make_another_question(rewriter: QueryRewriter, claude: FakeClaude) -> None:
    for language in ("C", "C++", "C#"):
        claude.says(f"<query>What is {language}?</query>")
        understood = await rewriter.understand(f"{language} زبان کیوں استعمال کرتے ہیں؟", "", [])
        assert understood.search.forms[0] == f"What is {language}?"


async def test_the_same_question_of_many_at_once_is_rewritten_once(
    rewriter: QueryRewriter, claude: FakeClaude
) -> None:
    claude.rewrites({URDU: ENGLISH})
    all_of_them = await asyncio.gather(*(rewriter.understand(URDU, "", []) for _ in range(8)))
    assert {understood.search.forms[0] for understood in all_of_them} == {ENGLISH}
    assert len(claude.requests) == 1


async def test_the_same_words_in_another_thread_are_another_question(
    rewriter: QueryRewriter, claude: FakeClaude
) -> None:
    for number, subject in enumerate(("What is a node?", "What is a topic?", "What is a node?")):
        claude.says(f"<query>rewritten {number}</query>")
        understood = await rewriter.understand("why?", "", [turn(subject)])
        assert understood.search.forms[0] == f"rewritten {number % 2}"
    assert len(claude.requests) == 2


# --- failures


@pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
async def test_a_failing_rewrite_costs_only_the_rewrite(
    rewriter: QueryRewriter, claude: FakeClaude, status: int
) -> None:
    claude.fails(status, times=4)
    understood = await rewriter.understand(URDU, "", [])
    assert understood.search.forms[0] == URDU
    assert "robot" in " ".join(understood.search.forms[1:])
    claude.rewrites({URDU: ENGLISH})
    assert (await rewriter.understand(URDU, "", [])).search.forms[0] == ENGLISH


async def test_without_money_a_question_is_searched_as_without_a_model(
    keyless: QueryRewriter, claude: FakeClaude
) -> None:
    class Broke(Unlimited):
        async def reserve(self, planned: PlannedTry) -> Reservation:
            raise NoMoney("share")

    door = ClaudeService("k", "claude-haiku-5-5", base_url=claude.base_url, budget=Broke())
    understood = await QueryRewriter(door, Shelf(), Search()).understand(URDU, "", [])
    assert understood == await keyless.understand(URDU, "", [])
    assert claude.requests == []
    await door.close()


async def test_a_rewrite_that_does_not_come_is_not_waited_for(claude: FakeClaude) -> None:
    door = ClaudeService("k", "claude-haiku-5-5", base_url=claude.base_url, patience=Patience(deadline_s=0.1))
    await door.warm_up()
    claude.hangs()
    assert (await QueryRewriter(door, Shelf()).understand(URDU, "", [])).search.forms[0] == URDU
    await door.close()


@pytest.mark.parametrize("stop_reason", ["max_tokens", "refusal"])
async def test_a_rewrite_that_is_cut_or_refused_is_ignored(
    rewriter: QueryRewriter, claude: FakeClaude, stop_reason: str
) -> None:
    claude.says("<query>How does a</query>", stop_reason=stop_reason)
    assert (await rewriter.understand(URDU, "", [])).search.forms[0] == URDU
    claude.says(f"<query>{ENGLISH}</query>")
    assert (await rewriter.understand(URDU, "", [])).search.forms[0] == ENGLISH  # not remembered


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ("<query>What is a node?</query>", "What is a node?"),
        ("What is a node?", "What is a node?"),
        ('"What is a node?"\n', "What is a node?"),
        ("The reader means nodes.\n<query>What is a node?</query>", "What is a node?"),
        ("<query>first</query> no, <query>What is a\nnode?</query>", "What is a node?"),
        ("<query>What is a node?", "What is a node?"),
        ("", ""),
        ("<query></query>", ""),
        ("...?", ""),
        ("What is a node?\nWhat is a topic?", ""),
        ("<query>" + "very " * 80 + "long</query>", ""),
        ("I'm sorry, I can't help with that.", ""),
        ("I’m unable to rewrite this.", ""),
        ("I cannot do that", ""),
        ("I don't have this information in the book.", ""),
        ("<query>You turn what a reader of a textbook asks into the one English question</query>", ""),
        ("<query>یہ کیا ہے؟</query>", "یہ کیا ہے؟"),
    ],
)
def test_only_one_short_line_is_a_search_question(said: str, query: str) -> None:
    assert read_rewrite(said) == query


# --- without a key


async def test_without_a_key_urdu_is_searched_by_the_words_of_the_book(keyless: QueryRewriter) -> None:
    understood = await keyless.understand("روبوٹ کا سینسر کیا کرتا ہے؟", "", [])
    gloss = " ".join(understood.search.forms[1:])
    assert understood.language == "ur"
    assert "robot" in gloss
    assert "sensor" in gloss


async def test_without_a_key_a_follow_up_is_joined_with_the_last_two_questions(keyless: QueryRewriter) -> None:
    thread = [turn("one?"), turn("What is a service?"), turn("How fast is it?")]
    understood = await keyless.understand("and why in Python?", "", thread)
    joined = "What is a service?\nHow fast is it?\nand why"
    assert understood.search.forms == ("and why in Python?", f"{joined} in Python?")
    assert (await keyless.understand("and why?", "", thread)).search.forms == (f"{joined}?",)


async def test_without_a_key_a_follow_up_is_searched_under_the_heading_that_was_cited_last(
    keyless: QueryRewriter,
) -> None:
    thread = [turn("What is a service?", "A service answers.", "Services", "Topics")]
    understood = await keyless.understand("and why?", "", thread)
    assert understood.search.forms == ("What is a service?\nand why?", "Services\nand why?")


async def test_without_anything_the_question_is_searched_as_it_is() -> None:
    assert (await QueryRewriter().understand("یہ کیا ہے؟", "", [])).search.forms == ("یہ کیا ہے؟",)


async def test_a_book_in_urdu_is_searched_in_urdu(door: ClaudeService, claude: FakeClaude) -> None:
    shelf = Shelf(("روبوٹ ایک مشین ہے جو حرکت کرتی ہے۔",))
    understood = await QueryRewriter(door, shelf, Search()).understand(URDU, "", [])
    assert understood.search.forms == (URDU,)
    assert claude.requests == []


# --- languages


@pytest.mark.parametrize(
    ("wish", "language"),
    [("in Urdu please", "ur"), ("Roman Urdu mein", "ur-Latn"), ("in English", "en"), ("اردو میں بتائیں", "ur")],
)
async def test_a_wish_for_a_language_asks_the_question_before_again(
    keyless: QueryRewriter, wish: str, language: str
) -> None:
    thread = [turn("What is a service?"), turn("and why is it slower?")]
    again, before = (
        await keyless.understand(wish, "", thread),
        await keyless.understand("and why is it slower?", "", thread[:1]),
    )
    assert (again.question, again.language) == ("and why is it slower?", language)
    assert (again.search, again.thread) == (before.search, before.thread)


async def test_one_wish_after_another_still_means_the_question(keyless: QueryRewriter) -> None:
    thread = [turn("What is a service?"), turn("in Urdu please")]
    understood = await keyless.understand("no, in roman urdu", "", thread)
    assert (understood.question, understood.language) == ("What is a service?", "ur-Latn")


async def test_a_question_may_name_its_language(keyless: QueryRewriter) -> None:
    understood = await keyless.understand("Explain what a service is in Urdu", "", [])
    assert (understood.question, understood.language) == ("Explain what a service is", "ur")
    assert understood.search.forms == ("Explain what a service is",)


async def test_a_bare_word_is_answered_in_the_language_of_the_thread(keyless: QueryRewriter) -> None:
    assert (await keyless.understand("example", "", [turn("service kya hoti hai?")])).language == "ur-Latn"
    assert (await keyless.understand("example", "", [turn("What is it?"), turn("in Urdu please")])).language == "ur"
    assert (await keyless.understand("example", "", [turn("What is a service?")])).language == "en"


async def test_a_wish_for_a_language_alone_is_searched_as_it_is(keyless: QueryRewriter) -> None:
    understood = await keyless.understand("in Urdu please", "", [])
    assert (understood.question, understood.search.forms[0]) == ("in Urdu please", "in Urdu please")


# --- marked text


async def test_english_marked_text_costs_no_call(rewriter: QueryRewriter, claude: FakeClaude) -> None:
    understood = await rewriter.understand(DEFAULT_QUESTION, "A node is a process.", [turn("What is a topic?")])
    assert understood.search == SearchQuery((), "A node is a process.")
    assert (understood.thread, claude.requests) == ((), [])


async def test_marked_text_is_what_a_question_points_at(rewriter: QueryRewriter, claude: FakeClaude) -> None:
    understood = await rewriter.understand("why is it slower?", "A service waits.", [turn("What is a topic?")])
    assert (understood.search.forms, understood.thread) == (("why is it slower?",), ())
    assert claude.requests == []


async def test_marked_urdu_text_is_searched_in_english_too(rewriter: QueryRewriter, claude: FakeClaude) -> None:
    claude.rewrites({DEFAULT_QUESTION: "How do sensors help a robot?"})
    understood = await rewriter.understand(DEFAULT_QUESTION, "سینسر روبوٹ کی مدد کرتے ہیں۔", [])
    assert understood.search.forms == ("How do sensors help a robot?",)
    assert understood.language == "ur"
    assert "سینسر روبوٹ کی مدد کرتے ہیں۔" in asked_text(claude)


async def test_the_page_of_marked_text_goes_along_to_the_search(keyless: QueryRewriter) -> None:
    understood = await keyless.understand("why?", "A service waits.", [], "/docs/ros/nodes#services")
    assert understood.search == SearchQuery(("why?",), "A service waits.", "/docs/ros/nodes#services")


async def test_a_wish_for_a_language_beside_marked_text_explains_it(keyless: QueryRewriter) -> None:
    understood = await keyless.understand("in Urdu please", "A service waits.", [])
    assert (understood.question, understood.language) == (DEFAULT_QUESTION, "ur")


# --- the request


@pytest.mark.parametrize(
    ("model", "thinking", "max_tokens"),
    [
        ("claude-haiku-5-5", {"type": "disabled"}, 200),
        ("claude-sonnet-5-5", {"type": "between_tools"}, 200),
        ("claude-opus-5-5", None, 1000),
    ],
)
def test_the_request_is_one_that_the_api_takes(model: str, thinking: Any, max_tokens: int) -> None:
    request = rewrite_request(model, "<question-ab>x</question-ab>")
    check_request(request)
    assert (request.get("thinking"), request["max_tokens"]) == (thinking, max_tokens)
    assert [part["text"] for part in request["system"]] == [load_prompt("rewrite").text]
