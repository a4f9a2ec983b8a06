"""Conversations over HTTP: three turns with a scripted Claude, and two readers who cannot see each other's."""

import json
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx2
import pytest
from pydantic import SecretStr

from tests.fakes.claude import FakeClaude
from tests.fixtures.app import AppFactory
from tests.routers.test_chat import REFUSAL, ask, sign_up

CONVERSATIONS = "/api/chat/conversations"
QUESTION = "What is a ROS 2 node?"
JSON = {"Content-Type": "application/json"}
FIELDS = {"id", "title", "turns", "created_at", "updated_at"}
NOT_FOUND = "You have no such conversation. GET /api/chat/conversations lists yours."
HOSTILE = [
    *("x", "null", "chat-1732150000000", "0" * 32, str(UUID(int=0)), "%00", "..%2f..%2fetc", "%ff", "'--", "%25s"),
    *("😀", "x" * 5_000, "{conversation_id}", " ", "-1", "1", "history"),
]


def begin(http: httpx2.Client, headers: dict[str, str] | None = None, question: str = QUESTION) -> str:
    """-> the id of a new thread."""
    answer = ask(http, question=question, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["conversation_id"]


def listed(http: httpx2.Client, headers: dict[str, str], query: str = "") -> list[dict[str, Any]]:
    response = http.get(f"{CONVERSATIONS}{query}", headers=headers)
    assert response.status_code == 200, response.text
    return response.json()["conversations"]


def assert_not_found(response: httpx2.Response) -> None:
    """The same answer for what is unknown and for what belongs to somebody else."""
    assert response.status_code == 404, response.text
    assert (response.json()["code"], response.json()["detail"]) == ("conversation_not_found", NOT_FOUND)


# --- a whole conversation


def test_a_conversation_of_three_turns_is_understood_listed_renamed_and_deleted(
    start_app: AppFactory, claude: FakeClaude
) -> None:
    http = start_app(anthropic_api_key=SecretStr("k"), anthropic_base_url=claude.base_url)
    reader = sign_up(http)
    claude.rewrites({"and how do two of them talk?": "How do two ROS 2 nodes exchange messages?"})
    first = ask(http, question=QUESTION, headers=reader).json()
    thread = first["conversation_id"]
    asked_before = len(claude.requests)
    second = ask(
        http, question="and how do two of them talk?", headers=reader, conversation_id=thread, page="/docs/intro"
    ).json()
    rewriting, answering = (request.body for request in claude.requests[asked_before:])
    assert QUESTION in str(rewriting["messages"]), "the follow-up is rewritten with the turn before it"
    assert first["answer"] in str(answering["messages"]), "and answered with it in sight"
    third = ask(http, question="in Urdu please", headers=reader, conversation_id=thread).json()
    assert {second["conversation_id"], third["conversation_id"]} == {thread}
    assert [answer["outcome"] for answer in (first, second, third)] == ["answered"] * 3

    (conversation,) = listed(http, reader)
    assert set(conversation) == FIELDS
    assert (conversation["id"], conversation["title"], conversation["turns"]) == (thread, QUESTION, 3)
    shown = http.get(f"{CONVERSATIONS}/{thread}", headers=reader).json()
    assert shown["conversation"] == conversation
    assert [turn["question"] for turn in shown["history"]] == [
        QUESTION,
        "and how do two of them talk?",
        "in Urdu please",
    ]
    assert [turn["sources"] for turn in shown["history"]] == [answer["sources"] for answer in (first, second, third)]

    renamed = http.patch(f"{CONVERSATIONS}/{thread}", json={"title": "  Nodes\nand topics "}, headers=reader)
    assert renamed.json() == conversation | {"title": "Nodes and topics"}
    assert http.delete(f"{CONVERSATIONS}/{thread}", headers=reader).json() == {"deleted": 3}
    assert listed(http, reader) == []
    assert http.get("/api/chat/history", headers=reader).json() == {"history": []}
    assert_not_found(http.delete(f"{CONVERSATIONS}/{thread}", headers=reader))
    assert begin(http, reader) != thread


@pytest.mark.parametrize("is_signed_in", [True, False])
def test_a_streamed_answer_is_a_turn_like_any_other(client: httpx2.Client, is_signed_in: bool) -> None:
    reader = sign_up(client) if is_signed_in else {}
    thread = begin(client, reader)
    body = {"question": "IK", "conversation_id": thread}
    streamed = client.post("/api/chat/ask/stream", json=body, headers=reader)
    assert streamed.status_code == 200
    assert thread in streamed.text
    assert ask(client, question="IK", headers=reader, conversation_id=thread).json()["conversation_id"] == thread
    if is_signed_in:
        history = client.get(f"{CONVERSATIONS}/{thread}", headers=reader).json()["history"]
        assert [turn["question"] for turn in history] == [QUESTION, "IK", "IK"]
        assert history[1]["answer"] == history[2]["answer"]


def test_a_thread_without_a_login_goes_on_and_is_in_nobodys_list(client: httpx2.Client) -> None:
    thread = begin(client)
    again = ask(client, question="IK", conversation_id=thread)
    assert again.json()["conversation_id"] == thread
    reader = sign_up(client)
    assert listed(client, reader) == []
    assert_not_found(client.get(f"{CONVERSATIONS}/{thread}", headers=reader))
    moved = ask(client, question="IK", headers=reader, conversation_id=thread).json()["conversation_id"]
    assert moved != thread, "a login starts a thread of its own"
    assert ask(client, question="IK", conversation_id=moved).json()["conversation_id"] != moved


def test_a_guessed_thread_is_not_there(client: httpx2.Client) -> None:
    begin(client)
    for _ in range(20):
        guessed = str(uuid4())
        assert ask(client, question="IK", conversation_id=guessed).json()["conversation_id"] != guessed


# --- two readers


def test_two_readers_see_and_change_only_their_own(client: httpx2.Client) -> None:
    sana, ali = sign_up(client), sign_up(client, "ali@example.com")
    hers, his = begin(client, sana), begin(client, ali, "What is inverse kinematics?")
    assert [each["id"] for each in listed(client, sana)] == [hers]
    assert [each["title"] for each in listed(client, ali)] == ["What is inverse kinematics?"]
    for path in (f"{CONVERSATIONS}/{hers}", f"{CONVERSATIONS}/{hers.upper()}"):
        assert_not_found(client.get(path, headers=ali))
        assert_not_found(client.patch(path, json={"title": "mine", "user_id": 1}, headers=ali))
        assert_not_found(client.delete(path, headers=ali))
    assert ask(client, question="IK", headers=ali, conversation_id=hers).json()["conversation_id"] not in (hers, his)
    assert client.delete("/api/chat/history", headers=ali).status_code == 200
    assert [each["title"] for each in listed(client, sana)] == [QUESTION]


def test_an_account_leaves_no_conversation(client: httpx2.Client) -> None:
    reader = sign_up(client)
    thread = begin(client, reader)
    assert client.delete("/api/auth/me", headers=reader).status_code == 204
    again = sign_up(client)
    assert listed(client, again) == []
    assert_not_found(client.get(f"{CONVERSATIONS}/{thread}", headers=again))


@pytest.mark.parametrize("token", [None, "null", "nonsense"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), *((method, f"/{UUID(int=1)}") for method in ("GET", "PATCH", "DELETE"))],
)
def test_conversations_need_a_login(client: httpx2.Client, method: str, path: str, token: str | None) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    body = {"json": {"title": "x"}} if method == "PATCH" else {}
    response = client.request(method, f"{CONVERSATIONS}{path}", headers=headers, **body)
    assert response.status_code == 401


