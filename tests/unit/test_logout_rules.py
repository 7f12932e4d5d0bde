"""Logout at the request of a client: which requests are valid, and when the user is asked."""

from typing import Any

import pytest

from jeton.oauth.clients import Client
from jeton.oauth.logout_rules import (
    LogoutRequest,
    LogoutRequestError,
    LogoutStep,
    decide_logout,
    named_client_id,
    parse_logout_request,
)

BYE = "https://app.example/bye"
APP = Client("app", False, 0, post_logout_redirect_uris=frozenset({BYE}), redirect_uris=frozenset({BYE + "/not"}))
HINT = {"aud": "app", "sub": "u_1", "sid": "s"}


@pytest.mark.requirement("LO02")
def test_hint_and_client_id_name_the_same_client() -> None:
    given: list[tuple[dict[str, str], Any]] = [({}, None), ({"client_id": "app"}, None), ({}, HINT)]
    found = [named_client_id(parameters, hint) for parameters, hint in [*given, ({"client_id": "app"}, HINT)]]

    assert found == [None, "app", "app", "app"]
    with pytest.raises(LogoutRequestError, match="other_client"):
        named_client_id({"client_id": "other"}, HINT)


@pytest.mark.requirement("LO04")
@pytest.mark.parametrize(
    ("uri", "client"),
    [
        *((it, APP) for it in (BYE + "/", BYE + "?x", BYE.upper(), BYE + "/not", "https://evil.example", "app:/bye")),
        (BYE, None),
    ],
)
def test_only_a_registered_uri_receives_the_logout_redirect(uri: str, client: Client | None) -> None:
    with pytest.raises(LogoutRequestError, match="not_registered"):
        parse_logout_request({"post_logout_redirect_uri": uri}, client, HINT if client else None)


@pytest.mark.requirement("LO01")
def test_all_parameters_are_optional_and_hints_of_names_are_ignored() -> None:
    assert parse_logout_request({"logout_hint": "alice"}, None, None) == LogoutRequest()
    full = {"post_logout_redirect_uri": BYE, "state": "a state", "ui_locales": "de en"}
    assert parse_logout_request(full, APP, HINT) == LogoutRequest("app", BYE, "a state", ("de", "en"), True, "s")


@pytest.mark.requirement("LO02", "LO03", "LO05")
def test_the_user_is_asked_unless_the_hint_names_this_session() -> None:
    steps = {
        ("s", "s"): LogoutStep.END_SESSION,
        ("other", "s"): LogoutStep.ASK_USER,
        (None, "s"): LogoutStep.ASK_USER,
        ("s", None): LogoutStep.NOT_SIGNED_IN,
        (None, None): LogoutStep.NOT_SIGNED_IN,
    }

    assert {it: decide_logout(LogoutRequest(hint_sid=it[0]), it[1]) for it in steps} == steps
