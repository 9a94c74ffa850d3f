#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore databases of MongoDB from a set."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mongodb_restore
short_description: Restore databases of MongoDB from a set, beside what is there
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Restores the dump of a set that M(nexuscos.ops.mongodb_backup) or C(mongodump) made, into databases with other names
    (C(nexus_restored)) unless it is told otherwise.
  - Into a database that is there already only with its name in O(confirm). Collections of it that are not in the set
    stay as they are.
  - Everything is loaded under other names first, with options and indexes, and counted. Only when all of it is there
    and its sums are those of the manifest, the collections get the names that they are read by. That is a rename each,
    and takes no time. When anything fails before, what was there is as it was.
  - What was replaced is kept beside it as C(before_<time>_<collection>) with O(keep_old). RV(undo) are the commands
    that give it back.
options:
  system:
    description:
      - Name of the system whose set is restored.
    type: str
    required: true
  path:
    description:
      - Folder of the backups, on the host where the module runs.
    type: path
    default: /backups/nexus-cos
  set:
    description:
      - Stamp of the set, such as V(2026-11-29T060000Z). Left out, the newest of O(system) that
        no verification has refuted.
    type: str
    default: ''
  include:
    description:
      - What is restored, as names or globs of databases (V(nexus)) or collections (V(nexus.profiles)), by their names
        in the set. Left out, all.
    type: list
    elements: str
    default: []
  exclude:
    description:
      - What is not, as in O(include).
    type: list
    elements: str
    default: []
  map:
    description:
      - The database that each database of the set is restored into. One that is mapped to itself is restored where it
        was. Those that are not named go by O(database_suffix).
    type: dict
    default: {}
  database_suffix:
    description:
      - What the name of a database is given at its end. Empty restores into the database of the same name.
    type: str
    default: _restored
  confirm:
    description:
      - Names of the databases that are there and may be restored into.
    type: list
    elements: str
    default: []
  keep_old:
    description:
      - Whether collections that are replaced are kept under another name. Without it they are gone.
    type: bool
    default: true
  lock_wait:
    description:
      - Seconds to wait for a backup or another restore of O(system) to end. With V(0) the task fails at once, and says
        who is at work.
    type: float
    default: 0
  deadline:
    description:
      - Seconds after which the restore is given up.
    type: float
    default: 21600
extends_documentation_fragment:
  - nexuscos.ops.mongodb
attributes:
  check_mode:
    description: Reads the set's manifest and looks at the server, says what would be restored over what, and writes
      nothing.
    support: full
  diff_mode:
    description: The plan of check mode says what would change; documents are not compared.
    support: none
  idempotent:
    description: Every run restores anew.
    support: none
  platform:
    description: Runs on this platform.
    support: full
    platforms: posix
notes:
  - 'Rights: a user with the roles C(restore) on C(admin) and C(readWrite) on the databases.'
  - A server that cannot rename collections gets the documents under their names at once, after the set was read to its
    end. There, what is replaced cannot be kept.
  - Time series cannot be renamed by any server and are written under their names at once; what they replace cannot be
    kept.
  - Users and roles (C(admin.system.*)) belong to the server. They are in the set, and C(mongorestore) restores them.
seealso:
  - module: nexuscos.ops.mongodb_backup
"""

EXAMPLES = r"""
- name: See what a restore would do
  nexuscos.ops.mongodb_restore:
    system: mongodb
    login_host: mongo1.example.com
    login_user: restore
    login_password: "{{ vault_mongodb_restore_password }}"
  check_mode: true

- name: Restore the newest set beside the live databases
  nexuscos.ops.mongodb_restore:
    system: mongodb
    login_host: mongo1.example.com
    login_user: restore
    login_password: "{{ vault_mongodb_restore_password }}"

- name: Bring the profiles of six o'clock back to where they were
  nexuscos.ops.mongodb_restore:
    system: mongodb
    set: 2026-11-29T060000Z
    include: [nexus.profiles]
    database_suffix: ''
    confirm: [nexus]
    login_host: mongo1.example.com
    login_user: restore
    login_password: "{{ vault_mongodb_restore_password }}"
