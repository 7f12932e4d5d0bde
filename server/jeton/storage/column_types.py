"""Types of columns: lists, sets and objects as text, the same on SQLite and PostgreSQL."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Text
from sqlalchemy.types import TypeDecorator

from jeton.oauth.scope import format_scope


class Words(TypeDecorator[tuple[str, ...]]):
    """Words in order, stored as OAuth writes lists: separated by single spaces."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Iterable[str] | None, dialect: Any) -> str | None:
        return None if value is None else " ".join(value)

    def process_result_value(self, value: str | None, dialect: Any) -> Any:
        return None if value is None else tuple(value.split())


class WordSet(Words):
    """A set of words, stored in sorted order."""

    cache_ok = True

    def process_bind_param(self, value: Iterable[str] | None, dialect: Any) -> str | None:
        return None if value is None else format_scope(value)

    def process_result_value(self, value: str | None, dialect: Any) -> Any:
        return None if value is None else frozenset(value.split())


class JsonObject(TypeDecorator[Mapping[str, Any]]):
    """A JSON object as text: PostgreSQL cannot compare the default of a column of type JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, Any] | None, dialect: Any) -> str | None:
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Any) -> Any:
        return None if value is None else json.loads(value)


class ScopeByResource(JsonObject):
    """Scopes by the URI of a resource, as a JSON object of texts."""

    cache_ok = True

    def process_bind_param(self, value: Mapping[str, Any] | None, dialect: Any) -> str | None:
        texts = None if value is None else {uri: format_scope(scope) for uri, scope in sorted(value.items())}
        return super().process_bind_param(texts, dialect)

    def process_result_value(self, value: str | None, dialect: Any) -> Any:
        texts = super().process_result_value(value, dialect)
        return None if texts is None else {uri: frozenset(scope.split()) for uri, scope in texts.items()}
