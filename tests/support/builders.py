"""Domain objects with defaults. Every field can be overridden by name."""

from typing import Any, Final

from jeton.frozen import replace
from jeton.oauth.authorization.authorization_request import AuthorizationRequest
from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.sessions import Family
from jeton.oauth.users import User

NOW: Final = 1_000_000
API: Final = "https://api.example"
READ: Final = frozenset({"read"})
READ_WRITE: Final = frozenset({"read", "write"})
CALLBACK: Final = "https://app.example/callback"


def client(client_id: str = "web", **fields: Any) -> Client:
    """Return a confidential client that may refresh, with the scope `read write`."""
    default = Client(client_id, False, NOW, grant_types=frozenset({"refresh_token"}), scope=READ_WRITE)
    return replace(default, **fields)


def user(sub: str = "u_1", **fields: Any) -> User:
    """Return an enabled user, alice, without e-mail address, roles and password."""
    return replace(User(sub, "alice", None, (), False, NOW, 1), **fields)


def family(sid: str = "session", *, now: int = NOW, **fields: Any) -> Family:
    """Return a session that began at `now`. It expires after 100 seconds of idleness, and after 1000 in any case."""
    default = Family(
        sid=sid,
        client_id="web",
        sub="u_1",
        scope=READ_WRITE,
        audience=(API,),
        auth_time=now,
        amr=("pwd",),
        created_at=now,
        rotated_at=now,
        idle_expires_at=now + 100,
        absolute_expires_at=now + 1000,
        master_key_id="0" * 8,
        secret=b"secret",
    )
    return default._replace(**fields)


def lifetimes(**seconds: int) -> Lifetimes:
    """Return lifetimes that match `family`: no retry grace period, no minimum interval between refreshes."""
    default = Lifetimes(
        access_seconds=60, refresh_idle_seconds=100, refresh_absolute_seconds=1000, retry_grace_seconds=0
    )
    return replace(default, **seconds)


def with_fields(value: Any, **fields: Any) -> Any:
    """Return a copy of a client, user, family or other dataclass or named tuple with these fields changed."""
    return value._replace(**fields) if isinstance(value, Family) else replace(value, **fields)


def authorization_request(**fields: Any) -> AuthorizationRequest:
    """Return an authorization request of `app` for the scope `read`, without optional parameters."""
    default = AuthorizationRequest(
        client_id="app",
        redirect_uri=CALLBACK,
        redirect_uri_sent=True,
        state=None,
        response_mode="query",
        scope=READ,
        resources=(),
        code_challenge=None,
        nonce=None,
        prompt=frozenset(),
        max_age=None,
        login_hint=None,
        ui_locales=(),
        id_token_hint_sub=None,
    )
    return replace(default, **fields)
