"""A Qdrant server for tests: the REST endpoints that the backend uses, over an in-memory collection store.

    with FakeQdrant() as qdrant:
        settings.qdrant_url = qdrant.url
        qdrant.fails(500)             # every request from now on; also hangs() and works()
        qdrant.requests               # (method, path) of what arrived

Answers as a server does where local mode differs: errors are JSON bodies with a status, filters on a field without a
payload index are refused (strict mode of a free cluster), a missing API key is 401.
"""

import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Self

import uvicorn
from qdrant_client import AsyncQdrantClient, models
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Handler = Callable[[Request, Any], Awaitable[Any]]


class FakeQdrant:
    """A real HTTP server in a thread. `url` while it runs."""

    def __init__(self, api_key: str | None = None) -> None:
        self.url = ""
        self.requests: list[tuple[str, str]] = []
        self._api_key = api_key
        self._store = AsyncQdrantClient(location=":memory:")
        self._indexed: dict[str, set[str]] = {}
        self._status = 200
        config = uvicorn.Config(self._app(), port=0, log_config=None, access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    # ---- telling it what to do ----

    def fails(self, status: int) -> None:
        self._status = status

    def hangs(self) -> None:
        """No request is answered: it waits until the client gives up."""
        self._status = 0

    def works(self) -> None:
        self._status = 200

    def indexed_fields(self, collection: str) -> set[str]:
        return self._indexed.get(collection, set())

    # ---- running ----

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the stand-in for Qdrant did not start")
            self._thread.join(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        return self

    def stop(self) -> None:
        """From now on connections are refused."""
        self._server.should_exit = True
        self._thread.join()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- the endpoints ----

    def _app(self) -> Starlette:
        collection = "/collections/{name}"
        return Starlette(
            routes=[
                self._route("GET", "/collections", self._list),
                self._route("GET", "/aliases", self._aliases),
                self._route("POST", "/collections/aliases", self._change_aliases),
                self._route("GET", collection, self._info),
                self._route("PUT", collection, self._create),
                self._route("DELETE", collection, self._delete),
                self._route("PUT", f"{collection}/index", self._index),
                self._route("PUT", f"{collection}/points", self._upsert),
                self._route("POST", f"{collection}/points", self._retrieve),
                self._route("POST", f"{collection}/points/scroll", self._scroll),
                self._route("POST", f"{collection}/points/count", self._count),
                self._route("POST", f"{collection}/points/query/batch", self._query),
            ]
        )

    def _route(self, method: str, path: str, handler: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            self.requests.append((request.method, request.url.path))
            return await self._answer(request, handler)

        return Route(path, endpoint, methods=[method])

    async def _answer(self, request: Request, handler: Handler) -> Response:
        body = await request.body()
        if self._status == 0:
            while (await request.receive())["type"] != "http.disconnect":
                pass
        if self._status >= 400:
            return _error(self._status, "told to fail")
        if self._api_key and request.headers.get("api-key") != self._api_key:
            return _error(401, "Must provide an API key or an Authorization bearer token")
        try:
            result = await handler(request, json.loads(body) if body else {})
        except ValueError as error:
            return _as_the_server_says(str(error))
        return JSONResponse({"result": result, "status": "ok", "time": 0.001})

    async def _list(self, request: Request, body: Any) -> Any:
        return _plain(await self._store.get_collections())

    async def _aliases(self, request: Request, body: Any) -> Any:
        return _plain(await self._store.get_aliases())

    async def _change_aliases(self, request: Request, body: Any) -> bool:
        operations = models.ChangeAliasesOperation.model_validate(body).actions
        return await self._store.update_collection_aliases(operations)

    async def _info(self, request: Request, body: Any) -> Any:
        return _plain(await self._store.get_collection(_name(request)))

    async def _create(self, request: Request, body: Any) -> bool:
        wanted = models.CreateCollection.model_validate(body)
        return await self._store.create_collection(
            _name(request), vectors_config=wanted.vectors, sparse_vectors_config=wanted.sparse_vectors
        )

    async def _delete(self, request: Request, body: Any) -> bool:
        self._indexed.pop(_name(request), None)
        return await self._store.delete_collection(_name(request))

    async def _index(self, request: Request, body: Any) -> Any:
        self._indexed.setdefault(_name(request), set()).add(body["field_name"])
        return {"operation_id": 0, "status": "completed"}

    async def _upsert(self, request: Request, body: Any) -> Any:
        points = models.PointsList.model_validate(body).points
        return _plain(await self._store.upsert(_name(request), points))

    async def _retrieve(self, request: Request, body: Any) -> Any:
        wanted = models.PointRequest.model_validate(body)
        records = await self._store.retrieve(_name(request), wanted.ids, with_payload=wanted.with_payload)
        return [_plain(record) for record in records]

    async def _scroll(self, request: Request, body: Any) -> Any:
        wanted = models.ScrollRequest.model_validate(body)
        for field in _filtered_fields(body.get("filter") or {}):
            if field not in self._indexed.get(_name(request), set()):
                raise ValueError(f'Bad request: Index required but not found for "{field}"')
        records, following = await self._store.scroll(
            _name(request),
            wanted.filter,
            wanted.limit or 10,
            offset=wanted.offset,
            with_payload=wanted.with_payload,
            with_vectors=wanted.with_vector or False,
        )
        return {"points": [_plain(record) for record in records], "next_page_offset": following}

    async def _count(self, request: Request, body: Any) -> Any:
        wanted = models.CountRequest.model_validate(body)
        return _plain(await self._store.count(_name(request), wanted.filter, exact=wanted.exact or False))

    async def _query(self, request: Request, body: Any) -> Any:
        searches = models.QueryRequestBatch.model_validate(body).searches
        for search in searches:
            search.params = None  # exactness: an in-memory store is always exact
        return [_plain(answer) for answer in await self._store.query_batch_points(_name(request), searches)]


def _filtered_fields(condition: dict[str, Any]) -> set[str]:
    """The payload fields that a filter names, at any depth."""
    inner = [part for kind in ("must", "should", "must_not") for part in condition.get(kind) or []]
    own = {condition["key"]} if "key" in condition else set[str]()
    return own.union(*map(_filtered_fields, inner))


def _name(request: Request) -> str:
    return str(request.path_params["name"])


def _plain(model: Any) -> Any:
    return model.model_dump(mode="json", exclude_none=True)


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"status": {"error": message}, "time": 0.001}, status_code=status)


def _as_the_server_says(message: str) -> JSONResponse:
    """Local mode raises ValueError for everything; a server distinguishes."""
    if message.endswith("not found"):
        return _error(404, f"Not found: {message.removesuffix('not found')}doesn't exist!")
    return _error(400, message)
