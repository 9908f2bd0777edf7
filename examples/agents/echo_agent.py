"""The smallest agent in Python. It works on the order type in examples/order-types/echo.ts:
WORK_MANAGER_KEY=wm_a_… PYTHONPATH=sdks/python/src python3 examples/agents/echo_agent.py
"""

import os

from work_manager import AgentEvent, HandlerContext, Result, run_agent, stop_signal


def handler(context: HandlerContext) -> Result:
    return Result({"echoed": context.item["input"]["message"]})


def on_event(event: AgentEvent) -> None:
    if event.kind == "submitted" and event.item is not None:
        print(f"handed in {event.item['id']}", flush=True)


done = run_agent(
    handler,
    url=os.environ.get("WORK_MANAGER_URL", "http://127.0.0.1:7420"),
    key=os.environ.get("WORK_MANAGER_KEY", ""),
    types=["example.echo"],
    concurrency=4,
    on_event=on_event,
    stop=stop_signal(),
)
print(f"stopped after {done.submitted} items")
