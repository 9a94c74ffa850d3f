# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as data: what report.json holds (docs/schemas/report-1.schema.json), what renderers read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._checklists import Item
from .._core import coverage
from .._core.causes import Causes, find_causes
from .._core.check import Check
from .._core.finding import OK, STATUSES, UNKNOWN, Finding, badness, fingerprint, sort_findings, worst
from .._core.redact import redact
from . import restorable
from .common import find_common
from .delta_view import complete, open_counts
from .headline import headline, tally
from .looks import OPTIONS, Look
from .places import Map
from .text import clean, listed, plural

SCHEMA = 1
NOT_COVERED = "not covered"
MANUAL = "manual"
"""Status of an item that only a person can tick off."""
OBSERVED = "run.observed"
"""The check that the report itself makes: did an observation come from every system?"""

FAIL_ON = ("never", "unknown", "warning", "critical")

Report = dict[str, Any]


def build(
    run: Mapping[str, Any],
    items: Sequence[Item],
    checks: Mapping[str, Check],
    looks: Sequence[Look],
    services: Mapping[str, Any] | None = None,
    systems: Mapping[str, Any] | None = None,
    left_out: Sequence[str] = (),
    no_module: Mapping[str, str] | None = None,
) -> Report:
    """Make the report of one run.

    :param run: procedure, id, started, ended, duration_seconds and what else is known about the run; taken as it is.
    :param items: the checklist.
    :param checks: every registered check by id.
    :param looks: one for each system and module that the run had to look at.
    :param services: `nexuscos_services` of the inventory; systems: its `nexuscos_systems`.
    :param left_out: systems of the inventory that this run was told to leave out (`--limit`).
    :param no_module: systems that nothing in this collection looks at, with the reason.
    """
    services, systems = services or {}, systems or {}
    findings = _findings(looks)
    where = Map(looks, services, checks, systems)
    causes = find_causes([where.mark(one) for one in findings], where.depends_on)
    common = find_common(findings, causes, where.service, where.depends_on)
    findings += [one.finding for one in common]
    for one in findings:
        one["caused_by"] = causes.caused_by.get(one["fingerprint"])
    explained = _explained(findings, causes)
    findings = _ordered(findings, explained, {one["fingerprint"]: where.mark(one).rank for one in findings})
    rows = _rows(looks, checks)
    by_item = _checks_by_item(items, checks)
    report: Report = {
        "schema": SCHEMA,
        "run": dict(run),
        "items": [_item(item, by_item[item.id], rows, findings, looks, causes, left_out) for item in items],
        "findings": findings,
        "causes": [
            {
                "fingerprint": one["fingerprint"],
                "explains": explained[one["fingerprint"]],
                "tied_with": sorted(
                    {tie for symptom in explained[one["fingerprint"]] for tie in causes.ties.get(symptom, ())}
                ),
            }
            for one in findings
            if explained.get(one["fingerprint"])
        ],
        "summary": _summary(looks, findings, rows),
        "coverage": _coverage(items, by_item, rows, left_out, no_module or {}),
        "systems": [_system(look, findings, rows) for look in looks],
        "services": _services(findings, where, services, systems),
        "backups": restorable.rows(looks),
    }
    return complete(report)


def verdict(report: Report, fail_on: str) -> tuple[bool, str]:
    """Does this report fail the job, and why.

    :param fail_on: one of `FAIL_ON`.
    """
    wrong = [system for system in report["systems"] if system["error"] and system["error"]["kind"] == OPTIONS]
    if wrong:
        reasons = ["%s: %s" % (system["name"], clean(system["error"]["text"])) for system in wrong]
        return True, "wrong options, whatever else was found: %s" % listed(reasons, 3)
    counts, unseen = open_counts(report)
    limit = {
        "never": None,
        "unknown": ("critical", "unknown"),
        "warning": ("critical", "unknown", "warning"),
        "critical": ("critical",),
    }[fail_on]
    if limit is None:
        return False, ""
    found = [plural(counts[status], "%s finding" % status) for status in limit if counts[status]]
    if "unknown" in limit and unseen and not counts["unknown"]:
        found.append("%s not seen" % plural(unseen, "check"))
    return bool(found), "%s (nexuscos_fail_on: %s)" % (", ".join(found), fail_on) if found else ""


def _findings(looks: Sequence[Look]) -> list[dict[str, Any]]:
    unique: dict[str, dict[str, Any]] = {}
    keys = tuple(Finding("", "", OK, "").to_dict())
    for look in looks:
        given = [_never_came(look)] if look.error is not None else look.findings
        for one in given:
            if one.get("status") not in STATUSES or one.get("status") == OK:
                continue
            plain = {**Finding("", "", OK, "").to_dict(), **{key: one[key] for key in keys if key in one}}
            plain["fingerprint"] = plain["fingerprint"] or fingerprint(plain["check"], plain["object"])
            known = unique.get(plain["fingerprint"])
            if known is None or badness(plain["status"]) > badness(known["status"]):
                unique[plain["fingerprint"]] = plain
    return sort_findings(unique.values())


