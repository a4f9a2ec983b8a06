import asyncio
import gc
import inspect
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import SecretStr
from qdrant_client import models

from backend.app.errors import BookError, BookNotIngested, ConfigurationError, SearchUnavailable
from backend.app.models.domain import ChapterId, Chunk, Manifest
from backend.app.services import qdrant_building, qdrant_door, qdrant_service
from backend.app.services.embedding_service import EmbeddingService
from backend.app.services.qdrant_service import FILTERED_FIELDS, MANIFEST_ID, QdrantService, open_index
from backend.app.textbook.analyzer import ANALYZER_VERSION
from tests.fakes.qdrant import FakeQdrant
from tests.fixtures.retrieval import SearchChoice

pytestmark = pytest.mark.anyio

FINGERPRINT = "0123456789ab"
FIRST = f"{FINGERPRINT}-{ANALYZER_VERSION}-aaaaaaaaaaaa"
SECOND = f"{FINGERPRINT}-{ANALYZER_VERSION}-bbbbbbbbbbbb"
PASSAGES = [
    ("ros/nodes", "Nodes", "A node is a process that performs computation. Call rclpy.init() before you create one."),
    ("ros/nodes", "Topics", "A topic is a named bus over which nodes exchange messages."),
    ("ros/nodes", "Services", "A service answers one request with one response, unlike a topic."),
    ("motion/planning", "A* search", "A* expands the node with the lowest cost plus heuristic."),
    ("motion/planning", "RRT", "Rapidly exploring random trees sample the configuration space."),
    ("motion/ik", "Inverse kinematics", "IK finds the joint angles that bring the gripper to a pose."),
    ("motion/ik", "Jacobian", "The Jacobian maps joint velocities to the velocity of the gripper."),
    ("urdu/ta'aruf", "تعارف", "روبوٹ ایک مشین ہے جو خود کام کرتی ہے۔"),
]


def make_chunk(position: int, chapter: str, section: str, text: str) -> Chunk:
    return Chunk(
        chapter_id=ChapterId(chapter),
        section=section,
        heading_path=("Robots", section),
        anchor=re.sub(r"\W+", "-", section.lower()),
        url=f"/docs/{chapter}",
        title="Robots",
        text=text,
        position=position,
        content_hash=f"hash-{position}",
    )


MANIFEST = Manifest(gate={"bias": -1.5}, vocabulary={"robot": ["روبوٹ"]})
CHUNKS = [make_chunk(i, *passage) for i, passage in enumerate(PASSAGES)]


@pytest.fixture(params=["local", "server"])
def any_index(request: pytest.FixtureRequest) -> QdrantService:
    """The same test against the folder and against a server."""
    return request.getfixturevalue("index" if request.param == "local" else "remote_index")


@pytest.fixture(scope="session")
async def vectors(embedder: EmbeddingService) -> NDArray[np.float32]:
    return await embedder.embed([chunk.embedding_text for chunk in CHUNKS])


async def fill(index: QdrantService, vectors: NDArray[np.float32], version: str = FIRST) -> None:
    await index.create(version, vectors.shape[1])
    await index.add(version, CHUNKS, vectors)
    await index.write_manifest(version, MANIFEST)
    await index.activate(version)


def random_vector(seed: int = 0) -> NDArray[np.float32]:
    vector = np.random.default_rng(seed).normal(size=384).astype(np.float32)
    return vector / np.linalg.norm(vector)


# ---- searching ----


async def test_what_was_stored_comes_back_whole(any_index: QdrantService, vectors: NDArray[np.float32]) -> None:
    await fill(any_index, vectors)
    hits = await any_index.search(vectors[3], "A* search", limit=len(CHUNKS))
    assert hits[0].chunk == CHUNKS[3]
    assert sorted((hit.chunk for hit in hits), key=lambda chunk: chunk.position) == CHUNKS
    assert hits[0].dense == pytest.approx(1, abs=1e-4)
    assert 0.7 < hits[0].score <= 1
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert await any_index.count() == len(CHUNKS)


