"""What a flow does, step by step, without doing it: a plan yields steps, and a driver takes them (see `drivers`).

So one plan serves threads and tasks alike.
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
    """Follow this plan, unless somebody follows one of the same name: then get what they get.

    Where the step is `aside`, nobody waits for somebody else: None comes back.
    """

    name: str
    plan: Callable[[], Generator[Any, Any, Any]]
    aside: bool = False


# A `Request` is a step as well: it is sent, and an `Answer` comes back, or None where none came.
Step = Request | Wait | Do | Shared
Plan = Generator[Step, Any, T]
