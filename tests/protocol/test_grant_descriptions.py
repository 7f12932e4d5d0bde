"""A grant is one description: the token endpoint, the metadata and OpenAPI read a made-up one without other edits."""

from dataclasses import dataclass

import pytest

from jeton.grants import GRANTS
from jeton.grants.description import Grant
from jeton.grants.request import TokenRequest
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.parameters import require
from jeton.storage.clock import Clock
from support.in_process_server import App, Running, running, settings_for

NAME = "urn:example:coupon"
COUPON = "one cup of tea"


@dataclass(frozen=True)
class CouponGrant:
    clock: Clock

    async def redeem(self, request: TokenRequest) -> Issue | Deny:
        if require(request.parameters, "coupon") != COUPON:
            return Deny(ErrorCode.INVALID_GRANT, "coupon_wrong")
        return Issue(request.client, request.granted_scope(), request.audience, self.clock.now(), "coupon_redeemed")


DESCRIPTION = Grant(
    NAME,
    lambda parts: CouponGrant(parts.clock).redeem,
    parameters=("coupon",),
    confidential=True,
    announced_on_use=True,
    setting="password",
)


def _allowed(jeton: Running, client_id: str = "tea", *, public: bool = False) -> App:
    return jeton.add_client(client_id, public=public, grant_types=frozenset({NAME}))


async def _announced(jeton: Running) -> list[str]:
    metadata = (await jeton.http.get("/.well-known/oauth-authorization-server")).json()
    return list(metadata["grant_types_supported"])


async def test_a_made_up_grant_is_redeemed_announced_and_described(database_url: str) -> None:
    async with running(settings_for(database_url), (*GRANTS, DESCRIPTION)) as jeton:
        before, app = await _announced(jeton), _allowed(jeton)
        good = await jeton.token(app, None, grant_type=NAME, coupon=COUPON)
        wrong = await jeton.token(app, None, grant_type=NAME, coupon="none")
        missing = await jeton.token(app, None, grant_type=NAME)
        public = await jeton.token(_allowed(jeton, "spa", public=True), None, grant_type=NAME, coupon=COUPON)
        openapi = (await jeton.http.get("/openapi.json")).json()

        assert (good.status_code, good.json()["token_type"]) == (200, "Bearer")
        assert [it.json()["error"] for it in (wrong, missing, public)] == [
            *("invalid_grant", "invalid_request", "unauthorized_client")
        ]
        assert (NAME in before, NAME in await _announced(jeton)) == (False, True)
        described = openapi["components"]["schemas"]["TokenRequest"]["properties"]
        assert ("coupon" in described, NAME in described["grant_type"]["enum"]) == (True, True)


async def test_a_grant_is_switched_off_by_its_setting(database_url: str) -> None:
    settings = settings_for(database_url, GRANTS__PASSWORD="false")
    async with running(settings, (*GRANTS, DESCRIPTION)) as jeton:
        refused = await jeton.token(_allowed(jeton), None, grant_type=NAME, coupon=COUPON)

        assert (refused.json()["error"], NAME in await _announced(jeton)) == ("unsupported_grant_type", False)


@pytest.mark.parametrize("grant", GRANTS, ids=[it.name for it in GRANTS])
def test_the_setting_of_a_grant_exists(grant: Grant) -> None:
    grants = settings_for("sqlite://").grants
    assert grant.setting is None or getattr(grants, grant.setting) is True