@pytest.mark.parametrize(
    ("question", "section"),
    [
        ("what is A*", "A* search"),
        ("IK", "Inverse kinematics"),
        ("how do I use rclpy.init?", "Nodes"),
        ("روبوٹ کیا ہے", "تعارف"),
        ("Which thing moves messages between processes?", "Topics"),
    ],
)
async def test_words_and_meaning_both_find(
    question: str, section: str, any_index: QdrantService, vectors: NDArray[np.float32], embedder: EmbeddingService
) -> None:
    await fill(any_index, vectors)
    hits = await any_index.search((await embedder.embed([question]))[0], question, limit=3)
    assert hits[0].chunk.section == section


async def test_a_folder_and_a_server_give_the_same_ranking(
    index: QdrantService, remote_index: QdrantService, vectors: NDArray[np.float32], embedder: EmbeddingService
) -> None:
    await fill(index, vectors)
    await fill(remote_index, vectors)
    questions = ["what is a node", "topic or service?", "gripper velocity", "of the", "", "روبوٹ", "x" * 5000]
    for question, vector in zip(questions, await embedder.embed(questions), strict=True):
        here = await index.search(vector, question)
        there = await remote_index.search(vector, question)
        assert [hit.chunk for hit in here] == [hit.chunk for hit in there]
        assert [hit.score for hit in here] == pytest.approx([hit.score for hit in there], abs=1e-5)


async def test_equal_passages_keep_the_order_of_the_book(any_index: QdrantService) -> None:
    same = [replace(CHUNKS[0], position=i) for i in range(20)]
    await any_index.create(FIRST, 384)
    await any_index.add(FIRST, same, np.stack([random_vector()] * 20))
    await any_index.activate(FIRST)
    for _ in range(3):
        hits = await any_index.search(random_vector(), "node", limit=20)
        assert [hit.chunk.position for hit in hits] == list(range(20))


async def test_a_question_without_any_known_word_is_searched_by_meaning(
    any_index: QdrantService, vectors: NDArray[np.float32]
) -> None:
    await fill(any_index, vectors)
    for question in ("", "what is the", "zzzzqqq", "\ud800", "\x00"):
        hits = await any_index.search(vectors[1], question, limit=1)
        assert hits[0].chunk == CHUNKS[1]
        assert hits[0].lexical == 0


async def test_a_chapter_s_passages_come_in_reading_order(
    any_index: QdrantService, vectors: NDArray[np.float32]
) -> None:
    await fill(any_index, vectors)
    assert await any_index.chapter_chunks(ChapterId("ros/nodes")) == CHUNKS[:3]
    assert await any_index.chapter_chunks(ChapterId("urdu/ta'aruf")) == CHUNKS[7:]
    assert await any_index.chapter_chunks(ChapterId("no/such")) == []
    assert await any_index.chapter_ids() == {chunk.chapter_id for chunk in CHUNKS}


async def test_a_page_is_found_by_its_id_and_by_its_route(
    any_index: QdrantService, vectors: NDArray[np.float32]
) -> None:
    await fill(any_index, vectors)
    assert await any_index.page_chunks(["motion/ik"]) == CHUNKS[5:7]
    assert await any_index.page_chunks(["/ur/docs/motion/ik", "/docs/motion/ik"]) == CHUNKS[5:7]
    assert await any_index.page_chunks(["/docs/no/such"]) == []


async def test_a_search_among_some_passages_finds_no_other(
    any_index: QdrantService, vectors: NDArray[np.float32]
) -> None:
    await fill(any_index, vectors)
    found = await any_index.search_forms([vectors[0], vectors[6]], ["node", "gripper pose"], among=[1, 2, 5])
    assert [{hit.chunk.position for hit in hits} for hits in found.hits] == [{1, 2, 5}, {1, 2, 5}]
    assert found.hits[1][0].chunk == CHUNKS[5]


