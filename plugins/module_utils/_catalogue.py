# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of the collection. Import this where a name may belong to any system: thresholds, reports, docs."""

from __future__ import annotations

from ._alerts.checks import CHECKS as ALERTS
from ._backup.checks import CHECKS as BACKUP
from ._compose.checks import CHECKS as COMPOSE
from ._core.check import Check, index
from ._elasticsearch.checks import CHECKS as ELASTICSEARCH
from ._grafana.checks import CHECKS as GRAFANA
from ._host.checks import CHECKS as HOST
from ._http.checks import CHECKS as HTTP
from ._k8s.checks import CHECKS as K8S
from ._logs.checks import CHECKS as LOGS
from ._metrics.checks import CHECKS as METRICS
from ._mongodb.checks import CHECKS as MONGODB
from ._postgres.checks import CHECKS as POSTGRES
from ._redis.checks import CHECKS as REDIS
from ._tls.checks import CHECKS as TLS

CHECKS: tuple[Check, ...] = (
    K8S
    + POSTGRES
    + REDIS
    + MONGODB
    + HTTP
    + TLS
    + HOST
    + COMPOSE
    + METRICS
    + ALERTS
    + GRAFANA
    + ELASTICSEARCH
    + LOGS
    + BACKUP
)
BY_ID: dict[str, Check] = index(CHECKS)
