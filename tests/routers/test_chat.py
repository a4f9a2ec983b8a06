"""The chat endpoints over HTTP: the whole application, the sample book, a scripted Claude on the wire."""

from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from pydantic import SecretStr

from tests.fakes.claude import FakeClaude
from tests.fakes.claude_rules import search_results
from tests.fixtures.app import AppFactory

REFUSAL = "I don't have this information in the book."
QUESTION = "What is a ROS 2 node?"
FIELDS = {"answer", "sources", "response_time", "grounded", "outcome", "related", "mode"}
FIELDS |= {"conversation_id", "warning"}
TURN_FIELDS = {"id", "conversation_id", "question", "answer", "sources", "grounded", "outcome", "created_at"}


def ask(
    http: httpx2.Client, path: str = "ask", headers: dict[str, str] | None = None, **body: Any
) -> httpx2.Response:
    return http.post(f"/api/chat/{path}", json=body, headers=headers)


def sign_up(http: httpx2.Client, email: str = "reader@example.com") -> dict[str, str]:
    form = {"email": email, "password": "a good long passphrase", "name": "Reader"}
    form |= {"programming_level": "beginner", "hardware": "none"}
    response = http.post("/api/auth/signup", json=form)
    assert response.status_code == 201, response.text
    return {"Authorization": f"Bearer {response.json()['access_token']}"}


# --- with Claude


@pytest.fixture
def answered(start_app: AppFactory, claude: FakeClaude) -> httpx2.Client:
    return start_app(
        anthropic_api_key=SecretStr("sk-ant-api03-test-key-of-the-tests"),
        anthropic_base_url=claude.base_url,
        site_url="https://book.example",
    )


def test_the_whole_path_with_claude(answered: httpx2.Client, claude: FakeClaude) -> None:
    """One application for all of this: starting one takes longer than asking it."""
    answer = ask(answered, question=QUESTION).json()
    assert set(answer) == FIELDS
    assert (answer["grounded"], answer["mode"], answer["warning"]) == (True, "claude", None)
    sent = {r["source"]: "".join(p["text"] for p in r["content"]) for r in search_results(claude.last_body)}
    (source,) = answer["sources"]
    assert any(source["quote"] in text for text in sent.values())
    assert source["url"].startswith("https://book.example/docs/")
    assert UUID(answer["conversation_id"])

    claude.says(lambda body: [{"type": "text", "text": "Made up.", "citations": [{"type": "x", "source": "y"}]}])
    invented = ask(answered, question=QUESTION).json()
    assert (invented["answer"], invented["sources"], invented["grounded"]) == (REFUSAL, [], False)

    asked_before = len(claude.requests)
    assert ask(answered, question="How do I bake a chocolate cake?").json()["answer"] == REFUSAL
    assert len(claude.requests) == asked_before

    headers = sign_up(answered)
    claude.fails(429, retry_after=90)
    busy = ask(answered, question=QUESTION, headers=headers)
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "90")
    assert busy.json()["detail"] == "AI service is busy. Please retry in a moment."
    assert answered.get("/api/chat/history", headers=headers).json() == {"history": []}


# --- without a key, the shared application


def test_both_names_of_the_endpoint_answer_alike(client: httpx2.Client) -> None:
    answers = [ask(client, path, question=QUESTION).json() for path in ("ask", "question")]
    assert all(set(answer) == FIELDS for answer in answers)
    assert answers[0]["sources"] == answers[1]["sources"]
    assert answers[0]["mode"] == "extractive"
    assert answers[0]["answer"].startswith("No AI model is configured")


@pytest.mark.parametrize(
    "question",
    ["IK", "--", "M(q)q̈", "روبوٹ کیا ہے؟", "ROS 2 kya hai?", "ros2 run demo", "?", "<script>", "x" * 2_000, "🤖"],
)
def test_every_kind_of_question_is_answered_or_refused(client: httpx2.Client, question: str) -> None:
    response = ask(client, question=question)
    assert response.status_code == 200, response.text
    assert response.json()["grounded"] or response.json()["answer"] == REFUSAL


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"question": None},
        {"question": ""},
        {"question": " \n "},
        {"question": "x" * 2_001},
        {"question": 7},
        {"question": ["x"]},
        {"question": "a\0b"},
        {"question": "x", "selected_text": 7},
        {"question": "x", "selected_text": "a\0b"},
        [],
        "x",
    ],
)
def test_what_is_no_question_is_told_in_one_sentence(client: httpx2.Client, body: Any) -> None:
    response = client.post("/api/chat/ask", json=body)
    assert response.status_code == 422
    assert isinstance(response.json()["detail"], str)
    assert response.json()["errors"]


