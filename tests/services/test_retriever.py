"""What a question finds in a small book: passages with their section, and the place of a selection in other words."""

from collections.abc import AsyncIterator

import pytest

from backend.app.services.embedding_service import EmbeddingService
from backend.app.services.qdrant_service import QdrantService, open_memory_index
from backend.app.services.retriever import Retriever, SearchQuery
from backend.app.textbook.analyzer import ANALYZER_VERSION
from tests.fakes.book import NODE, TOPIC, chunk

pytestmark = pytest.mark.anyio

SERVICE = "A service answers one request with one response."
GAIT = "Walking is controlled falling: the zero moment point must stay inside the support polygon."
LIDAR = "A lidar measures distance with laser pulses."
BOOK = [
    chunk(NODE, 0),
    chunk("Every node has a name that is unique in its namespace.", 1),
    chunk(TOPIC, 2, section="Topics", heading_path=("ROS 2", "Topics"), anchor="topics"),
    chunk(SERVICE, 3, section="Services", heading_path=("ROS 2", "Services"), anchor="services"),
    chunk(GAIT, 4, chapter_id="walking", url="/docs/walking", title="Walking", heading_path=("Walking",), anchor=""),
    chunk(
        LIDAR, 5, chapter_id="sensors", url="/docs/sensors/", title="Sensors", heading_path=("Sensors",), anchor=""
    ),
]
URDU = "سروس ایک درخواست کا ایک جواب دیتی ہے۔"


@pytest.fixture(scope="module")
async def index(embedder: EmbeddingService) -> AsyncIterator[QdrantService]:
    opened = open_memory_index()
    version = f"{embedder.fingerprint}-{ANALYZER_VERSION}-{'0' * 12}"
    await opened.create(version, embedder.dimension)
    await opened.add(version, BOOK, await embedder.embed([part.embedding_text for part in BOOK]))
    await opened.activate(version)
    yield opened
    await opened.close()


@pytest.fixture
def retriever(embedder: EmbeddingService, index: QdrantService) -> Retriever:
    return Retriever(embedder, index, threshold=0.3)


async def test_the_best_hit_comes_with_its_section(retriever: Retriever) -> None:
    found = await retriever.find(SearchQuery(("What is a ROS 2 node?",)))
    assert [part.position for part in found.passages[0].chunks] == [0, 1]
    assert found.hits[0].chunk == BOOK[0]


async def test_a_quotation_is_only_what_was_found(retriever: Retriever) -> None:
    found = await retriever.find(SearchQuery(("computation process",)), only_evidence=True)
    assert [[part.position for part in passage.chunks] for passage in found.passages] == [[0]]


async def test_each_form_counts_with_its_best_score(retriever: Retriever) -> None:
    found = await retriever.find(SearchQuery(("laser distance", "zero moment point")))
    assert {found.hits[0].chunk.position, found.hits[1].chunk.position} == {4, 5}
    assert len({hit.chunk.position for hit in found.hits}) == len(found.hits)


@pytest.mark.parametrize(
    "page",
    [
        "/docs/ros/nodes#services",
        "https://book.example/ur/docs/ros/nodes/#services",
        "ros/nodes#services",
        "/docs/ros/nodes?tab=1#services:~:text=x",
    ],
)
async def test_a_selection_in_other_words_is_placed_under_the_heading_that_the_client_names(
    retriever: Retriever, page: str
) -> None:
    found = await retriever.find(SearchQuery((), URDU, page))
    assert found.passages[0].hit.chunk == BOOK[3]
    assert not found.is_marked


async def test_without_a_heading_the_page_s_best_section_is_taken(retriever: Retriever) -> None:
    found = await retriever.find(SearchQuery(("request and response",), URDU, "/ur/docs/ros/nodes"))
    assert found.passages[0].hit.chunk == BOOK[3]
    elsewhere = await retriever.find(SearchQuery(("request and response",), URDU, "/docs/sensors"))
    assert elsewhere.passages[0].hit.chunk == BOOK[5]


@pytest.mark.parametrize(
    "page", ["/docs/no/such#services", "", "/", "#services", "https://", "https://[x", "\x00", "x" * 9_000]
)
async def test_a_page_that_the_book_does_not_have_places_nothing(retriever: Retriever, page: str) -> None:
    found = await retriever.find(SearchQuery((), URDU, page))
    assert found.passages == ()


async def test_a_page_makes_no_foreign_text_evidence(retriever: Retriever) -> None:
    foreign = "Boil the lentils with turmeric and salt, then add fried onions and serve them with rice."
    for page in ("/docs/ros/nodes#services", "/docs/sensors"):
        found = await retriever.find(SearchQuery(("Explain this passage.",), foreign, page))
        assert (found.passages, found.is_marked) == ((), False)
    simpler = "You ask a service one thing with a request, and it sends you one response."
    found = await retriever.find(SearchQuery((), simpler, "/docs/ros/nodes#services"))
    assert found.passages[0].hit.chunk == BOOK[3]


async def test_a_selection_that_stands_in_the_book_needs_no_page(retriever: Retriever) -> None:
    found = await retriever.find(SearchQuery(("Explain",), GAIT, "/docs/sensors"))
    assert found.is_marked
    assert found.passages[0].hit.chunk == BOOK[4]
