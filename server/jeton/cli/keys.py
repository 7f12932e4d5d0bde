"""jeton keys: the keys that sign tokens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from jeton.bootstrap.opening import open_master_keys
from jeton.bootstrap.signing_keys import key_kind, key_rotation, key_stores, key_times
from jeton.cli.options import TAKES_IDENTIFIER, configured, json_option, opened, print_results, transaction
from jeton.config import Settings
from jeton.keys.key_rotation import KeyRotation
from jeton.observability.logs import configure_logs_once
from jeton.rules.key_lifecycle import KeyTimings, SigningKey, transition
from jeton.storage.signing_keys import load_signing_keys

_COLUMNS = ("kid", "algorithm", "state", "becomes", "becomes_at", "created_at", "activated_at", "store")


@click.group()
def keys() -> None:
    """Keys that sign tokens."""


@keys.command(name="list")
@json_option
@configured
def list_(as_json: bool, settings: Settings) -> None:
    """List the keys: what each one does now, what it becomes, and when.

    \b
    next      published ahead; signs when it is its turn
    active    signs
    retiring  published until the last token that it signed has expired and every cache is past
    revoked   not published; its tokens are not accepted
    """
    with transaction(settings) as (connection, now):
        found = load_signing_keys(connection)
    _print([key for key in found if key.gone_at is None or now < key.gone_at], key_times(settings), as_json)


@keys.command()
@click.option("--now", "force", is_flag=True, help="At once, even if services may not have seen the next key yet.")
@json_option
@configured
def rotate(force: bool, as_json: bool, settings: Settings) -> None:
    """Let the next key sign; the old one stays published for its tokens.

    Where caches may not have seen the next key yet, a running server does it as soon as they have: the list says when.
    """
    with _rotation(settings) as rotation:
        found = rotation.rotate_now() if force else rotation.request_rotation()
    _print(found, key_times(settings), as_json)


@keys.command(context_settings=TAKES_IDENTIFIER)
@click.argument("kid")
@json_option
@configured
def revoke(kid: str, as_json: bool, settings: Settings) -> None:
    """Take a key out of the key set at once: it was compromised. Sessions live on; its access tokens do not."""
    with _rotation(settings) as rotation:
        found = rotation.revoke(kid)
    _print(found, key_times(settings), as_json)


@contextmanager
def _rotation(settings: Settings) -> Iterator[KeyRotation]:
    configure_logs_once()
    with opened(settings) as (database, clock):
        stores = key_stores(settings, open_master_keys(settings, database))
        rotation = key_rotation(settings, database, clock, stores)
        rotation.ensure_keys_exist(key_kind(settings, stores))
        yield rotation


def _print(found: Sequence[SigningKey], times: KeyTimings, as_json: bool) -> None:
    print_results([_described(key, found, times) for key in found], as_json=as_json, columns=_COLUMNS)


def _described(key: SigningKey, found: Sequence[SigningKey], times: KeyTimings) -> dict[str, Any]:
    state, at = transition(key, found, times)
    return {
        "kid": key.kid,
        "algorithm": key.algorithm,
        "rsa_bits": key.key_type.rsa_bits,
        "store": key.store,
        "state": key.state,
        "becomes": state,
        "becomes_at": at,
        "created_at": key.created_at,
        "ready_at": key.ready_at,
        "activated_at": key.activated_at,
        "gone_at": key.gone_at,
    }
