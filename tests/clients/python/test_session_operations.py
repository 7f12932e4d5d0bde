"""A session for apps: when it asks the server, what it stores before, how it ends (RFC 6749 sections 4.3, 4.4, 6)."""

import pytest

from clients.python.world import APP, ISSUER, METADATA_URL, NOW, TokenEndpoint, World, as_json, refused
from jeton_client.errors import (
    LoginRequiredError,
    RefusedError,
    ServerUnavailableError,
    StorageUnusableError,
    UntrustedServerError,
)
from jeton_client.messages import Answer
from jeton_client.session import Session
from jeton_client.session_operations import SessionOperations
from jeton_client.storage import MemoryStorage


@pytest.fixture
def endpoint() -> TokenEndpoint:
    return TokenEndpoint()


@pytest.fixture
def world(endpoint: TokenEndpoint) -> World:
    return World({"https://as.example/token": endpoint, "https://as.example/revoke": lambda _: Answer(200, {}, b"")})


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def session(world: World, storage: MemoryStorage) -> SessionOperations:
    """Logged in: it has a1 and r1 for ten minutes."""
    operations = SessionOperations(ISSUER, APP, storage, world.clock)
    world.follow(operations.log_in("alice", "pw", "read"))
    return operations


def stored(storage: MemoryStorage) -> Session:
    session = storage.load()
    assert session is not None
    return session


def test_a_login_is_stored_and_its_token_handed_out(
    world: World, session: SessionOperations, storage: MemoryStorage
) -> None:
    assert session.good_token() == "a1"
    assert not session.is_due()
    assert stored(storage).tokens.refresh_token == "r1"
    assert world.asked_of("/token") == [
        {"grant_type": "password", "username": "alice", "password": "pw", "scope": "read"}
    ]


def test_a_refresh_is_stored_with_its_key_before_it_is_sent(
    world: World, session: SessionOperations, storage: MemoryStorage, endpoint: TokenEndpoint
) -> None:
    seen: list[Session] = []
    endpoint.first = [lambda: seen.append(stored(storage))]
    world.now = NOW + 600

    assert world.follow(session.access_token()) == "a2"

    assert seen[0].pending is not None
    assert world.asked_of("/token")[-1] == {
        "grant_type": "refresh_token",
        "refresh_token": "r1",
        "key": seen[0].pending.idempotency_key,
    }
    assert stored(storage).pending is None
    assert stored(storage).tokens.refresh_token == "r2"


@pytest.mark.parametrize("seconds", [485, 594], ids=["in the widest lead", "just before its end"])
def test_it_renews_ahead_of_the_end(world: World, session: SessionOperations, seconds: int) -> None:
    dues = 0
    for _ in range(500):
        session._keep(session._session)  # another jitter
        world.now = NOW + seconds
        dues += session.is_due()
        assert session.good_token() == "a1"

    assert (0 < dues < 500) if seconds == 485 else dues == 500


@pytest.mark.parametrize(
    "lost",
    [None, Answer(500, {}, b""), Answer(502, {}, b"<html>"), Answer(200, {}, b'{"acc'), refused("server_error")],
    ids=["no answer", "500", "502", "cut", "server_error"],
)
def test_a_lost_answer_is_asked_for_again_with_the_same_key(
    world: World, session: SessionOperations, endpoint: TokenEndpoint, lost: Answer | None
) -> None:
    endpoint.first = [lost, lost]
    world.now = NOW + 600

    assert world.follow(session.access_token()) == "a2"

    assert len({asked["key"] for asked in world.asked_of("/token")[1:]}) == 1
    assert len(world.asked_of("/token")) == 4
    assert len(world.waited) == 2
    assert world.waited[0] < world.waited[1] * 2 <= 1


def test_a_rotation_whose_answer_was_lost_is_not_a_replay(
    world: World, session: SessionOperations, endpoint: TokenEndpoint
) -> None:
    endpoint.lose = 3
    world.now = NOW + 600

    assert world.follow(session.access_token()) == "a2"

    assert (endpoint.generation, endpoint.reuse) == (2, 0)


def test_a_repeated_answer_is_as_old_as_the_first(
    world: World, session: SessionOperations, endpoint: TokenEndpoint
) -> None:
    endpoint.lose = 5
    world.now = NOW + 600
    world.follow(session.access_token())

    assert session._session is not None
    assert session._session.tokens.expires_at == NOW + 600 + 600 < world.now + 600


