"""What is sent: addresses, client authentication, requests (RFC 6749, RFC 7009, RFC 7662, RFC 8414)."""

from typing import Any, Final

ENDPOINT: Final = "https://as.example/token"
ISSUER: Final = "https://as.example/tenant"
_FORM: Final = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}


def vectors() -> dict[str, list[dict[str, Any]]]:
    return {
        "addresses": _addresses(),
        "client_authentication": _client_authentication(),
        "token_requests": _token_requests(),
        "discovery": _discovery(),
    }


def _addresses() -> list[dict[str, Any]]:
    good = {
        "https://api.example": "https://api.example",
        "https://API.example:443/path?query": "https://api.example",
        "https://api.example:8443/": "https://api.example:8443",
        "http://127.0.0.1:8000/a": "http://127.0.0.1:8000",
        "http://127.8.9.10": "http://127.8.9.10",
        "http://localhost:80": "http://localhost",
        "http://[::1]:9000/": "http://[::1]:9000",
        "https://[2001:db8::1]/": "https://[2001:db8::1]",
    }
    bad = [
        "http://api.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://0.0.0.0",
        "ftp://api.example",
        "//api.example",
        "api.example",
        "/path",
        "",
        "https://",
        "https://user@api.example",
        "https://user:password@api.example",
        "https://api.example/#fragment",
        "https://api.example/a b",
        "https://api.example\\@evil.example",
        "https://api.example:port",
        "javascript:alert(1)",
    ]
    cases = [{"name": url, "given": {"url": url}, "expect": {"origin": origin}} for url, origin in good.items()]
    return cases + [{"name": url or "empty", "given": {"url": url}, "expect": {"error": True}} for url in bad]


def _client_authentication() -> list[dict[str, Any]]:
    def basic(pair: str) -> dict[str, Any]:
        return {"headers": {"authorization": f"Basic {pair}"}, "form": {}}

    rows: list[tuple[str, str, str | None, str | None, dict[str, Any]]] = [
        # RFC 6749 section 2.3.1 itself
        (
            "the RFC's own",
            "s6BhdRkqt3",
            "7Fjfp0ZBr1KtDRbnfVdmIw",
            None,
            basic("czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"),
        ),
        # a%3Ab:c+d%2B%26%25%3D%7E
        ("what must be encoded", "a:b", "c d+&%=~", None, basic("YSUzQWI6YytkJTJCJTI2JTI1JTNEJTdF")),
        # %C3%A9:%E2%82%AC*-._
        ("what is not ASCII, and what is left as it is", "é", "€*-._", None, basic("JUMzJUE5OiVFMiU4MiVBQyotLl8=")),
        (
            "in the form",
            "web",
            "s",
            "client_secret_post",
            {"headers": {}, "form": {"client_id": "web", "client_secret": "s"}},
        ),
        ("public", "spa", None, None, {"headers": {}, "form": {"client_id": "spa"}}),
        ("public, said so", "spa", None, "none", {"headers": {}, "form": {"client_id": "spa"}}),
        ("a secret for none", "spa", "s", "none", {"error": True}),
        ("Basic without a secret", "web", None, "client_secret_basic", {"error": True}),
    ]
    return [
        {"name": name, "given": {"client_id": client_id, "secret": secret, "method": method}, "expect": expect}
        for name, client_id, secret, method, expect in rows
    ]


def _token_requests() -> list[dict[str, Any]]:
    web = {"client_id": "web", "secret": "s", "method": "client_secret_post"}
    spa = {"client_id": "spa", "secret": None, "method": None}
    rows: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, str], str]] = [
        (
            "log in",
            {"call": "log_in", "username": "alice", "password": "a b+&=", "scope": "read"},
            web,
            {},
            "grant_type=password&scope=read&username=alice&password=a+b%2B%26%3D&client_id=web&client_secret=s",
        ),
        (
            "log in without a scope",
            {"call": "log_in", "username": "ålice", "password": "p", "scope": None},
            spa,
            {},
            "grant_type=password&username=%C3%A5lice&password=p&client_id=spa",
        ),
        (
            "log in as a client",
            {"call": "log_in_as_client", "scope": "report"},
            web,
            {},
            "grant_type=client_credentials&scope=report&client_id=web&client_secret=s",
        ),
        (
            "refresh",
            {"call": "refresh", "refresh_token": "r~1", "idempotency_key": "k-1"},
            spa,
            {"idempotency-key": "k-1"},
            "grant_type=refresh_token&refresh_token=r%7E1&client_id=spa",
        ),
        (
            "revoke",
            {"call": "revoke", "token": "r1", "hint": "refresh_token"},
            spa,
            {},
            "token=r1&token_type_hint=refresh_token&client_id=spa",
        ),
        (
            "introspect",
            {"call": "introspect", "token": "t1"},
            web,
            {},
            "token=t1&token_type_hint=access_token&client_id=web&client_secret=s",
        ),
    ]
    return [
        {
            "name": name,
            "given": {**call, "endpoint": ENDPOINT, "client": client},
            "expect": {"method": "POST", "url": ENDPOINT, "headers": _FORM | headers, "body": body},
        }
        for name, call, client, headers, body in rows
    ]


