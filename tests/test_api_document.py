"""The API's own description: every operation explained, nothing hidden, and readable without the internet."""

import re
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi.routing import APIRoute

from backend.app.utils.config import Settings
from backend.main import create_app
from tests.fixtures.api_document import check_status, operations

CHANGING = {
    ("POST", "/api/auth/signup"),
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/logout"),
    ("POST", "/api/auth/password"),
    ("DELETE", "/api/auth/me"),
    ("PUT", "/api/user/settings"),
    ("POST", "/api/user/progress/mark"),
    ("POST", "/api/chat/ask"),
    ("POST", "/api/chat/ask/stream"),
    ("POST", "/api/chat/question"),
    ("POST", "/api/chat/selected-text"),
    ("DELETE", "/api/chat/history"),
    ("PATCH", "/api/chat/conversations/{conversation_id}"),
    ("DELETE", "/api/chat/conversations/{conversation_id}"),
    ("POST", "/api/translate/chapter"),
    ("POST", "/api/personalize/chapter"),
}


@pytest.mark.parametrize(("method", "path"), operations(), ids=" ".join)
def test_every_operation_says_what_it_does_and_how_it_can_fail(method: str, path: str) -> None:
    described = operations()[method, path]
    assert described["summary"]
    assert described["description"].endswith(".")
    assert described["tags"]
    for status, response in described["responses"].items():
        assert response["description"]
        if status >= "400" and path != "/health/ready":
            assert set(response["content"]) == {"application/problem+json"}
    if "requestBody" in described:
        assert {"400", "408", "413", "422"} <= set(described["responses"])
    if "security" in described:
        assert "401" in described["responses"]


def test_no_route_is_hidden_but_the_page_and_the_documents() -> None:
    app = create_app(Settings())
    hidden = {route.path for route in app.routes if isinstance(route, APIRoute) and not route.include_in_schema}
    assert hidden <= {"/", "/docs", "/redoc", "/docs/oauth2-redirect"}


def test_no_request_can_change_the_book() -> None:
    assert {key for key in operations() if key[0] != "GET"} == CHANGING


def test_a_status_that_is_not_documented_fails_the_test_that_meets_it() -> None:
    def answered(status: int, path: str) -> httpx2.Response:
        return httpx2.Response(status, request=httpx2.Request("GET", f"http://test{path}"))

    check_status(answered(404, "/api/chapters/a/b"))
    check_status(answered(404, "/nowhere"))
    with pytest.raises(AssertionError, match="418"):
        check_status(answered(418, "/api/chapters/a/b"))


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_documents_load_nothing_from_elsewhere(client: httpx2.Client, page: str) -> None:
    response = client.get(page)
    assert response.status_code == 200
    assert not re.search(r"""["'(=]\s*(?:https?:)?//""", response.text), "an address of another host"
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)["']""", response.text)
    assert loaded
    for address in loaded:
        assert not urlsplit(address).netloc
        assert client.get(address).status_code == 200, address


def test_the_page_at_the_root_loads_nothing(client: httpx2.Client) -> None:
    page = client.get("/", headers={"Accept": "text/html"}).text
    assert not re.search(r"""(?:src|url\()|<link|<script|href=["'](?:https?:)?//""", page)


def test_the_document_is_served_as_it_is_checked_in(client: httpx2.Client) -> None:
    served = client.get("/openapi.json").json()
    assert set(served["paths"]) == {path for _, path in operations()}
