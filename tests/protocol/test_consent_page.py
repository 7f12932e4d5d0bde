"""The consent page: what is asked, what is stored, and what a form cannot change."""

import re
from html import unescape
from typing import Any

import pytest

from support.authorization_codes import add_app, add_resource, redeem
from support.browsing import Browser, browser
from support.in_process_server import Running, running, settings_for


@pytest.mark.requirement("CN03", "MC11", "RI09")
async def test_consent_applies_to_its_resource_and_is_extended(jeton: Running, visitor: Browser) -> None:
    first, second = (add_resource(jeton, f"https://{it}.example", "read", "write").uri for it in ("one", "two"))
    app = add_app(jeton, resources=(first, second))

    async def step(resource: str, scope: str) -> str:
        """Open a request, and consent. Return what is marked as new; nothing if no page asks."""
        await visitor.sign_in_to(app, resource=resource, scope=scope)
        if visitor.path != "/consent":
            return ""
        marked = re.findall(r"<li>([^<]*) <span class=\"chip\">new</span>", visitor.page.text)
        await visitor.decide()
        return " ".join(marked) or "asked"

    asked = [await step(first, "read"), await step(second, "read"), await step(first, "read write")]
    assert asked == ["asked", f"read {second}", "write"]
    assert [await step(first, "read write"), await step(second, "read"), await step(first, "write")] == ["", "", ""]


@pytest.mark.requirement("CN04")
async def test_denial_is_reported_to_the_client_and_stores_nothing(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton)
    await visitor.sign_in_to(app)
    await visitor.decide("deny")
    assert visitor.answer["error"] == "access_denied"
    await visitor.authorize(app)
    assert visitor.path == "/consent"


@pytest.mark.requirement("CN04", "A18")
async def test_optional_scopes_are_chosen_one_by_one_and_the_others_are_not_stored(database_url: str) -> None:
    async with running(settings_for(database_url, SCOPES__OPTIONAL="write delete")) as node, browser(node) as visitor:
        node.add_user("alice")
        app = add_app(node, scope=frozenset({"read", "write", "delete"}))

        async def choose(scope: str, *left_out: str, prompt: str | None = None) -> str:
            """Open a request, and consent without these scopes. Return the scope of the tokens, or the error."""
            await visitor.sign_in_to(app, scope=scope, prompt=prompt)
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
        assert 'checked><span>write <span class="chip">new' in (await visitor.authorize(app, scope="read write")).text
        assert await choose("write", "write") == "access_denied"
        assert await choose("write") == "write"
        assert await choose("read write", "write", prompt="consent") == "read"
        assert [await choose("read delete"), await choose("write", "write")] == ["delete read", "access_denied"]


@pytest.mark.requirement("CN04", "CN06")
@pytest.mark.parametrize("more", [{"scope:write": "true", "scope:read": "false"}, {"scope": "read write"}])
async def test_choice_that_was_not_given_changes_nothing(
    jeton: Running, visitor: Browser, more: dict[str, str]
) -> None:
    app = add_app(jeton, scope=frozenset({"read", "write"}))
    await visitor.sign_in_to(app)
    fields = visitor.form("/consent").fields
    await visitor.post("/consent", {**fields, "decision": "allow", **more})
    assert (await redeem(jeton, app, visitor.answer["code"])).json()["scope"] == "read"


@pytest.mark.requirement("CN01")
async def test_consent_page_says_how_long_the_app_keeps_its_access(jeton: Running, visitor: Browser) -> None:
    for client_id, rule, words in (("a", None, "until you sign out or"), ("b", "always", "also while you are away")):
        await visitor.sign_in_to(add_app(jeton, client_id, refresh_token=rule))
        assert words in visitor.page.text


@pytest.mark.requirement("CN05", "NA04")
async def test_first_party_on_loopback_has_one_button(jeton: Running, visitor: Browser) -> None:
    uri = "http://127.0.0.1:7777/callback"
    app = add_app(jeton, public=True, first_party=True, application_type="native", redirect_uris=frozenset({uri}))
    for _ in range(2):
        await visitor.sign_in_to(app, redirect_uri=uri)
        assert visitor.path == "/consent"
        assert "This app asks to" not in visitor.page.text
        await visitor.decide()
        assert visitor.page.headers["location"].startswith(f"{uri}?code=")


@pytest.mark.requirement("RA05", "RA06")
@pytest.mark.parametrize("decision", ["allow", "deny", "allow, at the same moment"])
async def test_nothing_is_sent_to_a_redirect_uri_that_was_removed_in_between(
    jeton: Running, visitor: Browser, decision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = add_app(jeton)
    await visitor.sign_in_to(app)
    jeton.set_client(app.client_id, redirect_uris=frozenset({"https://other.example/callback"}))
    decision, _, same_moment = decision.partition(", ")
    if same_moment:
        # The client as stored when the form was submitted.
        monkeypatch.setattr("jeton.endpoints.authorization.interactions.is_registered_redirect_uri", lambda *_: True)

    page = await visitor.decide(decision)

    assert page.status_code == 400
    assert same_moment or "address" in page.text
    assert "location" not in page.headers


@pytest.mark.requirement("RR05")
@pytest.mark.parametrize(
    ("lost", "error"),
    [
        ({"scope": frozenset({"write"})}, "invalid_scope"),
        ({"resources": ()}, "invalid_target"),
        ({"grant_types": frozenset({"password"})}, "unauthorized_client"),
    ],
)
async def test_client_gets_an_error_for_what_it_lost_while_the_consent_page_was_shown(
    jeton: Running, visitor: Browser, lost: dict[str, Any], error: str
) -> None:
    api = add_resource(jeton, "https://one.example", "read", "write").uri
    app = add_app(jeton, resources=(api,))
    await visitor.sign_in_to(app, resource=api)
    jeton.set_client(app.client_id, **lost)
    await visitor.decide()
    assert visitor.answer["error"] == error


@pytest.mark.requirement("CN06")
async def test_consent_page_of_one_person_is_not_accepted_from_another(jeton: Running, visitor: Browser) -> None:
    jeton.add_user("bob")
    await visitor.sign_in_to(add_app(jeton))
    question = visitor.form("/consent")
    await visitor.get("/sign-in")
    await visitor.sign_in("bob")
    await visitor.post(question.action, question.fields | {"decision": "allow"})
    assert visitor.path == "/consent"
    assert "<strong>bob</strong>" in visitor.page.text


async def test_page_shows_the_logo_of_the_client(jeton: Running, visitor: Browser) -> None:
    png = b"\x89PNG\r\n\x1a\n and more"
    app = add_app(jeton, "a b&c")
    jeton.set_client(app.client_id, logo=png, logo_type="image/png")
    await visitor.authorize(app)
    (address,) = re.findall(r'src="(/pages/logo[^"]+)"', visitor.page.text)
    logo = await visitor.http.get(unescape(address))
    assert (logo.status_code, logo.headers["content-type"], logo.content) == (200, "image/png", png)
    assert logo.headers["content-security-policy"].startswith("default-src 'none'")
    assert (await visitor.http.get("/pages/logo?client_id=unknown")).status_code == 404
    assert (await visitor.http.post("/pages/logo")).status_code == 405
