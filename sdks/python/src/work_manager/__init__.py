"""work_manager: the typed client and the agent loop for Work Manager. Standard library only, Python 3.10 and later."""

from ._generated import LeasedItem
from .agent import run_agent
from .client import AgentIdentity, CallOptions, WorkManager
from .errors import (
    FieldError,
    ForeignAnswer,
    WorkManagerConnectionError,
    WorkManagerError,
    is_lease_lost,
    is_work_error,
)
from .events import AgentEvent, AgentTotals
from .failures import PermanentError, PolicyError, TransientError
from .handler import Finalize, Handler, HandlerContext, Outcome, Part, Refused, RefusedHandler, Result
from .lease_keeper import LeaseLostError
from .retry import NEVER, RetryPolicy
from .stop import Stopped, StopSignal, stop_signal
from .transport import Answer

__all__ = [
    "AgentEvent",
    "AgentIdentity",
    "AgentTotals",
    "Answer",
    "CallOptions",
    "FieldError",
    "Finalize",
    "ForeignAnswer",
    "Handler",
    "HandlerContext",
    "LeaseLostError",
    "LeasedItem",
    "NEVER",
    "Outcome",
    "Part",
    "PermanentError",
    "PolicyError",
    "Refused",
    "RefusedHandler",
    "Result",
    "RetryPolicy",
    "StopSignal",
    "Stopped",
    "TransientError",
    "WorkManager",
    "WorkManagerConnectionError",
    "WorkManagerError",
    "is_lease_lost",
    "is_work_error",
    "run_agent",
    "stop_signal",
]
