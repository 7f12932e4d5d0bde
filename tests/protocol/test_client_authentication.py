"""RFC 6749 section 2.3: client_secret_basic, client_secret_post or none; exactly one; every failure looks the same."""

from base64 import b64encode
from collections.abc import AsyncIterator
from urllib.parse import quote_plus

import httpx2
import pytest

from jeton.crypto.credentials import digest_secret
from support.in_process_server import App, Running, running, settings_for

GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
async def sqlite_server(sqlite_url: str) -> AsyncIterator[Running]:
    """For tables of spellings, which are none of the database's business: one kind will do."""
    async with running(settings_for(sqlite_url)) as server:
        yield server


def encoded(text: str | bytes) -> str:
    return b64encode(text.encode() if isinstance(text, str) else text).decode()


def basic(client_id: str, secret: str) -> str:
    """As section 2.3.1 wants it: form-encoded, joined by a colon, base64."""
    return "Basic " + encoded(f"{quote_plus(client_id)}:{quote_plus(secret)}")


async def ask(jeton: Running, authorization: str | None = None, **more: str) -> httpx2.Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    return await jeton.http.post("/oauth/token", data=GRANT | more, headers=headers)


def outcome(response: httpx2.Response) -> tuple[int, str | None]:
    return response.status_code, response.json().get("error")


def secret_of(app: App) -> str:
    assert app.secret is not None
    return app.secret


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
        ("x=y?z#", "pässwörd"),
        ('"\\', "☃ 中😀"),
        ("~", ":"),
    ],
)
async def test_id_and_secret_are_form_encoded_in_basic(sqlite_server: Running, client_id: str, secret: str) -> None:
    sqlite_server.add_client(client_id, secret_digest=digest_secret(secret))

    assert (await ask(sqlite_server, basic(client_id, secret))).status_code == 200
    assert outcome(await ask(sqlite_server, basic(client_id, secret + "x"))) == (401, "invalid_client")


@pytest.mark.requirement("A05")
@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param("my+app:p%C3%A4+%3A", id="plus"),
        pytest.param("my%20app:p%c3%a4%20%3a", id="lower-case escapes"),
        pytest.param("my app:p%C3%A4 %3A", id="spaces left as they are"),
        pytest.param("my app:pä :", id="not encoded at all"),
        pytest.param("%6d%79%20app:%70%C3%A4%20:", id="everything encoded, the second colon not"),
    ],
)
async def test_every_spelling_of_the_same_credentials_is_understood(sqlite_server: Running, credentials: str) -> None:
    sqlite_server.add_client("my app", secret_digest=digest_secret("pä :"))

    assert (await ask(sqlite_server, "Basic " + encoded(credentials))).status_code == 200


@pytest.mark.requirement("A05")
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "bAsIc"])
async def test_the_scheme_is_not_case_sensitive(jeton: Running, scheme: str) -> None:
    app = jeton.add_client()

    assert (await ask(jeton, basic(app.client_id, secret_of(app)).replace("Basic", scheme))).status_code == 200


@pytest.mark.requirement("A06", "A16", "K06")
async def test_credentials_in_the_body_authenticate_too(jeton: Running) -> None:
    app = jeton.add_client("a:b & c", secret_digest=digest_secret("pä ss+%41"))

    response = await ask(jeton, client_id=app.client_id, client_secret="pä ss+%41")

    assert response.status_code == 200


@pytest.mark.requirement("A03", "A23")
async def test_a_public_client_names_itself(jeton: Running) -> None:
    app = jeton.add_client("spa", public=True)
    jeton.add_user()

    assert "access_token" in await jeton.log_in(app)


@pytest.mark.requirement("A04", "A36")
async def test_two_methods_at_once_are_refused_even_where_both_are_right(jeton: Running) -> None:
    app = jeton.add_client()
    secret = secret_of(app)

    both = await ask(jeton, basic(app.client_id, secret), client_id=app.client_id, client_secret=secret)
    without_id = await ask(jeton, basic(app.client_id, secret), client_secret=secret)

    assert outcome(both) == outcome(without_id) == (400, "invalid_request")


