"""Grant types, one file each. A new one is a file with its description, and an entry in `GRANTS`.

A grant neither answers nor writes: it enters its decision into the ledger, or returns it. `GRANTS` is read by the token
endpoint, the metadata, the OpenAPI description and the command line.
"""

from typing import Final

from jeton.grants.authorization_code import AUTHORIZATION_CODE
from jeton.grants.client_credentials import CLIENT_CREDENTIALS
from jeton.grants.description import Grant
from jeton.grants.password import PASSWORD
from jeton.grants.refresh_token import REFRESH_TOKEN

GRANTS: Final[tuple[Grant, ...]] = (AUTHORIZATION_CODE, CLIENT_CREDENTIALS, PASSWORD, REFRESH_TOKEN)
