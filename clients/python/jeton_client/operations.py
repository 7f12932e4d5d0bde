"""Operations: flows without I/O, which yield steps for an executor to run.

The same operation serves threads and tasks (see `executors`).
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from jeton_client.messages import Request

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for this number of seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Do:
    """Call this function, which may block on a disk; the step returns its result."""

    call: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Shared:
    """Run this operation, unless one of the same name is running: then share its result.

    With `background`, do not wait for the running one: the step returns None.
    """

    name: str
    operation: Callable[[], Generator[Any, Any, Any]]
    background: bool = False


# A `Request` is a step as well: it is sent, and the step returns an `Answer`, or None if there was none.
Step = Request | Wait | Do | Shared
Operation = Generator[Step, Any, T]
