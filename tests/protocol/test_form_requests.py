"""RFC 6749 section 3.2 and appendix B: form parameters are read strictly, and refused rather than guessed."""

import httpx2
import pytest

from jeton.http.form_parsing import REPEATABLE, parse_form
from jeton.oauth.errors import OAuthError
from support.in_process_server import App, Running

FORM = "application/x-www-form-urlencoded"
GRANT = "grant_type=client_credentials"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The form of a request is none of the database's business: one kind will do."""
    return sqlite_url


@pytest.fixture
def app(jeton: Running) -> App:
    return jeton.add_client(default_scope=frozenset({"read"}))


async def send(
    jeton: Running, app: App, body: str | bytes, content_type: str | None = FORM, query: str = ""
) -> httpx2.Response:
    assert app.auth is not None
    headers = {} if content_type is None else {"Content-Type": content_type}
    return await jeton.http.post(f"/oauth/token{query}", content=body, headers=headers, auth=app.auth)


def outcome(response: httpx2.Response) -> tuple[int, str | None]:
    return response.status_code, response.json().get("error")


@pytest.mark.requirement("A13", "A14", "A55")
@pytest.mark.parametrize(
    ("body", "scope"),
    [
        pytest.param(GRANT, "read", id="nothing more"),
        pytest.param(GRANT + "&scope=", "read", id="empty is not sent"),
        pytest.param(GRANT + "&scope=write", "write", id="plain"),
        pytest.param(GRANT + "&scope=read+write", "read write", id="plus is a space"),
        pytest.param(GRANT + "&scope=read%20write", "read write", id="escaped space"),
        pytest.param(GRANT + "&%73cope=%77rite", "write", id="escaped letters"),
        pytest.param(GRANT + "&unknown=1&Scope=write&scope%5B%5D=write", "read", id="unknown parameters"),
        pytest.param(GRANT + "&unknown=", "read", id="empty unknown parameter"),
        pytest.param(GRANT + "&name=%C3%A9%E4%B8%AD%F0%9F%98%80", "read", id="UTF-8"),
        pytest.param(GRANT + "&a=b=c", "read", id="equals sign in a value"),
        pytest.param(GRANT + "".join(f"&x{n}=1" for n in range(31)), "read", id="32 parameters"),
    ],
)
async def test_a_well_formed_request_is_read(jeton: Running, app: App, body: str, scope: str) -> None:
    response = await send(jeton, app, body)

    assert (response.status_code, response.json().get("scope")) == (200, scope)


@pytest.mark.requirement("A15", "A36", "O17")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(f"{GRANT}&{GRANT}", id="the same twice"),
        pytest.param(f"{GRANT}&grant_type=password", id="two values"),
        pytest.param(f"{GRANT}&scope=read&scope=read", id="scope"),
        pytest.param(f"{GRANT}&scope=&scope=read", id="one of them empty"),
        pytest.param(f"{GRANT}&scope=read&%73cope=write", id="one of them escaped"),
        pytest.param(f"{GRANT}&unknown=1&unknown=2", id="unknown parameter"),
    ],
)
async def test_a_repeated_parameter_is_refused(jeton: Running, app: App, body: str) -> None:
    response = await send(jeton, app, body)

    assert outcome(response) == (400, "invalid_request")
    assert response.json()["error_description"] == "A parameter is sent more than once."


