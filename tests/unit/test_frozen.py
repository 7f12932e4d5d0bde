"""Frozen values: set once, compared by their fields, and shown without what is hidden."""

import pkgutil
from importlib import import_module
from inspect import get_annotations

import pytest

import jeton
from jeton.frozen import Frozen, Hidden, field, replace


class Account(Frozen):
    name: str
    password: Hidden[str | None] = None
    roles: dict[str, int] = field(default_factory=dict)


class Administrator(Account):
    level: int = 1


def subclasses(kind: type[Frozen]) -> list[type[Frozen]]:
    direct = kind.__subclasses__()
    return [*direct, *(it for below in direct for it in subclasses(below))]


def test_value_cannot_be_changed_and_has_equals() -> None:
    account = Account("alice", "secret")

    with pytest.raises(AttributeError):
        account.name = "bob"  # type: ignore[misc]
    assert account == replace(account) != replace(account, password="another")
    assert Account("alice") != Administrator("alice")
    assert Account("alice").roles is not Account("alice").roles
    with pytest.raises(TypeError):
        replace(account, nickname="al")


def test_hidden_fields_are_not_shown() -> None:
    assert repr(Account("alice", "secret")) == "Account(name='alice', roles={})"
    assert repr(Administrator("alice", "secret")) == "Administrator(name='alice', roles={}, level=1)"
    assert "secret" not in f"{Account('alice', 'secret')} {[Account('alice', 'secret')]!r}"


def test_every_field_that_is_marked_as_hidden_is_recognised() -> None:
    for module in pkgutil.walk_packages(jeton.__path__, "jeton."):
        if module.name != "jeton.__main__":
            import_module(module.name)

    fields = [(it, *annotation) for it in subclasses(Frozen) for annotation in get_annotations(it).items()]
    marked = [it for it in fields if "hidden" in str(it[2]).lower()]
    assert len(marked) > 50
    assert [it for it in marked if not hasattr(it[2], "__metadata__")] == []
