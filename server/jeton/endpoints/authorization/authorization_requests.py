"""Validation of authorization requests, for the authorization endpoint and for pushed ones."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from jeton.frozen import Frozen
from jeton.oauth.authorization.authorization_request import (
    AuthorizationRequest,
    ResponseTarget,
    parse_authorization_request,
)
from jeton.oauth.clients import Client
from jeton.oauth.id_token import check_id_token_algorithm
from jeton.oauth.resources import names_default_target
from jeton.storage.lookups import Lookups

# Returns the subject of an `id_token_hint`, or None if the hint is not one of ours, or not for this client.
HintSubject = Callable[[str, Client], Awaitable[str | None]]


class AuthorizationRequests(Frozen):
    """Reads what a request needs to be validated. `id_token_algorithms` returns those of ID tokens now."""

    issuer: str
    default_audience: str
    lookups: Lookups
    hint_subject: HintSubject
    id_token_algorithms: Callable[[], Collection[str]]

    async def validate(
        self,
        parameters: Mapping[str, str],
        lists: Mapping[str, Sequence[str]],
        client: Client,
        target: ResponseTarget,
    ) -> AuthorizationRequest:
        """Return the request. Raise AuthorizationRefusedError if it is not valid."""
        hint = parameters.get("id_token_hint")
        # A hint that names no user is not the one of any user who is signed in.
        subject = None if hint is None else await self.hint_subject(hint, client) or ""
        resources, named = await self.lookups.resources(client.resources), lists.get("resource", ())
        if names_default_target(named, client, resources, self.default_audience, self.issuer):
            lists = {**lists, "resource": ()}
        authorization = parse_authorization_request(parameters, lists, client, target, resources, subject)
        check_id_token_algorithm(authorization, client, self.id_token_algorithms())
        return authorization
