"""Client authentication by mutual TLS, of which a proxy tells in a header (RFC 8705, RFC 9440)."""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import unquote

from jeton.crypto.client_certificates import CertificateAuthorities, certificate_names, certificate_thumbprint
from jeton.endpoints.clients.client_key_sets import ClientKeySets
from jeton.endpoints.messages import FormRequest
from jeton.frozen import Frozen
from jeton.oauth.clients import SELF_SIGNED_TLS, TLS_CLIENT_AUTH, TLS_METHODS, Client
from jeton.storage.clock import Clock

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"


class CertificateHeader(Frozen):
    """The lower-case name of the header, and how a certificate is written in it: a key of FORMATS."""

    name: bytes
    format: str


class ClientCertificates(Frozen):
    """Finds and verifies certificates.

    Without a `header` there are none. Without `authorities`, only registered ones authenticate.
    """

    header: CertificateHeader | None
    authorities: CertificateAuthorities | None
    keys: ClientKeySets
    clock: Clock

    def presented(self, request: FormRequest) -> bytes | None:
        """Return the certificate (DER) that the client of the request has proven to hold, or None."""
        text = None if self.header is None else request.headers.get(self.header.name)
        return None if self.header is None or not text else FORMATS[self.header.format](text)

    def thumbprint(self, request: FormRequest) -> str | None:
        """Return the thumbprint to which tokens of this request are bound, or None (RFC 8705 section 3)."""
        certificate = self.presented(request)
        return None if certificate is None else certificate_thumbprint(certificate)

    @property
    def methods(self) -> tuple[str, ...]:
        """The authentication methods that can be used."""
        if self.header is None:
            return ()
        return (SELF_SIGNED_TLS,) if self.authorities is None else TLS_METHODS

    async def rejection_reason(self, client: Client, certificate: bytes | None) -> str | None:
        """Return why the certificate does not authenticate the client (for the log), or None if it does."""
        if certificate is None:
            return "client_certificate_missing"
        if TLS_CLIENT_AUTH in client.auth_methods:
            return self._issued_rejection_reason(client.tls_subject or {}, certificate)
        registered = await self.keys.find_certificate(client, certificate)
        return None if registered else "client_certificate_not_registered"

    def _issued_rejection_reason(self, subject: Mapping[str, str], certificate: bytes) -> str | None:
        if self.authorities is None:
            return "client_certificate_authorities_not_configured"
        names = certificate_names(certificate)
        if not subject or not all(name in names.get(kind, ()) for kind, name in subject.items()):
            return "client_certificate_of_another_subject"
        if not self.authorities.have_issued(certificate, self.clock.now()):
            return "client_certificate_not_issued_by_an_authority"
        return None


def _from_rfc9440(text: str) -> bytes | None:
    """Return the DER of a byte sequence (RFC 9440 section 2.1, RFC 9651 section 3.3.5)."""
    return _base64(text[1:-1]) if len(text) > 2 and text[0] == text[-1] == ":" else None


def _from_nginx(text: str) -> bytes | None:
    """Return the DER of nginx's `$ssl_client_escaped_cert`: PEM, percent-encoded."""
    pem = unquote(text, errors="replace").strip()
    if not pem.startswith(_BEGIN) or not pem.endswith(_END):
        return None
    return _base64("".join(pem.removeprefix(_BEGIN).removesuffix(_END).split()))


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None


FORMATS: Final[Mapping[str, Callable[[str], bytes | None]]] = {"rfc9440": _from_rfc9440, "nginx": _from_nginx}
