"""What must be true before the first reader is answered."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from backend.app.errors import ConfigurationError
from backend.app.lifespan import open_services, prepare_to_serve
from backend.app.models.domain import Manifest
from backend.app.textbook.analyzer import ANALYZER_VERSION
from backend.app.utils.config import Settings

pytestmark = pytest.mark.anyio


async def test_production_on_a_database_without_tables_says_which_command_is_missing(
    empty_database_url: str, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {"environment": "production", "database_url": SecretStr(empty_database_url)}
    async with open_services(Settings(data_dir=tmp_path, **changes)) as services:
        with pytest.raises(ConfigurationError, match="python -m backend migrate"):
            await prepare_to_serve(services)


async def test_a_model_without_a_price_is_refused_before_it_is_asked(tmp_path: Path) -> None:
    away = SecretStr("postgresql://nobody@127.0.0.1:9/none?connect_timeout=1")
    changes: dict[str, Any] = {"database_url": away, "claude_model": "claude-tomorrow"}
    with pytest.raises(ConfigurationError, match="CLAUDE_MODEL=claude-tomorrow: its price is not known"):
        async with open_services(Settings(data_dir=tmp_path, anthropic_api_key=SecretStr("sk-test"), **changes)):
            pass


async def test_a_database_that_is_away_does_not_hide_an_index_of_another_model(tmp_path: Path) -> None:
    away = SecretStr("postgresql://nobody@127.0.0.1:9/none?connect_timeout=1")
    async with open_services(Settings(data_dir=tmp_path, database_url=away)) as services:
        version = f"{'0' * 12}-{ANALYZER_VERSION}-{'0' * 12}"
        await services.index.create(version, services.embedder.dimension)
        await services.index.write_manifest(version, Manifest())
        await services.index.activate(version)
        with pytest.raises(ConfigurationError, match="another embedding model"):
            await prepare_to_serve(services)
