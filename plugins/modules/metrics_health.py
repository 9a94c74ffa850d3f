#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thin: options, documentation, wiring. The work is done in module_utils/_metrics."""

from __future__ import annotations

DOCUMENTATION = r"""
module: metrics_health
short_description: Judge a platform by its objectives in Prometheus, and whether Prometheus itself can be believed
version_added: 0.1.0
description:
  - Asks Prometheus, in a few requests side by side, for the runbook's key metrics and for objectives of your own, and
    judges each object against target and alert. Every finding states the window that it was measured over.
  - What is not there is not good. No data, series that ended and samples that are too old are C(unknown). A service
    without any traffic, whose share of errors would be 0/0, is told apart from both (O(no_traffic)).
  - A service that never failed has no series of errors at all, so that a plain division would silently drop it. The
    built-in queries give it 0 %.
  - Counters are read with C(rate()) and C(increase()), which take a restarted process for a counter that began anew.
  - Judges Prometheus as well, because numbers are worth what their source is. Its configuration, rules, storage,
    targets and the age of its newest samples are checks of their own.
  - An objective that is not kept is data, not a failure of the task. The task fails only on wrong options, and a query
    that Prometheus cannot read is one.
extends_documentation_fragment:
  - nexuscos.ops.observe
  - nexuscos.ops.web
options:
  standard:
    description:
      - The built-in objectives to ask, out of V(error_rate) and V(latency) (by service, from C(http_requests_total) and
        C(http_request_duration_seconds_bucket)), V(cpu) and V(memory) (by host, from the node exporter), and
        V(connections) (by host, from the PostgreSQL exporter).
      - Leave out what nobody exports, else it is reported as C(unknown).
    type: list
    elements: str
    default: [error_rate, latency, cpu, memory, connections]
  window:
    description:
      - Time that rates are measured over, as PromQL writes it. At least four times the scrape interval.
    type: str
    default: 5m
  service_label:
    description:
      - Label that names the service of the catalogue.
    type: str
    default: service
  host_label:
    description:
      - Label that names the host in the objects of V(cpu), V(memory) and V(connections).
    type: str
    default: instance
  min_traffic:
    description:
      - Requests in the window below which the built-in objectives by service are not judged. One failed request of two
        is no error rate.
    type: float
    default: 10.0
  no_traffic:
    description:
      - Status of a service without any request in the window.
    type: str
    choices: [ok, unknown]
    default: ok
  service_jobs:
    description:
      - Scrape jobs whose targets are instances of services. They are judged service by service (C(metrics.service_up)),
        the targets of all other jobs job by job (C(metrics.target_down)).
    type: list
    elements: str
    default: [nexus-cos-services]
  services:
    description:
      - Services that must have at least one target in O(service_jobs).
    type: list
    elements: str
    default: []
  expected_jobs:
    description:
      - Scrape jobs that must have at least one target.
    type: list
    elements: str
    default: []
  objectives:
    description:
      - Objectives of your own. Each is a query that gives one number an object, with the line that it must keep.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name in findings, unique, without C(/).
        type: str
        required: true
      query:
        description:
          - PromQL that gives an instant vector or a scalar. C($window) stands for the window.
          - Give the left side of a division what only the right side has, as in C(a or 0 * b), else objects disappear.
        type: str
        required: true
      unit:
        description: Unit of the number, for the report.
        type: str
        default: ''
      target:
        description: What good is. There is no warning without it.
        type: float
      alert:
        description: What is not acceptable. The objective is never critical without it.
        type: float
      direction:
        description: Whether values V(above) or V(below) the lines are bad.
        type: str
        choices: [above, below]
        default: above
      window:
        description: Window of this objective, instead of the module's O(window).
        type: str
      labels:
        description: Labels whose values name the object. All labels of the series when it is empty.
        type: list
        elements: str
        default: []
      service_label:
        description: Label that names the service of the catalogue, instead of the module's O(service_label).
        type: str
      traffic:
        description: PromQL of how much happened in the window, by the same labels.
        type: str
        default: ''
      min_traffic:
        description: Amount of O(objectives[].traffic) below which the number is not judged.
        type: float
        default: 0.0
      no_traffic:
        description: Status of an object with nothing to measure, whose number is C(NaN).
        type: str
        choices: [ok, unknown]
        default: unknown
      fresh:
        description:
          - Selector, such as C(queue_messages{vhost="/"}), of the series that the query is made of. With it an object
            whose newest sample is too old (C(metrics.stale)) is C(unknown).
        type: str
        default: ''
  deadline:
    description:
      - Seconds that the whole look may take. What was not seen by then is reported as not seen, never as healthy.
    type: float
    default: 20.0
attributes:
  platform:
    description: Where it runs.
    platforms: posix
    support: full
notes:
  - Needs nothing but the Python standard library. Only reads, with C(GET).
  - Works with what speaks Prometheus' API, such as Thanos and VictoriaMetrics. What they do not have (their own
    configuration, targets) is left out or reported as not seen.
  - A recording is judged by the objectives that it was made with.
author:
  - Nexus COS operations (@nexuscos)
seealso:
  - module: nexuscos.ops.alerts_info
"""

