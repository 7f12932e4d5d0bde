"""How a client says who it is (RFC 6749 section 2.3)."""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Literal

from jeton_client.messages import encoded

Method = Literal["client_secret_basic", "client_secret_post", "none"]


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client. Without a secret it is public; with one, and no `method`, it uses HTTP Basic."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    method: Method | None = None

    def __post_init__(self) -> None:
        if (self.secret is None) != (self.chosen_method == "none"):
            raise ValueError("a secret goes with client_secret_basic or client_secret_post, none with the method none")

    @property
    def chosen_method(self) -> Method:
        return self.method or ("none" if self.secret is None else "client_secret_basic")


def credentials(client: Client) -> tuple[dict[str, str], dict[str, str]]:
    """What to add to a request's headers, and to its form."""
    if client.secret is None:
        return {}, {"client_id": client.client_id}
    if client.chosen_method == "client_secret_post":
        return {}, {"client_id": client.client_id, "client_secret": client.secret}
    # Section 2.3.1: each of the two is form-encoded before they are joined.
    pair = f"{encoded(client.client_id)}:{encoded(client.secret)}"
    return {"authorization": f"Basic {b64encode(pair.encode()).decode()}"}, {}
