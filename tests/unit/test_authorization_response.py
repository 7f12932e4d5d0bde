"""The parameters of an authorization response (RFC 6749 section 4.1.2, RFC 9207)."""

import pytest

from jeton.endpoints.authorization.authorization_response import authorization_response_parameters
from jeton.oauth.errors import ErrorCode

ISSUER = "https://id.example"


@pytest.mark.requirement("RR03", "RR04", "H06")
def test_a_code_comes_with_state_and_issuer() -> None:
    found = authorization_response_parameters(code="a code", state="a state", iss=ISSUER)

    assert found == {"code": "a code", "state": "a state", "iss": ISSUER}


@pytest.mark.requirement("RR03", "RR04", "RR05", "H06")
def test_an_error_comes_with_the_issuer_and_without_a_state_that_was_not_sent() -> None:
    found = authorization_response_parameters(
        error=ErrorCode.ACCESS_DENIED, description="The user refused.", state=None, iss=ISSUER
    )

    assert found == {"error": "access_denied", "error_description": "The user refused.", "iss": ISSUER}
