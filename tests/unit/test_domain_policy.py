"""Domains that an operator denies, allows, or leaves to the decision of users."""

import pytest

from jeton.rules.domain_policy import DomainPolicy, DomainRule

LISTS = DomainPolicy(("evil.example",), ("app.example", "good.evil.example"), ("beta.app.example", "other.example"))
ONLY_NAMED = DomainPolicy(("*",), ("app.example",), ("other.example",))
ALL_ALLOWED = DomainPolicy(("evil.example",), ("*",))


@pytest.mark.requirement("CI10")
def test_domain_lists_are_applied_in_order() -> None:
    def rules(policy: DomainPolicy, hosts: str) -> list[DomainRule]:
        return [policy.rule_of(it) for it in hosts.split()]

    assert rules(LISTS, "evil.example very.evil.example good.evil.example") == [DomainRule.DENY] * 3
    assert rules(LISTS, "notevil.example evil.example.com example") == [DomainRule.ASK] * 3
    assert rules(LISTS, "app.example beta.app.example") == [DomainRule.ALLOW] * 2
    named = [DomainRule.ALLOW, DomainRule.ASK, DomainRule.DENY]
    assert rules(ONLY_NAMED, "app.example other.example evil.example") == named
    assert rules(ALL_ALLOWED, "evil.example app.example") == [DomainRule.DENY, DomainRule.ALLOW]
    assert rules(DomainPolicy(), "app.example") == [DomainRule.ASK]
