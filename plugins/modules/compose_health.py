#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thin: options, documentation, wiring. The work is done in module_utils/_compose."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_health
short_description: Look at a Docker Compose project and say what is wrong with it
version_added: 0.1.0
description:
  - Finds the containers of a project by the labels that Compose gives them, over the API of the container engine, and
    judges state, replicas, exit codes, kills for memory, restarts, health, image and configuration drift, orphans,
    volumes and logs.
  - With O(project_src) it also asks Compose what the project's file says now. Without it, or where Compose is not
    there, a service is what has a container, and what only the file can tell is reported as not seen.
  - What is down is told once, by the check that says most about why, with the last lines of its log.
  - It only reads. An unhealthy project is data, not a failure of the task. The task fails only on wrong options.
extends_documentation_fragment:
  - nexuscos.ops.observe
options:
  project:
    description:
      - Name of the project, as C(docker compose ls) shows it. Needed unless O(replay_from) is set.
    type: str
  docker_host:
    description:
      - Where the engine listens, V(unix:///path) or V(tcp://host:port). V(https://host:port) speaks TLS.
    type: str
    default: unix:///var/run/docker.sock
  ca_path:
    description:
      - File of the authorities that the engine's certificate must chain to. With it V(tcp://) speaks TLS, too.
    type: path
  client_cert:
    description:
      - File with the certificate to show to the engine, in PEM.
    type: path
  client_key:
    description:
      - File with the unencrypted key of O(client_cert), where that file does not hold it, too.
    type: path
  project_src:
    description:
      - Folder of the project, on the host that the look is taken from. Empty, nobody asks what the file says.
    type: path
    default: ''
  files:
    description:
      - Compose files, relative to O(project_src) or absolute. Empty takes those that Compose takes by itself.
    type: list
    elements: str
    default: []
  env_files:
    description:
      - Files with the variables of the Compose files. Empty takes the C(.env) of O(project_src).
    type: list
    elements: str
    default: []
  compose_command:
    description:
      - Program that reads the file, with its first arguments. Compose 2.3 or newer.
    type: list
    elements: str
    default: [docker, compose]
  jobs:
    description:
      - Services that are meant to end, such as migrations. Those that another service waits for with
        C(service_completed_successfully) are known without it.
    type: list
    elements: str
    default: []
  log_lines:
    description:
      - Last log lines of a container in trouble to show, from 0 to 100, redacted.
    type: int
    default: 10
  volume_sizes:
    description:
      - Whether the engine is to add up the sizes of volumes. It reads all of their folders for that, which takes long
        where they are large.
    type: bool
    default: false
  timeout:
    description:
      - Seconds that the engine may be silent.
    type: float
    default: 5.0
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
  - Needs nothing but the Python standard library, and an account that may read the socket of the engine. That right is
    as good as root; where nobody but root has it, the task needs C(become).
  - Sizes of logs are those of the files of the C(json-file) driver, so that the look must be taken on the host of the
    engine to see them.
  - The hash of a configuration depends on the version of Compose, so that configuration drift is judged for containers
    that were made by the version that reads the file.
author:
  - Nexus COS operations (@nexuscos)
seealso:
  - module: nexuscos.ops.endpoint_health
"""

EXAMPLES = r"""
- name: Health of a project, with what its file says
  nexuscos.ops.compose_health:
    target: media1
    project: nexus-cos
    project_src: /opt/nexus-cos

- name: Without its file, and with a service that is meant to end
  nexuscos.ops.compose_health:
    target: media1
    project: nexus-cos
    jobs: [migrate]

- name: An engine on another machine, over TLS
  nexuscos.ops.compose_health:
    target: media2
    project: nexus-cos
    docker_host: tcp://media2.nexuscos.example.com:2376
    ca_path: /etc/docker/ca.pem
    client_cert: /etc/docker/cert.pem
    client_key: /etc/docker/key.pem

- name: Judge what another run has recorded
  nexuscos.ops.compose_health:
    target: media1
    replay_from: bundle/media1/compose_health.json.gz
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
      sample: compose.exited
    object:
      description: O(target), or O(target) and the name of a service, container or volume.
      type: str
      returned: success
      sample: media1/auth-service
    status:
      description: V(warning), V(critical) or V(unknown), with O(include_ok) also V(ok).
      type: str
      returned: success
      sample: critical
    title:
      description: One sentence.
      type: str
      returned: success
      sample: importer ended with exit code 4 23 min ago
    value:
      description: What was measured, null where there is no number.
      type: float
      returned: success
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
      sample: 3
    evidence:
      description:
        - Container, state, exit code, image, times, output of the last probe, last lines of the log; redacted.
      type: dict
      returned: success
      sample:
        project: nexus-cos
        service: importer
        container: nexus-cos-importer-1
        state: exited
        exit_code: 4
        last_lines: ["cannot start: connect to postgresql://nexus:[redacted]@db1/nexusdb: connection refused"]
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
  sample: {ok: 42, warning: 0, critical: 1, unknown: 0, total: 43, worst: critical}
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
  description: Headline numbers. Empty where the engine does not answer.
  returned: success
  type: dict
  contains:
    project:
      description: Name of the project.
      type: str
      returned: where the engine answers
    engine_version:
      description: Version of the engine.
      type: str
      returned: where the engine answers
    services:
      description: Services of the project.
      type: int
      returned: where the engine answers
    containers:
      description: Containers of the project, running or not.
      type: int
      returned: where the engine answers
    replicas_running:
      description: Replicas that run, and jobs that have ended well.
      type: int
      returned: where the engine answers
    replicas_wanted:
      description: Replicas and jobs that are wanted.
      type: int
      returned: where the engine answers
  sample:
    project: nexus-cos
    engine_version: 28.5.1
    services: 5
    containers: 6
    replicas_running: 6
    replicas_wanted: 6
recorded_at:
  description: When the judged recording was made (ISO 8601, UTC), null for a live look.
  returned: success
  type: str
"""

import ssl
import time
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._catalogue import BY_ID
from ..module_utils._compose import client, collect, file
from ..module_utils._compose.checks import CHECKS
from ..module_utils._compose.evaluate import evaluate
from ..module_utils._core.argspec import ArgSpec, observe_spec
from ..module_utils._core.errors import OptionError
from ..module_utils._core.observe import observe

NAME = "compose_health"
DEADLINE = 20.0


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec(
        {
            "project": {"type": "str"},
            "docker_host": {"type": "str", "default": "unix:///var/run/docker.sock"},
            "ca_path": {"type": "path"},
            "client_cert": {"type": "path"},
            "client_key": {"type": "path", "no_log": False},
            "project_src": {"type": "path", "default": ""},
            "files": {"type": "list", "elements": "str", "default": []},
            "env_files": {"type": "list", "elements": "str", "default": []},
            "compose_command": {"type": "list", "elements": "str", "default": ["docker", "compose"]},
            "jobs": {"type": "list", "elements": "str", "default": []},
            "log_lines": {"type": "int", "default": 10},
            "volume_sizes": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 5.0},
        },
        required_one_of=[("project", "replay_from")],
    )
    return observe_spec(DEADLINE).merge(own)


def main() -> None:
    """Wire options, look and judgement together."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        result = run(module.params)
    except OptionError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    """Look and judge."""
    if params["timeout"] <= 0:
        raise OptionError("timeout: want more than 0 seconds, got {}".format(params["timeout"]))
    if not 0 <= params["log_lines"] <= 100:
        raise OptionError("log_lines: want 0 to 100, got {}".format(params["log_lines"]))
    if not params["compose_command"]:
        raise OptionError("compose_command: want a program")
    where = client.address(params["docker_host"], tls=bool(params["ca_path"] or params["client_cert"]))
    context = _context(params) if where.tls and not params["replay_from"] else None
    source = file.Source(
        command=tuple(params["compose_command"]),
        folder=params["project_src"] or "",
        files=tuple(params["files"]),
        env_files=tuple(params["env_files"]),
        project=params["project"] or "",
    )
    options = collect.Options(
        project=params["project"] or "",
        source=source,
        log_lines=params["log_lines"],
        volume_sizes=params["volume_sizes"],
    )

    def look() -> dict[str, Any]:
        engine = client.Engine(where, time.monotonic() + params["deadline"], params["timeout"], context)
        return collect.collect(engine, options)

    return observe(
        NAME, params, CHECKS, BY_ID, look, lambda observation, judge: evaluate(observation, judge, params["jobs"])
    )


def _context(params: Mapping[str, Any]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=params["ca_path"])
        if params["client_cert"]:
            context.load_cert_chain(params["client_cert"], params["client_key"])
    except (OSError, ssl.SSLError) as error:
        raise OptionError(f"ca_path, client_cert, client_key: {error}") from error
    return context


if __name__ == "__main__":
    main()
