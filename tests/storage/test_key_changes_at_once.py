"""Signing keys of several processes on one database: one is active and one is next, whoever starts and rotates when."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from jeton.bootstrap.signing_keys import key_kind, key_rotation
from jeton.crypto.key_stores import KeyStores
from jeton.crypto.master_key import parse_master_keys
from jeton.crypto.sealed_keys import SealedKeys
from jeton.keys.key_rotation import KeyRotation
from jeton.oauth.clients import Client
from jeton.rules.key_lifecycle import KeyChangeRefusedError, KeyState, SigningKey, active_and_next
from jeton.storage.clients import insert_client, update_client
from jeton.storage.database import Database
from jeton.storage.signing_keys import insert_signing_keys, load_signing_keys
from jeton.storage.tables import signing_keys
from support.in_process_server import MASTER_KEY, START, ManualClock, settings_for

PROCESSES = 4
ONE_OF_EACH = {KeyState.ACTIVE: 1, KeyState.NEXT: 1}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


def stored(database: Database) -> list[SigningKey]:
    with database.read() as connection:
        return load_signing_keys(connection)


@contextmanager
def process(url: str) -> Iterator[KeyRotation]:
    """What a process of its own has of keys, a century after they were made."""
    database, clock = Database(url, serving=True), ManualClock()
    clock.advance(100 * 366 * 86400)
    stores = KeyStores(SealedKeys(parse_master_keys(MASTER_KEY)))
    yield key_rotation(settings_for(url), database, clock, stores)
    database.close()


def all_at_once(url: str, change: Callable[[KeyRotation], Any]) -> None:
    together = threading.Barrier(PROCESSES)

    def run() -> None:
        with process(url) as rotation:
            together.wait()
            change(rotation)

    with ThreadPoolExecutor(PROCESSES) as threads:
        for future in [threads.submit(run) for _ in range(PROCESSES)]:
            future.result()


@pytest.mark.parametrize("state", [KeyState.ACTIVE, KeyState.NEXT])
def test_the_database_holds_no_second_key_in_that_state(database: Database, state: KeyState) -> None:
    before = stored(database)
    second = replace(next(key for key in before if key.state is state), kid="a second one")

    with pytest.raises(IntegrityError), database.write() as connection:
        insert_signing_keys(connection, [second])

    assert stored(database) == before


def test_of_servers_that_start_together_one_makes_the_keys(database: Database, database_url: str) -> None:
    with database.write() as connection:
        connection.execute(delete(signing_keys))
    settings = settings_for(database_url, KEYS__ALGORITHM="ES256")
    kind = key_kind(settings, KeyStores(SealedKeys(parse_master_keys(MASTER_KEY))))

    all_at_once(database_url, lambda rotation: rotation.ensure_next_key_type(kind))

    assert Counter(key.state for key in stored(database)) == ONE_OF_EACH


def test_of_servers_that_ask_for_another_algorithm_together_one_announces_a_key(
    database: Database, database_url: str
) -> None:
    settings = settings_for(database_url, KEYS__ALGORITHM="ES256")
    kind = key_kind(settings, KeyStores(SealedKeys(parse_master_keys(MASTER_KEY))))

    all_at_once(database_url, lambda rotation: rotation.ensure_next_key_type(kind))

    assert Counter((key.state, key.algorithm) for key in stored(database)) == {
        (KeyState.ACTIVE, "RS256"): 1,
        (KeyState.NEXT, "ES256"): 1,
    }


def test_of_servers_that_find_a_rotation_due_together_one_does_it(database: Database, database_url: str) -> None:
    before = stored(database)

    all_at_once(database_url, KeyRotation.rotate_if_due)

    after = stored(database)
    assert Counter(key.state for key in after) == ONE_OF_EACH | {KeyState.RETIRING: 1}
    assert active_and_next(after)[0].kid == active_and_next(before)[1].kid


def test_operators_who_rotate_together_leave_one_key_that_signs(database: Database, database_url: str) -> None:
    refused: list[KeyChangeRefusedError] = []

    def rotate_now(rotation: KeyRotation) -> None:
        try:
            rotation.rotate_now()
        except KeyChangeRefusedError as error:
            refused.append(error)

    all_at_once(database_url, rotate_now)

    assert Counter(key.state for key in stored(database)) == ONE_OF_EACH | {KeyState.RETIRING: 1}
    assert len(refused) == PROCESSES - 1


def test_operators_who_revoke_the_same_key_together_end_that_one_only(database: Database, database_url: str) -> None:
    active, following = active_and_next(stored(database))

    all_at_once(database_url, lambda rotation: rotation.revoke(active.kid))

    after = stored(database)
    assert Counter(key.state for key in after) == ONE_OF_EACH | {KeyState.REVOKED: 1}
    assert active_and_next(after)[0].kid == following.kid


# Before a token lives longer, its key does.


@pytest.mark.parametrize(("seconds", "expected"), [(7200, 7200), (60, 600)], ids=["longer", "shorter"])
def test_a_client_s_lifetime_and_what_the_key_is_kept_for_are_written_together(
    database: Database, seconds: int, expected: int
) -> None:
    with database.write() as connection:
        insert_client(connection, Client("web", True, START))
        update_client(connection, "web", lifetimes={"access_seconds": seconds})

    assert active_and_next(stored(database))[0].longest_seconds == expected


def test_so_are_those_of_a_new_client(database: Database) -> None:
    with database.write() as connection:
        insert_client(connection, Client("web", True, START, lifetimes={"access_seconds": 7200}))

    assert active_and_next(stored(database))[0].longest_seconds == 7200


def test_the_next_key_is_kept_for_the_longest_lifetime_of_all_clients(database: Database, database_url: str) -> None:
    with database.write() as connection:
        for number, seconds in enumerate((60, 7200, 900)):
            insert_client(connection, Client(f"web{number}", True, START, lifetimes={"access_seconds": seconds}))
    with process(database_url) as rotation:
        after = rotation.rotate_now()

    assert active_and_next(after)[0].longest_seconds == 7200