EXAMPLES = r"""
- name: The runbook's key metrics, over five minutes
  nexuscos.ops.metrics_health:
    target: mon1
    url: https://prometheus.nexuscos.example.com
    ca_path: /etc/ssl/certs/ca-certificates.crt
    expected_jobs: [node, postgres, nexus-cos-services]

- name: Objectives of our own beside the error rate
  nexuscos.ops.metrics_health:
    target: mon1
    url: http://198.51.100.51:9090
    username: ops
    password: "{{ prometheus_password }}"
    standard: [error_rate]
    window: 10m
    objectives:
      - name: queue
        query: sum by (queue) (rabbitmq_queue_messages_ready)
        labels: [queue]
        unit: messages
        target: 1000
        alert: 10000
        fresh: rabbitmq_queue_messages_ready
      - name: cache-hits
        query: >-
          100 * sum by (service) (rate(cache_hits_total[$window]))
          / sum by (service) (rate(cache_requests_total[$window]))
        labels: [service]
        unit: "%"
        direction: below
        target: 90
        alert: 70
        no_traffic: ok
    thresholds:
      metrics.error_rate:
        overrides:
          - {match: mon1/puabomusicchain, target: 0.5, alert: 2}

- name: Judge what another run has recorded
  nexuscos.ops.metrics_health:
    target: mon1
    replay_from: bundle/mon1/metrics_health.json.gz
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
      sample: metrics.error_rate
    object:
      description: O(target) and the service, host, job or objective; O(target) alone for Prometheus itself.
      type: str
      returned: success
      sample: mon1/auth-service
    status:
      description: V(warning), V(critical) or V(unknown), with O(include_ok) also V(ok).
      type: str
      returned: success
      sample: critical
    title:
      description: One sentence.
      type: str
      returned: success
      sample: "auth-service answers 3.2 % of its requests with an error (over 5m, 1,204 requests)"
    value:
      description: What was measured, null where there is no number.
      type: float
      returned: success
    unit:
      description: Unit of RV(findings[].value).
      type: str
      returned: success
      sample: "%"
    target:
      description: What good is.
      type: float
      returned: success
      sample: 0.1
    alert:
      description: What is not acceptable.
      type: float
      returned: success
      sample: 1
    evidence:
      description:
        - Query, window, address of its graph, labels, number of requests, and the service where the object is one; for
          targets and rules their errors. Redacted.
      type: dict
      returned: success
      sample:
        query: 100 * (…) / sum by (service) (rate(http_requests_total[5m]))
        window: 5m
        service: auth-service
        requests: 1204.0
    remedy:
      description: The next step.
      type: str
      returned: success
    runbook:
      description: File and heading of the runbook line.
      type: str
      returned: success
      sample: operations:high-error-rate
    fingerprint:
      description: SHA-256 of check and object, the same today and tomorrow.
      type: str
      returned: success
    caused_by:
      description: Fingerprint of the finding that explains this one, null here; the report finds causes.
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
  sample: {ok: 214, warning: 0, critical: 1, unknown: 0, total: 215, worst: critical}
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
  description: Headline numbers.
  returned: success
  type: dict
  contains:
    version:
      description: Version of Prometheus, null where it does not say it.
      type: str
      returned: success
    uptime_s:
      description: Seconds since Prometheus was started, null where it does not say it.
      type: int
      returned: success
    jobs:
      description: Scrape jobs with targets.
      type: int
      returned: success
    targets_up:
      description: Targets that answer.
      type: int
      returned: success
    targets_total:
      description: All targets that were asked.
      type: int
      returned: success
    targets_new:
      description: Targets that were found and not asked yet, null where there are none.
      type: int
      returned: success
    rules:
      description: Alerting and recording rules.
      type: int
      returned: success
    fed_s:
      description: Age of the newest scrape in seconds, null where there is none.
      type: float
      returned: success
    objectives_kept:
      description: Objects that keep their line, over all objectives.
      type: int
      returned: success
    objectives_total:
      description: Objects that were judged, or should have been.
      type: int
      returned: success
    without_traffic:
      description: Objects that were not judged because too little happened in the window.
      type: int
      returned: success
    took_ms:
      description: How long the look took.
      type: float
      returned: success
  sample: {version: 2.42.0, uptime_s: 86400, jobs: 6, targets_up: 43, targets_total: 43, targets_new: null, rules: 9,
    fed_s: 4.1, objectives_kept: 93, objectives_total: 93, without_traffic: 0, took_ms: 41.0}
recorded_at:
  description: When the judged recording was made (ISO 8601, UTC), null for a live look.
  returned: success
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._core.argspec import ArgSpec, observe_spec
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.observe import observe
from ansible_collections.nexuscos.ops.plugins.module_utils._core.web import web_spec
from ansible_collections.nexuscos.ops.plugins.module_utils._metrics.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._metrics.collect import collect
from ansible_collections.nexuscos.ops.plugins.module_utils._metrics.evaluate import evaluate
from ansible_collections.nexuscos.ops.plugins.module_utils._metrics.options import objectives_spec, read

NAME = "metrics_health"


def spec() -> ArgSpec:
    """The options of this module."""
    return (
        observe_spec(deadline=20.0)
        .merge(web_spec())
        .merge(objectives_spec())
        .merge(ArgSpec({}, required_one_of=[("url", "replay_from")]))
    )


def run(params: dict[str, Any]) -> dict[str, Any]:
    """Look, or judge a recording; returns the module's return values without ``changed``."""
    options = read(params)
    return observe(NAME, params, CHECKS, BY_ID, lambda: collect(options), evaluate)


def main() -> None:
    """Wire options, look and judgement together."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        result = run(module.params)
    except OptionError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
