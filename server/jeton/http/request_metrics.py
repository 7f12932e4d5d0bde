"""Measurement of requests: how many, and how long they take."""

from typing import Final

from starlette.types import Scope

from jeton.observability.metrics import request_duration

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})


def observe_request(scope: Scope, status: int | None, seconds: float, *, is_direct: bool) -> None:
    """Count a request by the template of its path, because a caller may write a token into the path.

    A path that leads nowhere is `none`; one that the router does not see (`is_direct`) is its own template. `status` is
    None if the client has gone before its response.
    """
    route = scope["path"] if is_direct else getattr(scope.get("route"), "path_format", "none")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    request_duration(route, method, str(status or "none")).observe(seconds)
