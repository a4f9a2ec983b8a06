"""Is it alive, is it ready, and what is it: for load balancers, for owners and for a browser at `/`."""

from html import escape
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from backend.app.dependencies import AllServices, AppSettings
from backend.app.models.health import Health, Live, Ready
from backend.app.version import NAME, VERSION

router = APIRouter(tags=["health"])
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@router.get("/health")
@router.get("/api/health")
async def health(settings: AppSettings) -> Health:
    """A summary that asks no dependency: it answers while the database sleeps."""
    return Health(
        name=NAME,
        version=VERSION,
        mode="claude" if settings.anthropic_api_key else "extractive",
        database="external" if settings.database_url else "embedded",
        search="external" if settings.qdrant_url else "embedded",
    )


@router.get("/health/live")
async def live() -> Live:
    """200 as long as the process can answer at all."""
    return Live()


@router.get("/health/ready", responses={503: {"model": Ready, "description": "A dependency does not answer."}})
async def ready(services: AllServices) -> Response:
    """Asks every dependency (at most every two seconds); 503 names the ones that do not answer."""
    checks = await services.readiness.check()
    failed = any(state != "ok" for state in checks.values())
    report = Ready(status="unavailable" if failed else "ok", checks=checks)
    headers = {"Retry-After": "5"} if failed else None
    return JSONResponse(report.model_dump(), status_code=503 if failed else 200, headers=headers)


@router.get("/", include_in_schema=False)
async def root(request: Request, settings: AppSettings, accept: Annotated[str, Header()] = "*/*") -> Response:
    """A page for a browser, the health summary for a program."""
    if "text/html" in accept:
        page = files("backend.app").joinpath("pages", "index.html").read_text(encoding="utf-8")
        page = page.replace("{origin}", escape(str(request.base_url).rstrip("/")))
        return HTMLResponse(page, headers={"Content-Security-Policy": _PAGE_POLICY})
    return JSONResponse((await health(settings)).model_dump())
