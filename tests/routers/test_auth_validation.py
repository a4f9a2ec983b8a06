"""What signup, login and settings take from a body: addresses, passwords, names, choices, and nothing privileged."""

import json
from typing import Any

import httpx2
import pytest

from tests.fixtures.accounts import PASSWORD, bearer, sign_up, signup_form
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio


async def refusal(edge: httpx2.AsyncClient, form: dict[str, Any], field: str) -> str:
    """Sign up with `form`, which must be refused because of `field` -> the `detail`."""
    response = await edge.post("/api/auth/signup", content=json.dumps(form), headers=JSON)
    assert response.status_code == 422, response.text
    assert field in [error["field"] for error in response.json()["errors"]]
    assert isinstance(response.json()["detail"], str)
    return response.json()["detail"]


JSON = {"Content-Type": "application/json"}
SAME_ADDRESS = {
    "sana.mirza@example.com": [
        "Sana.Mirza@example.com",
        "SANA.MIRZA@EXAMPLE.COM",
        "  sana.mirza@example.com\n",
        "\u00a0sana.mirza@example.com",
        "sana.mirza@Example.Com",
        "ｓａｎａ.ｍｉｒｚａ@example.com",
        "sana.mirza@ｅｘａｍｐｌｅ.com",
        "sana.mirza＠example.com",
        "sana.mirza@example。com",
    ],
    "leser@bücher.example.com": [
        "leser@xn--bcher-kva.example.com",
        "leser@XN--BCHER-KVA.example.com",
        "leser@BÜCHER.example.com",
        "leser@bu\u0308cher.example.com",
        "Leser@Bücher.Example.com",
    ],
    "josé@example.com": ["jose\u0301@example.com", "JOSÉ@example.com", "JOSE\u0301@EXAMPLE.com"],
    "ثنا@example.com": ["ثنا@EXAMPLE.COM", " ثنا@example.com "],
    "straße@example.com": ["STRASSE@example.com", "Straße@example.com"],
}


@pytest.mark.parametrize(
    ("first", "second"), [(first, second) for first in SAME_ADDRESS for second in SAME_ADDRESS[first]]
)
async def test_spellings_of_one_address_are_one_account(
    accounts: httpx2.AsyncClient, first: str, second: str
) -> None:
    await sign_up(accounts, first)
    again = await accounts.post("/api/auth/signup", json=signup_form(second))
    assert (again.status_code, again.json()["code"]) == (400, "email_taken")
    login = await accounts.post("/api/auth/login", json={"email": second, "password": PASSWORD})
    assert login.status_code == 200


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("sana@example.com", "sana+book@example.com"),
        ("sana.mirza@example.com", "sanamirza@example.com"),
        ("sana@example.com", "sana@example.org"),
        ("jose@example.com", "josé@example.com"),
    ],
)
async def test_different_addresses_are_different_accounts(
    accounts: httpx2.AsyncClient, first: str, second: str
) -> None:
    assert (await sign_up(accounts, first))["id"] != (await sign_up(accounts, second))["id"]


@pytest.mark.parametrize(
    "email",
    [
        "", " ", "sana", "@", "@example.com", "sana@", "sana@example", "sana@@example.com", "sana@a＠example.com",
        "sana mirza@example.com", "sana@exam ple.com", "sana@.example.com", "sana@example..com", ".sana@example.com",
        "sana.@example.com", '"sana"@example.com', "Sana <sana@example.com>", "sana@example.com,b@example.com",
        "sana@[127.0.0.1]", "sana@127.0.0.1", "sana@-example.com", "sana@example.com\nBcc: b@example.com",
        "sana\u202e@example.com", "sana@exa\u200bmple.com", "a" * 250 + "@example.com", "a@" + "b" * 320 + ".com",
        "a@" + ".".join(["b" * 60] * 5) + ".com", "ﷺ" * 64 + "@example.com", "sana\0@example.com",
        "sana@example.com\0", "sana\ud800@example.com", "xn--@example.com@", "sana@xn--a.com", "<script>@example.com",
        None, 7, ["a@example.com"],
    ],
)  # fmt: skip
async def test_what_is_no_address_is_refused(edge: httpx2.AsyncClient, email: object) -> None:
    detail = await refusal(edge, signup_form() | {"email": email}, "email")
    assert detail.startswith("email: ")
    assert len(detail) < 300


