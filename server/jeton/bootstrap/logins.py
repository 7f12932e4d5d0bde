"""What proves who a person is: password hashing, logins and browser sessions, as configured."""

from functools import partial

from jeton.bootstrap.limits import login_limits
from jeton.bootstrap.storage import Storage
from jeton.config.settings import Settings
from jeton.crypto.hashing_concurrency import hashing_concurrency, process_resources
from jeton.crypto.hashing_pool import HashingPool
from jeton.crypto.password_rules import PasswordRules
from jeton.crypto.passwords import Passwords
from jeton.crypto.rate_limit_keys import RateLimitKeys
from jeton.frozen import Frozen
from jeton.login.browser_login import BrowserLogin
from jeton.login.login_rate_limits import LoginRateLimits
from jeton.login.password_change import PasswordChange
from jeton.login.password_login import PasswordLogin
from jeton.login.uniform_timing import UniformTiming
from jeton.oauth.browser_session_rules import BrowserSessionLifetimes
from jeton.storage.clock import Clock


class Logins(Frozen):
    """Logins of the password grant and of pages, and changes of passwords. They share one hashing pool."""

    passwords: Passwords
    hashing: HashingPool
    by_password: PasswordLogin
    by_browser: BrowserLogin
    password_change: PasswordChange


def build_logins(
    settings: Settings, storage: Storage, clock: Clock, rules: PasswordRules, rate_limit_keys: RateLimitKeys
) -> Logins:
    """Return the logins. `rules` are those of new passwords."""
    costs, sessions = settings.passwords, settings.sessions
    passwords = Passwords(costs.memory_kib, costs.iterations, costs.lanes)
    hashing = HashingPool(_max_concurrent_hashes(settings))
    limits = LoginRateLimits(storage.rate_limiter, rate_limit_keys, login_limits(settings))
    timing = UniformTiming(partial(hashing.run, partial(passwords.verify, None, ""), "", None))
    by_password = PasswordLogin(storage.lookups, limits, passwords, hashing, timing, clock, storage.audit_backlog)
    by_browser = BrowserLogin(
        by_password,
        storage.browser_session_lookups,
        storage.ledger,
        BrowserSessionLifetimes(sessions.idle_seconds, sessions.absolute_seconds),
        clock,
        max_sessions=settings.limits.sessions_per_user,
    )
    change = PasswordChange(by_password, passwords, rules, hashing, storage.ledger)
    return Logins(passwords, hashing, by_password, by_browser, change)


def _max_concurrent_hashes(settings: Settings) -> int:
    costs = settings.passwords
    return hashing_concurrency(
        costs.concurrency, process_resources(), settings.server.workers, costs.memory_kib, costs.lanes
    )
