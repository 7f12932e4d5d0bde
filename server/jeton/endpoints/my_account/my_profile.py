"""What people say of themselves, for apps: the form GET and POST /me/profile."""

from collections.abc import Collection, Mapping

import structlog

from jeton.endpoints.my_account.signed_in_forms import SignedInForms
from jeton.endpoints.page_messages import Page, PageAnswer, PageRequest
from jeton.frozen import Frozen
from jeton.oauth.decisions import Deny
from jeton.oauth.self_service import ChangeProfile, change_profile
from jeton.oauth.user_claims import UserClaimError, check_claims
from jeton.pages.account_content import EditProfile, Notice
from jeton.pages.content import Problem
from jeton.storage.browser_session_lookups import Visitor
from jeton.storage.ledger.ledger import Entry, Facts, Ledger
from jeton.storage.ledger.lock_requests import LockUser

log = structlog.get_logger("jeton.account")


class ShowProfileForm(Frozen):
    """GET /me/profile. `editable` are the claims that people may change."""

    forms: SignedInForms
    editable: Collection[str]

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Show the form."""
        visitor = await self.forms.visitor(request)
        profile = visitor.user.profile
        return Page(_form(self.forms, visitor, {it: str(profile.get(it, "")) for it in self.editable}))


class SubmitProfileForm(Frozen):
    """POST /me/profile."""

    forms: SignedInForms
    editable: Collection[str]
    ledger: Ledger

    async def handle(self, request: PageRequest) -> PageAnswer:
        """Store what was typed if all of it is valid; else show the form again."""
        visitor = await self.forms.sender(request)
        typed = {it: request.parameters.get(it, "").strip() for it in self.editable}
        if invalid := {name for name, value in typed.items() if not _is_valid(name, value)}:
            return Page(_form(self.forms, visitor, typed, invalid), 400)
        sub = visitor.user.sub

        def decide(facts: Facts) -> ChangeProfile | Deny:
            return change_profile(facts.user, typed, facts.now)

        decision = await self.ledger.enter(Entry(decide, (LockUser(sub),)))
        if isinstance(decision, Deny):
            raise self.forms.sign_in_first()
        log.info(decision.reason, sub=sub, ip=request.source.ip)
        return self.forms.done(Notice.PROFILE_SAVED)


def _form(
    forms: SignedInForms, visitor: Visitor, values: Mapping[str, str], invalid: Collection[str] = frozenset()
) -> EditProfile:
    problem = Problem.PROFILE_REJECTED if invalid else None
    return EditProfile(forms.token(visitor), values, visitor.user.email, problem, invalid)


def _is_valid(name: str, value: str) -> bool:
    """Return whether the claim can have this value. An empty one removes it."""
    try:
        check_claims({name: value} if value else {})
    except UserClaimError:
        return False
    return True
