"""Signing of access tokens and ID tokens, and derivation of refresh tokens, for decisions that are durable."""

from typing import Any

from jeton.crypto.credentials import generate_jti
from jeton.crypto.id_token_hashes import at_hash_of, derive_session_id
from jeton.crypto.key_stores import KeyStoreError
from jeton.crypto.refresh_token import RefreshTokens
from jeton.crypto.signed_jwt import ID_TOKEN, Signer
from jeton.frozen import Frozen
from jeton.keys.keyring import Keyring
from jeton.oauth.access_token import access_token_claims, token_response
from jeton.oauth.authorization.authorization_request import GRANT_TYPE as CODE_GRANT
from jeton.oauth.clients import Client
from jeton.oauth.decisions import Issue
from jeton.oauth.id_token import OPENID, id_token_claims, signed_in_family
from jeton.oauth.refresh_rotation import has_refresh_tokens
from jeton.oauth.sender_constraints import UNBOUND, Confirmation
from jeton.storage.database import StorageUnavailableError


class Signers(Frozen):
    """The signers of one response. `id_token` is None if the client gets no ID tokens, or has no key for them yet."""

    access_token: Signer
    id_token: Signer | None


class TokenIssuer(Frozen):
    """Makes the tokens of one issuer. `status_lists` says whether access tokens name their status list."""

    issuer: str
    status_lists: bool
    keyring: Keyring
    refresh_tokens: RefreshTokens

    def signers(self, client: Client, grant_type: str) -> Signers:
        """Return what signs the tokens of a client. Called before anything is spent.

        Raise StorageUnavailableError or KeyStoreError if they cannot be signed. A refresh succeeds without an ID token,
        as OpenID Connect Core section 12.2 allows.
        """
        access_token = self.keyring.signer
        if OPENID not in client.scope:
            return Signers(access_token, None)
        if access_token.algorithm == client.id_token_alg:
            return Signers(access_token, access_token)
        try:
            return Signers(access_token, self.keyring.id_token_signer(client.id_token_alg))
        except (KeyStoreError, StorageUnavailableError):
            if grant_type == CODE_GRANT:
                raise
            return Signers(access_token, None)

    async def issue(
        self, issue: Issue, signers: Signers, access_seconds: int, confirmation: Confirmation = UNBOUND
    ) -> dict[str, Any]:
        """Return the token response. The same family, generation, time and keys yield the same claims."""
        access_token, claims = await self.access_token(issue, signers.access_token, access_seconds, confirmation)
        id_token = await self._id_token(issue, signers.id_token, access_token, claims["exp"])
        return token_response(claims, access_token, self._refresh_token(issue), id_token, confirmation.token_type)

    async def access_token(
        self, issue: Issue, signer: Signer, access_seconds: int, confirmation: Confirmation = UNBOUND
    ) -> tuple[str, dict[str, Any]]:
        """Return an access token, bound to the keys of the confirmation, and its claims."""
        claims = access_token_claims(
            issue,
            issuer=self.issuer,
            access_seconds=access_seconds,
            status_lists=self.status_lists,
            confirmation=confirmation,
        )
        family = issue.family
        if family is None:
            claims["jti"] = generate_jti()
        else:
            key_id, secret = family.master_key_id, family.secret
            claims["jti"] = self.refresh_tokens.derive_jti(family.generation, claims, key_id, secret)
        return await self.keyring.sign(signer, claims), claims

    def _refresh_token(self, issue: Issue) -> str | None:
        """Return the newest refresh token of the family, or None if it has none."""
        family = issue.family
        if family is None or not has_refresh_tokens(family, issue.client):
            return None
        return self.refresh_tokens.derive(family.sid, family.generation, family.master_key_id, family.secret)

    async def _id_token(self, issue: Issue, signer: Signer | None, access_token: str, expires_at: int) -> str | None:
        """Return the ID token, or None if none is due. It expires with the access token."""
        family = signed_in_family(issue)
        if family is None or signer is None:
            return None
        browser = family.browser_session_id
        claims = id_token_claims(
            issue,
            family,
            issuer=self.issuer,
            expires_at=expires_at,
            at_hash=at_hash_of(access_token, signer.algorithm),
            sid=None if browser is None else derive_session_id(browser, family.client_id),
        )
        return await self.keyring.sign(signer, claims, ID_TOKEN)
