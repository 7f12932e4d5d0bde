"""Which page an authorization request needs next, or that its code can be issued (OpenID Connect Core 3.1.2)."""

from jeton.frozen import Frozen
from jeton.oauth.authorization.authorization_request import AuthorizationRequest
from jeton.oauth.authorization.interactions import Freshness, Shown
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.clients import Client
from jeton.oauth.consents import NO_RESOURCE, Access, Consent, still_valid
from jeton.oauth.errors import ErrorCode
from jeton.oauth.scope import Scope


class AskSignIn(Frozen):
    """The person has to sign in first."""


class AskConsent(Frozen):
    """The person has to be asked; without `shown.asks_consent` only whether to go on (one button)."""

    shown: Shown


class Proceed(Frozen):
    """Nothing has to be asked: the client gets its code."""


class Refuse(Frozen):
    """The client gets an error (section 3.1.2.6)."""

    error: ErrorCode
    description: str


NextStep = AskSignIn | AskConsent | Proceed | Refuse


def decide_next_step(
    request: AuthorizationRequest,
    client: Client,
    session: BrowserSession | None,
    consent: Consent | None,
    freshness: Freshness,
    *,
    has_seen_pages: bool,
    optional: Scope = frozenset(),
) -> NextStep:
    """Decide what comes next.

    An `id_token_hint` that cannot be verified names no user, and so not the one who is signed in: the person has to say
    who they are, on a page (section 3.1.2.2).

    `session` is live and its user may sign in, or None; `consent` is what this user has allowed this client. With
    `has_seen_pages`, the person comes back from a page of this request. People may leave out `optional` scopes.
    """
    silent = "none" in request.prompt
    hinted = request.id_token_hint_sub
    if has_seen_pages and not hinted:
        hinted = None
    is_other_user = session is not None and hinted is not None and session.sub != hinted
    if is_other_user and has_seen_pages:
        return Refuse(ErrorCode.LOGIN_REQUIRED, "Another user has signed in than the ID token hint names.")
    if session is None or is_other_user or not freshness.is_satisfied_by(session):
        return Refuse(ErrorCode.LOGIN_REQUIRED, "The user has to sign in.") if silent else AskSignIn()
    shown = _question(request, client, session, consent, optional)
    if shown is None:
        return Proceed()
    if not silent:
        return AskConsent(shown)
    if shown.asks_consent:
        return Refuse(ErrorCode.CONSENT_REQUIRED, "The user has to allow the access.")
    return Refuse(ErrorCode.INTERACTION_REQUIRED, "The user has to confirm.")


def is_assured(redirect_uri: str) -> bool:
    """Return whether no other program can receive the answer in the client's place (RFC 8252 section 8.6).

    Only an https address belongs to one host. Any program can listen on loopback, or claim a private scheme.
    """
    return redirect_uri.startswith("https://")


def _question(
    request: AuthorizationRequest,
    client: Client,
    session: BrowserSession,
    consent: Consent | None,
    optional: Scope,
) -> Shown | None:
    """Return what to ask the person, or None if nothing has to be asked."""
    assured, consent = is_assured(request.redirect_uri), still_valid(consent, client.metadata_digest)
    # Without an earlier consent everything is new, so nothing is marked.
    new: Access = {} if consent is None else consent.new_in(request.access(request.scope))
    known = () if consent is None or len(request.resources) > 1 else consent.allowed
    if "consent" in request.prompt:
        asks_consent = True
    elif client.first_party:
        asks_consent = False
    else:
        asks_consent = consent is None or bool(new) or not assured
    if not asks_consent and assured and "select_account" not in request.prompt:
        return None
    choices = request.scope & optional if asks_consent else frozenset()
    return Shown(
        session.browser_session_id,
        request.scope,
        request.resources,
        frozenset().union(*new.values()),
        frozenset(new).difference(known, {NO_RESOURCE}),
        asks_consent,
        choices,
        client.metadata_digest,
    )
