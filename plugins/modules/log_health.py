#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thin: options, documentation, wiring. The work is done in module_utils/_logs and in the action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: log_health
short_description: Count the errors in the logs of a time window by what they say
version_added: 0.1.0
description:
  - Reads the logs of pods, files, the systemd journal and Compose projects, and counts errors by template, that is by
    what they say without ids, numbers, addresses and times. A thousand time-outs of a thousand users are one kind
    of error.
  - A line is an error by its level, where it says one, whatever words are in it. JSON and logfmt are read by their
    fields, other lines by the level in front and, where there is none, by words such as C(Exception) or C(panic).
  - The lines of a stack trace (Python, Java, Go, Node.js) are one event, which counts as what was raised in the end.
  - Looks where the logs are. Files and the journal are read on the host of the task with nothing but its Python; only
    counts and one sample of each kind come back.
  - Secrets and personal data (e-mail and public addresses, card, account and telephone numbers) are taken out before
    anything leaves the host.
  - Time, bytes, events and templates are bounded. What a limit has cut off is a finding, and what could not be
    read is C(unknown), so that nobody takes a part for the whole.
  - Errors are data, not a failure of the task. The task fails only on wrong options or a missing library.
extends_documentation_fragment:
  - nexuscos.ops.observe
options:
  sources:
    description:
      - Where the logs are. Each entry has one of C(pods), C(files), C(journal) and C(compose).
      - Needed unless O(replay_from) is set.
    type: list
    elements: dict
    suboptions:
      pods:
        description:
          - The logs of all containers of a cluster's pods, init containers included. One list call, then the logs
            side by side over eight connections. The account needs C(list) on pods and C(get) on C(pods/log).
        type: dict
        suboptions:
          kubeconfig:
            description: As in M(nexuscos.ops.k8s_health).
            type: path
          context:
            description: Context of the kubeconfig. Its current context where this is left out.
            type: str
          host:
            description: URL of the API server, over that of the kubeconfig.
            type: str
          token:
            description: Bearer token, over the credentials of the kubeconfig.
            type: str
          ca_file:
            description: File with the authorities that the API server's certificate is checked against.
            type: path
          validate_certs:
            description: Whether the API server's certificate is checked. Left out, the kubeconfig decides.
            type: bool
          namespaces:
            description: Namespaces to look at. An empty list looks at all of them.
            type: list
            elements: str
            default: []
          exclude_namespaces:
            description: Names or globs of namespaces to leave out.
            type: list
            elements: str
            default: []
          previous:
            description:
              - Whether the log of a container that ended within the window is read, too, after it was started
                again.
            type: bool
            default: true
      files:
        description:
          - Paths or globs of files. What was rotated (C(app.log.1), C(app.log-20261121.gz)) is found beside them,
            and counts for the same owner. Files that were not written to within the window are not opened.
          - C(gzip), C(bzip2) and C(xz) are read. In large files in the order of time the beginning of the window
            is looked for, not read up to.
        type: list
        elements: str
      exclude:
        description: Paths or globs of files to leave out.
        type: list
        elements: str
        default: []
      format:
        description:
          - V(auto) tells JSON lines from others, line by line. V(json) counts only what JSON documents say,
            V(plain) looks into no document.
        type: str
        choices: [auto, json, plain]
        default: auto
      journal:
        description: The systemd journal of the host.
        type: dict
        suboptions:
          units:
            description:
              - Names or globs of units to read completely, because what a service writes to its standard output
                all has one priority. Without any, the entries of the whole machine from
                O(sources[].journal.priority) on are read.
            type: list
            elements: str
            default: []
          priority:
            description: From this priority on an entry is an error, whatever it says.
            type: str
            choices: [emerg, alert, crit, err, warning, notice, info, debug]
            default: err
      compose:
        description: The containers of a Compose project, stopped ones included.
        type: dict
        suboptions:
          docker_host:
            description: Where the engine listens.
            type: str
            default: unix:///var/run/docker.sock
          project:
            description: Name of the project.
            type: str
            required: true
          services:
            description: Services to look at. An empty list looks at all of them.
            type: list
            elements: str
            default: []
      service:
        description:
          - Service of the catalogue that writes these files or this journal. It links findings with their causes.
            Pods, units and Compose services name theirs.
        type: str
  since:
    description:
      - Length of the window that ends now, as V(60s), V(15m), V(24h) or V(7d).
    type: str
    default: 24h
  max_events:
    description:
      - Errors that are counted at most.
    type: int
    default: 1000000
  max_templates:
    description:
      - Kinds of errors of one owner that are told apart at most.
    type: int
    default: 1000
  max_mb:
    description:
      - MiB of files, and of journal entries, that are read at most; the newest files come first.
    type: int
    default: 8192
  pod_lines:
    description:
      - Last lines that are read at most of the log of one container.
    type: int
    default: 20000
  pod_kb:
    description:
      - KiB that are read at most of the log of one container.
    type: int
    default: 8192
  min_events:
    description:
      - A kind of error with fewer events is neither called new nor rising, unless it is fatal.
    type: int
    default: 3
  previous:
    description:
      - A recording of this module of an earlier look, on the controller. What was not in it is new, what comes
        more often by the hour than in it is rising. Without this option nothing is called new.
      - Where there is no such file (yet), the two checks are reported as not seen.
    type: path
  deadline:
    description:
      - Seconds that the whole look may take. What was not seen by then is reported as not seen, never as healthy.
    type: float
    default: 60.0
