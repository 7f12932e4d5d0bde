"""Command-line options that describe a client."""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import click

from jeton.admin.client_changes import ClientChanges
from jeton.admin.client_description import LIFETIMES
from jeton.cli.client_key_options import KEY_OPTIONS, key_changes
from jeton.config.settings import MAX_ACCESS_SECONDS
from jeton.grants import GRANTS
from jeton.oauth.clients import (
    APPLICATION_TYPES,
    ID_TOKEN_ALGORITHMS,
    KEY_METHODS,
    REFRESH_TOKEN_RULES,
    SECRET_METHODS,
    SESSION_BINDINGS,
)

GRANT_TYPES: Final = tuple(grant.name for grant in GRANTS)
LOGO: Final = "logo"
# What `--clear` takes beside the logo, and the field of `Client` that it resets.
CLEARABLE: Final = {
    "grant": "grant_types",
    "scope": "scope",
    "default-scope": "default_scope",
    "audience": "audience",
    "claim": "claims",
    "origin": "origins",
    "lifetimes": "lifetimes",
    "name": "name",
    "redirect-uri": "redirect_uris",
    "post-logout-redirect-uri": "post_logout_redirect_uris",
    "resource": "resources",
    "refresh-token": "refresh_token",
    "backchannel-logout-uri": "backchannel_logout_uri",
    "jwks": "jwks",
    "jwks-uri": "jwks_uri",
    "tls-subject": "tls_subject",
}
_SETS: Final = (
    *("grant_types", "scope", "default_scope", "auth_methods", "claims", "origins"),
    *("redirect_uris", "post_logout_redirect_uris"),
)
_LISTS: Final = ("audience", "resources")
# Options that take one value, or a flag that has an opposite; None if they are left out.
_SINGLE: Final = (
    *("introspect", "session_binding", "name", "application_type", "first_party", "require_pkce", "refresh_token"),
    *("backchannel_logout_uri", "backchannel_logout_session_required", "id_token_alg", "refresh_cookie"),
    *("require_par", "require_dpop"),
)
_MAX_REFRESH_SECONDS: Final = 10 * 366 * 86400

Command = TypeVar("Command", bound=Callable[..., Any])


def _repeatable(*names: str, text: str, choices: tuple[str, ...] | None = None, metavar: str | None = None) -> Any:
    kind = None if choices is None else click.Choice(choices)
    return click.option(*names, multiple=True, type=kind, metavar=metavar, help=f"{text} (repeatable).")


def _seconds(*names: str, most: int, least: int = 1, text: str) -> Any:
    return click.option(*names, type=click.IntRange(least, most), help=text)


_OPTIONS: Final = (
    click.option("--public", is_flag=True, help="Public client, without a secret: a browser or mobile app."),
    _repeatable("--grant", "grant_types", choices=GRANT_TYPES, text="Allowed grant type"),
    _repeatable("--scope", metavar="S", text="Allowed scope"),
    _repeatable("--default-scope", metavar="S", text="Scope granted when none is requested"),
    _repeatable("--audience", metavar="A", text="Audience of its access tokens, and of those that it may introspect"),
    _repeatable(
        "--auth-method",
        "auth_methods",
        choices=(*SECRET_METHODS, *KEY_METHODS),
        text="Allowed client authentication method",
    ),
    click.option("--introspect/--no-introspect", default=None, help="Allow it to introspect tokens for its audience."),
    _seconds(
        "--retry-grace-seconds",
        least=0,
        most=300,
        text="Seconds after a refresh in which the same request may be repeated. 0: never.",
    ),
    _seconds(
        "--access-token-seconds",
        "access_seconds",
        most=MAX_ACCESS_SECONDS,
        text="Lifetime of access tokens, in seconds.",
    ),
    _seconds(
        "--refresh-idle-seconds", most=_MAX_REFRESH_SECONDS, text="Seconds after which an unused session expires."
    ),
    _seconds(
        "--refresh-absolute-seconds", most=_MAX_REFRESH_SECONDS, text="Maximum lifetime of a session, in seconds."
    ),
    click.option(
        "--session-binding",
        type=click.Choice(SESSION_BINDINGS),
        help="On a refresh from another network or device: off ignores it, notice logs it, strict ends the session.",
    ),
    _repeatable("--claim", "claims", choices=("preferred_username", "email"), text="Claim added to access tokens"),
    _repeatable("--origin", "origins", metavar="O", text="Browser origin allowed by CORS"),
    click.option("--name", help="Name that people see."),
    click.option(
        "--logo",
        type=click.File("rb"),
        metavar="FILE",
        help="Image that people see: PNG, JPEG or WebP, 64 KiB at most.",
    ),
    click.option(
        "--application-type",
        type=click.Choice(APPLICATION_TYPES),
        help="web: on a server; native: on a device; spa: in a browser.",
    ),
    _repeatable("--redirect-uri", "redirect_uris", metavar="URI", text="Where users are sent back to"),
    _repeatable(
        "--post-logout-redirect-uri",
        "post_logout_redirect_uris",
        metavar="URI",
        text="Where users may be sent after they have signed out",
    ),
    _repeatable("--resource", "resources", metavar="URI", text="Resource that it may request tokens for"),
    click.option("--first-party/--no-first-party", default=None, help="Your own app: users are not asked for consent."),
    click.option(
        "--require-pkce/--no-require-pkce",
        default=None,
        help="Whether authorization requests need PKCE. Required unless told otherwise.",
    ),
    click.option(
        "--require-par/--no-require-par",
        default=None,
        help="Whether authorization requests must be pushed first (RFC 9126).",
    ),
    click.option(
        "--require-dpop/--no-require-dpop",
        default=None,
        help="Refuse token requests without a DPoP proof: its access tokens are bound to a key.",
    ),
    click.option(
        "--refresh-token",
        type=click.Choice(REFRESH_TOKEN_RULES),
        help="When a user's session has refresh tokens. Default: offline_access for web apps that sign users in,"
        " always for others.",
    ),
    click.option(
        "--backchannel-logout-uri",
        metavar="URI",
        help="URL that receives logout tokens when a user has signed out (https, or http on loopback).",
    ),
    click.option(
        "--backchannel-logout-session-required/--no-backchannel-logout-session-required",
        default=None,
        help="Whether it must be told which session has ended.",
    ),
    click.option(
        "--refresh-cookie/--no-refresh-cookie",
        default=None,
        help="Keep its refresh tokens in a cookie that scripts cannot read: for pages of the same site.",
    ),
    click.option("--id-token-alg", type=click.Choice(ID_TOKEN_ALGORITHMS), help="Algorithm of its ID tokens."),
)


def client_options(command: Command) -> Command:
    """Add the options that describe a client to a command."""
    for option in reversed((*_OPTIONS, *KEY_OPTIONS)):
        command = option(command)
    return command


def changes_from(options: dict[str, Any]) -> ClientChanges:
    """Return the changes that the given options ask for; options that were left out change nothing."""
    changes: dict[str, Any] = {name: frozenset(options[name]) for name in _SETS if options[name]}
    changes |= {name: options[name] for name in (*_LISTS, "public") if options[name]}
    changes |= {name: options[name] for name in _SINGLE if options[name] is not None}
    changes |= key_changes(options)
    changes["lifetimes"] = {name: options[name] for name in LIFETIMES if options[name] is not None}
    return cast("ClientChanges", changes)
