"""The pure core behaves as specified in tests/vectors, like that of TypeScript (tests/vectors/README.md)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, cast

import pytest

from clients.python.scenario import AUDIENCE, ISSUER, START, VECTORS, answer_of, read
from jeton_client import errors, token_requests
from jeton_client.access_token import AccessToken, Rules
from jeton_client.addresses import origin_of
from jeton_client.authorization_server import AuthorizationServer
from jeton_client.cached_document import fresh_seconds
from jeton_client.challenges import bearer_token, refusal
from jeton_client.client_authentication import Client, credentials
from jeton_client.discovery import ServerMetadata
from jeton_client.introspection import judge_introspection_answer
from jeton_client.key_set import CachedKeys, parse_key_set
from jeton_client.messages import Answer, Request
from jeton_client.session import Pause, PendingRefresh, Session, after_attempt, has_ended, renew_at
from jeton_client.status_list import CachedList, decode_status_list, judge_status_list_token, read_status_list_token
from jeton_client.strict_json import parse_object
from jeton_client.token_answers import Tokens, TryAgain, judge_revocation_answer, judge_token_answer
from vectors.generate import files

RULES: Final = Rules(ISSUER, AUDIENCE)
KEYS: Final = parse_key_set(read("public_keys"))
LIST: Final = "https://as.example/status/0"
Cases = list[dict[str, Any]]


def each(cases: Cases) -> pytest.MarkDecorator:
    names = [str(case.get("name") or next(iter(case.values()))) for case in cases]
    return pytest.mark.parametrize("case", cases, ids=names)


def with_base(file: Mapping[str, Any]) -> Cases:
    """Return the cases with their answer: as it is, or the members of the base that it changes."""

    def body(case: Mapping[str, Any]) -> dict[str, Any]:
        members = {**file["base"], **case.get("with", {})}
        return {name: value for name, value in members.items() if name not in case.get("without", [])}

    return [{"answer": {"body": body(case)}, **case} for case in file["cases"]]


def test_the_generated_files_are_up_to_date() -> None:
    for name, text in files().items():
        assert (VECTORS / name).read_text() == text, f"{name}: run python tests/vectors/generate.py"


@each(read("addresses"))
def test_addresses(case: Any) -> None:
    if "origin" in case:
        assert origin_of(case["url"]) == case["origin"]
    else:
        with pytest.raises(errors.UntrustedServerError):
            origin_of(case["url"])


@each(read("client_authentication"))
def test_client_authentication(case: Any) -> None:
    given = {name: value for name, value in case.items() if name in ("client_id", "secret", "method")}
    if "error" in case:
        with pytest.raises(ValueError, match="require a secret"):
            Client(**given)
    else:
        headers = {name: value for name, value in case.items() if name == "authorization"}
        assert credentials(Client(**given)) == (headers, case.get("form", {}))


@each(read("token_requests"))
def test_token_requests(case: Any) -> None:
    client = Client("web", "s", "client_secret_post")
    headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}

    request = getattr(token_requests, case["call"])("https://as.example/token", client, *case["with"])

    assert (request.method, request.url) == ("POST", "https://as.example/token")
    assert (request.headers, request.body.decode()) == (headers | case.get("headers", {}), case["body"])


def discovered(issuer: str, answers: list[Any]) -> tuple[list[str], ServerMetadata | Exception]:
    """Return the requested URLs, and the metadata or the error."""
    urls: list[str] = []
    remaining = iter(answers)
    answer = None
    try:
        operation = AuthorizationServer(issuer).metadata()
        while True:
            step = cast(Request, operation.send(answer))
            urls.append(step.url)
            answer = answer_of(next(remaining))
    except StopIteration as end:
        return urls, cast(ServerMetadata, end.value)
    except errors.ClientError as error:
        return urls, error


@each(read("discovery")["locations"])
def test_locations_of_metadata(case: Any) -> None:
    urls, outcome = discovered(case["issuer"], [{"status": 404}] * 3)

    assert urls == case.get("urls", [])
    assert isinstance(outcome, errors.ServerUnavailableError if urls else errors.UntrustedServerError)


@each(read("discovery")["cases"])
def test_discovery(case: Any) -> None:
    file = read("discovery")

    urls, outcome = discovered(ISSUER, [file["answers"][name] for name in case["answers"]])

    assert urls == file["locations"][0]["urls"][: len(case["answers"])]
    assert type(outcome).__name__ == case.get("error", "ServerMetadata")
    if "error" not in case:
        assert {name: getattr(outcome, name) for name in file["endpoints"]} == file["endpoints"]


def result_of(judged: object) -> dict[str, Any]:
    match judged:
        case Tokens():
            names = ("access_token", "expires_at", "refresh_token", "scope")
            return {name: getattr(judged, name) for name in names}
        case TryAgain(after):
            return {"try_again": after}
        case errors.RefusedError(error=error, description=description):
            return {"refused": error, "description": description}
        case _:
            return {"revoked": judged is None}


@each(with_base(read("token_answers")) + read("failures"))
def test_token_answers(case: Any) -> None:
    result = result_of(judge_token_answer(answer_of(case["answer"]), 1000))

    assert {name: result[name] for name in case["expect"]} == case["expect"]


REVOKED: Final = {"name": "revoked", "answer": {}, "expect": {"revoked": True}}
ACCEPTED: Final = {"name": "another success", "answer": {"status": 202}, "expect": {"try_again": None}}


@each([REVOKED, ACCEPTED, *read("failures")])
def test_revocation_answers(case: Any) -> None:
    assert result_of(judge_revocation_answer(answer_of(case["answer"]))) == case["expect"]


@each(read("renewal_times"))
def test_renewal_times(case: Any) -> None:
    tokens, ended_at = Tokens("a1", 1000, case["expires_at"]), case["ended_at"]

    assert renew_at(tokens, case["jitter"]) == (case["renew_at"] or float("inf"))
    assert has_ended(tokens, 1e12) == (ended_at is not None)
    if ended_at is not None:
        assert [has_ended(tokens, at) for at in (ended_at - 0.01, ended_at)] == [False, True]


@each(read("attempts"))
def test_attempts(case: Any) -> None:
    grant, answer = case.get("grant", "password"), case["answer"]
    pending = PendingRefresh("k1", 1550) if grant == "password" else None
    session = Session(Tokens("a1", 1000, 1600, "r1", "read"), grant, "read", pending)
    judged: Tokens | TryAgain | errors.RefusedError
    if "tokens" in answer:
        judged = Tokens("a2", 1550, 2150, answer["tokens"], "read")
    else:
        judged = TryAgain(answer["try_again"]) if "try_again" in answer else errors.RefusedError(answer["refused"])

    outcome = after_attempt(session, judged, case["attempt"], case.get("max_attempts", 6), case.get("jitter", 0))

    match outcome:
        case Session():
            tokens = Tokens("a2", 1550, 2150, case["expect"]["refresh_token"], "read")
            assert outcome == replace(session, tokens=tokens, pending=None)
        case Pause(seconds):
            assert case["expect"] == {"pause": seconds}
        case errors.ServerUnavailableError(retry_after=seconds):
            assert case["expect"] == {"unavailable": seconds}
        case errors.LoginRequiredError():
            assert case["expect"] == {"login_required": True}
        case _:
            assert case["expect"] == {"refused": outcome.error}


@each(read("strict_json"))
def test_strict_json(case: Any) -> None:
    if "object" in case:
        assert parse_object(case["text"].encode()) == case["object"]
    else:
        with pytest.raises(ValueError):
            parse_object(case["text"].encode())


@each(read("fresh_seconds"))
def test_fresh_seconds(case: Any) -> None:
    assert fresh_seconds(case["headers"], 300) == case["seconds"]


@each(read("usable_keys"))
def test_usable_keys(case: Any) -> None:
    keys = parse_key_set({"keys": [case["jwk"]]})

    assert sorted(algorithm for key in keys.values() for algorithm in key.algorithms) == case["algorithms"]


@each(read("key_set"))
def test_key_set(case: Any) -> None:
    cached = before = CachedKeys()

    for step in case["steps"]:
        if "kid" in step:
            known = step["kid"] in (cached.usable(step["at"]) or {})
            assert (cached.ask_for(step["kid"], step["at"]).value, known) == (step["ask"], step["known"]), step
            assert cached.keys is before.keys or "unchanged" not in step, step
        else:
            before, cached = cached, cached.answered(answer_of(step["answer"]), step["at"])


FACTS: Final = {
    "subject": "u_1",
    "client_id": "web",
    "scope": ["read", "write"],
    "roles": [],
    "expires_at": START + 590,
    "status": None,
}


def check(expect: Mapping[str, Any], judge: Callable[[], AccessToken]) -> None:
    """Check the reason of the rejection, or the values that differ from FACTS."""
    if "unavailable" in expect:
        with pytest.raises(errors.VerificationUnavailableError):
            judge()
    elif "reason" in expect:
        with pytest.raises(errors.InvalidTokenError) as refused:
            judge()
        assert refused.value.reason == expect["reason"]
    else:
        token = judge()
        facts = {name: getattr(token, name) for name in FACTS}
        expires_at = None if token.expires_at == float("inf") else token.expires_at
        status = token.status and {"uri": token.status.uri, "idx": token.status.idx}
        facts |= {"scope": sorted(token.scope), "roles": list(token.roles), "expires_at": expires_at, "status": status}
        assert facts == {**FACTS, **expect}


@each(read("access_tokens"))
@pytest.mark.requirement("F03", "F04", "F12", "G08")
def test_access_tokens(case: Any) -> None:
    check(case["expect"], lambda: RULES.judge(RULES.read(case["token"]), KEYS, START))


@each(with_base(read("introspection_answers")))
def test_introspection_answers(case: Any) -> None:
    answer = answer_of(case["answer"])

    check(case.get("expect", {}), lambda: judge_introspection_answer(answer, ISSUER, AUDIENCE, START, 5))


@each(read("status_lists"))
def test_status_lists(case: Any) -> None:
    if "statuses" not in case:
        with pytest.raises(ValueError):
            decode_status_list(case["list"])
        return
    decoded = decode_status_list(case["list"])

    for idx, status in case["statuses"]:
        if status is None:
            with pytest.raises(IndexError):
                decoded.status(idx)
        else:
            assert decoded.status(idx) == status


@each(read("status_list_tokens"))
def test_status_list_tokens(case: Any) -> None:
    def judge() -> Any:
        unverified = read_status_list_token(Answer(200, {}, case["token"].encode()), RULES)
        return judge_status_list_token(unverified, LIST, RULES, KEYS, START)

    if "reason" in case["expect"]:
        with pytest.raises(errors.InvalidTokenError) as refused:
            judge()
        assert refused.value.reason == case["expect"]["reason"]
    else:
        published = judge()
        assert (published.issued_at, published.ttl) == (START, case["expect"]["ttl"])
        assert [published.status_list.status(idx) for idx in (0, 1, 15)] == [1, 0, 1]


@each(read("status_list_cache"))
def test_status_list_cache(case: Any) -> None:
    cached = CachedList(LIST)

    for step in case["steps"]:
        if "ask" not in step:
            cached = cached.answered(answer_of(step["answer"]), RULES, KEYS, step["at"], START + step["at"])
            continue
        status = cached.status_list.status(0) if cached.status_list else None
        usable = cached.is_usable(step["at"], 60)
        assert (cached.ask(step["at"]).value, status if usable else None) == (step["ask"], step["status"]), step


@each(read("bearer_tokens"))
def test_bearer_tokens(case: Any) -> None:
    if "token" in case:
        assert bearer_token(case["authorization"]) == case["token"]
    else:
        with pytest.raises(errors.MalformedRequestError):
            bearer_token(case["authorization"])


@each(read("challenges"))
@pytest.mark.requirement("B05", "B06", "B07")
def test_challenges(case: Any) -> None:
    name, *arguments = case.get("why") or [None]

    refused = refusal(case.get("realm", "api"), name and getattr(errors, name)(*arguments))

    assert (refused.status, refused.error, refused.headers) == (case["status"], case["error"], case["headers"])
