"""What verifies DPoP proofs, as the settings have it. Commands do without it: its libraries take long to import."""

from typing import Literal

from jeton.config.settings import Settings
from jeton.crypto.dpop_nonces import DpopNonces
from jeton.crypto.master_key import MasterKeys
from jeton.endpoints.dpop_verification import DpopVerification
from jeton.storage.clock import Clock


def dpop_verification(
    settings: Settings, clock: Clock, master_keys: MasterKeys, role: Literal["authorization server", "resource server"]
) -> DpopVerification:
    """Return what verifies DPoP proofs at the endpoints of that role."""
    nonces = DpopNonces(master_keys, role) if settings.tokens.require_dpop_nonce else None
    return DpopVerification(settings.server.issuer, clock, nonces)
