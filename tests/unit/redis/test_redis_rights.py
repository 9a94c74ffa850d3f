# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that the notes of the module name: what it asks for, nothing else; and the lab gives no more."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from ansible_collections.nexuscos.ops.plugins.module_utils._redis.collect import COMMANDS, SENTINEL_COMMANDS
from ansible_collections.nexuscos.ops.plugins.modules import redis_health

ROOT = Path(__file__).parents[3]
NOTES = [" ".join(note.split()) for note in yaml.safe_load(redis_health.DOCUMENTATION)["notes"]]
TEMPLATES = ROOT / "tests" / "lab" / "roles" / "redis" / "templates"


def rights(line: str) -> list[str]:
    return re.findall(r"\s\+(\S+)", line)


def acl(start: str) -> str:
    note = next(note for note in NOTES if note.startswith(start))
    found = re.search(r"C\((user monitor on [^)]*)\)", note)
    assert found
    return found.group(1)


def lab(name: str) -> str:
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    return next(line for line in text.splitlines() if line.startswith("user monitor "))


def test_rights_are_those_that_are_used() -> None:
    assert sorted(rights(acl("Rights on the server"))) == sorted(COMMANDS)
    assert sorted(rights(acl("Rights on a Sentinel"))) == sorted(SENTINEL_COMMANDS)


def test_the_lab_looks_with_these_rights_and_no_more() -> None:
    for start, template in (("Rights on the server", "users.acl.j2"), ("Rights on a Sentinel", "sentinel.conf.j2")):
        documented, used = acl(start), lab(template)
        assert documented.split(" resetchannels ")[1] == used.split(" resetchannels ")[1]


def test_nothing_that_reads_a_value_or_writes_is_among_them() -> None:
    for line in (acl("Rights on the server"), acl("Rights on a Sentinel")):
        assert " -@all " in line
        assert "+@" not in line
        assert not {"get", "keys", "debug", "flushall", "config|set", "slowlog|reset"} & set(rights(line))
    assert acl("Rights on the server").endswith(" %R~*")