@pytest.mark.parametrize("thread", ["chat-1732150000000", None, 7, {"a": 1}, [], "", "x" * 10_000])
def test_other_thread_names_and_unknown_fields_are_ignored(client: httpx2.Client, thread: Any) -> None:
    response = ask(client, question=QUESTION, conversation_id=thread, user_id=1, role="admin", session_id="s")
    assert response.status_code == 200
    assert response.json()["conversation_id"] != thread


def test_marked_text_may_come_without_a_question(client: httpx2.Client) -> None:
    passage = ask(client, question=QUESTION).json()["sources"][0]
    for body in ({}, {"question": None}, {"question": ""}, {"question": "Why?"}):
        answer = ask(client, "selected-text", selected_text=passage["quote"], **body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["grounded"]
    assert ask(client, "selected-text", selected_text=" ").status_code == 422
    assert ask(client, "selected-text", question="x").status_code == 422


def test_a_marked_page_of_any_length_is_taken(client: httpx2.Client) -> None:
    page = "ایک روبوٹ " * 6_000
    assert ask(client, "selected-text", selected_text=page).status_code == 200
    assert ask(client, question=QUESTION, selected_text=page).status_code == 200


@pytest.mark.parametrize("token", ["null", "undefined"])
def test_a_token_that_is_none_means_anonymous(client: httpx2.Client, token: str) -> None:
    assert ask(client, question="IK", headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize("path", ["ask", "question", "selected-text"])
def test_a_token_that_is_invalid_is_refused_everywhere(client: httpx2.Client, path: str) -> None:
    response = ask(client, path, question="IK", selected_text="IK", headers={"Authorization": "Bearer nonsense"})
    assert response.status_code == 401


def test_history_is_the_readers_own_newest_first(client: httpx2.Client) -> None:
    mine, other = sign_up(client), sign_up(client, "other@example.com")
    first = ask(client, question=QUESTION, headers=mine).json()
    ask(client, question="How do I bake a cake?", headers=mine)
    turns = client.get("/api/chat/history", headers=mine).json()["history"]
    assert [turn["question"] for turn in turns] == ["How do I bake a cake?", QUESTION]
    assert [turn["grounded"] for turn in turns] == [False, True]
    assert turns[1]["conversation_id"] == first["conversation_id"]
    assert turns[1]["sources"] == first["sources"]
    assert [turn["outcome"] for turn in turns] == ["not_in_book", "answered"]
    assert set(turns[0]) == TURN_FIELDS
    assert len(client.get("/api/chat/history?limit=1", headers=mine).json()["history"]) == 1
    assert client.get("/api/chat/history", headers=other).json() == {"history": []}
    assert client.delete("/api/chat/history", headers=other).json() == {"deleted": 0}
    assert client.delete("/api/chat/history", headers=mine).json() == {"deleted": 2}
    assert client.get("/api/chat/history", headers=mine).json() == {"history": []}


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1e3", "99999999999999999999"])
def test_a_senseless_limit_is_refused(client: httpx2.Client, limit: str) -> None:
    assert client.get(f"/api/chat/history?limit={limit}", headers=sign_up(client)).status_code == 422


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("token", [None, "null", "nonsense"])
def test_history_needs_a_login(client: httpx2.Client, method: str, token: str | None) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    response = client.request(method, "/api/chat/history", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_a_stranger_cannot_enter_a_thread(client: httpx2.Client) -> None:
    thread = ask(client, question=QUESTION, headers=sign_up(client)).json()["conversation_id"]
    stranger = sign_up(client, "other@example.com")
    for headers in (stranger, {}):
        assert ask(client, question="IK", headers=headers, conversation_id=thread).json()["conversation_id"] != thread
    assert ask(client, question="IK", conversation_id=str(uuid4())).status_code == 200


@pytest.mark.parametrize("path", ["/api/chat/ask", "/api/chat/question", "/api/chat/selected-text"])
def test_the_api_document_says_that_asking_needs_no_token(client: httpx2.Client, path: str) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert paths[path]["post"]["security"] == [{"BearerToken": []}, {}]
    assert paths["/api/chat/history"]["get"]["security"] == [{"BearerToken": []}]
