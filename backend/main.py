"""Assembles the application: settings in, one FastAPI out. Importing this module does nothing.

`uvicorn backend.main:app` works too: the module builds `app` from the environment when it is first asked for.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline

from backend.app.lifespan import open_services, prepare_to_serve, warm_up
from backend.app.limited import LIMIT_HEADERS
from backend.app.middleware import RequestEnvelope
from backend.app.problems import describe_problems, install_problem_handlers
from backend.app.routers import admin, auth, chapters, chat, conversations, health, personalize, progress, translate
from backend.app.utils.config import Settings, load_settings
from backend.app.version import NAME, VERSION

_DESCRIPTION = """Questions about one textbook, answered with quotes from it and links to the sentence.

Sign up and send the token as `Authorization: Bearer <token>`. Every error has the same shape: see `Problem`."""
_EXPOSED_HEADERS = ["X-Request-ID", "Retry-After", "WWW-Authenticate", "Content-Disposition", *LIMIT_HEADERS]


def create_app(settings: Settings) -> FastAPI:
    """The only constructor. Services are opened when the server starts, not here."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with open_services(settings) as services:
            await prepare_to_serve(services)
            app.state.services = services
            warming = asyncio.create_task(warm_up(services))
            try:
                yield
            finally:
                await warming

    app = FastAPIOffline(title=NAME, version=VERSION, description=_DESCRIPTION, lifespan=lifespan)
    for module in (health, admin, auth, chat, conversations, chapters, translate, personalize, progress):
        app.include_router(module.router)
    install_problem_handlers(app)
    describe_problems(app)
    app.add_middleware(RequestEnvelope, https_only=settings.environment == "production")
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(settings.allowed_origins),
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
        expose_headers=_EXPOSED_HEADERS,
        max_age=600,
    )
    return app


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(name)
    globals()["app"] = create_app(load_settings())
    return globals()["app"]
