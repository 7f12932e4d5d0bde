"""No password, secret or token reaches the log or a repr (ASVS 16.2.5, RFC 6749 section 10)."""

import logging

import pytest
from sqlalchemy import select

from jeton.storage.tables import families
from support.dpop import DpopKey
from support.in_process_server import App, Running
from support.written_log import WrittenLog

PASSWORD, WRONG = "canary-password-right", "canary-password-wrong"
KEY = "canary-idempotency-key"
# Events and reasons that the log must hold: each outcome is there, and why.
LOGGED = {
    *("token_issued", "request_refused", "token_revoked", "server_error", "logged_in", "rotated", "retried", "issued"),
    *("refresh_token_reused", "refresh_token_of_other_client", "refresh_token_malformed", "proof_used_before"),
    *("client_secret_wrong", "authorization_header_malformed", "scope_malformed", "grant_type_unknown"),
}


async def use_everything(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> tuple[App, dict[str, str]]:
    """Cause every outcome of the token endpoint. Return the client, and all values that must not be readable."""
    app = jeton.add_client()
    spa = jeton.add_client("spa", public=True)
    user = jeton.add_user(password=PASSWORD)
    login = {"grant_type": "password", "username": "alice", "password": PASSWORD}
    first = await jeton.log_in(app, password=PASSWORD)
    second = (await jeton.refresh(app, first["refresh_token"], KEY)).json()
    repeated = (await jeton.refresh(app, first["refresh_token"], KEY)).json()
    proof = DpopKey().proof(jti="canary-jti")
    own = (await jeton.token(app, {"DPoP": proof}, grant_type="client_credentials")).json()
    stranger = await jeton.log_in(spa, password=PASSWORD)

    refused = [
        await jeton.token(app, None, **login | {"password": WRONG}),
        await jeton.token(app, None, **login | {"username": "nobody"}),
        await jeton.token(app, None, **login | {"username": PASSWORD}),
        await jeton.token(App(app.client, "canary-wrong-secret"), None, **login),
        await jeton.token(app, None, **login | {"scope": second["refresh_token"]}),
        await jeton.token(app, None, **login | {"scope": f"{PASSWORD}  {WRONG}"}),
        await jeton.token(app, None, **login | {"grant_type": first["access_token"]}),
        await jeton.token(app, None, **login | {"client_secret": app.secret or ""}),
        await jeton.refresh(spa, second["refresh_token"]),
        await jeton.refresh(app, second["refresh_token"][:-1]),
        await jeton.http.post("/oauth/token", data=login, headers={"Authorization": f"Bearer {own['access_token']}"}),
        await jeton.http.post(f"/oauth/token?refresh_token={second['refresh_token']}", data=login),
        await jeton.http.post(f"/oauth/{stranger['refresh_token']}", data=login),
        await jeton.http.post("/oauth/token", json=login),
        await jeton.token(app, {"DPoP": proof}, **login),
    ]
    assert {answer.status_code for answer in refused} <= {400, 401, 404}
    await jeton.introspect(app, second["access_token"])
    await jeton.refresh(app, first["refresh_token"])
    await jeton.revoke(spa, stranger["access_token"])
    await jeton.revoke(spa, stranger["refresh_token"])
    with monkeypatch.context() as broken:
        broken.setattr(jeton.keyring.signer, "sign", None)
        assert (await jeton.token(app, None, **login)).status_code == 500

    return app, {
        "password": PASSWORD,
        "wrong password": WRONG,
        "client secret": app.secret or "",
        "wrong secret": "canary-wrong-secret",
        "idempotency key": KEY,
        "password hash": user.password_hash or "",
        **{f"{name} of the login": first[name] for name in ("access_token", "refresh_token")},
        **{f"{name} of the refresh": second[name] for name in ("access_token", "refresh_token")},
        **{f"{name} of the repetition": repeated[name] for name in ("access_token", "refresh_token")},
        **{f"{name} of the public client": stranger[name] for name in ("access_token", "refresh_token")},
        "access token of the client": own["access_token"],
        "proof of the client": proof,
        "identifier of the proof": "canary-jti",
    }


def found_in(text: str, secrets: dict[str, str]) -> set[str]:
    """Return the secrets that occur, as a whole or as the part of a token that is sufficient to use it."""
    return {name for name, value in secrets.items() if value in text or (len(value) > 60 and value[-40:] in text)}


@pytest.mark.requirement("A50", "O18")
async def test_log_holds_every_outcome_and_its_reason_but_no_secret_at_any_level(
    jeton: Running,
    logged: WrittenLog,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "httpx2")  # the HTTP client of the test, which logs the URLs that it requests

    _, secrets = await use_everything(jeton, monkeypatch)

    lines = logged.text
    assert found_in(lines + caplog.text + "".join(capfd.readouterr()), secrets) == set()
    assert {word for word in LOGGED if f'"{word}"' not in lines} == set()


@pytest.mark.requirement("A50", "A51", "O18")
async def test_nothing_that_could_be_presented_is_in_a_repr(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored values are tested in storage/test_stolen_database.py."""
    app, secrets = await use_everything(jeton, monkeypatch)
    with jeton.database.read() as connection:
        family_secret = connection.execute(select(families.c.secret)).scalars().first()

    assert found_in(repr(jeton.server) + repr(app) + repr(app.client), secrets) == set()
    assert family_secret is not None
    assert repr(family_secret) not in repr(jeton.server)


@pytest.mark.requirement("A50", "O18")
async def test_path_is_logged_as_its_template_without_what_callers_wrote(jeton: Running, logged: WrittenLog) -> None:
    odd = "canary-token%1b%5d0;%c2%9b31m%e2%80%ae" + "x" * 20_000
    for path in (f"/account/sessions/{odd}", f"/oauth/status/{odd}", f"/oauth/token/{odd}", f"/{odd}", f"//{odd}"):
        for method in ("DELETE", "POST", "GET"):
            answer = await jeton.http.request(method, path, headers={"Authorization": f"Bearer {odd}"})
            # The last one names another host, and no path.
            assert answer.status_code in (400, 401, 404, 405) or (path.startswith("//") and answer.status_code == 303)

    lines = logged.text.splitlines()
    assert any('"path":"/account/sessions/{sid}"' in line for line in lines)
    assert all(line.isprintable() and len(line) < 1000 and "canary" not in line for line in lines)
