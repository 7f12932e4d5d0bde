"""One session under any sequence of events by its client, a thief and an operator (RFC 9700 section 4.14.2).

The same steps run against the pure rules and against a server on SQLite. A model of a few attributes predicts each
result; invariants that do not use the model must hold after each step.
"""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jeton.oauth.scope import Scope
from support.session_model import ABSOLUTE, GRANTED, IDLE, Answer, RulesSession, ServerSession, Session, differences

IDEMPOTENCY: Final = 300
MAX_REPEATS: Final = 5
READ: Final = frozenset({"read"})
# Repeated values are likelier: most sessions should last for a while.
SCOPES: Final = st.sampled_from([None, None, None, None, READ, READ, GRANTED, GRANTED, frozenset({"admin"})])
CLIENT_SCOPES: Final = st.sampled_from([GRANTED, GRANTED, GRANTED | {"admin"}, READ, frozenset[str]()])
KEYS: Final = st.sampled_from([None, "key 1", "key 2"])
GRACES: Final = st.sampled_from([0, 10])
GENERATIONS_BACK: Final = st.sampled_from([0, 1, 1, 2, 3])
PAUSES: Final = st.sampled_from([0, 0, 0, 9, 10, IDEMPOTENCY, IDEMPOTENCY + 1])
SECONDS: Final = st.sampled_from([1, 1, 1, 9, 10, IDEMPOTENCY, IDEMPOTENCY + 1, IDLE - 1, IDLE, ABSOLUTE])

Asked = tuple[str | None, Scope | None]


@dataclass
class Model:
    """A session as the documentation describes it."""

    grace: int
    tokens: list[str]
    idle_end: int
    now: int = 0
    alive: bool = True
    user_enabled: bool = True
    client_scope: Scope = GRANTED
    asked: Asked | None = None
    rotated_at: int = 0
    repeats: int = 0

    @property
    def expired(self) -> bool:
        return self.now >= min(self.idle_end, ABSOLUTE)

    def expected(self, token: str, key: str | None, scope: Scope | None) -> str:
        """Return whether that request is a "replay", "refused", a "repeat" or a "rotation"."""
        if not self.alive:
            return "refused"
        newest = token == self.tokens[-1]
        if not newest and not self._may_be_repeated(token, key, scope):
            return "replay"
        allowed = GRANTED & self.client_scope
        if self.expired or not self.user_enabled or not allowed or not allowed >= (scope or frozenset()):
            return "refused"
        return "rotation" if newest else "repeat"

    def _may_be_repeated(self, token: str, key: str | None, scope: Scope | None) -> bool:
        if self.asked is None or token != self.tokens[-2] or scope != self.asked[1]:
            return False
        age = self.now - self.rotated_at
        if key is not None and key == self.asked[0]:
            return age <= IDEMPOTENCY
        return age < self.grace and self.repeats < MAX_REPEATS


