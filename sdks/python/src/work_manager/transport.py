"""One attempt of one call: a request out, an answer or an error back. Knows nothing of repeats."""

from __future__ import annotations

import errno
import http.client
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from ._generated import BASE_PATH, Route
from .errors import ForeignAnswer, WorkManagerConnectionError, WorkManagerError
from .stop import StopSignal

Output = TypeVar("Output")

# The server keeps a connection open for longer; what waits unused is not trusted that long.
_IDLE_SECONDS = 4.0
_MOST_IDLE = 16


@dataclass(frozen=True)
class Answer(Generic[Output]):
    """An answer with what stands around it, for those who need more than the output."""

    output: Output
    status: int
    """202 from ``approve_order``, say, when the changes are still being applied."""
    is_replayed: bool
    """True when the same idempotency key was answered before: nothing was done again."""
    request_id: str | None
    """Name it to whoever runs the server: its log knows it."""


@dataclass(frozen=True)
class Request:
    route: Route
    input: Mapping[str, Any]
    idempotency_key: str | None
    traceparent: str | None
    correlation_id: str | None
    session_key: str | None
    stop: StopSignal | None
    timeout_ms: float


class Transport:
    """The connections to one server. Safe to use from any number of threads."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url) if isinstance(url, str) else None
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url must be an http(s) address such as http://127.0.0.1:7420, not {url!r}.")
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port
        self._path = parts.path.rstrip("/") or BASE_PATH
        self.base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{self._path}"
        self._headers = dict(headers)
        self._tls = ssl.create_default_context() if self._secure else None
        self._lock = threading.Lock()
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []

    def close(self) -> None:
        """Closes the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def send(self, request: Request) -> Answer[Any]:
        """Raises WorkManagerError, WorkManagerConnectionError, the reason of the stop signal, or TypeError for input that cannot be sent."""
        route = request.route
        about: dict[str, Any] = {"operation": route.operation, "idempotency_key": request.idempotency_key}
        path, rest = _fill_path(route, request.input)
        is_read = route.method == "GET"
        target = f"{self._path}{path}{_query_of(rest) if is_read else ''}"
        # Made before anything is sent: a value that is no JSON is the caller's mistake, not a broken connection.
        body = None if is_read else json.dumps(rest, ensure_ascii=False, allow_nan=False).encode("utf-8")
        headers = dict(self._headers)
        for name, value in (
            ("content-type", None if body is None else "application/json"),
            ("idempotency-key", request.idempotency_key),
            ("traceparent", request.traceparent),
            ("x-correlation-id", request.correlation_id),
            ("x-session-key", request.session_key),
        ):
            if value is not None:
                headers[name] = value
        if request.stop is not None:
            request.stop.raise_if_set()
        # A connection that the server closed meanwhile looks like a lost answer: only what may be sent twice goes over a used one.
        connection = self._take() if route.is_repeatable else self._open(request.timeout_ms)
        late = threading.Event()

        def cut() -> None:
            sock = connection.sock
            try:
                if sock is not None:
                    sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

        def expire() -> None:
            late.set()
            cut()

        timer = threading.Timer(request.timeout_ms / 1000, expire)
        timer.daemon = True
        timer.start()
        detach = request.stop.listen(cut) if request.stop is not None else lambda: None
        try:
            connection.timeout = request.timeout_ms / 1000
            connection.request(route.method, target, body=body, headers=headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as cause:
            connection.close()
            if request.stop is not None and request.stop.is_set:
                raise request.stop.reason from cause
            if late.is_set() or isinstance(cause, TimeoutError):
                raise WorkManagerConnectionError(
                    "timeout", f"{self.base} did not answer {route.operation} within {request.timeout_ms:.0f} ms.", **about
                ) from cause
            because = _reason_of(cause)
            raise WorkManagerConnectionError(
                "unreachable", f"No answer from {self.base} to {route.operation} ({because}).", because=because, **about
            ) from cause
        finally:
            timer.cancel()
            detach()
        if response.will_close or late.is_set():
            connection.close()
        else:
            self._give_back(connection)
        return _read_answer(response, text, self.base, about)

    def _open(self, timeout_ms: float = 30_000) -> http.client.HTTPConnection:
        seconds = timeout_ms / 1000
        if self._tls is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=seconds, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=seconds)

    def _take(self) -> http.client.HTTPConnection:
        now = time.monotonic()
        with self._lock:
            while self._idle:
                since, connection = self._idle.pop()
                if now - since < _IDLE_SECONDS:
                    return connection
                connection.close()
        return self._open()

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append((time.monotonic(), connection))
                return
        connection.close()


