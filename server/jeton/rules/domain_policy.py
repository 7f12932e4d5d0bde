"""Which domains an operator denies, allows, or leaves to the people who are asked. A domain covers its subdomains."""

from collections.abc import Iterable
from enum import Enum, auto
from typing import Final

from jeton.frozen import Frozen

# Stands for every domain that is in no list by name.
ANY_DOMAIN: Final = "*"


class DomainRule(Enum):
    """What an operator says of a domain."""

    DENY = auto()
    ALLOW = auto()
    ASK = auto()


class DomainPolicy(Frozen):
    """Domains in lower case, or `*`: lists by what they mean."""

    deny: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()

    def rule_of(self, host: str) -> DomainRule:
        """Return the rule for a host name.

        The lists are read in the order deny, allow, ask; then again for `*`. A host that no list has is asked about.
        """
        lists = ((self.deny, DomainRule.DENY), (self.allow, DomainRule.ALLOW), (self.ask, DomainRule.ASK))
        by_name = (rule for domains, rule in lists if _covers(domains, host))
        by_default = (rule for domains, rule in lists if ANY_DOMAIN in domains)
        return next(by_name, None) or next(by_default, DomainRule.ASK)


def _covers(domains: Iterable[str], host: str) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