"""

RETURN = r"""
set:
  description: The set that was restored.
  returned: success
  type: dict
  contains:
    system:
      description: Name of the system.
      type: str
      returned: always
    stamp:
      description: Name of the run's folder.
      type: str
      returned: always
    path:
      description: Folder of the set.
      type: str
      returned: always
    bytes:
      description: Bytes of its files.
      type: int
      returned: always
    level:
      description: Level that it is proven to.
      type: int
      returned: always
  sample:
    system: mongodb
    stamp: 2026-11-29T060000Z
    path: /backups/nexus-cos/2026-11-29T060000Z/mongodb
    bytes: 411873
    level: 2
restored:
  description: What was restored.
  returned: success, not in check mode
  type: list
  elements: dict
  contains:
    from:
      description: Its name in the set.
      type: str
      returned: always
      sample: nexus.profiles
    to:
      description: Its name now.
      type: str
      returned: always
      sample: nexus_restored.profiles
    kind:
      description: V(collection), V(view) or V(timeseries).
      type: str
      returned: always
    documents:
      description: Its documents, counted by the server; null for a view.
      type: int
      returned: always
      sample: 2000
    indexes:
      description: Indexes that were made, without that of C(_id).
      type: int
      returned: always
      sample: 1
kept:
  description: Collections that were replaced, by the names that they have now.
  returned: success, not in check mode
  type: list
  elements: str
  sample: [nexus.before_20261129T071500Z_profiles]
undo:
  description: Commands of C(mongosh) that give them back.
  returned: success, not in check mode
  type: list
  elements: str
  sample:
    - db.getSiblingDB("nexus").getCollection("before_20261129T071500Z_assets").renameCollection("assets", true)
skipped:
  description: What is in the set, and not restored by this module (users and roles).
  returned: success
  type: list
  elements: str
  sample: [admin.system.users]
switched:
  description: V(renamed) where collections got their names when all were there, V(written) where the server cannot.
  returned: success, not in check mode
  type: str
  sample: renamed
seconds:
  description: How long it took.
  returned: success, not in check mode
  type: float
  sample: 1.4
plan:
  description: What would be restored.
  returned: in check mode
  type: dict
  contains:
    collections:
      description: C(from), C(to), C(kind), C(documents) and C(bytes) of each, and in C(replaces) the number of
        documents that would be replaced, null where there is none.
      type: list
      elements: dict
      returned: always
    existing:
      description: Databases that are there and would be restored into.
      type: list
      elements: str
      returned: always
    unconfirmed:
      description: Of those, the ones that O(confirm) does not name. With any, the restore would be refused.
      type: list
      elements: str
      returned: always
    stays:
      description: Collections of these databases that are not in the set and would stay.
      type: list
      elements: str
      returned: always
    expected_seconds:
      description: How long the newest restore of this set took, null where there was none.
      type: float
      returned: always
msg:
  description: What was done, in one line.
  returned: always
  type: str
  sample: 'mongodb: 2543 documents of 3 collections of 2026-11-29T060000Z restored into nexus_restored in 1.4 s'
