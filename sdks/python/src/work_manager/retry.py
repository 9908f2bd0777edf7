"""Whether a call that failed is sent again, and after which wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from .errors import WorkManagerConnectionError, WorkManagerError, is_work_error


@dataclass(frozen=True)
class RetryPolicy:
    """None leaves the bound as it was: the client's policy replaces the defaults, a call's policy the client's, member by member."""

    attempts: int | None = None
    """How often a call is sent at most (default 8; 1 never repeats)."""
    total_ms: float | None = None
    """How long a call may take with all its repeats (default 60 000 ms)."""
    base_ms: float | None = None
    """Without Retry-After, the wait before repeat n is random up to base_ms · 2ⁿ (default 250 ms) …"""
    max_ms: float | None = None
    """… and never longer than this (default 10 000 ms)."""
    on: Callable[[WorkManagerError | WorkManagerConnectionError], bool] | None = None
    """Asked before a repeat that would make sense: False lets the error stand at once."""


@dataclass(frozen=True)
class Bounds:
    attempts: int = 8
    total_ms: float = 60_000
    base_ms: float = 250
    max_ms: float = 10_000
    on: Callable[[WorkManagerError | WorkManagerConnectionError], bool] = lambda _error: True


NEVER = RetryPolicy(attempts=1)


def retry_bounds(*policies: RetryPolicy | None) -> Bounds:
    bounds = Bounds()
    for policy in policies:
        if policy is not None:
            given = {one.name: getattr(policy, one.name) for one in fields(policy)}
            bounds = replace(bounds, **{name: value for name, value in given.items() if value is not None})
    return bounds


# Nothing was done when the server refused with these, so even a call that makes something new each time may be repeated. For all others
# the outcome is unknown, and only a call that is safe to repeat (or carries a key) is sent again.
_CERTAINLY_NOT_DONE = {"rate_limited", "busy", "draining", "storage_low", "idempotency_in_progress"}


def _is_passing(error: BaseException, is_repeatable: bool) -> bool:
    if isinstance(error, WorkManagerConnectionError):
        return is_repeatable and error.reason != "not_work_manager"
    if not isinstance(error, WorkManagerError):
        return False
    # Answers, not failures: whoever checks out decides when to ask again, and what a person paused stays so for a while.
    if is_work_error(error, "no_items_available", "lease_limit_reached", "paused"):
        return False
    return error.retry == "later" and (is_repeatable or error.code in _CERTAINLY_NOT_DONE)


def wait_before_repeat(
    error: BaseException, *, attempt: int, elapsed_ms: float, is_repeatable: bool, bounds: Bounds, random: float
) -> float | None:
    """Milliseconds until the next attempt, or None when the error stands.

    The server's Retry-After counts; without one, exponential backoff with full jitter. A wait that would not end in time is not begun.
    """
    if attempt >= bounds.attempts or not _is_passing(error, is_repeatable):
        return None
    if not isinstance(error, (WorkManagerError, WorkManagerConnectionError)) or not bounds.on(error):
        return None
    jitter = random * min(bounds.max_ms, bounds.base_ms * 2 ** min(attempt - 1, 30))
    asked = error.retry_after_ms if isinstance(error, WorkManagerError) else None
    # Those who were told the same time do not come back in one wave.
    wait = jitter if asked is None else asked + random * bounds.base_ms
    return None if elapsed_ms + wait > bounds.total_ms else wait
