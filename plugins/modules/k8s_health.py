#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thin: options, documentation, wiring. The work is done in module_utils/_k8s."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_health
short_description: Look at a Kubernetes cluster and say what is wrong with it, and why
version_added: 0.1.0
description:
  - Reads pods, workloads, nodes, Services, volumes, autoscalers, disruption budgets, webhooks, aggregated APIs, quotas
    and measured usage with one list call a kind, side by side, and judges them together.
  - One finding for each owner (the Deployment, not its pods) and reason, with its pods, messages and the last lines of
    the container that died as evidence. Where one finding explains another, C(caused_by) says so.
  - Lists are asked for with C(resourceVersion=0) and C(limit=500). API servers that hold a kind in memory answer the
    first from there without reading etcd, and then ignore the limit; others send pages. Either is read object by object
    while it arrives, so that memory does not grow with the cluster.
  - What is normal in the life of a cluster is silent. A rollout within its deadline, a pod within the time that its
    probes give it, finished Jobs, a disruption budget of a single replica are no findings.
  - What may not be listed, or is not served, is C(unknown), kind by kind (C(k8s.access)), and the checks that need it
    are rows of RV(coverage) that were not seen. An unhealthy cluster never fails the task.
extends_documentation_fragment:
  - nexuscos.ops.observe
  - nexuscos.ops.kubernetes
options:
  log_lines:
    description:
      - Lines to read of the log of a container that died, one container for each owner in trouble, ten in all.
        V(0) reads no logs.
      - Logs are redacted like all evidence. Where they may not be read, or the kubelet has already removed them, the
        evidence says so.
    type: int
    default: 15
  deadline:
    description:
      - Seconds that the whole look may take. What was not seen by then is reported as not seen, never as healthy.
    type: float
    default: 30.0
attributes:
  platform:
    description: Where it runs.
    platforms: posix
    support: full
notes:
  - Only reads. The rights that it needs are in the file C(nexuscos-ops-viewer.yml) beside the collection's playbooks.
    They hold none on Secrets and ConfigMaps, because the right to list them is the right to read them. That one of
    them, or a key, is missing is told by the kubelet and by events.
  - Only C(k8s.ingress_tls) needs the names of Secrets, in namespaces with an Ingress with TLS. It asks for metadata
    alone. The file has a role for that which is bound nowhere; without it this check is not seen.
  - Ages are told by the clock of the API server, not by that of the machine that the module runs on.
author:
  - Nexus COS operations (@nexuscos)
seealso:
  - module: kubernetes.core.k8s_info
"""

EXAMPLES = r"""
- name: A cluster by its kubeconfig, all checks
  nexuscos.ops.k8s_health:
    target: prod-east
    kubeconfig: ~/.kube/config
    context: prod-east
  register: cluster

- name: Two namespaces with the rights of a service account, stricter on memory
  nexuscos.ops.k8s_health:
    target: prod-east
    host: https://203.0.113.10:6443
    ca_file: /etc/ssl/prod-east-ca.pem
    token: "{{ viewer_token }}"
    namespaces: [nexus-auth, nexus-platform]
    thresholds:
      k8s.memory_usage:
        target: 70
        overrides:
          - {match: '*/nexus-platform/Deployment/metatwin', target: 85, alert: 95}

- name: Only pods and rollouts, and keep what was seen
  nexuscos.ops.k8s_health:
    target: prod-east
    context: prod-east
    checks: [k8s.crash_loop, k8s.oom_killed, k8s.image_pull, k8s.rollout]
    record_to: bundle/prod-east.json.gz

- name: Judge what another run has recorded
  nexuscos.ops.k8s_health:
    target: prod-east
    replay_from: bundle/prod-east.json.gz
"""

RETURN = r"""
findings:
  description:
    - What is not as it should be, worst first. An empty list when all is well, and no check was left out.
    - With O(include_ok) the healthy ones follow.
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description: Id of the check.
      type: str
      returned: success
      sample: k8s.crash_loop
    object:
      description: O(target), the namespace where there is one, kind and name of the owner.
      type: str
      returned: success
      sample: prod-east/nexus-auth/Deployment/auth-service
    status:
      description: V(warning), V(critical) or V(unknown), with O(include_ok) also V(ok).
      type: str
      returned: success
      sample: critical
    title:
      description: One sentence.
      type: str
      returned: success
      sample: auth-service is crash-looping (container auth-service, exit 1, 14 restarts) (3 pods)
    value:
      description: What was measured or counted, null where there is no number.
      type: float
      returned: success
      sample: 14
    unit:
      description: Unit of RV(findings[].value).
      type: str
      returned: success
      sample: restarts
    target:
      description: What good is.
      type: float
      returned: success
      sample: 0
    alert:
      description: What is not acceptable.
      type: float
      returned: success
      sample: 2
    evidence:
      description:
        - What the cluster says about it, by check. Among other things pods, messages of conditions and events, exit
          code, limits, the last lines of the container's log, and the Services that it leaves without an endpoint.
        - Redacted.
      type: dict
      returned: success
      sample:
        pods: [auth-service-6c8d4f7b9-2xkqj, auth-service-6c8d4f7b9-7vwzt]
        affected: 2
        ready: 0 of 2
        container: auth-service
        restarts: 14
        exit_code: 1
        reason: Error
        finished: '2026-11-22T05:58:31Z'
        last_lines: ['{"level":"fatal","msg":"dial tcp db1:5432: connection refused"}']
        services_without_endpoints: [auth-service]
    remedy:
      description: The next step, as a command.
      type: str
      returned: success
      sample: kubectl --context prod-east -n nexus-auth logs deployment/auth-service --previous --tail=100
    runbook:
      description: File and heading of the runbook line.
      type: str
      returned: success
      sample: operations:service-down
    fingerprint:
      description: SHA-256 of check and object, the same today and tomorrow.
      type: str
      returned: success
    caused_by:
      description: Fingerprint of the finding that explains this one, null where none of this module does.
      type: str
      returned: success
    recorded_at:
      description: As RV(recorded_at).
      type: str
      returned: success
