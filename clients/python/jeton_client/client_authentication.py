"""Client authentication (RFC 6749 section 2.3)."""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Literal

from jeton_client.messages import encoded

Method = Literal["client_secret_basic", "client_secret_post", "none"]


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client. Without a secret it is public; with a secret, the default `method` is HTTP Basic."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    method: Method | None = None

    def __post_init__(self) -> None:
        if (self.secret is None) != (self.chosen_method == "none"):
            raise ValueError("client_secret_basic and client_secret_post require a secret; the method none allows none")

    @property
    def chosen_method(self) -> Method:
        return self.method or ("none" if self.secret is None else "client_secret_basic")


def credentials(client: Client) -> tuple[dict[str, str], dict[str, str]]:
    """Return the additions to the request's headers and to its form."""
    if client.secret is None:
        return {}, {"client_id": client.client_id}
    if client.chosen_method == "client_secret_post":
        return {}, {"client_id": client.client_id, "client_secret": client.secret}
    # Section 2.3.1: id and secret are form-encoded before they are joined.
    pair = f"{encoded(client.client_id)}:{encoded(client.secret)}"
    return {"authorization": f"Basic {b64encode(pair.encode()).decode()}"}, {}
