"""Logged-in users with unique names, because several tests may share one server."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from jeton.oauth.users import User
from support.in_process_server import App, Running

_numbers = count(1)


def unique_name(name: str = "name") -> str:
    """Return the name with a unique number appended."""
    return f"{name}-{next(_numbers)}"


@dataclass(frozen=True, slots=True)
class Session:
    """A user who logged in through a client, and the members of the token response."""

    app: App
    user: User
    tokens: Mapping[str, Any]

    @property
    def access(self) -> str:
        return str(self.tokens["access_token"])

    @property
    def refresh(self) -> str:
        return str(self.tokens["refresh_token"])

    @property
    def bearer(self) -> dict[str, str]:
        """The header field `Authorization` with the access token."""
        return {"Authorization": f"Bearer {self.access}"}


async def new_session(
    jeton: Running, app: App | None = None, user: User | None = None, requested_scope: str = "", **client: Any
) -> Session:
    """Log in through `app`, or a new client with these fields, as `user` or a new one."""
    app = app or jeton.add_client(unique_name("client"), **client)
    user = user or jeton.add_user(unique_name("user"))
    return Session(app, user, await jeton.log_in(app, user.username, scope=requested_scope))


async def are_live(jeton: Running, *sessions: Session) -> list[bool]:
    """Return whether the tokens of each session are active. Both tokens of a session must agree."""
    live = []
    for it in sessions:
        active = {(await jeton.introspect(it.app, token))["active"] for token in (it.access, it.refresh)}
        assert len(active) == 1
        live.append(active.pop())
    return live
