"""Mutual TLS behind a proxy (RFC 8705, RFC 9440): whose certificates count, and tokens that are bound to them."""

import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from jeton.config.sources import ConfigError
from jeton.crypto.client_certificates import canonical_name
from jeton.oauth.tls_subjects import SAN_DNS, SAN_EMAIL, SAN_IP, SAN_URI, SUBJECT_DN
from support.base64url import base64url
from support.client_certificates import Certificate, authority, issue
from support.in_process_server import ISSUER, PASSWORD, START, App, Running
from support.remote_server import remote_server, response
from support.responses import outcome, visible

CA = authority()
DN = "CN=job,O=Example,C=NO"
JOB = issue(DN, by=CA)
OTHER = issue(DN, by=CA)
JOB_THUMBPRINT = base64url(hashlib.sha256(JOB.der).digest())
TLS, SELF_SIGNED = frozenset({"tls_client_auth"}), frozenset({"self_signed_tls_client_auth"})
UNAUTHENTICATED = (401, "invalid_client")
BehindProxy = Callable[..., Awaitable[Running]]


@pytest.fixture
def behind_proxy(start: Any, tmp_path: Path) -> BehindProxy:
    """A function that starts a server behind a trusted proxy, with a certificate authority for clients."""

    async def started(form: str = "rfc9440", proxies: str = "127.0.0.1", **settings: str) -> Running:
        (tmp_path / "ca.pem").write_text(CA.pem)
        given = {
            "SERVER__TRUSTED_PROXIES": proxies,
            "SERVER__CLIENT_CERTIFICATE_HEADER": form,
            "SERVER__CLIENT_CERTIFICATE_AUTHORITIES": str(tmp_path / "ca.pem"),
            **settings,
        }
        node: Running = await start(**given)
        return node

    return started


def add_tls_client(jeton: Running, client_id: str = "job", **fields: Any) -> App:
    given = {"auth_methods": TLS, "tls_subject": {SUBJECT_DN: DN}, "secret_digest": None, **fields}
    return App(jeton.add_client(client_id, **given).client)


async def request_token(
    jeton: Running, headers: dict[str, str] | list[tuple[str, str]], client_id: str = "job", **form: str
) -> httpx2.Response:
    form = {"grant_type": "client_credentials", "client_id": client_id, **form}
    return await jeton.http.post("/oauth/token", data=form, headers=headers)


def _of_version(certificate: Certificate, version: int) -> bytes:
    marked = b"\xa0\x03\x02\x01"  # RFC 5280 section 4.1: version, explicitly tagged
    return certificate.der.replace(marked + b"\x02", marked + bytes([version]))


def _with_name_of_kind(tag: int) -> bytes:
    """Return a certificate with a SAN of a kind that no code reads (RFC 5280 section 4.2.1.6)."""
    der = issue(DN, x509.DNSName("marked.example"), by=CA).der
    marked = b"\x0emarked.example"
    return der.replace(b"\x82" + marked, bytes([tag]) + marked)


NAMES: list[tuple[str, str, list[x509.GeneralName]]] = [
    (SUBJECT_DN, DN, []),
    (SUBJECT_DN, r"CN=jo\62,O=Example,C=NO", []),
    (SAN_DNS, "Job.example", [x509.DNSName("job.EXAMPLE")]),
    (SAN_URI, "spiffe://example/job", [x509.UniformResourceIdentifier("spiffe://example/job")]),
    (SAN_IP, "2001:db8:0::1", [x509.IPAddress(ip_address("2001:db8::1"))]),
    (SAN_IP, "192.0.2.1", [x509.IPAddress(ip_address("192.0.2.1"))]),
    (SAN_EMAIL, "job@example", [x509.RFC822Name("job@example")]),
]


@pytest.mark.requirement("MT01", "MT03", "MT06")
async def test_a_client_is_known_by_one_name_in_a_certificate_of_an_authority(behind_proxy: BehindProxy) -> None:
    jeton, named_otherwise = await behind_proxy(), issue("CN=other", x509.DNSName("other.example"), by=CA)
    for kind, name, general_names in NAMES:
        add_tls_client(jeton, name, tls_subject={kind: canonical_name(kind, name)})
        certificate = issue(DN, *general_names, by=CA)

        assert outcome(await request_token(jeton, certificate.rfc9440, name)) == (200, None)
        assert outcome(await request_token(jeton, named_otherwise.rfc9440, name)) == UNAUTHENTICATED


