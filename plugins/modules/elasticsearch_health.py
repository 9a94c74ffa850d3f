#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge an Elasticsearch cluster and its Kibana."""

from __future__ import annotations

DOCUMENTATION = r"""
module: elasticsearch_health
short_description: Judge an Elasticsearch cluster, how fresh its documents are, and its Kibana
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Asks a cluster how it is (shards, disks, heaps, refused writes, read-only indices), and each index pattern for the
    age of its newest document. A handful of requests, side by side; nothing is changed, and no document is read but
    its time.
  - Documents that claim to be from the future are passed over, since one of them would hide that nothing comes any
    more.
  - Each finding has a link that opens Kibana over the time that was asked about, where O(kibana_url) or O(link_url)
    says where it is.
  - A cluster that refuses, hangs, or is gone behind its proxy is down, and C(elasticsearch.reachable) is critical.
    Where nothing comes back at all (time-out, no route, no name), it is unknown. One that answers and does not let the
    account in is reachable, and C(elasticsearch.access) is unknown.
options:
  deadline:
    default: 20.0
  api_key:
    description:
      - API key to log in with, encoded as Elasticsearch gives it out (C(encoded)). Excludes O(token) and O(username).
      - It is shown to Kibana, too.
    type: str
  indices:
    description:
      - Index patterns into which documents must flow. The lines for their age are those of C(elasticsearch.ingestion),
        whose overrides match C(target/name).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name in findings, unique in the list, without C(/).
        type: str
        required: true
      pattern:
        description: Index, alias or data stream, with wildcards; several with commas. Left out, it is the name.
        type: str
      timestamp:
        description: Field with the time of a document.
        type: str
        default: '@timestamp'
      data_view:
        description: Id of the data view in Kibana, for links. Left out, the pattern stands in the link.
        type: str
  kibana_url:
    description:
      - Base URL of the Kibana that belongs to the cluster. Left out, Kibana is not asked.
    type: str
  kibana_connect_to:
    description:
      - As O(connect_to), for O(kibana_url).
    type: str
  link_url:
    description:
      - Address under which people open Kibana, for links. Left out, it is O(kibana_url).
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
  - 'Rights: C(monitor) on the cluster, C(read) and C(view_index_metadata) on the indices. What is refused is reported
    as not seen.'
  - Speaks with Elasticsearch 7 and newer, and with what answers in the same way. Kibana 7 and 8 name their states
    differently, both are understood.
seealso:
  - module: nexuscos.ops.grafana_health
  - module: community.elastic.elastic_cluster_health
"""

