"""Which domains an operator denies, allows, or leaves to the people who are asked."""

import pytest

from jeton.rules.domain_policy import DomainPolicy, DomainRule

LISTS = DomainPolicy(("evil.example",), ("app.example", "good.evil.example"), ("beta.app.example", "other.example"))
ONLY_NAMED = DomainPolicy(("*",), ("app.example",), ("other.example",))
ALL_ALLOWED = DomainPolicy(("evil.example",), ("*",))


@pytest.mark.requirement("CI10")
@pytest.mark.parametrize(
    ("policy", "rule", "hosts"),
    [
        (LISTS, DomainRule.DENY, "evil.example very.evil.example good.evil.example"),
        (LISTS, DomainRule.ASK, "notevil.example evil.example.com example"),
        (LISTS, DomainRule.ALLOW, "app.example beta.app.example"),
        (ONLY_NAMED, DomainRule.ALLOW, "app.example"),
        (ONLY_NAMED, DomainRule.ASK, "other.example"),
        (ONLY_NAMED, DomainRule.DENY, "evil.example"),
        (ALL_ALLOWED, DomainRule.DENY, "evil.example"),
        (ALL_ALLOWED, DomainRule.ALLOW, "app.example"),
        (DomainPolicy(), DomainRule.ASK, "app.example"),
    ],
)
def test_lists_are_read_in_their_order(policy: DomainPolicy, rule: DomainRule, hosts: str) -> None:
    assert {policy.rule_of(it) for it in hosts.split()} == {rule}
