"""HTTP requests and responses as values. A response that was lost is `None`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from jeton_client.strict_json import parse_object


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request; with a `form`, the body is that form.

    `signed_fields` makes further fields for each attempt to send it: a signature is accepted once.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    signed_fields: Callable[[], Mapping[str, str]] | None = field(default=None, repr=False)

    @property
    def body(self) -> bytes | None:
        if self.form is None:
            return None
        signed = {} if self.signed_fields is None else self.signed_fields()
        return form_encoded({**self.form, **signed}).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json_object(self, *, unique_names: bool = True) -> dict[str, Any] | None:
        """Return the object in the body, or None if there is none (see `parse_object`). Skip a byte-order mark."""
        try:
            return parse_object(self.body.removeprefix(b"\xef\xbb\xbf"), unique_names=unique_names)
        except ValueError:
            return None


def form_encoded(parameters: Mapping[str, str]) -> str:
    """Encode as application/x-www-form-urlencoded (RFC 6749 appendix B), as browsers do."""
    return "&".join(f"{encoded(name)}={encoded(value)}" for name, value in parameters.items())


def encoded(text: str) -> str:
    """Encode one name or value of a form."""
    return quote_plus(text, safe="*").replace("~", "%7E")
