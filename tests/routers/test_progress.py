"""Progress over HTTP: what counts, whose it is, and every way to name a chapter."""

import json
from datetime import datetime
from typing import Any

import httpx2
import pytest

from backend.app.utils.config import Settings
from tests.fixtures.app import AppFactory
from tests.fixtures.database import statements
from tests.routers.test_chat import ask, sign_up

PROGRESS = "/api/user/progress"
MARK = "/api/user/progress/mark"
JSON = {"Content-Type": "application/json"}
SENSORS, KINEMATICS = "foundations/sensors", "foundations/kinematics"
TOTALS = ("total_chapters", "opened_chapters", "completed_chapters", "percent_complete")


def mark(http: httpx2.Client, headers: dict[str, str], chapter_id: Any, completed: Any = True) -> httpx2.Response:
    return http.post(MARK, json={"chapter_id": chapter_id, "completed": completed}, headers=headers)


def progress_of(http: httpx2.Client, headers: dict[str, str]) -> dict[str, Any]:
    response = http.get(PROGRESS, headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    return response.json()


def totals(http: httpx2.Client, headers: dict[str, str]) -> tuple[float, ...]:
    progress = progress_of(http, headers)
    return tuple(progress[name] for name in TOTALS)


def read(http: httpx2.Client, headers: dict[str, str]) -> dict[str, bool]:
    """-> each opened chapter, and whether it is completed."""
    return {each["chapter_id"]: each["completed"] for each in progress_of(http, headers)["chapters_read"]}


def test_a_new_reader_has_the_whole_book_ahead(client: httpx2.Client) -> None:
    book = client.get("/api/chapters").json()["chapters"]
    progress = progress_of(client, sign_up(client))
    modules = progress.pop("modules")
    assert [each["module"] for each in modules] == list(dict.fromkeys(chapter["module"] for chapter in book))
    assert sum(each["total_chapters"] for each in modules) == len(book)
    assert progress == {
        "chapters_read": [],
        "questions_asked": 0,
        "total_chapters": len(book),
        "opened_chapters": 0,
        "completed_chapters": 0,
        "percent_complete": 0,
        "last_chapter": None,
    }


def test_what_is_opened_and_completed_is_counted_for_the_book_and_for_each_module(client: httpx2.Client) -> None:
    reader = sign_up(client)
    for chapter_id, completed in ((KINEMATICS, True), (SENSORS, None), ("intro", True)):
        response = mark(client, reader, chapter_id, completed)
        assert (response.status_code, response.json()) == (200, {"success": True})
    progress = progress_of(client, reader)
    assert [(each["chapter_id"], each["completed"]) for each in progress["chapters_read"]] == [
        ("intro", True),
        (SENSORS, False),
        (KINEMATICS, True),
    ], "in reading order"
    book = client.get("/api/chapters").json()["chapters"]
    total = len(book)
    assert [progress[name] for name in TOTALS] == [total, 3, 2, 2000 // total / 10]
    assert progress["last_chapter"] == progress["chapters_read"][0]
    assert (progress["last_chapter"]["title"], progress["last_chapter"]["url"]) == (book[0]["title"], "/docs/intro")
    counts = {
        each["module"]: (each["total_chapters"], each["opened_chapters"], each["completed_chapters"])
        for each in progress["modules"]
    }
    foundations = next(chapter["module"] for chapter in book if chapter["id"] == SENSORS)
    assert counts[""] == (1, 1, 1)
    assert counts[foundations] == (2, 2, 1)
    assert sum(completed for _, _, completed in counts.values()) == 2


def test_a_hundred_percent_means_every_chapter(client: httpx2.Client) -> None:
    reader = sign_up(client)
    book = [chapter["id"] for chapter in client.get("/api/chapters").json()["chapters"]]
    for chapter_id in book[:-1]:
        mark(client, reader, chapter_id)
    assert progress_of(client, reader)["percent_complete"] < 100
    mark(client, reader, book[-1])
    assert totals(client, reader) == (len(book), len(book), len(book), 100)


def test_marking_twice_is_marking_once_and_the_last_word_counts(client: httpx2.Client) -> None:
    reader = sign_up(client)
    for completed, is_completed in ((None, False), (True, True), (True, True), (None, True), (False, False)):
        accessed = [each["last_accessed"] for each in progress_of(client, reader)["chapters_read"]]
        assert mark(client, reader, SENSORS, completed).json() == {"success": True}
        (chapter,) = progress_of(client, reader)["chapters_read"]
        assert chapter["completed"] is is_completed
        assert not accessed or datetime.fromisoformat(chapter["last_accessed"]) > datetime.fromisoformat(accessed[0])


@pytest.mark.parametrize(
    "name",
    [
        *(
            SENSORS,
            "01-foundations/01-sensors.md",
            "sensors",
            "Sensors",
            "foundations-sensors",
            "docs/foundations/sensors",
        ),
        *("/docs/foundations/sensors/", "/ur/my-site/docs/foundations/sensors", " foundations/sensors \n"),
        "https://book.example/docs/foundations/sensors?x=1#lidar",
    ],
)
def test_every_name_of_a_chapter_marks_the_same_chapter(client: httpx2.Client, name: str) -> None:
    reader = sign_up(client)
    mark(client, reader, SENSORS, None)
    assert mark(client, reader, name).status_code == 200
    assert read(client, reader) == {SENSORS: True}


# --- what is no chapter


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("foundations/senors", [SENSORS]),
        ("foundation/kinematic", [KINEMATICS]),
        ("custom-1732150000000", None),
        ("../../etc/passwd", None),
        ("'; DROP TABLE user_progress; --", None),
        ("%00", None),
        ("%(chapter_id)s", None),
        ("روبوٹ", None),
        ("😀" * 1_000, None),
        ("/", None),
        ("docs", None),
        ("foundations/" * 160, None),
    ],
)
def test_an_unknown_chapter_is_refused_with_those_that_may_be_meant(
    client: httpx2.Client, name: str, nearest: list[str] | None
) -> None:
    reader = sign_up(client)
    response = mark(client, reader, name)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (400, "chapter_not_found")
    assert set(problem["nearest"]) <= {each["id"] for each in client.get("/api/chapters").json()["chapters"]}
    assert len(problem["nearest"]) <= 3
    assert nearest is None or problem["nearest"][: len(nearest)] == nearest
    assert all(each in problem["detail"] for each in problem["nearest"])
    assert "GET /api/chapters" in problem["detail"] or problem["nearest"]
    assert read(client, reader) == {}


