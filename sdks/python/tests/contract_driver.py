"""Does what a scenario of sdks/contract says, with the SDK for Python. See sdks/contract/README.md."""

from __future__ import annotations

import json
import sys
import threading
import uuid
from collections.abc import Generator
from typing import Any

from work_manager import (
    AgentEvent,
    CallOptions,
    Finalize,
    HandlerContext,
    Outcome,
    Part,
    PermanentError,
    PolicyError,
    Refused,
    Result,
    StopSignal,
    TransientError,
    WorkManager,
    WorkManagerConnectionError,
    WorkManagerError,
    run_agent,
)

config: dict[str, Any] = json.loads(sys.argv[1])
scenario: dict[str, Any] = config["scenario"]
order: str | None = config.get("order")
stopping = StopSignal()
beaten = threading.Event()
barrier: threading.Barrier | None = None
lock = threading.Lock()
runs = 0


def tell(line: dict[str, Any]) -> None:
    with lock:
        print(json.dumps(line), flush=True)


def described(error: BaseException) -> dict[str, Any]:
    if isinstance(error, WorkManagerError):
        return {
            "kind": "refusal",
            "code": error.code,
            "status": error.status,
            "operation": error.operation,
            "retry": error.retry,
            "errors": [one.get("field") for one in error.errors],
            "detail": error.detail,
            "fix": error.fix,
            "request_id": error.request_id,
        }
    if isinstance(error, WorkManagerConnectionError):
        return {"kind": "connection", "reason": error.reason, "operation": error.operation}
    return {"kind": "options" if isinstance(error, (TypeError, ValueError)) else "unexpected", "message": repr(error)}


def parts_of(step: dict[str, Any]) -> Generator[Part, None, Finalize]:
    for part in step["parts"]:
        try:
            yield Part(**part)
        except WorkManagerError:
            if "instead" not in step:
                raise
            yield Part(**step["instead"])
    return Finalize(step.get("finalize", "strict"), step.get("notes"))


def follow(steps: list[dict[str, Any]], context: HandlerContext) -> Outcome:
    global barrier
    item = context.item
    for step in steps:
        does = step["do"]
        if does == "echo":
            return Result({"echoed": item["input"]["message"], "ok": True}, step.get("evidence"), step.get("notes"))
        if does == "result":
            return {"result": step["result"]}
        if does == "nothing":
            return None
        if does == "finalize":
            return Finalize(step["mode"])
        if does == "yield_parts":
            return parts_of(step)
        if does == "part":
            context.part(step["key"], step["payload"])
        elif does == "raise":
            raise raised(step)
        elif does == "log":
            context.log(step["message"])
        elif does == "log_last_error":
            error: Any = item["last_error"]
            context.log(f"{error['code']} {error['details'][0]['code']}")
        elif does == "wait_for_line":
            sys.stdin.readline()
        elif does == "wait_for_stop":
            context.stop.wait()
        elif does == "wait_for_heartbeat":
            beaten.wait()
        elif does == "together":
            with lock:
                barrier = barrier or threading.Barrier(step["of"])
            barrier.wait()
    return None


def raised(step: dict[str, Any]) -> Exception:
    message = step["message"] * step.get("times", 1)
    details = {name: step[name] for name in ("code", "retry_after_seconds", "data") if name in step}
    kinds = {"transient": TransientError, "permanent": PermanentError, "policy": PolicyError}
    return kinds[step["class"]](message, **details) if step["class"] in kinds else RuntimeError(message)


def on_event(event: AgentEvent) -> None:
    told: dict[str, Any] = {"kind": event.kind}
    for name in ("lease_expires_at", "key", "revision", "order_state", "code", "will_retry", "reason", "message", "data", "holding"):
        if getattr(event, name) is not None:
            told[name] = getattr(event, name)
    if event.failure_class is not None:
        told["class"] = event.failure_class
    if event.findings:
        told["findings"] = list(event.findings)
    if event.item is not None:
        told["item"] = event.item["id"]
    if event.error is not None:
        told["error"] = described(event.error)
    tell({"event": told})
    if event.kind == "heartbeat":
        beaten.set()
    if event.kind == scenario.get("stop_on"):
        stopping.set()


def handler(context: HandlerContext) -> Outcome:
    global runs
    with lock:
        run = runs
        runs += 1
    return follow(scenario["handler"][min(run, len(scenario["handler"]) - 1)], context)


def agent() -> None:
    options = dict(scenario["agent"])
    if options.pop("order", False):
        options["order"] = order
    if "on_refused" in scenario:

        def on_refused(context: HandlerContext, _refused: Refused) -> Outcome:
            return follow(scenario["on_refused"], context)

        options["on_refused"] = on_refused
    totals = run_agent(handler, url=config["url"], key=config["key"], on_event=on_event, stop=stopping, **options)
    tell({"totals": vars(totals)})


def calls() -> None:
    unique = str(uuid.uuid4())
    with WorkManager(url=config["url"], key=config["key"]) as client:
        for call in scenario["calls"]:
            given = json.loads(json.dumps(call["input"]).replace("$order", order or ""))
            key = call.get("idempotency_key")
            options = CallOptions(idempotency_key=None if key is None else key.replace("$unique", unique))
            try:
                answer = client.call(call["operation"], given, options)
                tell({"answer": {"output": answer.output, "status": answer.status, "is_replayed": answer.is_replayed}})
            except Exception as error:
                tell({"answer": {"error": described(error)}})


try:
    calls() if "calls" in scenario else agent()
except Exception as error:
    tell({"error": described(error)})
