"""Signing keys of two nodes under any sequence of events (RFC 7517, RFC 9111 section 4.2).

Two servers on one SQLite database, and one clock that only this test moves. In every second each node issues access
tokens and ID tokens, and serves its key set. Every key set that is still fresh must have the keys of all live tokens.
"""

import json
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Final
from uuid import uuid4

import jwt
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event

from jeton.bootstrap.server import Server, assemble
from jeton.bootstrap.signing_keys import key_rotation, key_stores
from jeton.crypto.master_key import parse_master_keys
from jeton.crypto.signed_jwt import Signer
from jeton.keys.key_rotation import KeyRotation
from jeton.rules.key_lifecycle import ACCESS_TOKENS, STALE_SECONDS, KeyChangeRefusedError, KeyState, SigningKey
from jeton.storage.database import Database, StorageUnavailableError
from support.in_process_server import MASTER_KEY, START, ManualClock, settings_for
from support.rsa_keys import RSA_KEYS
from support.signing_keys import all_stored_keys

ACCESS: Final = 30
MAX_AGE: Final = 20
ROTATE: Final = 90
REQUEST_SECONDS: Final = 5
NODES: Final = st.sampled_from([0, 1])
ALGORITHMS: Final = st.sampled_from(["ES256", "EdDSA"])
SECONDS: Final = st.sampled_from([1, 1, 2, 3, 5, 8, 15, MAX_AGE, 35, ROTATE, 130])


class CrashError(Exception):
    """The simulated crash of a process within a transaction."""


@dataclass
class Node:
    """A server and its unanswered token requests. It crashes before statement `crashes_at` of its next change."""

    server: Server
    read_at: int
    is_disconnected: bool = False
    crashes_at: int | None = None
    unanswered: list[tuple[Signer, int]] = field(default_factory=list)

    @property
    def published(self) -> dict[str, Any]:
        return dict(json.loads(self.server.parts.keyring.key_set.document))


@dataclass(frozen=True)
class Cached:
    """A key set in a cache, as the database held it when the node last read it."""

    kids: frozenset[str]
    read_at: int
    fresh_until: int


