"""The life of a session, from login to a stolen token: `make demo` runs it on a server of its own and checks each step.

It also shows authors of clients every request that an application sends, in plain HTTP.
Exit status: 0 if every step had the expected result, 1 otherwise.
"""

import base64
import json
import sys
from typing import Any, Final

from environment import AUDIENCE, App, Environment, Response, StepFailed, check, started_environment, wait_until

USERNAME: Final = "alice"
REFUSED: Final = (400, "invalid_grant")
INACTIVE: Final = {"active": False}

# Requests of applications and services to the server


def log_in(app: App, password: str, scope: str) -> Response:
    """Log in with a password (RFC 6749 section 4.3). The app discards the password as soon as it has the tokens."""
    form = {"grant_type": "password", "username": USERNAME, "password": password, "scope": scope}
    return app.post("/oauth/token", form)


def refresh(app: App, refresh_token: str, idempotency_key: str | None = None) -> Response:
    """Refresh (RFC 6749 section 6). With a key, the same request can be repeated if its response is lost."""
    headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
    return app.post("/oauth/token", {"grant_type": "refresh_token", "refresh_token": refresh_token}, headers)


def revoke(app: App, refresh_token: str) -> Response:
    """Revoke a token (RFC 7009): this is how an app logs its user out."""
    return app.post("/oauth/revoke", {"token": refresh_token})


def introspect(service: App, token: str) -> dict[str, Any]:
    """Return the current state of a token (RFC 7662), as a service sees it."""
    return service.post("/oauth/introspect", {"token": token}).body


# The steps


def run(environment: Environment) -> None:
    password, phone, web, service = create_users_and_clients(environment)
    first = start_session(environment, phone, password)
    second = repeat_lost_refresh(environment, phone, first)
    replay_stolen_token(environment, phone, service, first, second)
    log_out(web, service, password)
    rotate_signing_key(environment, web, password)


def create_users_and_clients(environment: Environment) -> tuple[str, App, App, App]:
    print("\nCreate a user, two apps and a service with the command `jeton`")
    accounts = environment.jeton("user", "list"), environment.jeton("client", "list")
    check("a new server has no accounts", actual=accounts, expected=([], []))

    alice = environment.jeton("user", "add", USERNAME, "--generate-password")
    check("jeton user add alice --generate-password", actual=alice["username"], expected=USERNAME)

    registration = (
        "--grant=password",
        "--grant=refresh_token",
        "--scope=read",
        "--scope=write",
        "--audience",
        AUDIENCE,
    )
    phone = environment.jeton("client", "add", "phone", "--public", *registration)
    check("jeton client add phone --public: an app that cannot keep a secret", actual=phone["public"], expected=True)

    web = environment.jeton("client", "add", "web", *registration)
    check("jeton client add web: an app with a backend, which can", actual=web["public"], expected=False)

    service = environment.jeton("client", "add", "orders-api", "--introspect", "--audience", AUDIENCE)
    check("jeton client add orders-api --introspect: a service", actual=service["introspect"], expected=True)

    return (
        alice["password"],
        App(environment.issuer, "phone"),
        App(environment.issuer, "web", web["client_secret"]),
        App(environment.issuer, "orders-api", service["client_secret"]),
    )


def start_session(environment: Environment, phone: App, password: str) -> dict[str, Any]:
    print("\nLog in, and call a protected API")
    wrong = log_in(phone, "not her password", "read")
    check("a wrong password is refused", actual=wrong.refusal, expected=REFUSED)

    login = log_in(phone, password, "read")
    check("alice logs in on her phone", actual=login.status, expected=200)
    tokens = login.body
    granted = tokens["scope"], tokens["expires_in"]
    check("the access token has the scope read and lasts ten minutes", actual=granted, expected=("read", 600))

    bare = environment.orders("GET")
    check("the API requires an access token", actual=bare.challenge, expected=(401, 'Bearer realm="orders"'))
    read = environment.orders("GET", tokens["access_token"])
    result = read.status, read.body
    check("with her token it responds, without asking the server", actual=result, expected=(200, {"orders": []}))
    written = environment.orders("POST", tokens["access_token"])
    missing = 'Bearer realm="orders", error="insufficient_scope", scope="write"'
    check("to place an order requires another scope", actual=written.challenge, expected=(403, missing))
    confused = environment.orders("GET", tokens["refresh_token"])
    check("a refresh token is not an access token", actual=confused.refusal, expected=(401, "invalid_token"))
    return tokens