async def test_all_forms_of_a_question_cost_two_calls_and_bring_the_neighbours_of_the_best(
    fake_qdrant: FakeQdrant, remote_index: QdrantService, vectors: NDArray[np.float32]
) -> None:
    await fill(remote_index, vectors)
    await remote_index.search(vectors[0], "node")
    asked = len(fake_qdrant.requests)
    found = await remote_index.search_forms(list(vectors[:3]), ["node", "topic", "service"], limit=1)
    assert [path.rpartition("/points")[2] for _, path in fake_qdrant.requests[asked:]] == ["/query/batch", ""]
    assert [hits[0].chunk.position for hits in found.hits] == [0, 1, 2]
    assert sorted(found.chunks) == [0, 1, 2, 3, 4, 5]


async def test_lists_longer_than_a_page_are_read_to_the_end(any_index: QdrantService) -> None:
    many = [replace(CHUNKS[0], position=i, content_hash=f"hash-{i}") for i in range(qdrant_door.PAGE + 10)]
    await any_index.create(FIRST, 384)
    await any_index.add(FIRST, many, np.stack([random_vector(i) for i in range(len(many))]))
    assert len(await any_index.stored_vectors(FINGERPRINT)) == len(many)
    await any_index.activate(FIRST)
    assert await any_index.chapter_chunks(many[0].chapter_id) == many


async def test_what_was_learnt_of_the_book_is_no_passage(
    any_index: QdrantService, vectors: NDArray[np.float32]
) -> None:
    await fill(any_index, vectors)
    assert await any_index.manifest() == MANIFEST
    assert await any_index.count() == len(CHUNKS)
    assert await any_index.chapter_ids() == {chunk.chapter_id for chunk in CHUNKS}
    assert set(await any_index.stored_vectors(FINGERPRINT)) == {chunk.content_hash for chunk in CHUNKS}
    for question in ("node topic", ""):
        assert len(await any_index.search(vectors[0], question, limit=100)) == len(CHUNKS)


async def test_what_was_learnt_is_asked_of_qdrant_once_for_each_index(
    fake_qdrant: FakeQdrant, remote_index: QdrantService, vectors: NDArray[np.float32]
) -> None:
    await fill(remote_index, vectors)
    asked = len(fake_qdrant.requests)
    for _ in range(3):
        assert await remote_index.manifest() == MANIFEST
    assert len(fake_qdrant.requests) == asked + 1
    other = Manifest(gate={"bias": 2.0})
    await remote_index.create(SECOND, 384)
    await remote_index.add(SECOND, CHUNKS, vectors)
    await remote_index.write_manifest(SECOND, other)
    assert await remote_index.manifest() == MANIFEST
    await remote_index.activate(SECOND)
    assert await remote_index.manifest() == other


# ---- building and switching ----


async def test_there_is_nothing_to_search_before_the_first_ingest(any_index: QdrantService) -> None:
    assert await any_index.active_version() is None
    assert await any_index.chapter_ids() == set()
    await any_index.check(384, FINGERPRINT)
    for ask in _questions(any_index):
        with pytest.raises(BookNotIngested):
            await ask()


def _questions(index: QdrantService) -> list[Callable[[], Any]]:
    return [
        index.ping,
        index.count,
        index.manifest,
        lambda: index.search(random_vector(), "node"),
        lambda: index.chapter_chunks(ChapterId("a")),
    ]


async def test_the_old_index_answers_until_the_switch_and_is_gone_after_it(
    any_index: QdrantService, vectors: NDArray[np.float32]
) -> None:
    await fill(any_index, vectors)
    await any_index.create(SECOND, 384)
    await any_index.add(SECOND, [replace(CHUNKS[0], text="new")], vectors[:1])
    assert await any_index.active_version() == FIRST
    assert await any_index.count() == len(CHUNKS)
    await any_index.activate(SECOND)
    assert await any_index.active_version() == SECOND
    assert [hit.chunk.text for hit in await any_index.search(vectors[0], "node")] == ["new"]
    assert await any_index._own_collections() == [f"textbook_chunks--{SECOND}"]


async def test_a_half_built_index_is_begun_anew(any_index: QdrantService, vectors: NDArray[np.float32]) -> None:
    await any_index.create(FIRST, 384)
    await any_index.add(FIRST, CHUNKS, vectors)
    await any_index.create(FIRST, 384)
    await any_index.add(FIRST, CHUNKS[:2], vectors[:2])
    await any_index.activate(FIRST)
    assert await any_index.count() == 2


