# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources: files with all that logrotate does to them, the journal, pods, Compose; and what bounds a look."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._compose import client as engine
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import LookError
from ansible_collections.nexuscos.ops.plugins.module_utils._logs import collect, compose, files, journal, options, pods

HOUR = 3600.0


def stamp(ago: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago))


def params(sources: list[dict[str, Any]], **given: Any) -> dict[str, Any]:
    """All options with their defaults, as AnsibleModule hands them over."""
    found = {name: option.get("default") for name, option in options.spec().options.items()}
    return {**found, "target": "host1", "since": "1h", "sources": sources, **given}


def look(sources: list[dict[str, Any]], **given: Any) -> dict[str, Any]:
    seen = collect.collect(params(sources, **given))
    json.dumps(seen)
    return seen


def counts(seen: dict[str, Any], owner: str) -> dict[str, int]:
    return {one["template"]: one["count"] for one in seen["owners"][owner]["templates"]}


def test_rotated_and_compressed_files_are_one_owner(tmp_path: Path) -> None:
    line = f"{stamp(60)} ERROR payment {{}} failed\n"
    (tmp_path / "app.log").write_text(line.format(1))
    (tmp_path / "app.log.1").write_text(line.format(2))
    (tmp_path / "app.log.2.gz").write_bytes(gzip.compress(line.format(3).encode()))
    (tmp_path / "app.log-20261121.bz2").write_bytes(bz2.compress(line.format(4).encode()))
    (tmp_path / "app.log.3.xz").write_bytes(lzma.compress(line.format(5).encode()))
    (tmp_path / "app.log.notes").write_text(line.format(6))
    seen = look([{"files": [str(tmp_path / "*.log")]}])
    assert counts(seen, "app.log") == {"payment <n> failed": 5}
    assert set(seen["owners"]) == {"app.log"}
    assert seen["sources"]["files"]["missed"] == 0
    # A glob that finds the rotated ones by itself counts none twice.
    assert counts(look([{"files": [str(tmp_path / "*.log*")]}]), "app.log") == {"payment <n> failed": 5}


def test_only_the_window_counts(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text(f"{stamp(7200)} ERROR old\n{stamp(60)} ERROR young\n{stamp(-7200)} ERROR from the future\n")
    old = tmp_path / "other.log"
    old.write_text(f"{stamp(60)} ERROR in a file that was not written to\n")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    seen = look([{"files": [str(tmp_path / "*.log")]}])
    assert counts(seen, "app.log") == {"young": 1}
    assert seen["owners"]["other.log"]["events"] == 0


def test_a_large_file_is_not_read_up_to_the_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_SEARCH_FROM", 1000)
    now = time.time()
    with open(tmp_path / "app.log", "w", encoding="utf-8") as out:
        for number in range(60_000):
            when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 60_000 + number))
            out.write(f"{when} {'ERROR' if number % 600 == 599 else 'INFO'} step {number} of the work\n")
    seen = look([{"files": [str(tmp_path / "app.log")]}])
    assert seen["owners"]["app.log"]["events"] == 6
    assert seen["sources"]["files"]["bytes"] < (tmp_path / "app.log").stat().st_size / 4


def test_large_files_are_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_SEGMENT", 20_000)
    with open(tmp_path / "app.log", "w", encoding="utf-8") as out:
        for number in range(3000):
            out.write(f"{stamp(60)} ERROR step {number} failed\njava.io.IOException: x\n\tat a.B.c(B.java:1)\n")
    assert counts(look([{"files": [str(tmp_path / "app.log")]}]), "app.log") == {
        "step <n> failed: java.io.IOException: x": 3000
    }


