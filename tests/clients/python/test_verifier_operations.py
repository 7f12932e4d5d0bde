"""Verifying: when keys and status lists are fetched, and what becomes of tokens meanwhile (RFC 9068 section 4)."""

from typing import Any, Final

import pytest

from clients.python.world import AUDIENCE, ISSUER, METADATA, METADATA_URL, NOW, World, as_json
from jeton_client.access_token import AccessToken, Rules
from jeton_client.errors import InvalidTokenError, UntrustedServerError, VerificationUnavailableError
from jeton_client.messages import Answer, Request
from jeton_client.verifier_operations import DEFAULT_STATUS_POLLING, StatusPolling, VerifierOperations
from vectors.listing import deflated
from vectors.signing import jwt, public_keys

LIST: Final = "https://as.example/status/0"
KEYS_URL: Final = METADATA["jwks_uri"]
CLAIMS: Final = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "u_1",
    "client_id": "web",
    "jti": "j",
    "iat": NOW,
    "exp": NOW + 600,
}


def token(kid: str = "one", **claims: Any) -> str:
    return jwt({"alg": "RS256", "typ": "at+jwt", "kid": kid}, {**CLAIMS, **claims}, kid)


def listed(idx: int = 3, uri: str = LIST) -> str:
    return token(status={"status_list": {"idx": idx, "uri": uri}})


