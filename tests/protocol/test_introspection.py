"""Introspection responses (RFC 7662 section 2.2): which members each caller receives.

What a token depends on is decided, and tested, in oauth/introspection_rules.py. What ends it: test_what_ends_what.py.
"""

from typing import Any

import pytest

from support.in_process_server import ISSUER, START, Running, shared_server
from support.sessions import new_session, unique_name

INACTIVE = {"active": False}
API = "https://orders.example"
jeton = shared_server()


@pytest.mark.requirement("D02", "D03", "D05", "D06", "D09", "G09")
async def test_owner_receives_the_claims_of_its_tokens(jeton: Running) -> None:
    user = jeton.add_user(unique_name("Alice"), email=f"{unique_name()}@example.com", roles=("admin", "clerk"))
    fields: dict[str, Any] = {"claims": ("preferred_username", "email"), "lifetimes": {"refresh_idle_seconds": 700}}
    session = await new_session(jeton, user=user, requested_scope="read", **fields)

    response = await jeton.post("/oauth/introspect", session.app, None, token=session.access, token_type_hint="x")
    access = response.json()
    refresh = await jeton.introspect(session.app, session.refresh, token_type_hint="access_token")

    assert response.headers["content-type"] == "application/json"
    assert (response.headers["cache-control"], response.headers["pragma"]) == ("no-store", "no-cache")
    assert len(access.pop("jti")) >= 22
    assert len(sid := access.pop("sid")) >= 22
    common = {"active": True, "iss": ISSUER, "sub": user.sub, "client_id": session.app.client_id, "scope": "read"}
    assert access == common | {
        "token_type": "Bearer",
        "aud": ISSUER,
        "iat": START,
        "exp": START + 600,
        "auth_time": START,
        "amr": ["pwd"],
        "roles": ["admin", "clerk"],
        "username": user.username,
        "preferred_username": user.username,
        "email": user.email,
    }
    assert refresh == common | {
        "token_type": "N_A",
        "issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token",
        "sid": sid,
        "iat": START,
        "exp": START + 700,
    }


@pytest.mark.requirement("A48", "D04", "D07", "D08", "E07", "E08", "E09", "F06")
async def test_unknown_or_altered_token_is_inactive_and_no_error(jeton: Running) -> None:
    session = await new_session(jeton, introspect=True)
    tokens = ["garbage", "jrt_" + "A" * 76, "jrt_" + "_" * 75, "eyJhbGciOiJub25lIn0.e30.", "a.b.c"]
    tokens += ["\u00e9\u2713", "x" * 9000]
    for token in (session.access, session.refresh):
        middle = len(token) // 2
        tokens.append(token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :])
        tokens += [token + tail for tail in ("=", "A", ".", " ", "\n")]
    header, claims, signature = session.access.split(".")
    tokens += [f"{header}{it}.{claims}.{signature}" for it in "=\n +/"]
    tokens += [f"{header}.{claims}{it}.{signature}" for it in "=\n +/"]

    for token in tokens:
        assert await jeton.introspect(session.app, token) == INACTIVE, token


@pytest.mark.requirement("D04", "D06", "D08")
async def test_resource_server_receives_claims_of_tokens_for_its_audience_only(jeton: Running) -> None:
    without_audience, with_audience = await new_session(jeton), await new_session(jeton, audience=(API,))
    of_default, of_api = [jeton.add_client(unique_name(), introspect=True, audience=it) for it in ((), (API,))]

    for server, session, other in ((of_default, without_audience, with_audience), (of_api, with_audience, None)):
        told = await jeton.introspect(server, session.access)
        assert (told["active"], told["sub"], told["client_id"]) == (True, session.user.sub, session.app.client_id)
        assert told["aud"] == (API if server is of_api else ISSUER)
        assert await jeton.introspect(server, session.refresh) == INACTIVE
        assert other is None or await jeton.introspect(server, other.access) == INACTIVE


@pytest.mark.requirement("D04", "D05")
async def test_introspection_neither_revokes_nor_uses_a_refresh_token(jeton: Running) -> None:
    session = await new_session(jeton)
    second = await jeton.refreshed(session.app, session.refresh)
    newest = second["refresh_token"]

    assert await jeton.introspect(session.app, session.refresh) == INACTIVE
    assert (await jeton.introspect(session.app, second["access_token"]))["active"] is True
    assert await jeton.introspect(session.app, newest) == await jeton.introspect(session.app, newest)
    assert (await jeton.refresh(session.app, newest)).status_code == 200
