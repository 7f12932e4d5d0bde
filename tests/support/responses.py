"""What a response says, to compare."""

import httpx2


def outcome(response: httpx2.Response) -> tuple[int, str | None]:
    """Return the status and the error code; None if the response is a success."""
    return response.status_code, response.json().get("error")


def visible(response: httpx2.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return everything that a caller can see."""
    return response.status_code, sorted(response.headers.multi_items()), response.content
