"""Nothing that a request contains reaches log, traces, metrics or audit trail, unless it is meant to (ASVS 16.2.5)."""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from unittest.mock import Mock

import psycopg
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, ProgrammingError, StatementError

from jeton.config.settings import LimitSettings
from jeton.observability.metrics_sharing import render_metrics
from jeton.storage.tables import metadata
from support.authorization_codes import CHALLENGE, VERIFIER, add_app
from support.browsing import Browser, authorization_parameters, browser
from support.builders import CALLBACK
from support.in_process_server import PASSWORD, App, Running, StartServer
from support.recorded_spans import RecordedSpans
from support.written_log import WrittenLog

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("A50", "O18", "ME03")]

# Fields that are logged on purpose: operators find the line or record by them.
LOGGED: Final = {"X-Request-Id", "/oauth/authorize redirect_uri", "/oauth/authorize redirect_uri URI"}
RECORDED: Final = {"X-Request-Id", "User-Agent"}

AUTHORIZATION: Final = {
    "response_mode": "query",
    "nonce": "a nonce",
    "prompt": "login",
    "max_age": "60",
    "ui_locales": "en",
    "login_hint": "alice",
    "id_token_hint": "a.b.c",
    "claims": "{}",
    "request": "a.b.c",
    "display": "page",
    "acr_values": "1",
    "dpop_jkt": CHALLENGE,
    "resource": "https://api.example",
    "request_uri": "urn:example:1",
}
CLIENT_METADATA: Final[dict[str, Any]] = {
    "redirect_uris": [CALLBACK],
    "token_endpoint_auth_method": "none",
    "client_name": "Photos",
    "scope": "read",
    "grant_types": ["authorization_code"],
    "response_types": ["code"],
    "logo_uri": CALLBACK,
    "client_uri": CALLBACK,
    "contacts": ["a@app.example"],
    "tos_uri": CALLBACK,
    "policy_uri": CALLBACK,
    "software_id": "1",
    "software_version": "1",
    "software_statement": "a.b.c",
    "jwks_uri": CALLBACK,
    "backchannel_logout_uri": CALLBACK,
    "post_logout_redirect_uris": [CALLBACK],
    "id_token_signed_response_alg": "RS256",
}
# No request is refused before its fields are read.
UNLIMITED: Final = {f"LIMITS__{name.upper()}": "0" for name in LimitSettings.__struct_fields__}
HEADERS: Final = (
    *("Authorization", "DPoP", "Cookie", "User-Agent", "X-Request-Id", "Idempotency-Key", "Origin", "Referer"),
    *("X-Forwarded-For", "Forwarded", "Content-Type", "Accept", "Accept-Language", "Sec-Fetch-Site", "X-Jeton"),
    *("tracestate", "baggage", "Client-Cert", "Host"),
)