GOOD_PASSWORDS = [
    "eight ch", "correct horse battery", " leading and trailing ", "tab\tand\nline", "x" * 127 + "y",
    "ا" * 64, "پاسورڈ" * 10 + "اردو", "🤖" * 8, "🤖" * 128, "👩‍🔬👩‍🔬👩‍🔬",
    "a\u0301" * 4, "\u202epassphrase", "密码密码密码密码",
    "' OR 1=1; --", "<script>x", "\u001b[31mred", "0" * 7 + "١",
]  # fmt: skip


@pytest.mark.parametrize("password", GOOD_PASSWORDS)
async def test_a_password_is_kept_exactly_as_it_was_typed(accounts: httpx2.AsyncClient, password: str) -> None:
    await sign_up(accounts, password=password)
    for guess in (password, password.strip() + "!", password[:-1] + "?", password + " "):
        login = await accounts.post("/api/auth/login", json={"email": "sana@example.com", "password": guess})
        assert login.status_code == (200 if guess == password else 401)


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("", "at least 8 characters"),
        ("secret", "at least 8 characters"),
        ("🤖" * 7, "at least 8 characters"),
        ("ا" * 7, "at least 8 characters"),
        ("x" * 129, "at most 128 characters"),
        ("x" * 100_000, "at most 128 characters"),
        ("password", "first that attackers try"),
        ("PassWord1", "first that attackers try"),
        ("12345678", "first that attackers try"),
        ("qwertyuiop", "first that attackers try"),
        ("sana.mirza", "e-mail address"),
        ("Sana.Mirza", "e-mail address"),
        ("ｓａｎａ.mirza", "e-mail address"),
        ("sana.mirza@example.com", "e-mail address"),
        ("nul\0 in the middle", "NUL"),
        ("half \ud83e of a robot", "surrogate"),
    ],
)
async def test_a_password_is_refused_with_one_sentence(edge: httpx2.AsyncClient, password: str, says: str) -> None:
    detail = await refusal(edge, signup_form("Sana.Mirza@example.com", password=password), "password")
    assert says in detail
    assert detail.count(". ") == 0
    assert len(detail) < 150


async def test_a_weak_password_is_told_even_when_the_address_is_wrong_too(edge: httpx2.AsyncClient) -> None:
    detail = await refusal(edge, signup_form("nowhere", password="short"), "password")
    assert "email: Not a valid e-mail address." in detail
    assert "password: Use at least 8 characters." in detail


TEXT_FIELDS = ["email", "password", "name", "programming_level", "hardware"]


@pytest.mark.parametrize("field", TEXT_FIELDS)
@pytest.mark.parametrize("character", ["\0", chr(0xD800), chr(0xDFFF)])
async def test_nul_and_halves_of_characters_are_refused_in_every_field(
    edge: httpx2.AsyncClient, field: str, character: str
) -> None:
    form = signup_form()
    await refusal(edge, form | {field: form[field] + character}, field)


@pytest.mark.parametrize("field", ["name", "programming_level", "hardware"])
async def test_nul_is_refused_in_settings_too(accounts: httpx2.AsyncClient, field: str) -> None:
    headers = bearer((await sign_up(accounts))["access_token"])
    response = await accounts.put("/api/user/settings", json={field: "none\0"}, headers=headers)
    assert response.status_code == 422


@pytest.mark.parametrize("field", TEXT_FIELDS)
@pytest.mark.parametrize("value", [7, True, 1.5, [], ["a"], {"a": "b"}, None])
async def test_only_text_is_text(edge: httpx2.AsyncClient, field: str, value: object) -> None:
    await refusal(edge, signup_form() | {field: value}, field)


@pytest.mark.parametrize(
    "name", ["ثنا مرزا", "  Sana  ", "O'Brien; DROP TABLE users", "𒀀", "a" * 255, "\u202eanas", "👩‍🔬", ""]
)
async def test_a_name_comes_back_as_it_was_typed_but_trimmed(accounts: httpx2.AsyncClient, name: str) -> None:
    assert (await sign_up(accounts, name=name))["name"] == name.strip()


