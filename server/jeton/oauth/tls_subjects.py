"""How a client is named in its certificate (RFC 8705 section 2.1.2)."""

from typing import Final

SUBJECT_DN: Final = "tls_client_auth_subject_dn"
SAN_DNS: Final = "tls_client_auth_san_dns"
SAN_URI: Final = "tls_client_auth_san_uri"
SAN_IP: Final = "tls_client_auth_san_ip"
SAN_EMAIL: Final = "tls_client_auth_san_email"
KINDS: Final = (SUBJECT_DN, SAN_DNS, SAN_URI, SAN_IP, SAN_EMAIL)
