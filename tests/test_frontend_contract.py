"""The Docusaurus frontend that exists today is served unchanged: each call it makes, as it makes it.

It has no cookies, sends `Bearer null` before login, puts `detail` on the page as it is, and reads the fields
asserted here.
"""

import httpx2
import pytest
from pydantic import SecretStr

from backend.app.textbook.parser import plain_text
from tests.fakes.claude import FakeClaude
from tests.fixtures.app import AppFactory
from tests.routers.test_adapted_chapters import adapt

ORIGINS = ["http://localhost:3000", "http://localhost:3001"]
SIGNUP = {
    "email": "student@example.com",
    "password": "a good long passphrase",
    "name": "A student",
    "programming_level": "beginner",
    "hardware": "none",
}


def sign_up_and_log_in(client: httpx2.Client) -> dict[str, str]:
    """Do what the frontend does: sign up, look for the e-mail in the answer, then log in. -> its headers."""
    signed_up = client.post("/api/auth/signup", json=SIGNUP)
    assert signed_up.status_code == 201, signed_up.text
    assert signed_up.json()["email"] == SIGNUP["email"]
    logged_in = client.post("/api/auth/login", json={k: SIGNUP[k] for k in ("email", "password")})
    return {"Authorization": f"Bearer {logged_in.json()['access_token']}"}


@pytest.mark.parametrize("path", ["/api/health", "/"])
def test_health_and_root_answer_json_to_a_fetch(client: httpx2.Client, path: str) -> None:
    assert client.get(path).json()["status"] == "ok"


def test_root_is_a_page_in_a_browser(client: httpx2.Client) -> None:
    response = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert response.headers["content-type"].startswith("text/html")
    assert "/docs" in response.text


def test_a_question_needs_no_login_and_its_own_thread_name_is_accepted(client: httpx2.Client) -> None:
    body = {"question": "What is a ROS 2 node?", "conversation_id": "chat-1732150000000"}
    result = client.post("/api/chat/question", json=body).json()
    assert isinstance(result["answer"], str)
    assert result["answer"]
    same = client.post("/api/chat/ask", json=body, headers={"Authorization": "Bearer null"}).json()
    assert same["sources"] == result["sources"]


def test_a_refused_question_has_a_detail_that_can_stand_on_the_page(client: httpx2.Client) -> None:
    response = client.post("/api/chat/question", json={"question": "   ", "conversation_id": "chat-1"})
    assert response.status_code == 422
    assert isinstance(response.json()["detail"], str)


def test_signup_login_and_me_carry_the_fields_it_reads(client: httpx2.Client) -> None:
    headers = sign_up_and_log_in(client)
    profile = client.get("/api/auth/me", headers=headers).json()
    expected = {key: SIGNUP[key] for key in ("email", "name", "programming_level", "hardware")}
    assert {key: profile[key] for key in expected} == expected


def test_signup_answers_the_original_fields_and_the_reader(client: httpx2.Client) -> None:
    body = client.post("/api/auth/signup", json=SIGNUP).json()
    wanted = {"access_token", "token_type", "id", "email", "name", "programming_level", "hardware"}
    assert wanted <= set(body)
    assert body["token_type"] == "bearer"


def test_a_six_letter_password_that_its_form_lets_through_is_explained(client: httpx2.Client) -> None:
    response = client.post("/api/auth/signup", json=SIGNUP | {"password": "abcde1"})
    assert response.status_code == 422
    assert "8 characters" in response.json()["detail"]


def test_a_wrong_login_has_a_readable_detail(client: httpx2.Client) -> None:
    response = client.post("/api/auth/login", json={"email": "nobody@example.com", "password": "a wrong password"})
    assert response.status_code == 401
    assert isinstance(response.json()["detail"], str)


@pytest.mark.parametrize("header", ["Bearer null", "Bearer undefined", "Bearer"])
def test_a_token_that_is_not_there_means_anonymous_or_401(client: httpx2.Client, header: str) -> None:
    headers = {"Authorization": header}
    assert client.get("/api/auth/me", headers=headers).status_code == 401
    asked = client.post("/api/chat/ask", json={"question": "What is a ROS 2 node?"}, headers=headers)
    assert asked.status_code == 200


