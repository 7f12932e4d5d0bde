"""Who may call the revocation and introspection endpoints, and in which form (RFC 7009 2.1, RFC 7662 2.1).

How clients authenticate and how forms are parsed is the same at every endpoint, and tested at the token endpoint.
"""

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from jeton.http.form_parsing import MAX_BYTES
from support.in_process_server import App, Running, shared_server
from support.responses import outcome

REVOKE, INTROSPECT = "/oauth/revoke", "/oauth/introspect"
FORM = "application/x-www-form-urlencoded"
both = pytest.mark.parametrize("path", [REVOKE, INTROSPECT], ids=["revoke", "introspect"])
jeton = shared_server("alice")


@pytest.fixture(scope="module")
def app(jeton: Running) -> App:
    return jeton.add_client()


def assert_is_not_authenticated(response: httpx2.Response) -> None:
    assert outcome(response) == (401, "invalid_client")
    assert response.headers["www-authenticate"].startswith("Basic realm=")
    assert response.headers["cache-control"] == "no-store"


@both
@pytest.mark.requirement("C03", "C09", "D01", "D07")
@pytest.mark.parametrize(
    ("secret", "form"),
    [(None, {}), (None, {"client_id": "web"}), ("", {}), ("wrong", {}), ("jcs_" + "A" * 43, {})],
    ids=["nobody", "only a name", "empty secret", "wrong secret", "well-formed secret"],
)
async def test_caller_without_the_client_s_secret_is_refused_and_the_token_stays_alive(
    jeton: Running, app: App, path: str, secret: str | None, form: dict[str, str]
) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    caller = None if secret is None else App(app.client, secret)

    assert_is_not_authenticated(await jeton.post(path, caller, None, token=token, **form))
    assert (await jeton.introspect(app, token))["active"] is True


@pytest.mark.requirement("D01", "D07")
async def test_public_client_may_not_introspect(jeton: Running) -> None:
    public = jeton.add_client(uuid4().hex, public=True)
    token = (await jeton.log_in(public))["access_token"]

    assert_is_not_authenticated(await jeton.post(INTROSPECT, public, token=token))


@both
@pytest.mark.requirement("C03", "C09", "D01", "D07", "K01")
async def test_credentials_in_the_body_authenticate_and_an_unknown_parameter_is_ignored(
    jeton: Running, app: App, path: str
) -> None:
    credentials = {"client_id": app.client_id, "client_secret": app.secret or ""}

    response = await jeton.post(path, None, None, token="garbage", colour="blue", **credentials)

    assert response.status_code == 200


@both
@pytest.mark.requirement("C02", "C09", "C12", "D02", "D07", "O20")
@pytest.mark.parametrize(
    ("body", "more", "status"),
    [
        pytest.param("", {}, 400, id="nothing"),
        pytest.param("token=", {}, 400, id="empty token"),
        pytest.param("token=a&token=b", {}, 400, id="token twice"),
        pytest.param("token=a", {"params": {"token": "a"}}, 400, id="token in the URI"),
        pytest.param("token=" + "x" * MAX_BYTES, {}, 413, id="too large"),
    ],
)
async def test_malformed_request_is_refused(
    jeton: Running, app: App, path: str, body: str, more: dict[str, Any], status: int
) -> None:
    request = {"headers": {"Content-Type": FORM}, "content": body, "auth": app.auth} | more

    response = await jeton.http.post(path, **request)

    assert outcome(response) == (status, "invalid_request")
    assert response.headers["content-type"] == "application/json"
