"""Resource indicators (RFC 8707): which may be registered and requested, and what scope means there."""

from typing import Any

import pytest

from jeton.frozen import replace
from jeton.oauth.clients import Client
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.resources import (
    Resource,
    applicable_scope,
    names_default_target,
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
def test_requested_resources_are_found_in_their_order() -> None:
    for uri, found in ((API.uri, API), (MCP.uri, MCP), (MCP.uri + "/", MCP)):
        assert select_resources([uri], [API, MCP]) == (found,)
    assert select_resources([MCP.uri + "/", API.uri, MCP.uri], [API, MCP]) == (MCP, API)


@pytest.mark.requirement("RI01", "RI06", "RI08", "L05")
def test_resource_in_another_spelling_is_an_invalid_target() -> None:
    for requested in (
        *("https://api.example/v1/", "https://api.example", "https://API.example/v1", "https://mcp.example//"),
        *("https://mcp.example/?", "https://other.example", "api", "https://mcp.example#", " https://mcp.example"),
    ):
        with pytest.raises(OAuthError) as refused:
            select_resources(["https://mcp.example", requested], [API, MCP])
        assert refused.value.code is ErrorCode.INVALID_TARGET, requested


@pytest.mark.requirement("RI03")
def test_only_a_single_resource_is_implied() -> None:
    for allowed, found in (((API,), (API,)), ((API, MCP), ()), ((), ())):
        client = Client("c", public=True, created_at=1, resources=tuple(it.uri for it in allowed))
        assert resources_if_omitted(client, allowed) == found
        assert resources_if_omitted(replace(client, audience=("https://own.example",)), allowed) == ()


@pytest.mark.requirement("RI03", "RI06")
def test_issuer_is_a_target_only_where_it_is_the_default_one() -> None:
    client, issuer = Client("c", public=True, created_at=1), "https://id.example"

    def is_target(*named: str, allowed: tuple[Resource, ...] = (), default: str = issuer, **fields: Any) -> bool:
        return names_default_target(named, replace(client, **fields), allowed, default, issuer)

    assert is_target(issuer)
    assert is_target(issuer + "/", allowed=(API, MCP))
    assert is_target(issuer, default=API.uri, audience=(issuer,))
    assert not is_target()
    assert not is_target(API.uri)
    assert not is_target(issuer, API.uri, allowed=(API, MCP))
    assert not is_target(issuer, allowed=(API,))
    assert not is_target(issuer, audience=(API.uri,))
    assert not is_target(issuer, audience=(issuer, API.uri))
    assert not is_target(issuer, default=API.uri)


@pytest.mark.requirement("RI05", "RI09")
def test_scope_that_means_nothing_at_the_target_is_dropped() -> None:
    def applicable(scope: str, *resources: Resource) -> str:
        return " ".join(sorted(applicable_scope(frozenset(scope.split()), resources)))

    for resources, scope in (
        ((), "read tools"),
        ((API,), "read"),
        ((API, MCP), "read tools"),
        ((API, ANY), "read tools"),
    ):
        assert applicable("read tools", *resources) == scope
    assert applicable("other", API) == ""
    assert applicable("openid email read tools", MCP) == "email openid tools"
