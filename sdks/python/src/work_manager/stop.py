"""Signals that stop things: set once, with a reason, and heard by whoever waits. Threads cannot be killed; they are told."""

from __future__ import annotations

import signal as process_signals
import threading
from collections.abc import Callable


class Stopped(Exception):
    """A call ended because its stop signal was set."""


class StopSignal:
    """Set once, with a reason. ``wait`` ends at once when it is set; listeners hear of it, in the thread that sets it."""

    def __init__(self, *sources: "StopSignal") -> None:
        """With sources it is set when the first of them is."""
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._reason: BaseException | None = None
        self._detach: list[Callable[[], None]] = []
        for source in sources:
            self._detach.append(source.listen(lambda source=source: self.set(source.reason)))  # type: ignore[misc]

    def set(self, reason: BaseException | None = None) -> None:
        with self._lock:
            if self._event.is_set():
                return
            self._reason = reason or Stopped("stopped")
            self._event.set()
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    @property
    def reason(self) -> BaseException:
        return self._reason or Stopped("stopped")

    def wait(self, seconds: float | None = None) -> bool:
        """Waits so long, or until it is set; True when it is."""
        return self._event.wait(None if seconds is None else max(0.0, seconds))

    def raise_if_set(self) -> None:
        if self.is_set:
            raise self.reason

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls back once it is set, at once when it is already. Returns what ends the listening."""
        with self._lock:
            if not self._event.is_set():
                self._listeners.append(listener)
                return lambda: self._forget(listener)
        listener()
        return lambda: None

    def _forget(self, listener: Callable[[], None]) -> None:
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def close(self) -> None:
        """Listens to its sources no more."""
        for detach in self._detach:
            detach()


def stop_signal(*numbers: int) -> StopSignal:
    """Set by the first SIGTERM or SIGINT, for ``run_agent(stop=stop_signal())``. A second one ends the process, as it would have without.

    Call it in the main thread: Python allows handlers nowhere else.
    """
    stopping = StopSignal()
    chosen = numbers or (process_signals.SIGTERM, process_signals.SIGINT)
    before = {number: process_signals.getsignal(number) for number in chosen}

    def stop(number: int, _frame: object) -> None:
        for each, handler in before.items():
            process_signals.signal(each, handler)
        # Not in the handler: whoever listens takes locks that the interrupted thread may hold.
        threading.Thread(target=stopping.set, args=(Stopped(f"stopped by {process_signals.Signals(number).name}"),), daemon=True).start()

    for number in chosen:
        process_signals.signal(number, stop)
    return stopping
