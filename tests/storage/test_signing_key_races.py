"""Signing keys of several processes on one database: each series keeps one active and one next key."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from jeton.bootstrap.signing_keys import key_rotation
from jeton.crypto.key_stores import KeyStores
from jeton.crypto.master_key import parse_master_keys
from jeton.crypto.sealed_keys import SealedKeys
from jeton.frozen import replace
from jeton.keys.key_rotation import KeyRotation
from jeton.oauth.clients import Client
from jeton.rules.key_lifecycle import ACCESS_TOKENS, KeyChangeRefusedError, KeyState, SigningKey
from jeton.rules.key_series import active_and_next
from jeton.storage.clients import insert_client, update_client
from jeton.storage.database import Database
from jeton.storage.signing_keys import insert_signing_keys
from jeton.storage.tables import signing_keys
from support.in_process_server import MASTER_KEY, START, ManualClock, settings_for
from support.signing_keys import all_stored_keys, replace_by_ecdsa_keys

PROCESSES = 4
CENTURY = 100 * 366 * 86400
FIRST_KEYS = {
    (series, algorithm, state): 1
    for series, algorithm in ((ACCESS_TOKENS, "ES256"), ("RS256", "RS256"))
    for state in (KeyState.ACTIVE, KeyState.NEXT)
}

Change = Callable[[KeyRotation, list[SigningKey]], object]


@contextmanager
def process(url: str, later: int = CENTURY, algorithm: str = "ES256") -> Iterator[KeyRotation]:
    """Yield the key rotation of a separate process, by default a century later."""
    database, clock = Database(url, serving=True), ManualClock()
    clock.advance(later)
    settings = settings_for(url, KEYS__ALGORITHM=algorithm)
    yield key_rotation(settings, database, clock, KeyStores(SealedKeys(parse_master_keys(MASTER_KEY))))
    database.close()


@pytest.fixture
def keys(database: Database, database_url: str) -> list[SigningKey]:
    """An active and a next key, both of access tokens and of ID tokens."""
    replace_by_ecdsa_keys(database_url)
    return all_stored_keys(database)


def change_concurrently(url: str, keys: list[SigningKey], change: Change, algorithm: str = "ES256") -> int:
    """Let all processes make the change concurrently. Return the number of refusals."""
    together = threading.Barrier(PROCESSES)

    def run() -> bool:
        with process(url, algorithm=algorithm) as rotation:
            together.wait()
            try:
                change(rotation, keys)
            except KeyChangeRefusedError:
                return True
            return False

    with ThreadPoolExecutor(PROCESSES) as threads:
        return sum(it.result() for it in [threads.submit(run) for _ in range(PROCESSES)])


@pytest.mark.parametrize("series", [ACCESS_TOKENS, "RS256"])
@pytest.mark.parametrize("state", [KeyState.ACTIVE, KeyState.NEXT])
def test_the_database_rejects_a_second_key_in_the_same_state(
    database: Database, keys: list[SigningKey], state: KeyState, series: str
) -> None:
    second = replace(next(key for key in keys if (key.state, key.series) == (state, series)), kid="a second one")

    with pytest.raises(IntegrityError), database.write() as connection:
        insert_signing_keys(connection, [second])

    assert all_stored_keys(database) == keys


@pytest.mark.requirement("OI24")
def test_of_servers_that_start_for_the_first_time_one_makes_the_keys(database: Database, database_url: str) -> None:
    with database.write() as connection:
        connection.execute(delete(signing_keys))

    change_concurrently(database_url, [], lambda rotation, _: rotation.ensure_key_types())

    assert Counter((key.series, key.algorithm, key.state) for key in all_stored_keys(database)) == FIRST_KEYS


def revoke_active(rotation: KeyRotation, keys: list[SigningKey]) -> None:
    for key in keys:
        if key.state is KeyState.ACTIVE:
            rotation.revoke(key.kid)


@pytest.mark.parametrize(
    ("change", "replaced", "refused"),
    [
        pytest.param(lambda it, _: it.rotate_if_due(), KeyState.RETIRING, 0, id="a rotation is due"),
        pytest.param(lambda it, _: it.rotate_now(), KeyState.RETIRING, PROCESSES - 1, id="operators rotate"),
        pytest.param(revoke_active, KeyState.REVOKED, 0, id="operators revoke the active keys"),
    ],
)
def test_of_processes_that_replace_the_active_keys_one_does(
    database: Database, database_url: str, keys: list[SigningKey], change: Change, replaced: KeyState, refused: int
) -> None:
    """`replaced` is the state of the active keys afterwards."""
    assert change_concurrently(database_url, keys, change) == refused

    after = all_stored_keys(database)
    replaced_keys = {(it, it if it != ACCESS_TOKENS else "ES256", replaced): 1 for it in (ACCESS_TOKENS, "RS256")}
    assert Counter((key.series, key.algorithm, key.state) for key in after) == FIRST_KEYS | replaced_keys
    by_kid = {key.kid: key.state for key in after}
    becomes = {KeyState.ACTIVE: replaced, KeyState.NEXT: KeyState.ACTIVE}
    assert [by_kid[key.kid] for key in keys] == [becomes[key.state] for key in keys]


@pytest.mark.parametrize(
    ("change", "algorithm", "new"),
    [
        (lambda it, _: it.ensure_key_types(), "EdDSA", (ACCESS_TOKENS, "EdDSA")),
        (lambda it, keys: it.ensure_id_token_keys(keys, {"EdDSA"}), "ES256", ("EdDSA", "EdDSA")),
    ],
    ids=["another algorithm is set", "of a client"],
)
def test_of_processes_that_publish_a_key_of_another_algorithm_one_does(
    database: Database, database_url: str, keys: list[SigningKey], change: Change, algorithm: str, new: tuple[str, str]
) -> None:
    change_concurrently(database_url, keys, change, algorithm)

    after = [key for key in all_stored_keys(database) if key not in keys]
    assert [(key.series, key.algorithm, key.state) for key in after] == [(*new, KeyState.NEXT)]
    gone = {key.series for key in keys if key not in all_stored_keys(database)}
    assert gone == ({ACCESS_TOKENS} if algorithm == "EdDSA" else set())


@pytest.mark.requirement("OI24")
def test_rs256_is_published_for_id_tokens_no_later_than_what_replaces_it(database_url: str) -> None:
    with process(database_url) as rotation:
        after = rotation.ensure_key_types()

    ready_at = {key.series: key.ready_at for key in after if key.state is KeyState.NEXT}
    assert ready_at.keys() == {ACCESS_TOKENS, "RS256"}
    assert ready_at["RS256"] <= ready_at[ACCESS_TOKENS]


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

    assert active_and_next(all_stored_keys(database))[0].longest_seconds == expected


@pytest.mark.usefixtures("keys")
def test_the_next_key_is_kept_for_the_longest_lifetime_of_all_clients(database: Database, database_url: str) -> None:
    with database.write() as connection:
        for number, seconds in enumerate((60, 7200, 900)):
            insert_client(connection, Client(f"web{number}", True, START, lifetimes={"access_seconds": seconds}))
    with process(database_url) as rotation:
        after = rotation.rotate_now()

    assert active_and_next(after)[0].longest_seconds == 7200
