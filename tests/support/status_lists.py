"""Status lists as a service reads them: fetched from the URI in the token, verified by the key set, decompressed."""

import zlib
from base64 import urlsafe_b64decode
from typing import Any

import jwt

from support.in_process_server import ISSUER, Running


def reference(access_token: str) -> dict[str, Any]:
    """Return the reference of the token to its status list: `idx` and `uri`."""
    claims = jwt.decode(access_token, options={"verify_signature": False})
    found: dict[str, Any] = claims["status"]["status_list"]
    return found


async def status_list(jeton: Running, uri: str) -> dict[str, Any]:
    """Return the claims of a list, verified by another library. Its times are those of the manual clock."""
    response = await jeton.http.get(uri.removeprefix(ISSUER))
    assert response.status_code == 200, response.text
    keys = jwt.PyJWKSet.from_dict((await jeton.http.get("/.well-known/jwks.json")).json())
    header = jwt.get_unverified_header(response.text)
    assert header == {"typ": "statuslist+jwt", "alg": "RS256", "kid": header["kid"]}
    options: Any = {"verify_exp": False, "verify_iat": False, "require": ["iss", "sub", "iat", "exp"]}
    claims = jwt.decode(response.text, keys[header["kid"]], algorithms=["RS256"], issuer=ISSUER, options=options)
    assert claims["sub"] == uri
    return claims


async def is_listed(jeton: Running, access_token: str) -> bool:
    """Return whether the status list of this server, as last refreshed, marks the token as INVALID."""
    place = reference(access_token)
    lst = (await status_list(jeton, place["uri"]))["status_list"]["lst"]
    bits = zlib.decompress(urlsafe_b64decode(lst + "=" * (-len(lst) % 4)))
    return bool(bits[place["idx"] >> 3] >> (place["idx"] & 7) & 1)
