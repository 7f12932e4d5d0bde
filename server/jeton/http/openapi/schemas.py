"""The schemas of the OpenAPI description: the members of requests and responses."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jeton.grants.description import Grant
from jeton.http.openapi.operations import BOOLEAN, INTEGER, STRING, STRINGS
from jeton.oauth.errors import ErrorCode
from jeton.oauth.sender_constraints import BEARER, DPOP

_OR_NULL: Final = {"type": ["string", "null"]}


def _object(required: tuple[str, ...], /, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def _key(kty: str, alg: str, **numbers: Any) -> dict[str, Any]:
    """Return the schema of a public key (RFC 7517 section 4) for one algorithm."""
    shared = {"kty": {"const": kty}, "alg": {"const": alg}, "use": {"const": "sig"}, "kid": STRING}
    return _object((*shared, *numbers), **shared, **numbers)


_CLIENT: Final = {
    "client_id": STRING,
    "client_secret": STRING,
    "client_assertion_type": STRING,
    "client_assertion": STRING,
}
_TOKEN: Final = {"token": STRING, "token_type_hint": STRING}
_AUDIENCE: Final = {"oneOf": [STRING, STRINGS]}

_SCHEMAS: Final[Mapping[str, Any]] = {
    "TokenResponse": _object(
        ("access_token", "token_type", "expires_in"),
        access_token=STRING,
        token_type={"enum": [BEARER, DPOP]},
        expires_in=INTEGER,
        refresh_token=STRING,
        id_token=STRING,
        scope=STRING,
    ),
    # With the further parameters of OpenID Connect and extensions.
    "AuthorizationRequest": _object(
        ("response_type",),
        response_type={"const": "code"},
        redirect_uri=STRING,
        scope=STRING,
        state=STRING,
        code_challenge=STRING,
        code_challenge_method={"const": "S256"},
        resource=STRINGS,
        **_CLIENT,
    ),
    "PushedRequest": _object(("request_uri", "expires_in"), request_uri=STRING, expires_in=INTEGER),
    "Empty": _object(()),
    "RevocationRequest": _object(("token",), **_TOKEN, **_CLIENT),
    "IntrospectionRequest": _object(("token",), **_TOKEN, **_CLIENT),
    "Introspection": _object(
        ("active",),
        active=BOOLEAN,
        token_type={"enum": [BEARER, DPOP, "N_A"]},
        cnf={"type": "object"},
        issued_token_type=STRING,
        iss=STRING,
        sub=STRING,
        aud=_AUDIENCE,
        exp=INTEGER,
        iat=INTEGER,
        jti=STRING,
        client_id=STRING,
        username=STRING,
        scope=STRING,
        sid=STRING,
        auth_time=INTEGER,
        amr=STRINGS,
        roles=STRINGS,
        preferred_username=STRING,
        email=STRING,
    ),
    "Error": _object(
        ("error", "error_description"),
        error={"type": "string", "enum": [code.value for code in ErrorCode]},
        error_description=STRING,
    ),
    # Without a token, the response holds no error code (RFC 6750 section 3.1).
    "Challenge": _object(
        (),
        error={"enum": [ErrorCode.INVALID_TOKEN, ErrorCode.INVALID_DPOP_PROOF, ErrorCode.USE_DPOP_NONCE]},
        error_description=STRING,
    ),
    "Account": _object(
        ("sub", "username", "email", "roles", "created_at"),
        sub=STRING,
        username=STRING,
        email=_OR_NULL,
        roles=STRINGS,
        created_at=INTEGER,
    ),
    "CookieLogoutRequest": _object(("client_id",), client_id=STRING),
    # If `signed_in`, with the claims about the user that the scope covers (OpenID Connect Core section 5.1).
    "CookieSession": _object(
        ("signed_in",), signed_in=BOOLEAN, sub=STRING, name=STRING, scope=STRING, expires_at=INTEGER
    ),
    "UserinfoRequest": _object((), access_token=STRING),
    # With further claims (OpenID Connect Core section 5.1).
    "Userinfo": _object(
        ("sub",),
        sub=STRING,
        preferred_username=STRING,
        email=STRING,
        email_verified=BOOLEAN,
        updated_at=INTEGER,
        address={"type": "object"},
    ),
    "PasswordChange": _object(
        ("current_password", "new_password"),
        current_password=STRING,
        new_password=STRING,
        keep_current=BOOLEAN | {"description": "Keep the current session"},
    ),
    "Sessions": _object(
        ("sessions",),
        sessions={
            "type": "array",
            "items": _object(
                ("sid", "client_id", "current", "created_at", "last_used_at", "expires_at", "address", "user_agent"),
                sid=STRING,
                client_id=STRING,
                current=BOOLEAN,
                created_at=INTEGER,
                last_used_at=INTEGER,
                expires_at=INTEGER,
                address=_OR_NULL,
                user_agent=_OR_NULL,
            ),
        },
    ),
    "SessionsEnded": _object(("sessions_ended",), sessions_ended=INTEGER | {"minimum": 0}),
    "KeySet": _object(
        ("keys",),
        keys={
            "type": "array",
            "items": {
                "oneOf": [
                    _key("RSA", "RS256", n=STRING, e=STRING),
                    _key("EC", "ES256", crv={"const": "P-256"}, x=STRING, y=STRING),
                    _key("OKP", "EdDSA", crv={"const": "Ed25519"}, x=STRING),
                ]
            },
        },
    ),
    "ProtectedResource": _object(
        ("resource", "authorization_servers", "bearer_methods_supported"),
        resource=STRING,
        authorization_servers=STRINGS,
        scopes_supported=STRINGS,
        bearer_methods_supported=STRINGS,
        resource_name=STRING,
    ),
    "Metadata": _object(
        ("issuer", "token_endpoint", "jwks_uri", "response_types_supported", "grant_types_supported"),
        issuer=STRING,
        authorization_endpoint=STRING,
        pushed_authorization_request_endpoint=STRING,
        require_pushed_authorization_requests=BOOLEAN,
        token_endpoint=STRING,
        revocation_endpoint=STRING,
        introspection_endpoint=STRING,
        registration_endpoint=STRING,
        jwks_uri=STRING,
        protected_resources=STRINGS,
        response_types_supported=STRINGS,
        response_modes_supported=STRINGS,
        grant_types_supported=STRINGS,
        code_challenge_methods_supported=STRINGS,
        authorization_response_iss_parameter_supported=BOOLEAN,
        prompt_values_supported=STRINGS,
        ui_locales_supported=STRINGS,
        userinfo_endpoint=STRING,
        end_session_endpoint=STRING,
        subject_types_supported=STRINGS,
        id_token_signing_alg_values_supported=STRINGS,
        scopes_supported=STRINGS,
        claims_supported=STRINGS,
        claim_types_supported=STRINGS,
        claims_parameter_supported=BOOLEAN,
        request_parameter_supported=BOOLEAN,
        request_uri_parameter_supported=BOOLEAN,
        token_endpoint_auth_methods_supported=STRINGS,
        revocation_endpoint_auth_methods_supported=STRINGS,
        introspection_endpoint_auth_methods_supported=STRINGS,
        tls_client_certificate_bound_access_tokens=BOOLEAN,
        token_endpoint_auth_signing_alg_values_supported=STRINGS,
        revocation_endpoint_auth_signing_alg_values_supported=STRINGS,
        introspection_endpoint_auth_signing_alg_values_supported=STRINGS,
        status_list_aggregation_endpoint=STRING,
    ),
    "StatusLists": _object(("status_lists",), status_lists=STRINGS),
    "OpenApi": _object(("openapi",), openapi={"const": "3.1.0"}),
    "Health": _object(("status",), status=STRING, reason=STRING),
}


def schemas(grants: Sequence[Grant]) -> Mapping[str, Any]:
    """Return the schemas by name, for a server that offers these grants."""
    parameters = dict.fromkeys((name for grant in grants for name in grant.parameters), STRING)
    grant_type = {"type": "string", "enum": sorted(it.name for it in grants)}
    # RFC 8707: may be sent several times.
    resource = {"anyOf": [STRING, STRINGS]}
    request = _object(("grant_type",), grant_type=grant_type, scope=STRING, resource=resource, **parameters, **_CLIENT)
    return {"TokenRequest": request, **_SCHEMAS}
