"""The description of a grant type: what the rest of the server must know of it, and how it is redeemed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from jeton.frozen import Frozen

# The command line reads descriptions and must start quickly: what only redeems is not loaded for them.
if TYPE_CHECKING:
    from jeton.crypto.authorization_code import AuthorizationCodes
    from jeton.crypto.refresh_token import RefreshTokens
    from jeton.grants.request import TokenRequest
    from jeton.grants.token_failures import TokenFailures
    from jeton.login.password_login import PasswordLogin
    from jeton.oauth.decisions import Deny, Issue
    from jeton.storage.clock import Clock
    from jeton.storage.ledger.ledger import Ledger
    from jeton.storage.ledger.replay_store import ReplayStore
    from jeton.storage.lookups import Lookups
    from jeton.storage.status_index_allocator import StatusIndexAllocator

Redeem = Callable[["TokenRequest"], Awaitable["Issue | Deny"]]


class GrantParts(Frozen):
    """What a grant may be built from. Each takes what it uses, once, when the server starts."""

    master_key_id: str
    clock: Clock
    ledger: Ledger
    replay_store: ReplayStore
    lookups: Lookups
    login: PasswordLogin
    status_indexes: StatusIndexAllocator
    authorization_codes: AuthorizationCodes
    refresh_tokens: RefreshTokens
    token_failures: TokenFailures


class Grant(Frozen):
    """A grant type.

    `parameters` are those of a token request beside `grant_type` and `scope`. A `confidential` grant is refused to
    public clients. One that is `announced_on_use` is in the metadata only while some client may use it. `setting` is
    the key in the settings' section `grants` that switches it off, if there is one.
    """

    name: str
    build: Callable[[GrantParts], Redeem]
    parameters: tuple[str, ...] = ()
    confidential: bool = False
    announced_on_use: bool = False
    setting: str | None = None
