#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thin: options, documentation, and the look on the host. The judgement is in plugins/action/host_health.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_health
short_description: Look at a Linux host and say what is wrong with it
version_added: 0.1.0
description:
  - Looks at CPU, load, memory, swap and pressure (PSI); at space and inodes of all file systems, with a forecast from
    earlier looks; at deleted files that are still open, file systems that became read-only and the disk use of a
    container engine; at failed units, restart loops and timers; at what listens, the clock, a reboot that is due, and
    the kernel's log (kills for want of memory, errors of disks).
  - Runs on the managed host, with nothing but its Python, once; the controller judges what it saw. With
    O(replay_from) the host is not contacted.
  - In a container (a host with systemd in Docker, Podman or LXC) it speaks of the container, not of the machine below,
    where C(/proc) speaks of the machine. CPU is the share of the quota, memory that of the limit, of control groups of
    version 1 and 2.
  - Without the rights of root (C(become)) it cannot see the open files of other users, and says so.
  - A host in trouble is data, not a failure of the task. The task fails only on wrong options, and is unreachable where
    the host is.
extends_documentation_fragment:
  - nexuscos.ops.observe
options:
  listening:
    description:
      - What must listen, each as C(port), C(port/protocol), C(address:port/protocol) or, for what may be there or not,
        a range C(first-last/protocol). The protocol is C(tcp) or C(udp), without one C(tcp).
      - What listens besides, on other addresses than loopback, is reported as unexpected. UDP ports that the kernel
        gave to clients are left out.
      - With an empty list nothing is compared.
    type: list
    elements: str
    default: []
  ignore_listening:
    description: What may listen as well, written as in O(listening).
    type: list
    elements: str
    default: []
  units:
    description:
      - Names or globs of units that must be active; without a suffix a service is meant. That one of them is not is
        critical. That another unit failed is a warning.
      - A service of the type C(oneshot) may be inactive, when its last run did not fail.
    type: list
    elements: str
    default: []
  ignore_units:
    description: Names or globs of units, timers too, whose failure is of no interest.
    type: list
    elements: str
    default: []
  ignore_mounts:
    description: Globs of mount points that are not judged.
    type: list
    elements: str
    default: []
  folders:
    description:
      - Absolute paths below which the largest folders are looked for. File systems that are fuller than 80 % are looked
        through in any case.
    type: list
    elements: str
    default: []
  folders_budget:
    description: Seconds for the search for large folders. What was not read by then is said to be incomplete.
    type: float
    default: 2.0
  time_servers:
    description:
      - Time servers (NTP), each a name or an address, with or without a port, that the host's clock is compared with.
        The host must be able to reach them.
      - Without any, the kernel is asked whether something keeps its clock right; not in a container, whose clock is
        its machine's.
    type: list
    elements: str
    default: []
  kernel_log_hours:
    description: Kernel messages older than so many hours are not counted.
    type: float
    default: 24.0
  docker_socket:
    description: Socket of a container engine that speaks Docker's API. Where there is none, no engine is asked.
    type: str
    default: /var/run/docker.sock
  previous:
    description:
      - File of the controller with an earlier recording of this host, whose sizes (and those of the looks that it knows
        of itself) the forecast is made from. Where there is no such file yet, the forecast is unknown.
      - Recordings that are made with this option carry the sizes of up to 30 looks on.
    type: path
  record_to:
    description:
      - File of the controller to write what was seen to, redacted.
  replay_from:
    description:
      - File of the controller with a recording to judge. The host is not contacted.
  deadline:
    description:
      - Seconds that the whole look may take. What was not seen by then is reported as not seen, never as healthy.
    type: float
    default: 20.0
attributes:
  platform:
    description: Where it runs.
    platforms: linux
    support: full
notes:
  - Needs Python 3.9 or newer on the host and nothing else. What systemd or the journal would tell is unknown where
    there is none.
  - Which certificates are about to expire is the business of M(nexuscos.ops.certificate_health).
author:
  - Nexus COS operations (@nexuscos)
seealso:
  - module: ansible.builtin.setup
"""

EXAMPLES = r"""
- name: A host, and what has to run on it
  nexuscos.ops.host_health:
    target: "{{ inventory_hostname }}"
    units: [nexus-cos-*.service, prometheus-node-exporter]
    listening: [22, 3000, 9100, 60000-61000/udp]
    folders: [/var, /data]
  become: true
  register: host

