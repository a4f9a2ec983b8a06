"""Settings: what is read from where, what is refused, and that no value is ever repeated."""

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from backend.app.errors import ConfigurationError
from backend.app.utils.config import (
    SETTING_NAMES,
    Settings,
    default_text,
    load_settings,
    settings_table,
    settings_warnings,
)
from backend.app.utils.secret_file import read_or_create_secret

GOOD_KEY = "Zk3v8Qw1nR7tYp5sLx2dHf9cJm4gBa6eUo0iTqWz"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": GOOD_KEY,
    "DATABASE_URL": "postgresql://book:pass@db.example/book?sslmode=require&channel_binding=require",
    "QDRANT_URL": "https://cluster.example:6333",
    "ANTHROPIC_API_KEY": "sk-ant-dummy",
    "ALLOWED_ORIGINS": "https://book.example",
}


def problems_of(env: dict[str, str], env_file: Path | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(env, env_file)
    return list(caught.value.problems)


@pytest.fixture
def write_env(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def write(content: str | bytes) -> Path:
        path = tmp_path / ".env"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_an_empty_environment_gives_the_documented_defaults(tmp_path: Path) -> None:
    settings = load_settings({"DATA_DIR": str(tmp_path)}, None)
    assert settings.environment == "development"
    assert settings.claude_model == "claude-haiku-5-5"
    assert settings.allowed_origins == ("http://localhost:3000", "http://localhost:3001")
    assert settings.daily_budget_usd == Decimal(10)
    assert settings.access_token_expire_minutes == 10080
    assert settings.database_url is settings.qdrant_url is settings.anthropic_api_key is None


def test_the_environment_wins_over_the_file_and_blank_values_count_as_unset(
    write_env: Callable[[str], Path], tmp_path: Path
) -> None:
    env_file = write_env("PORT=9000\nLOG_LEVEL=debug\nCLAUDE_MODEL=claude-opus-5-5\nQDRANT_URL=\nSITE_URL='  '\n")
    env = {"PORT": "9001", "CLAUDE_MODEL": "", "LOG_LEVEL": "  ", "DATA_DIR": str(tmp_path)}
    settings = load_settings(env, env_file)
    assert (settings.port, settings.log_level, settings.claude_model) == (9001, "DEBUG", "claude-opus-5-5")
    assert settings.qdrant_url is None
    assert settings.site_url is None


def test_a_file_saved_by_a_windows_editor_is_read(write_env: Callable[[bytes], Path], tmp_path: Path) -> None:
    env_file = write_env(b"\xef\xbb\xbfPORT=9000\r\nCLAUDE_MODEL=claude-opus-5-5\r\n")
    settings = load_settings({"DATA_DIR": str(tmp_path)}, env_file)
    assert (settings.port, settings.claude_model) == (9000, "claude-opus-5-5")


def test_a_file_that_is_not_text_is_one_readable_problem(write_env: Callable[[bytes], Path]) -> None:
    assert "UTF-8" in problems_of({}, write_env(b"PORT=\xff\xfe\x00"))[0]


def test_constructing_settings_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "4711")
    assert Settings().port == 8000
    assert load_settings(env_file=None).port == 4711


def test_production_names_everything_that_is_missing_at_once() -> None:
    text = "\n".join(problems_of({"ENVIRONMENT": "production", "ALLOWED_ORIGINS": "https://a.example,*"}))
    for name in ("SECRET_KEY", "DATABASE_URL", "QDRANT_URL", "ANTHROPIC_API_KEY", "ALLOWED_ORIGINS"):
        assert name in text


def test_production_starts_with_everything_set() -> None:
    settings = load_settings(PRODUCTION, None)
    assert settings.secret_key.get_secret_value() == GOOD_KEY
    assert settings.allowed_origins == ("https://book.example",)


@pytest.mark.parametrize(
    "key", ["", "x" * 31, "x" * 64, "your-secret-key-change-this-in-production-please", "ü" * 15]
)
def test_production_refuses_a_missing_short_or_well_known_key(key: str) -> None:
    assert [p for p in problems_of(PRODUCTION | {"SECRET_KEY": key}) if p.startswith("SECRET_KEY")]


BAD_VALUES = [
    ("ENVIRONMENT", "staging-hunter2"),
    ("PORT", "80hunter2"),
    ("PORT", "70000"),
    ("LOG_LEVEL", "hunter2"),
    ("DATABASE_URL", "mysql://u:hunter2@h/db"),
    ("DATABASE_URL", "psql 'postgresql://u:hunter2@h/db'"),
    ("DATABASE_URL", "postgresql://u:hunter2/@[h/db"),
    ("DATABASE_URL", "postgresql://"),
    ("DATABASE_URL", "postgresql://h:hunter2/db"),
    ("DATABASE_THREADS", "0"),
    ("QDRANT_URL", "cluster.example:6333"),
    ("QDRANT_URL", "https://u:hunter2@h"),
    ("QDRANT_API_KEY", "hun ter2"),
    ("QDRANT_COLLECTION_NAME", "../hunter2"),
    ("ANTHROPIC_API_KEY", "hunter2\u201d"),
    ("ANTHROPIC_BASE_URL", "ftp://hunter2"),
    ("DAILY_BUDGET_USD", "0"),
    ("DAILY_BUDGET_USD", "nan"),
    ("DAILY_BUDGET_USD", "-3"),
    ("BUDGET_READER_SHARE", "0"),
    ("BUDGET_ANONYMOUS_SHARE", "1.01"),
    ("SECRET_KEY", "hunter2"),
    ("ALGORITHM", "none"),
    ("ALGORITHM", "RS256"),
    ("ACCESS_TOKEN_EXPIRE_MINUTES", "0"),
    ("ALLOWED_ORIGINS", "https://book.example/hunter2"),
    ("ALLOWED_ORIGINS", "book.example"),
    ("ALLOWED_ORIGINS", "null"),
    ("ALLOWED_ORIGINS", "https://*.example"),
    ("ALLOWED_ORIGINS", '["https://book.example"'),
    ("ALLOWED_ORIGINS", "https://u:hunter2@book.example"),
    ("SITE_URL", "book.example"),
    ("RATE_LIMIT_QUESTIONS_PER_HOUR", "many"),
    ("RATE_LIMIT_STORAGE", "mysql://:hunter2@h"),
    ("RATE_LIMIT_STORAGE", "redis://:hunter2@"),
    ("RATE_LIMIT_STORAGE", "redis://:hunter2@h:port"),
    ("TRUSTED_PROXY_HOPS", "-1"),
    ("EMBEDDING_BACKEND", "hunter2"),
    ("RETRIEVAL_THRESHOLD", "1.5"),
    ("WEB_CONCURRENCY", "4"),
]


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_a_bad_value_is_one_problem_that_names_the_setting_and_not_the_value(name: str, value: str) -> None:
    problems = problems_of({name: value})
    assert len(problems) == 1
    assert problems[0].startswith(name)
    assert "hunter2" not in problems[0]


def test_all_bad_values_are_named_in_one_message_beside_what_production_lacks() -> None:
    env = dict(BAD_VALUES) | {"ENVIRONMENT": "production", "ANTHROPIC_API_KEY": "", "DATABASE_URL": ""}
    text = "\n".join(problems_of(env))
    for name in {name for name, _ in BAD_VALUES} - {"ENVIRONMENT"}:
        assert name in text
    assert "hunter2" not in text


def test_spaces_around_a_pasted_key_are_dropped(tmp_path: Path) -> None:
    env = {"ANTHROPIC_API_KEY": " sk-ant-x\n", "DATA_DIR": str(tmp_path)}
    key = load_settings(env, None).anthropic_api_key
    assert key
    assert key.get_secret_value() == "sk-ant-x"


@pytest.mark.parametrize(
    "written", ["https://A.example/, http://localhost:3000", '["https://a.example", "http://localhost:3000/"]']
)
def test_origins_may_be_a_list_or_json_and_lose_their_trailing_slash(written: str, tmp_path: Path) -> None:
    settings = load_settings({"ALLOWED_ORIGINS": written, "DATA_DIR": str(tmp_path)}, None)
    assert settings.allowed_origins == ("https://a.example", "http://localhost:3000")


def test_urls_lose_their_trailing_slash_and_keep_their_path(tmp_path: Path) -> None:
    settings = load_settings({"SITE_URL": "https://me.github.io/book/", "DATA_DIR": str(tmp_path)}, None)
    assert settings.site_url == "https://me.github.io/book"


@pytest.mark.parametrize("url", ["postgres://u:p@h:5432/db", "postgresql:///db?host=/run/postgresql"])
def test_both_spellings_of_a_database_url_pass_untouched(url: str, tmp_path: Path) -> None:
    database_url = load_settings({"DATABASE_URL": url, "DATA_DIR": str(tmp_path)}, None).database_url
    assert database_url
    assert database_url.get_secret_value() == url


def test_a_relative_data_dir_is_the_repositorys_wherever_the_command_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    repository = Path(__file__).parents[2]
    monkeypatch.chdir(tmp_path)
    assert Settings(data_dir=Path("elsewhere")).data_dir == repository / "elsewhere"


def test_no_secret_is_in_the_repr_of_settings() -> None:
    shown = repr(load_settings(PRODUCTION | {"QDRANT_API_KEY": "hunter2"}, None))
    assert not [text for text in (GOOD_KEY, "sk-ant-dummy", "pass@", "hunter2") if text in shown]


def test_the_generated_key_is_kept_private_and_the_same_next_time(tmp_path: Path) -> None:
    first, second = (load_settings({"DATA_DIR": str(tmp_path / "new" / "data")}, None) for _ in range(2))
    assert first.secret_key == second.secret_key
    kept = tmp_path / "new" / "data" / "secret_key"
    assert kept.read_text() == first.secret_key.get_secret_value()
    assert len(kept.read_bytes()) >= 32
    if os.name == "posix":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_processes_that_start_together_share_one_generated_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(read_or_create_secret, [tmp_path] * 64))
    assert len({key.get_secret_value() for key in keys}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_a_damaged_key_file_or_folder_is_one_readable_problem(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("short")
    assert "Delete it" in problems_of({"DATA_DIR": str(tmp_path)})[0]
    assert "DATA_DIR" in problems_of({"DATA_DIR": str(tmp_path / "secret_key" / "below")})[0]


def test_unknown_names_in_the_file_are_warned_about_with_the_nearest_setting(
    write_env: Callable[[str], Path],
) -> None:
    env_file = write_env("ANTROPIC_API_KEY=hunter2\nPORT=8001\nWHATEVER_ELSE=hunter2\nexport claude_model=x\n")
    warnings = settings_warnings(Settings(), env_file)
    assert len(warnings) == 2
    assert "ANTROPIC_API_KEY" in warnings[0]
    assert "Did you mean ANTHROPIC_API_KEY?" in warnings[0]
    assert "WHATEVER_ELSE" in warnings[1]
    assert "Did you mean" not in warnings[1]
    assert "hunter2" not in "".join(warnings)


def test_a_misspelt_name_is_told_beside_the_problem_that_it_causes(write_env: Callable[[str], Path]) -> None:
    env = {name: value for name, value in PRODUCTION.items() if name != "ANTHROPIC_API_KEY"}
    missing, misspelt = problems_of(env, write_env("ANTROPIC_API_KEY=hunter2\n"))
    assert missing.startswith("ANTHROPIC_API_KEY is missing")
    assert "Did you mean ANTHROPIC_API_KEY?" in misspelt


def test_an_unknown_model_and_an_unencrypted_key_are_warned_about() -> None:
    settings = Settings.model_validate(
        {
            "claude_model": "claude-3-5-sonnet-20241022",
            "qdrant_url": "http://qdrant.example",
            "qdrant_api_key": "k",
        }
    )
    model, key = settings_warnings(settings, None)
    assert "CLAUDE_MODEL" in model
    assert "QDRANT_API_KEY" in key
    assert settings_warnings(Settings(), None) == []


@pytest.mark.parametrize(
    "storage",
    ["memory", "postgres", "redis://cache:6379", "redis://:hunter2@cache", "rediss://u:hunter2@cache:6380/1"],
)
def test_where_limits_are_counted_is_a_secret_because_its_password_is(storage: str, tmp_path: Path) -> None:
    settings = load_settings({"RATE_LIMIT_STORAGE": storage, "DATA_DIR": str(tmp_path)}, None)
    assert settings.rate_limit_storage.get_secret_value() == storage
    assert "hunter2" not in f"{settings!r} {settings}"


def test_the_words_for_where_limits_are_counted_may_be_in_any_letter_case(tmp_path: Path) -> None:
    settings = load_settings({"RATE_LIMIT_STORAGE": "Postgres", "DATA_DIR": str(tmp_path)}, None)
    assert settings.rate_limit_storage.get_secret_value() == "postgres"
    assert default_text("rate_limit_storage") == "memory"


def test_production_without_a_proxy_in_front_is_asked_whether_that_is_true(tmp_path: Path) -> None:
    direct = load_settings(PRODUCTION | {"DATA_DIR": str(tmp_path)}, None)
    (warning,) = settings_warnings(direct, None)
    assert "TRUSTED_PROXY_HOPS" in warning
    behind_one = load_settings(PRODUCTION | {"DATA_DIR": str(tmp_path), "TRUSTED_PROXY_HOPS": "1"}, None)
    assert settings_warnings(behind_one, None) == []


def test_every_setting_has_a_sentence_and_a_row_in_the_table() -> None:
    table = settings_table()
    for name in SETTING_NAMES:
        assert f"| `{name}` | " in table
        description = Settings.model_fields[name.lower()].description
        assert description
        assert description.endswith(".")
    assert default_text("allowed_origins") == "http://localhost:3000,http://localhost:3001"
    assert default_text("secret_key") == ""
