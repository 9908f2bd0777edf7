"""Why an item could not be done, in the words that the server plans its next attempt with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from .errors import WorkManagerConnectionError, WorkManagerError

FailureClass = Literal["transient", "agent", "permanent", "policy"]


class ClassifiedError(Exception):
    """What a handler raises to say of what kind a failure is."""

    failure_class: ClassVar[FailureClass] = "agent"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retry_after_seconds: float | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        """Short stable word for the kind of failure; kept on the record."""
        self.retry_after_seconds = retry_after_seconds
        """Not before so many seconds does another attempt make sense."""
        self.data = data
        """Whatever helps whoever looks at it; kept on the record."""


class TransientError(ClassifiedError):
    """The world was in the way (a timeout, a quota): the item is tried again later."""

    failure_class = "transient"


class PermanentError(ClassifiedError):
    """Nobody can do this item: it is set aside at once."""

    failure_class = "permanent"


class PolicyError(ClassifiedError):
    """This item must not be done: it is set aside at once."""

    failure_class = "policy"


@dataclass(frozen=True)
class Failure:
    failure_class: FailureClass
    error: dict[str, Any]
    retry_after_seconds: float | None = None


def classify(raised: BaseException) -> Failure:
    """Class of whatever was raised: as it says itself; transient when the server could not be reached; otherwise this agent could not."""

    def described(code: str | None, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return {
            **(data or {}),
            "code": _storable(code or type(raised).__name__, 120, "error"),
            "message": _storable(str(raised), 2000, "The agent gave no message."),
        }

    if isinstance(raised, ClassifiedError):
        return Failure(raised.failure_class, described(raised.code, raised.data), raised.retry_after_seconds)
    if isinstance(raised, WorkManagerConnectionError):
        return Failure("transient", described(raised.reason))
    if isinstance(raised, WorkManagerError):
        details = {"details": list(raised.errors)} if raised.errors else {}
        return Failure("transient" if raised.retry == "later" else "agent", described(raised.code, details))
    return Failure("agent", described(None))


def _storable(text: str, most: int, otherwise: str) -> str:
    """Text that the server accepts: no U+0000, no halves of characters, not too long, not empty."""
    clean = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")[:most]
    return clean if clean != "" else otherwise
