"""Signing keys of two nodes, whatever happens in whatever order (RFC 7517, RFC 9111 section 4.2).

Two whole servers on one SQLite database, and one clock that only this test moves. In every second each node is asked
for a token and for the key set, and each second all key sets that are still fresh are held against all tokens alive.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
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
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event

from jeton.bootstrap.server import Server, assemble
from jeton.bootstrap.signing_keys import key_rotation, key_stores
from jeton.crypto.master_key import parse_master_keys
from jeton.crypto.signed_jwt import Signer
from jeton.keys.key_rotation import KeyRotation
from jeton.rules.key_lifecycle import STALE_SECONDS, KeyChangeRefusedError, KeyState, SigningKey
from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.signing_keys import load_signing_keys
from support.in_process_server import MASTER_KEY, START, ManualClock, settings_for

ACCESS: Final = 30
MAX_AGE: Final = 20
ROTATE: Final = 90
REQUEST_SECONDS: Final = 5
NODES: Final = st.sampled_from([0, 1])
ALGORITHMS: Final = st.sampled_from(["ES256", "EdDSA"])
SECONDS: Final = st.sampled_from([1, 1, 2, 3, 5, 8, 15, MAX_AGE, 35, ROTATE, 130])


class Crashed(Exception):
    """The process is gone, in the middle of what it was doing."""


@dataclass
class Node:
    """A server, and what it has not answered yet. `dies_at`: the statement of its next change that it does not live to
    see."""

    server: Server
    looked_at: int
    is_cut_off: bool = False
    dies_at: int | None = None
    asked: list[tuple[Signer, int]] = field(default_factory=list)

    @property
    def published(self) -> dict[str, Any]:
        return dict(json.loads(self.server.parts.keyring.key_set.document))


@dataclass(frozen=True)
class Cached:
    """A key set that somebody fetched, and may use until then: what the database held at the node's last look."""

    kids: frozenset[str]
    looked_at: int
    fresh_until: int


