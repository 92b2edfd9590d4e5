"""The alert rules and the dashboard ask for figures that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

from virtcim.libhelper.metrics.exposition import FAMILIES

PACKAGING = Path(__file__).parents[2] / "packaging"
NAME = re.compile(r"\blibvirt_\w+")


def test_alert_rules_ask_for_figures_that_there_are() -> None:
    text = (PACKAGING / "prometheus" / "virtcim.rules.yml").read_text()
    names = set(NAME.findall(text))
    assert len(names) > 5
    assert names <= set(FAMILIES)


def test_the_dashboard_asks_for_figures_that_there_are() -> None:
    board = json.loads((PACKAGING / "grafana" / "virtcim-guests.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries += [each["query"] for each in board["templating"]["list"]]
    names = {name for query in queries for name in NAME.findall(query)}
    assert len(names) > 10
    assert names <= set(FAMILIES)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