def test_a_trace_without_a_time_has_that_of_the_line_before(tmp_path: Path) -> None:
    trace = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\nValueError: {}\n'
    (tmp_path / "app.log").write_text(
        f"{stamp(7200)} INFO old\n{trace.format('old')}{stamp(30)} INFO young\n{trace.format('young')}"
    )
    assert counts(look([{"files": [str(tmp_path / "app.log")]}]), "app.log") == {"ValueError: young": 1}


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    whole = gzip.compress(f"{stamp(60)} ERROR lost\n".encode() * 500)
    (tmp_path / "app.log").write_text(f"{stamp(60)} ERROR kept\n")
    (tmp_path / "app.log.1.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "app.log.2.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    seen = look([{"files": [str(tmp_path / "app.log"), str(tmp_path / "none.log")]}])
    source = seen["sources"]["files"]
    assert source["missed"] == 3
    assert {one["kind"] for one in source["errors"]} == {"garbage", "missing", "other"}
    assert "kept" in counts(seen, "app.log")


def test_limits_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"{stamp(60)} ERROR step 1 failed\n" * 50)
    (tmp_path / "b.log").write_text("x" * (3 << 20))
    seen = look([{"files": [str(tmp_path / "*.log")]}], max_events=10)
    assert sum(one["events"] for one in seen["owners"].values()) == 10
    assert any("more than 10 errors" in one for one in seen["sources"]["files"]["cut"])
    os.utime(tmp_path / "a.log", (time.time() - 60, time.time() - 60))
    seen = look([{"files": [str(tmp_path / "*.log")]}], max_mb=1)
    assert any("more than 1 MiB" in one for one in seen["sources"]["files"]["cut"])


def test_the_deadline_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"{stamp(60)} ERROR step 1 failed\n" * 50)
    seen = look([{"files": [str(tmp_path / "*.log")]}, {"files": [str(tmp_path / "*.log")]}], deadline=1e-9)
    assert set(seen["sources"]) == {"files", "files-2"}
    assert seen["sources"]["files"]["errors"][0]["kind"] == "timeout"


