"""Keys of an imaginary issuer, and JWTs signed with them, also malformed ones that no library would sign."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

FOLDER: Final = Path(__file__).parent
_KINDS: Final[dict[str, type[RSAKey | ECKey | OKPKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_RANDOM: Final = {"PS256", "ES256"}  # their signatures are random: they are kept in a file


@cache
def keys() -> dict[str, RSAKey | ECKey | OKPKey]:
    """Return the keys by kid. `one`, `ps`, `ec` and `ed` are published; `other` is an attacker's."""
    jwks = json.loads((FOLDER / "signing_keys.json").read_text())
    return {jwk["kid"]: _KINDS[jwk["kty"]].import_key(jwk) for jwk in jwks}


def public_keys() -> dict[str, Any]:
    """Return the issuer's key set."""
    published = []
    for kid, algorithm in {"one": "RS256", "ps": "PS256", "ec": "ES256", "ed": "EdDSA"}.items():
        members = keys()[kid].as_dict(private=False)
        published.append({**members, "kid": kid, "use": "sig", "alg": algorithm})
    return {"keys": published}


def public_pem(kid: str) -> bytes:
    return keys()[kid].as_pem(private=False)


def jwt(header: dict[str, Any] | str, claims: dict[str, Any] | str, kid: str = "one", algorithm: str = "RS256") -> str:
    """Sign exactly these texts; objects are rendered as JSON."""
    signing_input = f"{segment(header)}.{segment(claims)}"
    return f"{signing_input}.{base64url(_signature(algorithm, signing_input.encode(), keys()[kid]))}"


def jwt_by_secret(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    """Sign with HS256 and a public secret: the confusion of RFC 8725 section 2.1."""
    signing_input = f"{segment(header)}.{segment(claims)}"
    return f"{signing_input}.{base64url(hmac.digest(secret, signing_input.encode(), 'sha256'))}"


def segment(members: dict[str, Any] | str) -> str:
    text = members if isinstance(members, str) else json.dumps(members, separators=(",", ":"))
    return base64url(text.encode())


def respelled(token: str) -> str:
    """Return the same octets in another spelling: with other spare bits at the end (RFC 4648 section 3.5)."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


def rejected_tokens(reasons: Iterable[tuple[str, dict[str, str]]]) -> list[dict[str, Any]]:
    """Return the cases of tokens, by name, that are rejected for each reason."""
    return [
        {"name": f"{reason}: {name}", "token": token, "raises": {"name": "InvalidTokenError", "reason": reason}}
        for reason, tokens in reasons
        for name, token in tokens.items()
    ]


def without(members: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name not in names}


def nested(depth: int) -> str:
    """Return an object with this many open brackets."""
    return '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


def base64url(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def _signature(algorithm: str, signing_input: bytes, key: RSAKey | ECKey | OKPKey) -> bytes:
    if algorithm not in _RANDOM:
        return JWSRegistry.algorithms[algorithm].sign(signing_input, key)
    file = FOLDER / "signatures.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    name = f"{algorithm} {signing_input.decode()}"
    if name not in known:
        known[name] = JWSRegistry.algorithms[algorithm].sign(signing_input, key).hex()
        file.write_text(json.dumps(known, indent=1) + "\n")
    return bytes.fromhex(known[name])
