"""Access tokens in requests, and responses to refused requests (RFC 6750, RFC 9449, RFC 9110 section 11)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final, Literal

from jeton_client.errors import (
    ClientError,
    InsufficientScopeError,
    InvalidProofError,
    InvalidTokenError,
    MalformedRequestError,
    NonceRequiredError,
    VerificationUnavailableError,
)
from jeton_client.protected_resource import ProtectedResource

Scheme = Literal["Bearer", "DPoP"]
_B64TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


def presented_token(authorization: Sequence[str], schemes: Sequence[Scheme]) -> tuple[Scheme, str] | None:
    """Return scheme and token of a request with these Authorization headers, or None without one of these schemes.

    Tokens in the URL or the body are ignored. Raise MalformedRequestError if the header is malformed.
    """
    if not authorization:
        return None
    name, _, token = authorization[0].partition(" ")
    if len(authorization) > 1:
        raise MalformedRequestError("more than one Authorization header")
    scheme = next((it for it in schemes if it.lower() == name.lower()), None)
    if scheme is None:
        return None
    token = token.strip(" ")
    if not _B64TOKEN.fullmatch(token):
        raise MalformedRequestError(f"no token after the scheme {scheme}")
    return scheme, token


def accepted_schemes(resource: ProtectedResource | None) -> Sequence[Scheme]:
    """Return the schemes that a service accepts."""
    if resource is None or resource.dpop is None:
        return ("Bearer",)
    return ("DPoP",) if resource.dpop.required else ("Bearer", "DPoP")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The response to a refused request; its body is `{"error": error}`."""

    status: int
    error: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Challenges:
    """What the challenges of a service say: the scope of every request, and where its metadata are (RFC 9728 5.1)."""

    realm: str = "api"
    scope: Sequence[str] = ()
    resource: ProtectedResource | None = None

    def refusal(self, why: ClientError | None, scheme: Scheme = "Bearer") -> Refusal:
        """Return the response to a request by this scheme, for an error, or for None if it had no token.

        It does not reveal a reason.
        """
        match why:
            case None:
                return self._challenge(401, "unauthorized", scheme)
            case InvalidTokenError():
                return self._challenge(401, "invalid_token", scheme, "The access token is not valid here.")
            case InvalidProofError():
                return self._challenge(
                    401, "invalid_dpop_proof", scheme, "The DPoP proof is not valid for this request."
                )
            case NonceRequiredError():
                return self._challenge(401, "use_dpop_nonce", scheme, "The DPoP proof needs the nonce in DPoP-Nonce.")
            case InsufficientScopeError(scope=needed):
                return self._challenge(
                    403, "insufficient_scope", scheme, "The access token does not reach as far.", needed
                )
            case MalformedRequestError():
                return self._challenge(400, "invalid_request", scheme, "The Authorization header is malformed.")
            case VerificationUnavailableError(retry_after=seconds):
                return Refusal(503, "temporarily_unavailable", {"retry-after": str(max(1, ceil(seconds)))})
            case _:
                return Refusal(503, "temporarily_unavailable", {"retry-after": "1"})

    def _challenge(self, status: int, error: str, scheme: Scheme, description: str = "", scope: str = "") -> Refusal:
        """Return a challenge per scheme (RFC 6750 section 3).

        That of the request is first, because many clients read no other, and has the error, if there was a token.
        """
        first, *others = sorted(accepted_schemes(self.resource), key=lambda it: it != scheme)
        explained = {"error": error, "error_description": description} if description else {}
        parts = [self._one(first, explained, scope), *(self._one(it, {}, scope) for it in others)]
        return Refusal(status, error, {"www-authenticate": ", ".join(parts)})

    def _one(self, scheme: Scheme, error: Mapping[str, str], scope: str) -> str:
        parameters = {"realm": self.realm, **error, "scope": scope or " ".join(self.scope)}
        if self.resource is not None:
            parameters["resource_metadata"] = self.resource.metadata_url
            if self.resource.dpop is not None and scheme == "DPoP":
                parameters["algs"] = " ".join(self.resource.dpop.algorithms)
        quoted = ", ".join(f'{name}="{_quoted(value)}"' for name, value in parameters.items() if value)
        return f"{scheme} {quoted}"


def _quoted(value: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", re.sub(r"[^\x20-\x7E]", "?", value))
