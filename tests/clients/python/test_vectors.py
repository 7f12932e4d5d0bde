"""The Python core does what tests/vectors says, as the TypeScript core must (tests/vectors/README.md)."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import pytest

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
from jeton_client.status_list import (
    CachedList,
    decode_status_list,
    judge_status_list_token,
    read_status_list_token,
)
from jeton_client.strict_json import parse_object
from jeton_client.token_answers import Tokens, TryAgain, judge_revocation_answer, judge_token_answer
from support.checkout import ROOT
from vectors.generate import files

VECTORS: Final = ROOT / "tests" / "vectors"
RULES: Final = Rules("https://as.example/tenant", "https://api.example")
KEYS: Final = parse_key_set(json.loads((VECTORS / "public_keys.json").read_text()))


def cases(name: str) -> pytest.MarkDecorator:
    found = json.loads((VECTORS / f"{name}.json").read_text())
    return pytest.mark.parametrize("case", found, ids=[case["name"] for case in found])


def answer_of(given: Mapping[str, Any] | None) -> Answer | None:
    return None if given is None else Answer(given["status"], given["headers"], given["body"].encode())


def test_the_files_are_what_the_tables_give() -> None:
    for name, text in files().items():
        assert (VECTORS / name).read_text() == text, f"{name}: run python tests/vectors/generate.py"


@cases("addresses")
def test_addresses(case: Any) -> None:
    if "error" in case["expect"]:
        with pytest.raises(errors.UntrustedServerError):
            origin_of(case["given"]["url"])
    else:
        assert origin_of(case["given"]["url"]) == case["expect"]["origin"]


@cases("client_authentication")
def test_client_authentication(case: Any) -> None:
    if "error" in case["expect"]:
        with pytest.raises(ValueError, match="require a secret"):
            Client(**case["given"])
    else:
        headers, form = credentials(Client(**case["given"]))
        assert {"headers": headers, "form": form} == case["expect"]


@cases("token_requests")
def test_token_requests(case: Any) -> None:
    arguments = dict(case["given"])
    call = getattr(token_requests, arguments.pop("call"))

    request = call(client=Client(**arguments.pop("client")), **arguments)

    seen = {"method": request.method, "url": request.url, "headers": request.headers, "body": request.body.decode()}
    assert seen == case["expect"]


@cases("discovery")
def test_discovery(case: Any) -> None:
    given, expect, asked = case["given"], case["expect"], []
    answers = iter(given["answers"])

    def discover() -> ServerMetadata:
        operation, answer = AuthorizationServer(given["issuer"]).metadata(), None
        try:
            while True:
                step = operation.send(answer)
                assert isinstance(step, Request)
                asked.append(step.url)
                told = next(answers)
                answer = told and answer_of(told)
        except StopIteration as done:
            return cast(ServerMetadata, done.value)

    if "error" in expect:
        thrown = {"untrusted_server": errors.UntrustedServerError, "server_away": errors.ServerUnavailableError}[
            expect["error"]
        ]
        with pytest.raises(thrown):
            discover()
    else:
        metadata = discover()
        assert {name: getattr(metadata, name) for name in expect["endpoints"]} == expect["endpoints"]
    assert asked == expect.get("request_urls", [])


def told(judged: object) -> dict[str, Any]:
    match judged:
        case Tokens():
            names = ("access_token", "expires_at", "refresh_token", "scope")
            return {"tokens": {name: getattr(judged, name) for name in names}}
        case TryAgain(after):
            return {"try_again": {"after": after}}
        case errors.RefusedError(error="unsupported_token_type"):
            return {"refused": {"error": judged.error}}
        case errors.RefusedError(error=error, description=description):
            return {"refused": {"error": error, "description": description}}
        case _:
            return {"revoked": judged is None}


@cases("token_answers")
def test_token_answers(case: Any) -> None:
    judged = judge_token_answer(answer_of(case["given"]["answer"]), case["given"]["asked_at"])

    assert told(judged) == case["expect"]


@cases("revocation_answers")
def test_revocation_answers(case: Any) -> None:
    assert told(judge_revocation_answer(answer_of(case["given"]["answer"]))) == case["expect"]


@cases("renewal_times")
def test_renewal_times(case: Any) -> None:
    given, ended_at = case["given"], case["expect"]["ended_at"]
    tokens = Tokens("a1", given["received_at"], given["expires_at"])

    seen = renew_at(tokens, given["jitter"])

    assert seen == (case["expect"]["renew_at"] or float("inf"))
    assert [has_ended(tokens, at) for at in (1e12,)] == [ended_at is not None]
    if ended_at is not None:
        assert [has_ended(tokens, at) for at in (ended_at - 0.01, ended_at)] == [False, True]


def session_of(members: Mapping[str, Any]) -> Session:
    pending = members["pending"] and PendingRefresh(**members["pending"])
    return Session(Tokens(**members["tokens"]), members["grant"], members["scope"], pending)


def judged_of(members: Mapping[str, Any]) -> Tokens | TryAgain | errors.RefusedError:
    if "tokens" in members:
        return Tokens(**members["tokens"])
    return TryAgain(**members["try_again"]) if "try_again" in members else errors.RefusedError(**members["refused"])


@cases("renewals")
def test_renewals(case: Any) -> None:
    given, expect = case["given"], case["expect"]

    outcome = after_attempt(
        session_of(given["session"]), judged_of(given["judged"]), given["attempt"], given["most"], given["jitter"]
    )

    match outcome:
        case Session():
            assert outcome == session_of(expect["session"])
        case Pause(seconds):
            assert {"pause": seconds} == expect
        case errors.ServerUnavailableError(retry_after=seconds):
            assert {"server_away": {"retry_after": seconds}} == expect
        case errors.LoginRequiredError():
            assert expect == {"login_required": True}
        case _:
            assert told(outcome) == expect


@cases("strict_json")
def test_strict_json(case: Any) -> None:
    if "error" in case["expect"]:
        with pytest.raises(ValueError):
            parse_object(case["given"]["text"].encode())
    else:
        assert parse_object(case["given"]["text"].encode()) == case["expect"]["object"]


@cases("fresh_seconds")
def test_fresh_seconds(case: Any) -> None:
    assert fresh_seconds(case["given"]["headers"], case["given"]["default"]) == case["expect"]["seconds"]


@cases("usable_keys")
def test_usable_keys(case: Any) -> None:
    keys = parse_key_set({"keys": [case["given"]["jwk"]]})

    assert sorted(algorithm for key in keys.values() for algorithm in key.algorithms) == case["expect"]["algorithms"]


@cases("key_set")
def test_key_set(case: Any) -> None:
    cached = CachedKeys()

    for step in case["given"]["steps"]:
        if "kid" in step:
            known = step["kid"] in (cached.usable(step["at"]) or {})
            seen = (cached.ask_for(step["kid"], step["at"]).value, known)
            assert seen == (step["ask"], step["known"]), step
        else:
            cached = cached.answered(answer_of(step["answer"]), step["at"])


def facts_of(token: AccessToken) -> dict[str, Any]:
    return {
        "subject": token.subject,
        "client_id": token.client_id,
        "scope": sorted(token.scope),
        "roles": list(token.roles),
        "expires_at": None if token.expires_at == float("inf") else token.expires_at,
        "status": token.status and {"uri": token.status.uri, "idx": token.status.idx},
    }


def check(expect: Mapping[str, Any], judge: Callable[[], AccessToken]) -> None:
    if "unverifiable" in expect:
        with pytest.raises(errors.VerificationUnavailableError):
            judge()
    elif "reason" in expect:
        with pytest.raises(errors.InvalidTokenError) as refused:
            judge()
        assert refused.value.reason == expect["reason"]
    else:
        assert facts_of(judge()) == expect


@cases("access_tokens")
@pytest.mark.requirement("F03", "F04", "F12", "G08")
def test_access_tokens(case: Any) -> None:
    given = case["given"]

    check(case["expect"], lambda: RULES.judge(RULES.read(given["token"]), KEYS, given["now"]))


@cases("introspection_answers")
def test_introspection_answers(case: Any) -> None:
    given = case["given"]

    check(
        case["expect"],
        lambda: judge_introspection_answer(
            answer_of(given["answer"]), RULES.issuer, RULES.audience, given["now"], RULES.skew_seconds
        ),
    )


@cases("status_lists")
def test_status_lists(case: Any) -> None:
    if "error" in case["expect"]:
        with pytest.raises(ValueError):
            decode_status_list(case["given"])
        return
    decoded = decode_status_list(case["given"])

    for idx, status in case["expect"]["statuses"]:
        if status is None:
            with pytest.raises(IndexError):
                decoded.status(idx)
        else:
            assert decoded.status(idx) == status


@cases("status_list_tokens")
def test_status_list_tokens(case: Any) -> None:
    given, expect = case["given"], case["expect"]
    unverified_answer = Answer(200, {}, given["token"].encode())

    if "reason" in expect:
        with pytest.raises(errors.InvalidTokenError) as refused:
            judge_status_list_token(
                read_status_list_token(unverified_answer, RULES), given["uri"], RULES, KEYS, given["now"]
            )
        assert refused.value.reason == expect["reason"]
        return
    published = judge_status_list_token(
        read_status_list_token(unverified_answer, RULES), given["uri"], RULES, KEYS, given["now"]
    )

    assert (published.issued_at, published.ttl) == (expect["issued_at"], expect["ttl"])
    known = [(idx, status) for idx, status in expect["statuses"] if status is not None]
    assert [(idx, published.status_list.status(idx)) for idx, _ in known] == known


@cases("status_list_cache")
def test_status_list_cache(case: Any) -> None:
    given = case["given"]
    cached = CachedList(given["uri"])

    for step in given["steps"]:
        if "ask" not in step:
            cached = cached.answered(answer_of(step["answer"]), RULES, KEYS, step["at"], given["wall"] + step["at"])
            continue
        status = cached.status_list.status(given["idx"]) if cached.status_list else None
        usable = cached.is_usable(step["at"], given["max_stale_seconds"])
        assert (cached.ask(step["at"]).value, status if usable else None) == (step["ask"], step["status"]), step


@cases("bearer_tokens")
def test_bearer_tokens(case: Any) -> None:
    if "error" in case["expect"]:
        with pytest.raises(errors.MalformedRequestError):
            bearer_token(case["given"]["authorization"])
    else:
        assert bearer_token(case["given"]["authorization"]) == case["expect"]["token"]


WHY: Final[Mapping[str, Callable[[Mapping[str, Any]], errors.ClientError]]] = {
    "invalid_token": lambda why: errors.InvalidTokenError(why["reason"]),
    "insufficient_scope": lambda why: errors.InsufficientScopeError(why["scope"]),
    "malformed_request": lambda _: errors.MalformedRequestError("malformed"),
    "unverifiable": lambda why: errors.VerificationUnavailableError("away", why["retry_after"]),
    "untrusted_server": lambda _: errors.UntrustedServerError("http"),
}


@cases("challenges")
@pytest.mark.requirement("B05", "B06", "B07")
def test_challenges(case: Any) -> None:
    why = case["given"]["why"]

    refused = refusal(case["given"]["realm"], why and WHY[why["error"]](why))

    assert {"status": refused.status, "error": refused.error, "headers": refused.headers} == case["expect"]
