#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thin: options, documentation, wiring. The work is done in module_utils/_alerts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: alerts_info
short_description: Tell what fires, what came and went overnight, what flaps and what is silenced
version_added: 0.1.0
description:
  - Asks an Alertmanager what fires now, and the Prometheus that sends to it what came and went since a time.
  - Alerts are grouped by cause, that is the name of the alert and what it is about, so that twelve pods of one service
    are one line. The label C(severity) decides the status (O(severities)).
  - Flapping is counted, not guessed. It is the number of times that a cause fired within O(flapping_window), from the
    samples of every evaluation.
  - Silences are told with author, comment and end. One that hides every alert, that lasts too long, or that ends while
    what it hides still fires is a finding.
  - Says as well whether an alert would arrive at all. The dead man's switch (O(watchdog)), Prometheus without an
    Alertmanager, alerts that are lost on the way, notifications that fail and a configuration that could not be loaded
    are checks of their own.
  - A firing alert is data, not a failure of the task. The task fails only on wrong options.
extends_documentation_fragment:
  - nexuscos.ops.observe
  - nexuscos.ops.web
options:
  prometheus_url:
    description:
      - Base URL of the Prometheus that sends its alerts here. Without it nobody asks what came and went, and what
        flaps.
    type: str
  prometheus_token:
    description:
      - Bearer token for Prometheus. Mutually exclusive with O(prometheus_username).
    type: str
  prometheus_username:
    description:
      - User for Prometheus, with basic authentication.
    type: str
  prometheus_password:
    description:
      - Password of O(prometheus_username).
    type: str
  prometheus_connect_to:
    description:
      - Address, or address and port, to connect to instead of the host of O(prometheus_url).
    type: str
  since:
    description:
      - How far to look back, as a duration (V(24h), V(90m)) or as a time in ISO 8601, which is UTC where it names no
        zone.
    type: str
    default: 24h
  flapping_window:
    description:
      - Time before now in which the firings of a cause are counted (C(alerts.flapping)).
    type: str
    default: 1h
  notification_window:
    description:
      - Time before now in which failed notifications are counted, where Prometheus scrapes Alertmanager. Elsewhere they
        are those since Alertmanager was started.
    type: str
    default: 15m
  group_by:
    description:
      - Labels that say what an alert is about; the first that it has is the one.
    type: list
    elements: str
    default: [service, host, instance, namespace, job]
  severities:
    description:
      - Status of a finding by the label C(severity) of its alert. One that is not named here, or missing, is a warning.
    type: dict
    default: {critical: critical, error: critical, page: critical, warning: warning, info: ok, none: ok}
  watchdog:
    description:
      - Name of an alert that always fires. That it is missing says that no other would arrive either.
    type: str
    default: ''
  expected_peers:
    description:
      - Members that the cluster of Alertmanagers must have. V(0) is not asked.
    type: int
    default: 0
  expiring:
    description:
      - A silence that ends within this time, while what it hides still fires, is a warning.
    type: str
    default: 2h
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
  - Needs nothing but the Python standard library. Only reads, with C(GET), from version 2 of Alertmanager's API.
  - Alertmanager's configuration, which holds credentials, is asked for and not kept. The e-mail address of who made a
    silence is told by its name alone.
author:
  - Nexus COS operations (@nexuscos)
seealso:
  - module: nexuscos.ops.metrics_health
"""

EXAMPLES = r"""
- name: What fires, and what happened since yesterday evening
  nexuscos.ops.alerts_info:
    target: mon1
    url: https://alertmanager.nexuscos.example.com
    prometheus_url: https://prometheus.nexuscos.example.com
    since: 14h
    watchdog: Watchdog
  register: overnight

- name: Only what fires now
  nexuscos.ops.alerts_info:
    target: mon1
    url: http://198.51.100.51:9093
    checks: [alerts.reachable, alerts.firing]

- name: Alerts of a team that names its severities otherwise
  nexuscos.ops.alerts_info:
    target: mon1
    url: http://198.51.100.51:9093
    group_by: [app, instance]
    severities: {sev1: critical, sev2: critical, sev3: warning, sev4: ok}

