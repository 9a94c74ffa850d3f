#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a Grafana."""

from __future__ import annotations

DOCUMENTATION = r"""
module: grafana_health
short_description: Judge whether a Grafana, its data sources and its dashboards are there
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Asks a Grafana for its health, whether each of its data sources answers, and whether the dashboards that people
    need exist, open, and know their data sources. A few requests, side by side; nothing is changed.
  - Each finding has a link that opens Grafana over the time that was asked about, so that the next click shows it.
  - A Grafana that refuses, hangs, or is gone behind its proxy is down, and C(grafana.reachable) is critical. Where
    nothing comes back at all (time-out, no route, no name), C(grafana.reachable) is unknown. One that answers and does
    not let the token in is reachable, and C(grafana.access) is unknown.
options:
  deadline:
    default: 20.0
  dashboards:
    description:
      - Titles or uids of the dashboards that must exist and open. Without them dashboards are only counted.
    type: list
    elements: str
    default: []
  datasources:
    description:
      - Names or uids of data sources that must exist. Those that exist are judged in any case.
    type: list
    elements: str
    default: []
  ignore_datasources:
    description:
      - Names or globs of data sources that need not answer.
    type: list
    elements: str
    default: []
  link_url:
    description:
      - Address under which people open Grafana, for links. Left out, it is O(url).
    type: str
  link_hours:
    description:
      - Hours before the look that links show.
    type: float
    default: 12.0
extends_documentation_fragment:
  - nexuscos.ops.observe
  - nexuscos.ops.web
notes:
  - 'Rights: a token of a service account with the role Viewer, and the permission C(datasources:read). Without that
    permission data sources are reported as not seen.'
  - A data source whose plugin has no health check cannot be asked, and is not judged.
seealso:
  - module: community.grafana.grafana_dashboard
  - module: nexuscos.ops.elasticsearch_health
"""

EXAMPLES = r"""
- name: Look at the Grafana of the platform
  nexuscos.ops.grafana_health:
    target: grafana
    url: https://monitoring.nexuscos.example.com
    token: "{{ vault_grafana_token }}"
    dashboards: [Platform overview, Databases]
    datasources: [Prometheus]
  register: grafana

- name: Ask it in the cluster, and link to where people see it
  nexuscos.ops.grafana_health:
    target: grafana
    url: http://grafana.monitoring.svc:3000
    link_url: https://monitoring.nexuscos.example.com
    link_hours: 24
    username: viewer
    password: "{{ vault_grafana_password }}"

- name: Judge what was recorded during the incident
  nexuscos.ops.grafana_health:
    target: grafana
    replay_from: evidence/grafana-2026-11-22.json.gz
    dashboards: [Platform overview, Databases]
"""

