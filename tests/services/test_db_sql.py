"""The SQL files: each block is valid against the real schema, used, and fit for a transaction pooler."""

import ast
import inspect
import re
from datetime import UTC, datetime

import pytest

from backend.app.services import (
    adaptation_records,
    batch_records,
    budget_records,
    correction_records,
    db_pool,
    db_service,
    migrations,
    named_queries,
    reader_records,
    usage_records,
)
from backend.app.services.db_service import DBService
from backend.app.sql import HERE, load_queries, load_steps
from tests.fixtures.database import statements

BINDS: dict[str, object] = {
    "user_id": 1,
    "email": "a@example.org",
    "password_hash": "hash",
    "name": "Aisha",
    "level": "beginner",
    "hardware": "none",
    "conversation_id": "00000000-0000-0000-0000-000000000001",
    "question": "q",
    "answer": "a",
    "sources": "[]",
    "mode": "claude",
    "is_partial": False,
    "title": "t",
    "before": None,
    "before_id": None,
    "after": "00000000-0000-0000-0000-000000000001",
    "after_id": 0,
    "completed": None,
    "language": "en",
    "outcome": "partial",
    "reason": "gate",
    "best_score": 0.5,
    "section": None,
    "anchor": None,
    "days": 30,
    "key": "questions/1/20/1/hour",
    "window_s": 3600,
    "entry": datetime(2026, 11, 21, tzinfo=UTC),
    "examples": 5,
    "limit": 10,
    "shares": ["all", "anonymous"],
    "limits": [10, 10],
    "microusd": 1,
    "lease_s": 80.0,
    "feature": "answer",
    "model": "m",
    "prompt_version": "v",
    "call_id": 1,
    "cost_microusd": None,
    "claude_request_id": None,
    "input_tokens": 1,
    "output_tokens": 1,
    "thinking_tokens": 1,
    "cache_read_tokens": 1,
    "cache_write_tokens": 1,
    "chapter_id": "m/1",
    "checks_version": "v",
    "content": "c",
    "content_hash": "h",
    "sections": 1,
    "changes": "[]",
    "coverage": None,
    "section_key": "k",
    "kind": "translation",
    "variant": "ur",
    "reply": "r",
    "stop_reason": "end_turn",
    "owner": "00000000-0000-0000-0000-000000000001",
    "failure": None,
    "keys": ["a", "b"],
    "batch_id": 1,
    "claude_batch_id": "msgbatch_1",
    "token": "t",
    "microusds": [1, 1],
    "positions": [0, 1],
    "number": 1,
    "sha256": "x",
    "writer": "00000000-0000-0000-0000-000000000001",
    "event_days": [20_000, 20_000],
    "event_counts": [1, 1],
    "time_days": [20_000, 20_000],
    "time_buckets": [0, 1],
    "time_counts": [1, 1],
    "version": "v",
    "corrections": "v",
} | {
    name: ["a", "b"]
    for name in (
        *("chapter_ids", "titles", "urls", "modules", "contents", "content_hashes", "source_paths"),
        *("section_keys", "kinds", "variants", "features", "models", "prompt_versions"),
        *("front_matters", "source_hashes", "headings", "correcteds"),
        *("event_names", "event_labels", "time_stages"),
    )
}
QUERIES = load_queries()
INDEXED = [
    *("find_reader", "find_credentials_by_email", "list_turns"),
    *("list_conversations", "find_conversation", "list_conversation_turns"),
    *("export_account", "export_progress", "export_turns", "export_conversations", "export_claude_calls"),
    *("find_translation", "find_personalization", "find_sections", "look_at_lease", "find_corrections"),
]
NOT_EXPLAINABLE = {"create_migrations_table"}


_MODULES = (
    *(db_pool, named_queries, reader_records, budget_records, adaptation_records, batch_records, correction_records),
    *(usage_records, db_service, migrations),
)


def _own_source() -> str:
    return "".join(inspect.getsource(module) for module in _MODULES)


@pytest.mark.parametrize("name", sorted(QUERIES.keys() - NOT_EXPLAINABLE))
def test_a_block_is_planned_against_the_real_schema(database_url: str, name: str):
    with statements(database_url) as cursor:
        cursor.execute(f"EXPLAIN {QUERIES[name]}", BINDS)
        assert cursor.fetchall()


@pytest.mark.parametrize("name", INDEXED)
def test_a_lookup_of_a_request_can_use_an_index(database_url: str, name: str):
    with statements(database_url) as cursor:
        cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {QUERIES[name]}", BINDS)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Index" in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan


def test_every_block_is_used_and_every_use_has_its_block():
    used: set[str] = set()
    for node in ast.walk(ast.parse(_own_source())):
        if isinstance(node, ast.Constant) and node.value in QUERIES:
            used.add(str(node.value))
    assert used == set(QUERIES)


def test_every_public_method_of_the_service_has_a_block_of_its_name():
    methods = {name for name, _ in inspect.getmembers(DBService, inspect.isfunction) if not name.startswith("_")}
    assert methods - {"close", "migrate", "list_missing_steps"} <= set(QUERIES)


def test_no_block_selects_whatever_columns_there_are():
    assert [name for name, sql in QUERIES.items() if re.search(r"\*(?!\))", sql.replace("count(*)", ""))] == []


def test_no_statement_is_put_together_from_strings():
    for node in ast.walk(ast.parse(_own_source())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "execute":
            assert not isinstance(node.args[0], ast.JoinedStr | ast.BinOp)


def test_nothing_needs_a_session_on_the_server():
    """PgBouncer in transaction mode gives each transaction another session, and Neon refuses `options`."""
    texts = [*QUERIES.values(), *(step.sql for step in load_steps()), _own_source()]
    forbidden = re.compile(
        r"(?im)pg_(try_)?advisory_lock|^\s*(LISTEN|NOTIFY|PREPARE|DEALLOCATE|DECLARE)\b"
        r"|\bSET\s+(SESSION|TIME ZONE|search_path|statement_timeout)\b|\bTEMP(ORARY)? TABLE\b|set_session|options="
        r"|set_config\([^)]*false\)"
    )
    assert [match[0] for text in texts for match in forbidden.finditer(text)] == []


def test_every_block_has_its_sentence():
    for path in HERE.glob("*.sql"):
        for sentence in re.findall(r"-- name: \w+\n-- (.+)", path.read_text(encoding="utf-8")):
            assert sentence.endswith("."), sentence
