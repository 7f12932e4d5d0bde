"""Authorization codes (RFC 6749 section 4.1.2): what a code needs beside its family."""

from typing import Final

from jeton.frozen import Frozen, Hidden

# RFC 6749 section 4.1.2 allows 10 minutes; FAPI 2.0 asks for 60 seconds.
CODE_SECONDS: Final = 60
# How long a code is kept after it has expired: a late repetition finds its redirect URI and nonce.
KEPT_SECONDS: Final = 600
# Codes of one user that can still be redeemed: each is a row that is stored for the time above.
MAX_UNREDEEMED_CODES: Final = 100


class AuthorizationCode(Frozen):
    """The facts of one code. The code itself is derived from its family and not stored.

    `redirect_uri` is None if the authorization request had none, and `nonce` if it had none (OpenID Connect Core
    section 3.1.2.1). `dpop_jkt` is the thumbprint of the key that the code is bound to (RFC 9449 section 10).
    """

    sid: str
    expires_at: int
    redirect_uri: str | None
    nonce: Hidden[str | None] = None
    dpop_jkt: str | None = None
