"""Comparable parts of responses."""

from collections import Counter
from collections.abc import Iterable

import httpx2


def outcome(response: httpx2.Response) -> tuple[int, str | None]:
    """Return the status and the error code; None if the response is a success."""
    return response.status_code, response.json().get("error")


def outcomes(responses: Iterable[httpx2.Response]) -> Counter[tuple[int, str | None]]:
    """Return how often each status and error code was answered."""
    return Counter(map(outcome, responses))


def visible(response: httpx2.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return everything that a caller can see, except the identifier of the request."""
    headers = sorted(it for it in response.headers.multi_items() if it[0] != "x-request-id")
    return response.status_code, headers, response.content
