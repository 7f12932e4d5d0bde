"""Command-line options for the keys and certificates by which a client authenticates."""

import json
from pathlib import Path
from typing import Any, Final

import click

from jeton.oauth.client_keys import MAX_KEY_SET_CHARACTERS
from jeton.oauth.clients import ASSERTION_AUDIENCES
from jeton.oauth.tls_subjects import KINDS, SAN_DNS, SAN_EMAIL, SAN_IP, SAN_URI, SUBJECT_DN


def _read_key_set(file: Path) -> dict[str, Any]:
    """Return the JWK Set in a file. What is in it is checked with the rest of the registration."""
    try:
        with file.open("rb") as opened:
            key_set = json.loads(opened.read(MAX_KEY_SET_CHARACTERS + 1))
    except (ValueError, RecursionError):
        key_set = None
    if not isinstance(key_set, dict):
        raise click.BadParameter('the file is not a JWK Set: {"keys": [...]}')
    return key_set


KEY_OPTIONS: Final = (
    click.option(
        "--jwks",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        callback=lambda _context, _option, file: None if file is None else _read_key_set(file),
        help="JWK Set of its public keys, for private_key_jwt, or with certificates for self_signed_tls_client_auth.",
    ),
    click.option("--jwks-uri", metavar="URI", help="Where it publishes that JWK Set."),
    click.option(
        "--assertion-audience",
        type=click.Choice(ASSERTION_AUDIENCES),
        help="What its assertions must name as audience: the issuer; legacy allows the token endpoint, too.",
    ),
    *(
        click.option(f"--tls-{option}", kind, metavar="NAME", help=f"Certificate, for tls_client_auth: {text}.")
        for option, kind, text in (
            ("subject-dn", SUBJECT_DN, "its subject, such as CN=job,O=Example,C=NO"),
            ("san-dns", SAN_DNS, "a host name in it"),
            ("san-uri", SAN_URI, "a URI in it"),
            ("san-ip", SAN_IP, "an IP address in it"),
            ("san-email", SAN_EMAIL, "an e-mail address in it"),
        )
    ),
)


def key_changes(options: dict[str, Any]) -> dict[str, Any]:
    """Return the changes that the given options ask for; options that were left out change nothing."""
    names = ("jwks", "jwks_uri", "assertion_audience")
    changes = {name: options[name] for name in names if options[name] is not None}
    subject = {kind: options[kind] for kind in KINDS if options[kind] is not None}
    return {**changes, "tls_subject": subject} if subject else changes
