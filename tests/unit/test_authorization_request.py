"""The authorization request: what is refused by a page, what goes back to the client, and what is understood."""

from typing import Any

import pytest

from jeton.frozen import replace
from jeton.oauth.authorization.authorization_errors import AuthorizationRefusedError, AuthorizationRequestError
from jeton.oauth.authorization.authorization_request import (
    AuthorizationRequest,
    ResponseTarget,
    parse_authorization_request,
    parse_client_and_redirect_uri,
)
from jeton.oauth.clients import Client
from jeton.oauth.errors import ErrorCode
from jeton.oauth.resources import Resource
from support.builders import CALLBACK, READ, authorization_request, client
from support.tables import rows

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
CLIENT = client(
    "app",
    public=True,
    grant_types=frozenset({"authorization_code", "refresh_token"}),
    scope=frozenset({"openid", "profile", "email", "offline_access", "read", "write"}),
    default_scope=READ,
    redirect_uris=frozenset({CALLBACK}),
)
SENT = {
    "client_id": "app",
    "response_type": "code",
    "redirect_uri": CALLBACK,
    "scope": "openid read",
    "state": "s t\u00e4te",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
API = Resource("https://api.example", "API", frozenset({"read"}))
FILES = Resource("https://files.example", "Files", frozenset({"files"}))
ANY = Resource("https://any.example", "Any scope")


def without(*names: str, **more: str) -> dict[str, str]:
    return {name: value for name, value in SENT.items() if name not in names} | more


def target_of(parameters: dict[str, str], client: Client | None = CLIENT) -> ResponseTarget:
    return parse_client_and_redirect_uri(parameters, client)


def parsed(
    parameters: dict[str, str],
    client: Client = CLIENT,
    resource: tuple[str, ...] = (),
    resources: tuple[Resource, ...] = (),
) -> AuthorizationRequest:
    lists = {"resource": resource} if resource else {}
    return parse_authorization_request(parameters, lists, client, target_of(parameters, client), resources)


def refused(parameters: dict[str, str], client: Client = CLIENT, **more: Any) -> AuthorizationRefusedError:
    with pytest.raises(AuthorizationRefusedError) as caught:
        parsed(parameters, client, **more)
    return caught.value


@pytest.mark.requirement("RA05", "RA10", "RR12", "A29")
@pytest.mark.parametrize(
    ("parameters", "client", "reason", "client_id"),
    [
        (without("client_id"), None, "client_id_missing", None),
        (SENT, None, "client_unknown", None),
        (SENT, replace(CLIENT, disabled=True), "client_disabled", "app"),
        *((without(redirect_uri=it), CLIENT, "redirect_uri_not_registered", "app")
          for it in ("https://evil.example/", CALLBACK + "/")),
        (without("redirect_uri"), CLIENT, "redirect_uri_missing", "app"),
        *((without("redirect_uri", scope="read"), replace(CLIENT, redirect_uris=it), "redirect_uri_missing", "app")
          for it in (frozenset[str](), frozenset({CALLBACK, "https://app.example/other"}))),
        *((without(response_mode=it), CLIENT, "response_mode_unsupported", "app")
          for it in ("fragment", "web_message")),
    ],
)  # fmt: skip
def test_a_wrong_client_or_redirect_uri_is_never_answered_by_a_redirect(
    parameters: dict[str, str], client: Client | None, reason: str, client_id: str | None
) -> None:
    with pytest.raises(AuthorizationRequestError) as caught:
        target_of(parameters, client)

    assert (caught.value.reason, caught.value.client_id) == (reason, client_id)


@pytest.mark.requirement("RA10")
def test_the_only_redirect_uri_may_be_left_out_without_openid() -> None:
    found = target_of(without("redirect_uri", scope="read"))

    assert (found.redirect_uri, found.redirect_uri_sent) == (CALLBACK, False)
    assert target_of(SENT).redirect_uri_sent


@pytest.mark.requirement("RA13", "RR04")
@pytest.mark.parametrize("state", ["s", "\u00e4 &=#\u2028", "x" * 2000, None])
def test_state_is_carried_through_untouched(state: str | None) -> None:
    sent = without("state") if state is None else without(state=state)

    assert parsed(sent).state == state
    assert refused(sent | {"code_challenge": ""}).response.state == state


BOTH: dict[str, Any] = {"resources": (API, FILES)}
WRONG: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    *((error, parameters, {}) for error, parameters in rows({
        "invalid_request": [
            *(without(*it.split()) for it in ("response_type", "code_challenge", "code_challenge_method")),
            without("code_challenge", "code_challenge_method"),
            *(without(code_challenge_method="plain"), without(code_challenge="short"), without(nonce="n" * 1025)),
            *(without(prompt=it) for it in ("create", "x", "none login", "none consent", "LOGIN")),
            *(without(max_age=it) for it in ("-1", "x", "1.5", "\u0661", "9" * 11)),
            without("code_challenge", response_mode="form_post"),
            *(without(dpop_jkt=it) for it in ("x", CHALLENGE + "=", CHALLENGE[:-1] + "/")),
        ],
        "unsupported_response_type": [
            without(response_type=it)
            for it in ("token", "id_token", "code token", "code id_token", "none", "x", "Code")
        ],
        "invalid_scope": [without(scope=it) for it in ("unknown", "offline_access", 're"ad')],
        "request_not_supported": [without(request="eyJ")],
        "request_uri_not_supported": [without(request_uri="urn:x")],
        "registration_not_supported": [without(registration="{}")],
    })),
    ("unauthorized_client", SENT, {"client": replace(CLIENT, grant_types=frozenset({"password"}))}),
    *(("invalid_target", SENT, BOTH | {"resource": (it,)})
      for it in ("https://other.example", "api", "https://api.example/#x")),
    ("invalid_scope", without(scope="read"), BOTH | {"resource": (FILES.uri,)}),
]  # fmt: skip


