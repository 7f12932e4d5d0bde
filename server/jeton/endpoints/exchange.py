"""What every form endpoint is given, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jeton.oauth.errors import OAuthError
from jeton.oauth.model import Client, Source


@dataclass(frozen=True, slots=True)
class FormRequest:
    """A well-formed form request: each parameter once, none empty. Nothing in it is believed yet."""

    parameters: Mapping[str, str] = field(repr=False)
    authorization: str | None = field(default=None, repr=False)
    idempotency_key: str | None = field(default=None, repr=False)
    source: Source = Source()


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal, or the members of the JSON object to send (None: no body); and which client asked, once known."""

    content: Mapping[str, Any] | OAuthError | None = field(repr=False)
    client: Client | None = None