async def test_stored_vectors_can_be_used_again(any_index: QdrantService, vectors: NDArray[np.float32]) -> None:
    await fill(any_index, vectors)
    stored = await any_index.stored_vectors(FINGERPRINT)
    assert set(stored) == {chunk.content_hash for chunk in CHUNKS}
    assert np.allclose(np.stack([stored[chunk.content_hash] for chunk in CHUNKS]), vectors, atol=1e-6)
    assert await any_index.stored_vectors("ffffffffffff") == {}


async def test_the_alias_and_the_passages_survive_a_restart(tmp_path: Path, vectors: NDArray[np.float32]) -> None:
    first = open_index(SearchChoice(tmp_path))
    await fill(first, vectors)
    before = await first.search(vectors[0], "node")
    await first.close()
    second = open_index(SearchChoice(tmp_path))
    assert await second.active_version() == FIRST
    after = await second.search(vectors[0], "node")
    assert [hit.chunk for hit in after] == [hit.chunk for hit in before]
    assert [hit.score for hit in after] == pytest.approx([hit.score for hit in before], abs=1e-5)
    await second.close()


async def test_a_switch_by_another_process_is_followed_without_an_error(
    fake_qdrant: FakeQdrant, tmp_path: Path, vectors: NDArray[np.float32]
) -> None:
    server, command = (open_index(SearchChoice(tmp_path, fake_qdrant.url), search_timeout_s=60) for _ in range(2))
    await fill(command, vectors)
    assert len(await server.search(vectors[0], "node")) == len(CHUNKS)
    await command.create(SECOND, 384)
    await command.add(SECOND, [replace(CHUNKS[0], text="new")], vectors[:1])
    await command.activate(SECOND)
    assert [hit.chunk.text for hit in await server.search(vectors[0], "node")] == ["new"]
    assert await server.count() == 1
    await command.close()
    await server.close()


@pytest.mark.race
async def test_questions_during_a_switch_see_one_index_or_the_other(
    fake_qdrant: FakeQdrant, tmp_path: Path, vectors: NDArray[np.float32]
) -> None:
    server, command = (open_index(SearchChoice(tmp_path, fake_qdrant.url), search_timeout_s=60) for _ in range(2))
    editions = {v: [replace(c, text=f"{v} {c.text}") for c in CHUNKS] for v in (FIRST, SECOND)}
    switched = asyncio.Event()

    async def switch() -> None:
        for version in (SECOND, FIRST, SECOND, FIRST):
            await command.create(version, 384)
            await command.add(version, editions[version], vectors)
            await command.activate(version)
        switched.set()

    async def ask() -> int:
        asked = 0
        while not switched.is_set():
            texts = {hit.chunk.text.split()[0] for hit in await server.search(vectors[0], "node topic")}
            assert len(texts) == 1
            asked += 1
        return asked

    await fill(command, vectors, FIRST)
    await command.create(FIRST, 384)
    await command.add(FIRST, editions[FIRST], vectors)
    await command.activate(FIRST)
    asked = await asyncio.gather(switch(), ask(), ask())
    assert asked[1] > 4
    await command.close()
    await server.close()


async def test_overlapping_calls_in_local_mode_lose_nothing(
    index: QdrantService, vectors: NDArray[np.float32]
) -> None:
    await fill(index, vectors)
    await index.create(SECOND, 384)

    async def write(i: int) -> None:
        await index.add(SECOND, [replace(CHUNKS[0], position=i)], vectors[:1])

    await asyncio.gather(*(write(i) for i in range(60)), *(index.search(vectors[0], "node") for _ in range(20)))
    await index.activate(SECOND)
    assert await index.count() == 60