class SessionMachine(RuleBasedStateMachine):
    """`reached` counts the outcomes, to prove that the histories are not empty."""

    reached: ClassVar[Counter[str]]
    open_session: ClassVar["staticmethod[[int], Session]"]
    session: Session | None = None

    @initialize(grace=GRACES)
    def log_in(self, grace: int) -> None:
        self.session = self.open_session(grace)
        self.model = Model(grace, [self.session.first_token], IDLE)
        self.held = self.session.first_token
        self.unanswered: tuple[str, Asked] | None = None
        self.successors: dict[str, str] = {}
        self.bodies: dict[str, tuple[Scope, bytes]] = {}

    @precondition(lambda self: not self.model.alive or self.model.expired)
    @rule(grace=GRACES)
    def log_in_again(self, grace: int) -> None:
        assert self.session is not None
        self.session.close()
        self.log_in(grace)

    def present(self, token: str, key: str | None, scope: Scope | None) -> Answer:
        """Make one request, and compare its result with the model."""
        assert self.session is not None
        model, before = self.model, self.session.stored()
        expected = model.expected(token, key, scope)

        answer = self.session.present(token, key, scope)

        self.reached[expected] += 1
        changed = differences(before, self.session.stored())
        if answer.refresh_token is None:
            assert expected in ("refused", "replay"), f"{expected} was refused: {answer}"
            assert changed.keys() == ({"revoked_at", "revoke_reason"} if expected == "replay" else set())
            model.alive = model.alive and expected != "replay"
            return answer
        assert expected in ("rotation", "repeat"), f"{expected} was answered"
        # Each token has one successor, however often it is presented.
        assert self.successors.setdefault(token, answer.refresh_token) == answer.refresh_token
        if expected == "rotation":
            self.bodies[token] = (model.client_scope, answer.body)
            self.record_rotation(answer.refresh_token, (key, scope))
        else:
            assert changed.keys() == {"retries"}
            model.repeats += 1
            client_scope, body = self.bodies[token]
            assert answer.body == body or client_scope != model.client_scope
        return answer

    def record_rotation(self, successor: str, asked: Asked) -> None:
        model = self.model
        assert successor not in model.tokens
        model.tokens.append(successor)
        model.asked, model.rotated_at, model.repeats = asked, model.now, 0
        model.idle_end = model.now + IDLE

    def issued(self, back: int) -> str:
        """Return a token issued some generations ago, delivered or not."""
        return self.model.tokens[-1 - min(back, len(self.model.tokens) - 1)]

    @rule(key=KEYS, scope=SCOPES)
    def honest_client_refreshes(self, key: str | None, scope: Scope | None) -> None:
        self.unanswered = None
        self.held = self.present(self.held, key, scope).refresh_token or self.held

    @rule(key=KEYS, scope=SCOPES)
    def answer_is_lost(self, key: str | None, scope: Scope | None) -> None:
        self.present(self.held, key, scope)
        self.unanswered = (self.held, (key, scope))

    @precondition(lambda self: self.unanswered is not None)
    @rule(pause=PAUSES, lost_again=st.booleans())
    def honest_client_repeats_a_lost_request(self, pause: int, lost_again: bool) -> None:
        assert self.unanswered is not None
        self.advance(pause)
        token, (key, scope) = self.unanswered
        answer = self.present(token, key, scope)
        if answer.refresh_token is not None and not lost_again:
            self.held, self.unanswered = answer.refresh_token, None

    @rule(back=GENERATIONS_BACK, scope=SCOPES, key=st.sampled_from([None, "guessed"]))
    def thief_presents(self, back: int, key: str | None, scope: Scope | None) -> None:
        self.present(self.issued(back), key, scope)

    @rule(back=GENERATIONS_BACK, key=KEYS, scope=SCOPES)
    def another_client_presents(self, back: int, key: str | None, scope: Scope | None) -> None:
        assert self.session is not None
        token, before = self.issued(back), self.session.stored()
        assert self.session.present(token, key, scope, by_other_client=True).error == "invalid_grant"
        self.session.revoke(token, by_other_client=True)
        assert self.session.stored() == before

    @precondition(lambda self: len(self.model.tokens) > 2)
    @rule(back=GENERATIONS_BACK)
    def owner_revokes(self, back: int) -> None:
        assert self.session is not None
        self.session.revoke(self.issued(back))
        self.model.alive = False

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.advance(seconds)

    def advance(self, seconds: int) -> None:
        assert self.session is not None
        self.session.advance(seconds)
        self.model.now += seconds

    @rule(enabled=st.sampled_from([True, True, False]))
    def operator_disables_or_enables_the_user(self, enabled: bool) -> None:
        assert self.session is not None
        self.session.set_user_enabled(enabled)
        self.model.user_enabled = enabled

    @rule(scope=CLIENT_SCOPES)
    def operator_changes_the_scope_of_the_client(self, scope: Scope) -> None:
        assert self.session is not None
        self.session.set_client_scope(scope)
        self.model.client_scope = scope

    @invariant()
    def at_most_the_newest_generation_lives(self) -> None:
        if self.session is None:
            return
        active = [token for token in self.model.tokens[-2:] if self.session.is_active(token)]
        assert active in ([], [self.model.tokens[-1]])
        assert not active or self.model.alive

    @invariant()
    def the_session_is_ended_only_by_a_replay_or_its_owner(self) -> None:
        if self.session is not None:
            stored = self.session.stored()
            assert (stored.revoked_at is None) == self.model.alive
            assert stored.generation == len(self.model.tokens) - 1

    def teardown(self) -> None:
        if self.session is not None:
            self.session.close()


def machine(open_: Callable[[int], Session]) -> type[SessionMachine]:
    class Machine(SessionMachine):
        reached: ClassVar[Counter[str]] = Counter()
        open_session = staticmethod(open_)

    return Machine


def run_until_reached(histories: type[SessionMachine], outcomes: set[str], limits: settings) -> None:
    """Run histories, which are random, until they have had all these outcomes."""
    for _ in range(5):
        run_state_machine_as_test(histories, settings=limits)
        if histories.reached.keys() >= outcomes:
            return
    raise AssertionError(f"reached only {histories.reached}")


@pytest.mark.requirement("I08", "O08", "K03", "K04", "A42", "A43", "O02")
def test_rotation_rules_hold_for_any_sequence_of_events() -> None:
    limits = settings(max_examples=50, stateful_step_count=40, deadline=None)

    run_until_reached(machine(RulesSession), {"rotation", "repeat", "replay", "refused"}, limits)


@pytest.mark.requirement("I08", "O08", "K03", "K04", "A42", "A43", "O02")
def test_server_follows_the_rotation_rules(sqlite_template: Path, tmp_path: Path) -> None:
    def open_session(grace: int) -> Session:
        return ServerSession(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / f'{uuid4().hex}.db')}", grace)

    limits = settings(max_examples=5, stateful_step_count=25, deadline=None, suppress_health_check=[*HealthCheck])

    run_until_reached(machine(open_session), {"rotation", "refused"}, limits)
