#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thin: options, documentation, wiring. The work is done in module_utils/_http."""

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_health
short_description: Look at any number of HTTP endpoints at once and say what is wrong with them
version_added: 0.1.0
description:
  - Asks all endpoints side by side from one process; judges reachability, TLS, redirects, status, content and latency.
  - Name resolution, TCP, TLS and HTTP errors are told apart, each with the times of the phases as evidence and with a
    next step. An endpoint is reported by the first stage that fails, so that a dead one is one finding.
  - Every sample is a request on a connection of its own, so that the replicas behind an address take turns.
    The samples of one endpoint are taken one after the other.
  - A dead or slow endpoint costs the others nothing. What was not reached by O(deadline) is C(unknown), never healthy.
  - An unhealthy endpoint is data, not a failure of the task. The task fails only on wrong options.
extends_documentation_fragment:
  - nexuscos.ops.observe
options:
  endpoints:
    description:
      - The endpoints to ask. Needed unless O(replay_from) is set, where the recorded ones are judged.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name in findings, unique in the list, without C(/).
        type: str
        required: true
      url:
        description: Absolute URL with C(http) or C(https). A user name or password in it is refused.
        type: str
        required: true
      method:
        description: HTTP method.
        type: str
        default: GET
      headers:
        description: Request headers. Values show up in no report, but are not treated as secrets.
        type: dict
        default: {}
      secret_headers:
        description: Request headers whose values are secrets. A redirect to another host does not get them.
        type: dict
        default: {}
      username:
        description: User name for basic authentication. Mutually exclusive with O(endpoints[].token).
        type: str
      password:
        description: Password for basic authentication.
        type: str
      token:
        description: Bearer token.
        type: str
      body:
        description: Request body, sent as UTF-8 as it is. Set its C(Content-Type) in O(endpoints[].headers).
        type: str
      status:
        description:
          - Wanted statuses, each as C(200), C(200-299) or C(2xx).
          - A redirect whose status is wanted is not followed.
        type: list
        elements: str
        default: ['200-299']
      json:
        description: What must hold for fields of a JSON body. With a path alone the field must exist.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description:
              - Field, with dots between the levels, such as V(checks.postgresql.status). A number is the index of a
                list, a dot in a name is written V(\\.).
            type: str
            required: true
          equals:
            description: The field has this value.
            type: raw
          in:
            description: The field has one of these values.
            type: list
            elements: raw
          min:
            description: The field is a number, and at least this.
            type: float
          max:
            description: The field is a number, and at most this.
            type: float
          exists:
            description: Whether the field must be there (V(true)) or must not be there (V(false)).
            type: bool
      text:
        description: Texts that must occur in the body, each as it is.
        type: list
        elements: str
        default: []
      validate_certs:
        description: Whether the certificate must be valid, trusted and made out to the name.
        type: bool
        default: true
      ca_path:
        description: File or folder with the authorities to trust for this endpoint, instead of the module's O(ca_path).
        type: path
      client_cert:
        description: File with the certificate to show to the server, in PEM.
        type: path
      client_key:
        description: File with the unencrypted key of O(endpoints[].client_cert), where that file does not hold it, too.
        type: path
      server_name:
        description: Name for SNI and for the verification of the certificate, where it is not the host of the URL.
        type: str
      connect_to:
        description:
          - Address, or address and port (V(198.51.100.7), V(198.51.100.7:8443), V([2001:db8::7]:443)), to connect to
            instead of the host of the URL. C(Host) header, SNI and verification stay those of the URL.
          - So a public name can be tested at the address of one edge, whatever the DNS says. It stands only for the
            URL's own host, not for others that redirects lead to.
        type: str
      timeout:
        description: Seconds for all that happens with this endpoint, instead of the module's O(timeout).
        type: float
      samples:
        description: Number of requests, instead of the module's O(samples).
        type: int
      follow_redirects:
        description:
          - V(same_host) follows redirects on the host of the URL, also from C(http) to C(https), and reports others.
          - V(all) follows to other hosts, too. V(none) judges the first answer.
          - A circle, more than 10 redirects, and one from C(https) to C(http) are reported in any case.
        type: str
        choices: [none, same_host, all]
        default: same_host
      max_body:
        description: Bytes to read of a body at most, before and after decompression. The rest is not read.
        type: int
        default: 1048576
      service:
        description: Name of the service of the catalogue that answers here. It links findings with their causes.
        type: str
  timeout:
    description:
      - Seconds for all that happens with one endpoint, redirects and samples included.
    type: float
    default: 5.0
  samples:
    description:
      - Number of requests to each endpoint, from 1 to 100. A request takes a new connection.
      - None is started later than one second after the first, so that a slow endpoint is not asked again and again.
        The number that was taken is in the evidence.
      - An endpoint with an answer past its latency target is asked up to 20 times within that second, so that the
        percentile is not that of one stray packet.
    type: int
    default: 3
  ca_path:
    description:
      - File or folder with the authorities to trust, in PEM. The system's authorities when it is not set.
    type: path
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
  - Needs nothing but the Python standard library. With the library C(cryptography), which ansible-core itself needs,
    findings about a refused certificate also show what is in it.
  - Speaks HTTP/1.1 and asks for no compression. Proxy variables of the environment are not used, since the
    endpoint itself is to be judged.
author:
  - Nexus COS operations (@nexuscos)
seealso:
  - module: ansible.builtin.uri
