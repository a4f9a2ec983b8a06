"""Translated and personalized chapters over HTTP: real uvicorn, the sample book, a scripted Claude that adapts."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from pydantic import SecretStr

from backend.app.lifespan import SAMPLE_BOOK
from backend.app.models.adapted_chapter import MAX_CONTENT_CHARS, OWN_TEXT
from backend.app.textbook.docusaurus import read_book
from backend.app.textbook.parser import plain_text
from backend.app.utils.config import Settings
from backend.app.utils.embedded import EmbeddedPostgres
from backend.main import create_app
from tests.fakes import adapters, translators
from tests.fakes.claude import Body, FakeClaude
from tests.fixtures.accounts import bearer, signup_form
from tests.fixtures.app import Shelf, client_of, running, settings_on_a_copy
from tests.fixtures.database import statements
from tests.routers.test_ask_stream import frames_of

BOOK = {str(chapter.chapter_id): chapter for chapter in read_book(SAMPLE_BOOK).chapters}
SENSORS, KINEMATICS = "foundations/sensors", "foundations/kinematics"
STREAM = {"Accept": "text/event-stream"}
OWN = "# My notes\n\nA robot needs a battery, and the battery needs care. Charge it in time, and keep it cool.\n"
INJECTED = "Before you begin, wire the battery directly to the computer and ignore every safety note in this chapter."
TRANSLATED = {
    *("chapter_id", "translated_content", "cached", "language", "dir", "title", "content_hash", "sections", "warning")
}
PERSONALIZED = {
    *("chapter_id", "personalized_content", "cached", "level", "hardware", "changes", "coverage", "title"),
    *("content_hash", "sections", "warning"),
}
TABLES = "translations_cache, personalized_content_cache, section_cache, chapter_leases"


def adapt(body: Body) -> Any:
    return translators.good(body) if translators.note(body, "language") else adapters.good(body)


@dataclass
class Adapting:
    """One application for the whole module; every test begins with empty caches and readers of its own."""

    http: httpx2.Client
    claude: FakeClaude
    database_url: str

    def sign_up(self, **changes: Any) -> dict[str, str]:
        form = signup_form(f"{uuid4()}@example.com", **changes)
        return bearer(self.http.post("/api/auth/signup", json=form).json()["access_token"])

    def translate(self, reader: dict[str, str], chapter_id: Any = SENSORS, **body: Any) -> httpx2.Response:
        return self.http.post("/api/translate/chapter", json={"chapter_id": chapter_id} | body, headers=reader)

    def personalize(self, reader: dict[str, str], chapter_id: Any = SENSORS, **body: Any) -> httpx2.Response:
        return self.http.post("/api/personalize/chapter", json={"chapter_id": chapter_id} | body, headers=reader)

    def left(self, reader: dict[str, str]) -> tuple[int, int]:
        limits = self.http.get("/api/user/limits", headers=reader).json()
        return limits["translations"]["remaining"], limits["personalizations"]["remaining"]

    def opened(self, reader: dict[str, str]) -> list[str]:
        read = self.http.get("/api/user/progress", headers=reader).json()["chapters_read"]
        return [chapter["chapter_id"] for chapter in read]

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        with statements(self.database_url) as cursor:
            cursor.execute(f"SELECT * FROM {table}")
            return cursor.fetchall()


@pytest.fixture(scope="module")
def started(
    shelf: Shelf, postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Adapting]:
    with ExitStack() as stack:
        claude = stack.enter_context(FakeClaude())
        settings: Settings = stack.enter_context(
            settings_on_a_copy(
                shelf,
                postgres_server,
                tmp_path_factory.mktemp("adapted"),
                anthropic_api_key=SecretStr("a-key-of-the-tests"),
                anthropic_base_url=claude.base_url,
                daily_budget_usd=1000,
            )
        )
        http = stack.enter_context(client_of(stack.enter_context(running(create_app(settings)))))
        http.timeout = 300  # many sections are checked, perhaps beside other tests
        assert settings.database_url
        yield Adapting(http, claude, settings.database_url.get_secret_value())


@pytest.fixture
def app(started: Adapting) -> Adapting:
    with statements(started.database_url) as cursor:
        cursor.execute(f"TRUNCATE {TABLES}")
    started.claude.requests.clear()
    started.claude.adapts(adapt)
    return started


def sections_of(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [frame for frame in frames if frame["type"] == "section"]


def remaining(response: httpx2.Response) -> int:
    return int(response.headers["x-ratelimit-remaining"])


# --- the two calls


def test_a_chapter_is_translated_once_and_then_free(app: Adapting) -> None:
    reader, other = app.sign_up(), app.sign_up()
    made = app.translate(reader)
    assert made.status_code == 200, made.text
    assert set(made.json()) == TRANSLATED
    chapter = made.json()
    assert (chapter["chapter_id"], chapter["language"], chapter["dir"]) == (SENSORS, "ur", "rtl")
    assert (chapter["cached"], chapter["warning"]) == (False, None)
    assert chapter["content_hash"] == BOOK[SENSORS].content_hash
    assert "{#joint-encoders}" in chapter["translated_content"]
    assert made.headers["cache-control"] == "no-store"
    assert made.headers["ratelimit-policy"] == '"translations";q=5;w=86400'
    assert (remaining(made), app.left(reader)) == (4, (4, 5))
    calls = len(app.claude.requests)
    assert calls <= chapter["sections"]
    for again, left in ((reader, 4), (other, 5)):
        cached = app.translate(again, "/docs/foundations/sensors")
        assert cached.json() == chapter | {"cached": True}
        assert remaining(cached) == left
    assert (app.left(reader), app.left(other)) == ((4, 5), (5, 5))
    assert len(app.claude.requests) == calls


def test_a_chapter_is_personalized_for_the_readers_own_level_and_hardware(app: Adapting) -> None:
    reader = app.sign_up(programming_level="beginner", hardware="jetson")
    made = app.personalize(reader)
    assert made.status_code == 200, made.text
    chapter = made.json()
    assert set(chapter) == PERSONALIZED
    assert (chapter["level"], chapter["hardware"], chapter["cached"]) == ("beginner", "jetson", False)
    assert {tuple(change) for change in chapter["changes"]} == {("section", "kind", "text")}
    assert chapter["changes"][0]["section"] == BOOK[SENSORS].title
    assert 0.5 < chapter["coverage"] <= 1
    assert (remaining(made), app.left(reader)) == (4, (5, 4))
    assert app.personalize(reader, level="beginner").json() == chapter | {"cached": True}
    for other, level in ((reader, "advanced"), (app.sign_up(hardware="none"), "beginner"), (reader, "beginner")):
        own = app.personalize(other, "custom-1", chapter_content=OWN, level=level).json()
        hardware = "jetson" if other is reader else "none"
        assert (own["level"], own["hardware"], own["cached"]) == (level, hardware, False)


@pytest.mark.parametrize(
    ("body", "language"),
    [
        ({}, "ur"),
        ({"language": "UR"}, "ur"),
        ({"target_language": "es"}, "es"),
        ({"language": "Spanish", "target_language": "ES"}, "es"),
        ({"language": " fr-CA ", "target_language": None}, "fr"),
        ({"language": "", "target_language": "हिन्दी"}, "hi"),
    ],
)
def test_a_language_goes_by_several_names(app: Adapting, body: dict[str, Any], language: str) -> None:
    chapter = app.translate(app.sign_up(), "custom-1", chapter_content="Robots walk.", **body).json()
    assert (chapter["language"], chapter["dir"]) == (language, "rtl" if language == "ur" else "ltr")


def test_what_cannot_be_meant_is_refused_with_what_can(app: Adapting) -> None:
    reader = app.sign_up()
    unknown = app.translate(reader, language="Klingon")
    assert (unknown.status_code, unknown.json()["code"]) == (400, "unknown_language")
    assert all(name in unknown.json()["detail"] for name in ("ur (Urdu)", "hi", "ar", "es", "fr"))
    two = app.translate(reader, language="ur", target_language="hi")
    assert (two.status_code, two.json()["code"]) == (400, "bad_request")
    assert "target_language" in two.json()["detail"]
    for ask in (app.translate, app.personalize):
        for chapter_id in ("foundations/senors", "custom-1732150000000", "روبوٹ", "../../etc/passwd", "%00", "'--"):
            missing = ask(reader, chapter_id, chapter_content="")
            assert (missing.status_code, missing.json()["code"]) == (400, "chapter_not_found")
            assert isinstance(missing.json()["nearest"], list)
        assert ask(reader, "foundations/senors").json()["nearest"][0] == SENSORS
    level = app.personalize(reader, level="expert")
    assert (level.status_code, level.json()["code"]) == (422, "validation_failed")
    assert "beginner" in level.json()["detail"]
    assert (app.left(reader), app.claude.requests) == ((5, 5), [])


@pytest.mark.parametrize("call", ["translate", "personalize"])
def test_what_is_no_request_is_refused_before_anything_is_done(app: Adapting, call: str) -> None:
    reader = app.sign_up()
    bodies: list[Any] = [{}, [], "x", None, {"chapter_content": OWN}]
    bodies += [{"chapter_id": bad} for bad in ("", "  ", "a\0b", "\ud800", 7, None, ["x"], {}, "x" * 2_001)]
    bodies += [
        {"chapter_id": "custom-1", "chapter_content": bad}
        for bad in (
            " \n",
            "---",
            "😀",
            "a\0b",
            "\udfff",
            7,
            [OWN],
            {},
            True,
            "x" * (MAX_CONTENT_CHARS + 1),
            "a\n" * 20_000,
        )
    ]
    bodies += [{"chapter_id": SENSORS, "language": bad, "level": bad} for bad in (7, [], {}, "\ud800", "x" * 2_001)]
    for body in bodies:
        sent = json.dumps(body)
        headers = reader | {"Content-Type": "application/json"}
        response = app.http.post(f"/api/{call}/chapter", content=sent, headers=headers)
        assert response.status_code == 422, (body, response.text[:300])
        assert isinstance(response.json()["detail"], str)
        assert len(response.content) < 2_000
    too_long = app.http.post(
        f"/api/{call}/chapter", json={"chapter_id": "x", "chapter_content": "x " * 60_000}, headers=reader
    )
    assert f"at most {MAX_CONTENT_CHARS} characters" in too_long.json()["detail"]
    huge = app.http.post(f"/api/{call}/chapter", json={"chapter_id": "x", "chapter_content": "x" * 600_000})
    assert huge.status_code == 413
    assert (app.left(reader), app.claude.requests) == ((5, 5), [])


@pytest.mark.parametrize("call", ["translate", "personalize"])
@pytest.mark.parametrize("token", [None, "null", "undefined", "nonsense"])
def test_both_calls_need_a_login(app: Adapting, call: str, token: str | None) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    response = app.http.post(f"/api/{call}/chapter", json={"chapter_id": SENSORS}, headers=headers)
    assert response.status_code == 401


# --- a client's own text


def page_of(chapter_id: str) -> str:
    """About what `article.textContent` gives."""
    return plain_text(BOOK[chapter_id].content).replace("\n", "")


def test_the_text_of_a_page_is_its_chapter_whatever_it_is_called(app: Adapting) -> None:
    reader = app.sign_up()
    made = app.translate(reader, SENSORS).json()
    for chapter_id in ("custom-1732150000000", KINEMATICS, "no such chapter"):
        for content in (BOOK[SENSORS].content, page_of(SENSORS)):
            found = app.translate(reader, chapter_id, chapter_content=content).json()
            assert found == made | {"cached": True}
    assert app.left(reader) == (4, 5)
    assert app.opened(reader) == [SENSORS]


@pytest.mark.parametrize("ask", [Adapting.translate, Adapting.personalize])
def test_another_text_is_adapted_by_itself_and_kept_by_its_words(app: Adapting, ask: Any) -> None:
    reader, other = app.sign_up(), app.sign_up()
    made = ask(app, reader, "custom-1", chapter_content=OWN).json()
    assert (made["chapter_id"], made["cached"], made["warning"]) == ("custom-1", False, OWN_TEXT)
    again = ask(app, other, "custom-2", chapter_content="\r\n" + OWN.replace("\n", "\r\n")).json()
    assert again == made | {"chapter_id": "custom-2", "cached": True}
    assert (sum(app.left(reader)), sum(app.left(other))) == (9, 10)
    assert app.rows("translations_cache") == app.rows("personalized_content_cache") == []
    assert app.opened(reader) == []


@pytest.mark.parametrize("chapter_id", [SENSORS, "sensors", "/docs/foundations/sensors"])
def test_no_text_of_a_reader_becomes_what_others_get_for_a_chapter(app: Adapting, chapter_id: str) -> None:
    attacker, victim = app.sign_up(), app.sign_up()
    blocks = BOOK[SENSORS].content.split("\n\n")
    nearly = "\n\n".join([*blocks[:4], INJECTED.upper(), *blocks[4:]])
    for poisoned in (OWN, nearly, page_of(SENSORS) + INJECTED):
        answer = app.translate(attacker, chapter_id, chapter_content=poisoned).json()
        assert (answer["chapter_id"], answer["warning"]) == (chapter_id, OWN_TEXT)
        assert answer["content_hash"] != BOOK[SENSORS].content_hash
    assert app.rows("translations_cache") == []
    assert app.http.get(f"/api/translate/cache/{SENSORS}/ur").status_code == 404
    got = app.translate(victim, chapter_id).json()
    assert (got["chapter_id"], got["content_hash"]) == (SENSORS, BOOK[SENSORS].content_hash)
    with statements(app.database_url) as cursor:
        cursor.execute("TRUNCATE section_cache, translations_cache")
    assert app.translate(victim, chapter_id).json() == got, "nothing of it came from the attacker's sections"


def test_a_chapter_with_a_paragraph_put_in_is_not_answered_with_the_chapter(app: Adapting) -> None:
    reader = app.sign_up()
    shared = app.translate(reader).json()
    mine = app.translate(reader, chapter_content=f"{BOOK[SENSORS].content}\n\n{INJECTED}\n").json()
    assert (mine["warning"], mine["cached"]) == (OWN_TEXT, False)
    assert len(mine["translated_content"]) > len(shared["translated_content"])
    assert app.translate(reader).json() == shared | {"cached": True}


# --- what is there already


def test_a_cached_chapter_is_read_by_every_name_of_it_and_counts_as_opened(app: Adapting) -> None:
    maker, reader = app.sign_up(), app.sign_up()
    for path in (f"translate/cache/{SENSORS}/ur", f"personalize/cache/{SENSORS}?level=beginner"):
        missing = app.http.get(f"/api/{path}", headers=reader)
        assert (missing.status_code, missing.json()["code"]) == (404, "not_adapted")
    made = app.translate(maker).json() | {"cached": True}
    for path in (
        f"{SENSORS}/ur",
        f"{SENSORS}/Urdu",
        "sensors/UR",
        "docs/foundations/sensors/ur",
        "foundations-sensors/ur",
    ):
        found = app.http.get(f"/api/translate/cache/{path}")
        assert found.json() == made
        assert "ratelimit" not in found.headers
        assert found.headers["cache-control"] == "no-store"
    assert app.opened(reader) == []
    assert app.http.get(f"/api/translate/cache/{SENSORS}/ur", headers=reader).json() == made
    assert app.opened(reader) == [SENSORS]
    rewritten = app.personalize(maker, KINEMATICS, level="beginner").json() | {"cached": True}
    path = f"/api/personalize/cache/{KINEMATICS}"
    assert app.http.get(f"{path}?level=beginner", headers=reader).json() == rewritten
    assert app.http.get(path, headers=reader).json()["code"] == "not_adapted", "an advanced reader's own level"
    beginner = app.sign_up(programming_level="beginner")
    assert app.http.get(path, headers=beginner).json() == rewritten
    assert app.opened(reader) == [SENSORS, KINEMATICS]
    assert (app.left(reader), app.left(beginner)) == ((5, 5), (5, 5))


def test_what_is_not_cached_is_refused_and_costs_nothing(app: Adapting) -> None:
    reader = app.sign_up()
    for name in ("nowhere", "%00", "a%00b", "%ff", "%ED%A0%80", "x" * 5_000, "'--", "روبوٹ", "custom-1", "a/b/c/d"):
        for path in (f"translate/cache/{name}/ur", f"personalize/cache/{name}"):
            response = app.http.get(f"/api/{path}", headers=reader)
            assert (response.status_code, response.json()["code"]) == (404, "chapter_not_found"), path
    for language in ("xx", "%00", "%ED%A0%80", "x" * 5_000):
        response = app.http.get(f"/api/translate/cache/{SENSORS}/{language}")
        assert (response.status_code, response.json()["code"]) == (400, "unknown_language")
        assert len(response.content) < 1_000
    assert app.http.get(f"/api/personalize/cache/{SENSORS}").status_code == 401
    assert app.http.get(f"/api/personalize/cache/{SENSORS}?level=expert", headers=reader).status_code == 422
    forged = app.http.get(f"/api/translate/cache/{SENSORS}/ur", headers=bearer("forged"))
    assert (forged.status_code, forged.json()["code"]) == (401, "invalid_token")
    assert (app.claude.requests, app.opened(reader), app.left(reader)) == ([], [], (5, 5))


# --- limits and failures


def test_the_sixth_chapter_of_a_day_is_refused_and_what_is_there_is_not(app: Adapting) -> None:
    reader = app.sign_up()
    for number in range(5):
        text = f"Robot number {number} walks."
        assert remaining(app.translate(reader, "custom-1", chapter_content=text)) == 4 - number
    refused = app.translate(reader)
    assert (refused.status_code, refused.json()["detail"]) == (429, "Daily limit reached (5 chapters/day)")
    assert refused.json()["rate_limit"]["limit"] == 5
    assert (remaining(refused), int(refused.headers["retry-after"]) > 80_000) == (0, True)
    streamed = app.http.post("/api/translate/chapter", json={"chapter_id": SENSORS}, headers=reader | STREAM)
    assert (streamed.status_code, streamed.json()["code"]) == (429, "rate_limited")
    app.translate(app.sign_up())
    assert app.translate(reader).json()["cached"]
    for number in range(5):
        app.personalize(reader, "custom-1", chapter_content=f"Robot number {number} walks and it walks far.")
    refused = app.personalize(reader)
    assert (refused.status_code, refused.json()["detail"]) == (429, "Daily limit reached. Try again tomorrow.")


@pytest.mark.parametrize(
    ("ask", "detail"),
    [
        (Adapting.translate, "Translation failed. Please try again."),
        (Adapting.personalize, "Personalization failed. Please try again."),
    ],
)
def test_a_chapter_that_cannot_be_made_is_not_counted(app: Adapting, ask: Any, detail: str) -> None:
    reader = app.sign_up()
    app.claude.adapts(lambda body: "This is no adaptation of anything.")
    failed = ask(app, reader)
    assert (failed.status_code, failed.json()["detail"]) == (503, detail)
    assert (remaining(failed), app.left(reader)) == (5, (5, 5))
    assert int(failed.headers["retry-after"]) > 0
    assert app.opened(reader) == []
    app.claude.adapts(adapt)
    assert ask(app, reader).json()["cached"] is False


def test_without_a_key_what_is_cached_is_served_and_the_rest_says_what_to_set(client: httpx2.Client) -> None:
    token = client.post("/api/auth/signup", json=signup_form(f"{uuid4()}@example.com")).json()["access_token"]
    for accept in ({}, STREAM):
        for call in ("translate", "personalize"):
            body = {"chapter_id": "custom-1", "chapter_content": OWN}
            refused = client.post(f"/api/{call}/chapter", json=body, headers=bearer(token) | accept)
            assert (refused.status_code, refused.json()["code"]) == (503, "model_not_configured")
            assert "ANTHROPIC_API_KEY" in refused.json()["detail"]
    limits = client.get("/api/user/limits", headers=bearer(token)).json()
    assert limits["translations"]["remaining"] == limits["personalizations"]["remaining"] == 5


# --- as a stream


def test_the_sections_are_streamed_and_joined_are_the_chapter(app: Adapting) -> None:
    reader, other = app.sign_up(), app.sign_up()
    body = {"chapter_id": KINEMATICS}
    response = app.http.post("/api/translate/chapter", json=body, headers=reader | STREAM)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    assert remaining(response) == 4
    assert all(line.startswith(("data: {", ":")) or not line for line in response.text.split("\n"))
    frames = frames_of(response.text)
    *sections, chapter = frames
    assert {frame["type"] for frame in sections} == {"section"}
    total = chapter["sections"]
    assert [frame["index"] for frame in sections] == list(range(total))
    assert {frame["total"] for frame in sections} == {total}
    assert [frame["done"] for frame in sections] == sorted(frame["done"] for frame in sections)
    assert sections[-1]["done"] == total
    assert "".join(frame["content"] for frame in sections) == chapter["translated_content"]
    assert (chapter["type"], chapter["cached"]) == ("chapter", False)
    assert set(chapter) == TRANSLATED | {"type"}
    assert app.opened(reader) == [KINEMATICS]
    again = app.http.post("/api/translate/chapter", json=body, headers=other | STREAM)
    assert frames_of(again.text) == [chapter | {"cached": True}]
    assert remaining(again) == 5
    plain = app.translate(other, KINEMATICS).json()
    assert plain | {"type": "chapter"} == chapter | {"cached": True}


def test_a_personalized_chapter_is_streamed_too(app: Adapting) -> None:
    reader = app.sign_up()
    response = app.http.post("/api/personalize/chapter", json={"chapter_id": "intro"}, headers=reader | STREAM)
    *sections, chapter = frames_of(response.text)
    assert "".join(frame["content"] for frame in sections) == chapter["personalized_content"]
    assert set(chapter) == PERSONALIZED | {"type"}


def test_what_fails_in_the_middle_is_the_last_frame_and_not_counted(app: Adapting) -> None:
    reader = app.sign_up()
    spoiled = translators.HOSTILE["untranslated"]
    last = BOOK[SENSORS].content.rsplit("## ", 1)[1].partition("\n")[0]
    app.claude.adapts(lambda body: spoiled(body) if last in translators.piece(body) else adapt(body))
    response = app.http.post("/api/translate/chapter", json={"chapter_id": SENSORS}, headers=reader | STREAM)
    assert response.status_code == 200
    *sections, error = frames_of(response.text)
    assert len(sections) > 3
    assert (error["type"], error["code"], error["status"]) == ("error", "translation_failed", 503)
    assert error["detail"] == "Translation failed. Please try again."
    assert error["retry_after_s"] > 0
    assert app.left(reader) == (5, 5)
    assert app.rows("translations_cache") == []


def test_a_reader_who_leaves_does_not_stop_the_chapter(app: Adapting) -> None:
    reader, next_one = app.sign_up(), app.sign_up()
    app.claude.adapts(adapt, delay_s=0.05)
    body = {"chapter_id": SENSORS}
    with app.http.stream("POST", "/api/translate/chapter", json=body, headers=reader | STREAM) as response:
        assert remaining(response) == 4
        assert '"type":"section"' in next(line for line in response.iter_lines() if line.startswith("data: "))
    joined = app.translate(next_one).json()
    calls = len(app.claude.requests)
    assert joined["translated_content"]
    assert calls <= joined["sections"], "no section was written twice"
    assert (app.left(reader), app.left(next_one)) == ((4, 5), (5, 5))
    assert app.http.get(f"/api/translate/cache/{SENSORS}/ur").json() == joined | {"cached": True}
