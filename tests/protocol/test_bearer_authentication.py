"""Authentication by access token (RFC 6750, RFC 9068 section 4): accepted tokens, and challenges to other requests."""

from typing import Any

import httpx2
import pytest

from support.in_process_server import ISSUER, Running, StartServer, shared_server
from support.sessions import Session, new_session, unique_name

ACCOUNT = frozenset({"account", "read"})
REALM = 'Bearer realm="jeton"'
DPOP = 'DPoP realm="jeton", algs="ES256 EdDSA Ed25519"'
METADATA = f'resource_metadata="{ISSUER}/.well-known/oauth-protected-resource"'
SESSION_PATH = "/account/sessions/AAAAAAAAAAAAAAAAAAAAAA"
FORM = {"current_password": "x", "new_password": "y"}
every_operation = pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/account"),
        ("POST", "/account/password"),
        ("GET", "/account/sessions"),
        ("DELETE", "/account/sessions"),
        ("DELETE", SESSION_PATH),
    ],
    ids=lambda it: it.strip("/"),
)
jeton = shared_server()


@pytest.fixture(scope="module")
async def session(jeton: Running) -> Session:
    """A session that no test ends."""
    return await new_session(jeton, scope=ACCOUNT)


async def send(
    jeton: Running, authorization: str | None, method: str = "GET", path: str = "/account", **options: Any
) -> httpx2.Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    if method == "POST":
        options = {"data": FORM, **options}
    return await jeton.http.request(method, path, headers=headers | options.pop("headers", {}), **options)


def refusal(response: httpx2.Response) -> tuple[int, str | None]:
    """Return status and error code. The challenge and the body must agree on the code."""
    error = response.json().get("error")
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith(REALM)
    assert challenge.count("error=") == challenge.count("error_description=") == (error is not None)
    assert error is None or f', error="{error}", ' in challenge
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, error


@pytest.mark.requirement("B01")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_access_token_in_the_header_authenticates_its_user(jeton: Running, session: Session, scheme: str) -> None:
    response = await send(jeton, f"{scheme} {session.access}")

    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    assert response.json()["username"] == session.user.username


@every_operation
@pytest.mark.requirement("B05", "B06", "PR03")
@pytest.mark.parametrize("authorization", [None, "Basic d2ViOnNlY3JldA==", ""], ids=["none", "Basic", "empty"])
async def test_request_without_access_token_gets_a_challenge_without_error(
    jeton: Running, method: str, path: str, authorization: str | None
) -> None:
    response = await send(jeton, authorization, method, path)

    assert (response.status_code, response.json()) == (401, {})
    assert response.headers["www-authenticate"] == f"{REALM}, {METADATA}, {DPOP}"


@pytest.mark.requirement("B05", "B07", "B08")
async def test_invalid_token_is_refused(jeton: Running, session: Session) -> None:
    changed = session.access[:-6] + ("AAAAAA" if session.access[-6:] != "AAAAAA" else "BBBBBB")
    unsigned, long = session.access.rpartition(".")[0] + ".", session.access + "x" * 9000
    app = jeton.add_client(unique_name(), scope=ACCOUNT)
    of_client = (await jeton.token(app, grant_type="client_credentials", scope="account")).json()["access_token"]
    twice = f"{session.access} {session.access}"
    for token in ("garbage", changed, unsigned, long, "", "  ", twice, session.refresh, of_client):
        assert refusal(await send(jeton, f"Bearer {token}")) == (401, "invalid_token"), token
    assert refusal(await send(jeton, "Bearer")) == (401, "invalid_token")


@pytest.mark.requirement("O06")
@pytest.mark.parametrize(
    ("audience", "status"),
    [((), 200), ((ISSUER,), 200), (("https://orders.example", ISSUER), 200), (("https://orders.example",), 401)],
    ids=["default", "this server", "this server too", "another service"],
)
async def test_only_tokens_for_this_server_are_accepted(jeton: Running, audience: tuple[str, ...], status: int) -> None:
    for scope in (ACCOUNT, {*ACCOUNT, "openid"}):  # with openid, userinfo is an audience of every token
        session = await new_session(jeton, scope=frozenset(scope), audience=audience)

        assert (await send(jeton, f"Bearer {session.access}")).status_code == status


@every_operation
@pytest.mark.requirement("B07", "O10", "PR03")
async def test_refusal_of_a_token_without_the_scope_names_the_required_one(
    jeton: Running, method: str, path: str
) -> None:
    token = (await new_session(jeton, scope=ACCOUNT, requested_scope="read")).access

    response = await send(jeton, f"Bearer {token}", method, path)

    assert refusal(response) == (403, "insufficient_scope")
    assert response.headers["www-authenticate"].endswith(f', scope="account", {METADATA}, {DPOP}')


@pytest.mark.requirement("B05", "B07", "O03", "O06")
@pytest.mark.parametrize("end", ["revoked", "expired"])
async def test_token_that_has_ended_is_refused(start: StartServer, end: str) -> None:
    """What ends tokens together with their session is tested in test_what_ends_what.py."""
    jeton = await start()
    session = await new_session(jeton, scope=ACCOUNT)
    jeton.clock.advance(599)
    assert (await send(jeton, f"Bearer {session.access}")).status_code == 200
    if end == "revoked":
        await jeton.revoke(session.app, session.access)
    else:
        jeton.clock.advance(1)

    assert refusal(await send(jeton, f"Bearer {session.access}")) == (401, "invalid_token")


@pytest.mark.requirement("O10")
async def test_scope_removed_from_the_client_ends_at_once(jeton: Running) -> None:
    session = await new_session(jeton, scope=ACCOUNT)
    jeton.set_client(session.app.client_id, scope=frozenset({"read"}))

    assert refusal(await send(jeton, f"Bearer {session.access}")) == (403, "insufficient_scope")


@every_operation
@pytest.mark.requirement("B02", "B03", "B04", "K05", "O17")
async def test_token_is_sent_in_the_header_only_and_the_uri_has_no_other_parameters(
    jeton: Running, session: Session, method: str, path: str
) -> None:
    bearer = f"Bearer {session.access}"
    queries = ["unknown=1", "keep_current=true&keep_current=true", "keep_current=", "%zz", "x", "\u00e9=1", "&"]

    refused = [await send(jeton, bearer, method, f"{path}?{it}") for it in [*queries, f"access_token={session.access}"]]
    refused.append(await send(jeton, None, method, f"{path}?access_token={session.access}"))
    if method == "POST":
        form = FORM | {"access_token": session.access}
        refused += [await send(jeton, it, method, path, data=form) for it in (None, bearer)]

    assert [refusal(it) for it in refused] == [(400, "invalid_request")] * len(refused)


@pytest.mark.requirement("B02")
async def test_two_authorization_headers_are_refused(jeton: Running, session: Session) -> None:
    response = await jeton.http.get("/account", headers=[*session.bearer.items()] * 2)

    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
