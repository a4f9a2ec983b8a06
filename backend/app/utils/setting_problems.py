"""What is wrong with a whole set of settings, as sentences that name the setting and the fix.

Works on the raw texts before they are checked one by one, so that every problem is found in one go.
Never repeats a value.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from backend.app.utils.setting_checks import MIN_SECRET_BYTES, NEW_SECRET, looks_like_placeholder

_PRODUCTION_NEEDS = {
    "secret_key": f"set it to the output of: {NEW_SECRET}",
    "database_url": "create a database (neon.com has a free one) and set its connection string.",
    "qdrant_url": "create a cluster (cloud.qdrant.io has a free one) and set its URL, and QDRANT_API_KEY.",
    "anthropic_api_key": "create a key at console.anthropic.com and set it.",
}


def production_problems(values: Mapping[str, str]) -> list[str]:
    """What ENVIRONMENT=production refuses: missing settings, known secrets, any origin, several processes."""
    problems: list[str] = []
    if values.get("environment", "").lower().startswith("prod"):
        problems += [
            f"{name.upper()} is missing, and production has no stand-in for it: {fix}"
            for name, fix in _PRODUCTION_NEEDS.items()
            if name not in values
        ]
        if "*" in values.get("allowed_origins", ""):
            problems.append("ALLOWED_ORIGINS allows every site (*). List the book's own, e.g. https://book.example.")
        secret = values.get("secret_key", "")
        if len(secret) >= MIN_SECRET_BYTES and looks_like_placeholder(secret):
            problems.append(f"SECRET_KEY is a well-known example. Set it to the output of: {NEW_SECRET}")
    workers = values.get("web_concurrency", "1")
    if workers.isdecimal() and int(workers) > 1:
        problems.append(
            "WEB_CONCURRENCY is more than 1, but the threads of readers without a login and the embedded search "
            "index belong to one process, and RATE_LIMIT_STORAGE=memory counts in each. Remove it or set it to 1."
        )
    return problems


def invalid_value(location: Sequence[int | str], kind: str, message: str) -> str:
    """pydantic's error in our words: `kind` is its error type, `message` its text, which never holds the value."""
    name = str(location[0]).upper() if location else "The configuration"
    if kind == "value_error":
        return f"{name} {message.removeprefix('Value error, ')}"
    return f"{name} is not valid: {message[:1].lower()}{message[1:]}."


def unknown_names(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """A warning for each name of `.env` that is no setting, with the nearest one that is."""
    warnings: list[str] = []
    for name in sorted(set(names) - set(known)):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        hint = f" Did you mean {near[0].upper()}?" if near else ""
        warnings.append(f".env sets {name.upper()[:60]}, which is not a setting and has no effect.{hint}")
    return warnings
