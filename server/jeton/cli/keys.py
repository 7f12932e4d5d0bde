"""jeton keys: list and change the keys that sign tokens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from jeton.admin.signing_keys import describe, list_keys
from jeton.bootstrap.from_settings import open_master_keys
from jeton.bootstrap.signing_keys import key_rotation, key_stores, key_times
from jeton.cli.options import TAKES_IDENTIFIER, configured, json_option, opened, reading
from jeton.cli.output import print_results
from jeton.config.settings import Settings
from jeton.keys.key_rotation import KeyRotation
from jeton.observability.logs import configure_logs_once

_COLUMNS = ("kid", "algorithm", "signs", "state", "becomes", "becomes_at", "created_at", "activated_at", "store")


@click.group()
def keys() -> None:
    """Signing keys."""


@keys.command(name="list")
@json_option
@configured
def list_(as_json: bool, settings: Settings) -> None:
    """List the signing keys, what they become, and when.

    \b
    next      published in advance; becomes the active key
    active    signs tokens
    retiring  published until the last token that it signed has expired in every cache
    revoked   no longer published; its tokens are refused
    """
    with reading(settings) as (connection, now):
        found = list_keys(connection, now, key_times(settings))
    _print(found, as_json)


@keys.command()
@click.option(
    "--now", "force", is_flag=True, help="Rotate at once, even if services may not have fetched the next keys."
)
@json_option
@configured
def rotate(force: bool, as_json: bool, settings: Settings) -> None:
    """Make the next key of each algorithm the active one. The old keys stay published for their tokens.

    If caches may not hold a next key yet, a running server rotates as soon as they do: see `becomes_at`.
    """
    with _rotation(settings) as rotation:
        found = rotation.rotate_now() if force else rotation.request_rotation()
    _print(describe(found, key_times(settings)), as_json)


@keys.command(context_settings=TAKES_IDENTIFIER)
@click.argument("kid")
@json_option
@configured
def revoke(kid: str, as_json: bool, settings: Settings) -> None:
    """Remove a compromised key from the key set at once. Its access tokens end; sessions continue."""
    with _rotation(settings) as rotation:
        found = rotation.revoke(kid)
    _print(describe(found, key_times(settings)), as_json)


@contextmanager
def _rotation(settings: Settings) -> Iterator[KeyRotation]:
    configure_logs_once()
    with opened(settings) as (database, clock):
        stores = key_stores(settings, open_master_keys(settings, database))
        rotation = key_rotation(settings, database, clock, stores)
        rotation.ensure_keys_exist()
        yield rotation


def _print(described: Sequence[dict[str, Any]], as_json: bool) -> None:
    print_results(described, as_json=as_json, columns=_COLUMNS)
