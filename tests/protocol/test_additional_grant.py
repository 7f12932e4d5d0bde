"""An additional grant is one description, which the token endpoint, the metadata and OpenAPI read."""

from dataclasses import dataclass

import pytest

from jeton.grants import GRANTS
from jeton.grants.description import Grant
from jeton.grants.request import TokenRequest
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.parameters import require
from jeton.storage.clock import Clock
from support.in_process_server import Running, running, settings_for

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


async def announced(jeton: Running) -> list[str]:
    return list((await jeton.http.get("/.well-known/oauth-authorization-server")).json()["grant_types_supported"])


async def test_additional_grant_works_and_is_in_metadata_and_openapi(database_url: str) -> None:
    async with running(settings_for(database_url), (*GRANTS, DESCRIPTION)) as jeton:
        before, app = await announced(jeton), jeton.add_client(grant_types=frozenset({NAME}))
        public = jeton.add_client("spa", public=True, grant_types=frozenset({NAME}))
        good = await jeton.token(app, None, grant_type=NAME, coupon=COUPON)
        wrong = await jeton.token(app, None, grant_type=NAME, coupon="none")
        missing = await jeton.token(app, None, grant_type=NAME)
        refused = await jeton.token(public, None, grant_type=NAME, coupon=COUPON)
        schemas = (await jeton.http.get("/openapi.json")).json()["components"]["schemas"]

        assert (good.status_code, good.json()["token_type"]) == (200, "Bearer")
        errors = [it.json()["error"] for it in (wrong, missing, refused)]
        assert errors == ["invalid_grant", "invalid_request", "unauthorized_client"]
        assert (NAME in before, NAME in await announced(jeton)) == (False, True)
        assert "coupon" in schemas["TokenRequest"]["properties"]
        assert NAME in schemas["TokenRequest"]["properties"]["grant_type"]["enum"]


async def test_grant_is_disabled_by_its_setting(database_url: str) -> None:
    async with running(settings_for(database_url, GRANTS__PASSWORD="false"), (*GRANTS, DESCRIPTION)) as jeton:
        app = jeton.add_client(grant_types=frozenset({NAME}))
        refused = await jeton.token(app, None, grant_type=NAME, coupon=COUPON)

        assert (refused.json()["error"], NAME in await announced(jeton)) == ("unsupported_grant_type", False)


@pytest.mark.parametrize("grant", GRANTS, ids=[it.name for it in GRANTS])
def test_setting_of_a_grant_exists(grant: Grant) -> None:
    assert grant.setting is None or getattr(settings_for("sqlite://").grants, grant.setting) is True
