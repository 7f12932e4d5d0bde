"""Measurement of requests: how many, and how long they take."""

from typing import Final

from starlette.types import Scope

from jeton.observability.metrics import request_duration

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})


def observe_request(scope: Scope, status: int | None, seconds: float, *, is_direct: bool) -> None:
    """Count a request. A path that leads nowhere is `none`. `status` is None if the client has gone."""
    route = path_template(scope, is_direct=is_direct) or "none"
    method = scope["method"] if scope["method"] in METHODS else "other"
    request_duration(route, method, str(status or "none")).observe(seconds)


def path_template(scope: Scope, *, is_direct: bool) -> str | None:
    """Return the template of the path, because a caller may write a token into the path. None if it leads nowhere.

    A path that the router does not see (`is_direct`) is its own template.
    """
    return scope["path"] if is_direct else getattr(scope.get("route"), "path_format", None)
