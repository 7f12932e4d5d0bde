"""Certificates of clients (RFC 8705): thumbprint, names, and the authorities that may have issued them."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

from cryptography import x509
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from jeton.crypto.base64url import base64url
from jeton.oauth.tls_subjects import SAN_DNS, SAN_EMAIL, SAN_IP, SAN_URI, SUBJECT_DN

_GENERAL_NAMES: Final[Mapping[str, Any]] = {
    SAN_DNS: x509.DNSName,
    SAN_URI: x509.UniformResourceIdentifier,
    SAN_IP: x509.IPAddress,
    SAN_EMAIL: x509.RFC822Name,
}
# Certificates of private authorities often have the name of the client as their subject only, and no key identifier.
_CLIENT_POLICY: Final = (
    ExtensionPolicy.webpki_defaults_ee()
    .may_be_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    .may_be_present(x509.AuthorityKeyIdentifier, Criticality.AGNOSTIC, None)
)
_AUTHORITY_POLICY: Final = ExtensionPolicy.permit_all().require_present(
    x509.BasicConstraints, Criticality.AGNOSTIC, None
)
# What reading a malformed certificate raises.
_MALFORMED: Final = (ValueError, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)


class CertificateAuthorities:
    """The authorities whose client certificates are accepted."""

    def __init__(self, pem: bytes) -> None:
        """Raise ValueError if these are no certificates in PEM."""
        self._store = Store(x509.load_pem_x509_certificates(pem))

    def have_issued(self, certificate: bytes, now: int) -> bool:
        """Return whether one of them has issued the certificate (DER) for clients, and it is valid now."""
        try:
            verifier = (
                PolicyBuilder()
                .store(self._store)
                .time(dt.datetime.fromtimestamp(now, dt.UTC))
                .extension_policies(ca_policy=_AUTHORITY_POLICY, ee_policy=_CLIENT_POLICY)
                .build_client_verifier()
            )
            verifier.verify(x509.load_der_x509_certificate(certificate), [])
        except (VerificationError, *_MALFORMED):
            return False
        return True


def certificate_thumbprint(certificate: bytes) -> str:
    """Return the SHA-256 digest of a certificate (DER) in base64url, 43 characters (RFC 8705 section 3.1)."""
    return base64url(hashlib.sha256(certificate).digest())


def certificate_names(certificate: bytes) -> Mapping[str, frozenset[str]]:
    """Return the names in a certificate (DER) by kind, each as `canonical_name` writes it; none if it is malformed."""
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        names = {SUBJECT_DN: frozenset({parsed.subject.rfc4514_string()})}
        alternative = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        for kind, general_name in _GENERAL_NAMES.items():
            values = alternative.get_values_for_type(general_name)
            names[kind] = frozenset(canonical_name(kind, str(value)) for value in values)
    except x509.ExtensionNotFound:
        return names
    except _MALFORMED:
        return {}
    return names


def canonical_name(kind: str, name: str) -> str:
    """Return the one way to write a name of this kind (RFC 8705 section 2.1.2). Raise ValueError if it is malformed.

    Distinguished names are compared by their attributes and values (RFC 4514), addresses by their octets, host names
    without regard to case.
    """
    if kind == SUBJECT_DN:
        return x509.Name.from_rfc4514_string(name).rfc4514_string()
    if kind == SAN_IP:
        return str(ip_address(name))
    return name.lower() if kind == SAN_DNS else name
