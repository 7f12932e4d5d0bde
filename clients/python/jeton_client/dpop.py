"""What a service requires of requests with tokens that are bound to a key (RFC 9449 sections 7 and 9)."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from jeton_client.dpop_nonces import NONCE_SECONDS, DPoPNonces
from jeton_client.dpop_proof import MAX_AGE_SECONDS, MAX_AHEAD_SECONDS, PROOF_ALGORITHMS, ProvenRequest, judge_proof
from jeton_client.errors import InvalidProofError, NonceRequiredError
from jeton_client.key_set import ALGORITHMS
from jeton_client.used_proofs import MemoryUsedProofs, UsedProofs

# How long a proof can be used at most: by its age, or by its nonce.
_REMEMBERED_SECONDS: Final = max(MAX_AGE_SECONDS + MAX_AHEAD_SECONDS, 2.0 * NONCE_SECONDS)


@dataclass(frozen=True, slots=True)
class DPoP:
    """`DPoP()` accepts tokens that are bound to a key, with a proof of it, beside bearer tokens.

    With `required`, it accepts no others. `used_proofs` is where used proofs are remembered; by default in the memory
    of this process. With `nonces`, a proof must contain a nonce of this service, so that none can be made in advance.
    """

    required: bool = False
    used_proofs: UsedProofs = field(default_factory=MemoryUsedProofs, repr=False)
    nonces: DPoPNonces | None = None
    algorithms: Collection[str] = PROOF_ALGORITHMS
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        if not self.algorithms or not ALGORITHMS.keys() >= set(self.algorithms):
            raise ValueError(f"algorithms must be among {', '.join(ALGORITHMS)}")

    def metadata(self) -> dict[str, Any]:
        """Return the members of resource metadata (RFC 9728 section 2)."""
        return {
            "dpop_signing_alg_values_supported": list(self.algorithms),
            "dpop_bound_access_tokens_required": self.required,
        }

    def headers(self) -> dict[str, str]:
        """Return the headers of every response: the nonce for the next request (RFC 9449 section 8.2)."""
        return {} if self.nonces is None else {"dpop-nonce": self.nonces.current(self.clock())}

    async def check(self, proofs: Sequence[str], request: ProvenRequest) -> None:
        """Check the proof in these DPoP headers, and that it was not used before.

        Raise InvalidProofError, NonceRequiredError, or VerificationUnavailableError if that cannot be known now.
        """
        now = self.clock()
        proof = judge_proof(proofs, request, self.algorithms, now, has_nonces=self.nonces is not None)
        if self.nonces is not None and not self.nonces.accepts(proof.nonce, now):
            raise NonceRequiredError
        name = f"{request.thumbprint} {proof.target} {proof.jti}".encode(errors="surrogatepass")
        if not await self.used_proofs.use(sha256(name).hexdigest(), _REMEMBERED_SECONDS):
            raise InvalidProofError("used")
