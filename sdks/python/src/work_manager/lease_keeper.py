"""Keeps the lease of one item alive in the background, as often as the server asked for, and says at once when it is lost: because the
server says so, or because the server could not be reached for as long as the lease lasts."""

from __future__ import annotations

import threading
import time
from datetime import datetime

from ._generated import LeasedItem
from .client import CallOptions, WorkManager
from .errors import WorkManagerError, is_lease_lost, is_work_error
from .events import AgentEvent, Emit
from .retry import RetryPolicy
from .stop import StopSignal

# After a heartbeat that did not get through, the next one does not wait for its turn.
_SOON_SECONDS = 2.0


class LeaseLostError(Exception):
    """The reason of a handler's signal when the item is not this agent's any more."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """A code of the server, or ``unreachable``: no heartbeat got through for as long as the lease lasts."""


class LeaseKeeper:
    def __init__(self, item: LeasedItem, client: WorkManager, emit: Emit) -> None:
        self.lost = StopSignal()
        """Set, with a LeaseLostError, when the lease is lost."""
        self._over = StopSignal()
        self._item = item
        self._client = client
        self._emit = emit
        self._every = float(item["heartbeat_every_seconds"])
        self._lock = threading.Lock()
        self._is_handing_in = False
        self._deadline: threading.Timer | None = None
        self._expect_end(item["lease_expires_at"], time.monotonic())
        threading.Thread(target=self._beat, name="work-manager heartbeat", daemon=True).start()

    def handing_in(self, is_it: bool) -> None:
        """From now on the answer to the hand-in decides: the server may have it already, and a heartbeat would hear of that first."""
        self._is_handing_in = is_it

    def stop(self) -> None:
        with self._lock:
            if self._deadline is not None:
                self._deadline.cancel()
        self._over.set()

    def heartbeat(self) -> str:
        asked_at = time.monotonic()
        try:
            answer = self._client.heartbeat_item(
                item=self._item["id"],
                lease_token=self._item["lease_token"],
                options=CallOptions(
                    stop=self._over,
                    traceparent=self._item["traceparent"],
                    timeout_ms=min(30_000, max(1_000, self._every * 1000)),
                    retry=RetryPolicy(attempts=3, total_ms=self._every * 1000),
                ),
            )
        except WorkManagerError as error:
            is_answer_coming = self._is_handing_in and is_work_error(error, "already_submitted")
            if is_lease_lost(error) and not is_answer_coming:
                self._lose(LeaseLostError(error.code, error.detail))
            raise
        self._expect_end(answer["lease_expires_at"], asked_at)
        self._emit(AgentEvent("heartbeat", item=self._item, lease_expires_at=answer["lease_expires_at"]))
        return answer["lease_expires_at"]

    def _beat(self) -> None:
        wait = self._every
        while not self._over.wait(wait):
            wait = self._every
            try:
                self.heartbeat()
            except BaseException as error:
                if self._over.is_set or is_lease_lost(error):
                    return
                self._emit(AgentEvent("trouble", item=self._item, error=error))
                if not isinstance(error, WorkManagerError) or error.retry == "later":
                    wait = min(self._every, _SOON_SECONDS)

    def _lose(self, why: LeaseLostError) -> None:
        if self._over.is_set:
            return
        self.lost.set(why)
        self.stop()

    def _give_up(self) -> None:
        # What is being handed in is not thrown away for want of an answer: the server judges it when it is back.
        if not self._is_handing_in:
            self._lose(LeaseLostError("unreachable", "No heartbeat got through for as long as the lease lasts, so it counts as lost."))

    def _expect_end(self, lease_expires_at: str, asked_at: float) -> None:
        # The server's clock may differ from ours; a lease lasts at least twice as long as the time between heartbeats.
        left = datetime.fromisoformat(lease_expires_at.replace("Z", "+00:00")).timestamp() - time.time()
        lasts = max(2 * self._every, left) - (time.monotonic() - asked_at)
        with self._lock:
            if self._deadline is not None:
                self._deadline.cancel()
            if self._over.is_set:
                return
            self._deadline = threading.Timer(max(0.0, lasts), self._give_up)
            self._deadline.daemon = True
            self._deadline.start()
