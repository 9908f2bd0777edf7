"""What the author of an agent writes: a handler, and what it may give back."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union

from ._generated import LeasedItem, SubmitPartOutput
from .errors import FieldError, WorkManagerError
from .stop import StopSignal

Payload = Union[Mapping[str, Any], Sequence[Any]]
Evidence = Union[Mapping[str, Any], Sequence[Any], None]


@dataclass(frozen=True)
class Result:
    """The whole result."""

    result: Payload
    evidence: Evidence = None
    notes: str | None = None


@dataclass(frozen=True)
class Finalize:
    """All parts were handed in: put them together. ``best_effort`` does without the required ones that are missing."""

    finalize: Literal["strict", "best_effort"] = "strict"
    notes: str | None = None


@dataclass(frozen=True)
class Part:
    """One part of a large result; ``seq`` is the position of a piece, where one part comes in several."""

    key: str
    payload: Payload
    seq: int | None = None
    evidence: Evidence = None
    notes: str | None = None


Outcome = Union[Result, Finalize, Mapping[str, Any], Iterable[Part], Generator[Part, None, Union[Finalize, None]], None]
"""What a handler gives back: a result (a ``Result``, or a dict with ``result``); parts from a generator, handed in one by one and put
together at the end (a refused part is raised at its ``yield``); or nothing, after it handed in parts with ``part``."""


class HandlerContext:
    """What a handler is given: the item, and how to hold it, hand in parts of it and say how far it is."""

    def __init__(
        self,
        item: LeasedItem,
        stop: StopSignal,
        heartbeat: Callable[[], str],
        part: Callable[..., SubmitPartOutput],
        log: Callable[[str, Any], None],
    ) -> None:
        self.item = item
        """As it was checked out. After a refused hand-in, ``item["last_error"]`` says why."""
        self.stop = stop
        """Set at once when the lease is lost, and when the agent must stop and its time is over. Look at it, or pass it on."""
        self._heartbeat = heartbeat
        self._part = part
        self._log = log

    def heartbeat(self) -> str:
        """Extends the lease now. Not needed: heartbeats are sent in the background. Returns the new end of the lease."""
        return self._heartbeat()

    def part(
        self, key: str, payload: Payload, *, seq: int | None = None, evidence: Evidence = None, notes: str | None = None
    ) -> SubmitPartOutput:
        """Hands in one part at once; raises ``verification_failed`` when the server refuses it."""
        return self._part(Part(key, payload, seq, evidence, notes))

    def log(self, message: str, data: Any = None) -> None:
        """Reports progress as a ``log`` event."""
        self._log(message, data)


@dataclass(frozen=True)
class Refused:
    """The server did not accept what was handed in; the lease is still held."""

    findings: Sequence[FieldError]
    refusal: WorkManagerError
    refused: Outcome
    """What was refused; None where a part was."""
    correction: int
    """From 1."""


Handler = Callable[[HandlerContext], Outcome]
RefusedHandler = Callable[[HandlerContext, Refused], Outcome]
"""Corrects what was refused. None means that it cannot."""