class Canaries:
    """Unique values, each with a label. They have the syntax of tokens and of most identifiers."""

    def __init__(self) -> None:
        self.labels: list[str] = []

    def new(self, label: str) -> str:
        self.labels.append(label)
        return f"canary{len(self.labels) - 1:04}-abcdefghijklmnopqrstuvwxyz0123456789"

    def found_in(self, text: str) -> set[str]:
        return {self.labels[int(number)] for number in re.findall(r"canary(\d{4})", text)}

    def in_each(self, label: str, fields: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the fields with a canary as the value of one of them, or as the name of an additional one."""
        for name, value in fields.items():
            canary = self.new(f"{label} {name}")
            yield {**fields, name: [canary] if isinstance(value, list) else canary}
            if str(value).startswith("https:"):
                uri = f"https://app.example/?{self.new(f'{label} {name} URI')}"
                yield {**fields, name: [uri] if isinstance(value, list) else uri}
        yield {**fields, self.new(f"{label} name"): "1"}


async def send_everything(jeton: Running, canaries: Canaries) -> None:
    """Put a canary into each field of each endpoint, one at a time."""
    jeton.add_user()
    app = add_app(jeton, "app", grant_types=frozenset({"password", "refresh_token", "authorization_code"}))
    await send_forms(jeton, app, canaries)
    await send_documents_and_paths(jeton, canaries)
    await send_headers(jeton, app, canaries)
    await visit_pages(jeton, app, canaries)


async def send_forms(jeton: Running, app: App, canaries: Canaries) -> None:
    login = {"grant_type": "password", "username": "alice", "password": PASSWORD, "scope": "read", "resource": CALLBACK}
    assertion = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    own = {"client_id": app.client_id, "client_secret": app.secret}
    forms: dict[str, dict[str, Any]] = {
        "/oauth/token password": login,
        "/oauth/token refresh": {"grant_type": "refresh_token", "refresh_token": "jrt_" + "A" * 76, "scope": "read"},
        "/oauth/token code": {
            "grant_type": "authorization_code",
            "code": "x",
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        },
        "/oauth/introspect": {"token": "jrt_" + "A" * 76, "token_type_hint": "refresh_token"},
        "/oauth/revoke": {"token": "jrt_" + "A" * 76, "token_type_hint": "refresh_token"},
        "/oauth/par": authorization_parameters(app) | AUTHORIZATION,
        "/oauth/userinfo": {"access_token": "a.b.c"},
        "/account/password": {"current_password": PASSWORD, "new_password": PASSWORD},
    }
    access_token = (await jeton.log_in(app))["access_token"]
    for label, form in forms.items():
        path = label.split()[0]
        for fields in canaries.in_each(label, form):
            await jeton.post(path, app, None, **fields)
        for fields in canaries.in_each(f"{label} client", own | form):
            await jeton.post(path, None, None, **fields)
        for fields in canaries.in_each(f"{label} assertion", assertion | {"client_assertion": "a.b.c"} | form):
            await jeton.post(path, None, None, **fields)
        for fields in canaries.in_each(f"{label} bearer", form):
            await jeton.post(path, None, {"Authorization": f"Bearer {access_token}"}, **fields)
        await jeton.http.post(path, content=canaries.new(f"{label} body"))
        await jeton.http.post(path, json={"token": canaries.new(f"{label} JSON")})
        await jeton.http.post(path, params={"token": canaries.new(f"{label} query")}, data=form)


async def send_documents_and_paths(jeton: Running, canaries: Canaries) -> None:
    for document in canaries.in_each("/oauth/register", CLIENT_METADATA):
        await jeton.http.post("/oauth/register", json=document)
    await jeton.http.post("/oauth/register", content=canaries.new("/oauth/register body"))
    for path in ("/oauth/register/", "/account/sessions/", "/oauth/status/", "/oauth/session/", "/", "/me/", "//"):
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            await jeton.http.request(method, path + canaries.new(f"{method} {path}*"))
    await jeton.http.request(canaries.new("method"), "/oauth/token")


async def send_headers(jeton: Running, app: App, canaries: Canaries) -> None:
    for method, path in (
        ("POST", "/oauth/token"),
        ("GET", "/oauth/userinfo"),
        ("GET", "/me"),
        ("GET", "/oauth/authorize"),
    ):
        for name in HEADERS:
            await jeton.http.request(method, path, headers={name: canaries.new(name)})
        for scheme in ("Bearer", "DPoP", "Other"):
            await jeton.http.request(method, path, headers={"Authorization": f"{scheme} {canaries.new(scheme)}"})
        pair = f"{canaries.new('Basic user')}:{canaries.new('Basic password')}"
        basic = base64.b64encode(pair.encode()).decode()
        await jeton.http.request(method, path, headers={"Authorization": f"Basic {basic}"})


async def visit_pages(jeton: Running, app: App, canaries: Canaries) -> None:
    async with browser(jeton) as visitor:
        for parameters in canaries.in_each("/oauth/authorize", authorization_parameters(app) | AUTHORIZATION):
            await visitor.get("/oauth/authorize", **parameters)
        logout = {"id_token_hint": "a.b.c", "post_logout_redirect_uri": CALLBACK, "state": "x", "client_id": "app"}
        for parameters in canaries.in_each("/oauth/logout", logout | {"logout_hint": "x", "ui_locales": "en"}):
            await visitor.get("/oauth/logout", **parameters)
        for path in ("/sign-in", "/consent"):
            await visitor.get(path, request=canaries.new(f"GET {path} request"))
        await visitor.get("/oauth/authorize", **authorization_parameters(app))
        await fill(visitor, "/sign-in", canaries, username="alice", password=PASSWORD)
        await visitor.get("/oauth/authorize", **authorization_parameters(app, prompt="login"))
        await visitor.sign_in()
        await fill(visitor, "/consent", canaries, decision="allow")
        await visitor.get("/me/password")
        await fill(visitor, "/me/password", canaries, current_password=PASSWORD, new_password="a new " + PASSWORD)

        for cookie in visitor.http.cookies.jar:
            await jeton.http.get("/me", headers={"Cookie": f"{cookie.name}={canaries.new(cookie.name)}"})


async def fill(visitor: Browser, path: str, canaries: Canaries, **values: str) -> None:
    form = visitor.form(path)
    for fields in canaries.in_each(f"POST {path}", form.fields | values):
        await visitor.post(form.action, fields)


async def test_no_field_of_any_request_is_in_log_traces_metrics_or_audit_trail(
    logged: WrittenLog, spans: RecordedSpans, start: StartServer, capfd: pytest.CaptureFixture[str]
) -> None:
    jeton = await start(REGISTRATION__DYNAMIC="open", **UNLIMITED)
    canaries = Canaries()

    await send_everything(jeton, canaries)
    jeton.server.parts.storage.audit_backlog.write()

    with jeton.database.read() as connection:
        trail = repr(connection.execute(select(metadata.tables["audit_records"])).all())
    assert len(canaries.labels) > 300
    assert canaries.found_in(logged.text + "".join(capfd.readouterr())) == LOGGED
    assert canaries.found_in(spans.text) == set()
    assert canaries.found_in(render_metrics(None).decode()) == set()
    assert canaries.found_in(trail) == RECORDED


SECRET: Final = "canary0000-of-the-driver"
DETAIL: Final = f"\nDETAIL:  Failing row contains ({SECRET})."
VALUES: Final = {"secret": SECRET}


@pytest.mark.parametrize(
    "error",
    [
        IntegrityError("INSERT", VALUES, psycopg.errors.NotNullViolation("null value in a column" + DETAIL)),
        DataError("INSERT", VALUES, psycopg.errors.InvalidTextRepresentation(f'invalid input syntax: "{SECRET}"')),
        OperationalError("INSERT", VALUES, psycopg.OperationalError("the connection is lost" + DETAIL)),
        ProgrammingError("INSERT", VALUES, psycopg.errors.UndefinedTable("there is no table" + DETAIL)),
        StatementError(SECRET, "INSERT", VALUES, ValueError(SECRET)),
        KeyError(SECRET),
        ValueError(SECRET),
    ],
    ids=lambda it: type(it).__name__,
)
async def test_error_of_the_database_is_logged_without_the_values_that_it_quotes(
    logged: WrittenLog, spans: RecordedSpans, jeton: Running, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fail = Mock(side_effect=error)
    jeton.add_user()
    app = add_app(jeton)
    async with browser(jeton) as visitor:
        await visitor.get("/oauth/authorize", **authorization_parameters(app))
        monkeypatch.setattr("jeton.storage.ledger.ledger._store", fail)
        pages = [await visitor.sign_in()]
        monkeypatch.setattr("sqlalchemy.Engine.connect", fail)
        pages.append(await visitor.get("/oauth/authorize", **authorization_parameters(app, client_id="other")))
        pages.append(await jeton.token(None, None, grant_type="password", client_id="other"))

    assert [it.status_code // 100 for it in pages] == [5, 5, 5]
    assert {it["event"] for it in logged.lines()} & {"server_error", "temporarily_unavailable"}
    assert SECRET not in logged.text + spans.text + "".join(it.text for it in pages)
