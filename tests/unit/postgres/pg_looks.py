# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded looks at real servers, bent as a test wants them, and judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.nexuscos.ops.plugins.module_utils import _catalogue
from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import fingerprint
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Thresholds
from ansible_collections.nexuscos.ops.plugins.module_utils._postgres.case import Expect
from ansible_collections.nexuscos.ops.plugins.module_utils._postgres.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._postgres.evaluate import evaluate

RECORDINGS = Path(__file__).parent / "recordings"
NAMES = ("primary-15", "standby-15", "primary-16")
MIB = 1024.0**2


class Look:
    """One recorded look; ``rows(name)`` and ``row(name)`` may be changed before it is judged."""

    def __init__(self, name: str = "primary-15") -> None:
        self.observation: dict[str, Any] = json.loads((RECORDINGS / f"{name}.json").read_text("utf-8"))["observation"]
        self.standbys = ("db2", "db3") if name == "primary-15" else ()
        self.result: dict[str, Any] = {}

    @property
    def database(self) -> str:
        return str(self.observation["server"]["database"])

    def rows(self, name: str) -> list[dict[str, Any]]:
        places = [self.observation["queries"], *(one["queries"] for one in self.observation["databases"].values())]
        return next(place[name]["rows"] for place in places if name in place)

    def row(self, name: str, /, **values: Any) -> Look:
        """Change the first row of a statement."""
        self.rows(name)[0].update(values)
        return self

    def add(self, name: str, /, **values: Any) -> Look:
        """Add a row to a statement."""
        self.rows(name).append(values)
        return self

    def setting(self, name: str, value: str) -> Look:
        rows = self.rows("settings")
        known = next((row for row in rows if row["name"] == name), None)
        if known is None:
            rows.append({"name": name, "setting": value, "unit": None, "pending_restart": False})
        else:
            known["setting"] = value
        return self

    def refuse(self, name: str, text: str = "permission denied", sqlstate: str = "42501") -> Look:
        places = [self.observation["queries"], *(one["queries"] for one in self.observation["databases"].values())]
        place = next(place for place in places if name in place)
        place[name] = {"rows": None, "error": {"text": text, "sqlstate": sqlstate}}
        return self

    def judge(
        self,
        thresholds: dict[str, Any] | None = None,
        checks: list[str] | None = None,
        target: str = "db1",
        **expect: Any,
    ) -> Look:
        """Judge it; by default with the standbys that the recorded server has."""
        expect.setdefault("standbys", self.standbys)
        lines = Thresholds.parse(thresholds, _catalogue.BY_ID)
        judge = Judge(index(CHECKS), lines, target, checks)
        evaluate(self.observation, judge, Expect(**expect))
        self.result = judge.result()
        # What is not plain JSON cannot be returned by a module; NaN and infinity are none.
        json.dumps(self.result, allow_nan=False)
        return self

    @property
    def found(self) -> dict[tuple[str, str], str]:
        """Status by check (without ``postgres.``) and object (without the target)."""
        return {
            (one["check"].split(".", 1)[1], one["object"].partition("/")[2]): one["status"]
            for one in self.result["findings"]
        }

    def finding(self, check: str) -> dict[str, Any]:
        found = [one for one in self.result["findings"] if one["check"] == "postgres." + check]
        assert len(found) == 1, found
        return dict(found[0])

    @property
    def unseen(self) -> dict[str, str]:
        """Reason by check that was not seen."""
        rows = self.result["coverage"]
        return {row["check"].split(".", 1)[1]: row["reason"] for row in rows if not row["seen"]}


def mark(check: str, obj: str) -> str:
    """Fingerprint of a finding."""
    return fingerprint("postgres." + check, obj)