async def test_every_filter_names_an_indexed_field(fake_qdrant: FakeQdrant, remote_index: QdrantService) -> None:
    await remote_index.create(FIRST, 384)
    assert fake_qdrant.indexed_fields(f"textbook_chunks--{FIRST}") == set(FILTERED_FIELDS)
    with pytest.raises(ValueError, match="no payload index"):
        qdrant_door.equals("title", "x")
    source = "".join(map(inspect.getsource, (qdrant_door, qdrant_building, qdrant_service)))
    assert source.count("FieldCondition(") == 1  # so every filter goes through `equals`


async def test_a_stored_passage_has_exactly_the_agreed_fields(
    any_index: QdrantService, vectors: NDArray[np.float32]
) -> None:
    await fill(any_index, vectors)
    (record,) = await any_index._client.retrieve("textbook_chunks", [0], with_vectors=True)
    assert record.payload is not None
    assert set(record.payload) == {
        "chapter_id", "section", "heading_path", "anchor", "url", "title", "text", "position", "content_hash",
        "words", "index_version",
    }  # fmt: skip
    assert record.payload["index_version"] == FIRST


# ---- the start-up check ----


async def test_the_check_accepts_the_index_of_this_model(
    any_index: QdrantService, vectors: NDArray[np.float32]
) -> None:
    await fill(any_index, vectors)
    await any_index.check(384, FINGERPRINT)


@pytest.mark.parametrize(("dimension", "fingerprint"), [(768, FINGERPRINT), (384, "ffffffffffff")])
async def test_another_embedding_model_is_refused_with_the_fix(
    dimension: int, fingerprint: str, any_index: QdrantService, vectors: NDArray[np.float32]
) -> None:
    await fill(any_index, vectors)
    with pytest.raises(ConfigurationError, match=r"(?s)backend ingest PATH.*EMBEDDING_MODEL back"):
        await any_index.check(dimension, fingerprint)


async def test_an_index_of_another_program_version_is_refused(index: QdrantService) -> None:
    await index.create(f"{FINGERPRINT}-0-aaaaaaaaaaaa", 384)
    await index.activate(f"{FINGERPRINT}-0-aaaaaaaaaaaa")
    with pytest.raises(ConfigurationError, match="another version of this program"):
        await index.check(384, FINGERPRINT)


@pytest.mark.parametrize("stored", [None, {"format": 0, "gate": {"bias": 1}}, {"other": "program"}])
async def test_an_index_without_our_manifest_answers_but_must_be_built_again(
    stored: dict[str, Any] | None, any_index: QdrantService, vectors: NDArray[np.float32]
) -> None:
    await any_index.create(FIRST, 384)
    await any_index.add(FIRST, CHUNKS, vectors)
    if stored:
        point = models.PointStruct(id=MANIFEST_ID, vector={}, payload=stored)
        await any_index._client.upsert(f"textbook_chunks--{FIRST}", [point])
    await any_index.activate(FIRST)
    assert await any_index.manifest() == Manifest()
    with pytest.raises(ConfigurationError, match="another version of this program"):
        await any_index.check(384, FINGERPRINT)


async def test_a_collection_that_has_our_name_is_refused_and_replaced_only_on_demand(
    any_index: QdrantService, vectors: NDArray[np.float32]
) -> None:
    await any_index._client.create_collection(
        "textbook_chunks", vectors_config=models.VectorParams(size=4, distance=models.Distance.DOT)
    )
    with pytest.raises(ConfigurationError, match="QDRANT_COLLECTION_NAME=textbook_chunks"):
        await any_index.check(384, FINGERPRINT)
    with pytest.raises(BookError, match="--replace"):
        await any_index.refuse_foreign_collection(BookError)
    await fill(any_index, vectors)
    assert await any_index.active_version() == FIRST


async def test_collections_of_others_are_left_alone(any_index: QdrantService, vectors: NDArray[np.float32]) -> None:
    params = models.VectorParams(size=4, distance=models.Distance.DOT)
    for name in ("other", "textbook_chunks--mine", f"textbook_chunks2--{SECOND}"):
        await any_index._client.create_collection(name, vectors_config=params)
    await fill(any_index, vectors)
    left = {collection.name for collection in (await any_index._client.get_collections()).collections}
    assert left == {"other", "textbook_chunks--mine", f"textbook_chunks2--{SECOND}", f"textbook_chunks--{FIRST}"}


