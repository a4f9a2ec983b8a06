"""The schema: steps that are applied once, and the script that builds the same."""

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg2
import pytest

from backend.app.errors import BadRequest, ConfigurationError
from backend.app.models.domain import UserId
from backend.app.services.db_pool import DatabasePool
from backend.app.services.db_service import open_db
from backend.app.services.migrations import apply_next_step
from backend.app.sql import load_steps
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
ALL_STEPS = [step.name for step in load_steps()]

CATALOG = {
    "columns": """SELECT table_name, ordinal_position, column_name, data_type, character_maximum_length,
        is_nullable, column_default, is_identity, identity_generation, is_generated, generation_expression
        FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2""",
    "constraints": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    "steps": "SELECT number, name, sha256 FROM schema_migrations ORDER BY number",
}


def _catalog(dsn: str) -> dict[str, list[tuple[object, ...]]]:
    found: dict[str, list[tuple[object, ...]]] = {}
    with statements(dsn) as cursor:
        for name, query in CATALOG.items():
            cursor.execute(query)
            found[name] = cursor.fetchall()
    return found


def _run_init_script(dsn: str) -> None:
    with statements(dsn) as cursor:
        cursor.execute((ROOT / "scripts" / "init_db.sql").read_text(encoding="utf-8"))


async def test_the_init_script_builds_what_the_steps_build_and_leaves_nothing_to_migrate(
    empty_database_url: str, database_url: str
):
    _run_init_script(empty_database_url)
    assert _catalog(empty_database_url) == _catalog(database_url)
    db = open_db(empty_database_url)
    assert await db.list_missing_steps() == []
    assert await db.migrate() == []
    await db.close()


async def test_every_step_is_applied_once(empty_database_url: str):
    db = open_db(empty_database_url)
    assert await db.list_missing_steps() == ALL_STEPS
    assert await db.migrate() == ALL_STEPS
    assert await db.list_missing_steps() == []
    assert await db.migrate() == []
    await db.close()


def test_three_processes_that_start_together_apply_each_step_once(empty_database_url: str):
    program = (
        "import asyncio, sys\n"
        "from backend.app.services.db_service import open_db\n"
        "async def main():\n"
        "    db = open_db(sys.argv[1]); print(*await db.migrate()); await db.close()\n"
        "asyncio.run(main())\n"
    )
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", program, empty_database_url], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    outputs = [starter.communicate(timeout=60)[0].split() for starter in starters]
    assert [starter.returncode for starter in starters] == [0, 0, 0]
    assert sorted(step for output in outputs for step in output) == ALL_STEPS


async def test_a_step_that_was_edited_afterwards_is_refused_by_name(database_url: str):
    pool = DatabasePool(database_url, threads=1)
    edited = [replace(load_steps()[0], sha256="0" * 64), *load_steps()[1:]]
    with pytest.raises(ConfigurationError, match=ALL_STEPS[0]):
        await pool.transaction(lambda cursor: apply_next_step(cursor, edited))
    await pool.close()


async def test_a_step_that_fails_leaves_nothing_of_itself(database_url: str):
    before = _catalog(database_url)
    pool = DatabasePool(database_url, threads=1)
    broken = replace(load_steps()[0], number=9999, name="9999_broken", sql="CREATE TABLE half (); SELECT 1/0;")
    with pytest.raises(BadRequest):  # what any value that Postgres refuses becomes
        await pool.transaction(lambda cursor: apply_next_step(cursor, [*load_steps(), broken]))
    await pool.close()
    assert _catalog(database_url) == before


async def test_turns_of_before_get_their_threads_and_outcomes(empty_database_url: str):
    pool = DatabasePool(empty_database_url, threads=1)
    await pool.transaction(lambda cursor: apply_next_step(cursor, load_steps()[:1]))
    with statements(empty_database_url) as cursor:
        cursor.execute("INSERT INTO users (email, password_hash) VALUES ('a', 'h'), ('b', 'h')")
        cursor.execute(
            """INSERT INTO chat_history (user_id, conversation_id, question, answer, mode, created_at, sources) VALUES
            (1, '00000000-0000-0000-0000-000000000001', E'  What\n is  a node?', 'a', 'claude', '2026-01-01Z',
             '[{"chapter_id": "c", "section": "s", "similarity": 0.5, "title": "t", "url": "u", "quote": "q"}]'),
            (1, '00000000-0000-0000-0000-000000000001', 'And rice?', 'a', 'refused', '2026-01-02Z', '[]'),
            (1, '00000000-0000-0000-0000-000000000002', repeat('x', 2000), 'a', 'extractive', '2026-01-03Z', '[]'),
            (2, '00000000-0000-0000-0000-000000000003', E'\x1c', 'a', 'claude', '2026-01-04Z', '[]')"""
        )
    db = open_db(empty_database_url)
    await db.migrate()
    newest, oldest = await db.list_conversations(UserId(1), 10, None)
    assert (newest.title, newest.turns) == ("x" * 80, 1)
    assert (oldest.title, oldest.turns, oldest.updated_at - oldest.created_at) == ("What is a node?", 2, timedelta(1))
    turns = await db.list_turns(UserId(1), 10)
    assert [turn.outcome for turn in turns] == ["answered", "not_in_book", "answered"]
    assert turns[2].sources[0].quote == "q"
    assert len(await db.list_conversations(UserId(2), 10, None)) == 1
    await db.close()
    await pool.close()


