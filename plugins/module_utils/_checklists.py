# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checklists of the runbooks: what a procedure walks through, in the runbook's order and words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One checklist line.

    :ivar id: ``procedure.item``; checks name it in their ``items``.
    :ivar title: the line as the runbook has it.
    :ivar short: what the terminal report calls it.
    :ivar runbook: ``file:heading``.
    """

    id: str
    title: str
    short: str
    runbook: str


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

PROCEDURES: dict[str, tuple[Item, ...]] = {"daily_morning": MORNING}
