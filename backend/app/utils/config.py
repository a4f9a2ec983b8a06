"""Every setting: its name, default, meaning and check. The one place that reads the environment and `.env`.

A setting is the environment variable of the field's name in capitals; the environment wins over `.env`; an empty
value counts as unset. Knows nothing of the services. Importing this module reads nothing, and `Settings(...)`
reads nothing either: only `load_settings` does. Problems name the setting and the fix, never a value.
"""

import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import PydanticUndefined
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from backend.app.errors import ConfigurationError
from backend.app.utils import setting_checks as checks
from backend.app.utils.secret_file import new_secret, read_or_create_secret
from backend.app.utils.setting_problems import invalid_value, production_problems, unknown_names

REPO_ROOT: Final = Path(__file__).resolve().parents[3]
ENV_FILE: Final = REPO_ROOT / ".env"
KNOWN_MODELS: Final = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5")


def _in_repo(path: Path) -> Path:
    return REPO_ROOT / path.expanduser()  # an absolute path stays as it is


def _folded(fold: Literal["lower", "upper"]) -> BeforeValidator:
    def apply(value: Any) -> Any:
        return getattr(value, fold)() if isinstance(value, str) else value

    return BeforeValidator(apply)


HttpUrl = Annotated[str, AfterValidator(checks.check_http_url)]
ApiKey = Annotated[SecretStr, AfterValidator(checks.check_api_key)]
Origin = Annotated[str, AfterValidator(checks.check_origin)]
Origins = Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(checks.split_origins)]
LimitSize = Annotated[int, Field(ge=1, le=100_000)]
Share = Annotated[Decimal, Field(gt=0, le=1)]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], _folded("upper")]


