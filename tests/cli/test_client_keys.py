"""jeton client add, set: clients that authenticate by a key have no secret, and one way to find their keys."""

import json
from pathlib import Path
from typing import Any

import pytest

from jeton.storage.clients import load_clients
from support.cli_runner import CommandLine
from support.client_keys import ClientKeyPair
from support.in_process_server import Running

KEY = ClientKeyPair()
GRANT = ("--grant", "client_credentials", "--scope", "read")
BY_KEY = ("--auth-method", "private_key_jwt")
URI = "https://app.example/keys"


@pytest.fixture
def jwks(tmp_path: Path) -> str:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(KEY.jwks))
    return str(file)


@pytest.mark.requirement("A10", "CA05")
async def test_a_client_with_a_key_has_no_secret_and_works(cli: CommandLine, jeton: Running, jwks: str) -> None:
    added = cli.json("client", "add", "job", *GRANT, *BY_KEY, "--jwks", jwks)

    assert "client_secret" not in added
    assert (added["auth_methods"], added["jwks"], added["jwks_uri"]) == (["private_key_jwt"], KEY.jwks, None)
    assert (added["assertion_audience"], added["warning"]) == ("issuer", None)
    form = {"grant_type": "client_credentials", **KEY.assertion(jeton, "job")}
    assert (await jeton.http.post("/oauth/token", data=form)).status_code == 200
    refused = cli.refused("client", "rotate-secret", "job")
    assert "has no secret" in refused


def test_configuration_with_a_secret_is_not_suggested_to_a_client_without_one(cli: CommandLine, jwks: str) -> None:
    redirects = ("--grant", "authorization_code", "--redirect-uri", "https://app.example/", "--scope", "openid")
    cli.json("client", "add", "shop", *redirects, *BY_KEY, "--jwks", jwks)

    assert "CLIENT_SECRET" not in cli.text("client", "show", "shop")


@pytest.mark.requirement("CA06")
def test_keys_are_replaced_and_a_legacy_audience_is_warned_about(cli: CommandLine, jwks: str) -> None:
    cli.json("client", "add", "job", *GRANT, *BY_KEY, "--jwks", jwks)

    by_uri = cli.json("client", "set", "job", "--jwks-uri", URI, "--assertion-audience", "legacy")
    assert (by_uri["jwks"], by_uri["jwks_uri"], by_uri["assertion_audience"]) == (None, URI, "legacy")
    assert "token endpoint" in by_uri["warning"]
    by_value = cli.json("client", "set", "job", "--jwks", jwks, "--assertion-audience", "issuer")
    assert (by_value["jwks"], by_value["jwks_uri"], by_value["warning"]) == (KEY.jwks, None, None)


