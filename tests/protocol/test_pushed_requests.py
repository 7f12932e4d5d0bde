"""Pushed authorization requests (RFC 9126): what is pushed, what the reference is worth, and how often."""

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from jeton.oauth.authorization.pushed_requests import PUSHED_SECONDS, REQUEST_URI_PREFIX, PushedRequest
from support.authorization_codes import add_app, redeem
from support.browsing import Browser, authorization_parameters, browser
from support.in_process_server import App, Running, StartServer
from support.responses import outcome
from support.statement_recorder import statements_of

AUTHORIZE, PAR = "/oauth/authorize", "/oauth/par"


async def push(jeton: Running, app: App, **more: Any) -> str:
    response = await jeton.post(PAR, app, None, **authorization_parameters(app, **more))
    assert response.status_code == 201, response.text
    return str(response.json()["request_uri"])


async def follow(visitor: Browser, app: App, request_uri: str, **more: Any) -> httpx2.Response:
    """Open the authorization page for the pushed request."""
    return await visitor.get(AUTHORIZE, client_id=app.client_id, request_uri=request_uri, **more)


def is_error_page(page: httpx2.Response) -> bool:
    return (page.status_code, page.headers.get("location")) == (400, None)


@pytest.mark.requirement("PA01", "PA03", "PA04", "PA13")
@pytest.mark.parametrize("public", [False, True])
async def test_the_reference_leads_through_the_pages_to_a_code(jeton: Running, visitor: Browser, public: bool) -> None:
    app = add_app(jeton, public=public)

    response = await jeton.post(PAR, app, None, **authorization_parameters(app))

    assert (response.status_code, response.headers["cache-control"]) == (201, "no-store")
    assert response.json().keys() == {"request_uri", "expires_in"}
    request_uri, expires_in = response.json()["request_uri"], response.json()["expires_in"]
    assert request_uri.startswith("urn:ietf:params:oauth:request_uri:")
    assert expires_in == PUSHED_SECONDS == 60
    await follow(visitor, app, request_uri)
    await visitor.finish()
    assert visitor.answer["state"] == "the state"
    tokens = await redeem(jeton, app, visitor.answer["code"])
    assert tokens.status_code == 200, tokens.text


@pytest.mark.requirement("PA01", "PA02", "PA05", "PA10", "JA01", "A04")
@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"client_secret": "wrong"}, (400, "invalid_request")),  # beside Basic
        ({"client_id": "other"}, (400, "invalid_request")),
        ({"request_uri": REQUEST_URI_PREFIX + "x"}, (400, "invalid_request")),
        ({"request": "a.b.c"}, (400, "request_not_supported")),
        ({"redirect_uri": "https://evil.example/cb"}, (400, "invalid_request")),
        ({"response_type": "token"}, (400, "unsupported_response_type")),
        ({"code_challenge": ""}, (400, "invalid_request")),
        ({"resource": "https://elsewhere.example"}, (400, "invalid_target")),
        ({"state": "x" * 6000}, (413, "invalid_request")),
        ({"prompt": "none"}, (201, None)),  # a missing session is detected later
        ({"redirect_uri": "", "scope": "read"}, (201, None)),  # the only one that is registered
    ],
)
async def test_a_push_is_validated_like_the_request_and_refused_as_json(
    jeton: Running, parameters: Mapping[str, str], expected: tuple[int, str | None]
) -> None:
    app = add_app(jeton)

    response = await jeton.post(PAR, app, None, **(authorization_parameters(app) | dict(parameters)))

    assert outcome(response) == expected
    assert "location" not in response.headers


@pytest.mark.requirement("PA05")
async def test_pushes_are_limited_with_the_other_requests_of_the_client(start: StartServer) -> None:
    jeton = await start(LIMITS__TOKEN_REQUESTS_PER_CLIENT="2")
    app = add_app(jeton)

    pushed = [(await jeton.post(PAR, app, None, **authorization_parameters(app))).status_code for _ in range(3)]

    assert pushed == [201, 201, 429]


@pytest.mark.requirement("PA05", "PA07")
@pytest.mark.parametrize("decision", ["allow", "deny"])
async def test_one_user_cannot_fill_the_replay_store_with_pushed_requests(start: StartServer, decision: str) -> None:
    jeton = await start(LIMITS__PUSHED_REQUESTS_PER_ACCOUNT="1")
    app = add_app(jeton, public=True)
    for name, statuses in {"alice": (303, 429), "bob": (303,)}.items():
        jeton.add_user(name)
        async with browser(jeton) as visitor:
            for status in statuses:
                await follow(visitor, app, await push(jeton, app, prompt="consent"))
                if visitor.path == "/sign-in":
                    await visitor.sign_in(name)
                assert (await visitor.decide(decision)).status_code == status
    assert int(visitor.page.headers.get("retry-after", 3600)) == 3600


@pytest.mark.requirement("PA06")
async def test_a_reference_that_is_unknown_expired_or_of_another_client_is_shown_as_a_page(
    jeton: Running, visitor: Browser
) -> None:
    app, other = add_app(jeton), add_app(jeton, "other")
    request_uri = await push(jeton, app)

    for client, uri in ((app, REQUEST_URI_PREFIX + "unknown"), (app, request_uri[:-4] + "AAAA"), (other, request_uri)):
        assert is_error_page(await follow(visitor, client, uri))
    assert is_error_page(await visitor.get(AUTHORIZE, request_uri=request_uri))
    jeton.clock.advance(PUSHED_SECONDS - 1)
    await follow(visitor, app, request_uri)
    assert visitor.path == "/sign-in"
    jeton.clock.advance(1)
    assert is_error_page(await follow(visitor, app, request_uri))


