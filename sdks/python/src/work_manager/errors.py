"""What a call can raise: a refusal of the server, or the lack of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

RetryAdvice = Literal["never", "after_refresh", "later"]
"""never: change the request. after_refresh: read the current state first. later: the same request may pass after a wait."""

ConnectionReason = Literal["unreachable", "timeout", "unavailable", "not_work_manager"]


class FieldError(TypedDict, total=False):
    """One thing that is wrong: ``field`` is the dotted path of it."""

    field: str
    code: str
    message: str


class WorkManagerError(Exception):
    """The server said no. ``code`` is stable, ``detail`` says what is wrong in this case, ``fix`` what to do, ``errors`` where."""

    operation: str
    code: str
    status: int
    detail: str
    fix: str
    retry: RetryAdvice
    errors: Sequence[FieldError]
    request_id: str | None
    """Name it to whoever runs the server: its log has the cause."""
    retry_after_ms: float | None
    """From Retry-After; None when the server named no time."""
    idempotency_key: str | None
    """The key that the call was sent with: the same key repeats the same call. None where the operation takes none."""
    problem: Mapping[str, Any]
    """The whole problem object, with the members that only some refusals have (current_state, reason …)."""

    def __init__(
        self,
        *,
        operation: str,
        status: int,
        problem: Mapping[str, Any],
        request_id: str | None,
        retry_after_ms: float | None,
        idempotency_key: str | None,
    ) -> None:
        self.operation = operation
        self.status = status
        self.code = _text(problem.get("code"), "internal")
        self.detail = _text(problem.get("detail"), f"The server answered with status {status}.")
        self.fix = _text(problem.get("fix"), "")
        advice = problem.get("retry")
        self.retry = advice if advice in ("never", "after_refresh", "later") else "never"
        self.errors = _field_errors(problem)
        named = problem.get("request_id")
        self.request_id = request_id if request_id is not None else (named if isinstance(named, str) else None)
        self.retry_after_ms = retry_after_ms
        self.idempotency_key = idempotency_key
        self.problem = problem
        super().__init__(f"{self.code}: {self.detail}{f' {self.fix}' if self.fix else ''}")


@dataclass(frozen=True)
class ForeignAnswer:
    """What came in place of an answer of Work Manager."""

    status: int
    location: str | None
    """Where it redirects to; nobody follows, because the key would go along."""
    by: str
    """How whoever answered names itself or its content."""


class WorkManagerConnectionError(Exception):
    """There is no answer that could be believed.

    unreachable: nobody answered, or the connection broke. timeout: not in time. unavailable: something on the way (a proxy, say)
    answered for the server. not_work_manager: what answers at this address is something else.
    """

    def __init__(
        self,
        reason: ConnectionReason,
        message: str,
        *,
        operation: str,
        idempotency_key: str | None,
        because: str | None = None,
        answer: ForeignAnswer | None = None,
    ) -> None:
        super().__init__(message)
        self.reason: ConnectionReason = reason
        self.operation = operation
        self.idempotency_key = idempotency_key
        """The call may have been carried out all the same. The same key repeats it safely; None where the operation takes none."""
        self.because = because
        """Why nobody was reached, in the words of the system, such as ECONNREFUSED; None when somebody was."""
        self.answer = answer
        """What answered instead (unavailable, not_work_manager); else None."""


def is_work_error(error: object, *codes: str) -> bool:
    """True for a refusal with one of these codes, or for any refusal when none is named."""
    return isinstance(error, WorkManagerError) and (not codes or error.code in codes)


def is_lease_lost(error: object) -> bool:
    """True when the item is not this agent's any more: stop working on it."""
    return is_work_error(error, "lease_lost", "lease_expired", "lease_error", "already_submitted", "paused")


def _text(value: object, otherwise: str) -> str:
    return value if isinstance(value, str) and value != "" else otherwise


def _field_errors(problem: Mapping[str, Any]) -> Sequence[FieldError]:
    """``error_list`` where the server also sends the map of its predecessor; a plain list otherwise."""
    for name in ("error_list", "errors"):
        if isinstance(problem.get(name), list):
            return list(problem[name])
    return []
