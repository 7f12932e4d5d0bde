"""Attempts to get a usable response: how many, and the pauses between them."""

import random
from collections.abc import Callable
from typing import Final

from jeton_client.errors import RefusedError, ServerUnavailableError
from jeton_client.messages import Answer, Request
from jeton_client.operations import Operation, T, Wait
from jeton_client.token_answers import TryAgain

MAX_ATTEMPTS: Final = 6
EARLY_ATTEMPTS: Final = 3  # while the access token is still valid
MAX_WAIT_SECONDS: Final = 5.0  # how long callers wait because the server asks for it
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 30.0
_random: Final = random.SystemRandom()


def pause(attempt: int, max_attempts: int, after: float | None, jitter: float) -> float:
    """Return the seconds before the next attempt: doubled each time, half of it random, at least `after`.

    Raise ServerUnavailableError if this was the last one, or if the server asks for more time than callers wait.
    """
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * float(2 ** (attempt - 1)))
    seconds = max(after or 0.0, longest * (1 + jitter) / 2)
    if attempt >= max_attempts or (after or 0.0) > MAX_WAIT_SECONDS:
        raise ServerUnavailableError(f"attempt {attempt} had no usable response", max(seconds, 1.0))
    return seconds


def wait(attempt: int, max_attempts: int, after: float | None = None) -> Operation[None]:
    """Wait before the next attempt. Raise ServerUnavailableError if there is none; see `pause`."""
    yield Wait(pause(attempt, max_attempts, after, _random.random()))


def send(
    request: Request, judge: Callable[[Answer | None], T | TryAgain | RefusedError], max_attempts: int
) -> Operation[T]:
    """Send the request until its response is usable. Raise RefusedError, or ServerUnavailableError."""
    attempt = 1
    while True:
        judged = judge((yield request))
        if isinstance(judged, RefusedError):
            raise judged
        if not isinstance(judged, TryAgain):
            return judged
        yield from wait(attempt, max_attempts, judged.after)
        attempt += 1