@pytest.mark.requirement("A36", "A54", "A55")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(GRANT + "&a=%FF", id="no UTF-8"),
        pytest.param(GRANT + "&a=%C3%28", id="UTF-8 cut short"),
        pytest.param(GRANT + "&a=%C0%AF", id="overlong UTF-8"),
        pytest.param(GRANT + "&a=%ED%A0%80", id="surrogate"),
        pytest.param(GRANT + "&%FF=a", id="no UTF-8 in a name"),
        pytest.param(GRANT.encode() + b"&a=\xc3\xa9", id="UTF-8 that is not escaped"),
        pytest.param(GRANT.encode() + b"&a=\xe9", id="Latin-1"),
        pytest.param(GRANT + "&a=b%00c", id="NUL"),
        pytest.param(GRANT + "&a%00=b", id="NUL in a name"),
        pytest.param(GRANT + "%00", id="NUL after the grant type"),
        pytest.param(GRANT + "&a=%", id="percent alone"),
        pytest.param(GRANT + "&a=%4", id="half an escape"),
        pytest.param(GRANT + "&a=%zz", id="no hexadecimal digits"),
        pytest.param(GRANT + "&a=%u0041", id="an escape of JavaScript"),
        pytest.param(GRANT + "&%=b", id="percent in a name"),
        pytest.param(GRANT + "".join(f"&x{n}=1" for n in range(32)), id="33 parameters"),
        pytest.param(GRANT + "&" * 10000, id="ten thousand separators"),
        pytest.param('{"grant_type": "client_credentials"}', id="JSON"),
    ],
)
async def test_a_malformed_body_is_refused(jeton: Running, app: App, body: str | bytes) -> None:
    assert outcome(await send(jeton, app, body)) == (400, "invalid_request")


@pytest.mark.requirement("A13", "A14")
@pytest.mark.parametrize(
    "body", [f"{GRANT}&scope", f"{GRANT}&scope=", f"{GRANT}&unknown", f"&{GRANT}", f"{GRANT}&", f"{GRANT}&&a=b"]
)
async def test_a_parameter_without_a_value_and_an_empty_one_count_as_not_sent(
    jeton: Running, app: App, body: str
) -> None:
    response = await send(jeton, app, body)

    assert outcome(response) == (200, None)


@pytest.mark.requirement("A13", "A36")
@pytest.mark.parametrize("body", ["", "scope=read", "grant_type=", "grant_type=&scope=read"])
async def test_a_missing_grant_type_is_named(jeton: Running, app: App, body: str) -> None:
    response = await send(jeton, app, body)

    assert outcome(response) == (400, "invalid_request")
    assert response.json()["error_description"] == "The parameter grant_type is missing."


@pytest.mark.requirement("A54", "O17")
async def test_a_semicolon_separates_nothing(jeton: Running, app: App) -> None:
    response = await send(jeton, app, GRANT + "&a=b;scope=write")

    assert response.json()["scope"] == "read"


@pytest.mark.requirement("A55")
@pytest.mark.parametrize(
    "content_type",
    [
        FORM,
        FORM.title(),
        FORM + "; charset=utf-8",
        FORM + ";charset=UTF-8",
        FORM + '; charset="UTF-8"',
        FORM + "; Charset=Utf-8",
        FORM + ";",
        FORM + "; charset=utf8",
        FORM + ";charset=UTF8",
        FORM + '; charset="utf8"',
        FORM + "; charset='utf-8'",
        FORM + "; charset = utf-8 ",
        FORM + "; charset=",
        FORM + "; charset",
        FORM + "; charset=iso-8859-1",
        FORM + "; charset=ISO-8859-15",
        FORM + "; charset=us-ascii",
        FORM + "; charset=windows-1252",
        FORM + "; charset=Shift_JIS",
        FORM + "; charset=windows-31j",
        FORM + "; charset=ANSI_X3.4-1968",
        FORM + "; charset=ISO8859_1",
        FORM + "; charset=ibm850",
        FORM + "; boundary=x",
        FORM + '; odata.metadata=minimal; q="1"; charset=utf-8',
    ],
)
async def test_forms_in_charsets_that_spell_ascii_alike_are_read(jeton: Running, app: App, content_type: str) -> None:
    assert (await send(jeton, app, GRANT, content_type)).status_code == 200


@pytest.mark.requirement("A36", "A54", "A55")
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/json",
        "multipart/form-data; boundary=x",
        "application/xml",
        FORM + "-x",
        "x" + FORM,
        FORM + ", application/json",
        FORM + "; charset=utf-16",
        FORM + "; charset=utf-16le",
        FORM + "; charset=ibm037",
        FORM + "; charset=ibm1047",
        FORM + "; charset=utf-8859",
        FORM + "; charset=utf-8; charset=utf-7",
        "text/plain; " + FORM,
    ],
)
async def test_any_other_content_type_is_refused(jeton: Running, app: App, content_type: str | None) -> None:
    assert outcome(await send(jeton, app, GRANT, content_type)) == (400, "invalid_request")


