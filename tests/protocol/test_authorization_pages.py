"""An authorization request through the pages, as a browser without scripts sees it."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from html import unescape
from typing import Any

import pytest
from structlog.testing import capture_logs

from support.authorization_codes import add_app, add_resource, redeem
from support.browsing import Browser, authorization_parameters, browser
from support.in_process_server import ISSUER, PASSWORD, Running, running, settings_for
from support.written_log import WrittenLog

pytestmark = pytest.mark.anyio

AUTHORIZE = "/oauth/authorize"


@pytest.fixture
async def visitor(jeton: Running) -> AsyncIterator[Browser]:
    jeton.add_user("alice")
    async with browser(jeton) as it:
        yield it


@pytest.mark.requirement("A30", "RA01", "RR02", "RR03", "RR04", "CN01")
async def test_sign_in_and_consent_lead_to_the_client_with_a_code(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton)
    await visitor.get(AUTHORIZE, **authorization_parameters(app))
    assert visitor.path == "/sign-in"
    await visitor.sign_in()
    assert visitor.path == "/consent"
    await visitor.decide()
    assert visitor.answer.keys() == {"code", "state", "iss"}
    assert visitor.answer["state"] == "the state"
    assert visitor.answer["iss"] == ISSUER
    tokens = await redeem(jeton, app, visitor.answer["code"])
    assert tokens.status_code == 200, tokens.text
    assert tokens.json()["scope"] == "read"


@pytest.mark.requirement("CN03")
async def test_second_request_passes_silently(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton)
    await visitor.get(AUTHORIZE, **authorization_parameters(app))
    await visitor.sign_in()
    await visitor.decide()
    await visitor.get(AUTHORIZE, **authorization_parameters(app))
    assert "code" in visitor.answer


@pytest.mark.requirement("CN03")
async def test_wider_request_asks_again_and_marks_what_is_new(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton)
    await visitor.get(AUTHORIZE, **authorization_parameters(app))
    await visitor.sign_in()
    await visitor.decide()
    await visitor.get(AUTHORIZE, **authorization_parameters(app, scope="read write"))
    assert visitor.path == "/consent"
    assert visitor.page.text.count('class="chip"') == 1


@pytest.mark.requirement("CN03", "MC11", "RI09")
async def test_consent_counts_at_its_resource_and_is_widened(jeton: Running, visitor: Browser) -> None:
    first, second = (add_resource(jeton, f"https://{it}.example", "read", "write").uri for it in ("one", "two"))
    app = add_app(jeton, resources=(first, second))

    async def step(resource: str, scope: str) -> str:
        """Ask, and allow. Return what is marked as new, or nothing if nobody is asked."""
        await visitor.get(AUTHORIZE, **authorization_parameters(app, resource=resource, scope=scope))
        if visitor.path == "/sign-in":
            await visitor.sign_in()
        if visitor.path != "/consent":
            return ""
        marked = re.findall(r"<li>([^<]*) <span class=\"chip\">new</span>", visitor.page.text)
        await visitor.decide()
        return " ".join(marked) or "asked"

    asked = [await step(first, "read"), await step(second, "read"), await step(first, "read write")]
    assert asked == ["asked", f"read {second}", "write"]
    assert [await step(first, "read write"), await step(second, "read"), await step(first, "write")] == ["", "", ""]


@pytest.mark.requirement("CN04")
async def test_denial_tells_the_client_and_stores_nothing(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton)
    await visitor.get(AUTHORIZE, **authorization_parameters(app))
    await visitor.sign_in()
    await visitor.decide("deny")
    assert visitor.answer["error"] == "access_denied"
    await visitor.get(AUTHORIZE, **authorization_parameters(app))
    assert visitor.path == "/consent"


@pytest.mark.requirement("CN04", "A18")
async def test_optional_scopes_are_chosen_one_by_one_and_the_others_are_not_stored(database_url: str) -> None:
    async with running(settings_for(database_url, SCOPES__OPTIONAL="write delete")) as node, browser(node) as visitor:
        node.add_user("alice")
        app = add_app(node, scope=frozenset({"read", "write", "delete"}))

        async def choose(scope: str, *left_out: str) -> str:
            """Ask, and allow all but what is left out. Return the scope of the tokens, or the error."""
            await visitor.get(AUTHORIZE, **authorization_parameters(app, scope=scope))
            if visitor.path == "/sign-in":
                await visitor.sign_in()
            if visitor.path == "/consent":
                fields = visitor.form("/consent").fields
                sent = {name: it for name, it in fields.items() if name.removeprefix("scope:") not in left_out}
                assert len(fields) - len(sent) == len(left_out)
                await visitor.post("/consent", {**sent, "decision": "allow"})
            if "error" in visitor.answer:
                return visitor.answer["error"]
            return str((await redeem(node, app, visitor.answer["code"])).json()["scope"])

        assert await choose("read write delete", "write") == "delete read"
        assert await choose("read delete") == "delete read"
        assert (
            'checked><span>write <span class="chip">new'
            in (await visitor.get(AUTHORIZE, **authorization_parameters(app, scope="read write"))).text
        )
        assert await choose("write", "write") == "access_denied"
        assert await choose("write") == "write"


@pytest.mark.requirement("CN04")
async def test_a_choice_that_was_not_offered_changes_nothing(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton, scope=frozenset({"read", "write"}))
    await visitor.get(AUTHORIZE, **authorization_parameters(app))
    await visitor.sign_in()
    fields = visitor.form("/consent").fields
    await visitor.post("/consent", {**fields, "decision": "allow", "scope:write": "true", "scope:read": "false"})
    assert (await redeem(jeton, app, visitor.answer["code"])).json()["scope"] == "read"


@pytest.mark.requirement("CN01")
async def test_consent_page_says_how_long_the_app_keeps_its_access(jeton: Running, visitor: Browser) -> None:
    for client_id, rule, words in (("a", None, "until you sign out or"), ("b", "always", "also while you are away")):
        app = add_app(jeton, client_id, refresh_token=rule)
        await visitor.get(AUTHORIZE, **authorization_parameters(app))
        if visitor.path == "/sign-in":
            await visitor.sign_in()
        assert words in visitor.page.text


@pytest.mark.requirement("CN05")
async def test_first_party_client_is_not_asked_for_consent(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton, first_party=True)
    await visitor.get(AUTHORIZE, **authorization_parameters(app))
    await visitor.sign_in()
    assert "code" in visitor.answer


@pytest.mark.requirement("CN05", "NA04")
async def test_first_party_on_loopback_has_one_button(jeton: Running, visitor: Browser) -> None:
    uri = "http://127.0.0.1:7777/callback"
    app = add_app(jeton, public=True, first_party=True, application_type="native", redirect_uris=frozenset({uri}))
    for _ in range(2):
        await visitor.get(AUTHORIZE, **authorization_parameters(app, redirect_uri=uri))
        if visitor.path == "/sign-in":
            await visitor.sign_in()
        assert visitor.path == "/consent"
        assert "This app asks to" not in visitor.page.text
        await visitor.decide()
        assert visitor.page.headers["location"].startswith(f"{uri}?code=")


@pytest.mark.requirement("NA04")
async def test_client_on_loopback_is_asked_each_time(jeton: Running, visitor: Browser) -> None:
    uri = "http://127.0.0.1:7777/callback"
    app = add_app(jeton, public=True, application_type="native", redirect_uris=frozenset({uri}))
    await visitor.get(AUTHORIZE, **authorization_parameters(app, redirect_uri=uri))
    await visitor.sign_in()
    await visitor.decide()
    await visitor.get(AUTHORIZE, **authorization_parameters(app, redirect_uri=uri))
    assert visitor.path == "/consent"


@pytest.mark.requirement("RA05", "RR09", "RR15", "PG04")
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"client_id": "unknown"}, "not known to this server"),
        ({"client_id": None}, "cannot be understood"),
        ({"redirect_uri": "https://evil.example/callback"}, "not registered"),
        ({"response_mode": "fragment"}, "cannot be understood"),
    ],
)
async def test_wrong_client_or_redirect_uri_is_an_error_page(
    jeton: Running, visitor: Browser, wrong: dict[str, str | None], words: str
) -> None:
    page = await visitor.get(AUTHORIZE, **authorization_parameters(add_app(jeton), **wrong))
    assert page.status_code == 400
    assert words in page.text
    assert "evil.example" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-frame-options"] == "DENY"


async def test_missing_redirect_uri_is_not_called_unregistered(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton, redirect_uris=frozenset({"https://a.example/callback", "https://b.example/callback"}))
    page = await visitor.get(AUTHORIZE, **authorization_parameters(app, redirect_uri=None))
    assert "cannot be understood" in page.text


async def test_unregistered_redirect_uri_is_in_the_log_line_of_the_error_page(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton)
    uri = "https://evil.example/" + "a" * 1000
    with capture_logs() as lines:
        await visitor.get(AUTHORIZE, **authorization_parameters(app, redirect_uri=uri))
    (line,) = (it for it in lines if it["event"] == "page_refused")
    assert line["reason"] == "redirect_uri_not_registered"
    assert line["redirect_uri"] == uri[:200]


async def test_browser_without_cookies_is_told_to_allow_them(jeton: Running, visitor: Browser) -> None:
    await visitor.get(AUTHORIZE, **authorization_parameters(add_app(jeton)))
    visitor.http.cookies.clear()
    await visitor.sign_in()
    assert "allow cookies" in visitor.page.text


@pytest.mark.requirement("I03", "RA11", "RA14", "RA20", "RR05")
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"scope": "unheard-of"}, "invalid_scope"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"resource": "https://other.example"}, "invalid_target"),
    ],
)
async def test_other_errors_go_to_the_client(
    jeton: Running, visitor: Browser, wrong: dict[str, str | None], error: str
) -> None:
    await visitor.get(AUTHORIZE, **authorization_parameters(add_app(jeton), **wrong))
    assert visitor.answer["error"] == error
    assert visitor.answer["state"] == "the state"
    assert visitor.answer["iss"] == ISSUER


@pytest.mark.requirement("OI03")
async def test_prompt_none_needs_a_session_and_consent(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton)
    await visitor.get("/me")
    await visitor.sign_in()
    await visitor.get(AUTHORIZE, **authorization_parameters(app, prompt="none"))
    assert visitor.answer["error"] == "consent_required"
    await visitor.get(AUTHORIZE, **authorization_parameters(app))
    await visitor.decide()
    await visitor.get(AUTHORIZE, **authorization_parameters(app, prompt="none"))
    assert "code" in visitor.answer


@pytest.mark.requirement("OI04")
async def test_prompt_login_takes_a_new_sign_in_and_going_back_does_not_get_round_it(
    jeton: Running, visitor: Browser
) -> None:
    app = add_app(jeton, first_party=True)
    await visitor.get("/me")
    await visitor.sign_in()
    await visitor.get(AUTHORIZE, **authorization_parameters(app, prompt="login"))
    assert visitor.path == "/sign-in"
    sealed = visitor.form("/sign-in").fields["sealed_request"]
    await visitor.get(AUTHORIZE, sealed_request=sealed)
    assert visitor.path == "/sign-in"
    await visitor.sign_in()
    assert "code" in visitor.answer
    await visitor.get(AUTHORIZE, **authorization_parameters(app, prompt="login"))
    assert visitor.path == "/sign-in"


@pytest.mark.requirement("OI05")
async def test_max_age_takes_a_new_sign_in_once_the_last_one_is_older(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton, first_party=True)
    await visitor.get("/me")
    await visitor.sign_in()
    jeton.clock.advance(30)
    await visitor.get(AUTHORIZE, **authorization_parameters(app, max_age="60"))
    assert "code" in visitor.answer
    jeton.clock.advance(31)
    await visitor.get(AUTHORIZE, **authorization_parameters(app, max_age="60", prompt="none"))
    assert visitor.answer["error"] == "login_required"
    await visitor.get(AUTHORIZE, **authorization_parameters(app, max_age="60"))
    assert visitor.path == "/sign-in"
    await visitor.sign_in()
    assert "code" in visitor.answer
    await visitor.get(AUTHORIZE, **authorization_parameters(app, max_age="0"))
    assert visitor.path == "/sign-in"


@pytest.mark.requirement("OI02")
async def test_prompt_consent_asks_again_and_select_account_offers_another(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton)
    jeton.add_user("bob")
    await visitor.get(AUTHORIZE, **authorization_parameters(app))
    await visitor.sign_in()
    await visitor.decide()
    await visitor.get(AUTHORIZE, **authorization_parameters(app, prompt="consent"))
    assert "This app asks to" in visitor.page.text
    await visitor.get(AUTHORIZE, **authorization_parameters(app, prompt="select_account"))
    assert visitor.path == "/consent"
    await visitor.submit("/sign-in/other")
    assert visitor.path == "/sign-in"
    await visitor.sign_in("bob")
    assert "bob" in visitor.page.text
    await visitor.decide()
    assert "code" in visitor.answer


@pytest.mark.requirement("OI09")
async def test_login_hint_fills_the_name_field_escaped(jeton: Running, visitor: Browser) -> None:
    await visitor.get(AUTHORIZE, **authorization_parameters(add_app(jeton), login_hint='"><script>x'))
    assert visitor.form("/sign-in").fields["username"] == '"><script>x'
    assert "<script>x" not in visitor.page.text


async def test_ui_locales_choose_the_language(jeton: Running, visitor: Browser) -> None:
    english = {"Accept-Language": "en"}
    await visitor.get(AUTHORIZE, english, **authorization_parameters(add_app(jeton), ui_locales="fr de-AT"))
    assert '<html lang="de"' in visitor.page.text
    assert visitor.page.headers["content-language"] == "de"


@pytest.mark.requirement("RA01", "RA22")
async def test_posted_request_becomes_a_get_with_cookies(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton, first_party=True)
    await visitor.get("/me")
    await visitor.sign_in()
    cross_site = {"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example"}
    without_cookies = await jeton.http.post(AUTHORIZE, data=authorization_parameters(app), headers=cross_site)
    assert without_cookies.status_code == 303
    location = without_cookies.headers["location"]
    await visitor.get(location)
    assert "code" in visitor.answer
    jeton.clock.advance(61)
    page = await visitor.get(location)
    assert page.status_code == 400


@pytest.mark.requirement("RR11")
async def test_form_post_answers_with_a_form(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton, first_party=True)
    await visitor.get(AUTHORIZE, **authorization_parameters(app, response_mode="form_post"))
    await visitor.sign_in()
    form = visitor.form("/callback")
    assert form.fields.keys() == {"code", "state", "iss"}
    assert "form-action 'self' https://app.example;" in visitor.page.headers["content-security-policy"]


@pytest.mark.requirement("SE05", "RA23")
async def test_sign_in_started_in_another_browser_is_refused(jeton: Running, visitor: Browser) -> None:
    """Login CSRF: the attacker's link would sign the victim in to the attacker's request."""
    async with browser(jeton) as attacker:
        await attacker.get(AUTHORIZE, **authorization_parameters(add_app(jeton)))
        link = str(attacker.page.url)
    page = await visitor.get(link)
    assert page.status_code == 400
    assert "another browser" in page.text


@pytest.mark.requirement("A53", "SE05", "RA22")
@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
async def test_form_of_another_site_is_refused(jeton: Running, visitor: Browser, headers: dict[str, str]) -> None:
    await visitor.get(AUTHORIZE, **authorization_parameters(add_app(jeton)))
    page = await visitor.submit("/sign-in", headers, username="alice", password=PASSWORD)
    assert page.status_code == 403
    await visitor.get("/me")
    assert visitor.path == "/sign-in"


async def test_sealed_request_expires(jeton: Running, visitor: Browser) -> None:
    await visitor.get(AUTHORIZE, **authorization_parameters(add_app(jeton)))
    jeton.clock.advance(1800)
    page = await visitor.sign_in()
    assert page.status_code == 400
    assert "expired" in page.text


@pytest.mark.requirement("SE13")
async def test_two_requests_in_two_tabs_work_independently(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton)
    await visitor.get(AUTHORIZE, **authorization_parameters(app, state="one"))
    first = visitor.form("/sign-in")
    await visitor.get(AUTHORIZE, **authorization_parameters(app, state="two"))
    await visitor.sign_in()
    await visitor.decide()
    assert visitor.answer["state"] == "two"
    await visitor.post(first.action, first.fields | {"username": "alice", "password": PASSWORD})
    assert visitor.answer["state"] == "one"


@pytest.mark.requirement("SE12")
async def test_many_requests_at_once_need_one_small_cookie(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton)
    for state in range(20):
        await visitor.get(AUTHORIZE, **authorization_parameters(app, state=str(state)))
    assert [len(f"{it.name}{it.value}") < 4096 for it in visitor.http.cookies.jar] == [True]
    await visitor.sign_in()
    assert [len(f"{it.name}{it.value}") < 4096 for it in visitor.http.cookies.jar] == [True, True]


@pytest.mark.requirement("PG10")
async def test_wrong_password_shows_the_form_again_and_tells_nothing(jeton: Running, visitor: Browser) -> None:
    await visitor.get(AUTHORIZE, **authorization_parameters(add_app(jeton)))
    for username in ("alice", "nobody"):
        page = await visitor.sign_in(username, "wrong")
        assert page.status_code == 400
        assert "The user name or the password is wrong." in page.text
        assert "wrong" not in visitor.form("/sign-in").fields["password"]
    await visitor.sign_in()
    assert visitor.path == "/consent"


@pytest.mark.requirement("SE01")
async def test_each_sign_in_has_a_new_secret(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton, first_party=True)
    await visitor.get("/me")
    await visitor.sign_in()
    first = {it.name: it.value for it in visitor.http.cookies.jar}
    await visitor.get(AUTHORIZE, **authorization_parameters(app, prompt="login"))
    await visitor.sign_in()
    second = {it.name: it.value for it in visitor.http.cookies.jar}
    assert [name for name in first if first[name] != second[name] and name.endswith("-session")]


@pytest.mark.requirement("RA13")
async def test_state_is_carried_through_untouched(jeton: Running, visitor: Browser) -> None:
    state = "ä%20+&=#" * 140
    await visitor.get(AUTHORIZE, **authorization_parameters(add_app(jeton, first_party=True), state=state))
    await visitor.sign_in()
    assert visitor.answer["state"] == state


async def test_request_that_is_too_long_to_seal_is_refused_to_the_client(jeton: Running, visitor: Browser) -> None:
    await visitor.get(AUTHORIZE, **authorization_parameters(add_app(jeton), state="x" * 6000))
    assert visitor.answer["error"] == "invalid_request"


@pytest.mark.requirement("CN06")
async def test_what_was_shown_is_granted_even_if_the_client_may_do_more_by_now(
    jeton: Running, visitor: Browser
) -> None:
    app = add_app(jeton)
    await visitor.get(AUTHORIZE, **authorization_parameters(app))
    await visitor.sign_in()
    await visitor.submit("/consent", decision="allow", scope="read write")
    tokens = (await redeem(jeton, app, visitor.answer["code"])).json()
    assert tokens["scope"] == "read"


async def test_disabled_user_is_not_signed_in_any_more(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton, first_party=True)
    await visitor.get("/me")
    await visitor.sign_in()
    user = await jeton.lookups.user("alice")
    assert user is not None
    jeton.set_user(user.sub, disabled=True)
    await visitor.get(AUTHORIZE, **authorization_parameters(app, prompt="none"))
    assert visitor.answer["error"] == "login_required"
    await visitor.get("/me")
    assert visitor.path == "/sign-in"


@pytest.mark.requirement("RA05", "RA06")
@pytest.mark.parametrize("decision", ["allow", "deny"])
async def test_nothing_goes_to_a_redirect_uri_that_was_removed_meanwhile(
    jeton: Running, visitor: Browser, decision: str
) -> None:
    app = add_app(jeton)
    await visitor.get(AUTHORIZE, **authorization_parameters(app))
    await visitor.sign_in()
    jeton.set_client(app.client_id, redirect_uris=frozenset({"https://other.example/callback"}))

    page = await visitor.decide(decision)

    assert page.status_code == 400
    assert "address" in page.text
    assert "location" not in page.headers


@pytest.mark.requirement("RR05")
@pytest.mark.parametrize(
    ("lost", "error"),
    [({"scope": frozenset({"write"})}, "invalid_scope"), ({"grant_types": frozenset()}, "unauthorized_client")],
)
async def test_client_is_told_what_it_lost_while_the_question_was_shown(
    jeton: Running, visitor: Browser, lost: dict[str, Any], error: str
) -> None:
    app = add_app(jeton)
    await visitor.get(AUTHORIZE, **authorization_parameters(app))
    await visitor.sign_in()
    jeton.set_client(app.client_id, **lost)

    await visitor.decide()

    assert visitor.answer["error"] == error


@pytest.mark.requirement("RA05", "RA06")
async def test_no_code_goes_to_a_redirect_uri_that_is_removed_at_this_moment(
    jeton: Running, visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = add_app(jeton)
    await visitor.get(AUTHORIZE, **authorization_parameters(app))
    await visitor.sign_in()
    jeton.set_client(app.client_id, redirect_uris=frozenset())
    # As it was when the form arrived.
    monkeypatch.setattr("jeton.endpoints.interactions.is_registered_redirect_uri", lambda *_: True)

    page = await visitor.decide()

    assert page.status_code == 400
    assert "location" not in page.headers


@pytest.mark.requirement("CN06")
async def test_question_to_one_person_is_not_answered_by_another(jeton: Running, visitor: Browser) -> None:
    jeton.add_user("bob")
    await visitor.get(AUTHORIZE, **authorization_parameters(add_app(jeton)))
    await visitor.sign_in()
    question = visitor.form("/consent")
    await visitor.get("/sign-in")
    await visitor.sign_in("bob")
    await visitor.post(question.action, question.fields | {"decision": "allow"})
    assert visitor.path == "/consent"
    assert "<strong>bob</strong>" in visitor.page.text


@pytest.mark.requirement("SE02")
async def test_browser_session_ends_without_use_and_at_last_in_any_case(jeton: Running, visitor: Browser) -> None:
    await visitor.get("/me")
    await visitor.sign_in()
    for _ in range(14):
        jeton.clock.advance(86000)
        await visitor.get("/me")
        assert visitor.path == "/me"
    jeton.clock.advance(1209600 - 14 * 86000)
    await visitor.get("/me")
    assert visitor.path == "/sign-in"
    await visitor.sign_in()
    jeton.clock.advance(86400)
    await visitor.get("/me")
    assert visitor.path == "/sign-in"


@pytest.mark.requirement("RA04")
async def test_pages_answer_no_preflight(jeton: Running) -> None:
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    response = await jeton.http.options(AUTHORIZE, headers=preflight)
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.requirement("RR10", "O18")
async def test_nothing_secret_is_logged(jeton: Running, visitor: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    app = add_app(jeton)
    await visitor.get(AUTHORIZE, **authorization_parameters(app, state="canary-state", login_hint="canary-hint"))
    sealed = visitor.form("/sign-in").fields["sealed_request"]
    await visitor.sign_in("canary-name", "canary-password")
    await visitor.sign_in()
    await visitor.decide()
    code = visitor.answer["code"]
    await visitor.get(AUTHORIZE, sealed_request="canary-sealed")
    logged = capsys.readouterr().out
    assert '"event": "code_issued"' in logged
    secrets = (code, sealed, PASSWORD, "canary", *(it.value or "" for it in visitor.http.cookies.jar))
    assert [it for it in secrets if it in logged] == []


@pytest.mark.requirement("PG10", "PG11", "O20")
async def test_too_many_attempts_show_the_form_with_the_time_to_wait(
    start: Callable[..., Awaitable[Running]],
) -> None:
    node = await start(LIMITS__LOGIN_FAILURES_PER_ADDRESS="2")
    async with browser(node) as it:
        await it.get("/me")
        for _ in range(2):
            assert (await it.sign_in("nobody", "wrong")).status_code == 400
        page = await it.sign_in("nobody", "wrong")
    assert page.status_code == 429
    assert int(page.headers["retry-after"]) > 0
    assert "There were too many attempts." in page.text


async def test_failure_is_a_page_with_a_reference_that_is_in_the_log(
    logged: WrittenLog, jeton: Running, visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    await visitor.get("/me")
    monkeypatch.setattr(type(jeton.server.parts.browser_login), "find", fail)
    page = await visitor.get("/me")
    (reference,) = re.findall(r"<code>([0-9A-Z]{4}-[0-9A-Z]{4})</code>", page.text)
    assert page.status_code == 500
    assert "secret detail" not in page.text
    assert [it["request_id"] for it in logged.lines("server_error")] == [reference]


async def test_page_shows_the_logo_of_the_client(jeton: Running, visitor: Browser) -> None:
    png = b"\x89PNG\r\n\x1a\n and more"
    app = add_app(jeton, "a b&c")
    jeton.set_client(app.client_id, logo=png, logo_type="image/png")
    await visitor.get(AUTHORIZE, **authorization_parameters(app))
    (address,) = re.findall(r'src="(/pages/logo[^"]+)"', visitor.page.text)
    logo = await visitor.http.get(unescape(address))
    assert (logo.status_code, logo.headers["content-type"], logo.content) == (200, "image/png", png)
    assert logo.headers["content-security-policy"].startswith("default-src 'none'")
    assert (await visitor.http.get("/pages/logo?client_id=unknown")).status_code == 404
    assert (await visitor.http.post("/pages/logo")).status_code == 405
