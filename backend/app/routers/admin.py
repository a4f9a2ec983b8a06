"""What the owner sees: the report over days, and the figures of this process for Prometheus."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from backend.app.dependencies import ProcessMetrics, Usage
from backend.app.errors import DatabaseUnavailable, InvalidAdminToken, NotFound
from backend.app.models.usage import UsageReport
from backend.app.owner import ForOwner, ForScraper
from backend.app.problems import problem_responses
from backend.app.services.metrics import CONTENT_TYPE
from backend.app.services.usage_records import KEPT_DAYS

router = APIRouter(tags=["owner"])
_usage = problem_responses(NotFound, InvalidAdminToken, DatabaseUnavailable, validates=True)
_text: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}, "description": "Prometheus' text."}}
_metrics = problem_responses(NotFound) | _text
Days = Annotated[int, Query(ge=1, le=KEPT_DAYS, description="So many days, UTC, today included.")]


@router.get("/api/admin/usage", dependencies=[ForOwner], responses=_usage)
async def get_usage(usage: Usage, days: Days = 30) -> UsageReport:
    """What the service cost, how fast it was, what it refused, and what readers asked that the book does not answer.

    Needs ADMIN_TOKEN; without that setting there is nothing here. Says nothing of who asked.
    """
    return await usage.report(days)


@router.get("/metrics", dependencies=[ForScraper], responses=_metrics, response_class=Response)
async def get_metrics(metrics: ProcessMetrics) -> Response:
    """The figures of this process since its start, for Prometheus. Needs ADMIN_TOKEN; where none is set, answers only
    requests that come from this machine and through no proxy."""
    return Response(metrics.render(), media_type=CONTENT_TYPE)
