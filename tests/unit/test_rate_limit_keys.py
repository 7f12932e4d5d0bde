"""Rate limit bucket keys: equal on all nodes, and not computable without the master key."""

from jeton.crypto.master_key import MasterKeys
from jeton.crypto.rate_limit_keys import RateLimitKeys

OLD, NEW = b"o" * 32, b"n" * 32


def test_bucket_key_reveals_nothing_and_has_a_fixed_length() -> None:
    key = RateLimitKeys(MasterKeys([OLD])).key("account", "alice", "198.51.100.7")

    assert len(key) == 16
    assert b"alice" not in key


def test_each_kind_and_list_of_words_has_its_own_key() -> None:
    keys = RateLimitKeys(MasterKeys([OLD]))
    named = [("a", "bc"), ("ab", "c"), ("abc",), ("a", "b", "c"), ("b", "ac"), ("a", "bc", "")]

    assert len({keys.key(*words) for words in named}) == len(named)


def test_another_master_key_gives_other_keys() -> None:
    assert RateLimitKeys(MasterKeys([OLD])).key("account", "a") != RateLimitKeys(MasterKeys([NEW])).key("account", "a")


def test_nodes_share_buckets_during_master_key_rollout() -> None:
    before, during = RateLimitKeys(MasterKeys([OLD])), RateLimitKeys(MasterKeys([NEW, OLD]))

    assert before.key("account", "a") == during.key("account", "a")


def test_unlimited_names_share_a_bounded_number_of_buckets() -> None:
    keys = RateLimitKeys(MasterKeys([OLD]))

    assert len({keys.shared_key("unknown name", f"user{number}", of=4096) for number in range(100_000)}) == 4096


def test_name_with_surrogates_has_a_key() -> None:
    assert RateLimitKeys(MasterKeys([OLD])).key("name", "\ud800")


def test_repr_never_contains_the_key() -> None:
    assert repr(RateLimitKeys(MasterKeys([OLD]))) == "RateLimitKeys()"