def test_what_is_no_mark_is_refused(client: httpx2.Client) -> None:
    reader = sign_up(client)
    bodies: list[Any] = [{}, [], "x", None, {"chapter_id": SENSORS}, {"completed": True}]
    bodies += [
        {"chapter_id": name, "completed": True} for name in ("", " ", "a\0b", "\ud800", 7, None, ["x"], "x" * 2_001)
    ]
    bodies += [{"chapter_id": SENSORS, "completed": completed} for completed in ("perhaps", 2, [], {}, "")]
    for body in bodies:
        response = client.post(MARK, content=json.dumps(body), headers=reader | JSON)
        assert response.status_code == 422, (body, response.text)
        assert isinstance(response.json()["detail"], str)
    assert read(client, reader) == {}


# --- opening a chapter


def test_reading_a_chapter_counts_as_opening_it_and_never_takes_completion_back(client: httpx2.Client) -> None:
    reader = sign_up(client)
    chapter = client.get("/api/chapters/sensors", headers=reader)
    assert (chapter.status_code, chapter.json()["id"]) == (200, SENSORS)
    assert read(client, reader) == {SENSORS: False}
    mark(client, reader, SENSORS)
    mark(client, reader, "intro")
    assert client.get(f"/api/chapters/{SENSORS}", headers=reader).json() == chapter.json()
    assert read(client, reader) == {"intro": True, SENSORS: True}
    assert progress_of(client, reader)["last_chapter"]["chapter_id"] == SENSORS


def test_a_chapter_is_for_everybody_and_a_dead_token_is_told(client: httpx2.Client) -> None:
    path = f"/api/chapters/{SENSORS}"
    for headers in ({}, {"Authorization": "Bearer null"}):
        assert client.get(path, headers=headers).status_code == 200
    refused = client.get(path, headers={"Authorization": "Bearer made-up"})
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")


def test_a_chapter_that_is_not_there_leaves_no_trace(client: httpx2.Client) -> None:
    reader = sign_up(client)
    for name in ("nowhere", "%00", "intro%00", "%ff", "%ED%A0%80", "%25s", "x" * 5_000, "'--"):
        assert client.get(f"/api/chapters/{name}", headers=reader).json()["code"] == "chapter_not_found", name
    assert read(client, reader) == {}


# --- questions


