"""Client certificates and the certificate authority that issues them."""

import base64
import datetime as dt
from dataclasses import dataclass, field
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from support.base64url import base64url
from support.in_process_server import START

_DAY = 86400


@dataclass(frozen=True)
class Certificate:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, pkcs8, plain).decode()

    @property
    def rfc9440(self) -> dict[str, str]:
        """The value of the header field `Client-Cert` (RFC 9440)."""
        return {"Client-Cert": f":{base64.b64encode(self.der).decode()}:"}

    @property
    def nginx(self) -> dict[str, str]:
        """The header value of a proxy that forwards `$ssl_client_escaped_cert` of nginx."""
        return {"X-Client-Cert": quote(self.pem)}

    @property
    def jwk(self) -> dict[str, object]:
        """The public key as a JWK that contains the certificate."""
        numbers = self.key.public_key().public_numbers()
        x, y = (base64url(it.to_bytes(32)) for it in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "x5c": [base64.b64encode(self.der).decode()]}


def issue(
    subject: str = "CN=job,O=Example,C=NO",
    *alternative: x509.GeneralName,
    by: Certificate | None = None,
    is_authority: bool = False,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
    since: int = START - _DAY,
    until: int = START + 30 * _DAY,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Certificate:
    """Return a certificate issued by an authority, or self-signed. Times are in seconds since the epoch."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(subject)
    begin, end = (dt.datetime.fromtimestamp(it, dt.UTC) for it in (since, until))
    builder = (
        x509.CertificateBuilder(name if by is None else by.certificate.subject, name, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    )
    if not is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if alternative:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    return Certificate(builder.sign(key if by is None else by.key, hashes.SHA256()), key)


def authority(subject: str = "CN=Test CA", since: int = START - _DAY) -> Certificate:
    return issue(subject, is_authority=True, since=since)
