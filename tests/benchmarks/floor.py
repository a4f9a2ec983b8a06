"""The floor of `ask`: an endpoint that only embeds, searches, calls Claude and runs two statements.

It uses the same doors as the product (embedder, index, database) and the Claude library directly, and none of the
product's rules: no token, no gate, no packing, no citation check, no retries, no logs.
"""

import argparse
import asyncio
from typing import Any
from uuid import uuid4

import uvicorn
from anthropic import AsyncAnthropic
from fastapi import FastAPI
from pydantic import BaseModel

from backend.app.lifespan import Services, open_services, prepare_to_serve, warm_up
from backend.app.models.domain import PastTurn
from backend.app.utils.config import load_settings

_PASSAGES = 5


class Question(BaseModel):
    question: str


def floor_app(services: Services, claude: AsyncAnthropic, user_id: Any) -> FastAPI:
    app = FastAPI()

    @app.post("/api/chat/ask")
    async def ask(body: Question) -> dict[str, str]:
        vector = (await services.embedder.embed([body.question]))[0]
        hits = await services.index.search(vector, body.question)
        await services.db.find_reader(user_id)
        message = await claude.messages.create(
            model=services.settings.claude_model,
            max_tokens=1500,
            messages=[{"role": "user", "content": [*_results(hits), {"type": "text", "text": body.question}]}],
        )
        text = "".join(block.text for block in message.content if block.type == "text")
        turn = PastTurn(body.question, text, ())
        await services.db.save_turn(user_id, uuid4(), turn, "claude", body.question)
        return {"answer": text}

    return app


def _results(hits: list[Any]) -> list[Any]:
    return [
        {
            "type": "search_result",
            "source": str(number),
            "title": hit.chunk.title,
            "content": [{"type": "text", "text": hit.chunk.text}],
            "citations": {"enabled": True},
        }
        for number, hit in enumerate(hits[:_PASSAGES])
    ]


async def _serve(port: int) -> None:
    settings = load_settings()
    assert settings.anthropic_api_key
    async with open_services(settings) as services:
        await prepare_to_serve(services)
        await warm_up(services)
        reader = await services.db.create_user(f"{uuid4()}@example.com", "-", "", "beginner", "none")
        key = settings.anthropic_api_key.get_secret_value()
        async with AsyncAnthropic(api_key=key, base_url=settings.anthropic_base_url, max_retries=0) as claude:
            app = floor_app(services, claude, reader.user_id)
            config = uvicorn.Config(app, port=port, log_level="warning", access_log=False, lifespan="off")
            await uvicorn.Server(config).serve()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(_serve(parser.parse_args().port))
