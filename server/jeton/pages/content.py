"""What a page shows: one class per template. Texts from outside are plain text, which the templates escape."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import ClassVar, Final, Protocol

from jeton.frozen import Frozen, Hidden, field

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
    PROFILE_REJECTED = "Nothing was saved. Correct what is marked."


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


class PageContent(Protocol):
    """What one page shows. `template` is the name of the file that shows it."""

    template: ClassVar[str]


class AppLabel(Frozen):
    """How a client is shown: its name, and the host that the answer goes to (None: a program on this device).

    `logo_of` is its client_id if it has a logo. Of an unregistered client, `name` is the host of its metadata
    document or redirect URI, or empty if it has none, and `own_name` what it calls itself, if anything.
    """

    name: str
    host: str | None
    logo_of: str | None = None
    own_name: str | None = None


class ScopeItem(Frozen):
    """A scope or a resource: its name, its description by language, and whether it was not allowed before.

    The person may leave out what is optional.
    """

    name: str
    descriptions: Mapping[str, str] = field(default_factory=dict)
    is_new: bool = False
    is_optional: bool = False


class SignIn(Frozen):
    """The sign-in page; `app` is None if the person signs in for their own account page."""

    template: ClassVar[str] = "sign_in.html"
    sealed_request: Hidden[str]
    app: AppLabel | None
    username: Hidden[str] = ""
    problem: Problem | None = None


class Consent(Frozen):
    """The question whether an app may have what it asks for.

    Without `asks_consent`, it is only whether to go on (one button). `offline` says that the app keeps its access after
    the person has signed out. `is_unknown` says that no administrator knows the app, `is_on_device` that any program on
    this device could be it.
    """

    template: ClassVar[str] = "consent.html"
    sealed_request: Hidden[str]
    app: AppLabel
    username: str
    scopes: Sequence[ScopeItem] = ()
    resources: Sequence[ScopeItem] = ()
    offline: bool = False
    asks_consent: bool = True
    is_unknown: bool = False
    is_on_device: bool = False


class RedirectPage(Frozen):
    """The last page before the app. It leads there at once, or, after an error, `waits` for the person to go on."""

    template: ClassVar[str] = "redirect.html"
    location: Hidden[str]
    app: AppLabel
    waits: bool = False


class FormPost(Frozen):
    """The answer to a client with `response_mode=form_post`: a form that a script submits, or the person.

    With `waits` no script does.
    """

    template: ClassVar[str] = "form_post.html"
    action: Hidden[str]
    fields: Hidden[Mapping[str, str]]
    app: AppLabel
    waits: bool = False


class SignOutQuestion(Frozen):
    """The question whether to sign out, when an app asks for it; `app` is None if it does not say which one it is."""

    template: ClassVar[str] = "sign_out.html"
    sealed_request: Hidden[str]
    username: str
    app: AppLabel | None = None


class SignedOut(Frozen):
    """What is left to say after signing out."""

    template: ClassVar[str] = "signed_out.html"


class ErrorPage(Frozen):
    """A failure. Its reference is in the log, if the failure is there."""

    template: ClassVar[str] = "error.html"
    fault: Fault
    reference: str = ""