@pytest.mark.requirement("A36", "A55")
@pytest.mark.parametrize("body", [GRANT + "&a=%E9", GRANT.encode() + b"&a=\xe9"], ids=["escaped", "as it is"])
async def test_another_charset_does_not_change_what_letters_beyond_ascii_are(
    jeton: Running, app: App, body: str | bytes
) -> None:
    assert outcome(await send(jeton, app, body, FORM + "; charset=iso-8859-1")) == (400, "invalid_request")


@pytest.mark.requirement("A15")
@pytest.mark.parametrize("name", REPEATABLE)
@pytest.mark.parametrize("values", ["a", "a&{}=b", "a&{}=a", "&{}=b", "&{}="])
async def test_resource_and_audience_may_be_repeated(jeton: Running, app: App, name: str, values: str) -> None:
    response = await send(jeton, app, f"{GRANT}&{name}={values.format(name)}")

    # What `resource` names must exist; `audience` means nothing to this grant.
    unknown = name == "resource" and values != "&{}="
    assert outcome(response) == ((400, "invalid_target") if unknown else (200, None))


def test_what_may_be_repeated_is_a_list_and_everything_else_is_not() -> None:
    form = parse_form(b"a=1&resource=https%3A%2F%2Fx&audience=&resource=&b=&resource=y")

    assert form == ({"a": "1"}, {"resource": ("https://x", "y")})


@pytest.mark.requirement("A15")
@pytest.mark.parametrize("body", ["resource=a&scope=x&resource=b&scope=y", "Resource=a&Resource=b"])
def test_beside_them_every_other_parameter_is_sent_once(body: str) -> None:
    with pytest.raises(OAuthError, match="more than once"):
        parse_form(body.encode())


@pytest.mark.requirement("A36", "A54")
async def test_a_json_request_is_told_what_is_wanted(jeton: Running, app: App) -> None:
    assert app.auth is not None
    response = await jeton.http.post("/oauth/token", json={"grant_type": "client_credentials"}, auth=app.auth)

    assert outcome(response) == (400, "invalid_request")
    assert response.json()["error_description"] == f"Send the parameters as {FORM} in UTF-8."


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "application/json;q=0", "x"])
async def test_the_answer_is_json_whatever_is_accepted(jeton: Running, app: App, accept: str) -> None:
    response = await jeton.token(app, {"Accept": accept})

    assert (outcome(response), response.headers["content-type"]) == ((400, "invalid_request"), "application/json")


@pytest.mark.requirement("A36", "A54")
async def test_a_multipart_request_is_refused(jeton: Running, app: App) -> None:
    assert app.auth is not None
    parts = {"grant_type": (None, b"client_credentials")}
    response = await jeton.http.post("/oauth/token", files=parts, auth=app.auth)

    assert outcome(response) == (400, "invalid_request")


@pytest.mark.requirement("A36", "A54")
async def test_a_repeated_content_type_is_refused(jeton: Running, app: App) -> None:
    assert app.auth is not None
    headers = [("Content-Type", FORM), ("Content-Type", FORM)]
    response = await jeton.http.post("/oauth/token", content=GRANT, headers=headers, auth=app.auth)

    assert outcome(response) == (400, "invalid_request")


@pytest.mark.requirement("A07", "A36", "O17")
@pytest.mark.parametrize("query", ["?scope=write", "?grant_type=client_credentials", "?client_secret=x", "?x=1"])
async def test_parameters_in_the_uri_are_refused(jeton: Running, app: App, query: str) -> None:
    assert outcome(await send(jeton, app, GRANT, query=query)) == (400, "invalid_request")


@pytest.mark.requirement("A07")
async def test_credentials_in_the_uri_authenticate_nobody(jeton: Running, app: App) -> None:
    credentials = {"client_id": app.client_id, "client_secret": app.secret or ""}
    response = await jeton.http.post("/oauth/token", params=credentials, content=GRANT, headers={"Content-Type": FORM})

    assert outcome(response) == (400, "invalid_request")
