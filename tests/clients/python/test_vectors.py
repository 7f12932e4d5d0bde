"""The pure core behaves as specified in tests/vectors, like that of TypeScript (tests/vectors/README.md)."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any, Final

import pytest

from clients.python.vectors import (
    AUDIENCE,
    ISSUER,
    START,
    VECTORS,
    answer_of,
    check,
    jwk_of,
    outcome_of,
    read,
    resource_of,
)
from jeton_client import errors, token_requests
from jeton_client.access_token import Rules
from jeton_client.addresses import origin_of
from jeton_client.attempts import MAX_ATTEMPTS, pause
from jeton_client.authorization_request import AuthorizationRequest, PendingAuthorization, authorization_url
from jeton_client.cached_document import fresh_seconds
from jeton_client.callback import check_logout_callback, code_in
from jeton_client.challenges import Challenges, presented_token
from jeton_client.client_authentication import Client, credentials
from jeton_client.discovery import metadata_requests
from jeton_client.dpop_nonces import DPoPNonces
from jeton_client.dpop_proof import PROOF_ALGORITHMS, ProvenRequest, judge_proof
from jeton_client.id_token import IdToken, IdTokenRules, LogoutToken
from jeton_client.introspection import judge_introspection_answer
from jeton_client.key_set import CachedKeys, parse_key_set
from jeton_client.logout_request import logout_url
from jeton_client.messages import Answer
from jeton_client.session import has_ended, renew_at
from jeton_client.status_list import (
    CachedList,
    StatusList,
    decode_status_list,
    judge_status_list_token,
    read_status_list_token,
)
from jeton_client.strict_json import parse_object
from jeton_client.token_answers import Tokens, TryAgain, judge_revocation_answer, judge_token_answer
from vectors.generate import files

RULES: Final = Rules(ISSUER, AUDIENCE)
KEYS: Final = parse_key_set(read("public_keys"))
LIST: Final = "https://as.example/status/0"
Cases = list[dict[str, Any]]


def name_of(case: Mapping[str, Any]) -> str:
    return str(case.get("name") or next(iter(case.values())))


def each(cases: Cases) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=map(name_of, cases))


def with_base(file: Mapping[str, Any]) -> Cases:
    """Return the cases with their expected result: as given, or as changed members of the base."""

    def body(case: Mapping[str, Any]) -> dict[str, Any]:
        members = {**file["base"], **case.get("with", {})}
        return {name: value for name, value in members.items() if name not in case.get("without", [])}

    return [{"answer": {"body": body(case)}, **case} for case in file["cases"]]


def test_the_generated_files_are_up_to_date() -> None:
    for name, text in files().items():
        assert (VECTORS / name).read_text() == text, f"{name}: run python tests/vectors/generate.py"


PENDING: Final = PendingAuthorization(
    ISSUER, "", "the-state", "the-nonce", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "k", START
)
ID_TOKENS: Final = IdTokenRules(ISSUER, "web")


def client_authentication(case: Any) -> list[Any]:
    return list(credentials(Client(**{name: case[name] for name in ("client_id", "secret", "method") if name in case})))


def token_request(case: Any) -> list[Any]:
    client = Client("web", "s", "client_secret_post")
    request = getattr(token_requests, case["call"])("https://as.example/token", client, *case["with"])
    return [request.method, request.url, request.headers, request.body.decode()]


def requested_authorization(case: Any) -> str:
    endpoint = case.get("endpoint", "https://as.example/authorize")
    return authorization_url(endpoint, Client("web"), AuthorizationRequest(**case["request"]), PENDING)


def requested_logout(case: Any) -> str:
    values = case["id_token"], case["post_logout_redirect_uri"], "the-state"
    return logout_url("https://as.example/logout", Client("web"), *values)


def id_token(case: Any) -> dict[str, Any]:
    pending = replace(PENDING, max_age=case.get("max_age"))
    return members_of(ID_TOKENS.judge(ID_TOKENS.read(case["token"]), KEYS, pending, "the-access-token", START))


def logout_token(case: Any) -> dict[str, Any]:
    return members_of(ID_TOKENS.judge_logout_token(ID_TOKENS.read_logout_token(case["token"]), KEYS, START))


def members_of(token: IdToken | LogoutToken) -> dict[str, Any]:
    return {member.name: getattr(token, member.name) for member in fields(token)}


def renewal_times(case: Any) -> dict[str, Any]:
    tokens = Tokens("a1", 1000, case["expires_at"])
    renewed_at = renew_at(tokens, case["jitter"])
    ended = [has_ended(tokens, at) for at in case["at"]]
    return {"renew_at": None if renewed_at == float("inf") else renewed_at, "ended": ended}


def usable_keys(case: Any) -> list[str]:
    keys = parse_key_set({"keys": [jwk_of(case)]})
    return sorted(algorithm for key in keys.values() for algorithm in key.algorithms)


def status_at(statuses: StatusList, idx: int) -> int | None:
    try:
        return statuses.status(idx)
    except IndexError:
        return None


def status_list(case: Any) -> Any:
    indexes = [idx for idx, _ in case.get("returns", [])]
    decoded = decode_status_list(case["list"])
    return [[idx, status_at(decoded, idx)] for idx in indexes] if indexes else decoded


def status_list_token(case: Any) -> dict[str, Any]:
    unverified = read_status_list_token(Answer(200, {}, case["token"].encode()), RULES)
    published = judge_status_list_token(unverified, LIST, RULES, KEYS, START)
    statuses = [published.status_list.status(idx) for idx in (0, 1, 2, 15)]
    return {"issued_at": published.issued_at, "ttl": published.ttl, "statuses": statuses}


def token_in(case: Any) -> list[str] | None:
    found = presented_token(case["authorization"], case.get("schemes", ["Bearer"]))
    return found and list(found)


def dpop_proof(case: Any) -> dict[str, Any]:
    given = {"method": "GET", "url": "https://api.example/", "has_nonces": False, **case}
    request = ProvenRequest(given["method"], given["url"], "bound", given["thumbprint"])
    return asdict(judge_proof(given["proofs"], request, PROOF_ALGORITHMS, START, has_nonces=given["has_nonces"]))


def resource_metadata(case: Any) -> list[Any]:
    resource = resource_of(case["resource"])
    return [resource.metadata_url, resource.metadata()]


def challenge(case: Any) -> dict[str, Any]:
    name, *arguments = case.get("why") or [None]
    resource = resource_of(case["resource"]) if "resource" in case else None
    challenges = Challenges(case.get("realm", "api"), case.get("scope", ()), resource)
    refused = challenges.refusal(name and getattr(errors, name)(*arguments), case.get("scheme", "Bearer"))
    return {"status": refused.status, "error": refused.error, "headers": refused.headers}


_TOKENS: Final = ("access_token", "expires_at", "refresh_token", "scope", "id_token")


def result_of(judged: object) -> dict[str, Any]:
    match judged:
        case Tokens():
            return {name: getattr(judged, name) for name in _TOKENS}
        case TryAgain(after):
            return {"try_again": after}
        case errors.RefusedError(error=error, description=description):
            return {"refused": error, "description": description}
        case _:
            return {"revoked": judged is None}


REVOKED: Final = {"name": "revoked", "answer": {}, "returns": {"revoked": True}}
ACCEPTED: Final = {"name": "another success", "answer": {"status": 202}, "returns": {"try_again": None}}
FAILURES: Final = read("failures")
# The function under test by the name of its file, and the cases of files without a list.
CORE: Final[dict[str, Callable[[Any], Any]]] = {
    "addresses": lambda case: origin_of(case["url"]),
    "client_authentication": client_authentication,
    "token_requests": token_request,
    "authorization_requests": requested_authorization,
    "callbacks": lambda case: code_in(case["callback"], PENDING, START + case.get("after", 0)),
    "logout_requests": requested_logout,
    "logout_callbacks": lambda case: check_logout_callback(case["callback"], case.get("state", "the-state")),
    "id_tokens": id_token,
    "logout_tokens": logout_token,
    "metadata_urls": lambda case: [request.url for request in metadata_requests(case["issuer"])],
    "token_answers": lambda case: result_of(judge_token_answer(answer_of(case["answer"]), 1000)),
    "revocation_answers": lambda case: result_of(judge_revocation_answer(answer_of(case["answer"]))),
    "renewal_times": renewal_times,
    "attempts": lambda case: pause(
        case["attempt"], case.get("max_attempts", MAX_ATTEMPTS), case.get("after"), case.get("jitter", 0)
    ),
    "strict_json": lambda case: parse_object(case["text"].encode()),
    "fresh_seconds": lambda case: fresh_seconds(case["headers"], 300),
    "usable_keys": usable_keys,
    "access_tokens": lambda case: RULES.judge(RULES.read(case["token"]), KEYS, START),
    "introspection_answers": lambda case: judge_introspection_answer(
        answer_of(case["answer"]), ISSUER, AUDIENCE, START, 5
    ),
    "status_lists": status_list,
    "status_list_tokens": status_list_token,
    "presented_tokens": token_in,
    "dpop_proofs": dpop_proof,
    "dpop_nonces": lambda case: DPoPNonces(bytes(range(16))).accepts(case["nonce"], case["at"]),
    "resource_metadata": resource_metadata,
    "challenges": challenge,
}
COMPOSED: Final[dict[str, Cases]] = {
    "token_answers": with_base(read("token_answers")) + FAILURES,
    "revocation_answers": [REVOKED, ACCEPTED, *FAILURES],
    "introspection_answers": with_base(read("introspection_answers")),
}


@pytest.mark.requirement(
    "B05", "B06", "B07", "DP01", "DP02", "DP03", "DP04", "DP11", "DP13", "F03", "F04", "F12", "G08"
)
@pytest.mark.requirement("MC10", "MC16", "PR01", "PR02", "PR03", "PR05", "RI08")
@pytest.mark.parametrize(
    ("judge", "case"),
    [
        pytest.param(judge, case, id=f"{file}: {name_of(case)}")
        for file, judge in CORE.items()
        for case in COMPOSED.get(file) or read(file)
    ],
)
def test_vector_has_its_expected_result(judge: Callable[[Any], Any], case: Any) -> None:
    check(case, outcome_of(lambda: judge(case)))


def test_a_pending_authorization_is_stored_as_text() -> None:
    assert PendingAuthorization.from_json(PENDING.to_json()) == PENDING
    assert not any(secret in repr(PENDING) for secret in ("the-state", "the-nonce", "dBjft"))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"x": 1}', PENDING.to_json().replace('"the-state"', "1")])
def test_invalid_text_is_no_pending_authorization(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        PendingAuthorization.from_json(text)


@each(read("key_set"))
def test_cached_keys_follow_the_steps(case: Any) -> None:
    cached = before = CachedKeys()

    for step in case["steps"]:
        if "kid" in step:
            known = step["kid"] in (cached.usable(step["at"]) or {})
            assert (cached.ask_for(step["kid"], step["at"]).value, known) == (step["ask"], step["known"]), step
            assert cached.keys is before.keys or "unchanged" not in step, step
        else:
            before, cached = cached, cached.answered(answer_of(step["answer"]), step["at"])


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


def test_nonces_need_a_secret() -> None:
    with pytest.raises(ValueError, match="16 random bytes"):
        DPoPNonces(bytes(15))