summary:
  description: Number of objects by status, and the worst status.
  returned: success
  type: dict
  contains:
    ok:
      description: Healthy objects, counted over all checks.
      type: int
      returned: success
    warning:
      description: Findings with this status.
      type: int
      returned: success
    critical:
      description: Findings with this status.
      type: int
      returned: success
    unknown:
      description: Findings with this status.
      type: int
      returned: success
    total:
      description: All of them.
      type: int
      returned: success
    worst:
      description: The worst status, V(unknown) also where a check was not seen.
      type: str
      returned: success
  sample: {ok: 2711, warning: 1, critical: 1, unknown: 0, total: 2713, worst: critical}
coverage:
  description: One row a check, so that nothing is silently left out.
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description: Id of the check.
      type: str
      returned: success
    objects:
      description: Number of objects that were judged by it.
      type: int
      returned: success
    status:
      description: The worst status among them.
      type: str
      returned: success
    seen:
      description: Whether the check could be answered.
      type: bool
      returned: success
    reason:
      description: Why it could not, else null.
      type: str
      returned: success
facts:
  description: Headline numbers. Empty where the API server could not be asked, and without those that were not seen.
  returned: success
  type: dict
  contains:
    version:
      description: Version of the API server.
      type: str
      returned: when the API server answered
    server:
      description: URL of the API server.
      type: str
      returned: when the API server answered
    rollouts:
      description:
        - Deployments that got a new version in the last 24 hours, the latest first and 50 at most, as C(object) and
          C(at) (the ISO time at which the Deployment last progressed).
      type: list
      elements: dict
      returned: when the API server answered
      sample: [{object: us-east-1/nexus-auth/Deployment/auth-service, at: '2026-11-22T14:02:11Z'}]
    nodes:
      description: Number of nodes, null where they may not be listed.
      type: int
      returned: when the API server answered
    nodes_ready:
      description: Nodes that are ready, null where they may not be listed.
      type: int
      returned: when the API server answered
    pods_ready:
      description: Pods that are ready.
      type: int
      returned: when pods were listed
    pods_total:
      description: Pods that should be ready, which leaves out what has finished or is being deleted.
      type: int
      returned: when pods were listed
    deployments:
      description: Number of Deployments.
      type: int
      returned: when Deployments were listed
    deployments_wanted:
      description: Deployments that are not scaled to 0.
      type: int
      returned: when Deployments were listed
    deployments_available:
      description: Deployments of RV(facts.deployments_wanted) with all their replicas available.
      type: int
      returned: when Deployments were listed
    cpu_percent:
      description: Used share of the allocatable CPU of the measured nodes, null where none was measured.
      type: float
      returned: when nodes were measured
    memory_percent:
      description: Used share of the allocatable memory of the measured nodes, null where none was measured.
      type: float
      returned: when nodes were measured
  sample:
    version: v1.36.3
    server: https://203.0.113.10:6443
    nodes: 6
    nodes_ready: 6
    pods_ready: 113
    pods_total: 113
    deployments: 43
    deployments_wanted: 43
    deployments_available: 43
    cpu_percent: 22.1
    memory_percent: 41.8
recorded_at:
  description: When the judged recording was made (ISO 8601, UTC), null for a live look.
  returned: success
  type: str
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._core.argspec import ArgSpec, observe_spec
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.observe import observe
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.access import connection_spec
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.collect import collect
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.evaluate import evaluate

NAME = "k8s_health"


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec({"log_lines": {"type": "int", "default": 15}})
    return observe_spec(30.0).merge(connection_spec()).merge(own)


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    """Look and judge."""
    return observe(NAME, params, CHECKS, BY_ID, lambda: collect(params), evaluate)


def main() -> None:
    """Wire options, the look and the judge together."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        result = run(module.params)
    except OptionError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
