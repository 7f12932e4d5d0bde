"""Token revocation rules (RFC 7009 section 2)."""

from typing import Final

from jeton.oauth.clients import Client
from jeton.oauth.decisions import Deny, End, refusal_of_unproven
from jeton.oauth.errors import ErrorCode
from jeton.oauth.sessions import Family, RevokedAccessToken

# A page signs out that has no cookie any more.
NOTHING_TO_REVOKE: Final = End("nothing_to_revoke")
TOKEN_UNKNOWN: Final = End("token_unknown", unknown_token=True)


def revoke_family(family: Family | None, client: Client, *, genuine: bool | None, now: int) -> End | Deny:
    """Decide to revoke the family of a refresh token, of any generation. Only its own client may.

    `genuine` is None if that cannot be determined because the master key is missing.
    """
    if family is None or not genuine:
        return refusal_of_unproven(family, genuine, TOKEN_UNKNOWN)
    if family.client_id != client.client_id:
        return Deny(ErrorCode.INVALID_GRANT, "token_of_other_client")
    return End("family_revoked", family=family.revoked("revoked_by_client", now))


def revoke_access_token(claims: dict[str, object], client: Client, now: int) -> End | Deny:
    """Decide to revoke an access token by its `jti`. Its family stays: revoking the refresh token ends that."""
    if claims["client_id"] != client.client_id:
        return Deny(ErrorCode.INVALID_GRANT, "token_of_other_client")
    jti, expires_at = str(claims["jti"]), int(str(claims["exp"]))
    if expires_at <= now:
        return End("token_expired")
    owner = str(claims["sub"]), client.client_id
    return End("access_token_revoked", token=RevokedAccessToken(jti, expires_at), owner=owner)
