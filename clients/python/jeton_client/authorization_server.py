"""Metadata of an authorization server, fetched on first use and cached."""

from jeton_client import attempts
from jeton_client.discovery import ServerMetadata, judge_metadata, may_be_elsewhere, metadata_requests
from jeton_client.errors import ServerUnavailableError, UntrustedServerError
from jeton_client.operations import Operation


class AuthorizationServer:
    """Cached metadata of one issuer. The constructor raises UntrustedServerError unless it is https or loopback."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._requests = metadata_requests(issuer)
        self._metadata: ServerMetadata | None = None

    def metadata(self, max_attempts: int = 1) -> Operation[ServerMetadata]:
        """Return the metadata. Raise ServerUnavailableError without a usable response; the next call tries again."""
        attempt = 1
        while self._metadata is None:
            try:
                self._metadata = yield from self._discover()
            except ServerUnavailableError:
                if attempt >= max_attempts:
                    raise
                yield from attempts.wait(attempt, max_attempts)
                attempt += 1
        return self._metadata

    def _discover(self) -> Operation[ServerMetadata]:
        """Try each location until one has the metadata. If none has, raise the error of the first location."""
        failures: list[ServerUnavailableError | UntrustedServerError] = []
        for request in self._requests:
            answer = yield request
            try:
                return judge_metadata(self.issuer, answer)
            except (ServerUnavailableError, UntrustedServerError) as error:
                failures.append(error)
            if not may_be_elsewhere(answer):
                break
        raise failures[0]