# --- pages, limits, hostile input


def test_the_list_goes_on_where_the_last_page_ended(client: httpx2.Client) -> None:
    reader = sign_up(client)
    threads = [begin(client, reader) for _ in range(3)]
    page = listed(client, reader, "?limit=2")
    assert [each["id"] for each in page] == threads[:0:-1]
    assert page[1]["updated_at"].endswith("Z"), "fit for a query string as it is"
    rest = listed(client, reader, f"?limit=2&before={page[1]['updated_at']}")
    assert [each["id"] for each in rest] == threads[:1]
    assert datetime.fromisoformat(rest[0]["created_at"]) <= datetime.fromisoformat(rest[0]["updated_at"])


def test_a_long_conversation_is_read_backwards(client: httpx2.Client) -> None:
    reader = sign_up(client)
    thread = begin(client, reader)
    for question in ("IK", "What is a topic?"):
        ask(client, question=question, headers=reader, conversation_id=thread)
    path = f"{CONVERSATIONS}/{thread}"
    latest = client.get(f"{path}?limit=2", headers=reader).json()["history"]
    assert [turn["question"] for turn in latest] == ["IK", "What is a topic?"]
    earlier = client.get(f"{path}?limit=2&before={latest[0]['id']}", headers=reader).json()
    assert [turn["question"] for turn in earlier["history"]] == [QUESTION]
    assert earlier["conversation"]["turns"] == 3


def test_a_senseless_page_is_refused(client: httpx2.Client) -> None:
    reader = sign_up(client)
    for query in (
        *("limit=0", "limit=101", "limit=x", "limit=1e3", "before=x", "before=2026-11-21T00:00:00", "before="),
        *("before=99999-01-01T00:00:00Z", "before=%00", "limit=99999999999999999999"),
    ):
        response = client.get(f"{CONVERSATIONS}?{query}", headers=reader)
        assert response.status_code == 422, query
        assert isinstance(response.json()["detail"], str)