async def test_the_secret_of_a_client_ends_when_it_gets_a_key(cli: CommandLine, jeton: Running, jwks: str) -> None:
    cli.json("client", "add", "job", *GRANT)
    cli.json("client", "rotate-secret", "job", "--overlap-seconds", "60")

    cli.json("client", "set", "job", *BY_KEY, "--jwks", jwks)
    with jeton.database.read() as connection:
        stored = load_clients(connection, ["job"])["job"]
    assert stored.secret_digests(jeton.clock.now()) == ()
    without = cli.json("client", "set", "job", "--auth-method", "client_secret_basic", "--clear", "jwks")
    assert "rotate-secret" in without["warning"]
    assert cli.json("client", "rotate-secret", "job")["client_secret"].startswith("jcs_")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((*BY_KEY,), "either --jwks or --jwks-uri"),
        ((*BY_KEY, "--jwks", "{jwks}", "--jwks-uri", URI), "either --jwks or --jwks-uri"),
        ((*BY_KEY, "--auth-method", "client_secret_basic", "--jwks-uri", URI), "stands alone"),
        (("--jwks-uri", URI), "are for --auth-method private_key_jwt and self_signed_tls_client_auth: leave them out"),
        ((*BY_KEY, "--public", "--jwks-uri", URI), "a public client does not authenticate"),
        (("--assertion-audience", "legacy"), "is for --auth-method private_key_jwt"),
        ((*BY_KEY, "--jwks-uri", "http://app.example/keys"), "must be https"),
        *(
            ((*BY_KEY, "--jwks-uri", uri), "is not a jwks_uri")
            for uri in ("app.example", "https://a@app.example/", "https://app.example/#k", "file:///keys", "https:///")
        ),
        ((*BY_KEY, "--jwks", "{private}"), "private"),
        ((*BY_KEY, "--jwks", "{other}"), "no key of the JWK Set verifies signatures"),
    ],
)
def test_contradictions_are_refused(
    cli: CommandLine, tmp_path: Path, jwks: str, options: tuple[str, ...], reason: str
) -> None:
    files: dict[str, Any] = {
        "private": json.dumps({"keys": [KEY.key.as_dict(private=True)]}),
        "other": json.dumps({"keys": [KEY.public | {"use": "enc"}]}),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    names = {"jwks": jwks, **{name: str(tmp_path / name) for name in files}}

    assert reason in cli.refused("client", "add", "job", *GRANT, *(it.format(**names) for it in options))


@pytest.mark.parametrize("text", ["-----BEGIN PUBLIC KEY-----", "[]", "", "[" * 100_000])
def test_a_file_that_is_no_key_set_is_wrong_usage(cli: CommandLine, tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text)

    assert "not a JWK Set" in cli.misused("client", "add", "job", *GRANT, *BY_KEY, "--jwks", str(tmp_path / "keys"))


BY_TLS = ("--auth-method", "tls_client_auth")
SELF_SIGNED = ("--auth-method", "self_signed_tls_client_auth")


@pytest.mark.requirement("MT01")
@pytest.mark.parametrize(
    ("option", "name", "stored"),
    [
        ("subject-dn", r"CN=j\6fb,O=Example,C=NO", "CN=job,O=Example,C=NO"),
        ("san-dns", "Job.Example", "job.example"),
        ("san-uri", "spiffe://example/job", "spiffe://example/job"),
        ("san-ip", "2001:DB8:0::1", "2001:db8::1"),
        ("san-email", "job@example", "job@example"),
    ],
)
def test_a_client_is_named_in_its_certificate(cli: CommandLine, option: str, name: str, stored: str) -> None:
    added = cli.json("client", "add", "job", *GRANT, *BY_TLS, f"--tls-{option}", name)

    assert added["tls_subject"] == {f"tls_client_auth_{option.replace('-', '_')}": stored}
    assert "client_secret" not in added


@pytest.mark.requirement("MT01", "MT02")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((*BY_TLS,), "needs one name"),
        ((*BY_TLS, "--tls-san-dns", ""), "needs one name"),
        ((*BY_TLS, "--tls-san-dns", "job.example", "--tls-san-uri", "spiffe://job"), "needs one name"),
        ((*BY_TLS, "--tls-san-dns", "job.example", "--jwks-uri", URI), "--jwks and --jwks-uri are for"),
        ((*BY_TLS, "--tls-subject-dn", "job"), "is malformed: --tls-subject-dn takes a name such as CN=job"),
        ((*BY_TLS, "--tls-san-ip", "job"), "is malformed: --tls-san-ip takes a name such as 192.0.2.1"),
        (("--tls-san-dns", "job.example"), "is for --auth-method tls_client_auth"),
        ((*SELF_SIGNED,), "either --jwks or --jwks-uri"),
        ((*SELF_SIGNED, "--jwks", "{jwks}"), "has a certificate"),
    ],
)
def test_contradictions_of_certificates_are_refused(
    cli: CommandLine, jwks: str, options: tuple[str, ...], reason: str
) -> None:
    assert reason in cli.refused("client", "add", "job", *GRANT, *(it.format(jwks=jwks) for it in options))