class Settings(BaseSettings):
    """All settings, checked. Frozen; secrets are `SecretStr`, so that a repr or a log line cannot show them."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    # Where it runs
    environment: Annotated[Literal["development", "production"], _folded("lower")] = Field(
        default="development",
        description="`production` refuses to start with generated or embedded stand-ins instead of using them.",
    )
    host: str | None = Field(
        default=None,
        description="Address to listen on. Default: 127.0.0.1; in production every address, IPv4 and IPv6.",
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; hosting platforms set it.")
    data_dir: Annotated[Path, AfterValidator(_in_repo)] = Field(
        default=Path("data"),
        validate_default=True,
        description="Folder of the embedded stores and the generated key, relative to the repository.",
    )
    log_level: LogLevel = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")
    web_concurrency: int = Field(
        default=1, ge=1, description="Must stay 1: the threads of readers without a login belong to one process."
    )

    # Stores
    database_url: Annotated[SecretStr, AfterValidator(checks.check_database_url)] | None = Field(
        default=None,
        description="PostgreSQL, e.g. Neon's connection string. Empty: an embedded server under DATA_DIR.",
    )
    database_threads: int = Field(
        default=2,
        ge=1,
        le=32,
        description="Threads that each own one database connection; 8-16 for a distant database.",
    )
    qdrant_url: HttpUrl | None = Field(
        default=None, description="Qdrant server or Qdrant Cloud cluster. Empty: embedded vectors under DATA_DIR."
    )
    qdrant_api_key: ApiKey | None = Field(default=None, description="Key of the Qdrant Cloud cluster.")
    qdrant_collection_name: str = Field(
        default="textbook_chunks",
        pattern=r"^[A-Za-z0-9_.-]{1,100}$",
        description="Name under which the book is indexed.",
    )

    # Claude
    anthropic_api_key: ApiKey | None = Field(
        default=None, description="Key of the Claude API. Empty: answers quote the book word for word and say so."
    )
    anthropic_base_url: HttpUrl | None = Field(
        default=None, description="Another address for the Claude API, e.g. a proxy. Empty: Anthropic's own."
    )
    claude_model: str = Field(default="claude-haiku-5-5", min_length=1, description="Model that answers questions.")
    claude_translation_model: str = Field(
        default="claude-sonnet-5-5",
        min_length=1,
        description="Model that translates chapters: paid for once, so quality wins.",
    )
    translation_glossary_file: Annotated[Path, AfterValidator(_in_repo)] | None = Field(
        default=None,
        description="Your own terms, `term<TAB>gloss[<TAB>language]` on each line; they win over those shipped.",
    )
    claude_cheaper_model: str | None = Field(
        default=None, description="Model that takes over when 80 % of the day's money is spent. Empty: none does."
    )
    daily_budget_usd: Decimal = Field(
        default=Decimal(10),
        gt=0,
        le=1_000_000,
        description="Dollars that Claude may cost in a day (UTC). When they are used up, answers quote the book.",
    )
    budget_reader_share: Share = Field(
        default=Decimal("0.2"), description="Part of them that one signed-in reader may use; 1 is all."
    )
    budget_anonymous_share: Share = Field(
        default=Decimal("0.3"), description="Part of them that all readers without a login may use together."
    )
    budget_answer_share: Share = Field(default=Decimal(1), description="Part of them that answers may use.")
    budget_rewrite_share: Share = Field(
        default=Decimal("0.2"), description="Part of them that rewriting questions for the search may use."
    )
    budget_translate_share: Share = Field(
        default=Decimal("0.7"), description="Part of them that translating chapters may use."
    )
    budget_personalize_share: Share = Field(
        default=Decimal("0.7"), description="Part of them that adapting chapters to a reader's level may use."
    )
    budget_owner_share: Share = Field(
        default=Decimal("0.8"), description="Part of them that `prewarm` may use; the rest is left for readers."
    )

    # Accounts and browsers
    secret_key: Annotated[SecretStr, AfterValidator(checks.check_secret_key)] = Field(
        default_factory=new_secret,
        description="Signs login tokens, at least 32 bytes. Outside production one is made and kept in DATA_DIR.",
    )
    algorithm: Literal["HS256"] = Field(default="HS256", description="Signature of login tokens; only HS256.")
    access_token_expire_minutes: int = Field(
        default=10080, ge=1, le=525600, description="Life of a login token in minutes (10080 = 7 days)."
    )
    admin_token: Annotated[SecretStr, AfterValidator(checks.check_admin_token)] | None = Field(
        default=None,
        description="Opens GET /api/admin/usage and /metrics to its owner, at least 32 characters. Empty: to nobody.",
    )
    allowed_origins: Origins = Field(
        default=("http://localhost:3000", "http://localhost:3001"),
        description="Origins whose pages may call this API (CORS), separated by commas.",
    )
    site_url: HttpUrl | None = Field(
        default=None, description="Where the book is published, with its base path; sources link there."
    )
    route_base_path: str = Field(
        default="/docs",
        pattern=r"^/[^\s?#]*$",
        description="Docusaurus' routeBasePath, `/` for a docs-only site. Run `ingest` after changing it.",
    )

    # Limits
    rate_limit_questions_per_hour: LimitSize = Field(
        default=20, description="Questions of one signed-in reader in any 60 minutes."
    )
    rate_limit_anonymous_questions_per_hour: LimitSize = Field(
        default=20, description="The same for one client address (IPv6: /64) without a login; a school may share one."
    )
    rate_limit_all_anonymous_questions_per_hour: LimitSize = Field(
        default=200, description="The same for all readers without a login together."
    )
    rate_limit_translations_per_day: LimitSize = Field(
        default=5,
        description="Chapters that one reader may have translated in any 24 hours; what is there already is free.",
    )
    rate_limit_personalizations_per_day: LimitSize = Field(
        default=5, description="The same for chapters adapted to a reader's level."
    )
    rate_limit_logins_per_minute: LimitSize = Field(
        default=5, description="Wrong passwords for one e-mail from one client address."
    )
    rate_limit_logins_per_address_per_minute: LimitSize = Field(
        default=20, description="Wrong passwords from one client address."
    )
    rate_limit_signups_per_address_per_hour: LimitSize = Field(
        default=60, description="New accounts from one client address; a class may sign up from one."
    )
    rate_limit_storage: Annotated[SecretStr, AfterValidator(checks.check_limit_storage)] = Field(
        default=SecretStr("memory"),
        description="Where limits are counted: `memory` of each process, or for all `postgres` or `redis://host:6379`.",
    )
    trusted_proxy_hops: int = Field(
        default=0,
        ge=0,
        le=10,
        description="Proxies of yours in front (Railway: 1): how far from the right X-Forwarded-For is believed.",
    )

    # Retrieval
    embedding_backend: Annotated[Literal["onnx", "sentence-transformers"], _folded("lower")] = Field(
        default="onnx", description="`onnx` runs all-MiniLM-L6-v2 without torch; `sentence-transformers` any model."
    )
    embedding_model: str = Field(
        default="sentence-transformers/all-MiniLM-L6-v2",
        min_length=1,
        description="Model of the sentence-transformers backend.",
    )
    retrieval_threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        description="Cosine from which a passage is evidence. Empty: what `ingest` found to fit the book.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what the caller gives: `load_settings` alone reads the environment."""
        return (init_settings,)