async def test_a_name_may_not_be_endless(accounts: httpx2.AsyncClient, edge: httpx2.AsyncClient) -> None:
    await refusal(edge, signup_form(name="a" * 256), "name")
    assert (await sign_up(accounts, name=" " * 300 + "a" * 255))["name"] == "a" * 255


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("programming_level", "Intermediate", "intermediate"),
        ("programming_level", " BEGINNER ", "beginner"),
        ("hardware", "GPU", "gpu"),
        ("hardware", "Robotics\n", "robotics"),
    ],
)
async def test_choices_are_read_in_any_letter_case(
    accounts: httpx2.AsyncClient, field: str, value: str, stored: str
) -> None:
    assert (await sign_up(accounts, **{field: value}))[field] == stored


@pytest.mark.parametrize(
    ("field", "allowed"),
    [
        ("programming_level", ["beginner", "intermediate", "advanced"]),
        ("hardware", ["none", "gpu", "jetson", "robotics"]),
    ],
)
@pytest.mark.parametrize("value", ["expert", "", "beginner;", "gpu gpu", "ｇｐｕ"])
async def test_an_unknown_choice_is_refused_with_the_known_ones(
    edge: httpx2.AsyncClient, field: str, allowed: list[str], value: str
) -> None:
    detail = await refusal(edge, signup_form(**{field: value}), field)
    assert all(f"'{choice}'" in detail for choice in allowed)


PRIVILEGED: dict[str, Any] = {
    "id": 1,
    "user_id": 1,
    "sub": "1",
    "role": "admin",
    "is_admin": True,
    "token_version": 99,
    "ver": 99,
    "password_hash": "x",
    "created_at": "2000-01-01",
    "__proto__": {"id": 1},
    "conversation_id": "chat-1",
}


async def test_privileged_names_in_a_body_have_no_effect(accounts: httpx2.AsyncClient, database_url: str) -> None:
    with statements(database_url) as cursor:
        victim = await sign_up(accounts, "victim@example.com", name="Victim")
        attacker = await sign_up(accounts, "attacker@example.com", **(PRIVILEGED | {"id": victim["id"]}))
        smuggled = PRIVILEGED | {"id": victim["id"], "user_id": victim["id"], "email": "victim@example.com"}
        query = {"id": victim["id"], "user_id": victim["id"], "email": "victim@example.com"}
        headers = bearer(attacker["access_token"]) | {"X-User-Id": str(victim["id"]), "User-Id": str(victim["id"])}
        cursor.execute("SELECT * FROM users WHERE id = %s", (victim["id"],))
        before = cursor.fetchone()
        calls = [
            ("PUT", "/api/user/settings", smuggled | {"name": "Attacker", "hardware": "gpu"}),
            ("GET", "/api/auth/me", None),
            (
                "POST",
                "/api/auth/password",
                smuggled | {"current_password": PASSWORD, "new_password": "brand new one"},
            ),
        ]
        for method, path, body in calls:
            response = await accounts.request(method, path, json=body, params=query, headers=headers)
            assert response.status_code == 200, response.text
            assert "ictim" not in response.text
        headers["Authorization"] = f"Bearer {response.json()['access_token']}"
        for method, path in (("POST", "/api/auth/logout"), ("DELETE", "/api/auth/me")):
            login = {"email": "attacker@example.com", "password": "brand new one"} | PRIVILEGED
            token = (await accounts.post("/api/auth/login", json=login, params=query)).json()["access_token"]
            response = await accounts.request(method, path, params=query, headers=headers | bearer(token))
            assert response.status_code in (200, 204)
        cursor.execute("SELECT * FROM users")
        assert cursor.fetchall() == [before]
    assert (await accounts.get("/api/auth/me", headers=bearer(victim["access_token"]))).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b'"text"', b"7", b"{", b"{}", b"\xff\xfe{}", b"\0",
        b'{"email": NaN, "password": Infinity}', b'{"email": 1e999, "password": "x"}',
        b'{"email": "a@example.com", "password": ' + b"9" * 5000 + b"}", b"[" * 100_000,
        b'{"email":' + b'{"a":' * 50_000,
        b'{"email": "a@example.com", "password": "\\ud800"}', b'{"\\ud800": 1, "email": "\\udc00", "password": "x"}',
        '{"email": "é"}'.encode("utf-16"), b"email=sana@example.com&password=correct+horse+battery",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/auth/signup", "/api/auth/login"])
async def test_a_hostile_body_is_refused_and_never_a_server_error(
    edge: httpx2.AsyncClient, path: str, body: bytes
) -> None:
    response = await edge.post(path, content=body, headers=JSON)
    assert response.status_code in (400, 422), response.text
    assert isinstance(response.json()["detail"], str)
    assert len(response.text) < 4096
