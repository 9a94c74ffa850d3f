# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one self-contained page. The page works without its script; the script filters, and helps keyboards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import restorable, spark
from .delta_view import (
    acknowledged_lines,
    acknowledged_text,
    ended_lines,
    label,
    order,
    resolved_lines,
    story,
    tally_text,
)
from .evidence import flat, value_line
from .graph import HEIGHT, WIDTH, layout
from .terminal import seen, victims
from .text import clean, duration, number, plural, when

STATUSES = ("critical", "unknown", "warning")


def render(report: Mapping[str, Any], template: str) -> str:
    """The whole page.

    :param template: text of roles/report/templates/report.html.j2; everything put into it is escaped.
    """
    # Late, because this package is also read by modules on targets that have no Jinja.
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(clean=clean, number=number, when=when)
    environment.globals.update(plural=plural)
    return environment.from_string(template).render(**view(report))


def view(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the template needs, computed."""
    nodes = {name: node["name"] for node in report["services"] for name in node["findings"]}
    numbers = {item["id"]: place for place, item in enumerate(report["items"], 1)}
    item_of: dict[str, list[int]] = {}
    for item in report["items"]:
        for name in item["findings"]:
            item_of.setdefault(name, []).append(numbers[item["id"]])
    findings = {one["fingerprint"]: one for one in report["findings"]}
    shown = {one["fingerprint"]: _finding(one, nodes, item_of) for one in report["findings"]}
    for name, points in report["trends"]["findings"].items():
        if name in shown:
            shown[name]["spark"] = spark.line(points, shown[name]["target"])
    causes = {one["fingerprint"]: one for one in report["causes"]}
    symptoms = {name for cause in report["causes"] for name in cause["explains"]}
    cards = []
    for name, card in shown.items():
        if name not in symptoms:
            cause = causes.get(name)
            card["explains"] = [shown[one] for one in cause["explains"] if one in shown] if cause else []
            card["victims"] = clean(victims(cause, findings)) if cause else ""
            card["ties"] = [shown[one] for one in cause["tied_with"] if one in shown] if cause else []
            card["label"] = "ACKED" if card["acknowledged"] else label(card, bool(cause))
            cards.append(card)
    if report["delta"]:
        cards.sort(key=lambda card: (bool(card["acknowledged"]), order(card, bool(card["explains"]))))
    graph = layout(report["services"])
    cause_nodes = {nodes[name] for name in causes if name in nodes}
    for node in graph["nodes"]:
        node["cause"] = node["name"] in cause_nodes
        node["href"] = "#f-" + node["findings"][0] if node["findings"] else None
    return {
        "report": report,
        "run": report["run"],
        "duration": duration(float(report["run"]["duration_seconds"])),
        "seen": seen(report["coverage"]),
        "numbers": numbers,
        "cards": cards,
        "total": len(shown),
        "changed": tally_text(report)[:1].upper() + tally_text(report)[1:],
        "acknowledged": acknowledged_lines(report),
        "resolved": resolved_lines(report),
        "ended": ended_lines(report),
        "statuses": [(word, report["summary"][word]) for word in STATUSES],
        "systems": sorted({card["system"] for card in shown.values()}),
        "services": sorted(set(nodes.values())),
        "trends": [
            {"name": name, "lines": lines}
            for name in dict.fromkeys(system["name"] for system in report["systems"])
            for lines in [spark.of_system(report["trends"], name)]
            if lines
        ],
        "backups": restorable.page(report["backups"], report["trends"]),
        "backups_head": restorable.HEAD,
        "spark_width": spark.WIDTH,
        "spark_height": spark.HEIGHT,
        "recorded": [system for system in report["systems"] if system["mode"] == "recorded"],
        "graph": graph,
        "node_width": WIDTH,
        "node_height": HEIGHT,
    }


def _finding(one: Mapping[str, Any], nodes: Mapping[str, str], item_of: Mapping[str, list[int]]) -> dict[str, Any]:
    name = one["fingerprint"]
    title = clean(one["title"])
    evidence = list(flat(one["evidence"]))
    service = nodes.get(name, "")
    return {
        **one,
        "title": title,
        "id": "f-" + name,
        "system": one["object"].split("/", 1)[0],
        "service": service,
        "measured": value_line(one),
        "story": story(one),
        "label": label(one, False),
        "acknowledged_text": acknowledged_text(one["acknowledged"]) if one["acknowledged"] else "",
        "lines": evidence,
        "items": item_of.get(name, []),
        "words": " ".join([title, one["check"], one["object"], service, *(text for _key, text in evidence)]).lower()[
            :2000
        ],
        "spark": None,
        "explains": [],
        "ties": [],
    }
