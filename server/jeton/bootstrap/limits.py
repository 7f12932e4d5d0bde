"""The settings of section `limits`, as rates and policies."""

from jeton.config.settings import Settings
from jeton.endpoints.clients.metadata_document_cache import DocumentLimits
from jeton.grants.request_limits import Limits
from jeton.login.login_rate_limits import LoginLimits
from jeton.rules.rate_limit_policies import HOUR, MAX_FAILURES, BackoffPolicy, Rate


def login_limits(settings: Settings) -> LoginLimits:
    """Return the limits of logins."""
    limits = settings.limits
    free = limits.login_failures_per_account
    return LoginLimits(
        per_address=_rate(limits.login_failures_per_address),
        per_client=_rate(limits.login_failures_per_client),
        per_account=BackoffPolicy(free, 30, HOUR, limit=MAX_FAILURES) if free else None,
        per_known_source=BackoffPolicy(free, 30, 300) if free else None,
        successes_per_account=_rate(limits.logins_per_account),
        known_seconds=limits.known_source_seconds,
    )


def request_limits(settings: Settings) -> Limits:
    """Return the limits of wrong client secrets, unknown tokens, requests and registrations."""
    limits = settings.limits
    return Limits(
        secret_per_address=_rate(limits.secret_failures_per_address),
        secret_per_client=_rate(limits.secret_failures_per_client),
        token_per_address=_rate(limits.token_failures_per_address),
        requests_per_client=_rate(limits.token_requests_per_client, 60),
        pushed_requests_per_account=_rate(limits.pushed_requests_per_account),
        registrations_per_address=_rate(limits.registrations_per_address),
        registrations=_rate(limits.registrations),
    )


def document_limits(settings: Settings) -> DocumentLimits:
    """Return the limits of fetching metadata documents."""
    limits = settings.limits
    return DocumentLimits(_rate(limits.metadata_documents_per_address), _rate(limits.metadata_documents))


def _rate(count: int, seconds: int = HOUR) -> Rate | None:
    """Return a setting as a rate; 0 means no limit."""
    return Rate(count, seconds) if count else None
