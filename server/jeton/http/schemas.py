"""The schemas of the OpenAPI description: the members of requests and responses."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jeton.grants.description import Grant
from jeton.oauth.errors import ErrorCode
from jeton.oauth.sender_constraints import BEARER, DPOP

_STRING: Final = {"type": "string"}
_INTEGER: Final = {"type": "integer"}
_STRINGS: Final = {"type": "array", "items": _STRING}
_BOOLEAN: Final = {"type": "boolean"}
_OR_NULL: Final = {"type": ["string", "null"]}


def _object(required: tuple[str, ...], /, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def _key(kty: str, alg: str, **numbers: Any) -> dict[str, Any]:
    """Return the schema of a public key (RFC 7517 section 4) for one algorithm."""
    shared = {"kty": {"const": kty}, "alg": {"const": alg}, "use": {"const": "sig"}, "kid": _STRING}
    return _object((*shared, *numbers), **shared, **numbers)


_CLIENT: Final = {
    "client_id": _STRING,
    "client_secret": _STRING,
    "client_assertion_type": _STRING,
    "client_assertion": _STRING,
}
_TOKEN: Final = {"token": _STRING, "token_type_hint": _STRING}
_AUDIENCE: Final = {"oneOf": [_STRING, _STRINGS]}

_SCHEMAS: Final[Mapping[str, Any]] = {
    "TokenResponse": _object(
        ("access_token", "token_type", "expires_in"),
        access_token=_STRING,
        token_type={"enum": [BEARER, DPOP]},
        expires_in=_INTEGER,
        refresh_token=_STRING,
        id_token=_STRING,
        scope=_STRING,
    ),
    # With the further parameters of OpenID Connect and extensions.
    "AuthorizationRequest": _object(
        ("response_type",),
        response_type={"const": "code"},
        redirect_uri=_STRING,
        scope=_STRING,
        state=_STRING,
        code_challenge=_STRING,
        code_challenge_method={"const": "S256"},
        resource=_STRINGS,
        **_CLIENT,
    ),
    "PushedRequest": _object(("request_uri", "expires_in"), request_uri=_STRING, expires_in=_INTEGER),
    "Empty": _object(()),
    "RevocationRequest": _object(("token",), **_TOKEN, **_CLIENT),
    "IntrospectionRequest": _object(("token",), **_TOKEN, **_CLIENT),
    "Introspection": _object(
        ("active",),
        active=_BOOLEAN,
        token_type={"enum": [BEARER, DPOP, "N_A"]},
        cnf={"type": "object"},
        issued_token_type=_STRING,
        iss=_STRING,
        sub=_STRING,
        aud=_AUDIENCE,
        exp=_INTEGER,
        iat=_INTEGER,
        jti=_STRING,
        client_id=_STRING,
        username=_STRING,
        scope=_STRING,
        sid=_STRING,
        auth_time=_INTEGER,
        amr=_STRINGS,
        roles=_STRINGS,
        preferred_username=_STRING,
        email=_STRING,
    ),
    "Error": _object(
        ("error", "error_description"),
        error={"type": "string", "enum": [code.value for code in ErrorCode]},
        error_description=_STRING,
    ),
    # Without a token, the response holds no error code (RFC 6750 section 3.1).
    "Challenge": _object(
        (),
        error={"enum": [ErrorCode.INVALID_TOKEN, ErrorCode.INVALID_DPOP_PROOF, ErrorCode.USE_DPOP_NONCE]},
        error_description=_STRING,
    ),
    "Account": _object(
        ("sub", "username", "email", "roles", "created_at"),
        sub=_STRING,
        username=_STRING,
        email=_OR_NULL,
        roles=_STRINGS,
        created_at=_INTEGER,
    ),
    "CookieLogoutRequest": _object(("client_id",), client_id=_STRING),
    # If `signed_in`, with the claims about the user that the scope covers (OpenID Connect Core section 5.1).
    "CookieSession": _object(
        ("signed_in",), signed_in=_BOOLEAN, sub=_STRING, name=_STRING, scope=_STRING, expires_at=_INTEGER
    ),
    "UserinfoRequest": _object((), access_token=_STRING),
    # With further claims (OpenID Connect Core section 5.1).
    "Userinfo": _object(
        ("sub",),
        sub=_STRING,
        preferred_username=_STRING,
        email=_STRING,
        email_verified=_BOOLEAN,
        updated_at=_INTEGER,
        address={"type": "object"},
    ),
    "PasswordChange": _object(
        ("current_password", "new_password"),
        current_password=_STRING,
        new_password=_STRING,
        keep_current=_BOOLEAN | {"description": "Keep the current session"},
    ),
    "Sessions": _object(
        ("sessions",),
        sessions={
            "type": "array",
            "items": _object(
                ("sid", "client_id", "current", "created_at", "last_used_at", "expires_at", "address", "user_agent"),
                sid=_STRING,
                client_id=_STRING,
                current=_BOOLEAN,
                created_at=_INTEGER,
                last_used_at=_INTEGER,
                expires_at=_INTEGER,
                address=_OR_NULL,
                user_agent=_OR_NULL,
            ),
        },
    ),
    "SessionsEnded": _object(("sessions_ended",), sessions_ended=_INTEGER | {"minimum": 0}),
    "KeySet": _object(
        ("keys",),
        keys={
            "type": "array",
            "items": {
                "oneOf": [
                    _key("RSA", "RS256", n=_STRING, e=_STRING),
                    _key("EC", "ES256", crv={"const": "P-256"}, x=_STRING, y=_STRING),
                    _key("OKP", "EdDSA", crv={"const": "Ed25519"}, x=_STRING),
                ]
            },
        },
    ),
    "ProtectedResource": _object(
        ("resource", "authorization_servers", "bearer_methods_supported"),
        resource=_STRING,
        authorization_servers=_STRINGS,
        scopes_supported=_STRINGS,
        bearer_methods_supported=_STRINGS,
        resource_name=_STRING,
    ),
    "Metadata": _object(
        ("issuer", "token_endpoint", "jwks_uri", "response_types_supported", "grant_types_supported"),
        issuer=_STRING,
        authorization_endpoint=_STRING,
        pushed_authorization_request_endpoint=_STRING,
        require_pushed_authorization_requests=_BOOLEAN,
        token_endpoint=_STRING,
        revocation_endpoint=_STRING,
        introspection_endpoint=_STRING,
        registration_endpoint=_STRING,
        jwks_uri=_STRING,
        protected_resources=_STRINGS,
        response_types_supported=_STRINGS,
        response_modes_supported=_STRINGS,
        grant_types_supported=_STRINGS,
        code_challenge_methods_supported=_STRINGS,
        authorization_response_iss_parameter_supported=_BOOLEAN,
        prompt_values_supported=_STRINGS,
        ui_locales_supported=_STRINGS,
        userinfo_endpoint=_STRING,
        end_session_endpoint=_STRING,
        subject_types_supported=_STRINGS,
        id_token_signing_alg_values_supported=_STRINGS,
        scopes_supported=_STRINGS,
        claims_supported=_STRINGS,
        claim_types_supported=_STRINGS,
        claims_parameter_supported=_BOOLEAN,
        request_parameter_supported=_BOOLEAN,
        request_uri_parameter_supported=_BOOLEAN,
        token_endpoint_auth_methods_supported=_STRINGS,
        revocation_endpoint_auth_methods_supported=_STRINGS,
        introspection_endpoint_auth_methods_supported=_STRINGS,
        tls_client_certificate_bound_access_tokens=_BOOLEAN,
        token_endpoint_auth_signing_alg_values_supported=_STRINGS,
        revocation_endpoint_auth_signing_alg_values_supported=_STRINGS,
        introspection_endpoint_auth_signing_alg_values_supported=_STRINGS,
        status_list_aggregation_endpoint=_STRING,
    ),
    "StatusLists": _object(("status_lists",), status_lists=_STRINGS),
    "OpenApi": _object(("openapi",), openapi={"const": "3.1.0"}),
    "Health": _object(("status",), status=_STRING, reason=_STRING),
}


def schemas(grants: Sequence[Grant]) -> Mapping[str, Any]:
    """Return the schemas by name, for a server that offers these grants."""
    parameters = dict.fromkeys((name for grant in grants for name in grant.parameters), _STRING)
    grant_type = {"type": "string", "enum": sorted(it.name for it in grants)}
    # RFC 8707: may be sent several times.
    resource = {"anyOf": [_STRING, _STRINGS]}
    request = _object(("grant_type",), grant_type=grant_type, scope=_STRING, resource=resource, **parameters, **_CLIENT)
    return {"TokenRequest": request, **_SCHEMAS}
