"""Handing in what a handler gave back: a result in one piece, or parts and then the order to put them together."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from ._generated import LeasedItem, SubmitPartOutput
from .client import CallOptions, WorkManager
from .errors import WorkManagerError, is_work_error
from .events import AgentEvent, Emit
from .handler import Finalize, Outcome, Part, Result
from .lease_keeper import LeaseKeeper
from .retry import RetryPolicy
from .stop import StopSignal

# The work is done: it is offered until the server answers, or says that the lease is lost.
_PATIENT = RetryPolicy(attempts=1_000, total_ms=600_000)


class HandInDesk:
    def __init__(self, item: LeasedItem, client: WorkManager, lease: LeaseKeeper, emit: Emit, stop: StopSignal) -> None:
        self._item = item
        self._client = client
        self._lease = lease
        self._emit = emit
        self._stop = stop
        self._parts = 0

    def part(self, part: Part) -> SubmitPartOutput:
        # Nothing is handed in under a lease that is known to be lost.
        self._stop.raise_if_set()
        receipt = self._client.submit_part(
            item=self._item["id"],
            lease_token=self._item["lease_token"],
            part_key=part.key,
            payload=part.payload,
            seq=part.seq,
            evidence=part.evidence,
            notes=part.notes,
            options=CallOptions(stop=self._stop, traceparent=self._item["traceparent"]),
        )
        self._parts += 1
        self._emit(AgentEvent("part_submitted", item=self._item, key=part.key, revision=receipt["part"]["revision"]))
        return receipt

    def hand_in(self, outcome: Outcome) -> str:
        """Returns the state of the order."""
        final = self._final_outcome(outcome)
        self._stop.raise_if_set()
        held = {"item": self._item["id"], "lease_token": self._item["lease_token"]}
        options = CallOptions(stop=self._stop, traceparent=self._item["traceparent"], retry=_PATIENT)
        self._lease.handing_in(True)
        try:
            if isinstance(final, Finalize):
                return self._client.finalize_item(**held, mode=final.finalize, notes=final.notes, options=options)["order_state"]
            return self._client.submit_item(**held, result=final.result, evidence=final.evidence, notes=final.notes, options=options)[
                "order_state"
            ]
        except BaseException:
            self._lease.handing_in(False)
            raise

    def _final_outcome(self, outcome: Outcome) -> Result | Finalize:
        if inspect.isawaitable(outcome):
            if inspect.iscoroutine(outcome):
                outcome.close()
            raise TypeError("The handler is a coroutine function; write a plain function, with asyncio.run(…) inside where you need it.")
        given = outcome
        is_parts = isinstance(given, Iterable) and not isinstance(given, (Mapping, str, bytes))
        if is_parts:
            given = self._hand_in_parts(given)  # type: ignore[arg-type]
        if isinstance(given, (Result, Finalize)):
            return given
        if isinstance(given, Mapping):
            return _from_mapping(given)
        if given is not None:
            raise TypeError(f"The handler gave back {type(given).__name__}: return Result(…) or a dict with 'result', yield parts, or raise.")
        if self._parts == 0 and not is_parts:
            raise TypeError("The handler gave nothing back and handed in no part: return Result(…), yield parts, or raise.")
        return Finalize()

    def _hand_in_parts(self, source: Iterable[Any]) -> Any:
        """Hands in each part as it comes. A refused part is raised in a generator, which may yield a corrected one."""
        iterator = iter(source)
        step = next
        raised: WorkManagerError | None = None
        try:
            while True:
                try:
                    given = step(iterator) if raised is None else iterator.throw(raised)  # type: ignore[attr-defined]
                except StopIteration as end:
                    return end.value
                raised = None
                part = given if isinstance(given, Part) else Part(**given)
                try:
                    self.part(part)
                except WorkManagerError as error:
                    if not is_work_error(error, "verification_failed") or not hasattr(iterator, "throw"):
                        raise
                    raised = error
        finally:
            # Lets the generator clean up when something else stopped it.
            if hasattr(iterator, "close"):
                iterator.close()


def _from_mapping(given: Mapping[str, Any]) -> Result | Finalize:
    if "finalize" in given:
        return Finalize(given["finalize"], given.get("notes"))
    if "result" in given:
        return Result(given["result"], given.get("evidence"), given.get("notes"))
    raise TypeError(f"The handler gave back a dict with {', '.join(map(repr, given)) or 'nothing'}: it needs 'result' (or 'finalize').")
