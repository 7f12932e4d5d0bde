"""One file per grant_type: which facts it needs, and which decision it comes to.

A grant does not answer and does not write: it enters its decision into the ledger, or gives it. A new grant is one
file that exports `GRANT_TYPE` and `redeem`, and one word in the list below.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from jeton.grants import client_credentials, password, refresh_token
from jeton.grants.request import TokenRequest
from jeton.grants.services import Services
from jeton.oauth.decisions import Deny, Issue

Redeem = Callable[[TokenRequest, Services], Awaitable[Issue | Deny]]

GRANTS: Final[Mapping[str, Redeem]] = {
    grant.GRANT_TYPE: grant.redeem for grant in (password, refresh_token, client_credentials)
}