attributes:
  platform:
    description: Where it runs.
    platforms: posix
    support: full
  action:
    description: Has an action plugin, so that some of the work is done on the controller.
    support: full
    details: O(record_to), O(replay_from) and O(previous) are files of the controller.
notes:
  - Files, journal and Compose need nothing but Python 3.9 or later on the host. Pods need urllib3 and PyYAML,
    which come with the library C(kubernetes), where the task runs.
  - A time without a zone is taken for local time of the host.
requirements:
  - urllib3 >= 1.26 and PyYAML, for pods
seealso:
  - module: nexuscos.ops.k8s_health
  - module: nexuscos.ops.compose_health
author:
  - Nexus COS operations (@nexuscos)
"""

EXAMPLES = r"""
- name: Errors of the last day in all pods of a cluster
  nexuscos.ops.log_health:
    target: us-east-1
    sources:
      - pods:
          kubeconfig: ~/.kube/config
          exclude_namespaces: [kube-system]
  delegate_to: localhost

- name: Errors of a host, compared with yesterday
  nexuscos.ops.log_health:
    target: host1
    sources:
      - files: [/var/log/nexus-cos/*.log, /var/log/nginx/error.log]
      - journal:
          units: ['nexus-cos-*']
    previous: yesterday/host1/log_health.json.gz
    record_to: today/host1/log_health.json.gz
    thresholds:
      logs.errors: {target: 50, alert: 500}
  become: true

- name: A Compose project, for the last hour
  nexuscos.ops.log_health:
    target: staging
    since: 1h
    sources:
      - compose:
          project: nexus-cos
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
      sample: logs.errors
    object:
      description: O(target) and the owner of the log, which is a workload, a file, a unit or a service of Compose.
      type: str
      returned: success
      sample: us-east-1/nexus-auth/Deployment/auth-service
    status:
      description: V(warning), V(critical) or V(unknown), with O(include_ok) also V(ok).
      type: str
      returned: success
      sample: critical
    title:
      description: One sentence.
      type: str
      returned: success
      sample: "auth-service logs 4812 errors in 24 h, 96 % of one kind: dial tcp <ip>: connect: connection refused"
    value:
      description: What was measured.
      type: float
      returned: success
      sample: 200.5
    unit:
      description: Unit of RV(findings[].value).
      type: str
      returned: success
      sample: errors/h
    target:
      description: What good is.
      type: float
      returned: success
      sample: 20
    alert:
      description: What is not acceptable.
      type: float
      returned: success
      sample: 200
    evidence:
      description:
        - The service, the number of events, and the first templates, each with its id, count, first and last time,
          one sample and the pods or files that it stood in; the trace of the first; redacted.
      type: dict
      returned: success
    remedy:
      description: The next step.
      type: str
      returned: success
    runbook:
      description: File and heading of the runbook line.
      type: str
      returned: success
      sample: daily:log-analysis
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
      description: Number of owners or sources that were judged by it.
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
    log_owners:
      description: Workloads, files, units or services whose logs were read.
      type: int
      returned: success
    log_owners_quiet:
      description: Those of them without an error.
      type: int
      returned: success
    log_events:
      description: Errors in the window.
      type: int
      returned: success
    log_templates:
      description: Kinds of errors.
      type: int
      returned: success
    log_new_templates:
      description: Kinds of errors that the earlier look did not see, null where nothing was compared.
      type: int
      returned: success
    log_bytes:
      description: Bytes that were read.
      type: int
      returned: success
    log_hours:
      description: Length of the window.
      type: float
      returned: success
  sample:
    {log_owners: 43, log_owners_quiet: 41, log_events: 4812, log_templates: 7, log_new_templates: 1, log_bytes: 910021,
     log_hours: 24}
recorded_at:
  description: When the judged recording was made (ISO 8601, UTC), null for a live look.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.remote import hand_over
from ansible_collections.nexuscos.ops.plugins.module_utils._logs import options
from ansible_collections.nexuscos.ops.plugins.module_utils._logs.collect import collect


def main() -> None:
    """Look on the host, and hand over what was counted."""
    module = AnsibleModule(supports_check_mode=True, **options.spec().to_kwargs())
    try:
        options.check(module.params)
        module.exit_json(changed=False, **hand_over(collect(module.params)))
    except OpsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
