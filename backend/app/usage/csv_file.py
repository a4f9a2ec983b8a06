"""The ledger as a table for a spreadsheet: one row for each day, feature and model."""

import csv
import io

from backend.app.models.usage import SpendingLine, UsageReport
from backend.app.services.claude_prices import MICROUSD

COLUMNS = (
    *("day", "feature", "model", "calls", "uncertain_calls", "cost_usd"),
    *("input_tokens", "output_tokens", "thinking_tokens", "cache_read_tokens", "cache_write_tokens"),
)
_FORMULA = ("=", "+", "-", "@")


def spending_csv(report: UsageReport) -> str:
    """With a heading, also when there is nothing below it. Dollars have all their six decimals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(_row, report.spending.lines))
    return text.getvalue()


def as_text(value: str) -> str:
    """A cell on one line that no spreadsheet runs as a formula."""
    visible = "".join(sign if sign.isprintable() else " " for sign in value)
    return f"'{visible}" if visible.lstrip().startswith(_FORMULA) else visible


def _row(line: SpendingLine) -> list[str | int]:
    return [
        line.day.isoformat(),
        as_text(line.feature),
        as_text(line.model),
        line.calls,
        line.uncertain_calls,
        f"{line.cost_microusd // MICROUSD}.{line.cost_microusd % MICROUSD:06d}",
        line.input_tokens,
        line.output_tokens,
        line.thinking_tokens,
        line.cache_read_tokens,
        line.cache_write_tokens,
    ]
