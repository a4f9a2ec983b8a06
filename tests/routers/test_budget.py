"""The ledger as questions over HTTP write it: who paid for what, and what a reader costs who leaves."""

from typing import Any

from pydantic import SecretStr

from backend.main import create_app
from tests.fakes.claude import FakeClaude
from tests.fixtures.accounts import bearer, signup_form
from tests.fixtures.app import client_of, running
from tests.fixtures.budget import read_ledger
from tests.fixtures.database import statements
from tests.fixtures.processes import OwnSettings
from tests.routers.test_ask_stream import ONE_SENTENCE_OUT, two_sentences

URDU = "روس ٹو نوڈ کیا ہے؟"
ROWS = "SELECT feature, user_id, outcome, cost_microusd, output_tokens FROM claude_calls ORDER BY id"


def rows_of(dsn: str) -> list[tuple[Any, ...]]:
    with statements(dsn) as cursor:
        cursor.execute(ROWS)
        return cursor.fetchall()


def test_a_question_writes_one_row_for_each_call_and_leaving_is_not_free(
    own_settings: OwnSettings, claude: FakeClaude
) -> None:
    settings = own_settings(anthropic_api_key=SecretStr("sk-test"), anthropic_base_url=claude.base_url)
    assert settings.database_url
    dsn = settings.database_url.get_secret_value()
    claude.rewrites({URDU: "What is a ROS 2 node?"})
    with running(create_app(settings)) as base_url, client_of(base_url) as http:
        token = http.post("/api/auth/signup", json=signup_form()).json()["access_token"]
        assert http.post("/api/chat/ask", json={"question": URDU}, headers=bearer(token)).json()["mode"] == "claude"
        claude.says(two_sentences, keep_records=ONE_SENTENCE_OUT, stalls=True)
        with http.stream("POST", "/api/chat/ask/stream", json={"question": "What is a ROS 2 node?"}) as response:
            text = response.iter_text()
            while "text-delta" not in next(text):
                pass
        assert claude.left.wait(5)
    rewrite, answer, left = rows_of(dsn)  # closing has waited for what was being written
    user_id = rewrite[1]
    assert user_id
    assert rewrite[:3] == ("rewrite", user_id, "complete")
    assert answer[:3] == ("answer", user_id, "complete")
    assert left[:3] == ("answer", None, "unknown")
    assert left[4] == 1500  # as much as it may have thought
    ledger = read_ledger(dsn)
    assert ledger.spent == ledger.spent_in_rows == rewrite[3] + answer[3] + left[3]
    assert ledger.reserved == ledger.reserved_in_rows == 0
    with statements(dsn) as cursor:
        cursor.execute("SELECT share, spent_microusd, limit_microusd FROM budget ORDER BY share")
        assert cursor.fetchall() == [
            ("all", ledger.spent, 10_000_000),
            ("anonymous", left[3], 3_000_000),
            ("feature:rewrite", rewrite[3], 2_000_000),
            (f"reader:{user_id}", rewrite[3] + answer[3], 2_000_000),
        ]
