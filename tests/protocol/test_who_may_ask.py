"""RFC 7009 section 2.1 and RFC 7662 section 2.1: who may ask about tokens, and in which form."""

from base64 import b64encode

import pytest

from jeton.http.form_parsing import MAX_BYTES
from support.in_process_server import App, Running

REVOKE = "/oauth/revoke"
INTROSPECT = "/oauth/introspect"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

both = pytest.mark.parametrize("path", [REVOKE, INTROSPECT], ids=["revoke", "introspect"])


async def _refused_as(jeton: Running, path: str, app: App | None, headers: dict[str, str], **form: str) -> str:
    response = await jeton.post(path, app, headers, **form)
    assert response.status_code == 401, response.text
    assert response.headers["www-authenticate"].startswith("Basic realm=")
    assert response.headers["cache-control"] == "no-store"
    return str(response.json()["error"])


@both
@pytest.mark.requirement("C03", "C09", "D01", "D07")
async def test_nobody_may_ask_without_credentials(jeton: Running, path: str) -> None:
    assert await _refused_as(jeton, path, None, {}, token="garbage") == "invalid_client"


@both
@pytest.mark.requirement("C03", "C09", "D01", "D07")
@pytest.mark.parametrize("secret", ["", "wrong", "jcs_" + "A" * 43], ids=["none", "wrong", "well formed"])
async def test_a_wrong_secret_is_refused_and_the_token_stays_alive(jeton: Running, path: str, secret: str) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)

    error = await _refused_as(jeton, path, App(app.client, secret), {}, token=tokens["refresh_token"])

    assert error == "invalid_client"
    assert (await jeton.introspect(app, tokens["refresh_token"]))["active"] is True


@both
@pytest.mark.requirement("C03", "D01")
async def test_a_confidential_client_may_not_ask_by_its_name_alone(jeton: Running, path: str) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)

    error = await _refused_as(jeton, path, None, {}, client_id=app.client_id, token=tokens["refresh_token"])

    assert error == "invalid_client"
    assert (await jeton.introspect(app, tokens["refresh_token"]))["active"] is True


@both
@pytest.mark.requirement("C03", "D01")
async def test_a_disabled_client_may_not_ask(jeton: Running, path: str) -> None:
    app = jeton.add_client()
    jeton.set_client(app.client_id, disabled=True)

    assert await _refused_as(jeton, path, app, {}, token="garbage") == "invalid_client"


@both
@pytest.mark.requirement("C03", "D01")
async def test_an_access_token_does_not_authenticate_a_caller(jeton: Running, path: str) -> None:
    app = jeton.add_client()
    token = (await jeton.token(app, grant_type="client_credentials")).json()["access_token"]

    error = await _refused_as(jeton, path, None, {"Authorization": f"Bearer {token}"}, token=token)

    assert error == "invalid_client"


@pytest.mark.requirement("D01", "D07")
async def test_a_public_client_may_not_introspect(jeton: Running) -> None:
    app = jeton.add_client("spa", public=True)
    jeton.add_user()
    tokens = await jeton.log_in(app)

    assert await _refused_as(jeton, INTROSPECT, app, {}, token=tokens["access_token"]) == "invalid_client"


@both
@pytest.mark.requirement("C03", "D01")
async def test_credentials_in_the_body_will_do(jeton: Running, path: str) -> None:
    app = jeton.add_client()
    assert app.secret is not None

    response = await jeton.post(path, None, client_id=app.client_id, client_secret=app.secret, token="garbage")

    assert response.status_code == 200


@both
@pytest.mark.requirement("C09", "D07")
async def test_two_ways_to_authenticate_at_once_are_refused(jeton: Running, path: str) -> None:
    app = jeton.add_client()
    assert app.secret is not None

    response = await jeton.post(path, app, client_id=app.client_id, client_secret=app.secret, token="garbage")

    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@both
@pytest.mark.requirement("C02", "C09", "D02")
@pytest.mark.parametrize(
    "body",
    ["", "token=", "token_type_hint=access_token", "token=a&token=b", "token=%FF", "token=%zz"],
    ids=["nothing", "empty", "only a hint", "twice", "not UTF-8", "bad escape"],
)
async def test_a_request_that_is_not_well_formed_is_an_invalid_request(jeton: Running, path: str, body: str) -> None:
    app = jeton.add_client()

    response = await jeton.http.post(path, content=body, headers=FORM | _basic(app))

    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    assert response.headers["content-type"] == "application/json"


def _basic(app: App) -> dict[str, str]:
    assert app.auth is not None
    return {"Authorization": "Basic " + b64encode(":".join(app.auth).encode()).decode()}


@both
@pytest.mark.requirement("C02", "D02")
@pytest.mark.parametrize("media_type", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
async def test_only_a_form_is_read(jeton: Running, path: str, media_type: str) -> None:
    app = jeton.add_client()
    headers = _basic(app) | {"Content-Type": media_type}

    response = await jeton.http.post(path, content="token=garbage", headers=headers)

    assert response.status_code in {400, 415}
    assert response.json()["error"] == "invalid_request"


@both
@pytest.mark.requirement("C02", "D02")
async def test_a_token_in_the_address_is_refused(jeton: Running, path: str) -> None:
    response = await jeton.post(f"{path}?token=garbage", jeton.add_client(), token="garbage")

    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@both
@pytest.mark.requirement("C12", "O20")
async def test_a_body_beyond_the_limit_is_refused_by_its_size(jeton: Running, path: str) -> None:
    body = "token=" + "x" * MAX_BYTES

    response = await jeton.http.post(path, content=body, headers=FORM | _basic(jeton.add_client()))

    assert (response.status_code, response.json()["error"]) == (413, "invalid_request")


@both
@pytest.mark.requirement("C09", "D07", "K01")
async def test_an_unknown_parameter_is_ignored(jeton: Running, path: str) -> None:
    response = await jeton.post(path, jeton.add_client(), token="garbage", colour="blue")

    assert response.status_code == 200
