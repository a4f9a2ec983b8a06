"""What an endpoint may ask for, as names: a handler's signature reads as a sentence.

Knows where the open services hang (`app.state.services`, put there by the lifespan) and how a request says who
its reader is. An alias must stand at module level: inside a function the framework takes it for a query parameter.
"""

from typing import Annotated, Protocol

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer as BearerScheme
from fastapi.security.base import SecurityBase

from backend.app.errors import InvalidToken, NotAuthenticated
from backend.app.models.domain import Reader, UserId
from backend.app.services.adaptation_service import AdaptationService
from backend.app.services.answer_service import AnswerService
from backend.app.services.cached_chapters import CachedChapters
from backend.app.services.chapter_service import ChapterService
from backend.app.services.conversations import Conversations
from backend.app.services.db_service import DBService
from backend.app.services.metrics import Metrics
from backend.app.services.own_text import OwnTexts
from backend.app.services.progress_service import ProgressService
from backend.app.services.rate_limiter import RateLimiter
from backend.app.services.reader_export import ReaderExport
from backend.app.services.readiness import Readiness
from backend.app.services.usage_report import UsageService
from backend.app.utils.auth import PasswordHasher, TokenSigner
from backend.app.utils.config import Settings

_NO_TOKEN = {"", "null", "undefined"}  # what frontends send as the token before login


class Services(Protocol):
    """What endpoints use of the services that the lifespan opens."""

    settings: Settings
    db: DBService
    answers: AnswerService
    chapters: ChapterService
    adaptations: AdaptationService
    cached_chapters: CachedChapters
    own_texts: OwnTexts
    progress: ProgressService
    export: ReaderExport
    passwords: PasswordHasher
    tokens: TokenSigner
    limiter: RateLimiter
    usage: UsageService
    metrics: Metrics
    readiness: Readiness


async def _services(request: Request) -> Services:
    return request.app.state.services


AllServices = Annotated[Services, Depends(_services)]


async def _settings(services: AllServices) -> Settings:
    return services.settings


async def _db(services: AllServices) -> DBService:
    return services.db


async def _answers(services: AllServices) -> AnswerService:
    return services.answers


async def _threads(services: AllServices) -> Conversations:
    return services.answers.conversations


async def _chapters(services: AllServices) -> ChapterService:
    return services.chapters


async def _adaptations(services: AllServices) -> AdaptationService:
    return services.adaptations


async def _cached_chapters(services: AllServices) -> CachedChapters:
    return services.cached_chapters


async def _own_texts(services: AllServices) -> OwnTexts:
    return services.own_texts


async def _progress(services: AllServices) -> ProgressService:
    return services.progress


async def _export(services: AllServices) -> ReaderExport:
    return services.export


async def _passwords(services: AllServices) -> PasswordHasher:
    return services.passwords


async def _tokens(services: AllServices) -> TokenSigner:
    return services.tokens


async def _limiter(services: AllServices) -> RateLimiter:
    return services.limiter


async def _usage(services: AllServices) -> UsageService:
    return services.usage


async def _metrics(services: AllServices) -> Metrics:
    return services.metrics


AppSettings = Annotated[Settings, Depends(_settings)]
Db = Annotated[DBService, Depends(_db)]
Answers = Annotated[AnswerService, Depends(_answers)]
Threads = Annotated[Conversations, Depends(_threads)]
Chapters = Annotated[ChapterService, Depends(_chapters)]
Adaptations = Annotated[AdaptationService, Depends(_adaptations)]
Cached = Annotated[CachedChapters, Depends(_cached_chapters)]
ReaderTexts = Annotated[OwnTexts, Depends(_own_texts)]
ReaderProgress = Annotated[ProgressService, Depends(_progress)]
Export = Annotated[ReaderExport, Depends(_export)]
Passwords = Annotated[PasswordHasher, Depends(_passwords)]
Tokens = Annotated[TokenSigner, Depends(_tokens)]
Limiter = Annotated[RateLimiter, Depends(_limiter)]
Usage = Annotated[UsageService, Depends(_usage)]
ProcessMetrics = Annotated[Metrics, Depends(_metrics)]


class _BearerToken(SecurityBase):
    """Reads the token of a request; None when it has none. Declares itself in the OpenAPI document."""

    scheme_name = "BearerToken"
    model = BearerScheme(description="The `access_token` of signup or login.", bearerFormat="JWT")

    async def __call__(self, request: Request) -> str | None:
        """Raises InvalidToken for a second header and for another scheme: both mean something, and not this."""
        headers = request.headers.getlist("authorization")
        if len(headers) > 1:
            raise InvalidToken
        scheme, _, token = "".join(headers).strip().partition(" ")
        if scheme and scheme.lower() != "bearer":
            raise InvalidToken
        return None if token.strip() in _NO_TOKEN else token.strip()


async def _find_reader(
    token: Annotated[str | None, Depends(_BearerToken())], db: Db, tokens: Tokens
) -> Reader | None:
    if token is None:
        return None
    claims = tokens.verify(token)
    reader = await db.find_reader(UserId(claims.user_id))
    if reader is None or reader.token_version != claims.version:
        raise InvalidToken
    return reader


OptionalReader = Annotated[Reader | None, Depends(_find_reader)]
"""The signed-in reader, None for an anonymous request. A token that is there and not valid is refused."""


async def _get_reader(reader: OptionalReader) -> Reader:
    if reader is None:
        raise NotAuthenticated
    return reader


CurrentReader = Annotated[Reader, Depends(_get_reader)]
"""The signed-in reader, read from the database for this request: a deleted account or a logout counts at once."""
