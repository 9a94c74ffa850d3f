#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: lab_files
short_description: Write several small files and folders of the lab in one task
description:
  - Each module run costs a third of a second here, so that a component writes all of its configuration in one.
options:
  files:
    type: list
    elements: dict
    required: true
    description: Wanted files and folders, in this order.
    suboptions:
      path: {type: path, required: true, description: Where. Missing folders above it are made.}
      content: {type: str, description: Content of a file. Without it, a folder is wanted.}
      mode: {type: str, description: Mode, default C(0644) of files and C(0755) of folders.}
      owner: {type: str, description: User (and their group) who owns it, default the caller.}
author: [Nexus COS operations (@nexuscos)]
"""

EXAMPLES = r"""
- name: Write the configuration
  lab_files:
    files:
      - {path: "{{ lab.dir }}/data/redis1", owner: redis, mode: "0700"}
      - {path: "{{ lab.dir }}/etc/redis1.conf", content: "{{ lookup('template', 'redis.conf.j2') }}"}
"""

RETURN = r"""
written: {description: Paths that were changed., type: list, elements: str, returned: always}
"""

import os
import pwd
import stat

from ansible.module_utils.basic import AnsibleModule


def ensure(item, check):
    """Bring one file or folder to its wanted content, mode and owner. Returns whether it was changed."""
    path, content = item["path"], item["content"]
    mode = int(item["mode"] or ("0755" if content is None else "0644"), 8)
    changed = False
    if content is None:
        if not os.path.isdir(path):
            changed = True
            if not check:
                os.makedirs(path)
    else:
        try:
            with open(path, encoding="utf-8") as handle:
                same = handle.read() == content
        except OSError:
            same = False
        if not same:
            changed = True
            if not check:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                temporary = "%s.%d" % (path, os.getpid())
                with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as out:
                    out.write(content)
                _own(temporary, item["owner"], mode)
                os.replace(temporary, path)
    if check and not os.path.exists(path):
        return changed
    return _own(path, item["owner"], mode, check) or changed


def _own(path, owner, mode, check=False):
    status = os.stat(path)
    changed = False
    if stat.S_IMODE(status.st_mode) != mode:
        changed = True
        if not check:
            os.chmod(path, mode)
    if owner:
        user = pwd.getpwnam(owner)
        if (status.st_uid, status.st_gid) != (user.pw_uid, user.pw_gid):
            changed = True
            if not check:
                os.chown(path, user.pw_uid, user.pw_gid)
    return changed


def main():
    """Read the options, one file after the other."""
    one = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str"},
        "mode": {"type": "str"},
        "owner": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec={"files": {"type": "list", "elements": "dict", "required": True, "options": one}},
        supports_check_mode=True,
    )
    written = []
    try:
        written += (item["path"] for item in module.params["files"] if ensure(item, module.check_mode))
    except (OSError, KeyError, ValueError) as error:
        module.fail_json(msg=str(error), written=written)
    module.exit_json(changed=bool(written), written=written)


if __name__ == "__main__":
    main()
