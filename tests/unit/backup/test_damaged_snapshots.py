# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of Redis: of another server, without a sum, of a later version."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from backups import judged, look, named, snapshot
from damage import put, read, verified
from set_maker import HOUR, lead, make_set

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    readers,
)

KEYS = {"databases": {"0": {"keys": 1, "expires": 0, "types": {"string": 1}}}}


def test_a_snapshot_of_another_server(tmp_path: Path) -> None:
    """Its sums may be right, where whoever exchanged it has written the manifest anew."""
    redis = {"name": "redis", "every": "6h", "level": 1}
    lead(tmp_path, make_set(tmp_path, "redis", time.time() - HOUR, files={"dump.rdb": snapshot()}, invariants=KEYS))
    assert judged(look(tmp_path, redis))["findings"] == []
    assert verified(tmp_path, system="redis")["good"]
    more = {"databases": {**KEYS["databases"], "3": {"keys": 7, "expires": 1, "types": {"hash": 7}}}}
    lead(tmp_path, make_set(tmp_path, "redis", time.time() - 60, files={"dump.rdb": snapshot()}, invariants=more))
    assert ("readable", "b/redis", "critical") in named(judged(look(tmp_path, redis)))
    assert "database 3 has 0 keys in it, and 7 were saved" in verified(tmp_path, system="redis")["why"]


def test_a_snapshot_without_a_sum_is_walked(tmp_path: Path) -> None:
    assert read(put(tmp_path, "x.rdb", snapshot(summed=False)))["how"].endswith("written without a sum, 1 keys walked")
    broken = b"\xfe\x00\xfb\x01\x00\x00\x81" + (1 << 40).to_bytes(8, "big") + b"key"
    assert read(put(tmp_path, "x.rdb", snapshot(broken, summed=False)))["status"] == "bad"


def test_a_later_redis_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "bin" / "redis-check-rdb"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho RDB ERROR DETECTED\necho \"[offset 9] Can't handle RDB format version 99\"\n"
                    "echo '[info] 0 already expired'\nexit 1\n", encoding="utf-8")  # fmt: skip
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", "%s:/usr/bin:/bin" % tool.parent)
    path = str(put(tmp_path, "x.rdb", snapshot()))
    assert readers.read(path, "auto", time.monotonic() + 30)["status"] == "ok"
    tool.write_text(
        tool.read_text(encoding="utf-8").replace("Can't handle RDB format version 99", "Unexpected EOF"),
        encoding="utf-8",
    )
    assert "Unexpected EOF" in readers.read(path, "auto", time.monotonic() + 30)["why"]
