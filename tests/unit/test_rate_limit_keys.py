"""Names of buckets: digests that are alike on all nodes, and that nobody without the master key can compute."""

from jeton.crypto.master_key import MasterKeys
from jeton.crypto.rate_limit_keys import RateLimitKeys

OLD, NEW = b"o" * 32, b"n" * 32


def test_a_key_names_nobody_and_has_one_length() -> None:
    key = RateLimitKeys(MasterKeys([OLD])).key("account", "alice", "198.51.100.7")

    assert len(key) == 16
    assert b"alice" not in key


def test_each_kind_and_each_list_of_words_has_a_key_of_its_own() -> None:
    keys = RateLimitKeys(MasterKeys([OLD]))
    named = [("a", "bc"), ("ab", "c"), ("abc",), ("a", "b", "c"), ("b", "ac"), ("a", "bc", "")]

    assert len({keys.key(*words) for words in named}) == len(named)


def test_another_master_key_gives_other_keys() -> None:
    assert RateLimitKeys(MasterKeys([OLD])).key("account", "a") != RateLimitKeys(MasterKeys([NEW])).key("account", "a")


def test_nodes_that_know_a_new_master_key_already_count_with_those_that_do_not() -> None:
    before, during = RateLimitKeys(MasterKeys([OLD])), RateLimitKeys(MasterKeys([NEW, OLD]))

    assert before.key("account", "a") == during.key("account", "a")


def test_a_hundred_thousand_names_share_so_many_buckets_as_there_are() -> None:
    keys = RateLimitKeys(MasterKeys([OLD]))

    assert len({keys.shared_key("unknown name", f"user{number}", of=4096) for number in range(100_000)}) == 4096


def test_a_name_that_no_encoding_knows_has_a_key_too() -> None:
    assert RateLimitKeys(MasterKeys([OLD])).key("name", "\ud800")


def test_keys_do_not_show_themselves() -> None:
    assert repr(RateLimitKeys(MasterKeys([OLD]))) == "RateLimitKeys()"
