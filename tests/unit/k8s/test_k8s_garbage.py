# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluators never raise: API documents with anything anywhere, and recordings that somebody has bent."""

from __future__ import annotations

import copy
from typing import Any

from documents import (
    KIND,
    container,
    deployment,
    died,
    judged,
    node,
    observation,
    pod,
    running,
    service,
    slices,
    thing,
    waiting,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import STATUSES
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.kinds import BY_NAME, KINDS
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.pod_reducer import PodReducer
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.read import moment, quantity

NUMBERS = (True, False, 0, -1, 10**30, 1.5, float("inf"))
TEXTS = ("", "x", "True", "1e9999", "5m", "2026-11-22T05:00:00Z", "99999-99-99T00:00:00Z")
ODD: st.SearchStrategy[Any] = st.sampled_from([None, *NUMBERS, *TEXTS, [], [None], {}, {"a": 1}, [[]], [{}], ["x"]])
CONDITIONS = [
    {"type": kind, "status": status, "reason": reason, "message": "m", "lastTransitionTime": "2026-11-22T05:00:00Z"}
    for kind, status, reason in (
        ("Ready", "False", "x"),
        ("Progressing", "False", "ProgressDeadlineExceeded"),
        ("ReplicaFailure", "True", "FailedCreate"),
        ("Failed", "True", "BackoffLimitExceeded"),
        ("AbleToScale", "True", "x"),
        ("ScalingLimited", "True", "TooManyReplicas"),
        ("DisruptionAllowed", "False", "SyncFailed"),
        ("Available", "False", "x"),
        ("MemoryPressure", "True", "x"),
    )
]


def rich() -> list[dict[str, Any]]:
    """Objects of every kind with about every field that is read."""
    broken = container(waiting("CrashLoopBackOff"), died(137, reason="OOMKilled"), 4)
    spec = {
        "replicas": 2,
        "selector": {
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "a", "operator": "Exists", "values": []}],
        },
        "schedule": "* * * * *",
        "suspend": False,
        "scaleTargetRef": {"kind": "Deployment", "name": "web"},
        "maxReplicas": 2,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 7}}}],
        "unschedulable": True,
        "taints": [{"key": "node.kubernetes.io/unschedulable", "timeAdded": "2026-11-20T05:00:00Z"}],
        "rules": [
            {
                "host": "h",
                "http": {"paths": [{"path": "/", "backend": {"service": {"name": "s", "port": {"number": 1}}}}]},
            }
        ],
        "tls": [{"secretName": "s", "hosts": ["h"]}],
        "service": {"namespace": "shop", "name": "web"},
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "1Gi"}},
        "ports": [{"port": 80, "targetPort": "http"}],
        "parallelism": 1,
    }
    status = {
        "conditions": CONDITIONS,
        "replicas": 1,
        "currentReplicas": 2,
        "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 70}}}],
        "hard": {"pods": "1"},
        "used": {"pods": "1"},
        "phase": "Pending",
        "expectedPods": 2,
        "currentHealthy": 2,
        "currentRevision": "a",
        "updateRevision": "b",
        "lastScheduleTime": "2026-11-21T05:00:00Z",
        "active": [{"name": "j"}],
        "allocatable": {"cpu": "1", "memory": "1Gi"},
    }
    hooks = [{"name": "h", "failurePolicy": "Fail", "clientConfig": {"service": {"namespace": "a", "name": "b"}}}]
    usage = {"cpu": "190m", "memory": "120Mi"}
    more = {"webhooks": hooks, "usage": usage, "containers": [{"name": "app", "usage": usage}]}
    special = [
        pod("web-1", [broken]),
        pod("web-2", [container(running())], meta={"deletionTimestamp": "2026-11-22T05:00:00Z", "finalizers": ["x"]}),
        pod("web-3", [], phase="Pending", node=""),
        pod("web-4", [container(died(1))], phase="Failed"),
        deployment(),
        node(),
        service(),
        slices("web", 0),
    ]
    return special + [thing(kind, "web", spec=spec, status=status, **more) for kind in KIND]


def places(doc: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document."""
    found = [path] if path else []
    if isinstance(doc, dict):
        for key, value in doc.items():
            found += places(value, (*path, key))
    elif isinstance(doc, list):
        for index, value in enumerate(doc):
            found += places(value, (*path, index))
    return found


def bend(doc: Any, path: tuple[Any, ...], value: Any) -> None:
    """Put a value at a path, where the path still exists."""
    for step in path[:-1]:
        try:
            doc = doc[step]
        except (KeyError, IndexError, TypeError):
            return
    if (isinstance(doc, dict) and path[-1] in doc) or (
        isinstance(doc, list) and isinstance(path[-1], int) and path[-1] < len(doc)
    ):
        doc[path[-1]] = value


RICH = rich()
PLACES = [(index, path) for index, one in enumerate(RICH) for path in places(one) if path != ("kind",)]
FIXED = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@FIXED
@given(bends=st.lists(st.tuples(st.sampled_from(PLACES), ODD), min_size=1, max_size=6))
def test_bent_api_documents(bends):
    """Every field of every kind may hold anything."""
    things = copy.deepcopy(RICH)
    for (index, path), value in bends:
        bend(things[index], path, value)
    result = judged(observation(*things))
    assert all(one["status"] in STATUSES for one in result["findings"])


@FIXED
@given(data=st.data())
def test_bent_recordings(data):
    """What a recording holds was somebody else's to write."""
    seen = observation(*RICH)
    paths = places(seen)
    for _number in range(data.draw(st.integers(1, 5))):
        bend(seen, data.draw(st.sampled_from(paths)), data.draw(ODD))
    judged(seen)


@FIXED
@given(
    doc=st.recursive(
        ODD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    )
)
def test_reducers_take_anything(doc):
    """A list may hold anything that is a mapping."""
    doc = doc if isinstance(doc, dict) else {"metadata": doc, "spec": doc, "status": doc}
    PodReducer()({"metadata": {"name": "x", **doc}, "spec": doc, "status": doc})
    for kind in KINDS:
        BY_NAME[kind.name].keep(doc)


@given(value=ODD | st.text(max_size=40) | st.from_regex(r"[0-9]{1,3}[eE][0-9]{1,3}", fullmatch=True))
@example(value="1e999")
def test_times_and_quantities(value):
    """A number or nothing."""
    assert moment(value) is None or isinstance(moment(value), float)
    assert quantity(value) is None or isinstance(quantity(value), float)