- name: Compare its clock with the time servers of the site, and its disks with yesterday
  nexuscos.ops.host_health:
    target: "{{ inventory_hostname }}"
    time_servers: [ntp1.example.com, 192.0.2.123]
    previous: "bundles/yesterday/{{ inventory_hostname }}/host_health.json.gz"
    record_to: "bundles/today/{{ inventory_hostname }}/host_health.json.gz"
    thresholds:
      host.filesystem: {target: 85, alert: 95}
  become: true

- name: Judge what another run has recorded
  nexuscos.ops.host_health:
    target: host1
    replay_from: bundle/host1/host_health.json.gz
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
      sample: host.filesystem
    object:
      description: O(target), and the mount point, unit, port or device.
      type: str
      returned: success
      sample: host1/var
    status:
      description: V(warning), V(critical) or V(unknown), with O(include_ok) also V(ok).
      type: str
      returned: success
      sample: warning
    title:
      description: One sentence.
      type: str
      returned: success
      sample: /var is 84.1 % full, 3.2 GiB left
    value:
      description: What was measured, null where there is no number.
      type: float
      returned: success
      sample: 84.1
    unit:
      description: Unit of RV(findings[].value).
      type: str
      returned: success
      sample: "%"
    target:
      description: What good is.
      type: float
      returned: success
      sample: 80
    alert:
      description: What is not acceptable.
      type: float
      returned: success
      sample: 90
    evidence:
      description: Small and redacted, such as the largest folders, the processes, the last lines of the log.
      type: dict
      returned: success
      sample: {mount: /var, type: ext4, device: /dev/vda2, used: 17179869184, available: 3435973836}
    remedy:
      description: The next step.
      type: str
      returned: success
    runbook:
      description: File and heading of the runbook line.
      type: str
      returned: success
      sample: daily:resource-monitoring
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
  sample: {ok: 61, warning: 1, critical: 0, unknown: 0, total: 62, worst: warning}
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
    container:
      description: Whether the host is a container.
      type: bool
      returned: success
    kernel:
      description: Release of the running kernel.
      type: str
      returned: success
      sample: 6.1.0-21-amd64
    uptime_s:
      description: Seconds since the host was started.
      type: float
      returned: when seen
      sample: 86400.5
    took_ms:
      description: How long the look took on the host.
      type: float
      returned: when seen
      sample: 512.3
    cpu_percent:
      description: Share of the usable CPUs that was busy.
      type: float
      returned: when seen
      sample: 12.5
    load_per_cpu:
      description: Tasks that run or wait, for each usable CPU.
      type: float
      returned: when seen
      sample: 0.4
    memory_percent:
      description: Share of the memory that is used and cannot be given back.
      type: float
      returned: when seen
      sample: 41.3
    fullest_percent:
      description: How full the fullest file system is.
      type: float
      returned: when seen
      sample: 61.0
    filesystems:
      description: Bytes that are used, by mount point.
      type: dict
      returned: when seen
      sample: {/: 17179869184}
    docker_bytes:
      description: Bytes that a container engine holds.
      type: int
      returned: where there is one
      sample: 5368709120
    units_failed:
      description: Units that have failed.
      type: int
      returned: when seen
      sample: 0
    listening:
      description: Sockets that listen.
      type: int
      returned: when seen
      sample: 4
    clock_offset_s:
      description: Seconds that the clock is ahead of the time servers.
      type: float
      returned: with O(time_servers)
      sample: 0.004
    largest_folders:
      description: The largest folders of each root of O(folders), and of file systems that are full.
      type: dict
      returned: when looked for
      sample: {/var: [{folder: /var/lib/docker, bytes: 5368709120}]}
recorded_at:
  description: When the judged recording was made (ISO 8601, UTC), null for a live look.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.errors import OpsError
from ..module_utils._core.remote import hand_over
from ..module_utils._host import collect, options


def main() -> None:
    """Look; the action plugin of the same name judges what was seen, and returns what is documented."""
    module = AnsibleModule(supports_check_mode=True, **options.spec().to_kwargs())
    try:
        options.check(module.params)
        module.exit_json(changed=False, **hand_over(collect.collect(module.params)))
    except OpsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
