"""The documents name every setting, call and error code, and nothing that is not there."""

from collections.abc import Callable

import pytest

from scripts import docs_parity


@pytest.mark.parametrize("check", docs_parity.CHECKS, ids=lambda check: check.__name__)
def test_documents_agree_with_the_code(check: Callable[[], list[str]]) -> None:
    assert check() == []


def test_the_checks_look_at_something() -> None:
    assert "POST /api/chat/ask" in docs_parity.calls()
    assert {"email_taken", "validation_failed", "internal_error"} <= docs_parity.error_codes()
