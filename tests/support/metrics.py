"""Values and names of metrics."""

import re
from typing import Final

from jeton.observability.metrics import REGISTRY

# In queries and documents. The series of a histogram have one of these suffixes.
_NAME: Final = re.compile(r"\bjeton_[a-z_]+\b")
_SUFFIX: Final = re.compile(r"_(bucket|count|sum)$")


def value_of(name: str, **labels: str) -> float:
    """Return the value of a series of this process; 0 if it does not exist."""
    return REGISTRY.get_sample_value(name, labels) or 0


def exported_names() -> set[str]:
    """Return the names of all metrics, as queries use them; of a histogram, without suffix."""
    suffixes = {"counter": "_total"}
    return {metric.name + suffixes.get(metric.type, "") for metric in REGISTRY.collect()}


def names_in(text: str) -> set[str]:
    """Return the metrics that a text names."""
    return {_SUFFIX.sub("", name) for name in _NAME.findall(text)}


def series_in(text: str, name: str, **labels: str) -> float:
    """Return the sum of the series that have these labels, in the text format of Prometheus."""
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    found = re.findall(rf"^{name}\{{(.*)\}} (\S+)$", text, re.MULTILINE)
    return sum(float(value) for given, value in found if wanted <= set(given.split(",")))
