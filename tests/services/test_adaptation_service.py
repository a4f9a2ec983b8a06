"""Adapted chapters: made from sections, kept, found again; never an old text, never another one."""

import json
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from backend.app.errors import (
    TranslationFailed,
)
from backend.app.models.adaptation import AdaptedChapter, Order, Personalize, SectionReady, Translate
from backend.app.services.db_service import DBService
from tests.fakes import adapters, translators
from tests.fixtures.adaptation import (
    BEGINNER,
    CHAPTER,
    SECTIONS,
    URDU,
    OpenPipeline,
    Pipeline,
    chapter_of,
    in_the_book,
    listen,
    long_chapter,
    reader_of,
)
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio


async def test_a_chapter_is_made_once_and_then_found_in_one_query(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(translators.good)
    await in_the_book(pipeline, CHAPTER)
    assert await pipeline.service.find_cached(URDU, CHAPTER.chapter_id) is None
    made = await pipeline.adapt(CHAPTER)
    assert (made.cached, made.sections, made.content_hash) == (False, SECTIONS, CHAPTER.content_hash)
    assert made.content != CHAPTER.content
    assert "speed = 0  # Balance" in made.content
    assert pipeline.calls == SECTIONS
    found = await pipeline.service.find_cached(URDU, CHAPTER.chapter_id)
    assert found == await pipeline.adapt(CHAPTER) == replace(made, cached=True)
    assert pipeline.calls == SECTIONS
    assert pipeline.rows("chapter_leases") == 0


async def test_the_sections_come_in_order_and_are_the_chapter(pipeline: Pipeline) -> None:
    waits = iter((0.4, 0.2, 0.0, 0.0))
    for wait_s in waits:  # the first is the last to come
        pipeline.claude.says(lambda body: [{"type": "text", "text": translators.good(body)}], delay_s=wait_s)
    order, admit = Order(URDU, CHAPTER), pipeline.readers.admit()
    *sections, chapter = await listen(pipeline.service.stream(order, reader_of(), admit))
    assert all(isinstance(section, SectionReady) for section in sections)
    assert isinstance(chapter, AdaptedChapter)
    assert [(section.index, section.total) for section in sections] == [(n, SECTIONS) for n in range(SECTIONS)]
    assert sections[0].done > 1
    assert "".join(section.content for section in sections) == chapter.content


async def test_an_edited_paragraph_costs_one_call_and_the_old_text_is_gone_at_once(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(translators.good)
    await in_the_book(pipeline, CHAPTER)
    before = await pipeline.adapt(CHAPTER)
    edited = chapter_of(CHAPTER.content.replace("rhythm second", "rhythm and pace", 1), title=CHAPTER.title)
    await in_the_book(pipeline, edited)
    assert await pipeline.service.find_cached(URDU, CHAPTER.chapter_id) is None
    after = await pipeline.adapt(edited)
    assert pipeline.calls == SECTIONS + 1
    assert "and pace" in pipeline.claude.last_body["messages"][0]["content"][0]["text"]
    assert not after.cached
    assert before.content != after.content


async def test_edited_code_costs_no_call_and_the_new_code_is_shown(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(translators.good)
    await in_the_book(pipeline, CHAPTER)
    before = await pipeline.adapt(CHAPTER)
    edited = chapter_of(CHAPTER.content.replace("speed = 0  # Rhythm", "speed = 77"), title=CHAPTER.title)
    await in_the_book(pipeline, edited)
    after = await pipeline.adapt(edited)
    assert pipeline.calls == SECTIONS
    assert after.content == before.content.replace("speed = 0  # Rhythm", "speed = 77")
    assert after.cached
    assert await pipeline.readers.used() == 1


async def test_a_chapter_that_leaves_the_book_is_not_served_and_its_rows_go(
    pipeline: Pipeline, db: DBService
) -> None:
    pipeline.claude.adapts(translators.good)
    await in_the_book(pipeline, CHAPTER)
    await pipeline.adapt(CHAPTER)
    await in_the_book(pipeline, long_chapter(1, "another"))
    assert await pipeline.service.find_cached(URDU, CHAPTER.chapter_id) is None
    await db.sweep_adaptations()
    assert pipeline.rows("translations_cache") == 0
    assert pipeline.rows("section_cache") == SECTIONS


async def test_a_chapter_that_is_edited_while_it_is_translated_leaves_no_row(pipeline: Pipeline) -> None:
    await in_the_book(pipeline, long_chapter(1))
    pipeline.claude.adapts(translators.good)
    made = await pipeline.adapt(CHAPTER)  # read before the book changed
    assert made.content_hash == CHAPTER.content_hash
    assert pipeline.rows("translations_cache") == 0
    assert pipeline.rows("section_cache") == SECTIONS


async def test_each_variant_and_model_has_its_own_text(pipeline: Pipeline, open_pipeline: OpenPipeline) -> None:
    pipeline.claude.adapts(lambda body: translators.good(body))
    await in_the_book(pipeline, CHAPTER)
    await pipeline.adapt(CHAPTER)
    assert await pipeline.service.find_cached(Translate("fr"), CHAPTER.chapter_id) is None
    other = open_pipeline(claude_translation_model="claude-haiku-5-5")
    assert await other.service.find_cached(URDU, CHAPTER.chapter_id) is None


async def test_a_chapter_for_a_level_says_what_it_adds_and_how_much_it_covers(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(adapters.good)
    await in_the_book(pipeline, CHAPTER)
    made = await pipeline.adapt(CHAPTER, BEGINNER)
    assert made.coverage is not None
    assert 0.8 < made.coverage <= 1
    assert made.changes
    assert {change.kind for change in made.changes} <= {"definition", "example", "step by step"}
    found = await pipeline.service.find_cached(BEGINNER, CHAPTER.chapter_id)
    assert found is not None
    assert found.coverage == pytest.approx(made.coverage)
    assert replace(found, coverage=None) == replace(made, cached=True, coverage=None)
    assert await pipeline.service.find_cached(Personalize("beginner", "gpu"), CHAPTER.chapter_id) is None


# A client's own text


async def test_a_text_of_a_client_is_kept_by_its_sections_and_never_as_the_chapter(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(translators.good)
    await in_the_book(pipeline, CHAPTER)
    own = long_chapter(9, CHAPTER.chapter_id)
    first = await pipeline.adapt(own, is_own_text=True)
    assert not first.cached
    assert pipeline.rows("translations_cache") == 0
    again = await pipeline.adapt(own, is_own_text=True, reader=2)
    assert again == replace(first, cached=True)
    assert pipeline.calls == SECTIONS
    assert pipeline.readers.admitted == [1]
    assert await pipeline.service.find_cached(URDU, CHAPTER.chapter_id) is None


@pytest.mark.parametrize("is_own_text", [False, True])
async def test_why_a_section_is_refused_is_logged_but_no_word_of_a_readers_text(
    pipeline: Pipeline, is_own_text: bool
) -> None:
    pipeline.claude.adapts(translators.HOSTILE["untranslated"])
    await in_the_book(pipeline, CHAPTER)
    chapter = long_chapter(9, CHAPTER.chapter_id) if is_own_text else CHAPTER
    with capture_logs() as logs, pytest.raises(TranslationFailed):
        await pipeline.adapt(chapter, is_own_text=is_own_text)
    refused = [entry for entry in logs if entry["event"] == "section_refused"]
    assert refused
    assert all(entry["chapter_id"] == CHAPTER.chapter_id and entry["target"] == "ur" for entry in refused)
    assert ("walking machine" in str(logs)) is not is_own_text


async def test_whoever_asks_the_same_is_sent(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(translators.good)
    bodies: list[list[str]] = []
    for reader in (1, 2):
        await pipeline.adapt(CHAPTER, reader=reader)
        bodies.append(sorted(json.dumps(request.body) for request in pipeline.claude.requests))
        pipeline.claude.requests.clear()
        with statements(pipeline.dsn) as cursor:
            cursor.execute("TRUNCATE translations_cache, section_cache")
    assert bodies[0] == bodies[1]
    assert len(bodies[0]) == SECTIONS