async def test_the_release_before_conversations_still_continues_a_thread(database_url: str):
    """While a deployment runs both side by side."""
    with statements(database_url) as cursor:
        cursor.execute("INSERT INTO users (email, password_hash) VALUES ('a', 'h')")
        cursor.execute("INSERT INTO conversations (user_id, id, title) SELECT id, gen_random_uuid(), 't' FROM users")
        cursor.execute(
            "INSERT INTO chat_history (user_id, conversation_id, question, answer, sources, mode)"
            " SELECT user_id, id, 'q', 'a', '[]', 'refused' FROM conversations RETURNING outcome"
        )
        assert cursor.fetchall() == [("not_in_book",)]


async def test_a_database_of_a_newer_release_still_serves_this_one(fresh_database_url: str):
    with statements(fresh_database_url) as cursor:
        cursor.execute("INSERT INTO schema_migrations (number, name, sha256) VALUES (9999, '9999_future', 'x')")
    db = open_db(fresh_database_url)
    assert await db.migrate() == []
    await db.close()


def test_step_numbers_count_up_without_a_gap():
    assert [step.number for step in load_steps()] == list(range(1, len(ALL_STEPS) + 1))


@pytest.mark.parametrize(
    "insert",
    [
        "INSERT INTO users (email, password_hash, programming_level) VALUES ('a', 'h', 'god')",
        "INSERT INTO users (email, password_hash, hardware) VALUES ('a', 'h', 'toaster')",
        "INSERT INTO users (email, password_hash) VALUES ('a', 'h'), ('A', 'h')",
        "INSERT INTO user_progress (user_id, chapter_id) VALUES (404, 'c')",
        "INSERT INTO conversations (user_id, id, title) VALUES (404, gen_random_uuid(), 't')",
        "WITH reader AS (INSERT INTO users (email, password_hash) VALUES ('a', 'h') RETURNING id)"
        " INSERT INTO chat_history (user_id, conversation_id, question, answer, mode)"
        " SELECT id, gen_random_uuid(), 'q', 'a', 'claude' FROM reader",
        "WITH reader AS (INSERT INTO users (email, password_hash) VALUES ('a', 'h') RETURNING id), thread AS ("
        " INSERT INTO conversations (user_id, id, title) SELECT id, gen_random_uuid(), 't' FROM reader RETURNING *)"
        " INSERT INTO chat_history (user_id, conversation_id, question, answer, mode, is_partial)"
        " SELECT user_id, id, 'q', 'a', 'refused', true FROM thread",
        "INSERT INTO unanswered_questions (question, language, outcome, reason)"
        " VALUES ('q', 'en', 'answered', 'gate')",
        "INSERT INTO unanswered_questions (question, language, outcome, reason)"
        " VALUES ('q', 'en', 'partial', 'mood')",
        "INSERT INTO translations_cache (chapter_id, content_hash, prompt_hash, model, translated_content, title,"
        " sections, checks_version, cost_microusd, stop_reason)"
        " VALUES ('c', 'h', 'p', 'm', 't', 't', 1, 'v', 0, 'max_tokens')",
        "INSERT INTO personalized_content_cache (chapter_id, content_hash, prompt_hash, model, user_level, hardware,"
        " personalized_content, title, sections, changes, checks_version, cost_microusd, stop_reason)"
        " VALUES ('c', 'h', 'p', 'm', 'beginner', 'none', 't', 't', 1, '[]', 'v', 0, 'refusal')",
        "INSERT INTO personalized_content_cache (chapter_id, content_hash, prompt_hash, model, user_level, hardware,"
        " personalized_content, title, sections, changes, coverage, checks_version, cost_microusd, stop_reason)"
        " VALUES ('c', 'h', 'p', 'm', 'beginner', 'none', 't', 't', 1, '[]', 1.5, 'v', 0, 'end_turn')",
        "INSERT INTO section_cache (section_key, kind, variant, model, prompt_version, reply, checks_version,"
        " cost_microusd, stop_reason) VALUES ('k', 'translation', 'ur', 'm', 'p', 'r', 'v', 0, 'max_tokens')",
    ],
)
async def test_the_schema_itself_refuses_what_must_never_be_stored(database_url: str, insert: str):
    with statements(database_url) as cursor, pytest.raises(psycopg2.IntegrityError):
        cursor.execute(insert)