SETTING_NAMES: Final = tuple(name.upper() for name in Settings.model_fields)


def load_settings(env: Mapping[str, str] | None = None, env_file: Path | None = ENV_FILE) -> Settings:
    """Read `env` (default: the process environment) over `env_file`, and check everything.

    Outside production a missing SECRET_KEY is read from DATA_DIR/secret_key, which is made on first use.

    Raises:
        ConfigurationError: with every problem there is, one sentence each.
    """
    values = _read_file(env_file) | _read_environment(os.environ if env is None else env)
    problems = production_problems(values)
    try:
        settings = Settings(**values)  # pyright: ignore[reportArgumentType]  # texts, which pydantic parses
    except ValidationError as error:
        problems += [invalid_value(item["loc"], item["type"], item["msg"]) for item in error.errors()]
    else:
        if not problems:
            return settings if "secret_key" in values else _with_kept_secret(settings)
    raise ConfigurationError([*sorted(set(problems)), *_unknown_names(env_file)])  # a typo may be the cause


def settings_warnings(settings: Settings, env_file: Path | None = ENV_FILE) -> list[str]:
    """What is allowed but probably not meant: unknown names in `.env`, unknown models, a key sent in the clear."""
    warnings = _unknown_names(env_file)
    for name, model in (
        ("CLAUDE_MODEL", settings.claude_model),
        ("CLAUDE_CHEAPER_MODEL", settings.claude_cheaper_model),
        ("CLAUDE_TRANSLATION_MODEL", settings.claude_translation_model),
    ):
        if model and model not in KNOWN_MODELS:
            warnings.append(f"{name} is none of the models known here ({', '.join(KNOWN_MODELS)}).")
    if settings.environment == "production" and not settings.trusted_proxy_hops:
        warnings.append(
            "TRUSTED_PROXY_HOPS is 0: behind a proxy all readers without a login count as one. Railway's is 1."
        )
    if settings.qdrant_api_key and (settings.qdrant_url or "").startswith("http://"):
        warnings.append("QDRANT_API_KEY is sent unencrypted: QDRANT_URL starts with http://.")
    return warnings


def settings_table() -> str:
    """The README's table of settings, as Markdown."""
    rows = ["| Setting | Default | What it does |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{name.upper()}` | {default_text(name)} | {field.description} |")
    return "\n".join(rows)


def default_text(name: str) -> str:
    """A setting's default as one would write it in `.env`; "" where there is none."""
    default = Settings.model_fields[name].default
    if default is None or default is PydanticUndefined:
        return ""
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    return ",".join(cast(tuple[str, ...], default)) if isinstance(default, tuple) else str(default)


def _with_kept_secret(settings: Settings) -> Settings:
    return settings.model_copy(update={"secret_key": read_or_create_secret(settings.data_dir)})


def _unknown_names(env_file: Path | None) -> list[str]:
    return unknown_names(_dotenv(env_file).env_vars, tuple(Settings.model_fields)) if env_file else []


def _dotenv(path: Path) -> DotEnvSettingsSource:
    return DotEnvSettingsSource(
        Settings, env_file=path, env_file_encoding="utf-8-sig", dotenv_filtering="only_existing"
    )


def _read_file(path: Path | None) -> dict[str, str]:
    try:
        return _filled(_dotenv(path)()) if path else {}
    except (OSError, UnicodeError):
        raise ConfigurationError(
            [f"{path} cannot be read. It must be a UTF-8 text file of NAME=value lines."]
        ) from None


def _read_environment(env: Mapping[str, str]) -> dict[str, str]:
    source = EnvSettingsSource(Settings)
    source.env_vars = {name.lower(): value for name, value in env.items()}
    return _filled(source())


def _filled(values: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, value in values.items() if (text := value.strip())}
