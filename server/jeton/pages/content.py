"""What a page shows: one class per template. Texts from outside are plain text, which the templates escape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final

from jeton.rules.password_policy import PasswordRejection

# OpenID Connect Core 5.4 and 11, unless the settings describe them otherwise. Looked up in the message catalogues.
SCOPE_TEXTS: Final[Mapping[str, str]] = {
    "openid": "Know that it is you",
    "profile": "See your profile: name, language, picture and the like",
    "email": "See your e-mail address",
    "address": "See your postal address",
    "phone": "See your phone number",
    "offline_access": "Keep its access while you are not using it",
    "account": "Manage your account: change the password and end sessions",
}


class Problem(StrEnum):
    """What a page says went wrong. The values are looked up in the message catalogues."""

    WRONG_CREDENTIALS = "The user name or the password is wrong."
    CREDENTIALS_MISSING = "Enter your user name and your password."
    TOO_MANY_ATTEMPTS = "There were too many attempts. Try again in a few minutes."
    BUSY = "The server is busy. Try again in a moment."
    NEW_PASSWORD_REJECTED = "The new password was not accepted."
    CURRENT_PASSWORD_WRONG = "The current password is wrong."


class Fault(StrEnum):
    """Why an error page is shown. The values are looked up in the message catalogues."""

    UNKNOWN_CLIENT = "The app that sent you here is not known to this server."
    METADATA_DOCUMENT = "The app that sent you here could not be identified: its description cannot be used here."
    REDIRECT_URI = "The app that sent you here asked to continue at an address that is not registered for it."
    MALFORMED = "The app that sent you here made a request that cannot be understood."
    EXPIRED = "This page has expired, or the sign-in was started in another browser."
    OTHER_SITE = "The form was sent from another site, so nothing was done."
    NOT_FOUND = "There is no such page."
    METHOD = "This page cannot be used in this way."
    TOO_MANY_REQUESTS = "There were too many requests. Try again in a few minutes."
    UNAVAILABLE = "The server cannot answer just now. Try again in a moment."
    FAILED = "Something went wrong on this server."


@dataclass(frozen=True, slots=True)
class AppLabel:
    """How a client is shown: its name, and the host that the answer goes to (None: a program on this device).

    `logo_of` is its client_id if it has a logo. Of a client that describes itself, `name` is the host of its metadata
    document, and `own_name` what it calls itself, if anything.
    """

    name: str
    host: str | None
    logo_of: str | None = None
    own_name: str | None = None


@dataclass(frozen=True, slots=True)
class ScopeItem:
    """A scope or a resource: its name, its description by language, and whether it was not allowed before.

    The person may leave out what is optional.
    """

    name: str
    descriptions: Mapping[str, str] = field(default_factory=dict)
    is_new: bool = False
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class SignIn:
    """The sign-in page; `app` is None if the person signs in for their own account page."""

    template: ClassVar[str] = "sign_in.html"
    sealed_request: str = field(repr=False)
    app: AppLabel | None
    username: str = field(default="", repr=False)
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """The question whether an app may have what it asks for.

    Without `asks_consent`, it is only whether to go on (one button). `offline` says that the app keeps its access after
    the person has signed out. `is_unknown` says that no administrator knows the app, `is_on_device` that any program on
    this device could be it.
    """

    template: ClassVar[str] = "consent.html"
    sealed_request: str = field(repr=False)
    app: AppLabel
    username: str
    scopes: Sequence[ScopeItem] = ()
    resources: Sequence[ScopeItem] = ()
    offline: bool = False
    asks_consent: bool = True
    is_unknown: bool = False
    is_on_device: bool = False


@dataclass(frozen=True, slots=True)
class RedirectPage:
    """The last page before the app. It leads there at once, or, after an error, `waits` for the person to go on."""

    template: ClassVar[str] = "redirect.html"
    location: str = field(repr=False)
    app: AppLabel
    waits: bool = False


@dataclass(frozen=True, slots=True)
class FormPost:
    """The answer to a client with `response_mode=form_post`: a form that a script submits, or the person.

    With `waits` no script does.
    """

    template: ClassVar[str] = "form_post.html"
    action: str = field(repr=False)
    fields: Mapping[str, str] = field(repr=False)
    app: AppLabel
    waits: bool = False


@dataclass(frozen=True, slots=True)
class SignOutQuestion:
    """The question whether to sign out, when an app asks for it; `app` is None if it does not say which one it is."""

    template: ClassVar[str] = "sign_out.html"
    sealed_request: str = field(repr=False)
    username: str
    app: AppLabel | None = None


@dataclass(frozen=True, slots=True)
class SignedOut:
    """What is left to say after signing out."""

    template: ClassVar[str] = "signed_out.html"


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """A failure. Its reference is in the log, if the failure is there."""

    template: ClassVar[str] = "error.html"
    fault: Fault
    reference: str = ""


@dataclass(frozen=True, slots=True)
class BrowserItem:
    """A browser in which the person is signed in. Times are seconds since the epoch."""

    browser_session_id: str
    is_current: bool
    signed_in_at: int
    used_at: int
    address: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class SessionItem:
    """A session of an app. Times are seconds since the epoch."""

    sid: str
    created_at: int
    used_at: int
    address: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class AppItem:
    """An app with access: what was allowed (`allowed_at` None: nothing was asked), and its sessions."""

    client_id: str
    app: AppLabel
    scopes: Sequence[ScopeItem]
    allowed_at: int | None
    sessions: Sequence[SessionItem]


class Notice(StrEnum):
    """What has just been done. The values are looked up in the message catalogues."""

    PASSWORD_CHANGED = "Your password was changed."
    BROWSER_SIGNED_OUT = "That browser was signed out."
    ACCESS_WITHDRAWN = "The app no longer has access."
    SESSION_ENDED = "The session was ended."


@dataclass(frozen=True, slots=True)
class Account:
    """The person's own page: who they are, their browsers, and their apps. `claims` are OpenID Connect claims."""

    template: ClassVar[str] = "account.html"
    username: str
    form_token: str = field(repr=False)
    claims: Mapping[str, str]
    browsers: Sequence[BrowserItem]
    apps: Sequence[AppItem]
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """The form for a new password. `rejection` is the rule that the chosen one broke."""

    template: ClassVar[str] = "password.html"
    username: str
    form_token: str = field(repr=False)
    min_length: int
    problem: Problem | None = None
    rejection: PasswordRejection | None = None


PageContent = (
    SignIn | Consent | RedirectPage | FormPost | SignOutQuestion | SignedOut | ErrorPage | Account | ChangePassword
)
