# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of the collection. Import this where a name may belong to any system: thresholds, reports, docs."""

from __future__ import annotations

from ._core.check import Check, index
from ._http.checks import CHECKS as HTTP
from ._k8s.checks import CHECKS as K8S
from ._postgres.checks import CHECKS as POSTGRES

CHECKS: tuple[Check, ...] = K8S + POSTGRES + HTTP
BY_ID: dict[str, Check] = index(CHECKS)
