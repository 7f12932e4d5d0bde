"""FastAPI dependencies: `token: Annotated[AccessToken, Depends(bearer)]`. The only module that needs FastAPI."""

from collections.abc import Callable

from fastapi import HTTPException, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from jeton_client.access_token import AccessToken
from jeton_client.asgi import TokenVerifier, admit
from jeton_client.errors import ClientError


class Bearer(SecurityBase):
    """Dependency that returns the verified token: `bearer = Bearer(verifier)`, or `bearer.requiring("orders")`.

    Refused requests are answered as in RFC 6750. The OpenAPI document describes it as HTTP Bearer.
    """

    def __init__(
        self,
        verifier: TokenVerifier,
        *,
        scope: tuple[str, ...] = (),
        realm: str = "api",
        report: Callable[[ClientError], None] | None = None,
    ) -> None:
        self.model = HTTPBearer(bearerFormat="JWT")
        self.scheme_name = "Bearer"
        self._verifier = verifier
        self._scope = scope
        self._realm = realm
        self._report = report

    async def __call__(self, request: Request) -> AccessToken:
        authorization = request.headers.getlist("authorization")
        admitted = await admit(self._verifier, authorization, self._scope, self._realm, self._report)
        if isinstance(admitted, AccessToken):
            return admitted
        raise HTTPException(admitted.status, {"error": admitted.error}, admitted.headers)

    def requiring(self, *scope: str) -> "Bearer":
        """Return a dependency that also requires this scope."""
        return Bearer(self._verifier, scope=scope, realm=self._realm, report=self._report)
