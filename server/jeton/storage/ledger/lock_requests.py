"""What a decision needs locked. The order in which it is locked is in `lock_order.LOCK_ORDER`."""

from collections.abc import Hashable

from jeton.frozen import Frozen


class Lock(Frozen):
    """A request for rows to be locked until the transaction ends, and read under the lock."""

    @property
    def row(self) -> Hashable:
        """Entries with the same row are decided in the order in which they arrived. None: in any order."""
        return self


class LockUser(Lock):
    """The user, exclusively."""

    sub: str

    @property
    def row(self) -> Hashable:
        return self.sub


class LockSessionsOf(LockUser):
    """The user, and all families of the user that have not been ended."""


class LockSessionsOverLimit(LockUser):
    """The user, and the oldest families that must end so that the user may have one more."""


class LockClient(Lock):
    """The client, shared: it cannot change, and other entries may lock it as well."""

    client_id: str

    @property
    def row(self) -> Hashable:
        return None


class LockFamily(Lock):
    """The family, exclusively. Its user and its client are read without a lock."""

    sid: str

    @property
    def row(self) -> Hashable:
        return self.sid


class LockAuthorizationCode(LockFamily):
    """The family, exclusively, and its authorization code if that is still stored."""


class LockNewCode(LockUser):
    """The user, and the number of the user's authorization codes that can still be redeemed."""


class LockBrowserSession(Lock):
    """The browser session, exclusively."""

    browser_session_id: str

    @property
    def row(self) -> Hashable:
        return self.browser_session_id


class LockBrowserSessionsOf(LockUser):
    """The user, and all live browser sessions of the user, exclusively."""


class LockConsent(LockUser):
    """The user, exclusively, and what the user has allowed the client. Consents change under the user's lock only."""

    client_id: str


class LockSingleUse(Lock):
    """Whether something was used before. It is read without a lock: of two uses, the commit of one is refused."""

    digest: bytes

    @property
    def row(self) -> Hashable:
        return None


class LockSessionsOfBrowser(LockBrowserSession):
    """The browser session, and all families that come from it. Its user must be locked by the same entry."""
