# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Redis says in text, and what is shown of the names of keys."""

from __future__ import annotations

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._redis.case import fields
from ansible_collections.nexuscos.ops.plugins.module_utils._redis.parse import kind, masked, parse_clients, parse_info


def test_info_is_one_mapping_without_paths_of_the_machine() -> None:
    raw = (
        "# Server\r\nredis_version:7.0.15\r\nexecutable:/usr/bin/redis-server\r\nconfig_file:/etc/redis.conf\r\n"
        "uptime_in_seconds:12\r\nmem_fragmentation_ratio:1.05\r\nslave0:ip=1.2.3.4,port=6379,state=online\r\n\r\nodd"
    )
    assert parse_info(raw) == {
        "redis_version": "7.0.15",
        "uptime_in_seconds": 12,
        "mem_fragmentation_ratio": "1.05",
        "slave0": "ip=1.2.3.4,port=6379,state=online",
    }
    assert fields("ip=1.2.3.4,port=6379,state=online,odd") == {"ip": "1.2.3.4", "port": "6379", "state": "online"}


def test_clients_are_rows() -> None:
    rows = parse_clients("id=3 addr=1.2.3.4:5 name= age=7 idle=0 flags=N omem=12 tot-mem=99 cmd=get user=default\n")
    assert rows == [
        {
            "id": "3", "addr": "1.2.3.4:5", "name": "", "user": "default", "cmd": "get", "flags": "N",
            "age": 7, "idle": 0, "omem": 12, "tot_mem": 99,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "is_kind"),
    [
        ("session:00001", "session:*"),
        ("cache:catalog:00001", "cache:catalog:*"),
        ("user:42:cart", "user:*:*"),
        ("tenant/7/x", "tenant/*/*"),
        ("counter", "counter"),
        ("job-17", "job-*"),
        ("17", "*"),
        ("x" * 60, "x" * 40 + "*"),
        ("a:" + "b" * 30 + ":c", "a:*:*"),
    ],
)
def test_the_kind_of_a_key(key: str, is_kind: str) -> None:
    assert kind(key) == is_kind


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("report:2026-11", "report:2026-11"),
        ("session:3f9a0c7d5e1b4a6f8c2d", "session:3f9a…"),
        ("session:abcdefghijklmnopqrstuvwxyzabcd", "session:abcd…"),
        ("catalogue:products:de", "catalogue:products:de"),
    ],
)
def test_what_looks_like_an_identifier_is_cut(key: str, shown: str) -> None:
    assert masked(key) == shown