def test_a_page_before_the_ends_of_time_is_a_page(client: httpx2.Client) -> None:
    reader = sign_up(client)
    begin(client, reader)
    ends = {"0001-01-01T00:00:00Z": 0, "0001-01-01T00:00:00%2B14:00": 0, "9999-12-31T23:59:59.999999-14:00": 1}
    ends |= {"0001-01-01T00:00:00%2B23:59": 0, "9999-12-31T23:59:59-23:59": 1}  # no zone of Postgres
    assert {before: len(listed(client, reader, f"?before={before}")) for before in ends} == ends


def test_a_senseless_turn_is_refused(client: httpx2.Client) -> None:
    reader = sign_up(client)
    path = f"{CONVERSATIONS}/{begin(client, reader)}"
    for before in ("0", "-1", "x", "9223372036854775808", "1.5", ""):
        assert client.get(f"{path}?before={before}", headers=reader).status_code == 422, before
    assert client.get(f"{path}?before=9223372036854775807", headers=reader).status_code == 200


def test_an_id_that_is_none_of_ours_is_not_found(client: httpx2.Client) -> None:
    reader = sign_up(client)
    for claimed in HOSTILE:
        path = f"{CONVERSATIONS}/{claimed if claimed.startswith(('%', '..')) else quote(claimed)}"
        for response in (
            client.get(path, headers=reader),
            client.patch(path, json={"title": "x"}, headers=reader),
            client.delete(path, headers=reader),
        ):
            assert response.status_code == 404, (claimed, response.text)
            assert response.json()["code"] in {"conversation_not_found", "not_found"}


def test_what_is_no_title_is_refused(client: httpx2.Client) -> None:
    reader = sign_up(client)
    thread = begin(client, reader)
    titles: list[Any] = [None, "", " \n ", "\x1c", "x" * 201, 7, ["x"], "a\0b", "\ud800"]
    for body in ({}, [], "x", *({"title": title} for title in titles)):
        response = client.patch(f"{CONVERSATIONS}/{thread}", content=json.dumps(body), headers=reader | JSON)
        assert response.status_code == 422, (body, response.text)
        assert isinstance(response.json()["detail"], str)
    assert listed(client, reader)[0]["title"] == QUESTION


def test_any_other_title_is_kept_as_it_is(client: httpx2.Client) -> None:
    reader = sign_up(client)
    path = f"{CONVERSATIONS}/{begin(client, reader)}"
    for title in ("x" * 200, "گھٹنے اور کہنیاں", "👩🏽‍🔬 <b>'; DROP TABLE users; --", "%s %(x)s", "\u202eabc"):
        assert client.patch(path, json={"title": title}, headers=reader).json()["title"] == title
        assert client.get(path, headers=reader).json()["conversation"]["title"] == title


def test_a_page_of_the_site_may_rename(client: httpx2.Client) -> None:
    """A browser asks first whether PATCH is allowed."""
    headers = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "PATCH"}
    assert client.options(f"{CONVERSATIONS}/{uuid4()}", headers=headers).status_code == 200


# --- the page that the reader is on


def test_any_page_may_be_sent_and_never_costs_an_answer(client: httpx2.Client) -> None:
    pages: list[Any] = ["/docs/intro", "intro", "https://book.example/docs/intro#embodiment", "#x", "", " ", None, 7]
    pages += [{"a": 1}, [], "a\0b", "\ud800", "x" * 2_001, "../../etc/passwd", "javascript:alert(1)", "%00", True]
    for page in pages:
        body = json.dumps({"question": QUESTION, "selected_text": "A ROS 2 node", "page": page})
        for call in ("ask", "selected-text"):
            answer = client.post(f"/api/chat/{call}", content=body, headers=JSON)
            assert answer.status_code == 200, (page, answer.text)
            assert answer.json()["outcome"] == "answered"


def test_marked_text_of_a_translated_page_is_taken_for_its_section(client: httpx2.Client) -> None:
    marked = {"selected_text": "یہ ایک مشکل بات ہے جو بہت دیر میں سمجھ آئے گی۔", "question": "?"}
    placed = ask(client, "selected-text", **marked, page="/docs/foundations/kinematics#ik").json()
    assert [source["section"] for source in placed["sources"]][:1] == ["Inverse kinematics"]
    elsewhere = ask(client, "selected-text", **marked, page="/docs/nowhere#ik").json()
    assert [source["section"] for source in elsewhere["sources"]][:1] != ["Inverse kinematics"]


def test_a_refusal_names_the_nearest_sections(client: httpx2.Client) -> None:
    refused = ask(client, question="Who won the football world cup in 1998?").json()
    assert (refused["answer"], refused["outcome"]) == (REFUSAL, "not_in_book")
    assert all(set(section) == {"chapter_id", "section", "title", "url"} for section in refused["related"])
    assert ask(client, question=QUESTION).json()["related"] == []
