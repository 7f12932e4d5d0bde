"""RFC 9110 and ASVS 3.4, 13.4: methods, unknown paths, security headers, health, and nothing that tells too much."""

import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from jeton.background import maintenance
from jeton.http.middleware import ANSWERS_PER_CLOSED_CONNECTION
from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.migrate import migrate
from support.in_process_server import Running, running, settings_for
from support.statement_recorder import before_each_statement

StartServer = Callable[..., Awaitable[Running]]

DOCUMENTS = [
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/openapi.json",
]
HEALTH = ["/livez", "/readyz"]
FORMS = ["/oauth/token", "/oauth/revoke", "/oauth/introspect"]
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
ALLOWED = (
    {path: {"GET", "HEAD", "OPTIONS"} for path in DOCUMENTS}
    | {path: {"GET", "HEAD"} for path in HEALTH}
    | {
        "/oauth/token": {"POST", "OPTIONS"},
        "/oauth/revoke": {"POST", "OPTIONS"},
        "/oauth/introspect": {"POST"},
        "/account": {"GET", "HEAD", "OPTIONS"},
        "/account/password": {"POST", "OPTIONS"},
        "/account/sessions": {"GET", "HEAD", "DELETE", "OPTIONS"},
        "/account/sessions/AAAAAAAAAAAAAAAAAAAAAA": {"DELETE", "OPTIONS"},
    }
)


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind of database will do: none of this depends on it."""
    return sqlite_url


@pytest.mark.requirement("A12", "C02", "D02", "K01", "O15", "O20")
@pytest.mark.parametrize("path", ALLOWED)
async def test_any_other_method_is_refused_with_those_there_are(jeton: Running, path: str) -> None:
    for method in METHODS - ALLOWED[path]:
        response = await jeton.http.request(method, path)

        assert response.status_code == 405, method
        assert {word.strip() for word in response.headers["allow"].split(",")} == ALLOWED[path]
        assert response.headers["content-type"] == "application/json"
        assert method == "HEAD" or set(response.json()) == {"error", "error_description"}


@pytest.mark.requirement("O15", "O19")
@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/oauth", "/oauth/", "/oauth/token/x", "/docs", "/metrics", "/admin", "/.git/config",
     "/.well-known/openid-federation"],
)  # fmt: skip
async def test_there_is_nothing_else(jeton: Running, path: str) -> None:
    response = await jeton.http.get(path)

    assert (response.status_code, response.headers["content-type"]) == (404, "application/json")
    assert set(response.json()) == {"error", "error_description"}
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.requirement("A54", "O19")
async def test_an_unknown_path_is_not_repeated_in_the_answer(jeton: Running) -> None:
    assert "hello-there" not in (await jeton.http.get("/hello-there")).text


@pytest.mark.parametrize("path", [*DOCUMENTS, *HEALTH])
async def test_head_has_the_headers_of_get(jeton: Running, path: str) -> None:
    head, get = await jeton.http.head(path), await jeton.http.get(path)

    assert (head.status_code, dict(head.headers)) == (200, dict(get.headers))


@pytest.mark.requirement("I15")
@pytest.mark.parametrize("path", ["/oauth/token/", "/oauth/revoke/", "//oauth/token", "/oauth/introspect/"])
async def test_a_request_with_credentials_is_never_sent_elsewhere(jeton: Running, path: str) -> None:
    response = await jeton.post(path, jeton.add_client(), token="garbage")

    assert response.status_code == 404
    assert "location" not in response.headers


# Security headers.


async def _answers(jeton: Running) -> dict[str, httpx2.Response]:
    """One answer of each kind that the server gives."""
    app = jeton.add_client()
    etag = (await jeton.http.get(DOCUMENTS[0])).headers["etag"]
    answers = {path: await jeton.http.get(path) for path in [*DOCUMENTS, *HEALTH]}
    return answers | {
        "tokens": await jeton.token(app, grant_type="client_credentials"),
        "revoked": await jeton.revoke(app, "garbage"),
        "introspected": await jeton.post("/oauth/introspect", app, token="garbage"),
        "refused": await jeton.token(app),
        "unauthenticated": await jeton.token(None),
        "preflight": await jeton.http.options("/oauth/token"),
        "not modified": await jeton.http.get(DOCUMENTS[0], headers={"If-None-Match": etag}),
        "not found": await jeton.http.get("/nowhere"),
        "not allowed": await jeton.http.get("/oauth/token"),
    }


@pytest.mark.requirement("O12")
@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'"),
        ("content-security-policy", "frame-ancestors 'none'"),
        ("referrer-policy", "no-referrer"),
    ],
    ids=["nosniff", "csp", "frame-ancestors", "referrer"],
)
async def test_every_answer_has_the_security_header(jeton: Running, header: str, part: str) -> None:
    answers = await _answers(jeton)

    assert [kind for kind, answer in answers.items() if part not in answer.headers.get(header, "")] == []


@pytest.mark.requirement("A08", "O12")
async def test_browsers_are_told_to_stay_with_https_where_the_issuer_has_it(start: StartServer) -> None:
    jeton = await start(SERVER__ISSUER="https://id.example")

    answers = await _answers(jeton)

    assert [
        kind
        for kind, answer in answers.items()
        if not answer.headers.get("strict-transport-security", "").startswith("max-age=31536000")
    ] == []


@pytest.mark.requirement("O12")
async def test_plain_http_on_loopback_promises_no_https(jeton: Running) -> None:
    answers = await _answers(jeton)

    assert [kind for kind, answer in answers.items() if "strict-transport-security" in answer.headers] == []


@pytest.mark.requirement("O15")
@pytest.mark.parametrize("header", ["server", "x-powered-by", "via"])
async def test_no_answer_says_what_it_was_made_with(jeton: Running, header: str) -> None:
    answers = await _answers(jeton)

    assert [kind for kind, answer in answers.items() if header in answer.headers] == []


@pytest.mark.requirement("O11")
async def test_no_answer_sets_a_cookie(jeton: Running) -> None:
    answers = await _answers(jeton)

    assert [kind for kind, answer in answers.items() if "set-cookie" in answer.headers] == []


# Health.


async def test_a_live_server_says_so(jeton: Running) -> None:
    response = await jeton.http.get("/livez")

    assert (response.status_code, response.json()) == (200, {"status": "alive"})
    assert response.headers["cache-control"] == "no-store"


async def test_a_server_that_sees_its_database_is_ready(jeton: Running) -> None:
    response = await jeton.http.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ready"})
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.requirement("O19")
async def test_a_server_that_has_not_seen_its_database_for_a_while_is_alive_but_not_ready(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    _let_pass(monkeypatch, 9)

    ready, alive = await jeton.http.get("/readyz"), await jeton.http.get("/livez")

    assert (ready.status_code, alive.status_code) == (503, 200)
    assert ready.headers["cache-control"] == "no-store"


def _let_pass(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """The upkeep's own clock, and nobody else's, goes on by so much."""
    monkeypatch.setattr(maintenance, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + seconds))


@pytest.mark.requirement("O19")
async def test_a_look_that_fails_does_not_count_and_the_next_good_one_does(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    _let_pass(monkeypatch, 9)

    with before_each_statement(jeton, _fail):
        with pytest.raises(StorageUnavailableError):
            jeton.maintenance.refresh()
        away = await jeton.http.get("/readyz")
    jeton.maintenance.refresh()

    assert (away.status_code, (await jeton.http.get("/readyz")).status_code) == (503, 200)


def _fail(*_: object) -> None:
    raise OperationalError("SELECT", {}, Exception("the database is away"))


@pytest.mark.requirement("O19", "O20")
@pytest.mark.parametrize("path", FORMS)
async def test_without_its_database_the_server_says_when_to_come_again(jeton: Running, path: str) -> None:
    app = jeton.add_client()

    with before_each_statement(jeton, _fail):
        response = await jeton.post(path, app, grant_type="client_credentials", token="garbage")

    assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert "database" not in response.text


@pytest.mark.requirement("O19")
@pytest.mark.parametrize("path", DOCUMENTS)
async def test_without_its_database_the_server_still_publishes_its_documents(jeton: Running, path: str) -> None:
    with before_each_statement(jeton, _fail):
        response = await jeton.http.get(path)

    assert response.status_code == 200


@pytest.mark.requirement("O19")
@pytest.mark.parametrize("path", FORMS)
async def test_a_failure_that_nobody_foresaw_is_a_fixed_sentence(
    jeton: Running, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    app = jeton.add_client()

    def fail(*_: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(jeton.lookups, "_clients", fail)
    response = await jeton.post(path, app, grant_type="client_credentials", token="garbage")

    assert (response.status_code, response.json()["error"]) == (500, "server_error")
    assert "secret detail" not in response.text
    assert "RuntimeError" not in response.text


async def test_now_and_then_a_connection_is_closed_so_that_workers_share_the_load(jeton: Running) -> None:
    answers = [await jeton.http.post("/oauth/token") for _ in range(ANSWERS_PER_CLOSED_CONNECTION)]

    closing = [answer.headers.get("connection") == "close" for answer in answers]

    assert closing == [*[False] * (ANSWERS_PER_CLOSED_CONNECTION - 1), True]


@pytest.mark.postgresql
@pytest.mark.requirement("O19")
async def test_a_server_whose_database_became_read_only_is_not_ready_until_it_can_be_written(
    empty_postgresql_url: str,
) -> None:
    migrate(database := Database(empty_postgresql_url))
    name = database.url.database
    async with running(settings_for(empty_postgresql_url)) as jeton:
        with database.engine.begin() as connection:
            connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        jeton.database.engine.dispose()
        jeton.maintenance.refresh()
        read_only = await jeton.http.get("/readyz")
        with database.engine.begin() as connection:
            connection.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
        jeton.maintenance.refresh()
        jeton.maintenance.refresh()

        assert (read_only.status_code, (await jeton.http.get("/readyz")).status_code) == (503, 200)
    database.close()