def test_the_next_process_goes_on_with_the_key_of_one_that_died(
    world: World, session: SessionOperations, storage: MemoryStorage, endpoint: TokenEndpoint
) -> None:
    endpoint.lose = 6
    world.now = NOW + 600
    with pytest.raises(ServerUnavailableError):
        world.follow(session.access_token())

    another = SessionOperations(ISSUER, APP, storage, world.clock)

    assert world.follow(another.access_token()) == "a2"
    assert endpoint.reuse == 0


def test_a_refresh_that_was_begun_is_finished_at_once_however_good_the_token_is(
    world: World, session: SessionOperations, storage: MemoryStorage, endpoint: TokenEndpoint
) -> None:
    endpoint.lose = 6
    with pytest.raises(ServerUnavailableError):
        world.follow(session.renew("a1"))

    another = SessionOperations(ISSUER, APP, storage, world.clock)
    for operations in (another, session):
        assert operations.is_due()
        assert world.follow(operations.access_token()) == "a2"
        assert not operations.is_due()

    assert (endpoint.generation, endpoint.reuse) == (2, 0)


def test_only_invalid_grant_ends_the_session(
    world: World, session: SessionOperations, storage: MemoryStorage, endpoint: TokenEndpoint
) -> None:
    endpoint.first = [refused("invalid_grant")]
    world.now = NOW + 600

    with pytest.raises(LoginRequiredError):
        world.follow(session.access_token())

    assert storage.load() is None
    with pytest.raises(LoginRequiredError, match="no stored session"):
        world.follow(session.access_token())


@pytest.mark.parametrize(
    "answer",
    [refused("invalid_client", 401), refused("invalid_scope"), Answer(403, {}, b"<html>"), Answer(404, {}, b"")],
    ids=["invalid_client", "invalid_scope", "403", "404"],
)
def test_any_other_refusal_is_told_and_the_session_kept(
    world: World, session: SessionOperations, storage: MemoryStorage, endpoint: TokenEndpoint, answer: Answer
) -> None:
    endpoint.first = [answer]
    world.now = NOW + 600

    with pytest.raises(RefusedError):
        world.follow(session.access_token())

    assert stored(storage).tokens.refresh_token == "r1"
    assert world.follow(session.access_token()) == "a2"


def test_a_server_that_stays_away_is_told_after_six_attempts_and_the_session_kept(
    world: World, session: SessionOperations, storage: MemoryStorage, endpoint: TokenEndpoint
) -> None:
    endpoint.first = [None] * 6
    world.now = NOW + 600

    with pytest.raises(ServerUnavailableError):
        world.follow(session.access_token())

    assert len(world.asked_of("/token")) == 1 + 6
    assert stored(storage).pending is not None


def test_while_the_token_is_good_a_server_that_is_away_stops_nobody(
    world: World, session: SessionOperations, endpoint: TokenEndpoint
) -> None:
    endpoint.first = [None] * 3
    world.now = NOW + 550

    assert world.follow(session.access_token()) == "a1"

    assert not session.is_due()
    assert len(world.asked_of("/token")) == 1 + 3
    world.now += 5
    assert session.is_due()
    assert world.follow(session.access_token()) == "a2"
    assert endpoint.reuse == 0


def test_a_session_that_another_process_has_renewed_is_taken_over(
    world: World, session: SessionOperations, storage: MemoryStorage
) -> None:
    another = SessionOperations(ISSUER, APP, storage, world.clock)
    world.now = NOW + 600
    world.follow(another.access_token())

    assert world.follow(session.access_token()) == "a2"

    assert len(world.asked_of("/token")) == 2


def test_the_storage_is_locked_for_as_long_as_the_server_is_asked(
    world: World, session: SessionOperations, storage: MemoryStorage, endpoint: TokenEndpoint
) -> None:
    taken: list[bool] = []
    endpoint.first = [lambda: taken.append(storage.try_lock())]
    world.now = NOW + 600

    world.follow(session.access_token())

    assert taken == [False]
    assert storage.try_lock()


