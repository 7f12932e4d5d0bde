"""Keys of one issuer: fetched by discovery, cached, fetched again for an unknown `kid`."""

from collections.abc import Callable

from jeton_client.authorization_server import AuthorizationServer
from jeton_client.cached_document import Ask
from jeton_client.discovery import required
from jeton_client.errors import ServerUnavailableError, VerificationUnavailableError
from jeton_client.key_set import MAX_STALE_SECONDS, CachedKeys, KeySet
from jeton_client.messages import Answer
from jeton_client.operations import Operation, Shared


class IssuerKeys:
    """The keys as last fetched. `monotonic` never steps back. The constructor raises UntrustedServerError."""

    def __init__(
        self, issuer: str, monotonic: Callable[[], float], max_stale_seconds: float = MAX_STALE_SECONDS
    ) -> None:
        self.cached = CachedKeys(max_stale_seconds=max_stale_seconds)
        self._server = AuthorizationServer(issuer)
        self._monotonic = monotonic

    def keys_for(self, kid: str) -> Operation[KeySet]:
        """Return the keys, with this one if the issuer has it. Raise VerificationUnavailableError without them."""
        ask = self.cached.ask_for(kid, self._monotonic())
        if ask is not Ask.NO:
            yield Shared("keys", self._fetch_keys, background=ask is Ask.BACKGROUND)
        keys = self.cached.usable(self._monotonic())
        if keys is None or (kid not in keys and self.cached.freshness.is_away):
            raise VerificationUnavailableError(f"the keys of {self._server.issuer} are unavailable")
        return keys

    def _fetch_keys(self) -> Operation[None]:
        now = self._monotonic()
        answer: Answer | None = None
        try:
            metadata = yield from self._server.metadata()
            answer = yield self.cached.request(required(metadata.jwks_uri, "jwks_uri"))
        except ServerUnavailableError:
            return
        finally:  # also after an error, so that not every caller fetches again
            self.cached = self.cached.answered(answer, now)
