"""Forward authentication: which session of a cookie an access token is issued for."""

from jeton.oauth.decisions import MASTER_KEY_MISSING
from jeton.oauth.forward_auth_rules import decide
from jeton.oauth.sessions import Source
from support.builders import NOW, client, family, lifetimes, user


def test_token_whose_master_key_is_missing_is_not_called_unknown() -> None:
    decision = decide(family(), user(), client(), 0, genuine=None, lifetimes=lifetimes(), source=Source(), now=NOW)

    assert decision == MASTER_KEY_MISSING
