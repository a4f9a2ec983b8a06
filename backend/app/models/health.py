"""Health as the API shows it."""

from typing import Literal

from pydantic import BaseModel, Field


class Health(BaseModel):
    """What runs and how it is set up. Made without asking any dependency, so it wakes no database."""

    status: Literal["ok"] = "ok"
    name: str
    version: str
    mode: Literal["claude", "extractive"] = Field(description="'extractive' when no AI model is configured.")
    database: Literal["embedded", "external"]
    search: Literal["embedded", "external"]


class Live(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Every dependency was asked; `checks` names each with "ok" or the code of its failure."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, str]
