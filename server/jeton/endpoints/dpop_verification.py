"""Verification of the DPoP proof of a request (RFC 9449 section 4.3). Nothing is read from the database."""

from jeton.crypto.dpop_nonces import DpopNonces
from jeton.crypto.dpop_proof import DpopProofError, ath_of, verify_proof
from jeton.crypto.single_use_digest import single_use_digest
from jeton.endpoints.messages import FormRequest
from jeton.frozen import Frozen
from jeton.oauth.dpop_rules import ProvenRequest, proof_rejection_reason, remembered_until
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.single_use import SingleUse
from jeton.storage.clock import Clock


class VerifiedProof(Frozen):
    """A valid proof by the key with the thumbprint `jkt`. It may have been used before: `single_use` tells."""

    jkt: str
    single_use: SingleUse


class DpopVerification(Frozen):
    """Verifies proofs for the endpoints of one role. With `nonces`, a proof without one of them is refused."""

    issuer: str
    clock: Clock
    nonces: DpopNonces | None = None

    def verify(self, request: FormRequest, path: str, access_token: str | None = None) -> VerifiedProof | None:
        """Return the proof of a request to this path below the issuer, None if it has none.

        Raise OAuthError (invalid_dpop_proof or use_dpop_nonce).
        """
        presented = request.headers.get(b"dpop")
        if presented is None:
            return None
        try:
            proof = verify_proof(presented)
        except DpopProofError as malformed:
            raise OAuthError(ErrorCode.INVALID_DPOP_PROOF, str(malformed)) from None
        now, claims = self.clock.now(), proof.claims
        nonce_expires_at = None if self.nonces is None else _nonce_end(self.nonces, claims.get("nonce"), now)
        proven = ProvenRequest(
            request.method,
            self.issuer.rstrip("/") + path,
            None if access_token is None else ath_of(access_token),
        )
        if reason := proof_rejection_reason(claims, proven, now, nonce_expires_at):
            raise OAuthError(ErrorCode.INVALID_DPOP_PROOF, reason)
        digest = single_use_digest("dpop proof", proof.jkt, proven.uri, claims["jti"])
        return VerifiedProof(proof.jkt, SingleUse(digest, remembered_until(claims, nonce_expires_at)))

    def nonce(self) -> str | None:
        """Return the nonce that answers carry, None if none is demanded."""
        return None if self.nonces is None else self.nonces.current(self.clock.now())


def _nonce_end(nonces: DpopNonces, nonce: object, now: int) -> int:
    """Return the end of the nonce in a proof. Raise OAuthError (use_dpop_nonce) if it is missing or not valid."""
    expires_at = nonces.expires_at(nonce, now) if isinstance(nonce, str) else None
    if expires_at is None:
        raise OAuthError(ErrorCode.USE_DPOP_NONCE, "nonce_missing_or_not_valid")
    return expires_at