@pytest.mark.requirement("A04", "A36")
async def test_an_assertion_beside_a_secret_is_a_second_method(jeton: Running) -> None:
    app = jeton.add_client()
    secret, assertion = secret_of(app), {"client_assertion": "a", "client_assertion_type": "b"}

    basic_too = await ask(jeton, basic(app.client_id, secret), **assertion)
    post_too = await ask(jeton, client_id=app.client_id, client_secret=secret, **assertion)

    assert outcome(basic_too) == outcome(post_too) == (400, "invalid_request")


@pytest.mark.requirement("A04", "A36")
async def test_a_body_that_names_another_client_than_the_header_is_refused(jeton: Running) -> None:
    app, other = jeton.add_client(), jeton.add_client("other")

    response = await ask(jeton, basic(app.client_id, secret_of(app)), client_id=other.client_id)

    assert outcome(response) == (400, "invalid_request")


@pytest.mark.requirement("A04", "A13")
@pytest.mark.parametrize("more", [{"client_id": "web"}, {"client_secret": ""}, {"client_id": "", "client_secret": ""}])
async def test_a_body_that_repeats_the_client_id_or_leaves_parameters_empty_is_no_second_method(
    jeton: Running, more: dict[str, str]
) -> None:
    app = jeton.add_client("web")

    response = await jeton.http.post(
        "/oauth/token", data=GRANT | more, headers={"Authorization": basic("web", secret_of(app))}
    )

    assert response.status_code == 200


@pytest.mark.requirement("A36")
async def test_a_repeated_authorization_header_is_refused(jeton: Running) -> None:
    app = jeton.add_client()
    header = ("Authorization", basic(app.client_id, secret_of(app)))

    response = await jeton.http.post("/oauth/token", data=GRANT, headers=[header, header])

    assert outcome(response) == (400, "invalid_request")


@pytest.mark.requirement("A36", "A37", "A54")
@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param("", id="empty"),
        pytest.param("Basic", id="scheme alone"),
        pytest.param("Basic ", id="nothing after the scheme"),
        pytest.param("Basic !!!!", id="no base64"),
        pytest.param("Basic " + encoded("web"), id="no colon"),
        pytest.param("Basic " + encoded(b"\xff\xfe:secret"), id="no UTF-8"),
        pytest.param("Basic " + encoded("web:%FF"), id="escapes that are no UTF-8"),
        pytest.param("Basic " + encoded("web:secret")[:-3], id="cut base64"),
        pytest.param("Basic " + encoded("web:secret") + " x", id="two words"),
        pytest.param("Basic web:secret", id="in clear"),
        pytest.param("Basic\t" + encoded("web:secret"), id="tab"),
        pytest.param("Basic" + encoded("web:secret"), id="no space"),
        pytest.param("Basic " + encoded(":secret"), id="no id"),
        pytest.param("Basic " + encoded("web:"), id="no secret"),
        pytest.param("Basic " + encoded("web:" + "x" * 10000), id="ten thousand characters"),
        pytest.param("Basic " + encoded("w\0eb:secret"), id="NUL"),
        pytest.param("Bearer secret", id="another scheme"),
        pytest.param('Digest username="web"', id="digest"),
        pytest.param("Basic " + "=" * 8, id="padding only"),
    ],
)
async def test_a_header_that_authenticates_nobody_is_401_with_a_challenge(
    sqlite_server: Running, authorization: str
) -> None:
    sqlite_server.add_client("web", secret_digest=digest_secret("secret"))

    response = await ask(sqlite_server, authorization)

    assert outcome(response) == (401, "invalid_client")
    assert response.headers["www-authenticate"] == 'Basic realm="jeton", charset="UTF-8"'


