# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered checks of Grafana."""

from __future__ import annotations

from .._core.check import Check

_DASHBOARDS = "daily:accessing-dashboards"
_ITEMS = ("morning.dashboard",)

CHECKS: tuple[Check, ...] = (
    Check(
        id="grafana.reachable",
        question="Does Grafana answer?",
        runbook=_DASHBOARDS,
        items=_ITEMS,
        source="GET /api/health",
        remedy="where Grafana runs: systemctl status grafana-server, or kubectl -n monitoring get pods; then its log",
        rank=5,
    ),
    Check(
        id="grafana.access",
        question="May the token look at data sources and dashboards?",
        runbook=_DASHBOARDS,
        items=_ITEMS,
        source="GET /api/search, GET /api/datasources",
        remedy="a service account with the role Viewer and the permission datasources:read; is its token expired?",
        severity="unknown",
        rank=6,
    ),
    Check(
        id="grafana.database",
        question="Does Grafana reach its own database?",
        runbook=_DASHBOARDS,
        items=_ITEMS,
        source="GET /api/health: database",
        remedy="see [database] in grafana.ini, and the log of Grafana; until then nobody logs in, and nothing opens",
        rank=7,
    ),
    Check(
        id="grafana.datasource",
        question="Does each data source exist and answer?",
        runbook=_DASHBOARDS,
        items=_ITEMS,
        source="GET /api/datasources, GET /api/datasources/uid/<uid>/health",
        remedy="open the link and press Save & test; is the server behind its URL up, and are its credentials valid?",
        rank=40,
    ),
    Check(
        id="grafana.dashboard",
        question="Do the dashboards that people need exist, open, and know their data sources?",
        runbook=_DASHBOARDS,
        items=_ITEMS,
        source="GET /api/search?type=dash-db, GET /api/dashboards/uid/<uid>: panels[].datasource.uid",
        remedy="restore it from its provisioning or from version control; was it renamed, moved or deleted?",
        severity="warning",
        rank=50,
    ),
)
