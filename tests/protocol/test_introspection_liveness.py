"""Liveness (RFC 7662 sections 2.2 and 4): a token is active only while everything that it depends on is.

What it depends on is decided, and tested, in oauth/introspection_rules.py. What ends sessions: test_what_ends_what.py.
"""

import pytest

from support.in_process_server import Running
from support.sessions import Session, new_session

INACTIVE = {"active": False}
pytestmark = pytest.mark.both_databases


async def are_active(jeton: Running, session: Session) -> list[bool]:
    """Whether the access token and the refresh token are."""
    told = [await jeton.introspect(session.app, token) for token in (session.access, session.refresh)]
    assert all(it["active"] or it == INACTIVE for it in told)
    return [it["active"] for it in told]


@pytest.mark.requirement("D05", "D08")
async def test_tokens_are_active_until_the_second_they_expire(jeton: Running) -> None:
    lifetimes = {"access_seconds": 300, "refresh_idle_seconds": 1000}
    session = await new_session(jeton, lifetimes=lifetimes)
    short = await new_session(jeton, lifetimes={"refresh_idle_seconds": 100, "refresh_absolute_seconds": 100})
    assert short.tokens["expires_in"] == 100

    active = []
    for seconds in (99, 1, 199, 1, 699, 1):
        jeton.clock.advance(seconds)
        active.append((*await are_active(jeton, short), *await are_active(jeton, session)))

    assert active == [
        (True, True, True, True),
        (False, False, True, True),
        (False, False, True, True),
        (False, False, False, True),
        (False, False, False, True),
        (False, False, False, False),
    ]


@pytest.mark.requirement("D05", "D08")
async def test_access_token_is_inactive_for_a_resource_server_while_its_client_is_disabled(jeton: Running) -> None:
    api, session = jeton.add_client("api", introspect=True), await new_session(jeton)
    active = []
    for disabled in (True, False):
        jeton.set_client(session.app.client_id, disabled=disabled)
        active.append((await jeton.introspect(api, session.access))["active"])
    jeton.set_client("api", introspect=False)

    assert active == [False, True]
    assert await jeton.introspect(api, session.access) == INACTIVE