def test_files_of_the_same_name_are_two_owners(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.log").write_text(f"{stamp(60)} ERROR of {name}\n")
    assert len(look([{"files": [str(tmp_path / "*" / "app.log")]}])["owners"]) == 2
    one = look([{"files": [str(tmp_path / "*" / "app.log")], "exclude": [str(tmp_path / "b" / "*")], "service": "s"}])
    assert [owner["events"] for owner in one["owners"].values()] == [1]
    assert {owner["service"] for owner in one["owners"].values()} == {"s"}


def test_a_glob_may_find_nothing_but_wants_its_folder(tmp_path: Path) -> None:
    assert look([{"files": [str(tmp_path / "*.log")]}])["sources"]["files"]["missed"] == 0
    source = look([{"files": [str(tmp_path / "none" / "*.log")]}])["sources"]["files"]
    assert [one["kind"] for one in source["errors"]] == ["missing"]


JOURNAL = """#!/bin/sh
cat <<'END'
{entries}
END
echo "{words}" >&2
exit {status}
"""


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A journalctl that says what it is told to."""

    def make(*entries: dict[str, Any] | str, status: int = 0, words: str = "") -> None:
        text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in entries)
        path = tmp_path / "journalctl"
        path.write_text(JOURNAL.format(entries=text, status=status, words=words))
        path.chmod(0o755)
        monkeypatch.setattr(journal.shutil, "which", lambda _name: str(path))

    return make


def entry(message: Any, unit: str = "shop.service", priority: int = 6, **more: Any) -> dict[str, Any]:
    now = str(int((time.time() - 60) * 1e6))
    return {"MESSAGE": message, "_SYSTEMD_UNIT": unit, "PRIORITY": str(priority), "__REALTIME_TIMESTAMP": now, **more}


def test_the_journal_is_read_by_priority_and_by_what_it_says(journalctl: Callable[..., None]) -> None:
    journalctl(
        entry('{"level":"error","msg":"order 12 lost"}'),
        entry('{"level":"info","msg":"fine, 0 errors"}'),
        entry("Failed to start shop.", priority=3),
        entry("Traceback (most recent call last):"),
        entry('  File "x.py", line 1, in f'),
        entry("ValueError: bad id 7"),
        entry(list(b"\xff ERROR bytes")),
        entry(None),
        "no JSON",
        "[]",
        entry("session opened", unit="session-12.scope", priority=3),
        entry("Out of memory: Killed process 12 (java)", unit="", priority=3, _TRANSPORT="kernel"),
    )
    seen = look([{"journal": {"units": [], "priority": "err"}}])
    assert counts(seen, "shop.service") == {
        "order <n> lost": 1,
        "Failed to start shop.": 1,
        "ValueError: bad id <n>": 1,
        "bytes": 1,
    }
    assert seen["owners"]["shop.service"]["service"] == "shop"
    assert seen["owners"]["kernel"]["fatal"] == 1
    assert "session.scope" in seen["owners"]


def test_a_journal_that_cannot_be_read_is_told(
    journalctl: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    journalctl(status=1)
    assert look([{"journal": {"units": ["shop"]}}])["sources"]["journal"]["missed"] == 1
    for words in ("No journal files were found.", "Hint: You are currently not seeing messages from other users"):
        journalctl(words=words)
        assert look([{"journal": {}}])["sources"]["journal"]["missed"] == 1
    monkeypatch.setattr(journal.shutil, "which", lambda _name: None)
    monkeypatch.setattr(journal, "_PATHS", ())
    assert look([{"journal": {}}])["sources"]["journal"]["errors"][0]["kind"] == "missing"


def pod(name: str, restarts: int = 0, ended: float | None = None, **status: Any) -> dict[str, Any]:
    container = {"name": "app", "restartCount": restarts, "state": {"running": {}}, **status}
    if ended is not None:
        container["lastState"] = {"terminated": {"finishedAt": stamp(ended)}}
    return {
        "metadata": {
            "namespace": "nexus-auth",
            "name": name,
            "labels": {"app.kubernetes.io/name": "auth-service", "pod-template-hash": "7757876b88"},
            "ownerReferences": [{"controller": True, "kind": "ReplicaSet", "name": "auth-service-7757876b88"}],
        },
        "status": {"containerStatuses": [container]},
    }


class Cluster:
    """Answers as the client of an API server does."""

    def __init__(self, items: list[dict[str, Any]], logs: dict[str, Any]) -> None:
        self.items = items
        self.logs = logs
        self.asked: list[str] = []

    def each(self, _path: str, keep: Callable[[dict[str, Any]], Any]) -> list[Any]:
        if isinstance(self.items, LookError):
            raise self.items
        return [keep(one) for one in self.items]

    def tail(self, path: str, _most: int) -> str:
        self.asked.append(path)
        name = path.split("/pods/", 1)[1].split("/", 1)[0] + (" previous" if "previous=true" in path else "")
        answer = self.logs.get(name, "")
        if isinstance(answer, LookError):
            raise answer
        return str(answer)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Cluster]:
    def make(items: Any, logs: dict[str, Any]) -> Cluster:
        found = Cluster(items, logs)
        monkeypatch.setattr(pods, "find", lambda _params: None)
        monkeypatch.setattr(pods, "Client", lambda *_arguments: found)
        return found

    return make


SOURCE = [{"pods": {"namespaces": [], "exclude_namespaces": ["kube-*"], "previous": True}}]
OWNER = "nexus-auth/Deployment/auth-service"


def test_pods_of_one_deployment_are_one_owner_and_previous_containers_count(cluster: Callable[..., Cluster]) -> None:
    line = '{"time":"%s","level":"ERROR","msg":"request failed","trace_id":"%s"}\n'
    found = cluster(
        [pod("a", restarts=1, ended=60), pod("b", restarts=3, ended=7200), pod("c")],
        {
            "a": line % (stamp(5), "1"),
            "a previous": "panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n",
            "b": line % (stamp(5), "2"),
            "c": 'unable to retrieve container logs for containerd://1234 level="ERROR"',
        },
    )
    seen = look(SOURCE)
    assert counts(seen, OWNER) == {"request failed": 2, "boom": 1}
    assert seen["owners"][OWNER]["fatal"] == 1
    assert seen["owners"][OWNER]["service"] == "auth-service"
    assert sum("previous=true" in one for one in found.asked) == 1
    assert all("sinceSeconds=3600" in one and "limitBytes=" in one for one in found.asked)
    assert seen["sources"]["pods"]["items"] == 3
    assert seen["sources"]["pods"]["missed"] == 0


def test_pods_that_cannot_be_read_are_told(cluster: Callable[..., Cluster]) -> None:
    cluster(
        [pod("a"), pod("b"), pod("c", state={"waiting": {"reason": "CrashLoopBackOff"}}), pod("d"), pod("e")],
        {
            "e": LookError("other", 'HTTP 400: container "app" in pod "e" is terminated'),
            "a": LookError("denied", "HTTP 403: no"),
            "b": LookError("missing", "HTTP 404: gone"),
            "d": LookError("other", 'HTTP 400: container "app" in pod "d" is waiting to start: PodInitializing'),
        },
    )
    source = look(SOURCE)["sources"]["pods"]
    assert (source["missed"], source["errors"][0]["kind"]) == (1, "denied")
    cluster(LookError("refused", "it refuses connections"), {})
    assert look(SOURCE)["sources"]["pods"]["errors"] == [{"kind": "refused", "text": "it refuses connections"}]


def test_long_logs_of_pods_are_cut_and_told(cluster: Callable[..., Cluster]) -> None:
    cluster([pod("a")], {"a": "x\n" * 100})
    assert "more than 100 lines" in look(SOURCE, pod_lines=100)["sources"]["pods"]["cut"][0]
    cluster([pod("a")], {"a": "x" * 2000})
    assert "more than 1 KiB" in look(SOURCE, pod_kb=1)["sources"]["pods"]["cut"][0]


@pytest.mark.parametrize(
    ("labels", "references", "owner"),
    [
        ({}, [], ("Pod", "x")),
        ({}, [{"controller": True, "kind": "StatefulSet", "name": "db"}], ("StatefulSet", "db")),
        ({}, [{"controller": True, "kind": "Job", "name": "nightly-28812345"}], ("CronJob", "nightly")),
        ({}, [{"controller": True, "kind": "Job", "name": "once"}], ("Job", "once")),
        ({}, [{"kind": "Node", "name": "n"}], ("Pod", "x")),
    ],
)
def test_whose_pod_it_is(labels: dict[str, str], references: list[dict[str, Any]], owner: tuple[str, str]) -> None:
    assert pods._owner({"metadata": {"name": "x", "labels": labels, "ownerReferences": references}}) == owner


def test_compose_services_are_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    class Engine:
        def __init__(self, *_arguments: Any) -> None:
            self.closed = False

        def version(self) -> dict[str, Any]:
            return {"ApiVersion": "1.41"}

        def get(self, path: str, **_query: Any) -> Any:
            if path == "/containers/json":
                return [{"Id": "c" * 64, "Labels": {"com.docker.compose.service": "web"}}, {"Id": "d"}, None]
            return {"Config": {"Tty": False}}

        def logs(self, *_arguments: Any, **_options: Any) -> Any:
            yield engine.Line("stderr", "", "ERROR payment 12 failed")
            yield engine.Line("stdout", "", "INFO fine")
            yield engine.Line("stderr", "", "ERROR payment 13 failed")

        def close(self) -> None:
            self.closed = True

    monkeypatch.setattr(compose, "Engine", Engine)
    source = [{"compose": {"docker_host": "unix:///x", "project": "shop", "services": []}}]
    assert counts(look(source), "web") == {"payment <n> failed": 2}
    monkeypatch.setattr(Engine, "version", lambda _self: (_ for _ in ()).throw(LookError("refused", "no engine")))
    assert look(source)["sources"]["compose"]["errors"][0]["kind"] == "refused"


def test_samples_are_clean(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text(
        f"{stamp(60)} ERROR login of a.b@example.com from 8.8.8.8 failed password=hunter2 card 4111111111111111\n"
    )
    text = json.dumps(look([{"files": [str(tmp_path / "app.log")]}])["owners"])
    for secret in ("a.b@example.com", "8.8.8.8", "hunter2", "4111111111111111"):
        assert secret not in text
