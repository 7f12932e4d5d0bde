"""What every form endpoint is given, and what it gives back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jeton.oauth.clients import Client
from jeton.oauth.errors import OAuthError
from jeton.oauth.sessions import Source


@dataclass(frozen=True, slots=True)
class FormRequest:
    """A well-formed form request. Nothing in it is believed yet.

    `parameters` holds each parameter that may be sent once, `lists` the values of those that may be repeated; none is
    empty.
    """

    parameters: Mapping[str, str] = field(repr=False)
    authorization: str | None = field(default=None, repr=False)
    idempotency_key: str | None = field(default=None, repr=False)
    source: Source = Source()
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal, or the members of the JSON object to send; and which client asked, once known."""

    content: Mapping[str, Any] | OAuthError = field(repr=False)
    client: Client | None = None
