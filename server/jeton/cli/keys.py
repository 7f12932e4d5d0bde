"""jeton keys: the keys that sign access tokens."""

from typing import Any

import click

from jeton.assembly import configured_master_keys, key_stores, key_times
from jeton.cli.options import configured, json_option, print_results, transaction
from jeton.config import Settings
from jeton.keys.rotation import ensure_signing_keys, revoke_signing_key, rotate_signing_keys
from jeton.oauth.key_life import SigningKey
from jeton.storage.signing_keys import load_signing_keys

_COLUMNS = ("kid", "algorithm", "state", "created_at", "ready_at", "activated_at", "publish_until")


@click.group()
def keys() -> None:
    """Keys that sign access tokens."""


@keys.command(name="list")
@json_option
@configured
def list_(as_json: bool, settings: Settings) -> None:
    """List the keys: one signs (active), one is published ahead (next), older ones are still published (retiring)."""
    with transaction(settings) as (connection, now):
        found = [key for key in load_signing_keys(connection) if key.is_published(now)]
    _print(found, as_json)


@keys.command()
@click.option("--now", "force", is_flag=True, help="Even if services may not have seen the next key yet.")
@json_option
@configured
def rotate(force: bool, as_json: bool, settings: Settings) -> None:
    """Let the next key sign, as soon as every cache has seen it. The old one stays published for its tokens."""
    bits, times = settings.keys.rsa_bits, key_times(settings)
    stores = key_stores(configured_master_keys(settings))
    with transaction(settings) as (connection, now):
        ensure_signing_keys(connection, stores, bits, now)
        found = rotate_signing_keys(connection, stores, bits, times, now, force=force)
    _print([key for key in found if key.is_published(now)], as_json)


@keys.command()
@click.argument("kid")
@json_option
@configured
def revoke(kid: str, as_json: bool, settings: Settings) -> None:
    """Take a key out of the key set at once: it was compromised. Sessions live on; its access tokens do not."""
    stores = key_stores(configured_master_keys(settings))
    with transaction(settings) as (connection, now):
        found = revoke_signing_key(connection, stores, settings.keys.rsa_bits, key_times(settings), now, kid)
    _print([key for key in found if key.is_published(now)], as_json)


def _print(found: list[SigningKey], as_json: bool) -> None:
    described: list[dict[str, Any]] = [{name: getattr(key, name) for name in _COLUMNS} for key in found]
    print_results(described, as_json=as_json, columns=_COLUMNS)
