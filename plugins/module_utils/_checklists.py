# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checklists of the runbooks: what a procedure walks through, in the runbook's order and words."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from ._core.check import Check


@dataclass(frozen=True)
class Item:
    """One checklist line.

    :ivar id: ``procedure.item``; checks name it in their ``items``.
    :ivar title: the line as the runbook has it.
    :ivar short: what the terminal report calls it.
    :ivar runbook: ``file:heading``.
    :ivar checks: ids or globs of checks that answer it, besides those that name it themselves.
    :ivar manual: a person's: what software can add are facts.
    """

    id: str
    title: str
    short: str
    runbook: str
    checks: tuple[str, ...] = ()
    manual: bool = False

    def answered_by(self, check: Check) -> bool:
        """Does a check answer this line?"""
        return self.id in check.items or any(fnmatch.fnmatchcase(check.id, pattern) for pattern in self.checks)


MORNING: tuple[Item, ...] = (
    Item(
        "morning.dashboard",
        "Check system health dashboard",
        "Dashboards and monitoring",
        "daily:morning-start-of-business-day",
    ),
    Item(
        "morning.alerts",
        "Review overnight alerts and incidents",
        "Overnight alerts, incidents",
        "daily:morning-start-of-business-day",
    ),
    Item("morning.services", "Verify all services are running", "Services", "daily:morning-start-of-business-day"),
    Item(
        "morning.replication",
        "Check database replication status",
        "Database replication",
        "daily:morning-start-of-business-day",
    ),
    Item(
        "morning.utilization",
        "Review resource utilization metrics",
        "Resource utilization",
        "daily:morning-start-of-business-day",
    ),
    Item("morning.logs", "Scan error logs for anomalies", "Error logs", "daily:morning-start-of-business-day"),
    Item("morning.backups", "Verify backup completion status", "Backups", "daily:morning-start-of-business-day"),
    Item(
        "morning.certificates",
        "Check SSL certificate expiration dates",
        "Certificates",
        "daily:morning-start-of-business-day",
    ),
)

_WATCH = "daily:continuous-monitoring"
_EVENING = "daily:end-of-day"

WATCH: tuple[Item, ...] = (
    Item(
        "watch.dashboards",
        "Monitor real-time dashboards",
        "Systems answer",
        _WATCH,
        ("*.reachable", "*.access", "k8s.api", "compose.engine", "grafana.*", "elasticsearch.*", "metrics.target_down"),
    ),
    Item("watch.alerts", "Respond to alerts within SLA", "Alerts", _WATCH, ("alerts.*",)),
    Item(
        "watch.incidents",
        "Track ongoing incidents",
        "Services",
        _WATCH,
        ("k8s.*", "compose.*", "endpoint.status", "endpoint.content", "endpoint.answer", "host.unit_failed"),
    ),
    Item(
        "watch.response_times",
        "Monitor API response times",
        "Response times",
        _WATCH,
        ("endpoint.latency", "endpoint.steady", "metrics.latency", "metrics.error_rate", "metrics.objective"),
    ),
    Item("watch.databases", "Watch database performance", "Databases", _WATCH, ("postgres.*", "redis.*", "mongodb.*")),
    Item(
        "watch.disks",
        "Check disk space usage",
        "Disk space",
        _WATCH,
        (
            "host.filesystem*",
            "host.inodes",
            "host.read_only",
            "postgres.size",
            "postgres.wal_size",
            "k8s.node_pressure",
        ),
    ),
    Item(
        "watch.network",
        "Monitor network traffic",
        "Network",
        _WATCH,
        ("endpoint.reachable", "endpoint.tls", "host.listening", "k8s.service_endpoints"),
    ),
)

END_OF_DAY: tuple[Item, ...] = (
    Item(
        "evening.incidents",
        "Review day's incidents and resolutions",
        "Incidents of the day",
        _EVENING,
        ("*.reachable", "alerts.firing", "alerts.flapping", "k8s.*", "compose.*", "endpoint.*"),
    ),
    Item("evening.log", "Update incident log", "Incident log", _EVENING, manual=True),
    Item("evening.changes", "Document any configuration changes", "Changes of the day", _EVENING, manual=True),
    Item("evening.maintenance", "Check scheduled maintenance windows", "Maintenance windows", _EVENING, manual=True),
    Item("evening.backups", "Verify daily backups completed", "Backups", _EVENING, ("backup.*",)),
    Item("evening.security", "Review security logs", "Security logs", _EVENING, ("logs.*",)),
    Item("evening.handoff", "Update on-call handoff notes", "Handoff notes", _EVENING, manual=True),
)

_RECOVERY = "operations:database-backups"
_CHECK = "daily:daily-backup-check"
_RESTORE_TEST = "daily:backup-restoration-test-weekly"

BACKUP: tuple[Item, ...] = (
    Item("backup.sets", "Manual backup", "Sets made", _RECOVERY),
    Item(
        "backup.copies",
        "Application State Backups: a copy in another place",
        "Copies elsewhere",
        "operations:application-state-backups",
    ),
    Item("backup.cleanup", "Clean up old logs and backups", "Old sets", "daily:weekly-tasks"),
    Item("backup.list", "List backups", "What can be restored", _RECOVERY),
)

BACKUP_VERIFY: tuple[Item, ...] = (
    Item("backup_verify.integrity", "Test backup integrity", "Sets proven", _CHECK),
    Item("backup_verify.list", "Verify backup files", "What can be restored", _CHECK),
)

RESTORE_TEST: tuple[Item, ...] = (
    Item("restore_test.restore", "Restore to test environment", "Restored for a test", _RESTORE_TEST),
    Item("restore_test.verify", "Verify test environment", "Holds what was saved", _RESTORE_TEST),
    Item("restore_test.list", "List backups", "What can be restored", _RECOVERY),
)

RESTORE: tuple[Item, ...] = (
    Item("restore.restored", "Restore from backup", "Restored", _RECOVERY),
    Item("restore.list", "List backups", "What can be restored", _RECOVERY),
)

LOOKING: dict[str, tuple[Item, ...]] = {
    "daily_morning": MORNING,
    "daily_watch": WATCH,
    "daily_end_of_day": END_OF_DAY,
}
"""Procedures that look at all systems, by the name of the playbook, to the checklist."""

DOING: dict[str, tuple[Item, ...]] = {
    "backup": BACKUP,
    "backup_verify": BACKUP_VERIFY,
    "weekly_restore_test": RESTORE_TEST,
    "restore": RESTORE,
}
"""Procedures that do something at the places of backups, to the checklist."""

PROCEDURES: dict[str, tuple[Item, ...]] = {**LOOKING, **DOING}
"""All procedures."""


def title_of(procedure: str) -> str:
    """What a procedure is called in a report: ``morning``, ``end of day``, ``backup``, ``restore test``."""
    known = {"backup_verify": "backup verification", "weekly_restore_test": "restore test"}
    return known.get(procedure) or procedure.split("_", 1)[-1].replace("_", " ")
