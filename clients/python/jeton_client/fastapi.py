"""FastAPI dependencies: `token: Annotated[AccessToken, Depends(bearer)]`. The only module that needs FastAPI."""

from collections.abc import Callable

from fastapi import HTTPException, Request, Response
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from jeton_client.access_token import AccessToken
from jeton_client.admission import Requirements, TokenVerifier
from jeton_client.asgi import presented_request
from jeton_client.errors import ClientError
from jeton_client.protected_resource import ProtectedResource


class Bearer(SecurityBase):
    """Dependency that returns the verified token: `bearer = Bearer(verifier)`, or `bearer.requiring("orders")`.

    Refused requests are answered as in RFC 6750. The OpenAPI document describes it as HTTP Bearer. With `resource`,
    challenges lead to its metadata, which the application serves:
    `app.add_api_route(resource.metadata_path, resource.metadata)`.
    """

    def __init__(
        self,
        verifier: TokenVerifier,
        *,
        scope: tuple[str, ...] = (),
        realm: str = "api",
        resource: ProtectedResource | None = None,
        report: Callable[[ClientError], None] | None = None,
    ) -> None:
        self.model = HTTPBearer(bearerFormat="JWT")
        self.scheme_name = "Bearer"
        self._requirements = Requirements(verifier, scope, realm, resource, report)

    async def __call__(self, request: Request, response: Response) -> AccessToken:
        admitted = await self._requirements.admit(presented_request(request.scope))
        if not isinstance(admitted, AccessToken):
            raise HTTPException(admitted.status, {"error": admitted.error}, admitted.headers)
        response.headers.update(self._requirements.headers())
        return admitted

    def requiring(self, *scope: str) -> "Bearer":
        """Return a dependency that also requires this scope."""
        it = self._requirements
        return Bearer(it.verifier, scope=(*it.scope, *scope), realm=it.realm, resource=it.resource, report=it.report)
