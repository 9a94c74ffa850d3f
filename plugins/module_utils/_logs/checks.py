# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered checks of logs."""

from __future__ import annotations

from .._core.check import Check

SOURCE = "logs.source"
BOUNDED = "logs.bounded"
FATAL = "logs.fatal"
ERRORS = "logs.errors"
NEW_TEMPLATE = "logs.new_template"
RISING = "logs.rising"

_ITEMS = ("morning.logs",)
_RUNBOOK = "daily:log-analysis"

CHECKS: tuple[Check, ...] = (
    Check(
        id=SOURCE,
        question="Could every log that was asked for be read?",
        runbook="daily:accessing-logs",
        items=_ITEMS,
        source="answers of the API server, the engine, journalctl and the file system",
        remedy="read the reason; give the account the right to read (pods/log, group adm or systemd-journal)",
        severity="unknown",
        rank=30,
    ),
    Check(
        id=BOUNDED,
        question="Was all of the window read and counted, or did a limit cut it?",
        runbook=_RUNBOOK,
        items=_ITEMS,
        source="limits of bytes, lines, events, templates and time against what there was",
        remedy="shorten since, or raise the limit: max_mb, max_events, max_templates, pod_lines, pod_kb, deadline",
        severity="warning",
        rank=90,
    ),
    Check(
        id=FATAL,
        question="Does a log tell of a panic, of no memory, of a segmentation fault, or of something called fatal?",
        runbook=_RUNBOOK,
        items=_ITEMS,
        source="events of the levels FATAL, CRITICAL, PANIC, ALERT, EMERG, and sentences of runtimes and the kernel",
        remedy="read the trace in the evidence, then the log around it (kubectl logs, journalctl -u, docker logs)",
        unit="events",
        target=0,
        alert=10,
        rank=42,
    ),
    Check(
        id=ERRORS,
        question="How many errors an hour does a service log?",
        runbook="operations:high-error-rate",
        items=_ITEMS,
        source="events of the level ERROR and worse in the window, over its hours",
        remedy="begin with the template that comes first in the evidence, and with what it depends on",
        unit="errors/h",
        target=20,
        alert=200,
        rank=62,
    ),
    Check(
        id=NEW_TEMPLATE,
        question="Does a service log kinds of errors that the look before did not see?",
        runbook=_RUNBOOK,
        items=_ITEMS,
        source="templates of the window against those of the earlier recording (previous)",
        remedy="compare with what was deployed since: kubectl rollout history, the changes of the day",
        unit="templates",
        target=0,
        rank=60,
    ),
    Check(
        id=RISING,
        question="Does an error come much more often than at the look before?",
        runbook=_RUNBOOK,
        items=_ITEMS,
        source="events an hour of a template against those of the earlier recording (previous)",
        remedy="look at what the template names; a rate that doubles every look will not stay an exception",
        unit="times",
        target=3,
        alert=20,
        rank=61,
    ),
)
