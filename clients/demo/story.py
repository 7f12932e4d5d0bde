"""The story of a session, from login to theft: `make demo` plays it on a server of its own, and checks each step.

It is also a tour for whoever writes a client: every request that an application makes is here, in plain HTTP.
Exit status: 0 if every step did what it should, 1 if one did not.
"""

import base64
import json
import sys
from typing import Any, Final

from stage import AUDIENCE, Answer, App, BrokenStep, Stage, raised_stage, step, wait_until

USERNAME: Final = "alice"
REFUSED: Final = (400, "invalid_grant")
INACTIVE: Final = {"active": False}

# What applications and services ask the server


def log_in(app: App, password: str, scope: str) -> Answer:
    """RFC 6749 section 4.3. The app forgets the password as soon as it has the tokens."""
    form = {"grant_type": "password", "username": USERNAME, "password": password, "scope": scope}
    return app.post("/oauth/token", form)


def refresh(app: App, refresh_token: str, idempotency_key: str | None = None) -> Answer:
    """RFC 6749 section 6. With a key, the same request may be sent again where its answer is lost."""
    headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
    return app.post("/oauth/token", {"grant_type": "refresh_token", "refresh_token": refresh_token}, headers)


def revoke(app: App, refresh_token: str) -> Answer:
    """RFC 7009: this is how an app logs its user out."""
    return app.post("/oauth/revoke", {"token": refresh_token})


def introspect(service: App, token: str) -> dict[str, Any]:
    """RFC 7662: a service asks whether a token is good now, and not only when it was issued."""
    return service.post("/oauth/introspect", {"token": token}).body


# The story


def tell(stage: Stage) -> None:
    password, phone, web, service = the_cast_is_introduced(stage)
    first = a_session_begins(stage, phone, password)
    second = an_answer_is_lost(stage, phone, first)
    a_thief_comes(stage, phone, service, first, second)
    a_user_logs_out(web, service, password)
    the_signing_key_is_rotated(stage, web, password)


def the_cast_is_introduced(stage: Stage) -> tuple[str, App, App, App]:
    print("\nThe cast: a user, two apps and a service, made by the command `jeton`")
    step("a new server knows nobody", saw=(stage.jeton("user", "list"), stage.jeton("client", "list")), wanted=([], []))

    alice = stage.jeton("user", "add", USERNAME, "--generate-password")
    step("jeton user add alice --generate-password", saw=alice["username"], wanted=USERNAME)

    registration = (
        "--grant=password",
        "--grant=refresh_token",
        "--scope=read",
        "--scope=write",
        "--audience",
        AUDIENCE,
    )
    phone = stage.jeton("client", "add", "phone", "--public", *registration)
    step("jeton client add phone --public: an app that cannot keep a secret", saw=phone["public"], wanted=True)

    web = stage.jeton("client", "add", "web", *registration)
    step("jeton client add web: an app with a server part, which can", saw=web["public"], wanted=False)

    service = stage.jeton("client", "add", "orders-api", "--introspect", "--audience", AUDIENCE)
    step("jeton client add orders-api --introspect: a service", saw=service["introspect"], wanted=True)

    return (
        alice["password"],
        App(stage.issuer, "phone"),
        App(stage.issuer, "web", web["client_secret"]),
        App(stage.issuer, "orders-api", service["client_secret"]),
    )


def a_session_begins(stage: Stage, phone: App, password: str) -> dict[str, Any]:
    print("\nA session begins: tokens, and an API that wants them")
    wrong = log_in(phone, "not her password", "read")
    step("a wrong password is refused", saw=wrong.refusal, wanted=REFUSED)

    login = log_in(phone, password, "read")
    step("alice logs in on her phone", saw=login.status, wanted=200)
    tokens = login.body
    step("she may read, for ten minutes", saw=(tokens["scope"], tokens["expires_in"]), wanted=("read", 600))

    bare = stage.orders("GET")
    step("the API wants an access token", saw=bare.challenge, wanted=(401, 'Bearer realm="orders"'))
    read = stage.orders("GET", tokens["access_token"])
    step("with hers it lets her in, and asks nobody", saw=(read.status, read.body), wanted=(200, {"orders": []}))
    written = stage.orders("POST", tokens["access_token"])
    missing = 'Bearer realm="orders", error="insufficient_scope", scope="write"'
    step("to place an order she would need another scope", saw=written.challenge, wanted=(403, missing))
    confused = stage.orders("GET", tokens["refresh_token"])
    step("her refresh token is no access token", saw=confused.refusal, wanted=(401, "invalid_token"))
    return tokens


