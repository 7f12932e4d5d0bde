"""Client authentication (RFC 6749 section 2.3, RFC 7523 section 2.2)."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from jeton_client.messages import encoded

Method = Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Key(Protocol):
    """A ClientKey."""

    def assertion(self, client_id: str, issuer: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client. Without secret and key it is public; with a secret, the default `method` is HTTP Basic.

    With a `key`, it signs each of its requests to an `issuer`, which sessions and introspectors set to theirs.
    """

    client_id: str
    secret: str | None = field(default=None, repr=False)
    method: Method | None = None
    key: Key | None = field(default=None, repr=False)
    issuer: str = ""

    def __post_init__(self) -> None:
        if (self.secret is not None, self.key is not None) != _NEEDS[self.chosen_method]:
            raise ValueError(
                "client_secret_basic and client_secret_post require a secret, private_key_jwt a key, none neither"
            )

    @property
    def chosen_method(self) -> Method:
        if self.method is not None:
            return self.method
        if self.key is not None:
            return "private_key_jwt"
        return "none" if self.secret is None else "client_secret_basic"


_NEEDS: Final[Mapping[Method, tuple[bool, bool]]] = {
    "client_secret_basic": (True, False),
    "client_secret_post": (True, False),
    "private_key_jwt": (False, True),
    "none": (False, False),
}


def credentials(client: Client) -> tuple[dict[str, str], dict[str, str]]:
    """Return the additions to the request's headers and to its form."""
    if client.secret is None:
        return {}, {"client_id": client.client_id}
    if client.chosen_method == "client_secret_post":
        return {}, {"client_id": client.client_id, "client_secret": client.secret}
    # Section 2.3.1: id and secret are form-encoded before they are joined.
    pair = f"{encoded(client.client_id)}:{encoded(client.secret)}"
    return {"authorization": f"Basic {b64encode(pair.encode()).decode()}"}, {}


def signed_fields(client: Client) -> Callable[[], dict[str, str]] | None:
    """Return what makes the signed fields of each attempt to send a request, or None for a client without a key."""
    key = client.key
    if key is None:
        return None
    return lambda: {
        "client_assertion_type": _ASSERTION_TYPE,
        "client_assertion": key.assertion(client.client_id, client.issuer),
    }
