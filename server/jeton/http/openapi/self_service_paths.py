"""Self-service and userinfo in the OpenAPI description: what takes the access token of a user."""

from typing import Any

from jeton.http.openapi.operations import ACCESS_TOKEN, FORM, STRING, body_refusals, json_content, reference, refused
from jeton.http.self_service_requests import ACCOUNT_PATH, PASSWORD_PATH, SESSION_PATH, SESSIONS_PATH


def self_service_paths() -> dict[str, Any]:
    """Return the paths of self-service."""
    keep = {
        "name": "keep_current",
        "in": "query",
        "schema": {"type": "boolean"},
        "description": "Keep the current session",
    }
    sid = {"name": "sid", "in": "path", "required": True, "schema": STRING | {"pattern": "^[A-Za-z0-9_-]{22}$"}}
    change = _for_user("changePassword", "Change the password, and end sessions", "SessionsEnded")
    change["requestBody"] = {"required": True, "content": {FORM: {"schema": reference("PasswordChange")}}}
    change["responses"] |= body_refusals() | {"429": refused("Too many requests", "Retry-After")}
    end_one = _for_user("endSession", "End one session", "SessionsEnded", sid)
    end_one["responses"]["404"] = refused("You have no such session, or it has ended")
    return {
        ACCOUNT_PATH: {"get": _for_user("account", "Show the account", "Account")},
        PASSWORD_PATH: {"post": change},
        SESSIONS_PATH: {
            "get": _for_user("sessions", "List the live sessions", "Sessions"),
            "delete": _for_user("endSessions", "End all sessions", "SessionsEnded", keep),
        },
        SESSION_PATH: {"delete": end_one},
    }


def userinfo_operations() -> dict[str, Any]:
    """Return both operations of the userinfo endpoint. The token may be in the form of a POST."""
    post = _for_user("userinfoByPost", "Claims about the user (OpenID Connect)", "Userinfo")
    post["requestBody"] = {"required": False, "content": {FORM: {"schema": reference("UserinfoRequest")}}}
    post["security"] = [*ACCESS_TOKEN, {}]
    post["responses"] |= body_refusals()
    return {"get": _for_user("userinfo", "Claims about the user (OpenID Connect)", "Userinfo"), "post": post}


def _for_user(operation: str, summary: str, response: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": operation,
        "summary": summary,
        "security": ACCESS_TOKEN,
        "parameters": [*parameters, {"name": "DPoP", "in": "header", "schema": STRING}],
        "responses": {
            "200": {"description": "Done", "content": json_content(response)},
            "400": refused("Refused"),
            "401": refused("Missing or invalid access token", "WWW-Authenticate", "Challenge"),
            "403": refused("Insufficient scope", "WWW-Authenticate"),
            "500": refused("The server failed"),
            "503": refused("Try again", "Retry-After"),
        },
    }