def an_answer_is_lost(stage: Stage, phone: App, first: dict[str, Any]) -> dict[str, Any]:
    print("\nAn answer is lost on the way, and nobody is logged out")
    lost = refresh(phone, first["refresh_token"], "one-key-per-refresh")
    step("the phone refreshes; the answer does not arrive", saw=lost.status, wanted=200)
    again = refresh(phone, first["refresh_token"], "one-key-per-refresh")
    step("it sends the same again with its Idempotency-Key", saw=again.status, wanted=200)
    step("and gets the same answer, byte for byte", saw=again.content == lost.content, wanted=True)

    second = again.body
    step("each refresh token works once: this is the next", saw=second == first, wanted=False)
    step("the new access token is let in", saw=stage.orders("GET", second["access_token"]).status, wanted=200)
    return second


def a_thief_comes(stage: Stage, phone: App, service: App, first: dict[str, Any], second: dict[str, Any]) -> None:
    print("\nA thief comes, with a copy of the first refresh token but not of the Idempotency-Key")
    before = introspect(service, second["access_token"])
    step("until then the session is alive", saw=before["active"], wanted=True)
    theft = refresh(phone, first["refresh_token"])
    step("the thief presents the spent token, and is refused", saw=theft.refusal, wanted=REFUSED)

    honest = refresh(phone, second["refresh_token"])
    step("the whole family is dead: the newest one is refused", saw=honest.refusal, wanted=REFUSED)
    asked = introspect(service, second["access_token"])
    step("introspection says that her access token is dead", saw=asked, wanted=INACTIVE)
    explained = stage.jeton("token", "inspect", second["access_token"])["problems"]
    reason = ["its session was ended: refresh_token_reused"]
    step("jeton token inspect says why", saw=explained, wanted=reason)
    step("jeton session list: there is none left", saw=stage.jeton("session", "list"), wanted=[])
    unasked = stage.orders("GET", second["access_token"])
    step("an API that never asks lets it in for its ten minutes", saw=unasked.status, wanted=200)


def a_user_logs_out(web: App, service: App, password: str) -> None:
    print("\nA user logs out")
    login = log_in(web, password, "read")
    step("alice logs in on the web", saw=login.status, wanted=200)
    tokens = login.body
    before = introspect(service, tokens["access_token"])
    step("the service asks, and hears whose token it is", saw=before.get("client_id"), wanted="web")
    step("the app revokes her refresh token", saw=revoke(web, tokens["refresh_token"]).status, wanted=200)
    asked = introspect(service, tokens["access_token"])
    step("her access token is dead with it", saw=asked, wanted=INACTIVE)
    after = refresh(web, tokens["refresh_token"])
    step("there is nothing left to refresh", saw=after.refusal, wanted=REFUSED)
    step("to revoke it again does no harm", saw=revoke(web, tokens["refresh_token"]).status, wanted=200)


def the_signing_key_is_rotated(stage: Stage, web: App, password: str) -> None:
    print("\nThe signing key is rotated, and nothing is restarted")
    login = log_in(web, password, "read write")
    step("alice logs in once more", saw=login.status, wanted=200)
    old = login.body
    keys = stage.jeton("keys", "rotate")
    (kid,) = (key["kid"] for key in keys if key["state"] == "active")
    step("jeton keys rotate: the next key, long published, signs", saw=kid == kid_of(old), wanted=False)
    wait_until("the server follows", lambda: set(stage.published_kids()) == {key["kid"] for key in keys})

    refreshed = refresh(web, old["refresh_token"])
    step("alice's session goes on", saw=refreshed.status, wanted=200)
    new = refreshed.body
    step("her next access token is signed with the new key", saw=kid_of(new), wanted=kid)
    placed = stage.orders("POST", new["access_token"])
    step("the API lets it in", saw=placed.status, wanted=201)
    read = stage.orders("GET", old["access_token"])
    step("and the old one as before", saw=(read.status, read.body["orders"]), wanted=(200, [placed.body]))
    step("it is the very process that began", saw=stage.api.poll(), wanted=None)


def kid_of(tokens: dict[str, Any]) -> str:
    """Which key signed the access token. (For the story only: an app has no business in its access tokens.)"""
    header = tokens["access_token"].partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(header + "=="))["kid"])


def main() -> int:
    try:
        with raised_stage() as stage:
            tell(stage)
    except (BrokenStep, OSError, LookupError, ValueError) as broken:
        print(f"\nBROKEN: {broken}" if isinstance(broken, BrokenStep) else f"\nBROKEN: {broken!r}", flush=True)
        return 1
    print("\nAll of it happened as told.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
