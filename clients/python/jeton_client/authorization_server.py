"""An issuer's server, as it announces itself: asked once, when it is needed first, and remembered."""

from jeton_client.discovery import ServerMetadata, judge_metadata, may_be_elsewhere, metadata_requests
from jeton_client.errors import ServerUnavailableError, UntrustedServerError
from jeton_client.operations import Operation


class AuthorizationServer:
    """UntrustedServerError at once where the issuer is neither https nor loopback."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._requests = metadata_requests(issuer)
        self._metadata: ServerMetadata | None = None

    def metadata(self) -> Operation[ServerMetadata]:
        """ServerUnavailableError where no usable answer comes: then the next one asks again."""
        if self._metadata is None:
            self._metadata = yield from self._discover()
        return self._metadata

    def _discover(self) -> Operation[ServerMetadata]:
        """Ask at each place until one has the metadata. Raise what was wrong at the first place if none has."""
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