@pytest.mark.requirement("PA06")
async def test_parameters_beside_the_reference_are_not_used(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton)
    request_uri = await push(jeton, app)

    beside = {"state": "other", "scope": "read write", "redirect_uri": "https://evil.example/cb"}
    await follow(visitor, app, request_uri, **beside)
    await visitor.finish()

    assert visitor.answer["state"] == "the state"
    assert (await redeem(jeton, app, visitor.answer["code"])).json()["scope"] == "read"


@pytest.mark.requirement("PA08")
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"disabled": True}, None),
        ({"redirect_uris": frozenset({"https://app.example/other"})}, None),
        ({"scope": frozenset({"write"})}, "invalid_scope"),
    ],
)
async def test_a_client_that_has_changed_since_the_push_is_checked_again(
    jeton: Running, visitor: Browser, change: dict[str, Any], error: str | None
) -> None:
    app = add_app(jeton)
    request_uri = await push(jeton, app)
    jeton.set_client(app.client_id, **change)

    page = await follow(visitor, app, request_uri)

    assert is_error_page(page) if error is None else visitor.answer["error"] == error


@pytest.mark.requirement("PA07")
@pytest.mark.both_databases
@pytest.mark.parametrize(("decision", "answer"), [("allow", "code"), ("deny", "error")])
async def test_a_reference_can_be_opened_again_until_the_client_is_answered_and_then_never(
    jeton: Running, visitor: Browser, decision: str, answer: str
) -> None:
    app = add_app(jeton)
    request_uri = await push(jeton, app)
    await follow(visitor, app, request_uri)
    await follow(visitor, app, request_uri)
    await visitor.sign_in()
    consent = visitor.form("/consent")
    await visitor.decide(decision)
    assert answer in visitor.answer

    again = await follow(visitor, app, request_uri)
    back = await visitor.post(consent.action, consent.fields | {"decision": "allow"})

    assert is_error_page(again)
    assert is_error_page(back)


@pytest.mark.requirement("PA04", "PA07")
@pytest.mark.both_databases
async def test_every_node_opens_a_reference_and_knows_that_it_was_used(start: StartServer) -> None:
    first, second = await start(), await start()
    app = add_app(first)
    first.add_user("alice")
    request_uri = await push(first, app)

    async with browser(second) as visitor:
        await follow(visitor, app, request_uri)
        await visitor.finish()
        assert "code" in visitor.answer
    async with browser(first) as visitor:
        assert is_error_page(await follow(visitor, app, request_uri))


@pytest.mark.requirement("PA07")
async def test_a_page_opened_in_time_may_be_submitted_after_the_reference_expired(
    jeton: Running, visitor: Browser
) -> None:
    app = add_app(jeton)
    await follow(visitor, app, await push(jeton, app))
    jeton.clock.advance(29 * 60)

    await visitor.finish()

    assert "code" in visitor.answer


@pytest.mark.requirement("PA07")
@pytest.mark.parametrize(
    ("signs_in", "scope", "error"),
    [(False, "read", "login_required"), (True, "read", "consent_required"), (False, "write", "invalid_scope")],
)
async def test_an_error_that_no_person_has_caused_writes_nothing(
    jeton: Running, visitor: Browser, signs_in: bool, scope: str, error: str
) -> None:
    app = add_app(jeton, public=True)
    if signs_in:
        await visitor.get("/sign-in")
        await visitor.sign_in()
    silent = await push(jeton, app, prompt="none")
    jeton.set_client(app.client_id, scope=frozenset({scope}))

    with statements_of(jeton) as sent:
        for _ in range(2):
            await follow(visitor, app, silent)
            assert visitor.answer["error"] == error

    assert [it for it in sent if not it.startswith("SELECT")] == []


@pytest.mark.requirement("PA09")
@pytest.mark.parametrize("of_server", [False, True])
async def test_where_a_push_is_required_a_plain_request_is_refused(start: StartServer, of_server: bool) -> None:
    jeton = await start(GRANTS__REQUIRE_PAR=str(of_server).lower())
    app = add_app(jeton, require_par=not of_server)
    jeton.add_user("alice")

    async with browser(jeton) as visitor:
        await visitor.authorize(app)
        assert visitor.answer["error"] == "invalid_request"
        await follow(visitor, app, await push(jeton, app))
        assert visitor.path == "/sign-in"
    metadata = (await jeton.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["pushed_authorization_request_endpoint"].endswith(PAR)
    assert metadata["require_pushed_authorization_requests"] is of_server


@pytest.mark.requirement("PA13")
async def test_a_reference_holds_the_request_without_secrets_and_no_row_is_written(jeton: Running) -> None:
    app = add_app(jeton)
    assert app.secret is not None
    form = authorization_parameters(app, client_secret=app.secret)
    with statements_of(jeton) as sent:
        response = await jeton.post(PAR, None, None, **form)

    sealed = response.json()["request_uri"].removeprefix(REQUEST_URI_PREFIX)
    opened = jeton.server.parts.sealed_requests.open(sealed, jeton.clock.now(), PushedRequest)
    assert opened is not None
    assert opened.parameters == {name: it for name, it in form.items() if name != "client_secret"}
    assert [it for it in sent if not it.startswith("SELECT")] == []