def test_only_questions_that_the_book_answered_count(client: httpx2.Client) -> None:
    reader = sign_up(client)
    for question in (
        "What is a ROS 2 node?",
        "Who won the football world cup in 1998?",
        "What is inverse kinematics?",
    ):
        assert ask(client, question=question, headers=reader).status_code == 200
    ask(client, question="What is a ROS 2 node?")
    assert progress_of(client, reader)["questions_asked"] == 2
    client.delete("/api/chat/history", headers=reader)
    assert progress_of(client, reader)["questions_asked"] == 0


# --- whose it is


def test_two_readers_do_not_see_or_change_each_others_progress(client: httpx2.Client) -> None:
    one, other = sign_up(client), sign_up(client, "other@example.com")
    other_id = client.get("/api/auth/me", headers=other).json()["id"]
    mark(client, one, SENSORS)
    body = {"chapter_id": "intro", "completed": True, "user_id": other_id, "id": other_id, "reader": other_id}
    assert client.post(f"{MARK}?user_id={other_id}", json=body, headers=one).status_code == 200
    ask(client, question="What is a ROS 2 node?", headers=one)
    assert read(client, one) == {"intro": True, SENSORS: True}
    assert read(client, other) == {}
    assert progress_of(client, other)["questions_asked"] == 0
    mark(client, other, SENSORS, False)
    assert read(client, one) == {"intro": True, SENSORS: True}
    assert client.get(f"{PROGRESS}?user_id={other_id}", headers=one).json()["opened_chapters"] == 2


@pytest.mark.parametrize("token", [None, "null", "nonsense"])
@pytest.mark.parametrize(("method", "path"), [("GET", PROGRESS), ("POST", MARK), ("GET", "/api/user/export")])
def test_progress_needs_a_login(client: httpx2.Client, method: str, path: str, token: str | None) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    body = {"json": {"chapter_id": SENSORS, "completed": True}} if method == "POST" else {}
    assert client.request(method, path, headers=headers, **body).status_code == 401


# --- another edition of the book


def test_a_chapter_that_left_the_book_does_not_count_until_it_comes_back(
    client: httpx2.Client, shared_app: tuple[str, Settings]
) -> None:
    reader = sign_up(client)
    for chapter_id in (SENSORS, "intro"):
        mark(client, reader, chapter_id)
    before = progress_of(client, reader)
    url = shared_app[1].database_url
    assert url
    with statements(url.get_secret_value()) as cursor:
        cursor.execute("CREATE TABLE left_out AS SELECT * FROM chapters WHERE chapter_id = %s", (SENSORS,))
        cursor.execute("DELETE FROM chapters WHERE chapter_id = %s", (SENSORS,))
        try:
            after = progress_of(client, reader)
            refused = mark(client, reader, SENSORS)
        finally:
            cursor.execute("INSERT INTO chapters SELECT * FROM left_out")
            cursor.execute("DROP TABLE left_out")
    assert [each["chapter_id"] for each in after["chapters_read"]] == ["intro"]
    assert after["total_chapters"] == before["total_chapters"] - 1
    assert (after["completed_chapters"], after["last_chapter"]["chapter_id"]) == (1, "intro")
    assert refused.status_code == 400
    assert progress_of(client, reader) == before


def test_without_a_book_there_is_nothing_to_be_done(client: httpx2.Client, shared_app: tuple[str, Settings]) -> None:
    reader = sign_up(client)
    ask(client, question="What is a ROS 2 node?", headers=reader)
    url = shared_app[1].database_url
    assert url
    with statements(url.get_secret_value()) as cursor:
        cursor.execute("CREATE TABLE left_out AS SELECT * FROM chapters")
        cursor.execute("DELETE FROM chapters")
        try:
            assert totals(client, reader) == (0, 0, 0, 0)
            assert progress_of(client, reader)["questions_asked"] == 1
            refused = mark(client, reader, SENSORS).json()
        finally:
            cursor.execute("INSERT INTO chapters SELECT * FROM left_out")
            cursor.execute("DROP TABLE left_out")
    assert (refused["nearest"], refused["detail"]) == (
        [],
        "The book has no such chapter. GET /api/chapters lists them.",
    )


def test_addresses_name_the_site_where_it_is_known(start_app: AppFactory) -> None:
    http = start_app(site_url="https://book.example")
    reader = sign_up(http)
    mark(http, reader, SENSORS)
    assert progress_of(http, reader)["last_chapter"]["url"] == "https://book.example/docs/foundations/sensors"
