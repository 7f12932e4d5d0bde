"""Which domains an operator denies, allows, or leaves to the people who are asked."""

import pytest

from jeton.rules.domain_policy import DomainPolicy, DomainRule

LISTS = DomainPolicy(("evil.example",), ("app.example", "good.evil.example"), ("beta.app.example", "other.example"))
ONLY_NAMED = DomainPolicy(("*",), ("app.example",), ("other.example",))
ALL_ALLOWED = DomainPolicy(("evil.example",), ("*",))


@pytest.mark.requirement("CI10")
@pytest.mark.parametrize(
    ("policy", "host", "rule"),
    [
        (LISTS, "evil.example", DomainRule.DENY),
        (LISTS, "very.evil.example", DomainRule.DENY),
        (LISTS, "good.evil.example", DomainRule.DENY),
        (LISTS, "notevil.example", DomainRule.ASK),
        (LISTS, "evil.example.com", DomainRule.ASK),
        (LISTS, "app.example", DomainRule.ALLOW),
        (LISTS, "beta.app.example", DomainRule.ALLOW),
        (LISTS, "example", DomainRule.ASK),
        (ONLY_NAMED, "app.example", DomainRule.ALLOW),
        (ONLY_NAMED, "other.example", DomainRule.ASK),
        (ONLY_NAMED, "evil.example", DomainRule.DENY),
        (ALL_ALLOWED, "evil.example", DomainRule.DENY),
        (ALL_ALLOWED, "app.example", DomainRule.ALLOW),
        (DomainPolicy(), "app.example", DomainRule.ASK),
    ],
)
def test_lists_are_read_in_their_order(policy: DomainPolicy, host: str, rule: DomainRule) -> None:
    assert policy.rule_of(host) is rule