- name: Judge what another run has recorded
  nexuscos.ops.alerts_info:
    target: mon1
    replay_from: bundle/mon1/alerts_info.json.gz
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
      sample: alerts.firing
    object:
      description: O(target), the name of the alert and what it is about; O(target) alone for Alertmanager itself.
      type: str
      returned: success
      sample: mon1/HighErrorRate/auth-service
    status:
      description: V(warning), V(critical) or V(unknown), with O(include_ok) also V(ok).
      type: str
      returned: success
      sample: critical
    title:
      description: One sentence.
      type: str
      returned: success
      sample: "HighErrorRate fires since 05:41 UTC: auth-service answers 3.2% of its requests with an error"
    value:
      description: What was measured, null where there is no number.
      type: float
      returned: success
    unit:
      description: Unit of RV(findings[].value).
      type: str
      returned: success
      sample: alerts
    target:
      description: What good is.
      type: float
      returned: success
      sample: 3
    alert:
      description: What is not acceptable.
      type: float
      returned: success
      sample: 5
    evidence:
      description:
        - Labels, severity, since when, the address of the expression, and the service where the alert names one; for a
          silence its author, comment and end. Redacted.
      type: dict
      returned: success
      sample:
        alertname: HighErrorRate
        severity: critical
        service: auth-service
        since: '2026-11-29T05:41:12.104Z'
        alerts: 1
    remedy:
      description: The next step.
      type: str
      returned: success
    runbook:
      description: File and heading of the runbook line.
      type: str
      returned: success
      sample: daily:morning-start-of-business-day
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
      description: Version of Alertmanager, null where it does not say it.
      type: str
      returned: success
    cluster:
      description: State of its cluster, C(disabled) where it stands alone.
      type: str
      returned: success
    peers:
      description: Members of its cluster.
      type: int
      returned: success
    alerts_firing:
      description: Causes that fire, that nobody has silenced, and whose severity is more than informative.
      type: int
      returned: success
    silenced:
      description: Causes that fire and are silenced.
      type: int
      returned: success
    inhibited:
      description: Causes that fire and are held back by another alert.
      type: int
      returned: success
    alerts_came_and_went:
      description: Causes that fired since RV(facts.since) and ended, null where nobody knows.
      type: int
      returned: success
    alerts_flapping:
      description: Causes that flap, null where nobody knows.
      type: int
      returned: success
    silences:
      description: Silences in force.
      type: int
      returned: success
    since:
      description: Time that was looked back to.
      type: str
      returned: success
    took_ms:
      description: How long the look took.
      type: float
      returned: success
  sample: {version: 0.25.0, cluster: disabled, peers: 0, alerts_firing: 3, alerts_came_and_went: 11,
    alerts_flapping: 2, silenced: 1, inhibited: 0, silences: 1, since: '2026-11-28T06:00:00Z', took_ms: 38.0}
alerts:
  description: What fires, by cause, worst first; silenced and inhibited ones, too. At most 200.
  returned: success
  type: list
  elements: dict
  contains:
    object:
      description: As in findings.
      type: str
      returned: success
    alertname:
      description: Name of the alert.
      type: str
      returned: success
    service:
      description: Service that it names, null where it names none.
      type: str
      returned: success
    about:
      description: Label and value that say what it is about.
      type: dict
      returned: success
    severity:
      description: Its label C(severity), null where it has none.
      type: str
      returned: success
    status:
      description: What that means here.
      type: str
      returned: success
    state:
      description: V(active), V(silenced) or V(inhibited).
      type: str
      returned: success
    alerts:
      description: Number of alerts with this cause.
      type: int
      returned: success
    since:
      description: When the first of them began.
      type: str
      returned: success
    silenced_by:
      description: Ids of the silences.
      type: list
      elements: str
      returned: success
    summary:
      description: Its annotation.
      type: str
      returned: success
    expression:
      description: Address of its expression in Prometheus.
      type: str
      returned: success
resolved:
  description: What came and went since O(since), by cause, the latest first. At most 200.
  returned: success
  type: list
  elements: dict
  contains:
    object:
      description: As in findings.
      type: str
      returned: success
    alertname:
      description: Name of the alert.
      type: str
      returned: success
    service:
      description: Service that it names, null where it names none.
      type: str
      returned: success
    severity:
      description: Its label C(severity), null where it has none.
      type: str
      returned: success
    times:
      description: How many times it fired and ended.
      type: int
      returned: success
    first:
      description: When the first of them began.
      type: str
      returned: success
    last:
      description: When the last of them ended.
      type: str
      returned: success
    seconds:
      description: How long they lasted together, to the step that the past is read in.
      type: int
      returned: success
    firing:
      description: Whether it fires again.
      type: bool
      returned: success
    flapping:
      description: Whether it flaps.
      type: bool
      returned: success
silences:
  description: Silences that are in force or to come, and those that ended since O(since).
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its id.
      type: str
      returned: success
    state:
      description: V(active), V(pending) or V(expired).
      type: str
      returned: success
    matchers:
      description: What it matches, as amtool writes it.
      type: str
      returned: success
    author:
      description: Who made it.
      type: str
      returned: success
    comment:
      description: Why.
      type: str
      returned: success
    starts:
      description: When it begins.
      type: str
      returned: success
    ends:
      description: When it ends.
      type: str
      returned: success
    alerts:
      description: Names of the firing alerts that it holds.
      type: list
      elements: str
      returned: success
recorded_at:
  description: When the judged recording was made (ISO 8601, UTC), null for a live look.
  returned: success
  type: str
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.nexuscos.ops.plugins.module_utils._alerts.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._alerts.collect import collect
from ansible_collections.nexuscos.ops.plugins.module_utils._alerts.evaluate import evaluate
from ansible_collections.nexuscos.ops.plugins.module_utils._alerts.options import alerts_spec, read
from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._core.argspec import ArgSpec, observe_spec
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.observe import observe
from ansible_collections.nexuscos.ops.plugins.module_utils._core.web import web_spec

NAME = "alerts_info"


def spec() -> ArgSpec:
    """The options of this module."""
    return (
        observe_spec(deadline=20.0)
        .merge(web_spec())
        .merge(alerts_spec())
        .merge(ArgSpec({}, required_one_of=[("url", "replay_from")]))
    )


def run(params: dict[str, Any]) -> dict[str, Any]:
    """Look, or judge a recording; returns the module's return values without ``changed``."""
    options = read(params, time.time())
    told: dict[str, Any] = {}
    result = observe(
        NAME,
        params,
        CHECKS,
        BY_ID,
        lambda: collect(options),
        lambda observation, judge: evaluate(observation, judge, told),
    )
    return {**result, **told}


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
