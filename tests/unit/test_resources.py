"""Resource indicators (RFC 8707): which may be registered and requested, and what scope means there."""

import pytest

from jeton.oauth.clients import Client
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.resources import (
    Resource,
    applicable_scope,
    resource_rejection_reason,
    resources_if_omitted,
    select_resources,
)

API = Resource("https://api.example/v1", "API", frozenset({"read", "write"}))
MCP = Resource("https://mcp.example", "MCP", frozenset({"tools"}))
ANY = Resource("urn:example:any", "Any")


@pytest.mark.requirement("RI01", "L05")
def test_only_absolute_uris_may_be_resources() -> None:
    uris = ["https://api.example", "https://api.example/v1?x=1", "urn:example:api", "api://x"]
    others = [
        *("", "api", "/v1", "//api.example", "https:", "https://api.example/#x", "https://api.example#"),
        *("https://\u00e4.example", "https://api.example/ x", "https://api.example/" + "a" * 512),
    ]

    assert [it for it in uris + others if resource_rejection_reason(it) is None] == uris


@pytest.mark.requirement("RI01", "RI06", "RI08", "L05")
@pytest.mark.parametrize(
    ("requested", "found"),
    [
        (["https://api.example/v1"], (API,)),
        (["https://mcp.example"], (MCP,)),
        (["https://mcp.example/"], (MCP,)),
        (["https://mcp.example/", "https://api.example/v1", "https://mcp.example"], (MCP, API)),
    ],
)
def test_requested_resources_are_found_in_their_order(requested: list[str], found: tuple[Resource, ...]) -> None:
    assert select_resources(requested, [API, MCP]) == found


@pytest.mark.requirement("RI01", "RI06", "RI08", "L05")
@pytest.mark.parametrize(
    "requested",
    [
        *("https://api.example/v1/", "https://api.example", "https://API.example/v1", "https://mcp.example//"),
        *("https://mcp.example/?", "https://other.example", "api", "https://mcp.example#", " https://mcp.example"),
    ],
)
def test_every_other_spelling_is_an_invalid_target(requested: str) -> None:
    with pytest.raises(OAuthError) as refused:
        select_resources(["https://mcp.example", requested], [API, MCP])

    assert refused.value.code is ErrorCode.INVALID_TARGET


@pytest.mark.requirement("RI03")
@pytest.mark.parametrize(
    ("audience", "allowed", "found"),
    [((), (API,), (API,)), ((), (API, MCP), ()), ((), (), ()), (("https://own.example",), (API,), ())],
)
def test_only_a_single_resource_is_implied(
    audience: tuple[str, ...], allowed: tuple[Resource, ...], found: tuple[Resource, ...]
) -> None:
    client = Client("c", public=True, created_at=1, audience=audience, resources=tuple(it.uri for it in allowed))

    assert resources_if_omitted(client, allowed) == found


@pytest.mark.requirement("RI05", "RI09")
@pytest.mark.parametrize(
    ("scope", "resources", "applicable"),
    [
        ({"read", "tools"}, (), {"read", "tools"}),
        ({"read", "tools"}, (API,), {"read"}),
        ({"read", "tools"}, (API, MCP), {"read", "tools"}),
        ({"read", "tools"}, (API, ANY), {"read", "tools"}),
        ({"other"}, (API,), set()),
        ({"openid", "email", "read", "tools"}, (MCP,), {"openid", "email", "tools"}),
    ],
)
def test_scope_that_means_nothing_at_the_target_is_dropped(
    scope: set[str], resources: tuple[Resource, ...], applicable: set[str]
) -> None:
    assert applicable_scope(frozenset(scope), resources) == applicable
