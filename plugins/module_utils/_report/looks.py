# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has to look at, and what came back: one look for each system and module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .text import clean

OPTIONS = "options"
"""The module, or Ansible before it, refused an option, a variable or a file of the user: the job fails in any case."""
CRASHED = "crashed"
UNREACHABLE = "unreachable"
TIMEOUT = "timeout"
MISSING = "missing"

_SAY = {
    OPTIONS: "was not looked at: wrong options",
    CRASHED: "was not looked at: the module crashed",
    UNREACHABLE: "was not looked at: the host that looks cannot be reached",
    TIMEOUT: "was not looked at: the look did not end in time",
    MISSING: "was not looked at: no observation came back",
}


@dataclass(frozen=True)
class Capability:
    """One kind of system: a group of the inventory, the role of the same name, and the module that looks.

    :ivar group: inventory group and role.
    :ivar module: short name of the observing module.
    :ivar system: first part of the ids of its checks.
    :ivar noun: what one such system is called.
    :ivar engine: value of `nexuscos_database_engine` where one group has several modules.
    """

    group: str
    module: str
    system: str
    noun: str
    engine: str | None = None

    @property
    def variable(self) -> str:
        """Where the role keeps what the module returned."""
        return "__%s_observation" % self.group


CAPABILITIES: tuple[Capability, ...] = (
    Capability("clusters", "k8s_health", "k8s", "Kubernetes cluster"),
    Capability("databases", "postgres_health", "postgres", "PostgreSQL server", engine="postgres"),
    Capability("databases", "redis_health", "redis", "Redis server", engine="redis"),
    Capability("databases", "mongodb_health", "mongodb", "MongoDB server", engine="mongodb"),
    Capability("endpoints", "endpoint_health", "endpoint", "set of endpoints"),
    Capability("certificates", "certificate_health", "certificate", "set of certificates"),
    Capability("hosts", "host_health", "host", "host"),
    Capability("compose_projects", "compose_health", "compose", "Compose project"),
    Capability("metrics", "metrics_health", "metrics", "Prometheus"),
    Capability("alerts", "alerts_info", "alerts", "Alertmanager"),
    Capability("dashboards", "grafana_health", "grafana", "Grafana"),
    Capability("log_stores", "elasticsearch_health", "elasticsearch", "Elasticsearch"),
    Capability("logs", "log_health", "logs", "set of logs"),
    Capability("backups", "backup_health", "backup", "place of backups"),
)
STEPS = Capability("backups", "backup_run", "backup_run", "place of backups")
"""What a run of the procedures of backups did at a place (_backup/steps.py); nothing looks at it in the morning."""
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(one.group for one in CAPABILITIES))
WITHOUT_MODULE: tuple[str, ...] = ()
"""Groups of the inventory that the runbook speaks of and that nothing here looks at yet: said in the coverage."""


@dataclass
class Look:
    """One system, looked at by one module.

    :ivar name: inventory name.
    :ivar error: (kind, text) where no observation came.
    :ivar component: node of the dependency map that the system is a part of (`nexuscos_system`).
    :ivar location: cluster that a set of endpoints leads into (`nexuscos_cluster`), or the cluster itself.
    :ivar standbys: names of the standbys that a primary expects.
    :ivar needs: what the system runs on or needs (`nexuscos_depends_on`): systems of the catalogue, or ``host/<name>``.
    :ivar services: endpoint name -> service of the catalogue.
    """

    name: str
    capability: Capability
    findings: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    coverage: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    recorded_at: str | None = None
    error: tuple[str, str] | None = None
    component: str | None = None
    location: str | None = None
    standbys: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    services: dict[str, str] = field(default_factory=dict)

    @property
    def mode(self) -> str:
        """``live``, ``recorded`` or ``unseen``."""
        if self.error is not None:
            return "unseen"
        return "recorded" if self.recorded_at else "live"

    @property
    def error_title(self) -> str:
        """The error as a sentence about the system."""
        if self.error is None:
            return ""
        if "the Python library" in self.error[1]:
            return "%s was not looked at: a library is missing" % self.name
        return "%s %s" % (self.name, _SAY[self.error[0]])


def capabilities_of(groups: Any, engine: Any) -> tuple[list[Capability], list[str]]:
    """What looks at a host, and what ought to but does not exist.

    :param groups: names of the groups that the host is in.
    :param engine: its `nexuscos_database_engine`; None is postgres.
    """
    names = set(groups)
    wanted = [one for one in CAPABILITIES if one.group in names]
    found = [one for one in wanted if one.engine is None or one.engine == (engine or "postgres")]
    covered = {one.group for one in found}
    missing = [
        "no module looks at the engine %s" % clean(str(engine))
        for group in GROUPS
        if group in names and group not in covered
    ]
    return found, missing


def read_result(look: Look, result: Any) -> None:
    """Put what a task registered into a look; never raises, because a report must come whatever a module returned."""
    if not isinstance(result, Mapping):
        look.error = (MISSING, "the task did not run")
        return
    if (
        not result.get("failed")
        and not result.get("unreachable")
        and not isinstance(result.get("findings"), (list, tuple))
    ):
        look.error = (MISSING, "the task was skipped" if result.get("skipped") else "the module returned no findings")
        return
    if result.get("failed") or result.get("unreachable"):
        look.error = (kind_of(result), _message(result))
        return
    try:
        look.coverage = [dict(row) for row in result["coverage"]]
        look.findings = [dict(one) for one in result["findings"]]
        look.summary = dict(result.get("summary") or {})
        look.facts = dict(result.get("facts") or {})
        look.recorded_at = str(result["recorded_at"]) if result.get("recorded_at") else None
    except (KeyError, TypeError, ValueError) as error:
        look.error = (CRASHED, "the module returned something else than findings: %s" % error)


def kind_of(result: Mapping[str, Any]) -> str:
    """Why a task failed, from what it returned."""
    if result.get("unreachable"):
        return UNREACHABLE
    if "timedout" in result:
        return TIMEOUT
    if result.get("argument_errors") or "invocation" in result:
        # The module was there and refused: fail_json always carries the invocation.
        return OPTIONS
    text = _message(result)
    if (
        "module_stderr" in result
        or "module_stdout" in result
        or "rc" in result
        or "Traceback" in text
        or "MODULE FAILURE" in text
    ):
        return CRASHED
    if "Module failed" in text or "interpreter" in text:
        return CRASHED
    # What fails before any module runs: an undefined variable, a filter that refuses a threshold.
    return OPTIONS


def _message(result: Mapping[str, Any]) -> str:
    text = str(result.get("msg") or "").strip()
    errors = result.get("argument_errors")
    if errors and isinstance(errors, (list, tuple)):
        text = "%s %s" % (text.split("\n", 1)[0], "; ".join(str(one) for one in errors))
    stderr = str(result.get("module_stderr") or result.get("module_stdout") or "").strip()
    if stderr:
        text = "%s: %s" % (text.split("\n", 1)[0], stderr.rsplit("\n", 1)[-1])
    return clean(text or "no message", keep_lines=True)