def _never_came(look: Look) -> dict[str, Any]:
    kind, text = look.error or ("", "")
    name = "%s/%s" % (look.name, look.capability.module)
    finding = Finding(
        check=OBSERVED,
        object=name,
        status=UNKNOWN,
        title=look.error_title,
        evidence={"kind": kind, "error": redact(text)},
        remedy=(
            "mend this in the inventory (variables of %s, or of its groups); until then the job fails" % look.name
            if kind == OPTIONS
            else "look at it alone, in full: ansible-playbook nexuscos.ops.daily_morning --limit '%s' -vvv" % look.name
        ),
        runbook="daily:system-health-verification",
        fingerprint=fingerprint(OBSERVED, name),
    )
    return finding.to_dict()


def _explained(findings: Iterable[Mapping[str, Any]], causes: Causes) -> dict[str, list[str]]:
    """Root cause -> all that it explains, also over several steps."""
    explained: dict[str, list[str]] = {}
    for one in findings:
        root = causes.root(one["fingerprint"])
        if root != one["fingerprint"]:
            explained.setdefault(root, []).append(one["fingerprint"])
    return explained


def _ordered(
    findings: list[dict[str, Any]], explained: Mapping[str, Sequence[str]], ranks: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Worst first; among equals what explains most first; what is explained directly after its cause."""
    known = {one["fingerprint"]: one for one in findings}
    symptoms = {name for names in explained.values() for name in names}

    def key(one: Mapping[str, Any]) -> tuple[int, int, int, str, str]:
        names = explained.get(one["fingerprint"], ())
        heaviest = max([badness(one["status"]), *(badness(known[name]["status"]) for name in names)])
        return (-heaviest, -len(names), ranks[one["fingerprint"]], one["check"], one["object"])

    ordered: list[dict[str, Any]] = []
    for one in sorted(findings, key=key):
        if one["fingerprint"] in symptoms and _root_is_known(one, known):
            continue
        ordered.append(one)
        ordered.extend(known[name] for name in explained.get(one["fingerprint"], ()))
    return ordered


def _root_is_known(one: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> bool:
    """False where a module named a cause that is not in this report."""
    while one["caused_by"] is not None:
        if one["caused_by"] not in known:
            return False
        one = known[one["caused_by"]]
    return True


def _rows(looks: Sequence[Look], checks: Mapping[str, Check]) -> list[coverage.Row]:
    rows: list[coverage.Row] = []
    for look in looks:
        module = look.capability.module
        if look.error is not None:
            own = [check.id for check in checks.values() if check.system == look.capability.system]
            rows += coverage.rows_unseen(look.name, module, own, clean(redact("%s: %s" % look.error)))
        else:
            rows += coverage.rows_of(look.name, module, look.coverage)
    return rows


def _checks_by_item(items: Sequence[Item], checks: Mapping[str, Check]) -> dict[str, list[str]]:
    return {item.id: [check.id for check in checks.values() if item.answered_by(check)] for item in items}


def _item(
    item: Item,
    own: Sequence[str],
    rows: Sequence[coverage.Row],
    findings: Sequence[Mapping[str, Any]],
    looks: Sequence[Look],
    causes: Causes,
    left_out: Sequence[str],
) -> dict[str, Any]:
    checks = set(own)
    mine = [row for row in rows if row["check"] in checks]
    # A system of which nothing came has one finding, and its items are unknown by their coverage rows.
    systems = {row["system"] for row in mine}
    bad = [one for one in findings if one["check"] in checks]
    unseen = [row for row in mine if not row["seen"]]
    counts: dict[str, int] = {**tally(bad), "objects": sum(row["objects"] for row in mine), "systems": len(systems)}
    counts["ok"] = max(counts["objects"] - len(bad), 0)
    counts["checks"] = len({row["check"] for row in mine if row["seen"]})
    counts["unseen"] = len(unseen)
    sources = [
        look
        for look in looks
        if look.error is None
        and any(row["module"] == look.capability.module and row["system"] == look.name for row in mine)
    ]
    line: dict[str, Any] = {"id": item.id, "title": item.title, "short": item.short, "runbook": item.runbook}
    if item.manual:
        line.update(state="manual", status=MANUAL, headline="yours: no check can answer it")
    elif not own:
        line.update(state="skipped", status=NOT_COVERED, headline="no check answers it yet: look yourself")
    elif not mine:
        reason = "left out of this run: %s" % listed(left_out) if left_out else "no system of the inventory answers it"
        line.update(state="skipped", status=NOT_COVERED, headline=reason)
    elif len(unseen) == len(mine):
        reasons = list(dict.fromkeys("%s: %s" % (row["system"], row["reason"]) for row in unseen))
        status = worst([UNKNOWN, *(one["status"] for one in bad)])
        line.update(state="failed", status=status, headline="nothing could be seen: %s" % listed(reasons, 1))
    else:
        roots = {causes.root(one["fingerprint"]) for one in bad}
        status = worst([*(one["status"] for one in bad), *(UNKNOWN for _row in unseen)])
        line.update(state="done", status=status, headline=headline(item.id, sources, bad, mine, len(roots)))
    line["counts"] = counts
    line["findings"] = [one["fingerprint"] for one in bad]
    line["proof"] = _proof(own, mine)
    return line


def _proof(own: Sequence[str], rows: Sequence[coverage.Row]) -> list[dict[str, Any]]:
    proof = []
    for check in own:
        mine = [row for row in rows if row["check"] == check]
        if mine:
            proof.append(
                {
                    "check": check,
                    "objects": sum(row["objects"] for row in mine),
                    "systems": len(mine),
                    "seen": sum(1 for row in mine if row["seen"]),
                    "status": worst(row["status"] for row in mine),
                }
            )
    return proof


def _summary(
    looks: Sequence[Look], findings: Sequence[Mapping[str, Any]], rows: Sequence[coverage.Row]
) -> dict[str, Any]:
    counts: dict[str, Any] = tally(findings)
    counts["ok"] = sum(int(look.summary.get("ok") or 0) for look in looks if look.error is None)
    counts["total"] = sum(counts.values())
    counts["worst"] = worst(
        [*(one["status"] for one in findings), *(row["status"] for row in rows if row["status"] in STATUSES)]
    )
    return counts


def _coverage(
    items: Sequence[Item],
    by_item: Mapping[str, Sequence[str]],
    rows: Sequence[coverage.Row],
    left_out: Sequence[str],
    no_module: Mapping[str, str],
) -> dict[str, Any]:
    seen, expected, percent = coverage.share(rows)
    asked = {row["check"] for row in rows}
    missing = []
    for item in items:
        if not item.manual and not asked & set(by_item[item.id]):
            reason = "no system of this run answers it" if by_item[item.id] else "no check answers it yet"
            missing.append({"item": item.id, "short": item.short, "reason": reason})
    unseen = coverage.unseen(rows)
    for entry in unseen:
        entry["items"] = [item.id for item in items if set(by_item[item.id]) & set(entry["checks"])]
    return {
        "seen": seen,
        "expected": expected,
        "share": percent,
        "items_covered": len(items) - len(missing),
        "items_total": len(items),
        "unseen": unseen,
        "not_covered": missing,
        "left_out": list(left_out),
        "no_module": [{"system": name, "reason": reason} for name, reason in sorted(no_module.items())],
        "rows": list(rows),
    }


def _system(look: Look, findings: Sequence[Mapping[str, Any]], rows: Sequence[coverage.Row]) -> dict[str, Any]:
    mine = [row for row in rows if row["system"] == look.name and row["module"] == look.capability.module]
    prefix = look.capability.system + "."
    bad = [
        one
        for one in findings
        if one["object"].split("/", 1)[0] == look.name
        and (
            one["check"].startswith(prefix)
            or (one["check"] == OBSERVED and one["object"].endswith("/" + look.capability.module))
        )
    ]
    return {
        "name": look.name,
        "module": look.capability.module,
        "kind": look.capability.noun,
        "component": look.component,
        "mode": look.mode,
        "recorded_at": look.recorded_at,
        "status": worst(
            [*(one["status"] for one in bad), *(row["status"] for row in mine if row["status"] in STATUSES)]
        ),
        "counts": tally(bad),
        "seen": sum(1 for row in mine if row["seen"]),
        "expected": len(mine),
        "facts": redact(look.facts),
        "error": {"kind": look.error[0], "text": redact(look.error[1])} if look.error else None,
    }


def _services(
    findings: Sequence[Mapping[str, Any]], where: Map, services: Mapping[str, Any], systems: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The nodes of the dependency map with what was found on them: systems, then services."""
    by_node: dict[str, list[Mapping[str, Any]]] = {}
    for one in findings:
        node = where.service(one)
        if node is not None:
            by_node.setdefault(node, []).append(one)
    nodes = []
    for kind, entries in (("system", systems), ("service", services)):
        for name in entries:
            mine = by_node.get(str(name), [])
            nodes.append(
                {
                    "name": str(name),
                    "kind": kind,
                    "namespace": where.namespaces.get(str(name)) or None,
                    "depends_on": [
                        need for need in where.depends_on.get(str(name), ()) if need in services or need in systems
                    ],
                    "status": worst(one["status"] for one in mine),
                    "findings": [one["fingerprint"] for one in mine],
                }
            )
    return nodes