"""

EXAMPLES = r"""
- name: Health of two services, by their cluster addresses
  nexuscos.ops.endpoint_health:
    target: services-us-east-1
    endpoints:
      - name: auth-service
        service: auth-service
        url: http://10.96.0.17:3001/health
        json:
          - {path: status, in: [healthy, ok]}
          - {path: checks.postgresql.latency_ms, max: 50}
      - name: billing-service
        service: billing-service
        url: http://10.96.0.31:3020/health
        timeout: 2

- name: A public name at one edge, whatever the DNS says, and its redirect to https
  nexuscos.ops.endpoint_health:
    target: public
    ca_path: /etc/ssl/certs/ca-certificates.crt
    endpoints:
      - name: www
        url: https://nexuscos.example.com/
        connect_to: 198.51.100.61
        text: [Nexus COS]
      - name: www-redirect
        url: http://nexuscos.example.com/
        connect_to: 198.51.100.61
        status: ['301', '308']

- name: An API with a token, slower by nature
  nexuscos.ops.endpoint_health:
    target: api
    endpoints:
      - name: reports
        url: https://api.nexuscos.example.com/v1/reports?limit=1
        token: "{{ api_token }}"
        status: ['200']
    thresholds:
      endpoint.latency: {target: 800, alert: 2000}
  register: api

- name: Judge what another run has recorded
  nexuscos.ops.endpoint_health:
    target: public
    replay_from: bundle/public.json.gz
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
      sample: endpoint.status
    object:
      description: O(target) and the name of the endpoint.
      type: str
      returned: success
      sample: services-us-east-1/auth-service
    status:
      description: V(warning), V(critical) or V(unknown), with O(include_ok) also V(ok).
      type: str
      returned: success
      sample: critical
    title:
      description: One sentence.
      type: str
      returned: success
      sample: "auth-service answers 503; failing: postgresql"
    value:
      description: What was measured, null where there is no number.
      type: float
      returned: success
    unit:
      description: Unit of RV(findings[].value).
      type: str
      returned: success
      sample: ms
    target:
      description: What good is.
      type: float
      returned: success
      sample: 200
    alert:
      description: What is not acceptable.
      type: float
      returned: success
      sample: 500
    evidence:
      description:
        - URL, address, samples, times of the phases in ms, error, status, failing checks of the health document, and an
          excerpt of the body; redacted.
      type: dict
      returned: success
      sample:
        url: http://198.18.8.10:3001/health
        service: auth-service
        address: 198.18.8.10:3001
        samples: 3
        status: 503
        ms: {dns: 0.01, connect: 0.3, first_byte: 4.1, body: 0.1, total: 4.9}
        health: {status: unhealthy, checks: {postgresql: down}, failing: {postgresql: connection refused}}
    remedy:
      description: The next step.
      type: str
      returned: success
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
      description: Number of endpoints that were judged by it.
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
    endpoints_ok:
      description: Endpoints without a finding.
      type: int
      returned: success
    endpoints_total:
      description: Endpoints that were to be asked.
      type: int
      returned: success
    requests:
      description: Requests that were made.
      type: int
      returned: success
    slowest:
      description: Name and p95 in ms of the slowest endpoint that answered, null where none did.
      type: dict
      returned: success
  sample: {endpoints_ok: 43, endpoints_total: 43, requests: 129, slowest: {name: billing-service, p95_ms: 41.2}}
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
from ansible_collections.nexuscos.ops.plugins.module_utils._http.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._http.collect import look
from ansible_collections.nexuscos.ops.plugins.module_utils._http.evaluate import evaluate
from ansible_collections.nexuscos.ops.plugins.module_utils._http.spec import parse

_ASSERTION = {
    "path": {"type": "str", "required": True},
    "equals": {"type": "raw"},
    "in": {"type": "list", "elements": "raw"},
    "min": {"type": "float"},
    "max": {"type": "float"},
    "exists": {"type": "bool"},
}

NAME = "endpoint_health"

_ENDPOINT = {
    "name": {"type": "str", "required": True},
    "url": {"type": "str", "required": True},
    "method": {"type": "str", "default": "GET"},
    "headers": {"type": "dict", "default": {}},
    "secret_headers": {"type": "dict", "default": {}, "no_log": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "token": {"type": "str", "no_log": True},
    "body": {"type": "str"},
    "status": {"type": "list", "elements": "str", "default": ["200-299"]},
    "json": {"type": "list", "elements": "dict", "default": [], "options": _ASSERTION},
    "text": {"type": "list", "elements": "str", "default": []},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "server_name": {"type": "str"},
    "connect_to": {"type": "str"},
    "timeout": {"type": "float"},
    "samples": {"type": "int"},
    "follow_redirects": {"type": "str", "choices": ["none", "same_host", "all"], "default": "same_host"},
    "max_body": {"type": "int", "default": 1048576},
    "service": {"type": "str"},
}


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec(
        {
            "endpoints": {"type": "list", "elements": "dict", "options": _ENDPOINT},
            "timeout": {"type": "float", "default": 5.0},
            "samples": {"type": "int", "default": 3},
            "ca_path": {"type": "path"},
        },
        required_one_of=[("endpoints", "replay_from")],
    )
    return observe_spec(deadline=30.0).merge(own)


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    """Look and judge."""
    if not params["endpoints"] and not params["replay_from"]:
        raise OptionError("endpoints: the list is empty, there is nothing to look at")
    endpoints = parse(params["endpoints"] or (), params)
    return observe(NAME, params, CHECKS, BY_ID, lambda: look(endpoints, params, BY_ID), evaluate)


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
