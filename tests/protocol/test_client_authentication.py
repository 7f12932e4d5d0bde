"""Client authentication (RFC 6749 section 2.3): by Basic, in the body or by name; how credentials may be written."""

from base64 import b64encode
from urllib.parse import quote_plus

import httpx2
import pytest

from jeton.crypto.credentials import digest_secret
from support.in_process_server import App, Running
from support.responses import outcome
from support.sessions import new_session

SETTINGS = {"LIMITS__SECRET_FAILURES_PER_ADDRESS": "0", "LIMITS__SECRET_FAILURES_PER_CLIENT": "0"}
CLIENT_ID, SECRET = "my app", "p\u00e4 :"
OTHER_SECRET = "another secret"
ASSERTION = {"client_assertion": "a", "client_assertion_type": "b"}
UNAUTHENTICATED, MALFORMED = (401, "invalid_client"), (400, "invalid_request")


@pytest.fixture(scope="module")
def jeton(shared_jeton: Running) -> Running:
    shared_jeton.add_client(CLIENT_ID, secret_digest=digest_secret(SECRET))
    shared_jeton.add_client("other", secret_digest=digest_secret(OTHER_SECRET))
    return shared_jeton


@pytest.fixture(scope="module")
def spa(jeton: Running) -> App:
    return jeton.add_client("my spa", public=True)


def basic(credentials: str | bytes) -> str:
    return "Basic " + b64encode(credentials.encode() if isinstance(credentials, str) else credentials).decode()


def encoded(client_id: str, secret: str) -> str:
    """Return both form-encoded and joined by a colon (RFC 6749 section 2.3.1)."""
    return basic(f"{quote_plus(client_id)}:{quote_plus(secret)}")


RIGHT = encoded(CLIENT_ID, SECRET)


async def send(jeton: Running, *authorization: str, **form: str) -> httpx2.Response:
    headers = [("Authorization", it) for it in authorization]
    return await jeton.http.post("/oauth/token", data={"grant_type": "client_credentials"} | form, headers=headers)


@pytest.mark.requirement("A05", "A16", "K06")
@pytest.mark.parametrize(
    ("client_id", "secret"),
    [
        ("web", "s3cret"),
        ("a:b", "a:b:c"),
        ("50% off", "50%41"),
        ("me & you", "x&y=z"),
        ("a+b", "a+b c"),
        ("with space", " "),
        ("x=y?z#", "p\u00e4ssw\u00f6rd"),
        ('"\\', "\u2603 \u4e2d\U0001f600"),
        ("~", ":"),
    ],
)
async def test_any_id_and_secret_can_be_sent_by_both_methods(jeton: Running, client_id: str, secret: str) -> None:
    jeton.add_client(client_id, secret_digest=digest_secret(secret))

    for it, expected in ((secret, (200, None)), (secret + "x", UNAUTHENTICATED)):
        assert outcome(await send(jeton, encoded(client_id, it))) == expected
        assert outcome(await send(jeton, client_id=client_id, client_secret=it)) == expected


@pytest.mark.requirement("A04", "A05", "A06", "A13", "A16", "A36", "K06")
@pytest.mark.parametrize(
    ("authorization", "form"),
    [
        pytest.param(basic("my+app:p%C3%A4+%3A"), {}, id="plus"),
        pytest.param(basic("my%20app:p%c3%a4%20%3a"), {}, id="lower-case escapes"),
        pytest.param(basic("my app:p%C3%A4 %3A"), {}, id="spaces not encoded"),
        pytest.param(basic("my app:p\u00e4 :"), {}, id="nothing encoded"),
        pytest.param(basic("%6d%79%20app:%70%C3%A4%20:"), {}, id="everything encoded but the second colon"),
        pytest.param(RIGHT.replace("Basic", "basic"), {}, id="lower-case scheme"),
        pytest.param(RIGHT.replace("Basic", "bAsIc"), {}, id="mixed-case scheme"),
        pytest.param(RIGHT, {"client_id": CLIENT_ID}, id="client_id repeated in the body"),
        pytest.param(RIGHT, {"client_id": "", "client_secret": ""}, id="empty parameters"),
    ],
)
async def test_every_spelling_of_the_same_credentials_is_accepted(
    jeton: Running, authorization: str, form: dict[str, str]
) -> None:
    assert outcome(await send(jeton, authorization, **form)) == (200, None)


