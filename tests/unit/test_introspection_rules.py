"""Introspection rules (RFC 7662 section 2.2): when a token is active, who may know, and the response."""

from typing import Any

import pytest

from jeton.frozen import replace
from jeton.oauth.clients import Client
from jeton.oauth.introspection_rules import INACTIVE, TokenContext, introspect_access_token, introspect_refresh_token
from support.builders import API, NOW, client, family, user, with_fields

ISSUER = "https://as.example"
OWNER = client(created_at=NOW - 5000, grant_types=frozenset({"refresh_token", "client_credentials"}), audience=(API,))
SERVER = client("orders", introspect=True, audience=(API,))
CONTEXT = TokenContext(OWNER, user(), family(rotated_at=NOW - 50, generation=5))
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "u_1",
    "aud": API,
    "exp": NOW + 60,
    "iat": NOW - 50,
    "jti": "id",
    "client_id": "web",
    "scope": "read write",
    "sid": "session",
    "auth_time": NOW - 500,
    "amr": ["pwd"],
    "roles": ["admin"],
}
OF_CLIENT = {name: value for name, value in CLAIMS.items() if name not in {"sid", "auth_time", "amr", "roles"}}
ALONE = TokenContext(OWNER, None, None)
CALLERS = pytest.mark.parametrize("caller", [OWNER, SERVER], ids=["owner", "resource server"])


def access(
    claims: dict[str, Any] = CLAIMS, context: TokenContext = CONTEXT, caller: Client = SERVER, *audience: str
) -> dict[str, Any]:
    return dict(introspect_access_token(claims, context, caller, audience or (API,), NOW, ISSUER))


def refresh(context: TokenContext = CONTEXT, generation: int = 5, caller: Client = OWNER) -> dict[str, Any]:
    assert context.family is not None
    return dict(introspect_refresh_token(context.family, generation, context, caller, ISSUER, NOW))


def changed(part: str, **fields: Any) -> TokenContext:
    """Return the context with changed fields of its client, user or family."""
    return replace(CONTEXT, **{part: with_fields(getattr(CONTEXT, part), **fields)})


WITHOUT_SCOPE = {name: value for name, value in CLAIMS.items() if name != "scope"}
NAMED = CLAIMS | {"preferred_username": "al"}


@CALLERS
@pytest.mark.requirement("D03", "D05", "D06", "D08", "D10", "G09", "I07")
@pytest.mark.parametrize(
    ("claims", "context", "members"),
    [
        pytest.param(CLAIMS, CONTEXT, CLAIMS, id="of a user"),
        *(
            pytest.param(OF_CLIENT, replace(ALONE, client=replace(OWNER, **it)), OF_CLIENT, id=f"of the client: {it}")
            for it in ({}, {"audience": (), "resources": ("https://files.example", API)})
        ),
        pytest.param(WITHOUT_SCOPE, CONTEXT, WITHOUT_SCOPE, id="without scope"),
        pytest.param(CLAIMS | {"email": "a@b"}, CONTEXT, CLAIMS | {"email": "a@b"}, id="with an e-mail address"),
        pytest.param(NAMED, CONTEXT, NAMED | {"username": "al"}, id="with a username"),
        pytest.param(CLAIMS | {"secret": "x"}, CONTEXT, CLAIMS, id="with an unknown claim"),
        pytest.param(CLAIMS | {"exp": NOW + 1}, CONTEXT, CLAIMS | {"exp": NOW + 1}, id="in its last second"),
        *(
            pytest.param(CLAIMS, context, CLAIMS, id=name)
            for name, context in {
                "client as old as the token": changed("client", created_at=NOW - 50),
                "client registered by a clock that was ahead": changed("client", created_at=NOW + 1),
                "of an idle session": changed("family", idle_expires_at=NOW),
                "refreshed since": changed("family", generation=9),
            }.items()
        ),
        pytest.param(
            CLAIMS,
            changed("client", scope=frozenset({"read"})),
            CLAIMS | {"scope": "read"},
            id="part of the scope lost",
        ),
    ],
)
def test_live_access_token_is_active_with_its_claims(
    claims: dict[str, Any], context: TokenContext, members: dict[str, Any], caller: Client
) -> None:
    assert access(claims, context, caller) == {"active": True, "token_type": "Bearer"} | members


@pytest.mark.requirement("D04", "D08")
@pytest.mark.parametrize(
    ("aud", "caller", "audience", "known"),
    [
        pytest.param(API, SERVER, (API,), True, id="its audience"),
        pytest.param([API, "https://b"], SERVER, (API,), True, id="one of its audiences"),
        pytest.param([API, "https://b"], SERVER, ("https://c", "https://b"), True, id="several on both sides"),
        pytest.param("https://b", SERVER, (API,), False, id="another audience"),
        pytest.param(API + "/", SERVER, (API,), False, id="almost the same audience"),
        pytest.param([], SERVER, (API,), False, id="no audience"),
        pytest.param(API, replace(SERVER, introspect=False), (API,), False, id="no right to introspect"),
        pytest.param(API, replace(SERVER, client_id="web2"), (API,), True, id="any client with the right"),
        pytest.param("https://b", OWNER, (API,), True, id="the owner, whatever the audience"),
    ],
)
def test_only_owner_and_audience_see_an_active_token(
    aud: object, caller: Client, audience: tuple[str, ...], known: bool
) -> None:
    response = access(CLAIMS | {"aud": aud}, CONTEXT, caller, *audience)

    assert response["active"] is known
    assert known or response == {"active": False}


