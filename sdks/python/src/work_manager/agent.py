"""The agent loop: check out, work, hand in, again; until it is told to stop, and then without leaving anything behind."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence

from ._generated import LeasedItem
from .client import AgentIdentity, CallOptions, WorkManager
from .errors import WorkManagerConnectionError, WorkManagerError, is_work_error
from .events import AgentEvent, AgentTotals, Emit, Report
from .handler import Handler, RefusedHandler
from .retry import RetryPolicy
from .stop import StopSignal
from .work_item import ItemWorker, give_back, work_item

_LONGEST_TROUBLE_SECONDS = 30.0
# A server that does not wait (it may be configured so, or be stopping) is not asked more often than this.
_SHORTEST_POLL_SECONDS = 1.0
# A checkout that is under way when the agent is told to stop may answer for so long: hanging up could leave an item leased to nobody.
_LAST_ANSWER_SECONDS = 0.5
# A checkout names one type. With several, the agent waits for each in turn, so that work of the others is seen this soon.
_TURN_SECONDS = 2

NextItem = Callable[[StopSignal, StopSignal], "LeasedItem | None"]


def run_agent(
    handler: Handler,
    *,
    url: str,
    key: str,
    agent: AgentIdentity | None = None,
    retry: RetryPolicy | None = None,
    types: Sequence[str] = (),
    order: str | None = None,
    min_priority: int | None = None,
    concurrency: int = 1,
    on_refused: RefusedHandler | None = None,
    max_corrections: int = 2,
    on_event: Emit | None = None,
    stop: StopSignal | None = None,
    drain_seconds: float = 20,
    wait_seconds: int | None = None,
    stop_when_idle: bool = False,
) -> AgentTotals:
    """Runs until ``stop`` is set (or, with stop_when_idle, until there is nothing to do), and returns what was done.

    A server that is away for a while is waited for. Raises WorkManagerError when checking out is refused for good (key, ability, a type
    that nobody knows) and WorkManagerConnectionError when the address is wrong, both after giving back what is held; ValueError or
    TypeError for options that cannot work.

    types: only items of orders of these types; default all. order: only items of this order. min_priority: only orders of at least this
    priority. concurrency: how many items at once; handlers of several run in threads. on_refused: corrects a refused hand-in; without it
    the handler runs again, with the findings in ``item["last_error"]``. max_corrections: how often, before it counts as failed.
    drain_seconds: how long running handlers may go on after the stop. wait_seconds: how long one poll waits for work on the server's side
    (default 20, with stop_when_idle 0; at most 60).
    """
    wait = wait_seconds if wait_seconds is not None else (0 if stop_when_idle else 20)
    _in_range("concurrency", concurrency, 1, 10_000, whole=True)
    _in_range("max_corrections", max_corrections, 0, 1_000, whole=True)
    _in_range("drain_seconds", drain_seconds, 0, 86_400)
    _in_range("wait_seconds", wait, 0, 60)
    if not callable(handler):
        raise TypeError("handler must be a function: def handler(context): return Result(…).")
    if isinstance(types, str):
        raise TypeError("types must be a list of names, not one text.")
    if order is not None and (len(types) > 0 or min_priority is not None):
        raise ValueError("order already says which items: leave types and min_priority out.")

    client = WorkManager(url=url, key=key, agent=agent, retry=retry)
    next_item = _item_source(client, types, order, min_priority, wait)
    report = Report(on_event)
    emit = report.emit
    stopping = stop or StopSignal()
    cut_off = StopSignal()
    polling = StopSignal()
    wake = threading.Event()

    def end_polling() -> None:
        wake.set()
        timer = threading.Timer(_LAST_ANSWER_SECONDS, lambda: polling.set(stopping.reason))
        timer.daemon = True
        timer.start()

    detach = stopping.listen(end_polling)
    worker = ItemWorker(client, handler, on_refused, max_corrections, emit, cut_off)
    working: set[threading.Thread] = set()
    lock = threading.Lock()

    def work(item: LeasedItem) -> None:
        try:
            work_item(item, worker)
        finally:
            with lock:
                working.discard(threading.current_thread())
            wake.set()

    def start(item: LeasedItem) -> None:
        thread = threading.Thread(target=work, args=(item,), name=f"work-manager item {item['id']}", daemon=True)
        with lock:
            working.add(thread)
        thread.start()

    def held() -> int:
        with lock:
            return len(working)

    def drain() -> None:
        holding = held()
        if holding == 0:
            return
        emit(AgentEvent("draining", holding=holding))
        timer = threading.Timer(
            drain_seconds, lambda: cut_off.set(TimeoutError(f"The agent stops, and its {drain_seconds} s for finishing are over."))
        )
        timer.daemon = True
        timer.start()
        with lock:
            left = list(working)
        for thread in left:
            thread.join()
        timer.cancel()

    refusal: BaseException | None = None
    troubles = 0
    try:
        while not stopping.is_set:
            wake.clear()
            if held() >= concurrency:
                if not stopping.is_set:
                    wake.wait()
                continue
            asked_at = time.monotonic()
            try:
                item = next_item(polling, stopping)
            except (WorkManagerError, WorkManagerConnectionError) as error:
                if stopping.is_set:
                    break
                if _is_final(error):
                    refusal = error
                    break
                emit(AgentEvent("trouble", error=error))
                # Sooner than the server said would be in vain.
                asked = (error.retry_after_ms or 0) / 1000 if isinstance(error, WorkManagerError) else 0
                stopping.wait(asked + random.random() * min(_LONGEST_TROUBLE_SECONDS, 0.5 * 2 ** min(troubles, 10)))
                troubles += 1
                continue
            except BaseException:
                # Told to stop while asking: nothing was taken, or the lease of it ends by itself.
                if stopping.is_set:
                    break
                raise
            troubles = 0
            if item is None:
                emit(AgentEvent("idle"))
                if stop_when_idle and held() == 0:
                    break
                left = max(0.0, _SHORTEST_POLL_SECONDS - (time.monotonic() - asked_at)) * (1 + random.random())
                # The end of what is being worked on may be the end of all work, or bring more.
                if stop_when_idle:
                    wake.wait(left)
                else:
                    stopping.wait(left)
                continue
            emit(AgentEvent("checked_out", item=item))
            if stopping.is_set:
                give_back(item, client, emit)
            else:
                start(item)
    except BaseException:
        cut_off.set()
        raise
    finally:
        detach()
        drain()
        client.close()
    if refusal is not None:
        raise refusal
    return report.totals


def _item_source(client: WorkManager, types: Sequence[str], order: str | None, min_priority: int | None, wait_seconds: int) -> NextItem:
    """None: there was nothing to be had. Asks nothing more once ``stopping`` is set. Raises as the client does."""

    def ask(wait: int, wanted: str | None, stop: StopSignal) -> LeasedItem | None:
        options = CallOptions(stop=stop)
        try:
            if order is not None:
                return client.checkout_order_item(order=order, wait=wait, options=options)["item"]
            return client.checkout_item(type=wanted, min_priority=min_priority, wait=wait, options=options)["item"]
        except WorkManagerError as error:
            if is_work_error(error, "no_items_available", "lease_limit_reached", "paused", "order_not_open"):
                return None
            raise

    if len(types) <= 1:
        only = types[0] if types else None
        return lambda stop, _stopping: ask(wait_seconds, only, stop)

    turn = 0

    def in_turn(stop: StopSignal, stopping: StopSignal) -> LeasedItem | None:
        nonlocal turn
        turn += 1
        ordered = [types[(index + turn) % len(types)] for index in range(len(types))]
        for wanted in ordered:
            item = ask(0, wanted, stop)
            if item is not None or stopping.is_set:
                return item
        return ask(min(wait_seconds, _TURN_SECONDS), ordered[0], stop)

    return in_turn


def _is_final(error: WorkManagerError | WorkManagerConnectionError) -> bool:
    """Asking again cannot help: the key, the ability or the address is wrong."""
    if isinstance(error, WorkManagerConnectionError):
        return error.reason == "not_work_manager"
    return error.retry == "never"


def _in_range(name: str, value: float, least: float, most: float, *, whole: bool = False) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most or (whole and value != int(value)):
        raise ValueError(f"{name} must be a number from {least} to {most}, not {value!r}.")