def _read_answer(response: http.client.HTTPResponse, raw: bytes, base: str, about: dict[str, Any]) -> Answer[Any]:
    status = response.status
    kind = response.getheader("content-type") or ""
    answer = _parsed(raw) if re.match(r"application/(?:problem\+)?json\b", kind) else None
    request_id = response.getheader("x-request-id")
    ok = 200 <= status <= 299
    if ok and isinstance(answer, (dict, list)):
        return Answer(answer, status, response.getheader("idempotent-replayed") == "true", request_id)
    if not ok and isinstance(answer, dict) and isinstance(answer.get("code"), str):
        raise WorkManagerError(
            status=status,
            problem=answer,
            request_id=request_id,
            retry_after_ms=_retry_after_ms(response.getheader("retry-after")),
            **about,
        )
    location = response.getheader("location")
    by = response.getheader("server") or response.getheader("x-powered-by") or kind or "no content type"
    foreign = ForeignAnswer(status, location, by)
    if status == 429 or 502 <= status <= 504:
        raise WorkManagerConnectionError(
            "unavailable",
            f"Something before the server at {base} answered {about['operation']} with status {status}.",
            answer=foreign,
            **about,
        )
    redirects = "" if location is None else f", redirects to {location}"
    raise WorkManagerConnectionError(
        "not_work_manager",
        f"What answers at {base} is not Work Manager (status {status}{redirects}). Check the url.",
        answer=foreign,
        **about,
    )


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _retry_after_ms(value: str | None) -> float | None:
    """Seconds or an HTTP date."""
    if value is None:
        return None
    if re.fullmatch(r"\d+", value):
        return int(value) * 1000.0
    try:
        return max(0.0, (parsedate_to_datetime(value).timestamp() - time.time()) * 1000)
    except (TypeError, ValueError):
        return None


def _fill_path(route: Route, given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """``/items/{item}/submit`` and the input → the path, and the members that did not go into it."""
    rest = {name: value for name, value in given.items() if value is not None}

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        value = rest.pop(name, None)
        # Dots alone would name another path: who reads the address resolves them even when they are escaped.
        if not isinstance(value, str) or re.fullmatch(r"\.{0,2}", value):
            raise TypeError(f"{route.operation}: {name} must be a string that is not empty, not {value!r}.")
        return quote(value, safe="")

    return re.sub(r"\{(\w+)\}", fill, route.path), rest


def _query_of(given: Mapping[str, Any]) -> str:
    """``{"filter": {"state": "queued"}, "limit": 5}`` → ``?filter[state]=queued&limit=5``; lists are joined with commas."""
    query: list[tuple[str, str]] = []

    def put(name: str, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, Mapping):
            for member, inner in value.items():
                put(f"{name}[{member}]", inner)
        elif isinstance(value, (list, tuple)):
            query.append((name, ",".join(str(one) for one in value)))
        elif isinstance(value, bool):
            query.append((name, "true" if value else "false"))
        else:
            query.append((name, str(value)))

    for name, value in given.items():
        put(name, value)
    return f"?{urlencode(query)}" if query else ""


def _reason_of(error: BaseException) -> str:
    """In the words of the system where it has some: ECONNREFUSED says more than a class of Python."""
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        return errno.errorcode[error.errno]
    return str(error) or type(error).__name__