RETURN = r"""
findings:
  description: What is not well, worst first. With O(include_ok), what is well after it.
  returned: always
  type: list
  elements: dict
  contains:
    check:
      description: Id of the check.
      type: str
      returned: always
      sample: grafana.datasource
    object:
      description: What it is about.
      type: str
      returned: always
      sample: grafana/Prometheus
    status:
      description: V(ok), V(warning), V(critical) or V(unknown).
      type: str
      returned: always
      sample: critical
    title:
      description: The finding in a sentence.
      type: str
      returned: always
      sample: "the data source Prometheus does not answer"
    value:
      description: The number that was judged, or null.
      type: float
      returned: always
      sample: null
    unit:
      description: Its unit, or null.
      type: str
      returned: always
      sample: null
    target:
      description: What good is, or null.
      type: float
      returned: always
      sample: null
    alert:
      description: What is not acceptable, or null.
      type: float
      returned: always
      sample: null
    evidence:
      description: 'What Grafana said, and C(link): the page to open, with its time range.'
      type: dict
      returned: always
      sample: {link: 'https://monitoring.nexuscos.example.com/d/platform/overview?from=1795284000000&to=1795327200000'}
    remedy:
      description: The next step.
      type: str
      returned: always
      sample: "open the link and press Save and test"
    runbook:
      description: File and heading of the runbook.
      type: str
      returned: always
      sample: "daily:accessing-dashboards"
    fingerprint:
      description: SHA-256 of check and object.
      type: str
      returned: always
      sample: 9f86d081884c7d659a2feaa0c55ad015
    caused_by:
      description: Fingerprint of the finding that explains this one, or null.
      type: str
      returned: always
      sample: null
    recorded_at:
      description: Time of the recording that was judged; null of a live look.
      type: str
      returned: always
      sample: null
summary:
  description: Counts of objects by status, and the worst status. A check that was not seen counts as V(unknown) there.
  returned: always
  type: dict
  contains:
    ok:
      description: Objects that are well.
      type: int
      returned: always
      sample: 21
    warning:
      description: Findings with this status.
      type: int
      returned: always
      sample: 1
    critical:
      description: Findings with this status.
      type: int
      returned: always
      sample: 0
    unknown:
      description: Findings with this status.
      type: int
      returned: always
      sample: 0
    total:
      description: All of these.
      type: int
      returned: always
      sample: 22
    worst:
      description: The worst status.
      type: str
      returned: always
      sample: warning
coverage:
  description: One row for each check.
  returned: always
  type: list
  elements: dict
  contains:
    check:
      description: Id of the check.
      type: str
      returned: always
      sample: grafana.datasource
    objects:
      description: How many objects were looked at.
      type: int
      returned: always
      sample: 1
    status:
      description: The worst status among them.
      type: str
      returned: always
      sample: unknown
    seen:
      description: Whether the check could be answered.
      type: bool
      returned: always
      sample: false
    reason:
      description: Why not, or null.
      type: str
      returned: always
      sample: "Grafana did not list its datasources"
facts:
  description: Headline numbers.
  returned: always
  type: dict
  contains:
    version:
      description: Version of Grafana, or null.
      type: str
      returned: when seen
      sample: 11.2.0
    datasources:
      description: How many data sources there are, or null.
      type: int
      returned: when seen
      sample: 2
    datasources_unknown:
      description: How many of them could not be asked.
      type: int
      returned: when seen
      sample: 0
    dashboards:
      description: How many dashboards there are, or null.
      type: int
      returned: when seen
      sample: 14
recorded_at:
  description: Time of the recording that was judged, in UTC; null of a live look.
  returned: always
  type: str
  sample: '2026-11-22T06:00:00Z'
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _catalogue
from ..module_utils._core.argspec import ArgSpec, observe_spec
from ..module_utils._core.errors import OpsError, OptionError
from ..module_utils._core.observe import observe
from ..module_utils._core.web import Web, web_spec
from ..module_utils._grafana import checks, collect, evaluate

NAME = "grafana_health"
DEADLINE = 20.0


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec(
        {
            "dashboards": {"type": "list", "elements": "str", "default": []},
            "datasources": {"type": "list", "elements": "str", "default": []},
            "ignore_datasources": {"type": "list", "elements": "str", "default": []},
            "link_url": {"type": "str"},
            "link_hours": {"type": "float", "default": 12.0},
        },
        required_one_of=[("url", "replay_from")],
    )
    return observe_spec(DEADLINE).merge(web_spec()).merge(own)


def main() -> None:
    """Wire options, look and judgement."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        module.exit_json(changed=False, **run(module.params))
    except OpsError as error:
        module.fail_json(msg=str(error))


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    """Look and judge."""
    if not 0 < params["link_hours"] <= 8784:
        raise OptionError("link_hours: want more than 0 and at most 8784 hours, got {:g}".format(params["link_hours"]))

    def look() -> dict[str, Any]:
        client = Web(params, params["deadline"])
        links = {"url": params["link_url"] or params["url"], "hours": params["link_hours"]}
        return collect.collect(client, params["dashboards"], params["ignore_datasources"], links)

    expect = evaluate.Expect(
        tuple(params["dashboards"]), tuple(params["datasources"]), tuple(params["ignore_datasources"])
    )
    return observe(
        NAME,
        params,
        checks.CHECKS,
        _catalogue.BY_ID,
        look,
        lambda observation, judge: evaluate.evaluate(observation, judge, expect),
    )


if __name__ == "__main__":
    main()