"""

import time
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import at_work, layout, lock, manifest, mongodb_load, run_backup, verify
from ..module_utils._core.argspec import ArgSpec
from ..module_utils._core.deps import need
from ..module_utils._core.errors import OpsError, OptionError
from ..module_utils._mongodb import options


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec(
        {
            "system": {"type": "str", "required": True},
            "path": {"type": "path", "default": "/backups/nexus-cos"},
            "set": {"type": "str", "default": ""},
            "include": {"type": "list", "elements": "str", "default": []},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "map": {"type": "dict", "default": {}},
            "database_suffix": {"type": "str", "default": "_restored"},
            "confirm": {"type": "list", "elements": "str", "default": []},
            "keep_old": {"type": "bool", "default": True},
            "lock_wait": {"type": "float", "default": 0.0},
            "deadline": {"type": "float", "default": run_backup.DEADLINE},
        }
    )
    return options.connection_spec().merge(own)


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Restore a set, or say what would be restored over what."""
    if not params["login_host"]:
        raise OptionError("login_host: name the server")
    for name, least in (("deadline", 0.001), ("lock_wait", 0.0)):
        if params[name] < least:
            raise OptionError(f"{name}: want more seconds, got {params[name]:g}")
    one = verify.choose_good(params["path"], params["system"], params["set"])
    known = manifest.read(one.path)
    rows = mongodb_load.parts(one.path, known, params["include"], params["exclude"])
    skipped = sorted(part.full for part in rows if mongodb_load.is_of_server(part))
    rows = [part for part in rows if not mongodb_load.is_of_server(part)]
    if not rows:
        raise OptionError(f"{one.path}: nothing of it is left to restore")
    into = mongodb_load.targets(rows, params["map"], params["database_suffix"])
    clock = time.monotonic()
    loader = mongodb_load.Loader(
        need("pymongo", "4.6"), options.connection(params), clock + params["deadline"], layout.stamp()
    )
    proven = known.proven
    told: dict[str, Any] = {
        "changed": True,
        "set": {
            "system": one.system,
            "stamp": one.stamp,
            "path": one.path,
            "bytes": known.bytes,
            "level": proven.level if proven else 0,
        },
        "skipped": skipped,
    }
    if check_mode:
        return {**told, **_plan(loader, known, rows, into, params["confirm"])}
    what = "restore into {}".format(", ".join(sorted(set(into.values()))))
    with lock.held(params["path"], one.system, what, min(params["lock_wait"], params["deadline"])):
        plan = loader.plan(rows, into)
        if missing := _unconfirmed(plan, params["confirm"]):
            raise OptionError(
                "{} there already, with {} collections that would be replaced. Restore into another database with map "
                "or database_suffix, or name {} in confirm".format(
                    f"{missing[0]} is" if len(missing) == 1 else ", ".join(missing) + " are",
                    sum(row["replaces"] is not None for row in plan["collections"]),
                    "it" if len(missing) == 1 else "them",
                )
            )
        with at_work.told(params["path"], one.system, mongodb_load.size(rows)) as progress:
            result = loader.load(one.path, rows, into, params["keep_old"], progress)
    seconds = time.monotonic() - clock
    documents = sum(row["documents"] or 0 for row in result.rows)
    msg = "{}: {} documents of {} collections of {} restored into {} in {:.1f} s".format(
        one.system, documents, len(result.rows), one.stamp, ", ".join(sorted(set(into.values()))), seconds
    )
    return {
        **told,
        "restored": result.rows,
        "kept": result.kept,
        "undo": result.undo,
        "switched": result.switched,
        "seconds": round(seconds, 3),
        "msg": msg,
    }


def _plan(
    loader: mongodb_load.Loader,
    known: manifest.Manifest,
    rows: list[mongodb_load.Part],
    into: Mapping[str, str],
    confirm: list[str],
) -> dict[str, Any]:
    plan = loader.plan(rows, into)
    expected = next((one.restore_seconds for one in reversed(known.proofs) if one.restore_seconds is not None), None)
    plan.update(unconfirmed=_unconfirmed(plan, confirm), expected_seconds=expected)
    replaced = sum(row["replaces"] is not None for row in plan["collections"])
    msg = "{}: would restore {} collections of {} into {}, {}".format(
        known.system,
        len(rows),
        known.stamp,
        ", ".join(sorted(set(into.values()))),
        f"over {replaced} that are there" if replaced else "over none that is there",
    )
    if plan["unconfirmed"]:
        msg += "; it would be refused until confirm names {}".format(", ".join(plan["unconfirmed"]))
    return {"plan": plan, "msg": msg}


def _unconfirmed(plan: Mapping[str, Any], confirm: list[str]) -> list[str]:
    return [name for name in plan["existing"] if name not in confirm]


def main() -> None:
    """Wire options and restore."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except OpsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
