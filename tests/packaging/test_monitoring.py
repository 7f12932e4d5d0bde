"""The dashboard, the alert rules and the document name metrics that exist, and the rules fire."""

import json
import re
import subprocess
from collections.abc import Iterable
from typing import Any

import pytest
import yaml

from jeton.observability.metrics import REGISTRY
from jeton.observability.metrics_sharing import render_metrics
from support.checkout import ROOT, tracked_files
from support.metrics import exported_names, names_in

CONFIG = ROOT / "config"
DOCUMENT = (ROOT / "docs" / "operations" / "monitoring.md").read_text(encoding="utf-8")
UNITS = ("_total", "_seconds", "_items", "_rows", "_hashes")


def promtool(*words: str) -> str:
    done = subprocess.run(["promtool", *words], cwd=CONFIG, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alerts() -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = yaml.safe_load((CONFIG / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.requirement("ME06")
def test_alert_rules_are_valid_and_each_fires_for_a_server_in_trouble_only() -> None:
    assert "SUCCESS" in promtool("check", "rules", "alerts.yml")
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")
    tests = (CONFIG / "alerts_test.yml").read_text(encoding="utf-8")
    assert set(re.findall(r'alertname="(\w+)"', tests)) == {rule["alert"] for rule in alerts()}
    assert all(rule["annotations"].keys() == {"summary", "action"} for rule in alerts())


def test_dashboard_and_alert_rules_name_exported_metrics_only() -> None:
    dashboard = json.loads((CONFIG / "grafana-dashboard.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    variables = [it["query"] for it in dashboard["templating"]["list"]]

    shown, watched = names_in(" ".join(queries)), names_in(" ".join(rule["expr"] for rule in alerts()))

    assert (shown | watched | names_in(" ".join(variables))) - exported_names() == set()
    # The dashboard shows everything.
    assert exported_names() - shown == set()


def test_document_describes_each_metric_with_its_labels() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOCUMENT.splitlines()]
    described = {
        cells[0].strip("`"): set(re.findall(r"`(\w+)`", cells[1])) for cells in rows if cells[0][:7] == "`jeton_"
    }

    assert described.keys() == exported_names()
    metrics: Iterable[Any] = REGISTRY._collector_to_names
    assert described == {
        metric._name + ("_total" if metric._type == "counter" else ""): set(metric._labelnames) for metric in metrics
    }


@pytest.mark.requirement("ME01")
def test_names_have_our_prefix_and_base_units() -> None:
    assert all(re.fullmatch(r"jeton(_[a-z]+)+", name) for name in exported_names())
    assert [name for name in exported_names() if not name.endswith(UNITS)] == []


@pytest.mark.requirement("ME01")
def test_metrics_follow_the_conventions_of_prometheus() -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=render_metrics(None), capture_output=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, b"")


def test_document_names_each_event_of_the_log() -> None:
    sources = [(ROOT / file).read_text(encoding="utf-8") for file in tracked_files() if file.parts[0] == "server"]
    events = {it for text in sources for it in re.findall(r'\blog\.\w+\(\s*"([a-z_]+)"', text)}

    assert len(events) > 30
    assert {it for it in events if f"`{it}`" not in DOCUMENT} == set()