class KeysMachine(RuleBasedStateMachine):
    """`reached` counts what happened, to prove that the histories are not empty."""

    template: ClassVar[Path]
    folder: ClassVar[Path]
    time: ClassVar[SimpleNamespace]
    reached: ClassVar[Counter[str]]

    @initialize()
    def start(self) -> None:
        RSA_KEYS.restart()
        file = self.folder / f"{uuid4().hex}.db"
        shutil.copy(self.template, file)
        self.url = f"sqlite:///{file}"
        self.clock = ManualClock()
        self.time.monotonic = lambda: float(self.clock.time - START + 1_000_000)
        self.database = Database(self.url)
        self.nodes: list[Node | None] = [None, None]
        self.live: dict[str, tuple[str, int]] = {}
        self.cached: list[Cached] = []
        self.revoked: dict[str, int] = {}
        self.early: dict[str, int] = {}
        self.restart(0, "EdDSA")
        self.restart(1, "EdDSA")

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            for node in self.running():
                if not node.is_disconnected and self.clock.time - node.read_at >= 2:
                    self.read_keys(node)
            for node in self.running():
                self.serve(node)
            self.check_all_caches()

    @rule(number=NODES)
    def node_stops(self, number: int) -> None:
        node = self.nodes[number]
        if node is not None:
            self.nodes[number] = None
            node.server.close()

    @rule(number=NODES, algorithm=ALGORITHMS)
    def node_starts_or_is_replaced(self, number: int, algorithm: str) -> None:
        self.node_stops(number)
        self.restart(number, algorithm)

    @rule(number=NODES, statement=st.integers(0, 6))
    def node_crashes_while_it_changes_keys(self, number: int, statement: int) -> None:
        node = self.nodes[number]
        if node is not None:
            node.crashes_at, node.is_disconnected = statement, False
            self.time_passes(ROTATE)

    @rule(number=NODES, is_disconnected=st.booleans())
    def node_loses_or_finds_the_database(self, number: int, is_disconnected: bool) -> None:
        node = self.nodes[number]
        if node is not None:
            node.is_disconnected = is_disconnected

    @rule()
    def operator_rotates(self) -> None:
        self.command().request_rotation()

    @rule()
    def operator_rotates_at_once(self) -> None:
        before = dict(self.early)
        self.record_early_activation({ACCESS_TOKENS, "RS256"})
        try:
            self.command().rotate_now()
        except KeyChangeRefusedError:
            self.early = before

    @rule(which=st.integers(0, 7))
    def operator_revokes_a_key(self, which: int) -> None:
        keys = [key for key in self.stored() if key.state is not KeyState.REVOKED]
        key = keys[which % len(keys)]
        if key.state is KeyState.ACTIVE:
            self.record_early_activation({key.series})
        self.command().revoke(key.kid)
        self.revoked[key.kid] = self.clock.time
        self.reached["revoked"] += 1

    def settings_of(self, algorithm: str) -> Any:
        return settings_for(
            self.url,
            KEYS__ALGORITHM=algorithm,
            KEYS__ROTATE_SECONDS=str(ROTATE),
            KEYS__PUBLISH_AHEAD_SECONDS="25",
            KEYS__JWKS_MAX_AGE_SECONDS=str(MAX_AGE),
            TOKENS__ACCESS_SECONDS=str(ACCESS),
            TOKENS__STATUS_LIST="false",
        )

    def restart(self, number: int, algorithm: str) -> None:
        server = assemble(self.settings_of(algorithm), self.clock)
        node = self.nodes[number] = Node(server, self.clock.time)
        statements = 0

        def crash(connection: Any, *_: Any) -> None:
            nonlocal statements
            if node.crashes_at is not None and connection.get_execution_options().get("write"):
                statements += 1
                if statements > node.crashes_at:
                    raise CrashError

        event.listen(server.parts.storage.database.engine, "before_cursor_execute", crash)

    def read_keys(self, node: Node) -> None:
        before = node.server.parts.keyring.key_set
        try:
            node.server.parts.background.shared_state.refresh()
        except CrashError:
            self.reached["crashed while changing keys"] += 1
            self.node_stops(self.nodes.index(node))
            return
        node.read_at = self.clock.time
        self.reached["changed"] += before != node.server.parts.keyring.key_set
        kids = {key["kid"] for key in node.published["keys"]}
        assert not kids & self.revoked.keys(), "a revoked key is published after the keys were read"

    def serve(self, node: Node) -> None:
        """Serve the key set, and issue one token at once and one after REQUEST_SECONDS."""
        keyring, now = node.server.parts.keyring, self.clock.time
        kids = frozenset(key["kid"] for key in node.published["keys"])
        self.cached.append(Cached(kids, node.read_at, now + keyring.max_age(now)))
        try:
            signers = [keyring.signer, *(keyring.id_token_signer(it) for it in keyring.id_token_algorithms)]
        except StorageUnavailableError:
            assert self.clock.time - node.read_at > STALE_SECONDS or self.early, "it could have signed"
            self.reached["signed nothing"] += 1
            signers = []
        for signer in {it.kid: it for it in signers}.values():
            self.sign(signer)
            node.unanswered.append((signer, now + REQUEST_SECONDS))
        while node.unanswered and node.unanswered[0][1] <= now:
            self.sign(node.unanswered.pop(0)[0])

    def sign(self, signer: Signer) -> None:
        """Issue a token.

        Check that every node with current keys publishes its key, and that another library verifies it.
        """
        now = self.clock.time
        token = signer.sign({"kid": signer.kid})
        if signer.kid in self.revoked:
            return
        for node in self.running():
            if now - node.read_at <= STALE_SECONDS:
                published = {key["kid"]: key for key in node.published["keys"]}
                assert signer.kid in published, "signed with a key that some node does not publish"
                if signer.kid not in self.live:
                    self.reached[f"{signer.algorithm} keys that signed"] += 1
                    key = jwt.PyJWK(published[signer.kid])
                    jwt.decode(token, key, algorithms=[key.algorithm_name])
        self.live[signer.kid] = (token, now + ACCESS)

    def check_all_caches(self) -> None:
        now = self.clock.time
        self.live = {kid: it for kid, it in self.live.items() if now < it[1] and kid not in self.revoked}
        self.cached = [it for it in self.cached if now < it.fresh_until]
        for cached in self.cached:
            for kid in self.live.keys() - cached.kids:
                # In an emergency a cache may lack the key if its node had not read the keys since.
                assert cached.read_at <= self.early.get(kid, 0), "a fresh key set lacks a key"
                self.reached["missed in an emergency"] += 1

    def command(self) -> KeyRotation:
        """Return the key rotation of the command `jeton keys`."""
        settings = self.settings_of("ES256")
        stores = key_stores(settings, parse_master_keys(MASTER_KEY))
        return key_rotation(settings, self.database, self.clock, stores)

    def record_early_activation(self, series: set[str]) -> None:
        """Record the `next` keys and when they were published, if they are activated before they are ready."""
        for key in self.stored():
            if key.state is KeyState.NEXT and key.series in series and self.clock.time < key.ready_at:
                self.early[key.kid] = key.created_at

    def stored(self) -> list[SigningKey]:
        return all_stored_keys(self.database)

    def running(self) -> list[Node]:
        return [node for node in self.nodes if node is not None]

    @invariant()
    def one_key_signs_and_one_is_next(self) -> None:
        if hasattr(self, "database"):
            states = Counter((key.series, key.state) for key in self.stored())
            assert (states[ACCESS_TOKENS, KeyState.ACTIVE], states[ACCESS_TOKENS, KeyState.NEXT]) == (1, 1)
            assert states["RS256", KeyState.ACTIVE] <= states["RS256", KeyState.NEXT] <= 1

    def teardown(self) -> None:
        if hasattr(self, "database"):
            for number in range(2):
                self.node_stops(number)
            self.database.close()