EXAMPLES = r"""
- name: Look at the logs of the platform
  nexuscos.ops.elasticsearch_health:
    target: logs
    url: https://es.nexuscos.example.com:9200
    api_key: "{{ vault_elasticsearch_api_key }}"
    ca_path: /etc/ssl/certs/platform-ca.pem
    indices:
      - {name: services, pattern: logs-nexus-*}
      - {name: nginx, pattern: 'filebeat-*,nginx-*', data_view: 0c7b5c2e}
    kibana_url: https://logs.nexuscos.example.com
    thresholds:
      elasticsearch.ingestion:
        target: 120
        alert: 600
        overrides:
          - {match: logs/nginx, target: 1800, alert: 7200}
  register: logs

- name: Ask only whether anything comes in
  nexuscos.ops.elasticsearch_health:
    target: logs
    url: http://198.51.100.20:9200
    indices: [{name: services, pattern: logs-nexus-*}]
    checks: [elasticsearch.reachable, elasticsearch.access, elasticsearch.ingestion]

- name: Judge what was recorded during the incident
  nexuscos.ops.elasticsearch_health:
    target: logs
    replay_from: evidence/logs-2026-11-22.json.gz
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
      sample: elasticsearch.ingestion
    object:
      description: What it is about.
      type: str
      returned: always
      sample: logs/services
    status:
      description: V(ok), V(warning), V(critical) or V(unknown).
      type: str
      returned: always
      sample: critical
    title:
      description: The finding in a sentence.
      type: str
      returned: always
      sample: "the newest document of logs-nexus-* is 22 min old"
    value:
      description: The number that was judged, or null.
      type: float
      returned: always
      sample: 1320.0
    unit:
      description: Its unit, or null.
      type: str
      returned: always
      sample: s
    target:
      description: What good is, or null.
      type: float
      returned: always
      sample: 300
    alert:
      description: What is not acceptable, or null.
      type: float
      returned: always
      sample: 900
    evidence:
      description: 'What was seen, and C(link): the page to open, with its time range.'
      type: dict
      returned: always
      sample: {pattern: logs-nexus-*, newest: '2026-11-22T05:38:00Z'}
    remedy:
      description: The next step.
      type: str
      returned: always
      sample: "look at who ships there"
    runbook:
      description: File and heading of the runbook.
      type: str
      returned: always
      sample: "daily:log-analysis"
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
      sample: elasticsearch.ingestion
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
      sample: "status 403: not authorized"
facts:
  description: Headline numbers.
  returned: always
  type: dict
  contains:
    version:
      description: Version of Elasticsearch, or null.
      type: str
      returned: when seen
      sample: 8.15.1
    cluster:
      description: Name of the cluster.
      type: str
      returned: when seen
      sample: platform-logs
    nodes:
      description: How many nodes it has, or null.
      type: int
      returned: when seen
      sample: 3
    newest_document_s:
      description: Age of the newest document of the pattern that is most behind, or null.
      type: float
      returned: when seen
      sample: 4.2
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
from ..module_utils._elasticsearch import checks, collect, evaluate

NAME = "elasticsearch_health"
DEADLINE = 20.0


def spec() -> ArgSpec:
    """The options of this module."""
    index = {
        "name": {"type": "str", "required": True},
        "pattern": {"type": "str"},
        "timestamp": {"type": "str", "default": "@timestamp"},
        "data_view": {"type": "str"},
    }
    own = ArgSpec(
        {
            "api_key": {"type": "str", "no_log": True},
            "indices": {"type": "list", "elements": "dict", "default": [], "options": index},
            "kibana_url": {"type": "str"},
            "kibana_connect_to": {"type": "str"},
            "link_url": {"type": "str"},
            "link_hours": {"type": "float", "default": 12.0},
        },
        required_one_of=[("url", "replay_from")],
        mutually_exclusive=[("api_key", "token"), ("api_key", "username")],
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
    indices = _indices(params["indices"])

    def look() -> dict[str, Any]:
        headers = {"Authorization": f"ApiKey {params['api_key']}"} if params["api_key"] else {}
        client = Web(params, params["deadline"], headers)
        kibana = None
        if params["kibana_url"]:
            options = {**params, "url": params["kibana_url"], "connect_to": params["kibana_connect_to"]}
            try:
                kibana = Web(options, params["deadline"], headers)
            except OptionError as error:
                raise OptionError(f"kibana_url: {error}") from error
        links = {"url": params["link_url"] or params["kibana_url"] or "", "hours": params["link_hours"]}
        return collect.collect(client, kibana, indices, links)

    return observe(NAME, params, checks.CHECKS, _catalogue.BY_ID, look, evaluate.evaluate)


def _indices(given: Any) -> list[collect.Index]:
    found: dict[str, collect.Index] = {}
    for one in given:
        name, pattern = one["name"], one.get("pattern") or one["name"]
        if not name or "/" in name or name in found:
            raise OptionError(f"indices: each wants a name of its own, without '/', got {name!r}")
        if "/" in pattern or any(character.isspace() for character in pattern):
            raise OptionError(f"indices: {name}: the pattern has blanks or '/': {pattern!r}")
        found[name] = collect.Index(name, pattern, one.get("timestamp") or "@timestamp", one.get("data_view") or "")
    return list(found.values())


if __name__ == "__main__":
    main()
