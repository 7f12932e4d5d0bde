"""An issuer's server, as it announces itself: asked once, when it is needed first, and remembered."""

from jeton_client.discovery import ServerMetadata, judge_metadata, metadata_request
from jeton_client.operations import Operation


class AuthorizationServer:
    """UntrustedServerError at once where the issuer is neither https nor loopback."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._request = metadata_request(issuer)
        self._metadata: ServerMetadata | None = None

    def metadata(self) -> Operation[ServerMetadata]:
        """ServerUnavailableError where no usable answer comes: then the next one asks again."""
        if self._metadata is None:
            self._metadata = judge_metadata(self.issuer, (yield self._request))
        return self._metadata
