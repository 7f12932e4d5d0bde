"""TLS for tests: a certificate authority and a server certificate issued by it."""

import datetime as dt
import ssl
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_VALIDITY = dt.timedelta(days=1)


def tls_contexts(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the TLS context of a server with this name (a host name or an IP address), and that of its clients."""
    path = server_certificate(folder, name)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=path)


def server_certificate(folder: Path, *names: str) -> Path:
    """Return a PEM file with a new key and its certificate for these host names and IP addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / f"{names[0].replace('*', 'all')}.pem"
    path.write_bytes(pem + _self_signed(key, names).public_bytes(serialization.Encoding.PEM))
    return path


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _self_signed(key: ec.EllipticCurvePrivateKey, names: Sequence[str]) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).add_extension(
        x509.SubjectAlternativeName([_alternative(it) for it in names]), critical=False
    )
    validity = builder.not_valid_before(now - _VALIDITY).not_valid_after(now + _VALIDITY)
    return validity.sign(key, hashes.SHA256())