def test_a_lock_that_is_never_given_back_is_told_in_the_end(
    world: World, session: SessionOperations, storage: MemoryStorage
) -> None:
    storage.try_lock()
    world.now = NOW + 600

    with pytest.raises(ServerUnavailableError, match="another process"):
        world.follow(session.access_token())

    assert world.now <= NOW + 600 + 121


def test_a_rejected_token_is_renewed_and_another_one_is_not(world: World, session: SessionOperations) -> None:
    assert world.follow(session.renew("a1")) == "a2"
    assert world.follow(session.renew("a1")) == "a2"

    assert len(world.asked_of("/token")) == 2


def test_a_session_without_a_refresh_token_ends_with_its_access_token(
    world: World, session: SessionOperations, endpoint: TokenEndpoint
) -> None:
    endpoint.first = [as_json({"access_token": "only", "token_type": "Bearer", "expires_in": 60})]
    world.follow(session.log_in("alice", "pw", None))
    assert session.good_token() == "only"
    world.now += 60

    with pytest.raises(LoginRequiredError, match="no refresh token"):
        world.follow(session.access_token())


def test_a_client_of_its_own_logs_in_again_by_itself(world: World, storage: MemoryStorage) -> None:
    operations = SessionOperations(ISSUER, APP, storage, world.clock)
    answer = {"access_token": "m", "token_type": "Bearer", "expires_in": 60}
    world.answers["https://as.example/token"] = lambda _: as_json(answer)
    world.follow(operations.log_in_as_client("report"))
    world.now += 60

    assert world.follow(operations.access_token()) == "m"

    assert world.asked_of("/token") == [{"grant_type": "client_credentials", "scope": "report"}] * 2


@pytest.mark.parametrize(
    ("answer", "thrown"),
    [
        (None, ServerUnavailableError),
        (Answer(503, {}, b""), ServerUnavailableError),
        (refused("invalid_grant"), RefusedError),
    ],
    ids=["lost", "503", "a wrong password"],
)
def test_a_login_is_asked_once(
    world: World, session: SessionOperations, endpoint: TokenEndpoint, answer: Answer | None, thrown: type[Exception]
) -> None:
    endpoint.first = [answer]

    with pytest.raises(thrown):
        world.follow(session.log_in("alice", "pw", None))

    assert len(world.asked_of("/token")) == 2
    assert session.good_token() == "a1"


def test_logging_out_forgets_and_revokes(world: World, session: SessionOperations, storage: MemoryStorage) -> None:
    world.follow(session.log_out())

    assert storage.load() is None
    assert session.good_token() is None
    assert world.asked_of("/revoke") == [{"token": "r1", "token_type_hint": "refresh_token"}]
    world.follow(session.log_out())
    assert len(world.asked_of("/revoke")) == 1


def test_whoever_logs_out_is_logged_out_here_though_the_server_is_away(
    world: World, session: SessionOperations, storage: MemoryStorage
) -> None:
    world.answers["https://as.example/revoke"] = lambda _: None

    with pytest.raises(ServerUnavailableError, match="could not revoke"):
        world.follow(session.log_out())

    assert storage.load() is None
    assert len(world.asked_of("/revoke")) == 6


@pytest.mark.parametrize("issuer", ["http://as.example", "as.example", "https://as.example?x"])
def test_an_issuer_that_cannot_be_trusted_is_refused_at_once(issuer: str) -> None:
    with pytest.raises(UntrustedServerError):
        SessionOperations(issuer, APP, None, lambda: 0)


def test_metadata_is_asked_for_again_until_it_comes_and_then_never(world: World, session: SessionOperations) -> None:
    operations = SessionOperations(ISSUER, APP, None, world.clock)
    good = world.answers[METADATA_URL]
    answers = iter([None, Answer(503, {}, b"")])
    world.answers[METADATA_URL] = lambda request: next(answers, good(request))

    world.follow(operations.log_in("alice", "pw", None))
    world.follow(operations.renew("a2"))

    assert [request.url for request in world.asked].count(METADATA_URL) == 1 + 3


def test_a_server_that_speaks_for_another_issuer_is_told_no_secret(world: World) -> None:
    world.answers[METADATA_URL] = lambda _: as_json(
        {"issuer": "https://evil.example", "token_endpoint": "https://e.example"}
    )
    operations = SessionOperations(ISSUER, APP, None, world.clock)

    with pytest.raises(UntrustedServerError):
        world.follow(operations.log_in("alice", "pw", None))

    assert {(request.method, request.body) for request in world.asked} == {("GET", None)}


