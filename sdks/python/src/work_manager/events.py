"""What an agent reports while it works, and the sum of it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ._generated import LeasedItem
from .errors import FieldError
from .failures import FailureClass

EventKind = Literal[
    "checked_out", "heartbeat", "part_submitted", "submitted", "refused", "failed", "lease_lost", "released", "log", "idle", "draining", "trouble"
]


@dataclass(frozen=True)
class AgentEvent:
    """One thing that happened. Only the members that its kind has are set.

    idle: nothing was to be had; the agent goes on asking. draining: it takes no more, and ``holding`` are still being worked on.
    trouble: a call failed for now; the agent goes on (without an item: checking out).
    """

    kind: EventKind
    item: LeasedItem | None = None
    lease_expires_at: str | None = None
    key: str | None = None
    revision: int | None = None
    order_state: str | None = None
    findings: Sequence[FieldError] = ()
    failure_class: FailureClass | None = None
    code: str | None = None
    will_retry: bool | None = None
    reason: str | None = None
    message: str | None = None
    data: Any = None
    holding: int | None = None
    error: BaseException | None = None


@dataclass(frozen=True)
class AgentTotals:
    checked_out: int = 0
    submitted: int = 0
    refused: int = 0
    failed: int = 0
    lease_lost: int = 0
    released: int = 0


_COUNTED = ("checked_out", "submitted", "refused", "failed", "lease_lost", "released")
Emit = Callable[[AgentEvent], None]


class Report:
    """Counts events and passes them on, one at a time. A listener that raises is an error of its own and disturbs no work."""

    def __init__(self, on_event: Emit | None) -> None:
        self._on_event = on_event
        self._lock = threading.RLock()
        self.totals = AgentTotals()

    def emit(self, event: AgentEvent) -> None:
        with self._lock:
            if event.kind in _COUNTED:
                counted: dict[str, int] = {event.kind: getattr(self.totals, event.kind) + 1}
                self.totals = replace(self.totals, **counted)
            if self._on_event is None:
                return
            try:
                self._on_event(event)
            except Exception:
                sys.excepthook(*sys.exc_info())