def _discovery() -> list[dict[str, Any]]:
    """`request_urls` are those that are asked, in this order."""
    return _places() + _metadata()


def _places() -> list[dict[str, Any]]:
    oauth, openid = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
    root = [f"https://as.example{oauth}", f"https://as.example{openid}"]
    below = [f"https://as.example{oauth}/tenant", f"{ISSUER}{oauth}", f"{ISSUER}{openid}"]
    rows: list[tuple[str, list[str]]] = [
        (ISSUER, below),
        (f"{ISSUER}/", below),
        ("https://as.example", root),
        ("https://as.example/", root),
        ("http://127.0.0.1:8000", [f"http://127.0.0.1:8000{oauth}", f"http://127.0.0.1:8000{openid}"]),
    ]
    untrusted = ["http://as.example", "https://as.example?tenant=1", "https://as.example/?"]
    return [
        {
            "name": f"places: {issuer}",
            "given": {"issuer": issuer, "answers": [answer(404, "")] * len(urls)},
            "expect": {"request_urls": urls, "error": "server_away"},
        }
        for issuer, urls in rows
    ] + [
        {"name": f"address: {it}", "given": {"issuer": it, "answers": []}, "expect": {"error": "untrusted_server"}}
        for it in untrusted
    ]


def _metadata() -> list[dict[str, Any]]:
    good = f'{{"issuer": "{ISSUER}", "token_endpoint": "https://as.example/t", "jwks_uri": "https://as.example/k?v=1"}}'
    found = {
        "endpoints": {
            "token_endpoint": "https://as.example/t",
            "revocation_endpoint": None,
            "introspection_endpoint": None,
            "jwks_uri": "https://as.example/k?v=1",
        }
    }
    nothing, other = answer(404, "<html>"), answer(200, good.replace("/tenant", ""))
    untrusted, away = {"error": "untrusted_server"}, {"error": "server_away"}
    rows: list[tuple[str, list[dict[str, Any] | None], dict[str, Any]]] = [
        ("good", [answer(200, good)], found),
        ("below the path", [nothing, answer(200, good)], found),
        ("at the place of OpenID Connect", [nothing, answer(403, ""), answer(200, good)], found),
        ("behind a page that stands for all that is not there", [answer(200, "<html>"), answer(200, good)], found),
        ("beside another issuer's", [other, answer(200, good)], found),
        ("another issuer", [other, nothing, nothing], untrusted),
        ("a slash more", [answer(200, good.replace("/tenant", "/tenant/")), nothing, nothing], untrusted),
        ("no issuer", [answer(200, "{}"), nothing, nothing], untrusted),
        (
            "an endpoint that is not https",
            [answer(200, good.replace('https://as.example/t"', 'http://as.example/t"')), nothing, nothing],
            untrusted,
        ),
        (
            "an endpoint that is a number",
            [answer(200, good.replace('"https://as.example/t"', "7")), nothing, nothing],
            untrusted,
        ),
        (
            "an issuer that comes twice",
            [answer(200, good[:-1] + f', "issuer": "{ISSUER}"}}'), nothing, nothing],
            away,
        ),
        ("not JSON", [answer(200, "<html>"), nothing, nothing], away),
        ("not found", [answer(404, good), nothing, nothing], away),
        ("lost: asked at no other place", [None], away),
        ("503: asked at no other place", [answer(503, good)], away),
        ("lost at the second place", [nothing, None], away),
    ]
    urls = _places()[0]["expect"]["request_urls"]
    return [
        {
            "name": name,
            "given": {"issuer": ISSUER, "answers": answers},
            "expect": {"request_urls": urls[: len(answers)], **expect},
        }
        for name, answers, expect in rows
    ]


def answer(status: int, body: str, **headers: str) -> dict[str, Any]:
    """`cache_control` stands for `cache-control`."""
    return {"status": status, "headers": {name.replace("_", "-"): it for name, it in headers.items()}, "body": body}