def test_a_token_that_is_there_and_wrong_is_401_even_where_it_is_optional(client: httpx2.Client) -> None:
    response = client.post("/api/chat/ask", json={"question": "Hi"}, headers={"Authorization": "Bearer a.b.c"})
    assert response.status_code == 401
    assert isinstance(response.json()["detail"], str)


def test_privileged_names_in_a_body_have_no_effect(client: httpx2.Client) -> None:
    body = client.post("/api/auth/signup", json=SIGNUP | {"id": 999_999, "user_id": 1, "role": "admin"}).json()
    assert body["id"] != 999_999
    assert "role" not in body


def test_its_other_pages_find_what_they_call(client: httpx2.Client) -> None:
    headers = sign_up_and_log_in(client)
    selected = client.post("/api/chat/selected-text", json={"selected_text": "A ROS 2 node"}, headers=headers)
    assert selected.status_code == 200, selected.text
    settings = {"name": "New name", "programming_level": "advanced", "hardware": "jetson"}
    assert client.put("/api/user/settings", json=settings, headers=headers).json()["name"] == "New name"
    assert client.get("/api/chat/history?limit=5", headers=headers).status_code == 200
    assert client.post("/api/auth/logout", headers=headers).status_code == 200
    assert client.get("/api/auth/me", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("call", "field"), [("personalize", "personalized_content"), ("translate", "translated_content")]
)
def test_a_page_is_adapted_as_it_sends_it(start_app: AppFactory, claude: FakeClaude, call: str, field: str) -> None:
    """It names no chapter, and sends the text of the page that is shown."""
    claude.adapts(adapt)
    client = start_app(anthropic_api_key=SecretStr("a-key-of-the-tests"), anthropic_base_url=claude.base_url)
    client.timeout = 300  # many sections are checked, perhaps beside other tests
    headers = sign_up_and_log_in(client)
    page = plain_text(client.get("/api/chapters/intro").json()["content"]).replace("\n", "")
    body = {"chapter_id": "custom-1732150000000", "chapter_content": page, "target_language": "es"}
    first = client.post(f"/api/{call}/chapter", json=body, headers=headers).json()
    assert isinstance(first[field], str)
    assert first[field]
    assert first["chapter_id"] == "intro"
    again = client.post(f"/api/{call}/chapter", json=body | {"chapter_id": "custom-1732150000001"}, headers=headers)
    assert again.json() == first | {"cached": True}
    empty = client.post(f"/api/{call}/chapter", json=body | {"chapter_content": ""}, headers=headers)
    assert (empty.status_code, isinstance(empty.json()["detail"], str)) == (400, True)


@pytest.mark.parametrize("call", ["personalize", "translate"])
def test_a_chapter_call_before_login_fails_with_a_detail_it_can_show(client: httpx2.Client, call: str) -> None:
    body = {"chapter_id": "custom-1", "chapter_content": "# A chapter", "target_language": "ur"}
    response = client.post(f"/api/{call}/chapter", json=body, headers={"Authorization": "Bearer null"})
    assert response.status_code == 401
    assert isinstance(response.json()["detail"], str)


def test_its_cache_addresses_answer(client: httpx2.Client) -> None:
    headers = sign_up_and_log_in(client)
    for path in ("/api/personalize/cache/software/simulation", "/api/translate/cache/software/simulation/fr"):
        missing = client.get(path, headers=headers)
        assert (missing.status_code, missing.json()["code"]) == (404, "not_adapted")


@pytest.mark.parametrize("origin", ORIGINS)
def test_its_origins_may_call_and_read_the_headers(client: httpx2.Client, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    preflight = client.options(
        "/api/chat/question", headers=asked | {"Access-Control-Request-Headers": "authorization,content-type"}
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == origin
    failed = client.get("/api/auth/me", headers={"Origin": origin})
    assert failed.headers["access-control-allow-origin"] == origin
    assert "X-Request-ID" in failed.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:3000.evil.example"])
def test_other_origins_may_not(client: httpx2.Client, origin: str) -> None:
    response = client.get("/api/health", headers={"Origin": origin})
    assert "access-control-allow-origin" not in response.headers
