"""DPoP proofs: which are valid (RFC 9449 section 4.3). The signature is verified by crypto/dpop_proof.py."""

from typing import Final

from jeton.oauth.decisions import Deny
from jeton.oauth.errors import ErrorCode

PROOF_REPLAYED: Final = Deny(ErrorCode.INVALID_DPOP_PROOF, "proof_used_before")