class Issuer:
    """Publishes keys and a status list, or is away."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.published = public_keys()
        self.away = False
        self.statuses = bytearray(2)
        world.answers[KEYS_URL] = self.keys
        world.answers[LIST] = self.status_list

    def keys(self, _: Request) -> Answer | None:
        return None if self.away else as_json(self.published, cache_control="max-age=60")

    def status_list(self, _: Request) -> Answer | None:
        now = int(self.world.now)
        status_list = {"bits": 1, "lst": deflated(bytes(self.statuses))}
        claims = {"iss": ISSUER, "sub": LIST, "iat": now, "exp": now + 300, "ttl": 2, "status_list": status_list}
        text = jwt({"alg": "RS256", "typ": "statuslist+jwt", "kid": "one"}, claims)
        return None if self.away else Answer(200, {}, text.encode())

    def asked(self, url: str = KEYS_URL) -> int:
        return [request.url for request in self.world.asked].count(url)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def issuer(world: World) -> Issuer:
    return Issuer(world)


class Service:
    """Verifies in this world, as the shells do."""

    def __init__(
        self, world: World, follow: StatusPolling | None = DEFAULT_STATUS_POLLING, max_cache_entries: int = 100
    ) -> None:
        self.world = world
        self.operations = VerifierOperations(
            Rules(ISSUER, AUDIENCE), follow, max_cache_entries, world.clock, world.clock
        )

    def verify(self, text: str) -> AccessToken:
        return self.operations.cached(text) or self.world.follow(self.operations.verify(text))


@pytest.fixture
def service(world: World, issuer: Issuer) -> Service:
    return Service(world)


@pytest.mark.requirement("F12")
def test_keys_are_fetched_once_for_many_tokens(service: Service, issuer: Issuer, world: World) -> None:
    for _ in range(3):
        assert service.verify(token()).subject == "u_1"

    assert [request.url for request in world.asked] == [METADATA_URL, KEYS_URL]


def test_a_verified_token_is_remembered_until_its_end_and_no_longer(service: Service, world: World) -> None:
    good = token()
    service.verify(good)
    world.now = NOW + 599.9
    service.verify(token(jti="keeps the keys fresh", exp=NOW + 900))
    assert service.operations.cached(good) is not None

    world.now = NOW + 600

    assert service.operations.cached(good) is None
    with pytest.raises(InvalidTokenError, match="exp"):
        service.verify(good)


def test_no_more_tokens_are_remembered_than_may_be(world: World, issuer: Issuer) -> None:
    service = Service(world, max_cache_entries=2)
    tokens = [token(jti=str(number)) for number in range(3)]

    for text in tokens:
        service.verify(text)

    assert [service.operations.cached(text) is not None for text in tokens] == [False, True, True]


def test_a_key_that_is_withdrawn_ends_also_the_tokens_that_are_remembered(
    service: Service, issuer: Issuer, world: World
) -> None:
    service.verify(token())
    issuer.published = {"keys": [key for key in issuer.published["keys"] if key["kid"] != "one"]}

    world.now += 60

    with pytest.raises(InvalidTokenError, match="unknown_key"):
        service.verify(token())


def test_keys_that_are_fetched_again_and_are_the_same_forget_no_token(
    service: Service, issuer: Issuer, world: World
) -> None:
    service.verify(token())
    world.now += 60

    service.verify(token(jti="another"))

    assert issuer.asked() == 2
    assert service.operations.cached(token()) is not None


def test_a_rotation_is_noticed_at_the_first_token_of_the_new_key(
    service: Service, issuer: Issuer, world: World
) -> None:
    everything = issuer.published
    issuer.published = {"keys": everything["keys"][1:]}
    with pytest.raises(InvalidTokenError, match="unknown_key"):
        service.verify(token())
    issuer.published = everything

    world.now += 10

    assert service.verify(token()).subject == "u_1"
    assert issuer.asked() == 2


def test_tokens_of_unknown_keys_do_not_make_it_ask_each_time(service: Service, issuer: Issuer) -> None:
    for _ in range(20):
        with pytest.raises(InvalidTokenError, match="unknown_key"):
            service.verify(token("other"))

    assert issuer.asked() == 1


def test_while_the_server_is_away_keys_and_tokens_stay_good(service: Service, issuer: Issuer, world: World) -> None:
    service.verify(token())
    issuer.away = True

    for _ in range(8):
        world.now += 60
        assert service.verify(token(jti=str(world.now))).subject == "u_1"

    assert issuer.asked() == 1 + 8


def test_without_any_keys_nobody_can_say(service: Service, issuer: Issuer) -> None:
    issuer.away = True

    with pytest.raises(VerificationUnavailableError, match="keys"):
        service.verify(token())


def test_keys_are_not_trusted_for_ever_while_the_server_is_away(service: Service, issuer: Issuer, world: World) -> None:
    text = token(exp=NOW + 90_000)
    service.verify(text)
    issuer.away = True
    world.now += 60 + 3599
    assert service.verify(text).subject == "u_1"

    world.now += 1

    with pytest.raises(VerificationUnavailableError):
        service.verify(text)
    issuer.away = False
    world.now += 1
    assert service.verify(text).subject == "u_1"


def test_a_list_by_a_key_that_nobody_can_fetch_leaves_the_last_one_in_force(
    service: Service, issuer: Issuer, world: World
) -> None:
    text = listed()
    service.verify(text)
    world.answers[LIST] = lambda _: Answer(
        200, {}, jwt({"alg": "RS256", "typ": "statuslist+jwt", "kid": "new"}, {}).encode()
    )
    world.answers[KEYS_URL] = lambda _: None

    world.now += 61

    assert service.verify(text).subject == "u_1"


def test_a_token_of_a_new_key_is_not_called_bad_because_the_server_is_away(
    service: Service, issuer: Issuer, world: World
) -> None:
    service.verify(token())
    issuer.away = True
    world.now += 10

    with pytest.raises(VerificationUnavailableError, match="keys"):
        service.verify(token("other"))
    with pytest.raises(VerificationUnavailableError, match="keys"):
        service.verify(token("other"))

    assert issuer.asked() == 2


def test_metadata_of_another_issuer_is_not_believed(service: Service, issuer: Issuer, world: World) -> None:
    world.answers[METADATA_URL] = lambda _: as_json({**METADATA, "issuer": "https://evil.example"})

    with pytest.raises(UntrustedServerError):
        service.verify(token())

    assert issuer.asked() == 0


def test_what_is_no_token_of_ours_is_refused_without_asking_anybody(service: Service, world: World) -> None:
    with pytest.raises(InvalidTokenError, match="malformed"):
        service.verify("opaque")

    assert world.asked == []


@pytest.mark.parametrize("algorithms", [[], ["none"], ["RS256", "HS256"]], ids=str)
def test_only_algorithms_with_public_keys_may_be_allowed(world: World, algorithms: list[str]) -> None:
    with pytest.raises(ValueError, match="algorithms must be among"):
        VerifierOperations(Rules(ISSUER, AUDIENCE, algorithms), None, 1, world.clock, world.clock)


def test_an_ended_session_is_refused_at_the_next_list(service: Service, issuer: Issuer, world: World) -> None:
    assert service.verify(listed()).subject == "u_1"
    issuer.statuses[0] = 1 << 3
    world.now += 1.9
    assert service.verify(listed()).subject == "u_1"

    world.now += 0.1

    with pytest.raises(InvalidTokenError, match="ended"):
        service.verify(listed())
    with pytest.raises(InvalidTokenError, match="ended"):
        service.verify(listed())
    assert service.verify(listed(4)).subject == "u_1"


def test_a_list_is_fetched_once_per_ttl_however_many_requests_there_are(
    service: Service, issuer: Issuer, world: World
) -> None:
    for number in range(100):
        service.verify(listed(number % 16))
        world.now += 0.1

    assert issuer.asked(LIST) == 5


def test_a_token_without_status_is_in_no_list(service: Service, issuer: Issuer) -> None:
    service.verify(token())

    assert issuer.asked(LIST) == 0


def test_lists_are_not_followed_where_it_is_so_set(world: World, issuer: Issuer) -> None:
    issuer.statuses[0] = 1 << 3

    assert Service(world, None).verify(listed()).subject == "u_1"

    assert issuer.asked(LIST) == 0


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/status/0",
        "http://as.example/status/0",
        "https://as.example:8443/0",
        "file:///etc/passwd",
        "0",
    ],
)
def test_no_token_leads_anywhere_but_to_its_issuer(service: Service, world: World, uri: str) -> None:
    with pytest.raises(InvalidTokenError, match="status"):
        service.verify(listed(uri=uri))

    assert [request.url for request in world.asked] == [METADATA_URL, KEYS_URL]


def test_an_index_beyond_the_list_is_refused(service: Service) -> None:
    with pytest.raises(InvalidTokenError, match="status"):
        service.verify(listed(16))


@pytest.mark.parametrize("seconds", [1.9, 61.9], ids=["fresh", "away for almost a minute"])
def test_the_last_list_counts_while_the_server_is_away(
    service: Service, issuer: Issuer, world: World, seconds: float
) -> None:
    issuer.statuses[0] = 1 << 3
    service.verify(listed(4))
    issuer.away = True

    world.now += seconds

    assert service.verify(listed(4)).subject == "u_1"
    with pytest.raises(InvalidTokenError, match="ended"):
        service.verify(listed())


def test_after_that_time_tokens_are_refused(service: Service, issuer: Issuer, world: World) -> None:
    service.verify(listed())
    issuer.away = True
    world.now += 2 + 60

    with pytest.raises(VerificationUnavailableError, match="status list"):
        service.verify(listed())
    assert service.verify(token()).subject == "u_1"

    issuer.away = False
    world.now += 1
    assert service.verify(listed()).subject == "u_1"


def test_or_accepted_until_they_expire_where_it_is_so_set(world: World, issuer: Issuer) -> None:
    service = Service(world, StatusPolling(on_unavailable="accept"))
    service.verify(listed())
    issuer.away = True
    world.now += 2 + 60

    assert service.verify(listed()).subject == "u_1"
    world.now = NOW + 600
    with pytest.raises(InvalidTokenError, match="exp"):
        service.verify(listed())


def test_a_list_by_a_new_key_makes_the_keys_be_fetched(service: Service, issuer: Issuer, world: World) -> None:
    everything = issuer.published
    issuer.published = {"keys": [key for key in everything["keys"] if key["kid"] == "ed"]}
    good = jwt(
        {"alg": "EdDSA", "typ": "at+jwt", "kid": "ed"},
        {**CLAIMS, "status": {"status_list": {"idx": 4, "uri": LIST}}},
        "ed",
        "EdDSA",
    )
    with pytest.raises(VerificationUnavailableError):
        service.verify(good)
    issuer.published = everything

    world.now += 10

    assert service.verify(good).subject == "u_1"
