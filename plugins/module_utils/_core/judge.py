# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge: evaluators tell it what they looked at, it turns numbers into statuses and keeps findings and coverage."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any

from .check import Check
from .errors import OptionError
from .finding import CRITICAL, OK, STATUSES, UNKNOWN, Finding, fingerprint, sort_findings, worst
from .redact import redact
from .threshold import Thresholds, is_nan, nearest

_MAX_EVIDENCE_TEXT = 2000


class Judge:
    """Collects the findings of one target.

    :param checks: the checks of this system, by id.
    :param thresholds: thresholds of the run (they know all checks).
    :param target: name of the system in finding objects (the inventory name).
    :param only: ids or globs of the checks to answer; None or empty for all.
    :param recorded_at: ISO time of the recording that is judged, None for a live look.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        thresholds: Thresholds,
        target: str,
        only: Iterable[str] | None = None,
        recorded_at: str | None = None,
    ) -> None:
        self.checks = checks
        self.thresholds = thresholds
        self.target = target
        self.recorded_at = recorded_at
        self.facts: dict[str, Any] = {}
        self._active = _select(checks, only)
        self._objects: dict[str, int] = {}
        self._unseen: dict[str, str] = {}
        self._findings: dict[str, Finding] = {}
        self._ok: list[Finding] = []

    def active(self, check: str) -> bool:
        """False where the user did not ask for this check: the evaluator may save the work."""
        return check in self._active

    def looked(self, check: str, objects: int = 1) -> None:
        """Say that `objects` more objects were looked at for a check, found healthy or not."""
        self._registered(check)
        self._objects[check] = self._objects.get(check, 0) + objects

    def unseen(self, check: str, reason: str) -> None:
        """Say that a check could not be answered: its coverage row is unknown, with the first reason given."""
        self._registered(check)
        self._unseen.setdefault(check, reason)

    def unseen_rest(self, reason: str) -> None:
        """Say the same of every check of this system that has not looked at anything yet."""
        for check in self.checks:
            if check not in self._objects:
                self._unseen.setdefault(check, reason)

    def value(
        self,
        check: str,
        obj: str,
        value: float,
        title: str,
        evidence: Mapping[str, Any] | None = None,
        remedy: str | None = None,
        ceiling: str | None = None,
        caused_by: str | None = None,
    ) -> str:
        """Judge a number against the thresholds of its check and object; counts the object as looked at.

        :param ceiling: the worst status that this number may reach (for estimates), None for no ceiling.
        :returns: the status.
        """
        self.looked(check)
        line = self.thresholds.get(check, obj)
        status = line.status(value) if line.enabled else OK
        if ceiling is not None and STATUSES.index(status) > STATUSES.index(ceiling):
            status = ceiling
        # NaN is no JSON, and no number.
        self._keep(check, obj, status, title, None if is_nan(value) else value, evidence, remedy, caused_by)
        return status

    def report(
        self,
        check: str,
        obj: str,
        title: str,
        status: str | None = None,
        value: float | None = None,
        evidence: Mapping[str, Any] | None = None,
        remedy: str | None = None,
        caused_by: str | None = None,
        count: bool = True,
    ) -> str:
        """File a finding whose status the evaluator knows (default: the check's severity).

        :param count: False where :meth:`looked` has already counted this object.
        """
        if count:
            self.looked(check)
        if not self.thresholds.get(check, obj).enabled:
            status = OK
        self._keep(check, obj, status or self.checks[check].severity, title, value, evidence, remedy, caused_by)
        return status or self.checks[check].severity

    def unknown(
        self, check: str, obj: str, title: str, evidence: Mapping[str, Any] | None = None, remedy: str | None = None
    ) -> None:
        """File an ``unknown`` finding: this object could not be looked at."""
        self.report(check, obj, title, UNKNOWN, evidence=evidence, remedy=remedy)

    def result(self, include_ok: bool = False) -> dict[str, Any]:
        """The return values of an observing module: findings, summary, coverage, facts, recorded_at."""
        findings = sort_findings(one.to_dict() for one in self._findings.values())
        rows = [self._row(check) for check in self.checks if check in self._active]
        counts = {
            status: sum(1 for one in findings if one["status"] == status)
            for status in (OK, "warning", CRITICAL, UNKNOWN)
        }
        counts[OK] = max(sum(row["objects"] for row in rows) - len(findings), 0)
        summary: dict[str, Any] = dict(counts)
        summary["total"] = sum(counts.values())
        summary["worst"] = worst([one["status"] for one in findings] + [row["status"] for row in rows])
        if include_ok:
            findings = findings + sort_findings(one.to_dict() for one in self._ok)
        return {
            "findings": findings,
            "summary": summary,
            "coverage": rows,
            "facts": self.facts,
            "recorded_at": self.recorded_at,
        }

    def _row(self, check: str) -> dict[str, Any]:
        statuses = [one.status for one in self._findings.values() if one.check == check]
        reason = self._unseen.get(check)
        seen = reason is None and check in self._objects
        if not seen:
            reason = reason or "the module did not come to this check"
            statuses.append(UNKNOWN)
        return {
            "check": check,
            "objects": self._objects.get(check, 0),
            "status": worst(statuses),
            "seen": seen,
            "reason": reason,
        }

    def _keep(
        self,
        check: str,
        obj: str,
        status: str,
        title: str,
        value: float | None,
        evidence: Mapping[str, Any] | None,
        remedy: str | None,
        caused_by: str | None,
    ) -> None:
        if check not in self._active:
            return
        registered = self.checks[check]
        line = self.thresholds.get(check, obj)
        finding = Finding(
            check=check,
            object=obj,
            status=status,
            title=redact(title),
            value=value,
            unit=registered.unit,
            target=line.target,
            alert=line.alert,
            evidence=_small(redact(dict(evidence or {}))),
            remedy=redact(fill(remedy or registered.remedy, obj, self.target)),
            runbook=registered.runbook,
            fingerprint=fingerprint(check, obj),
            caused_by=caused_by,
            recorded_at=self.recorded_at,
        )
        if status == OK:
            self._ok.append(finding)
            return
        known = self._findings.get(finding.fingerprint)
        if known is None or worst([known.status, status]) != known.status:
            self._findings[finding.fingerprint] = finding

    def _registered(self, check: str) -> None:
        if check not in self.checks:
            raise KeyError(f"check {check} is not registered")


def fill(remedy: str, obj: str, target: str) -> str:
    """Fill the placeholders of a remedy from an object such as ``cluster/namespace/Kind/name``."""
    parts = obj.split("/")
    words = {
        "object": obj,
        "target": target,
        "name": parts[-1],
        "kind": parts[-2].lower() if len(parts) > 2 else "",
        "namespace": parts[1] if len(parts) > 3 else "",
        "database": parts[1] if len(parts) > 1 else "",
    }
    for word, value in words.items():
        remedy = remedy.replace(f"{{{word}}}", value)
    return remedy


def _small(evidence: Any) -> Any:
    """Cut long texts: evidence is enough to act on, not a log archive."""
    if isinstance(evidence, dict):
        return {str(key): _small(value) for key, value in evidence.items()}
    if isinstance(evidence, list):
        return [_small(value) for value in evidence]
    if isinstance(evidence, str) and len(evidence) > _MAX_EVIDENCE_TEXT:
        return evidence[:_MAX_EVIDENCE_TEXT] + " … (%d characters in all)" % len(evidence)
    return evidence


def _select(checks: Mapping[str, Check], only: Iterable[str] | None) -> list[str]:
    wanted = list(only or ())
    if not wanted:
        return list(checks)
    for pattern in wanted:
        if not any(fnmatch.fnmatchcase(check, pattern) for check in checks):
            raise OptionError(f"checks: nothing is called {pattern!r}{nearest(pattern, checks)}")
    return [check for check in checks if any(fnmatch.fnmatchcase(check, pattern) for pattern in wanted)]
