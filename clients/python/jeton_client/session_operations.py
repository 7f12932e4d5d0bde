"""Operations of a session for apps: log in, renew, log out (RFC 6749, RFC 7009)."""

import random
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Final

from jeton_client import attempts, token_requests
from jeton_client.attempts import EARLY_ATTEMPTS, MAX_ATTEMPTS
from jeton_client.authorization_request import (
    AuthorizationRequest,
    PendingAuthorization,
    authorization_url,
    begin,
)
from jeton_client.authorization_server import AuthorizationServer
from jeton_client.callback import code_in
from jeton_client.client_authentication import Client
from jeton_client.current_session import CurrentSession
from jeton_client.discovery import required
from jeton_client.errors import (
    ClientError,
    InvalidCallbackError,
    LoginRequiredError,
    RefusedError,
    ServerUnavailableError,
)
from jeton_client.logout_request import logout_url
from jeton_client.messages import Answer, Request
from jeton_client.operations import Operation, Shared
from jeton_client.session import Grant, Session, asked_at, begin_renewal, renewed
from jeton_client.storage import MemoryStorage, Storage
from jeton_client.token_answers import Tokens, TryAgain, judge_revocation_answer, judge_token_answer

_HOLD_OFF_SECONDS: Final = 5.0


class SessionOperations:
    """What the session asks of the server, in which order."""

    def __init__(self, issuer: str, client: Client, storage: Storage | None, clock: Callable[[], float]) -> None:
        self._server = AuthorizationServer(issuer)
        self._client = replace(client, issuer=issuer)
        self._clock = clock
        storage = MemoryStorage() if storage is None else storage
        self.current = CurrentSession(storage, clock, random.SystemRandom().random)

    def log_in(self, username: str, password: str, scope: str | None) -> Operation[None]:
        endpoint = yield from self._token_endpoint()
        request = token_requests.log_in(endpoint, self._client, username, password, scope)
        yield from self._begin(request, "password", scope)

    def log_in_as_client(self, scope: str | None) -> Operation[None]:
        endpoint = yield from self._token_endpoint()
        yield from self._begin(
            token_requests.log_in_as_client(endpoint, self._client, scope), "client_credentials", scope
        )

    def start_authorization(self, request: AuthorizationRequest) -> Operation[tuple[str, PendingAuthorization]]:
        metadata = yield from self._server.metadata(MAX_ATTEMPTS)
        endpoint = required(metadata.authorization_endpoint, "authorization_endpoint")
        pending = begin(metadata.issuer, request, self._clock(), _new_secret)
        return authorization_url(endpoint, self._client, request, pending), pending

    def finish_authorization(self, pending: PendingAuthorization, callback: str) -> Operation[Tokens]:
        if pending.issuer != self._server.issuer:
            raise InvalidCallbackError("iss")
        code = code_in(callback, pending, self._clock())
        # Apps may handle a redirect twice at once. A code that is sent twice would end the session at other servers.
        tokens: Tokens = yield Shared(_name("redemption", code), partial(self._redeem, pending, code))
        return tokens

    def _redeem(self, pending: PendingAuthorization, code: str) -> Operation[Tokens]:
        endpoint = yield from self._token_endpoint()
        request = token_requests.redeem(
            endpoint, self._client, code, pending.redirect_uri, pending.code_verifier, pending.idempotency_key
        )
        return (yield from self._begin(request, "authorization_code", pending.scope, MAX_ATTEMPTS))

    def access_token(self) -> Operation[str]:
        """Renew a token that is due. While it is still valid, one caller renews it and the others use it."""
        token = self.current.good_token()
        if token is None:
            renewed: str = yield Shared("renewal", partial(self._renew, None, MAX_ATTEMPTS))
            return renewed
        try:
            early: str | None = yield Shared(
                "early renewal", partial(self._renew, None, EARLY_ATTEMPTS), background=True
            )
            return early or token
        except LoginRequiredError:
            raise
        except ClientError as failed:
            asked_for = failed.retry_after if isinstance(failed, ServerUnavailableError) else 0.0
            self.current.postpone_renewal(max(asked_for, _HOLD_OFF_SECONDS))
            return token

    def renew(self, rejected: str) -> Operation[str]:
        renewed: str = yield Shared(_name("replacement", rejected), partial(self._renew, rejected, MAX_ATTEMPTS))
        return renewed

    def log_out(self) -> Operation[None]:
        yield Shared("logout", self._log_out)  # cancelling a caller does not end it halfway

    def _log_out(self) -> Operation[None]:
        """Delete and revoke the session: even if the server is unavailable, or the storage cannot delete it."""
        yield from self.current.lock()
        try:
            session, failed = yield from self.current.end()
        finally:
            self.current.unlock()
        if session is not None:
            yield from self._revoke(session.tokens)
        if failed is not None:
            raise failed

    def start_logout(self, post_logout_redirect_uri: str | None) -> Operation[tuple[str, str]]:
        session = yield from self.current.stored()
        with suppress(ServerUnavailableError, RefusedError):  # the server ends the session as well
            yield from self.log_out()
        metadata = yield from self._server.metadata(MAX_ATTEMPTS)
        endpoint = required(metadata.end_session_endpoint, "end_session_endpoint")
        hint = None if session is None else session.tokens.id_token
        state = _new_secret()
        return logout_url(endpoint, self._client, hint, post_logout_redirect_uri, state), state

    def _begin(self, request: Request, grant: Grant, scope: str | None, max_attempts: int = 1) -> Operation[Tokens]:
        """Send a login, after checking that its result can be stored. A password is sent once: the user repeats it."""
        yield from self.current.lock()
        try:
            yield from self.current.check_storage()
            now = self._clock()
            tokens = yield from attempts.send(request, lambda answer: judge_token_answer(answer, now), max_attempts)
            yield from self.current.store(Session(tokens, grant, scope))
            return tokens
        finally:
            self.current.unlock()

    def _renew(self, rejected: str | None, max_attempts: int) -> Operation[str]:
        yield from self.current.lock()
        try:
            session = yield from self.current.load()
            if session is None:
                raise LoginRequiredError("there is no stored session: log in")
            if self.current.good_token() is None or self.current.is_due() or session.tokens.access_token == rejected:
                session = yield from self._renewed(session, max_attempts)
            return session.tokens.access_token
        finally:
            self.current.unlock()

    def _renewed(self, session: Session, max_attempts: int) -> Operation[Session]:
        """Repeat the request until it has an outcome, soon, because servers repeat a response only for a while."""
        endpoint = yield from self._token_endpoint(max_attempts)
        begun = self._clock()
        session = begin_renewal(session, _new_secret(), begun)
        yield from self.current.store(session)

        def judge(answer: Answer | None) -> Tokens | TryAgain | RefusedError:
            return judge_token_answer(answer, asked_at(session, begun, self._clock()))

        try:
            tokens = yield from attempts.send(self._renewal(endpoint, session), judge, max_attempts)
        except RefusedError as refused:
            if refused.error != "invalid_grant" or session.grant == "client_credentials":
                raise
            yield from self.current.delete()
            raise LoginRequiredError("the session is over") from None
        outcome = renewed(session, tokens)
        yield from self.current.store_outcome(session.pending, outcome)
        return outcome

    def _renewal(self, endpoint: str, session: Session) -> Request:
        if session.pending is None:
            return token_requests.log_in_as_client(endpoint, self._client, session.scope)
        assert session.tokens.refresh_token is not None, "checked by begin_renewal"
        key = session.pending.idempotency_key
        return token_requests.refresh(endpoint, self._client, session.tokens.refresh_token, key)

    def _revoke(self, tokens: Tokens) -> Operation[None]:
        """Revoke the tokens, if the server has a revocation endpoint."""
        metadata = yield from self._server.metadata(MAX_ATTEMPTS)
        if metadata.revocation_endpoint is None:
            return
        token, hint = tokens.access_token, "access_token"
        if tokens.refresh_token is not None:
            token, hint = tokens.refresh_token, "refresh_token"
        request = token_requests.revoke(metadata.revocation_endpoint, self._client, token, hint)
        yield from attempts.send(request, judge_revocation_answer, MAX_ATTEMPTS)

    def _token_endpoint(self, max_attempts: int = MAX_ATTEMPTS) -> Operation[str]:
        metadata = yield from self._server.metadata(max_attempts)
        return required(metadata.token_endpoint, "token_endpoint")


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


def _name(work: str, secret: str) -> str:
    """Return a name for shared work on this token or code, which does not reveal it."""
    return f"{work} {sha256(secret.encode()).hexdigest()}"
