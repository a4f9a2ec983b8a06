"""What readers get: three outcomes, follow-ups and three languages, through HTTP with a scripted Claude."""

import re
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from tests.fakes import claude_wire as wire
from tests.fakes.claude import FakeClaude
from tests.fakes.claude_rules import search_results
from tests.fixtures.app import AppFactory

URDU = "انورس کائنیمیٹکس کیا ہے؟"
ENGLISH = "What is inverse kinematics?"


@pytest.fixture
def book(start_app: AppFactory, claude: FakeClaude) -> httpx2.Client:
    """The sample book with an AI key."""
    return start_app(anthropic_api_key=SecretStr("k"), anthropic_base_url=claude.base_url)


def ask(book: httpx2.Client, question: str, **more: Any) -> dict[str, Any]:
    response = book.post("/api/chat/ask", json={"question": question, **more})
    assert response.status_code == 200
    return response.json()


def told(claude: FakeClaude) -> str:
    """The reader's words in the last request for an answer."""
    return claude.last_body["messages"][0]["content"][-1]["text"]


def test_a_part_that_the_book_leaves_open_is_said_without_the_mark(book: httpx2.Client, claude: FakeClaude) -> None:
    claude.says(
        lambda body: [
            wire.text("It computes joint angles.", wire.citation(body)),
            wire.text("\n\n[open] The book does not say who invented it."),
        ]
    )
    answer = ask(book, ENGLISH)
    assert answer["outcome"] == "partial"
    assert answer["answer"] == "It computes joint angles.\n\nThe book does not say who invented it."
    assert len(answer["sources"]) == 1
    assert (answer["grounded"], answer["related"]) == (True, [])


def test_a_refusal_names_what_is_near(book: httpx2.Client, claude: FakeClaude) -> None:
    for said, stop_reason in ((wire.SENTINEL, "end_turn"), ("I would rather not", "refusal")):
        claude.says(said, stop_reason=stop_reason)
        answer = ask(book, "Which company sells the best inverse kinematics software?")
        assert (answer["outcome"], answer["answer"], answer["sources"]) == ("not_in_book", wire.SENTINEL, [])
        assert 1 <= len(answer["related"]) <= 3


def test_only_an_open_part_and_nothing_cited_is_a_refusal(book: httpx2.Client, claude: FakeClaude) -> None:
    claude.says("[open] The book does not say it.")
    assert ask(book, ENGLISH)["outcome"] == "not_in_book"


def test_an_urdu_question_finds_the_english_page_and_is_answered_in_urdu(
    book: httpx2.Client, claude: FakeClaude
) -> None:
    claude.rewrites({URDU: ENGLISH})
    assert ask(book, URDU)["outcome"] == "answered"
    assert URDU in told(claude)
    assert told(claude).endswith("\n\nAnswer in Urdu, in Urdu script.")
    assert any("inverse kinematics" in result["title"].lower() for result in search_results(claude.last_body))


def test_an_off_topic_urdu_question_costs_a_rewrite_and_no_answer(book: httpx2.Client, claude: FakeClaude) -> None:
    claude.rewrites({"۱۹۹۸ کا فٹبال ورلڈ کپ کس نے جیتا؟": "Who won the football world cup in 1998?"})
    assert ask(book, "۱۹۹۸ کا فٹبال ورلڈ کپ کس نے جیتا؟")["outcome"] == "not_in_book"
    assert [wire.question_to_rewrite(request.body) is not None for request in claude.requests] == [True]


def test_a_thread_goes_on_and_changes_its_language(book: httpx2.Client, claude: FakeClaude) -> None:
    claude.rewrites({"why is it hard?": "Why is inverse kinematics hard?"})
    first = ask(book, ENGLISH)
    assert "conversation" not in told(claude)
    thread = {"conversation_id": first["conversation_id"]}

    ask(book, "why is it hard?", **thread)
    follow_up = told(claude)
    assert re.search(r"<question-\w+>\nwhy is it hard\?\n</question", follow_up)
    assert re.search(rf"<conversation-\w+>\n<asked-\w+>\n{re.escape(ENGLISH)}\n", follow_up)

    ask(book, "in Urdu please", **thread)
    assert re.search(r"<question-\w+>\nwhy is it hard\?\n</question", told(claude))
    assert told(claude).endswith("\n\nAnswer in Urdu, in Urdu script.")

    ask(book, "Which sensors measure joint angles?", **thread)
    assert "conversation" not in told(claude)
    rewrites = [request for request in claude.requests if wire.question_to_rewrite(request.body)]
    assert len(rewrites) == 1  # "in Urdu please" asks the same question, and the last one stands by itself