class FailingStorage(MemoryStorage):
    """Raises what is put into `errors` under the name of a method; other people's storages raise anything."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: dict[str, Exception] = {}

    def _fail(self, method: str) -> None:
        if method in self.errors:
            raise self.errors[method]

    def load(self) -> Session | None:
        self._fail("load")
        return super().load()

    def save(self, session: Session | None) -> None:
        self._fail("save")
        super().save(session)

    def try_lock(self) -> bool:
        self._fail("try_lock")
        return super().try_lock()

    def unlock(self) -> None:
        super().unlock()
        self._fail("unlock")


@pytest.fixture
def failing() -> FailingStorage:
    return FailingStorage()


@pytest.fixture
def kept(world: World, failing: FailingStorage) -> SessionOperations:
    operations = SessionOperations(ISSUER, APP, failing, world.clock)
    world.follow(operations.log_in("alice", "pw", "read"))
    return operations


@pytest.mark.parametrize("method", ["load", "save", "try_lock"])
@pytest.mark.parametrize("error", [OSError(28, "full"), KeyError("x"), StorageUnusableError("x")], ids=repr)
def test_a_storage_that_fails_is_found_out_before_the_password_is_sent(
    world: World, failing: FailingStorage, method: str, error: Exception
) -> None:
    failing.errors[method] = error

    with pytest.raises(StorageUnusableError):
        world.follow(SessionOperations(ISSUER, APP, failing, world.clock).log_in("alice", "pw", None))

    assert world.asked_of("/token") == []
    failing.errors.clear()
    assert failing.try_lock(), "the lock was given back"


def test_a_storage_that_gives_something_else_is_unusable(world: World, failing: FailingStorage) -> None:
    failing._session = {"access_token": "a1"}  # type: ignore[assignment]

    with pytest.raises(StorageUnusableError):
        world.follow(SessionOperations(ISSUER, APP, failing, world.clock).access_token())


def test_a_lock_that_cannot_be_given_back_loses_nothing(world: World, failing: FailingStorage) -> None:
    failing.errors["unlock"] = OSError("gone")
    operations = SessionOperations(ISSUER, APP, failing, world.clock)

    world.follow(operations.log_in("alice", "pw", None))

    assert operations.good_token() == "a1"


@pytest.mark.parametrize("method", ["load", "save", "try_lock"])
def test_a_good_token_is_handed_out_although_the_storage_fails(
    world: World, kept: SessionOperations, failing: FailingStorage, method: str
) -> None:
    failing.errors[method] = OSError("full")
    world.now = NOW + 590

    assert world.follow(kept.access_token()) == "a1"
    assert not kept.is_due()


def test_an_answer_that_could_not_be_stored_is_stored_later_and_not_asked_for_again(
    world: World, kept: SessionOperations, failing: FailingStorage, endpoint: TokenEndpoint
) -> None:
    endpoint.first = [lambda: failing.errors.update(save=OSError("full"))]
    world.now = NOW + 600
    with pytest.raises(StorageUnusableError):
        world.follow(kept.access_token())
    failing.errors.clear()
    endpoint.answered.clear()  # the server repeats its answer for a while only

    assert world.follow(kept.access_token()) == "a2"
    assert stored(failing).tokens.refresh_token == "r2"
    assert endpoint.reuse == 0


def test_the_end_of_a_session_is_told_although_the_storage_does_not_forget(
    world: World, kept: SessionOperations, failing: FailingStorage, endpoint: TokenEndpoint
) -> None:
    def break_down() -> None:
        failing.errors["save"] = OSError("full")
        endpoint.generation, endpoint.answered = 9, {}

    endpoint.first = [break_down]
    world.now = NOW + 600

    with pytest.raises(LoginRequiredError):
        world.follow(kept.access_token())


def test_logging_out_revokes_although_the_storage_does_not_forget(
    world: World, kept: SessionOperations, failing: FailingStorage
) -> None:
    failing.errors["save"] = OSError("full")

    with pytest.raises(StorageUnusableError):
        world.follow(kept.log_out())

    assert world.asked_of("/revoke") == [{"token": "r1", "token_type_hint": "refresh_token"}]
    assert kept.good_token() is None
