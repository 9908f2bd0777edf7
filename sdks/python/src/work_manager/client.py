"""The typed client: one method per operation. Standard library only; safe to use from any number of threads."""

from __future__ import annotations

import platform
import random
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ._generated import ROUTES, OperationMethods, Route
from .errors import WorkManagerConnectionError, WorkManagerError
from .retry import RetryPolicy, retry_bounds, wait_before_repeat
from .stop import StopSignal
from .transport import Answer, Request, Transport


@dataclass(frozen=True)
class AgentIdentity:
    """Who is calling, for the record. An agent's own key already says its id; the rest is believed as claimed."""

    id: str | None = None
    name: str | None = None
    version: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class CallOptions:
    """What a caller may say about one call."""

    idempotency_key: str | None = None
    """A key of your own, for a call that you want to be able to repeat yourself. Without one each call gets a new UUID, kept for its repeats."""
    stop: StopSignal | None = None
    """Ends the call, its repeats and the waits between them; the call raises the signal's reason."""
    timeout_ms: float | None = None
    """How long one attempt may take before it counts as lost (default 30 s, and the ``wait`` of a checkout)."""
    retry: RetryPolicy | None = None
    """Replaces the client's policy, member by member."""
    traceparent: str | None = None
    """W3C trace context that the call belongs to. Without one, a call on a leased item belongs to the trace of its order."""
    correlation_id: str | None = None
    """Your name for the story that the call belongs to (X-Correlation-ID)."""
    session_key: str | None = None
    """Your session (X-Session-Key): kept with what the call begins."""


class WorkManager(OperationMethods):
    """A client of one server with one key.

    Every call raises WorkManagerError when the server refuses, and WorkManagerConnectionError when there is no answer; both after the
    repeats that make sense. Raises ValueError for options that cannot work.
    """

    def __init__(self, *, url: str, key: str, agent: AgentIdentity | None = None, retry: RetryPolicy | None = None) -> None:
        self._transport = Transport(url, _headers_of(key, agent or AgentIdentity()))
        self._retry = retry

    def call(self, operation: str, input: Mapping[str, Any] | None = None, options: CallOptions | None = None) -> Answer[Any]:
        """Calls an operation by the name that the server knows it by, and gives the answer with its status."""
        route = ROUTES.get(operation)
        if route is None:
            raise ValueError(f"There is no operation {operation!r}; docs/operations.md lists them.")
        return self._send(route, input or {}, options or CallOptions())

    def close(self) -> None:
        """Closes idle connections. A client that is not closed closes them when it is collected."""
        self._transport.close()

    def __enter__(self) -> "WorkManager":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, route: Route, given: Mapping[str, Any], options: CallOptions) -> Answer[Any]:
        bounds = retry_bounds(self._retry, options.retry)
        wait = given.get("wait")
        wait_seconds = wait if isinstance(wait, (int, float)) and not isinstance(wait, bool) else 0
        request = Request(
            route=route,
            input=given,
            idempotency_key=(options.idempotency_key or str(uuid.uuid4())) if route.takes_key else None,
            traceparent=options.traceparent,
            correlation_id=options.correlation_id,
            session_key=options.session_key,
            stop=options.stop,
            timeout_ms=options.timeout_ms if options.timeout_ms is not None else 30_000 + wait_seconds * 1000,
        )
        started = time.monotonic()
        attempt = 1
        while True:
            try:
                return self._transport.send(request)
            except (WorkManagerError, WorkManagerConnectionError) as error:
                wait_ms = wait_before_repeat(
                    error,
                    attempt=attempt,
                    elapsed_ms=(time.monotonic() - started) * 1000,
                    is_repeatable=route.is_repeatable,
                    bounds=bounds,
                    random=random.random(),
                )
                if wait_ms is None:
                    raise
            attempt += 1
            if options.stop is None:
                time.sleep(wait_ms / 1000)
            else:
                options.stop.wait(wait_ms / 1000)
                options.stop.raise_if_set()


def _headers_of(key: str, agent: AgentIdentity) -> dict[str, str]:
    if not isinstance(key, str) or not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ValueError("key must be a key of the server (wm_…), without spaces; make one with `npx work-manager keys create`.")
    claims = {
        "x-agent-id": agent.id,
        "x-agent-name": agent.name,
        "x-agent-version": agent.version,
        "x-model-name": agent.model,
        "x-runtime": f"Python/{platform.python_version()}",
    }
    headers = {"authorization": f"Bearer {key}", "accept": "application/json"}
    for name, value in claims.items():
        if value is None:
            continue
        if not re.fullmatch(r"[\x20-\x7e]{1,255}", value):
            raise ValueError(f"agent: {name} must be 1–255 printable ASCII characters, not {value!r}.")
        headers[name] = value
    return headers
