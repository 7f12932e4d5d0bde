"""The class of values, and of parts that are put together once (ADR 0045)."""

from functools import cache
from inspect import get_annotations
from typing import Annotated, Final, TypeAlias, TypeVar, dataclass_transform

from msgspec import Struct, field
from msgspec.structs import asdict, replace

__all__ = ["Frozen", "Hidden", "asdict", "field", "replace"]

T = TypeVar("T")
_HIDDEN: Final = "hidden"

# The type of a field that is left out of `repr`, and so of logs and tracebacks.
Hidden: TypeAlias = Annotated[T, _HIDDEN]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Frozen(Struct, frozen=True):
    """Base of classes that are written like a dataclass, and whose fields are set once."""

    def __repr__(self) -> str:
        shown = [f"{it}={getattr(self, it)!r}" for it in self.__struct_fields__ if it not in _hidden_fields(type(self))]
        return f"{type(self).__qualname__}({', '.join(shown)})"


@cache
def _hidden_fields(kind: type[Frozen]) -> frozenset[str]:
    """Return the names of fields, inherited ones included, that are declared as Hidden."""
    declared = [it for parent in kind.__mro__ for it in get_annotations(parent).items()]
    return frozenset(name for name, annotation in declared if _HIDDEN in getattr(annotation, "__metadata__", ()))
