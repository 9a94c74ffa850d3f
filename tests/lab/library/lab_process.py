#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: lab_process
short_description: Start, stop and restart the daemons of the lab
description:
  - The one way in which the lab starts and stops a daemon. A record (process id, start time, digest of command and
    configuration) is kept in C(run/<name>.json) of the lab's folder, so that only what was started here is ever ended.
  - A process that still runs with the same digest and answers its O(ready) test is left alone; a changed command,
    surrounding
    or configuration file, or a process that does not answer any more, makes a new one.
  - Several daemons in one task cost one module run; give them in O(processes). They are started in that order, each
    when the one before is ready.
options:
  name:
    type: str
    description: Name of the daemon; file name of its record and default name of its log and control group.
  argv: {type: list, elements: str, description: Program with its arguments. Needed to start.}
  netns: {type: str, description: Network namespace that it runs in (a name under C(/run/netns)).}
  cgroup: {type: str, description: Control group below the instance's own, default the name.}
  env: {type: dict, description: Environment variables beside PATH, HOME, LANG and TZ.}
  cwd: {type: path, description: Working directory, default C(/).}
  user: {type: str, description: User that it runs as, default the caller.}
  log: {type: path, description: Where its output is appended, default C(log/<name>.log).}
  config: {type: list, elements: path, description: Files whose contents take part in the digest.}
  ready:
    type: dict
    description: All that is given must hold. Without it, a process that lives is ready.
    suboptions:
      tcp: {type: str, description: An address C(host:port) that accepts connections.}
      http: {type: str, description: A URL that answers with a status below 400. Certificates are not verified.}
      command: {type: list, elements: str, description: A command that ends with 0, run in O(netns).}
      file: {type: path, description: A file (or socket) that exists.}
  timeout: {type: float, default: 30, description: Seconds to wait until it is ready.}
  stop_signal: {type: str, default: SIGTERM, description: What asks it to stop.}
  stop_timeout: {type: float, default: 10, description: Seconds after which it is killed.}
  state: {type: str, choices: [started, stopped, restarted], default: started, description: What is wanted.}
  processes: {type: list, elements: dict, description: Several daemons; each with the options above but O(state).}
  lab_dir: {type: path, description: The lab's folder, default from E(NEXUSCOS_LAB_DIR).}
author: [Nexus COS operations (@nexuscos)]
"""

EXAMPLES = r"""
- name: Run the server
  lab_process:
    name: redis1
    netns: nx0-redis1
    argv: [/usr/bin/redis-server, /etc/redis.conf]
    config: [/etc/redis.conf]
    ready: {tcp: "198.18.0.31:6379"}
"""

RETURN = r"""
started: {description: Names of the daemons that were started., type: list, elements: str, returned: always}
stopped: {description: Names of the daemons that were stopped., type: list, elements: str, returned: always}
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible.module_utils.nexuslab import plan
from ansible.module_utils.nexuslab.process import Daemon, ProcessError

READY = {
    "type": "dict",
    "options": {
        "tcp": {"type": "str"},
        "http": {"type": "str"},
        "command": {"type": "list", "elements": "str"},
        "file": {"type": "path"},
    },
}
ONE = {
    "name": {"type": "str"},
    "argv": {"type": "list", "elements": "str"},
    "netns": {"type": "str"},
    "cgroup": {"type": "str"},
    "env": {"type": "dict"},
    "cwd": {"type": "path"},
    "user": {"type": "str"},
    "log": {"type": "path"},
    "config": {"type": "list", "elements": "path"},
    "ready": READY,
    "timeout": {"type": "float", "default": 30},
    "stop_signal": {"type": "str", "default": "SIGTERM"},
    "stop_timeout": {"type": "float", "default": 10},
}


def main() -> None:
    """Read the options, do it for each daemon in turn."""
    module = AnsibleModule(
        argument_spec=dict(
            ONE,
            state={"type": "str", "choices": ["started", "stopped", "restarted"], "default": "started"},
            processes={"type": "list", "elements": "dict", "options": ONE},
            lab_dir={"type": "path", "fallback": (env_fallback, ["NEXUSCOS_LAB_DIR"]), "required": True},
        ),
        required_one_of=[["name", "processes"]],
        mutually_exclusive=[["name", "processes"]],
        supports_check_mode=True,
    )
    lab_dir = Path(module.params["lab_dir"])
    wanted = module.params["state"]
    specs = module.params["processes"] or [{key: module.params[key] for key in ONE}]
    result = {"changed": False, "started": [], "stopped": []}
    try:
        prefix = plan.prefix(int((lab_dir / "instance").read_text()))
        for spec in specs:
            if wanted != "stopped" and not spec["argv"]:
                module.fail_json(msg="%s: argv is needed to start it" % spec["name"], **result)
            daemon = Daemon(lab_dir, prefix, spec)
            if wanted == "stopped":
                if daemon.ensure_stopped(check=module.check_mode):
                    result["stopped"].append(spec["name"])
            elif daemon.ensure_started(restart=wanted == "restarted", check=module.check_mode):
                result["started"].append(spec["name"])
    except (ProcessError, OSError, KeyError, ValueError) as error:
        module.fail_json(msg=str(error), **result)
    result["changed"] = bool(result["started"] or result["stopped"])
    module.exit_json(**result)


if __name__ == "__main__":
    main()
