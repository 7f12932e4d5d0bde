"""Signing keys of several processes on one database: whatever they do at once, one key is active and one is next."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from jeton.bootstrap.signing_keys import key_rotation
from jeton.crypto.key_stores import KeyStores
from jeton.crypto.master_key import parse_master_keys
from jeton.crypto.sealed_keys import SealedKeys
from jeton.keys.key_rotation import KeyRotation
from jeton.oauth.clients import Client
from jeton.rules.key_lifecycle import KeyChangeRefusedError, KeyState, KeyType, SigningKey, active_and_next
from jeton.storage.clients import insert_client, update_client
from jeton.storage.database import Database
from jeton.storage.signing_keys import insert_signing_keys, load_signing_keys
from jeton.storage.tables import signing_keys
from support.in_process_server import MASTER_KEY, START, ManualClock, settings_for

PROCESSES = 4
CENTURY = 100 * 366 * 86400
ES256, EDDSA = (KeyType(algorithm, None, "database") for algorithm in ("ES256", "EdDSA"))

Change = Callable[[KeyRotation, list[SigningKey]], object]


@contextmanager
def process(url: str, later: int = CENTURY) -> Iterator[KeyRotation]:
    """What a process of its own has of keys, by default a century later."""
    database, clock = Database(url, serving=True), ManualClock()
    clock.advance(later)
    yield key_rotation(settings_for(url), database, clock, KeyStores(SealedKeys(parse_master_keys(MASTER_KEY))))
    database.close()


def stored(database: Database) -> list[SigningKey]:
    with database.read() as connection:
        return load_signing_keys(connection)


def delete_all(database: Database) -> None:
    with database.write() as connection:
        connection.execute(delete(signing_keys))


@pytest.fixture
def keys(database: Database, database_url: str) -> list[SigningKey]:
    """An active and a next key that cost little to make."""
    delete_all(database)
    with process(database_url, 0) as rotation:
        return rotation.ensure_keys_exist(ES256)


def all_at_once(url: str, keys: list[SigningKey], change: Change) -> int:
    """Let all processes make the change, and return how many of them were refused."""
    together = threading.Barrier(PROCESSES)

    def run() -> bool:
        with process(url) as rotation:
            together.wait()
            try:
                change(rotation, keys)
            except KeyChangeRefusedError:
                return True
            return False

    with ThreadPoolExecutor(PROCESSES) as threads:
        return sum(it.result() for it in [threads.submit(run) for _ in range(PROCESSES)])


@pytest.mark.parametrize("state", [KeyState.ACTIVE, KeyState.NEXT])
def test_the_database_holds_no_second_key_in_that_state(
    database: Database, keys: list[SigningKey], state: KeyState
) -> None:
    second = replace(next(key for key in keys if key.state is state), kid="a second one")

    with pytest.raises(IntegrityError), database.write() as connection:
        insert_signing_keys(connection, [second])

    assert stored(database) == keys


def test_of_servers_that_start_for_the_first_time_one_makes_the_keys(database: Database, database_url: str) -> None:
    delete_all(database)

    all_at_once(database_url, [], lambda rotation, _: rotation.ensure_next_key_type(ES256))

    assert Counter((key.state, key.algorithm) for key in stored(database)) == {
        (KeyState.ACTIVE, "ES256"): 1,
        (KeyState.NEXT, "ES256"): 1,
    }


@pytest.mark.parametrize(
    ("change", "next_algorithm", "replaced", "refused"),
    [
        pytest.param(lambda it, _: it.ensure_next_key_type(EDDSA), "EdDSA", None, 0, id="another algorithm is set"),
        pytest.param(lambda it, _: it.rotate_if_due(), "ES256", KeyState.RETIRING, 0, id="a rotation is due"),
        pytest.param(lambda it, _: it.rotate_now(), "ES256", KeyState.RETIRING, PROCESSES - 1, id="operators rotate"),
        pytest.param(
            lambda it, keys: it.revoke(active_and_next(keys)[0].kid),
            "ES256",
            KeyState.REVOKED,
            0,
            id="operators revoke the active key",
        ),
    ],
)
def test_of_processes_that_make_the_same_change_one_does(
    database: Database,
    database_url: str,
    keys: list[SigningKey],
    change: Change,
    next_algorithm: str,
    replaced: KeyState | None,
    refused: int,
) -> None:
    """`replaced` is the state that the active key is in afterwards, if the next key took its place."""
    before = active_and_next(keys)

    assert all_at_once(database_url, keys, change) == refused

    after = stored(database)
    states = {KeyState.ACTIVE: 1, KeyState.NEXT: 1} | ({replaced: 1} if replaced else {})
    assert Counter(key.state for key in after) == states
    assert [key.state for key in after if key.kid == before[0].kid] == [replaced or KeyState.ACTIVE]
    assert active_and_next(after)[0].kid == before[1 if replaced else 0].kid
    assert active_and_next(after)[1].algorithm == next_algorithm


# Keys are published as long as the longest-lived token needs them.


@pytest.mark.parametrize(
    ("inserted", "updated", "expected"), [(7200, None, 7200), (600, 7200, 7200), (600, 60, 600)], ids=str
)
def test_a_client_s_lifetime_and_how_long_the_key_is_kept_are_written_together(
    database: Database, keys: list[SigningKey], inserted: int, updated: int | None, expected: int
) -> None:
    with database.write() as connection:
        insert_client(connection, Client("web", True, START, lifetimes={"access_seconds": inserted}))
        if updated is not None:
            update_client(connection, "web", lifetimes={"access_seconds": updated})

    assert active_and_next(stored(database))[0].longest_seconds == expected


def test_the_next_key_is_kept_for_the_longest_lifetime_of_all_clients(
    database: Database, database_url: str, keys: list[SigningKey]
) -> None:
    with database.write() as connection:
        for number, seconds in enumerate((60, 7200, 900)):
            insert_client(connection, Client(f"web{number}", True, START, lifetimes={"access_seconds": seconds}))
    with process(database_url) as rotation:
        after = rotation.rotate_now()

    assert active_and_next(after)[0].longest_seconds == 7200