@pytest.mark.requirement("A01", "A03", "A16", "A37")
async def test_nothing_less_than_its_credentials_authenticates_a_confidential_client(jeton: Running) -> None:
    app = jeton.add_client()
    for more in (
        {},
        {"client_secret": secret_of(app)},
        {"client_id": app.client_id},
        {"client_id": app.client_id, "client_secret": ""},
        {"client_id": app.client_id, "client_secret": digest_secret(secret_of(app)).hex()},
        {"client_id": app.client_id, "client_secret": secret_of(app).upper()},
        {"client_id": app.client_id, "client_secret": secret_of(app) + " "},
        {"client_id": app.client_id.upper(), "client_secret": secret_of(app)},
        {"client_id": app.client_id + "\t", "client_secret": secret_of(app)},
        {"client_id": "é", "client_secret": secret_of(app)},
    ):
        assert outcome(await jeton.http.post("/oauth/token", data=GRANT | more)) == (401, "invalid_client")


@pytest.mark.requirement("A01", "A37")
async def test_another_client_s_secret_is_a_wrong_one(jeton: Running) -> None:
    app, other = jeton.add_client(), jeton.add_client("other")

    assert outcome(await ask(jeton, basic(app.client_id, secret_of(other)))) == (401, "invalid_client")


@pytest.mark.requirement("A37")
async def test_a_public_client_that_proves_something_is_refused(jeton: Running) -> None:
    app = jeton.add_client("spa", public=True)
    jeton.add_user()
    login = {"grant_type": "password", "username": "alice", "password": "x"}

    assert outcome(await ask(jeton, basic(app.client_id, "x"), **login)) == (401, "invalid_client")
    posted = await jeton.http.post("/oauth/token", data=login | {"client_id": "spa", "client_secret": "x"})
    assert outcome(posted) == (401, "invalid_client")


@pytest.mark.requirement("A03", "A05")
@pytest.mark.parametrize("more", [{}, {"client_id": "my spa"}, {"client_secret": ""}], ids=["alone", "id too", "both"])
@pytest.mark.parametrize("header", [basic("my spa", ""), basic("my spa", "").replace("Basic", "basic")])
async def test_basic_with_an_empty_secret_names_a_public_client(
    sqlite_server: Running, header: str, more: dict[str, str]
) -> None:
    app = sqlite_server.add_client("my spa", public=True)
    sqlite_server.add_user()
    tokens = await sqlite_server.log_in(app)
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}

    assert (await ask(sqlite_server, header, **refresh | more)).status_code == 200


@pytest.mark.requirement("A37")
async def test_basic_with_an_empty_secret_authenticates_no_confidential_client_and_is_no_guess(jeton: Running) -> None:
    app = jeton.add_client()

    outcomes = [outcome(await ask(jeton, basic(it, ""))) for it in [app.client_id, "unknown"] * 60]

    assert outcomes == [(401, "invalid_client")] * 120


@pytest.mark.requirement("A37")
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
@pytest.mark.parametrize("header", ["Bearer {}", "bearer {}", "DPoP {}", "Token {}", "{}", ""])
async def test_a_header_that_is_not_basic_is_told_what_belongs_there(
    sqlite_server: Running, path: str, header: str
) -> None:
    app = sqlite_server.add_client("spa", public=True)
    sqlite_server.add_user()
    tokens = await sqlite_server.log_in(app)
    headers = {"Authorization": header.format(tokens["access_token"])}
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "token": tokens["refresh_token"]}

    response = await sqlite_server.post(path, app, headers, **form)

    assert outcome(response) == (401, "invalid_client")
    assert response.headers["www-authenticate"].startswith("Basic ")
    assert response.json()["error_description"] == (
        "The Authorization header authenticates the client here, by Basic: leave it out, or send client_id and "
        "client_secret in it. Tokens belong in the form."
    )
    assert (await sqlite_server.refresh(app, tokens["refresh_token"])).status_code == 200
