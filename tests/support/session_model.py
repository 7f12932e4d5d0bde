"""One session, by the rules alone or by a server. Both accept the same operations."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

from jeton.crypto.refresh_token import parse_refresh_token
from jeton.frozen import replace
from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.refresh_rotation import RefreshRequest, decide
from jeton.oauth.revocation_rules import revoke_family
from jeton.oauth.scope import Scope, format_scope
from jeton.oauth.sessions import Family
from jeton.storage.families import load_families
from support.builders import client, family, user
from support.in_process_server import START, App, Running, running, settings_for

IDLE: Final = 600
ABSOLUTE: Final = 3000
GRANTED: Final = frozenset({"read", "write"})


@dataclass(frozen=True)
class Answer:
    """The response to a client: tokens (the whole body, and the refresh token in it), or an error code."""

    body: bytes = b""
    refresh_token: str | None = None
    error: str | None = None


class RulesSession:
    """A session by the rules alone, without a server. A token is its generation."""

    def __init__(self, retry_grace_seconds: int) -> None:
        self._now = START
        self._lifetimes = Lifetimes(60, IDLE, ABSOLUTE, retry_grace_seconds)
        self._client, self._user = client(scope=GRANTED), user()
        self._family = family(
            now=START, audience=(), idle_expires_at=START + IDLE, absolute_expires_at=START + ABSOLUTE
        )
        self.first_token = "0"

    def present(self, token: str, key: str | None, scope: Scope | None, *, by_other_client: bool = False) -> Answer:
        decision = decide(
            self._family,
            self._user,
            self._presenting_client(by_other_client),
            RefreshRequest(int(token), scope, None if key is None else key.encode()),
            genuine=True,
            lifetimes=self._lifetimes,
            now=self._now,
        )
        self._family = decision.family or self._family
        if isinstance(decision, Deny):
            return Answer(error=decision.code.value)
        assert decision.family is not None
        return Answer(_token_content(decision), str(decision.family.generation))

    def revoke(self, token: str, *, by_other_client: bool = False) -> None:
        decision = revoke_family(self._family, self._presenting_client(by_other_client), genuine=True, now=self._now)
        self._family = decision.family or self._family

    def _presenting_client(self, by_other_client: bool) -> Client:
        return replace(self._client, client_id="other") if by_other_client else self._client

    def set_user_enabled(self, enabled: bool) -> None:
        self._user = replace(self._user, disabled=not enabled)

    def set_client_scope(self, scope: Scope) -> None:
        self._client = replace(self._client, scope=scope)

    def advance(self, seconds: int) -> None:
        self._now += seconds

    def stored(self) -> Family:
        return self._family

    def is_active(self, token: str) -> bool | None:
        return None

    def close(self) -> None:
        """Do nothing: there are no resources."""


def _token_content(issue: Issue) -> bytes:
    """Return everything in the tokens that may differ between two responses."""
    assert issue.family is not None
    return repr((issue.family.generation, format_scope(issue.scope), issue.issued_at, issue.family.rotated_at)).encode()


class ServerSession:
    """A session at a server with a database, with requests over ASGI."""

    def __init__(self, database_url: str, retry_grace_seconds: int) -> None:
        self._runner = asyncio.Runner()
        self._context: AbstractAsyncContextManager[Running] = running(settings_for(database_url))
        self._server = self._runner.run(self._context.__aenter__())
        lifetimes = {
            "refresh_idle_seconds": IDLE,
            "refresh_absolute_seconds": ABSOLUTE,
            "retry_grace_seconds": retry_grace_seconds,
        }
        self._app = self._server.add_client(scope=GRANTED, lifetimes=lifetimes)
        self._other = self._server.add_client("other", scope=GRANTED)
        self._sub = self._server.add_user().sub
        self.first_token = self._runner.run(self._server.log_in(self._app))["refresh_token"]
        presented = parse_refresh_token(self.first_token)
        assert presented is not None
        self._sid = presented.sid

    def present(self, token: str, key: str | None, scope: Scope | None, *, by_other_client: bool = False) -> Answer:
        more = {} if scope is None else {"scope": format_scope(scope)}
        response = self._runner.run(self._server.refresh(self._presenting_client(by_other_client), token, key, **more))
        members = response.json()
        assert response.status_code == (200 if "access_token" in members else 400), response.text
        return Answer(response.content, members.get("refresh_token"), members.get("error"))

    def revoke(self, token: str, *, by_other_client: bool = False) -> None:
        response = self._runner.run(self._server.revoke(self._presenting_client(by_other_client), token))
        assert response.status_code == (400 if by_other_client else 200)

    def _presenting_client(self, by_other_client: bool) -> App:
        return self._other if by_other_client else self._app

    def set_user_enabled(self, enabled: bool) -> None:
        self._server.set_user(self._sub, disabled=not enabled)

    def set_client_scope(self, scope: Scope) -> None:
        self._server.set_client(self._app.client_id, scope=scope)

    def advance(self, seconds: int) -> None:
        self._server.clock.advance(seconds)

    def stored(self) -> Family:
        with self._server.database.read() as connection:
            return load_families(connection, [self._sid])[self._sid]

    def is_active(self, token: str) -> bool | None:
        return bool(self._runner.run(self._server.introspect(self._app, token))["active"])

    def close(self) -> None:
        self._runner.run(self._context.__aexit__(None, None, None))
        self._runner.close()


Session = RulesSession | ServerSession


def differences(before: Family, after: Family) -> dict[str, Any]:
    """Return the changed fields with their new values."""
    was = before._asdict()
    return {name: value for name, value in after._asdict().items() if value != was[name]}
