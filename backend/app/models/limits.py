"""What is left of a limit, as clients see it."""

from collections.abc import Iterable

from pydantic import BaseModel, Field

from backend.app.errors import Quota


class LimitLeft(BaseModel):
    """`remaining` of `limit` within any `window_s` seconds; one more is free in `resets_in_s` (0: all are)."""

    limit: int
    remaining: int
    window_s: int = Field(description="Length of the moving window: the last hour, not the hour of the clock.")
    resets_in_s: int

    @classmethod
    def of(cls, quota: Quota) -> "LimitLeft":
        """From the service's shape."""
        return cls(
            limit=quota.limit, remaining=quota.remaining, window_s=quota.window_s, resets_in_s=quota.resets_in_s
        )


class ReaderLimits(BaseModel):
    """What a reader may still do."""

    questions: LimitLeft
    translations: LimitLeft
    personalizations: LimitLeft

    @classmethod
    def of(cls, quotas: Iterable[Quota]) -> "ReaderLimits":
        """From the service's shape: one for each field, by its name."""
        return cls(**{quota.name: LimitLeft.of(quota) for quota in quotas})
