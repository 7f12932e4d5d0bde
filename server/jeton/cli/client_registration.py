"""What a client is registered with: the options that say it, and how it is shown."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

import click

from jeton.grants import GRANTS
from jeton.oauth.clients import SESSION_BINDINGS, Client
from jeton.oauth.metadata import SECRET_METHODS
from jeton.oauth.registration_rules import check_client

GRANT_TYPES: Final = tuple(it.name for it in GRANTS)
_CONFIDENTIAL_GRANTS: Final = frozenset(it.name for it in GRANTS if it.confidential)
LIFETIMES: Final = ("retry_grace_seconds", "access_seconds", "refresh_idle_seconds", "refresh_absolute_seconds")
_SINGLE: Final = ("introspect", "session_binding")
CLEARABLE: Final = {
    "grant": "grant_types",
    "scope": "scope",
    "default-scope": "default_scope",
    "audience": "audience",
    "claim": "claims",
    "origin": "origins",
    "lifetimes": "lifetimes",
}
Command = TypeVar("Command", bound=Callable[..., Any])


def registration_options(command: Command) -> Command:
    """The options that describe a client. Each one given replaces what was there."""
    year = click.IntRange(1, 10 * 366 * 86400)
    for option in reversed(
        [
            click.option("--public", is_flag=True, help="It cannot keep a secret: a browser or mobile app."),
            click.option("--grant", "grant_types", multiple=True, type=click.Choice(GRANT_TYPES), help="May use."),
            click.option("--scope", multiple=True, metavar="S", help="May ask for this scope."),
            click.option("--default-scope", multiple=True, metavar="S", help="Gets this where it asks for none."),
            click.option(
                "--audience", multiple=True, metavar="A", help="`aud` of its tokens; what it introspects for."
            ),
            click.option("--auth-method", "auth_methods", multiple=True, type=click.Choice(SECRET_METHODS)),
            click.option("--introspect/--no-introspect", default=None, help="May introspect tokens for its audience."),
            click.option(
                "--retry-grace-seconds", type=click.IntRange(0, 300), help="The last refresh may be repeated."
            ),
            click.option("--access-token-seconds", "access_seconds", type=click.IntRange(1, 86400)),
            click.option("--refresh-idle-seconds", type=year, help="A session not refreshed for so long ends."),
            click.option(
                "--refresh-absolute-seconds", type=year, help="A session ends after so long, whatever happens."
            ),
            click.option(
                "--session-binding",
                type=click.Choice(SESSION_BINDINGS),
                help="A session refreshed from another network or device: let pass, noticed, or ended.",
            ),
            click.option("--claim", "claims", multiple=True, type=click.Choice(["preferred_username", "email"])),
            click.option(
                "--origin",
                "origins",
                multiple=True,
                metavar="O",
                help="Origin whose pages may use the server, by CORS (repeatable).",
            ),
        ]
    ):
        command = option(command)
    return command


def without(it: Client, cleared: tuple[str, ...]) -> Client:
    """The client with these as a client has them that was given nothing."""
    blank = Client(it.client_id, it.public, it.created_at)
    return replace(it, **{CLEARABLE[name]: getattr(blank, CLEARABLE[name]) for name in cleared})


def changed_by(before: Client, registration: dict[str, Any]) -> Client:
    """The client with the options that were given, checked as a whole."""
    lifetimes = {name: registration[name] for name in LIFETIMES if registration[name] is not None}
    given: dict[str, Any] = {
        name: value if name == "audience" else frozenset(value)
        for name, value in registration.items()
        if name not in (*LIFETIMES, *_SINGLE) and value
    }
    given |= {name: registration[name] for name in _SINGLE if registration[name] is not None}
    after = replace(before, **given, lifetimes={**before.lifetimes, **lifetimes})
    check_client(after, _CONFIDENTIAL_GRANTS)
    return after


def described(it: Client) -> dict[str, Any]:
    """The client as it is shown: nothing of its secrets."""
    return {
        "client_id": it.client_id,
        "public": it.public,
        "grant_types": sorted(it.grant_types),
        "scope": sorted(it.scope),
        "default_scope": sorted(it.default_scope),
        "audience": list(it.audience),
        "auth_methods": sorted(it.auth_methods),
        "introspect": it.introspect,
        "claims": sorted(it.claims),
        "origins": sorted(it.origins),
        **{name: it.lifetimes.get(name) for name in LIFETIMES},
        "session_binding": it.session_binding,
        "disabled": it.disabled,
        "created_at": it.created_at,
    }
