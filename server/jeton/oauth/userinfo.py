"""Claims about the user, by scope (OpenID Connect Core sections 5.1, 5.3.2 and 5.4)."""

from collections.abc import Mapping
from typing import Any, Final

from jeton.oauth.scope import Scope
from jeton.oauth.users import User

CLAIMS_BY_SCOPE: Final[Mapping[str, tuple[str, ...]]] = {
    "profile": (
        *("name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture"),
        *("website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"),
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
}


def userinfo_claims(user: User, scope: Scope) -> dict[str, Any]:
    """Return `sub` and the claims that the scope covers. Claims without a value are left out."""
    known = _claims(user)
    covered = [name for it, names in CLAIMS_BY_SCOPE.items() if it in scope for name in names]
    return {"sub": user.sub} | {name: known[name] for name in covered if known.get(name) not in (None, "", {})}


def _claims(user: User) -> dict[str, Any]:
    """Return all that is known. What the user logs in with is never overridden by the profile."""
    claims = {**user.profile, "preferred_username": user.username, "updated_at": user.updated_at or user.created_at}
    if user.email is None:
        return claims
    return {**claims, "email": user.email, "email_verified": user.email_verified}
