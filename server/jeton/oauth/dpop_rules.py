"""DPoP proofs: which are valid (RFC 9449 section 4.3). Their signature is verified by crypto/dpop_proof.py."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from jeton.frozen import Frozen
from jeton.oauth.decisions import Deny
from jeton.oauth.errors import ErrorCode, OAuthError

# "EdDSA" means Ed25519, for which RFC 9864 has a name of its own.
DPOP_ALGORITHMS: Final = ("ES256", "EdDSA", "Ed25519")
MAX_JTI_BYTES: Final = 256
# How old a proof may be, and how far its clock ahead (RFC 9449 section 11.1, FAPI 2.0 section 5.3.2.1).
MAX_AGE_SECONDS: Final = 60
MAX_AHEAD_SECONDS: Final = 30
# Nodes read the time from the database every two seconds, and may differ that much.
_CLOCK_DIFFERENCE_SECONDS: Final = 10

PROOF_REPLAYED: Final = Deny(ErrorCode.INVALID_DPOP_PROOF, "proof_used_before")
PROOF_REQUIRED: Final = Deny(ErrorCode.INVALID_DPOP_PROOF, "proof_required_of_client")

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_URI: Final = re.compile(r"[\x21-\x7E]+")
_ESCAPED: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]")


class ProvenRequest(Frozen):
    """The request that a proof is for.

    `uri` is the public URL of the endpoint. `access_token_hash` is the SHA-256 of the access token in base64url, None
    at endpoints that take none.
    """

    method: str
    uri: str
    access_token_hash: str | None = None


def proof_rejection_reason(
    claims: Mapping[str, Any], request: ProvenRequest, now: int, nonce_expires_at: int | None = None
) -> str | None:
    """Return why the claims of a proof are not valid for the request, as a fixed word, or None if they are.

    `nonce_expires_at` is the end of the server's nonce in the proof, if there is a valid one: it tells when the proof
    was made, also if the client's clock is wrong.
    """
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti.encode()) <= MAX_JTI_BYTES:
        return "jti_invalid"
    if claims.get("htm") != request.method:
        return "htm_wrong"
    if not _is_same_uri(claims.get("htu"), request.uri):
        return "htu_wrong"
    if request.access_token_hash is not None and claims.get("ath") != request.access_token_hash:
        return "ath_wrong"
    return _time_rejection_reason({"exp": now + 1, "nbf": now, **claims}, now, has_nonce=nonce_expires_at is not None)


def _time_rejection_reason(claims: Mapping[str, Any], now: int, *, has_nonce: bool) -> str | None:
    times: list[Any] = [claims.get(name) for name in ("iat", "exp", "nbf")]
    # Numbers (RFC 7519 section 2), and none that overflows.
    if not all(isinstance(it, (int, float)) and not isinstance(it, bool) and 0 <= it < 2**40 for it in times):
        return "time_malformed"
    issued_at, expires_at, not_before = times
    if not has_nonce and not -MAX_AGE_SECONDS <= issued_at - now <= MAX_AHEAD_SECONDS:
        return "iat_out_of_window"
    if now >= expires_at:
        return "proof_expired"
    return "proof_not_yet_valid" if not_before - now > MAX_AHEAD_SECONDS else None


def parse_dpop_jkt(parameters: Mapping[str, str]) -> str | None:
    """Return the parameter `dpop_jkt` of an authorization request (section 10), or None. Raise OAuthError."""
    thumbprint = parameters.get("dpop_jkt")
    if thumbprint is not None and not _THUMBPRINT.fullmatch(thumbprint):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The parameter dpop_jkt is not a SHA-256 thumbprint in base64url.")
    return thumbprint


def remembered_until(claims: Mapping[str, Any], nonce_expires_at: int | None) -> int:
    """Return from when a valid proof is refused by every node, so that its use can be forgotten."""
    end = int(claims["iat"]) + MAX_AGE_SECONDS if nonce_expires_at is None else nonce_expires_at
    return end + _CLOCK_DIFFERENCE_SECONDS


def normalize_uri(uri: str) -> str | None:
    """Return an http or https URL without query and fragment, in normal form (RFC 3986 section 6.2), else None."""
    if not _URI.fullmatch(uri):
        return None
    try:
        parts = urlsplit(uri)
        port, host = parts.port, parts.hostname
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc:
        return None
    authority = f"[{host}]" if ":" in host else host
    if port not in (None, _DEFAULT_PORTS[parts.scheme]):
        authority += f":{port}"
    return f"{parts.scheme}://{authority}{_ESCAPED.sub(_normalize_escape, parts.path) or '/'}"


def _normalize_escape(escaped: re.Match[str]) -> str:
    character = chr(int(escaped[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escaped[0].upper()


def _is_same_uri(htu: object, uri: str) -> bool:
    normal = normalize_uri(htu) if isinstance(htu, str) else None
    return normal is not None and normal == normalize_uri(uri)