WRONG: dict[str, Certificate] = {
    "another subject": issue("CN=other,O=Example,C=NO", by=CA),
    "the same attributes in another order": issue("C=NO,O=Example,CN=job", by=CA),
    "another authority of the same name": issue(DN, by=authority()),
    "issued by itself": issue(DN),
    "issued by a client": issue(DN, by=issue("CN=client", by=CA)),
    "for servers": issue(DN, by=CA, usage=ExtendedKeyUsageOID.SERVER_AUTH),
    "expired": issue(DN, by=CA, until=START - 1),
    "not valid yet": issue(DN, by=CA, since=START + 3600),
}


UNREADABLE = {"version 9": _of_version(JOB, 9)} | {f"name of kind {it}": _with_name_of_kind(it) for it in (0xA3, 0xA5)}


@pytest.mark.requirement("MT01", "MT03")
async def test_any_other_certificate_is_refused_in_the_same_way(behind_proxy: BehindProxy) -> None:
    jeton = await behind_proxy()
    add_tls_client(jeton)
    answers = {name: await request_token(jeton, it.rfc9440) for name, it in WRONG.items()}
    answers["none"] = await request_token(jeton, {})
    answers["unknown client"] = await request_token(jeton, JOB.rfc9440, "nobody")
    answers["secret instead"] = await request_token(jeton, JOB.rfc9440, client_secret="x")
    for name, value in {
        "no value": "",
        "no byte sequence": JOB.rfc9440["Client-Cert"].strip(":"),
        "no base64": ":%%%%:",
        "no certificate": ":AAAA:",
        "escaped PEM": JOB.nginx["X-Client-Cert"],
        **{name: f":{base64.b64encode(der).decode()}:" for name, der in UNREADABLE.items()},
    }.items():
        answers[name] = await request_token(jeton, {"Client-Cert": value})

    assert {name: outcome(it) for name, it in answers.items()} == dict.fromkeys(answers, UNAUTHENTICATED)
    assert len({repr(visible(it)) for it in answers.values()}) == 1
    assert outcome(await request_token(jeton, JOB.rfc9440)) == (200, None)


@pytest.mark.requirement("MT06")
@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({}, [*JOB.rfc9440.items()], 200),
        ({"form": "rfc9440 X-Cert"}, [("X-Cert", JOB.rfc9440["Client-Cert"])], 200),
        ({"form": "nginx X-Client-Cert"}, [*JOB.nginx.items()], 200),
        ({"form": "nginx X-Client-Cert"}, [*JOB.rfc9440.items()], 401),
        ({"form": "nginx X-Client-Cert"}, [("X-Client-Cert", JOB.rfc9440["Client-Cert"])], 401),
        ({}, [*JOB.rfc9440.items(), *JOB.rfc9440.items()], 401),
        ({}, [*JOB.rfc9440.items(), ("client-cert", "")], 401),
        ({"proxies": "192.0.2.1"}, [*JOB.rfc9440.items()], 401),
        ({"proxies": "192.0.2.1"}, [*JOB.rfc9440.items(), ("X-Forwarded-For", "192.0.2.1")], 401),
        ({"form": ""}, [*JOB.rfc9440.items()], 401),
        ({"SERVER__CLIENT_CERTIFICATE_AUTHORITIES": ""}, [*JOB.rfc9440.items()], 401),
    ],
)
async def test_the_certificate_is_taken_only_from_the_set_header_of_a_trusted_proxy(
    behind_proxy: BehindProxy, settings: dict[str, str], headers: list[tuple[str, str]], status: int
) -> None:
    jeton = await behind_proxy(**settings)
    add_tls_client(jeton)

    assert (await request_token(jeton, headers)).status_code == status


