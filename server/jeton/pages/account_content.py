"""What the pages of a person's own account show: one class per template."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import ClassVar, Final

from jeton.frozen import Frozen, Hidden
from jeton.pages.content import AppLabel, Problem, ScopeItem
from jeton.rules.password_policy import PasswordRejection


class BrowserItem(Frozen):
    """A browser in which the person is signed in. Times are seconds since the epoch."""

    browser_session_id: str
    is_current: bool
    signed_in_at: int
    used_at: int
    address: str | None
    user_agent: str | None


class SessionItem(Frozen):
    """A session of an app. Times are seconds since the epoch."""

    sid: str
    created_at: int
    used_at: int
    address: str | None
    user_agent: str | None


class AppItem(Frozen):
    """An app with access: what was allowed (`allowed_at` None: nothing was asked), and its sessions.

    `access` are scopes by the resource where they count, None for those of this server.
    """

    client_id: str
    app: AppLabel
    access: Sequence[tuple[ScopeItem | None, Sequence[ScopeItem]]]
    allowed_at: int | None
    sessions: Sequence[SessionItem]


class Notice(StrEnum):
    """What has just been done. The values are looked up in the message catalogues."""

    PASSWORD_CHANGED = "Your password was changed."
    PROFILE_SAVED = "Your profile was saved."
    BROWSER_SIGNED_OUT = "That browser was signed out."
    ACCESS_WITHDRAWN = "The app no longer has access."
    SESSION_ENDED = "The session was ended."


class Account(Frozen):
    """The person's own page: who they are, their browsers, and their apps. `claims` are OpenID Connect claims."""

    template: ClassVar[str] = "account.html"
    username: str
    form_token: Hidden[str]
    claims: Mapping[str, str]
    has_editable_profile: bool
    browsers: Sequence[BrowserItem]
    apps: Sequence[AppItem]
    notice: Notice | None = None


class ProfileField(Frozen):
    """How a claim is asked for: its label, what is allowed, and what browsers may fill in (WCAG 2.2, 1.3.5)."""

    label: str
    hint: str = ""
    autocomplete: str = "off"
    max_length: int = 255


PROFILE_FIELDS: Final[Mapping[str, ProfileField]] = {
    "name": ProfileField("Name", autocomplete="name"),
    "given_name": ProfileField("Given name", autocomplete="given-name"),
    "family_name": ProfileField("Family name", autocomplete="family-name"),
    "nickname": ProfileField("Nickname", autocomplete="nickname"),
    "website": ProfileField("Website", "An address that begins with https://", "url", 2048),
    "picture": ProfileField("Picture", "The address of a picture that begins with https://", "photo", 2048),
    "locale": ProfileField("Language", "Such as en or en-GB", "language"),
    "zoneinfo": ProfileField("Time zone", "Such as Europe/London"),
}


class EditProfile(Frozen):
    """The form for what the person says of themselves. `values` are by claim, `invalid` those that cannot be used."""

    template: ClassVar[str] = "profile.html"
    form_token: Hidden[str]
    values: Hidden[Mapping[str, str]]
    email: str | None
    problem: Problem | None = None
    invalid: Collection[str] = frozenset()

    @property
    def fields(self) -> Iterator[tuple[str, ProfileField]]:
        """The fields by claim."""
        return ((name, it) for name, it in PROFILE_FIELDS.items() if name in self.values)


class ChangePassword(Frozen):
    """The form for a new password. `rejection` is the rule that the chosen one broke."""

    template: ClassVar[str] = "password.html"
    username: str
    form_token: Hidden[str]
    min_length: int
    problem: Problem | None = None
    rejection: PasswordRejection | None = None
