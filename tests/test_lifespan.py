"""What must be true before the first reader is answered."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from backend.app.errors import ConfigurationError
from backend.app.lifespan import open_services, prepare_to_serve
from backend.app.utils.config import Settings

pytestmark = pytest.mark.anyio


async def test_production_on_a_database_without_tables_says_which_command_is_missing(
    empty_database_url: str, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {"environment": "production", "database_url": SecretStr(empty_database_url)}
    async with open_services(Settings(data_dir=tmp_path, **changes)) as services:
        with pytest.raises(ConfigurationError, match="python -m backend migrate"):
            await prepare_to_serve(services)