@pytest.mark.requirement("MT02")
async def test_a_self_signed_certificate_is_one_of_those_that_are_registered(behind_proxy: BehindProxy) -> None:
    jeton = await behind_proxy(SERVER__CLIENT_CERTIFICATE_AUTHORITIES="")
    mine = issue("CN=anything")
    renewed = issue("CN=anything", key=mine.key)
    add_tls_client(jeton, auth_methods=SELF_SIGNED, tls_subject=None, jwks={"keys": [mine.jwk]})

    assert outcome(await request_token(jeton, mine.rfc9440)) == (200, None)
    for other in (renewed, JOB):
        assert outcome(await request_token(jeton, other.rfc9440)) == UNAUTHENTICATED


@pytest.mark.requirement("MT02")
async def test_a_self_signed_certificate_may_be_published(behind_proxy: BehindProxy) -> None:
    jeton = await behind_proxy()
    mine = issue("CN=anything")

    async with remote_server(response(body=json.dumps({"keys": [mine.jwk]}).encode())) as remote:
        uri = f"http://127.0.0.1:{remote.port}/keys"
        add_tls_client(jeton, auth_methods=SELF_SIGNED, tls_subject=None, jwks_uri=uri)
        assert [outcome(await request_token(jeton, it.rfc9440)) for it in (mine, JOB, mine)] == [
            (200, None),
            UNAUTHENTICATED,
            (200, None),
        ]
        assert len(remote.requests) == 1


@pytest.mark.requirement("MT04")
async def test_tokens_are_bound_to_the_certificate_and_introspection_says_so(behind_proxy: BehindProxy) -> None:
    jeton = await behind_proxy()
    add_tls_client(jeton, introspect=True, audience=(ISSUER,))
    expected = {"x5t#S256": JOB_THUMBPRINT}

    token = (await request_token(jeton, JOB.rfc9440)).json()

    assert token["token_type"] == "Bearer"
    assert jwt.decode(token["access_token"], options={"verify_signature": False})["cnf"] == expected
    form = {"client_id": "job", "token": token["access_token"]}
    introspected = (await jeton.http.post("/oauth/introspect", data=form, headers=OTHER.rfc9440)).json()
    assert (introspected["active"], introspected["cnf"]) == (True, expected)


@pytest.mark.requirement("MT04", "MT05")
async def test_public_client_needs_its_certificate_for_refreshes_and_at_the_own_api(behind_proxy: BehindProxy) -> None:
    jeton = await behind_proxy()
    jeton.add_user("alice")
    jeton.add_client("app", public=True, scope=frozenset({"account"}))
    login = {"grant_type": "password", "username": "alice", "password": PASSWORD}
    tokens = (await request_token(jeton, JOB.rfc9440, "app", **login)).json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}

    statuses = [
        (await jeton.http.get("/account", headers={**bearer, **certificate})).status_code
        for certificate in (JOB.rfc9440, OTHER.rfc9440, {})
    ]
    assert statuses == [200, 401, 401]
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    for certificate in (OTHER.rfc9440, {}):
        assert outcome(await request_token(jeton, certificate, "app", **refresh)) == (400, "invalid_grant")
    renewed = await request_token(jeton, JOB.rfc9440, "app", **refresh)
    assert outcome(renewed) == (200, None)
    assert "cnf" in jwt.decode(renewed.json()["access_token"], options={"verify_signature": False})


@pytest.mark.requirement("MT07")
@pytest.mark.parametrize(
    ("settings", "methods"),
    [
        ({}, ["tls_client_auth", "self_signed_tls_client_auth"]),
        ({"SERVER__CLIENT_CERTIFICATE_AUTHORITIES": ""}, ["self_signed_tls_client_auth"]),
        ({"form": ""}, []),
    ],
)
async def test_metadata_name_only_methods_that_the_settings_allow(
    behind_proxy: BehindProxy, settings: dict[str, str], methods: list[str]
) -> None:
    jeton = await behind_proxy(**settings)

    found = (await jeton.http.get("/.well-known/oauth-authorization-server")).json()

    assert [it for it in found["token_endpoint_auth_methods_supported"] if "tls" in it] == methods
    assert found.get("tls_client_certificate_bound_access_tokens", False) is bool(methods)


@pytest.mark.parametrize(
    "content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
async def test_a_server_without_the_configured_authorities_does_not_start(
    start: Any, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ConfigError, match="client_certificate_authorities"):
        await start(SERVER__CLIENT_CERTIFICATE_AUTHORITIES=str(file))