# ---- failures ----


async def _every_call_is_unavailable(index: QdrantService) -> None:
    calls = [
        *_questions(index),
        index.active_version,
        lambda: index.check(384, FINGERPRINT),
        lambda: index.stored_vectors(FINGERPRINT),
        lambda: index.create(FIRST, 384),
        lambda: index.write_manifest(FIRST, MANIFEST),
        lambda: index.activate(FIRST),
    ]
    for call in calls:
        with pytest.raises(SearchUnavailable):
            await call()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 502, 503])
async def test_every_error_of_a_server_is_one_failure(
    status: int, fake_qdrant: FakeQdrant, remote_index: QdrantService, vectors: NDArray[np.float32]
) -> None:
    await fill(remote_index, vectors)
    fake_qdrant.fails(status)
    await _every_call_is_unavailable(remote_index)
    fake_qdrant.works()
    assert await remote_index.search(vectors[0], "node")


async def test_a_server_that_refuses_connections_is_unavailable(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        index = open_index(SearchChoice(tmp_path, qdrant_url=f"http://127.0.0.1:{taken.getsockname()[1]}"))
        await _every_call_is_unavailable(index)
        await index.close()


async def test_a_server_that_hangs_is_given_up_in_time(fake_qdrant: FakeQdrant, tmp_path: Path) -> None:
    fake_qdrant.hangs()
    index = open_index(SearchChoice(tmp_path, fake_qdrant.url), search_timeout_s=0.2)
    async with asyncio.timeout(30):  # the client's own limit, made for writes, is 60 s
        for ask in _questions(index):
            with pytest.raises(SearchUnavailable):
                await ask()
    await index.close()


async def test_an_answer_that_is_not_qdrant_s_is_unavailable(tmp_path: Path) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\ncontent-type: text/html\r\n\r\n<html></html>")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        index = open_index(
            SearchChoice(tmp_path, qdrant_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        )
        await _every_call_is_unavailable(index)
        await index.close()


async def test_the_api_key_is_sent(tmp_path: Path, vectors: NDArray[np.float32]) -> None:
    with FakeQdrant(api_key="right") as server:
        for key, works in (("right", True), ("wrong", False)):
            index = open_index(SearchChoice(tmp_path, server.url, SecretStr(key)))
            if works:
                await fill(index, vectors)
            else:
                await _every_call_is_unavailable(index)
            await index.close()


async def test_a_closed_index_is_unavailable(index: QdrantService, vectors: NDArray[np.float32]) -> None:
    await fill(index, vectors)
    await index.close()
    with pytest.raises(SearchUnavailable):
        await index.search(vectors[0], "node")


async def test_a_passage_that_somebody_else_wrote_is_unavailable(index: QdrantService) -> None:
    await index.create(FIRST, 384)
    point = models.PointStruct(id=0, vector={"dense": random_vector().tolist()}, payload={"text": "no other field"})
    await index._client.upsert(f"textbook_chunks--{FIRST}", [point])
    await index.activate(FIRST)
    with pytest.raises(SearchUnavailable):
        await index.search(random_vector(), "node")


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the client's, when it cannot have the lock
def test_a_folder_in_use_by_another_process_is_a_configuration_error(tmp_path: Path) -> None:
    code = (
        "import sys; from qdrant_client import QdrantClient; client = QdrantClient(path=sys.argv[1]);"
        "print('open', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "qdrant")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(ConfigurationError, match=r"one process only in embedded mode.*QDRANT_URL"):
            open_index(SearchChoice(tmp_path))
        gc.collect()
    finally:
        other.communicate(b"")
    index = open_index(SearchChoice(tmp_path))
    asyncio.run(index.close())


async def test_a_damaged_folder_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "qdrant").mkdir()
    (tmp_path / "qdrant" / "meta.json").write_text("{ not json")
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        open_index(SearchChoice(tmp_path))


def test_the_client_is_imported_only_when_an_index_is_opened() -> None:
    code = "import sys; import backend.app.services.qdrant_service; sys.exit('qdrant_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
