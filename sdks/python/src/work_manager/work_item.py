"""One item from checkout to its end: handed in, failed, lost or given back. Never raises because of what the handler does."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from ._generated import LeasedItem
from .client import CallOptions, WorkManager
from .errors import WorkManagerConnectionError, WorkManagerError, is_lease_lost, is_work_error
from .events import AgentEvent, Emit
from .failures import classify
from .hand_in import HandInDesk
from .handler import Handler, HandlerContext, Outcome, Refused, RefusedHandler
from .lease_keeper import LeaseKeeper, LeaseLostError
from .retry import RetryPolicy
from .stop import StopSignal

# How long a handler that was told to stop may take for it, before its item is given back all the same.
_GRACE_SECONDS = 1.0

# What can be put right under the same lease by handing in something else.
_CORRECTABLE = ("verification_failed", "validation_failed", "parts_missing")


@dataclass(frozen=True)
class ItemWorker:
    client: WorkManager
    handler: Handler
    on_refused: RefusedHandler | None
    max_corrections: int
    emit: Emit
    cut_off: StopSignal
    """Set when the agent must stop now: running handlers are stopped and what is held is given back."""


class _Work:
    """The handler and the hand-in, in a thread of their own: whoever waits for them can be called away."""

    def __init__(self, work: Callable[[], str]) -> None:
        self.order_state: str | None = None
        self.error: BaseException | None = None
        self.settled = StopSignal()
        self._work = work
        threading.Thread(target=self._run, name="work-manager handler", daemon=True).start()

    def _run(self) -> None:
        try:
            self.order_state = self._work()
        except BaseException as error:
            self.error = error
        finally:
            self.settled.set()

    def wait(self, *signals: StopSignal, seconds: float | None = None) -> None:
        """Until it is settled or one of the signals is set, at most so long."""
        either = StopSignal(self.settled, *signals)
        either.wait(seconds)
        either.close()


def work_item(item: LeasedItem, worker: ItemWorker) -> None:
    emit, cut_off = worker.emit, worker.cut_off
    lease = LeaseKeeper(item, worker.client, emit)
    stop = StopSignal(lease.lost, cut_off)
    work = _Work(lambda: _produce_and_hand_in(item, worker, lease, stop))
    try:
        work.wait(stop)
        if work.settled.is_set and work.error is None:
            lease.stop()
            emit(AgentEvent("submitted", item=item, order_state=work.order_state))
        elif lease.lost.is_set:
            # One that is told to stop may still be busy: its place is taken until it ends, but not beyond the agent's own end.
            reason = cast(LeaseLostError, lease.lost.reason)
            emit(AgentEvent("lease_lost", item=item, reason=reason.reason, message=str(reason)))
            work.wait(cut_off)
            work.wait(seconds=_GRACE_SECONDS)
        elif cut_off.is_set:
            work.wait(seconds=_GRACE_SECONDS)
            lease.stop()
            give_back(item, worker.client, emit)
        else:
            lease.stop()
            _report_failure(item, worker, work.error or RuntimeError("The handler ended without a word."))
    finally:
        lease.stop()
        stop.close()


def _produce_and_hand_in(item: LeasedItem, worker: ItemWorker, lease: LeaseKeeper, stop: StopSignal) -> str:
    """Runs the handler and hands in what it gives, with as many corrections as are allowed. Returns the state of the order."""
    emit = worker.emit
    desk = HandInDesk(item, worker.client, lease, emit, stop)

    def context_for(shown: LeasedItem) -> HandlerContext:
        return HandlerContext(
            shown,
            stop,
            lease.heartbeat,
            desk.part,
            lambda message, data: emit(AgentEvent("log", item=item, message=message, data=data)),
        )

    context = context_for(item)
    produce: Callable[[], Outcome] = lambda: worker.handler(context)  # noqa: E731
    correction = 1
    while True:
        outcome: Outcome = None
        try:
            outcome = produce()
            return desk.hand_in(outcome)
        except WorkManagerError as error:
            if not is_work_error(error, *_CORRECTABLE):
                raise
            emit(AgentEvent("refused", item=item, findings=error.errors, message=error.detail))
            if correction > worker.max_corrections:
                raise
            if worker.on_refused is not None:
                corrected = worker.on_refused(context, Refused(error.errors, error, outcome, correction))
                if corrected is None:
                    raise
                produce = lambda given=corrected: given  # type: ignore[misc]  # noqa: E731
            else:
                told: Any = {**item, "last_error": {"code": error.code, "message": error.detail, "details": list(error.errors)}}
                again = context_for(told)
                produce = lambda given=again: worker.handler(given)  # type: ignore[misc]  # noqa: E731
        correction += 1


def give_back(item: LeasedItem, client: WorkManager, emit: Emit) -> None:
    """Gives an item back that was not finished; the next agent can have it at once."""
    try:
        client.release_item(
            item=item["id"],
            lease_token=item["lease_token"],
            options=CallOptions(traceparent=item["traceparent"], retry=RetryPolicy(total_ms=5_000)),
        )
        emit(AgentEvent("released", item=item))
    except (WorkManagerError, WorkManagerConnectionError) as error:
        _report_end(item, emit, error)


def _report_failure(item: LeasedItem, worker: ItemWorker, raised: BaseException) -> None:
    emit = worker.emit
    if isinstance(raised, WorkManagerError) and is_lease_lost(raised):
        emit(AgentEvent("lease_lost", item=item, reason=raised.code, message=raised.detail))
        return
    failure = classify(raised)
    after = failure.retry_after_seconds
    try:
        answer = worker.client.fail_item(
            item=item["id"],
            lease_token=item["lease_token"],
            class_=failure.failure_class,
            error=cast(Any, failure.error),
            retry_after=None if after is None else min(604_800, max(0, math.ceil(after))),
            options=CallOptions(traceparent=item["traceparent"]),
        )
        emit(
            AgentEvent(
                "failed",
                item=item,
                failure_class=failure.failure_class,
                code=failure.error["code"],
                message=failure.error["message"],
                will_retry=answer["will_retry"],
                error=raised,
            )
        )
    except (WorkManagerError, WorkManagerConnectionError) as refusal:
        if not is_lease_lost(refusal):
            emit(AgentEvent("trouble", item=item, error=raised))
        _report_end(item, emit, refusal)


def _report_end(item: LeasedItem, emit: Emit, error: WorkManagerError | WorkManagerConnectionError) -> None:
    """Giving back or failing was refused."""
    # A hand-in whose answer was lost had arrived.
    if isinstance(error, WorkManagerError) and error.code == "already_submitted":
        emit(AgentEvent("submitted", item=item))
    elif isinstance(error, WorkManagerError) and is_lease_lost(error):
        emit(AgentEvent("lease_lost", item=item, reason=error.code, message=error.detail))
    else:
        emit(AgentEvent("trouble", item=item, error=error))