@pytest.fixture
def machine(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[KeysMachine]:
    time = SimpleNamespace()
    monkeypatch.setattr("jeton.keys.keyring.time", time)
    for module in ("shared_state", "key_refresh"):
        monkeypatch.setattr(f"jeton.background.{module}.time", time)
    KeysMachine.template, KeysMachine.folder, KeysMachine.time = sqlite_template, tmp_path, time
    KeysMachine.reached = Counter()
    return KeysMachine


def run(machine: type[KeysMachine], examples: int, steps: int, *, derandomize: bool = False) -> None:
    limits = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=derandomize,
        suppress_health_check=[*HealthCheck],
        # Shrinking a history takes minutes and does not make it easier to read.
        phases=[Phase.explicit, Phase.generate],
    )
    run_state_machine_as_test(machine, settings=limits)


@pytest.mark.requirement("O14")
def test_fresh_key_set_has_the_keys_of_all_live_tokens(machine: type[KeysMachine]) -> None:
    run(machine, examples=8, steps=12, derandomize=True)

    # How many depends on the source of the machine, which determines its histories.
    assert machine.reached["RS256 keys that signed"] > 0
    assert machine.reached["EdDSA keys that signed"] > 0


@pytest.mark.slow
@pytest.mark.requirement("O14")
def test_fresh_key_set_has_the_keys_of_all_live_tokens_in_many_histories(
    machine: type[KeysMachine],
) -> None:
    run(machine, examples=60, steps=40)

    assert machine.reached.keys() == {
        "changed",
        "crashed while changing keys",
        *(f"{algorithm} keys that signed" for algorithm in ("RS256", "ES256", "EdDSA")),
        "missed in an emergency",
        "revoked",
        "signed nothing",
    }