class KeysMachine(RuleBasedStateMachine):
    """`reached` counts what happened, so that nobody praises a machine that never got anywhere."""

    template: ClassVar[Path]
    folder: ClassVar[Path]
    set_monotonic: ClassVar[Callable[[Callable[[], float]], None]]
    reached: ClassVar[Counter[str]]

    @initialize()
    def begin(self) -> None:
        file = self.folder / f"{uuid4().hex}.db"
        shutil.copy(self.template, file)
        self.url = f"sqlite:///{file}"
        self.clock = ManualClock()
        KeysMachine.set_monotonic(lambda: float(self.clock.time - START + 1_000_000))
        self.database = Database(self.url)
        self.nodes: list[Node | None] = [None, None]
        self.alive: dict[str, tuple[str, int]] = {}
        self.cached: list[Cached] = []
        self.revoked: dict[str, int] = {}
        self.hasty: dict[str, int] = {}
        self.restart(0, "EdDSA")
        self.restart(1, "EdDSA")

    # What happens.

    @rule(seconds=SECONDS)
    def time_goes_by(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            for node in self.running():
                if not node.is_cut_off and self.clock.time - node.looked_at >= 2:
                    self.look(node)
            for node in self.running():
                self.serve(node)
            self.hold_all_against_all()

    @rule(number=NODES)
    def a_node_dies(self, number: int) -> None:
        node = self.nodes[number]
        if node is not None:
            self.nodes[number] = None
            node.server.close()

    @precondition(lambda self: None in self.nodes)
    @rule(algorithm=ALGORITHMS)
    def a_node_starts(self, algorithm: str) -> None:
        self.restart(self.nodes.index(None), algorithm)

    @rule(number=NODES, algorithm=ALGORITHMS)
    def a_node_is_replaced(self, number: int, algorithm: str) -> None:
        self.a_node_dies(number)
        self.restart(number, algorithm)

    @rule(number=NODES, statement=st.integers(0, 6))
    def a_node_dies_while_it_changes_keys(self, number: int, statement: int) -> None:
        node = self.nodes[number]
        if node is not None:
            node.dies_at, node.is_cut_off = statement, False
            self.time_goes_by(ROTATE)

    @rule(number=NODES, is_cut_off=st.booleans())
    def a_node_loses_or_finds_the_database(self, number: int, is_cut_off: bool) -> None:
        node = self.nodes[number]
        if node is not None:
            node.is_cut_off = is_cut_off

    @rule()
    def the_operator_rotates(self) -> None:
        self.command().request_rotation()

    @rule()
    def the_operator_rotates_at_once(self) -> None:
        before = dict(self.hasty)
        self.note_haste()
        try:
            self.command().rotate_now()
        except KeyChangeRefusedError:
            self.hasty = before

    @rule(which=st.integers(0, 3))
    def the_operator_revokes_a_key(self, which: int) -> None:
        keys = [key for key in self.stored() if key.state is not KeyState.REVOKED]
        key = keys[which % len(keys)]
        if key.state is KeyState.ACTIVE:
            self.note_haste()
        self.command().revoke(key.kid)
        self.revoked[key.kid] = self.clock.time
        self.reached["revoked"] += 1

    # How it happens.

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

        def die(connection: Any, *_: Any) -> None:
            nonlocal statements
            if node.dies_at is not None and connection.get_execution_options().get("write"):
                statements += 1
                if statements > node.dies_at:
                    raise Crashed

        event.listen(server.parts.database.engine, "before_cursor_execute", die)

    def look(self, node: Node) -> None:
        before = node.server.parts.keyring.key_set
        try:
            node.server.parts.maintenance.refresh()
        except Crashed:
            self.reached["died while changing keys"] += 1
            self.a_node_dies(self.nodes.index(node))
            return
        node.looked_at = self.clock.time
        self.reached["changed"] += before != node.server.parts.keyring.key_set
        kids = {key["kid"] for key in node.published["keys"]}
        assert not kids & self.revoked.keys(), "a revoked key is published after a look"

    def serve(self, node: Node) -> None:
        """A request for the key set; one for a token that is answered at once, and one that takes its time."""
        keyring, now = node.server.parts.keyring, self.clock.time
        kids = frozenset(key["kid"] for key in node.published["keys"])
        self.cached.append(Cached(kids, node.looked_at, now + keyring.max_age(now)))
        try:
            signer = keyring.signer
        except StorageUnavailableError:
            assert self.clock.time - node.looked_at > STALE_SECONDS or self.hasty, "nothing keeps it from signing"
            self.reached["signed nothing"] += 1
        else:
            self.sign(signer)
            node.asked.append((signer, now + REQUEST_SECONDS))
        while node.asked and node.asked[0][1] <= now:
            self.sign(node.asked.pop(0)[0])

    def sign(self, signer: Signer) -> None:
        """A token; every node that follows the database publishes its key, and another library verifies it by that."""
        now = self.clock.time
        token = signer.sign({"kid": signer.kid})
        if signer.kid in self.revoked:
            return
        for node in self.running():
            if now - node.looked_at <= STALE_SECONDS:
                published = {key["kid"]: key for key in node.published["keys"]}
                assert signer.kid in published, "signed with a key that some node does not publish"
                if signer.kid not in self.alive:
                    self.reached["keys that signed"] += 1
                    key = jwt.PyJWK(published[signer.kid])
                    jwt.decode(token, key, algorithms=[key.algorithm_name])
        self.alive[signer.kid] = (token, now + ACCESS)

    def hold_all_against_all(self) -> None:
        now = self.clock.time
        self.alive = {kid: it for kid, it in self.alive.items() if now < it[1] and kid not in self.revoked}
        self.cached = [it for it in self.cached if now < it.fresh_until]
        for cached in self.cached:
            for kid in self.alive.keys() - cached.kids:
                # In an emergency a cache may lack the key: one that was filled by a node before its next look.
                assert cached.looked_at <= self.hasty.get(kid, 0), "a fresh key set lacks a key"
                self.reached["missed in an emergency"] += 1

    def command(self) -> KeyRotation:
        """As `jeton keys` does it."""
        settings = self.settings_of("ES256")
        stores = key_stores(settings, parse_master_keys(MASTER_KEY))
        return key_rotation(settings, self.database, self.clock, stores)

    def note_haste(self) -> None:
        """The key that is `next` now, and when it was announced."""
        (following,) = [key for key in self.stored() if key.state is KeyState.NEXT]
        if self.clock.time < following.ready_at:
            self.hasty[following.kid] = following.created_at

    def stored(self) -> list[SigningKey]:
        with self.database.read() as connection:
            return load_signing_keys(connection)

    def running(self) -> list[Node]:
        return [node for node in self.nodes if node is not None]

    @invariant()
    def one_key_signs_and_one_is_next(self) -> None:
        if hasattr(self, "database"):
            states = Counter(key.state for key in self.stored())
            assert (states[KeyState.ACTIVE], states[KeyState.NEXT]) == (1, 1)

    def teardown(self) -> None:
        if hasattr(self, "database"):
            for number in range(2):
                self.a_node_dies(number)
            self.database.close()


class _Monotonic:
    """The module `time`, as far as the nodes look at it."""

    monotonic: Callable[[], float]


@pytest.fixture
def machine(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[KeysMachine]:
    time = _Monotonic()

    def set_monotonic(monotonic: Callable[[], float]) -> None:
        time.monotonic = monotonic

    monkeypatch.setattr("jeton.keys.keyring.time", time)
    monkeypatch.setattr("jeton.background.maintenance.time", time)
    KeysMachine.template, KeysMachine.folder = sqlite_template, tmp_path
    KeysMachine.set_monotonic = staticmethod(set_monotonic)
    KeysMachine.reached = Counter()
    return KeysMachine


def run(machine: type[KeysMachine], examples: int, steps: int, *, always_the_same: bool = False) -> None:
    limits = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=always_the_same,
        suppress_health_check=[*HealthCheck],
        # A history is minutes of work to make shorter, and is read well enough as it is.
        phases=[Phase.explicit, Phase.generate],
    )
    run_state_machine_as_test(machine, settings=limits)


@pytest.mark.requirement("O14")
def test_fresh_key_set_has_the_keys_of_all_live_tokens(machine: type[KeysMachine]) -> None:
    run(machine, examples=8, steps=12, always_the_same=True)

    assert machine.reached["keys that signed"] > 4


@pytest.mark.slow
@pytest.mark.requirement("O14")
def test_fresh_key_set_has_the_keys_of_all_live_tokens_in_many_histories(
    machine: type[KeysMachine],
) -> None:
    run(machine, examples=60, steps=40)

    assert machine.reached.keys() == {
        "changed",
        "died while changing keys",
        "keys that signed",
        "missed in an emergency",
        "revoked",
        "signed nothing",
    }