LOST_SCOPE = {"scope": frozenset({"other"})}


ENDED = {
    "revoked": replace(CONTEXT, token_is_revoked=True),
    "signing key not published": replace(CONTEXT, key_is_published=False),
    "session gone": replace(CONTEXT, family=None),
    "client registered again since": changed("client", created_at=NOW - 49),
    "client registered again this second": changed("client", created_at=NOW),
}
# These end both kinds of tokens.
ENDED_TOO = {
    "client gone": replace(CONTEXT, client=None),
    "client disabled": changed("client", disabled=True),
    "all of its scope taken away": changed("client", **LOST_SCOPE),
    "user gone": replace(CONTEXT, user=None),
    "user disabled": changed("user", disabled=True),
    "session revoked": changed("family", revoked_at=NOW - 1),
    "session expired": changed("family", absolute_expires_at=NOW),
}


@CALLERS
@pytest.mark.requirement("C05", "D04", "D05", "D08", "O03")
@pytest.mark.parametrize(
    ("claims", "context"),
    [
        *(pytest.param(CLAIMS | {"exp": NOW - it}, CONTEXT, id=f"expired {it} s ago") for it in (0, 1)),
        *(pytest.param(CLAIMS, it, id=name) for name, it in (ENDED | ENDED_TOO).items()),
        pytest.param(
            OF_CLIENT, replace(ALONE, client=replace(OWNER, grant_types=frozenset({"password", "refresh_token"}))),
            id="client credentials taken away",
        ),
        pytest.param(
            OF_CLIENT, replace(ALONE, client=replace(OWNER, audience=(), resources=("https://files.example",))),
            id="resource of the client itself taken away",
        ),
    ],
)  # fmt: skip
def test_access_token_is_inactive_if_client_user_session_or_key_is(
    claims: dict[str, Any], context: TokenContext, caller: Client
) -> None:
    assert access(claims, context, caller) == INACTIVE == {"active": False}


@pytest.mark.requirement("D05", "D06", "O02")
@pytest.mark.parametrize(
    ("context", "generation", "expected"),
    [
        pytest.param(CONTEXT, 5, {}, id="current"),
        pytest.param(CONTEXT, 6, {}, id="ahead of the stored one"),
        pytest.param(
            changed("family", absolute_expires_at=NOW + 50), 5, {"exp": NOW + 50}, id="absolute end is earlier"
        ),
        pytest.param(changed("client", scope=frozenset({"read"})), 5, {"scope": "read"}, id="part of the scope lost"),
        pytest.param(changed("family", scope=frozenset()), 5, {"scope": None}, id="without scope"),
    ],
)
def test_live_refresh_token_is_active_for_its_owner(
    context: TokenContext, generation: int, expected: dict[str, Any]
) -> None:
    members = {
        "active": True,
        "token_type": "N_A",
        "issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token",
        "iss": ISSUER,
        "sub": "u_1",
        "client_id": "web",
        "iat": NOW - 50,
        "exp": NOW + 100,
        "sid": "session",
        "scope": "read write",
    } | expected

    assert refresh(context, generation) == {name: value for name, value in members.items() if value is not None}


OFFLINE_ONLY = replace(
    CONTEXT, client=replace(OWNER, refresh_token="offline_access"), family=family(generation=5, code_expires_at=NOW)
)


@pytest.mark.requirement("A45", "D04", "D08", "O02", "O03")
@pytest.mark.parametrize(
    ("context", "generation", "caller"),
    [
        pytest.param(CONTEXT, 5, SERVER, id="another client asks"),
        pytest.param(CONTEXT, 4, OWNER, id="used"),
        pytest.param(CONTEXT, 0, OWNER, id="used long ago"),
        pytest.param(changed("family", idle_expires_at=NOW), 5, OWNER, id="idle too long"),
        pytest.param(changed("client", grant_types=frozenset({"password"})), 5, OWNER, id="grant taken away"),
        pytest.param(OFFLINE_ONLY, 5, OWNER, id="only with offline_access by now"),
        *(pytest.param(it, 5, OWNER, id=name) for name, it in ENDED_TOO.items()),
    ],
)
def test_refresh_token_that_would_be_refused_is_inactive(
    context: TokenContext, generation: int, caller: Client
) -> None:
    assert refresh(context, generation, caller) == INACTIVE