def repeat_lost_refresh(environment: Environment, phone: App, first: dict[str, Any]) -> dict[str, Any]:
    print("\nA response is lost, and the user stays logged in")
    lost = refresh(phone, first["refresh_token"], "one-key-per-refresh")
    check("the phone refreshes; suppose that the response is lost", actual=lost.status, expected=200)
    again = refresh(phone, first["refresh_token"], "one-key-per-refresh")
    check("it repeats the request with its Idempotency-Key", actual=again.status, expected=200)
    check("and receives the same response, byte for byte", actual=again.content == lost.content, expected=True)

    second = again.body
    check("a refresh token works once: this is the next one", actual=second == first, expected=False)
    accepted = environment.orders("GET", second["access_token"])
    check("the API accepts the new access token", actual=accepted.status, expected=200)
    return second


def replay_stolen_token(
    environment: Environment, phone: App, service: App, first: dict[str, Any], second: dict[str, Any]
) -> None:
    print("\nA thief replays a copy of the first refresh token, without the Idempotency-Key")
    before = introspect(service, second["access_token"])
    check("before the replay the session is active", actual=before["active"], expected=True)
    theft = refresh(phone, first["refresh_token"])
    check("the thief presents the used token, and is refused", actual=theft.refusal, expected=REFUSED)

    honest = refresh(phone, second["refresh_token"])
    check("the whole session has ended: the newest token is refused", actual=honest.refusal, expected=REFUSED)
    result = introspect(service, second["access_token"])
    check("introspection says that her access token is inactive", actual=result, expected=INACTIVE)
    explained = environment.jeton("token", "inspect", second["access_token"])["problems"]
    reason = ["its session was ended: refresh_token_reused"]
    check("jeton token inspect says why", actual=explained, expected=reason)
    check("jeton session list shows no session", actual=environment.jeton("session", "list"), expected=[])
    local = environment.orders("GET", second["access_token"])
    check("an API that only checks signatures accepts it until it expires", actual=local.status, expected=200)


def log_out(web: App, service: App, password: str) -> None:
    print("\nLog out")
    login = log_in(web, password, "read")
    check("alice logs in on the web", actual=login.status, expected=200)
    tokens = login.body
    before = introspect(service, tokens["access_token"])
    check("introspection names the client of her token", actual=before.get("client_id"), expected="web")
    check("the app revokes her refresh token", actual=revoke(web, tokens["refresh_token"]).status, expected=200)
    result = introspect(service, tokens["access_token"])
    check("her access token is inactive too", actual=result, expected=INACTIVE)
    after = refresh(web, tokens["refresh_token"])
    check("a refresh is refused", actual=after.refusal, expected=REFUSED)
    check("a second revocation has no effect", actual=revoke(web, tokens["refresh_token"]).status, expected=200)


def rotate_signing_key(environment: Environment, web: App, password: str) -> None:
    print("\nRotate the signing key, without a restart")
    login = log_in(web, password, "read write")
    check("alice logs in again", actual=login.status, expected=200)
    old = login.body
    keys = environment.jeton("keys", "rotate")
    (kid,) = (key["kid"] for key in keys if key["state"] == "active")
    check("jeton keys rotate: the next key, already published, signs", actual=kid == kid_of(old), expected=False)
    wait_until("the server uses the new key", lambda: set(environment.published_kids()) == {key["kid"] for key in keys})

    refreshed = refresh(web, old["refresh_token"])
    check("alice's session continues", actual=refreshed.status, expected=200)
    new = refreshed.body
    check("her next access token is signed with the new key", actual=kid_of(new), expected=kid)
    placed = environment.orders("POST", new["access_token"])
    check("the API accepts it", actual=placed.status, expected=201)
    read = environment.orders("GET", old["access_token"])
    check("and still accepts the old one", actual=(read.status, read.body["orders"]), expected=(200, [placed.body]))
    check("the API was not restarted", actual=environment.api.poll(), expected=None)


def kid_of(tokens: dict[str, Any]) -> str:
    """Return the id of the key that signed the access token. (An app must not read its access tokens.)"""
    header = tokens["access_token"].partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(header + "=="))["kid"])


def main() -> int:
    try:
        with started_environment() as environment:
            run(environment)
    except (StepFailed, OSError, LookupError, ValueError) as error:
        print(f"\nFAILED: {error}" if isinstance(error, StepFailed) else f"\nFAILED: {error!r}", flush=True)
        return 1
    print("\nEvery step had the expected result.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