OTHER = basic(f"other:{OTHER_SECRET}")
# Methods that are mixed are refused even if all of them are right.
MIXED = {
    "Basic and body": ([RIGHT], {"client_id": CLIENT_ID, "client_secret": SECRET}),
    "Basic and secret": ([RIGHT], {"client_secret": SECRET}),
    "Basic and assertion": ([RIGHT], ASSERTION),
    "body and assertion": ([], ASSERTION | {"client_id": CLIENT_ID, "client_secret": SECRET}),
    "another client_id": ([RIGHT], {"client_id": "other"}),
    "two headers": ([RIGHT, RIGHT], {}),
}
HEADERS = {
    "empty": "",
    "scheme alone": "Basic",
    "nothing after the scheme": "Basic ",
    "no base64": "Basic !!!!",
    "no colon": basic("other"),
    "no UTF-8": basic(b"\xff\xfe:secret"),
    "escapes that are no UTF-8": basic("other:%FF"),
    "cut base64": OTHER[:-3],
    "two words": OTHER + " x",
    "in clear": f"Basic other:{OTHER_SECRET}",
    "tab": OTHER.replace(" ", "\t"),
    "no space": OTHER.replace(" ", ""),
    "no id": basic(":secret"),
    "no secret": basic("other:"),
    "ten thousand characters": basic("other:" + "x" * 10000),
    "a thousand spaces": OTHER.replace(" ", " " * 1024),
    "NUL": basic(f"oth\0er:{OTHER_SECRET}"),
    "secret of another client": basic(f"other:{SECRET}"),
    "another scheme": f"Bearer {OTHER_SECRET}",
    "digest": 'Digest username="other"',
    "padding only": "Basic " + "=" * 8,
}
BODIES = [
    {},
    {"client_secret": OTHER_SECRET},
    {"client_id": "other"},
    {"client_id": "other", "client_secret": ""},
    {"client_id": "other", "client_secret": SECRET},
    {"client_id": "other", "client_secret": digest_secret(OTHER_SECRET).hex()},
    {"client_id": "other", "client_secret": OTHER_SECRET.upper()},
    {"client_id": "other", "client_secret": OTHER_SECRET + " "},
    {"client_id": "OTHER", "client_secret": OTHER_SECRET},
    {"client_id": "other\t", "client_secret": OTHER_SECRET},
    {"client_id": "\u00e9", "client_secret": OTHER_SECRET},
]


@pytest.mark.requirement("A01", "A03", "A04", "A16", "A36", "A37", "A54")
@pytest.mark.parametrize(
    ("authorization", "form", "refusal"),
    [
        *(pytest.param(*it, MALFORMED, id=name) for name, it in MIXED.items()),
        *(pytest.param([it], {}, UNAUTHENTICATED, id=name) for name, it in HEADERS.items()),
        *(pytest.param([], it, UNAUTHENTICATED, id=f"body {it}") for it in BODIES),
    ],
)
async def test_any_other_credentials_are_refused(
    jeton: Running, authorization: list[str], form: dict[str, str], refusal: tuple[int, str]
) -> None:
    response = await send(jeton, *authorization, **form)

    assert outcome(response) == refusal
    if refusal == UNAUTHENTICATED:
        assert response.headers["www-authenticate"] == 'Basic realm="jeton", charset="UTF-8"'


@pytest.mark.requirement("A03", "A05", "A23", "A37")
@pytest.mark.parametrize(
    ("authorization", "form", "status"),
    [
        pytest.param([], {"client_id": "my spa"}, 200, id="by name"),
        pytest.param([basic("my+spa:")], {}, 200, id="Basic without secret"),
        pytest.param([basic("my+spa:").replace("B", "b", 1)], {}, 200, id="basic without secret"),
        pytest.param([basic("my+spa:")], {"client_id": "my spa"}, 200, id="Basic and client_id"),
        pytest.param([basic("my+spa:")], {"client_secret": ""}, 200, id="Basic and empty secret"),
        pytest.param([basic("my+spa:x")], {}, 401, id="Basic with a secret"),
        pytest.param([basic("my+spa")], {}, 401, id="Basic without a colon"),
        pytest.param([], {"client_id": "my spa", "client_secret": "x"}, 401, id="a secret in the body"),
    ],
)
async def test_public_client_identifies_itself_without_a_secret(
    jeton: Running, spa: App, authorization: list[str], form: dict[str, str], status: int
) -> None:
    session = await new_session(jeton, spa)
    refresh = {"grant_type": "refresh_token", "refresh_token": session.refresh}

    assert (await send(jeton, *authorization, **refresh | form)).status_code == status


@pytest.mark.requirement("A37")
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
@pytest.mark.parametrize("header", ["Bearer {}", "bearer {}", "DPoP {}", "Token {}", "{}", ""])
async def test_other_authorization_header_is_refused_with_a_basic_challenge(
    jeton: Running, path: str, header: str
) -> None:
    session = await new_session(jeton, public=True)
    headers = {"Authorization": header.format(session.access)}

    response = await jeton.post(path, session.app, headers, grant_type="refresh_token", token=session.refresh)

    assert outcome(response) == UNAUTHENTICATED
    assert response.headers["www-authenticate"].startswith("Basic ")
    assert "leave it out" in response.json()["error_description"]
    assert (await jeton.refresh(session.app, session.refresh)).status_code == 200
