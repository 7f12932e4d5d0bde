"""The pages in the OpenAPI description: what browsers open and send there, and that they get HTML or a redirect."""

from collections.abc import Sequence
from typing import Any, Final

from jeton.endpoints.authorization.interactions import CONSENT_PATH, MY_ACCOUNT_PATH, PARAMETER, SIGN_IN_PATH
from jeton.endpoints.my_account.my_account_forms import SIGNED_OUT_PATH
from jeton.http.form_parsing import MAX_BYTES
from jeton.http.openapi.operations import FORM, STRING, STRINGS, public_operation
from jeton.oauth.discovery import END_SESSION_PATH
from jeton.oauth.metadata import AUTHORIZATION_PATH
from jeton.oauth.user_claims import SELF_SET_CLAIMS

_HTML: Final = {"text/html": {"schema": STRING}}
_AUTHORIZATION: Final = (
    *("client_id", "response_type", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method"),
    *("resource", "response_mode", "nonce", "prompt", "max_age", "login_hint", "ui_locales", "id_token_hint"),
    *("request_uri", "dpop_jkt"),
)
_LOGOUT: Final = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint", "ui_locales")
_REFUSALS: Final = {
    "400": "Refused",
    "403": "Another site sent the form",
    "413": f"The form has more than {MAX_BYTES} bytes",
    "414": f"The query has more than {MAX_BYTES} bytes",
    "415": "The form is compressed",
    "500": "The server failed",
}


def page_paths() -> dict[str, Any]:
    """Return the paths of the pages (docs/pages.md)."""
    authorize, log_out = "Ask a user for authorization (RFC 6749, OpenID Connect)", "Sign out (RP-Initiated Logout)"
    return {
        AUTHORIZATION_PATH: _both("authorize", authorize, _AUTHORIZATION),
        END_SESSION_PATH: _both("logout", log_out, _LOGOUT),
        END_SESSION_PATH + "/confirm": {"post": _send("confirmLogout", "Confirm signing out", PARAMETER)},
        SIGN_IN_PATH: {
            "get": _open("signInPage", "The sign-in page", PARAMETER),
            "post": _send("signIn", "Sign in", PARAMETER, "username", "password"),
        },
        SIGN_IN_PATH + "/other": {"post": _send("useOtherAccount", "Sign in as another user", PARAMETER)},
        CONSENT_PATH: {
            "get": _open("consentPage", "The consent page", PARAMETER),
            "post": _send("decide", "Allow or deny; optional scopes as scope:NAME=true", PARAMETER, "decision"),
        },
        "/": {"get": _open("home", "Redirect to the account page")},
        "/.well-known/change-password": {"get": _open("wellKnownChangePassword", "Redirect to the password form")},
        **_account_pages(),
        "/sign-out": {"post": _send("signOut", "Sign out", "form_token")},
        SIGNED_OUT_PATH: {"get": _open("signedOutPage", "The page after signing out")},
    }


def _account_pages() -> dict[str, Any]:
    """Return the account page and what is sent from there."""
    profile = {
        "get": _open("profileForm", "The form for the profile"),
        "post": _send("saveProfile", "Change the profile", "form_token", *SELF_SET_CLAIMS),
    }
    for operation in profile.values():
        operation["responses"]["404"] = {"description": "People may not change their profile here"}
    ends = {
        "browsers": _send("endBrowser", "Sign out another browser", "form_token", "browser_session_id"),
        "sessions": _send("endAppSession", "End a session of an app", "form_token", "sid"),
        "apps": _send("endApp", "Withdraw the access of an app", "form_token", "client_id"),
    }
    password = ("form_token", "current_password", "new_password", "end_others")
    return {
        MY_ACCOUNT_PATH: {"get": _open("accountPage", "The account page", "done")},
        MY_ACCOUNT_PATH + "/profile": profile,
        MY_ACCOUNT_PATH + "/password": {
            "get": _open("passwordForm", "The form for a new password"),
            "post": _send("changeOwnPassword", "Change the password", *password),
        },
        **{f"{MY_ACCOUNT_PATH}/{of}/end": {"post": operation} for of, operation in ends.items()},
    }


def _both(operation: str, summary: str, names: Sequence[str]) -> dict[str, Any]:
    """Return the operations of an endpoint that takes the same parameters in a query or a form."""
    return {"get": _open(operation, summary, *names), "post": _send(f"{operation}ByPost", summary, *names)}


def _open(operation: str, summary: str, *names: str) -> dict[str, Any]:
    return _operation(operation, summary) | {
        "parameters": [{"name": name, "in": "query", "schema": _schema(name)} for name in names]
    }


def _send(operation: str, summary: str, *names: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {name: _schema(name) for name in names}}
    return _operation(operation, summary) | {"requestBody": {"required": True, "content": {FORM: {"schema": schema}}}}


def _schema(name: str) -> dict[str, Any]:
    return STRINGS if name == "resource" else STRING


def _operation(operation: str, summary: str) -> dict[str, Any]:
    """Return an operation whose answers are pages, also the refusals, or redirects."""
    again = {"Retry-After": {"required": True, "schema": STRING}}
    return public_operation(
        operation,
        summary,
        {
            "200": {"description": "A page", "content": _HTML},
            "303": {
                "description": "A redirect to another page, or to the client",
                "headers": {"Location": {"required": True, "schema": STRING}},
            },
            **{status: {"description": reason, "content": _HTML} for status, reason in _REFUSALS.items()},
            "429": {"description": "Too many requests", "headers": again, "content": _HTML},
            "503": {"description": "Try again", "headers": again, "content": _HTML},
        },
    )