@pytest.mark.requirement("RR05", "RA11", "RA12", "RA14", "RA15", "RA20", "OI02", "OI05", "OI10", "OI11", "NA05")
@pytest.mark.requirement("DP16", "RI01", "RI05", "RI06")
@pytest.mark.parametrize(("error", "parameters", "facts"), WRONG)
def test_request_errors_go_to_the_client_in_its_response_mode(
    error: str, parameters: dict[str, str], facts: dict[str, Any]
) -> None:
    response = refused(parameters, **facts).response

    assert (response.error, response.redirect_uri) == (error, CALLBACK)
    assert response.response_mode == parameters.get("response_mode", "query")
    assert response.description.isascii()
    assert not set(response.description) & set('"\\')


@pytest.mark.requirement("RA12", "OI01", "A19")
def test_unknown_scope_is_ignored_and_a_missing_one_is_the_default() -> None:
    for scope in ("openid read", "read openid"):
        assert parsed(without(scope=scope)).scope == {"openid", "read"}
    for sent in (without(scope="read unknown"), without("scope")):
        assert parsed(sent).scope == {"read"}


@pytest.mark.requirement("OI14")
def test_offline_access_takes_a_consent_page_or_an_administrator_s_waiver() -> None:
    def is_offline(prompt: str | None = None, **fields: Any) -> bool:
        sent = without(scope="openid offline_access", **({} if prompt is None else {"prompt": prompt}))
        return "offline_access" in parsed(sent, replace(CLIENT, **fields)).scope

    assert is_offline("consent")
    assert is_offline("login consent")
    assert is_offline(first_party=True)
    assert is_offline(refresh_token="always")
    assert not any((is_offline(), is_offline("login"), is_offline(refresh_token="offline_access")))


@pytest.mark.requirement("RA17")
def test_an_exempt_client_may_leave_out_pkce_for_openid_only() -> None:
    exempt = replace(CLIENT, public=False, require_pkce=False)
    bare = without("code_challenge", "code_challenge_method")

    assert parsed(bare, exempt).code_challenge is None
    assert refused(bare | {"scope": "read"}, exempt).response.error is ErrorCode.INVALID_REQUEST
    not_openid = replace(exempt, scope=frozenset({"read"}))
    assert refused(bare, not_openid).response.error is ErrorCode.INVALID_REQUEST


@pytest.mark.requirement("RI01", "RI03", "RI05", "RI06")
def test_resources_are_named_as_registered_and_limit_the_scope() -> None:
    def requested(*resource: str, allowed: tuple[Resource, ...] = (API, FILES)) -> tuple[tuple[str, ...], str]:
        request = parsed(SENT, resource=resource, resources=allowed)
        return request.resources, " ".join(sorted(request.scope))

    assert requested(allowed=()) == requested() == ((), "openid read")
    assert requested(allowed=(API,)) == requested("https://api.example/") == ((API.uri,), "openid read")
    assert requested("https://files.example") == ((FILES.uri,), "openid")


@pytest.mark.requirement("RI09")
@pytest.mark.parametrize(
    ("requested", "access"),
    [
        ((), {"": {"openid", "read", "files"}}),
        ((API.uri,), {"": {"openid"}, API.uri: {"read"}}),
        ((API.uri, FILES.uri), {"": {"openid"}, API.uri: {"read"}, FILES.uri: {"files"}}),
        ((API.uri, ANY.uri), {"": {"openid"}, API.uri: {"read"}, ANY.uri: {"read", "files"}}),
    ],
)
def test_scope_applies_only_at_resources_that_define_it(
    requested: tuple[str, ...], access: dict[str, set[str]]
) -> None:
    client = replace(CLIENT, scope=frozenset({"openid", "read", "files"}))
    request = parsed(without(scope="openid read files"), client, resource=requested, resources=(API, FILES, ANY))

    assert request.access(request.scope) == access
    assert request.access(frozenset({"openid"})) == {"": {"openid"}, **{uri: frozenset() for uri in requested}}


@pytest.mark.requirement("OI02", "OI05", "OI06", "OI09", "OI11", "RA03")
def test_a_full_request_is_understood() -> None:
    request = parsed(
        without(
            nonce="n-0S6_WzA2Mj",
            prompt="login consent",
            max_age="0",
            login_hint=" alice@example.com ",
            ui_locales="de-DE en x_y",
            display="popup",
            claims_locales="de",
            acr_values="urn:x",
            claims="{}",
            unknown="ignored",
        )
    )

    assert request == authorization_request(
        state=SENT["state"],
        scope=frozenset({"openid", "read"}),
        code_challenge=CHALLENGE,
        nonce="n-0S6_WzA2Mj",
        prompt=frozenset({"login", "consent"}),
        max_age=0,
        login_hint="alice@example.com",
        ui_locales=("de-DE", "en"),
    )


@pytest.mark.requirement("OI09", "OI11")
@pytest.mark.parametrize(
    ("name", "sent", "expected"),
    [*(("login_hint", it, None) for it in ("x" * 321, "a\nb", " ")), ("nonce", "n" * 1000, "n" * 1000)],
)
def test_a_useless_login_hint_is_ignored_and_a_long_nonce_is_not(name: str, sent: str, expected: str | None) -> None:
    assert getattr(parsed(without(**{name: sent})), name) == expected


@pytest.mark.requirement("RA24", "RA13")
def test_no_value_of_the_request_is_in_what_is_logged() -> None:
    caught = refused(without("code_challenge", state="canary", nonce="canary"))

    assert "canary" not in repr(caught.response) + caught.reason + str(caught)
