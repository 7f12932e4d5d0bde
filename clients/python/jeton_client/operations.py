"""What a flow does, step by step, without doing it: an operation yields steps, and an executor takes them.

So one operation serves threads and tasks alike (see `executors`).
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from jeton_client.messages import Request

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wait:
    """Let so many seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Do:
    """Call this function, which may wait for a disk; what it returns comes back."""

    call: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Shared:
    """Follow this operation, unless somebody follows one of the same name: then get what they get.

    Where the step is `background`, nobody waits for somebody else: None comes back.
    """

    name: str
    operation: Callable[[], Generator[Any, Any, Any]]
    background: bool = False


# A `Request` is a step as well: it is sent, and an `Answer` comes back, or None where none came.
Step = Request | Wait | Do | Shared
Operation = Generator[Step, Any, T]
