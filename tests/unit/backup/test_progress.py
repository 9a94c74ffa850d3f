# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far long work is stands in one line; what is not known is not said, and nothing of it fails the work."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.nexuscos.ops.plugins.action import backup_offsite, files_restore, k8s_restore
from ansible_collections.nexuscos.ops.plugins.module_utils._backup import progress
from ansible_collections.nexuscos.ops.plugins.plugin_utils import long_work

WRITING = {
    "what": "backup", "bytes": 120_400_000, "expected_bytes": 411_900_000, "rate": 9_800_000, "item": "nexus.events",
    "ends": "2026-11-29T06:38:22Z", "stalled_s": None,
}  # fmt: skip


def texts(system: dict[str, Any], what: str = progress.BACKUP, level: int | None = None, seconds: float = 83) -> str:
    found = progress.texts({"systems": [{"name": "nexusdb", **system}]}, {"nexusdb": seconds}, what, level, now=0.0)
    return "; ".join(found)


def test_a_backup_tells_bytes_rate_table_and_end() -> None:
    assert texts({"writing": WRITING}) == (
        "nexusdb 120.4 MB of about 411.9 MB (29 %), 9.8 MB/s, at nexus.events, done about 06:38:22Z"
    )


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ({}, "nexusdb 83 s"),
        ({"writing": None}, "nexusdb 83 s"),
        ({"writing": {**WRITING, "what": "restore"}}, "nexusdb 83 s"),
        ({"writing": {"what": "backup", "bytes": 5}}, "nexusdb 5 B"),
        ({"writing": {**WRITING, "expected_bytes": 100, "rate": None, "ends": None, "item": None}},
         "nexusdb 120.4 MB of about 100 B (100 %)"),
        ({"writing": {**WRITING, "ends": None, "stalled_s": 130}}, "nothing new for 2 min"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_not_said(system: dict[str, Any], words: str) -> None:
    assert texts(system).endswith(words)


def test_a_verification_and_a_restore_end_as_they_did_the_last_time() -> None:
    known = {"verified_in": {"2": 10.0, "4": 252.0}, "proven": {"restore_seconds": 100.0}}
    assert (
        texts(known, progress.VERIFICATION, 4) == "nexusdb verification 83 s of about 4 min 12 s, done about 00:02:49Z"
    )
    assert texts(known, progress.VERIFICATION, 2).endswith("of about 10 s, longer than the last time")
    assert texts(known, progress.VERIFICATION, 5) == "nexusdb verification 83 s"
    assert texts(known, progress.RESTORE) == "nexusdb restore 83 s of about 100 s, done about 00:00:17Z"
    assert texts({"verified_in": "x", "proven": 3}, progress.RESTORE) == "nexusdb restore 83 s"


RESTORING = {
    "what": "restore to /srv/back", "bytes": 120_400_000, "expected_bytes": 411_900_000, "rate": 9_800_000,
    "item": "what restic writes", "ends": "2026-11-29T06:38:22Z", "stalled_s": None, "objects": None,
}  # fmt: skip


@pytest.mark.parametrize("lock", ["writing", "verifying"])
def test_a_restore_that_tells_its_bytes_is_shown_as_a_backup_is(lock: str) -> None:
    assert texts({lock: RESTORING, "proven": {"restore_seconds": 100.0}}, progress.RESTORE) == (
        "nexusdb restore 120.4 MB of about 411.9 MB (29 %), 9.8 MB/s, at what restic writes, done about 06:38:22Z"
    )
    # Of a set that is packed nobody knows how much there will be: the last time tells when it will be.
    packed = {**RESTORING, "expected_bytes": None, "ends": None}
    assert texts({lock: packed, "proven": {"restore_seconds": 100.0}}, progress.RESTORE) == (
        "nexusdb restore 83 s of about 100 s, done about 00:00:17Z, 120.4 MB, 9.8 MB/s, at what restic writes"
    )
    assert texts({lock: packed}, progress.RESTORE).startswith("nexusdb restore 83 s, 120.4 MB, 9.8 MB/s")
    # What another one does says nothing about this one.
    assert texts({lock: {**RESTORING, "what": "verification"}}, progress.RESTORE) == "nexusdb restore 83 s"
    assert texts({lock: RESTORING}, progress.VERIFICATION) == "nexusdb verification 83 s"


def test_a_restore_of_objects_counts_them() -> None:
    told = {
        "what": "restore into api:6443", "bytes": None, "objects": 15, "expected_objects": 45, "rate": 1.5,
        "item": "applying a/ConfigMap/b", "ends": "2026-11-29T06:38:22Z",
    }  # fmt: skip
    assert texts({"writing": told}, progress.RESTORE) == (
        "nexusdb restore 15 of 45 objects (33 %), 1.5/s, at applying a/ConfigMap/b, done about 06:38:22Z"
    )


def test_sets_that_are_copied_are_told_one_after_the_other() -> None:
    now = {**RESTORING, "what": "copy to another place", "item": None}
    systems = [{"name": "redis", "verifying": None}, {"name": "nexusdb", "verifying": now}]
    assert progress.texts({"systems": systems}, {"backup_offsite": 83}, progress.COPY) == [
        "nexusdb copy 120.4 MB of about 411.9 MB (29 %), 9.8 MB/s, done about 06:38:22Z"
    ]
    assert progress.texts({"systems": systems[:1]}, {"backup_offsite": 83}, progress.COPY) == ["copy 83 s"]
    assert progress.texts({}, {"backup_offsite": 83}, progress.COPY) == ["copy 83 s"]


class Screen:
    """What ansible's display would have got."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def display(self, text: str, newline: bool = True, **_more: Any) -> None:
        self.said.append(text + ("\n" if newline else ""))


def test_a_terminal_has_one_line_that_is_rewritten_and_gone_at_the_end() -> None:
    screen = Screen()
    show = long_work.Show(screen.display, "b1", 20)
    assert not show.due(0.5)
    assert show.due(2.0)
    show.tell(2.0, ["nexusdb 120.4 MB of about 411.9 MB"])
    assert not show.due(3.0)
    show.end()
    show.end()
    assert screen.said == ["\r\x1b[Kb1: nexusdb 120.4 M…", "\r\x1b[K"]


def test_a_log_has_a_line_now_and_then_without_escape_sequences() -> None:
    screen = Screen()
    show = long_work.Show(screen.display, "b1", 0)
    told = [second for second in range(300) if show.due(second) and show.tell(second, ["redis %d s" % second]) is None]
    show.end()
    assert told == [10, 70, 130, 190, 250]
    assert screen.said[0] == "b1: redis 10 s\n"
    assert "\x1b" not in "".join(screen.said)


class Task:
    """A task as an action sees it."""

    def __init__(self) -> None:
        self.args = {"system": "nexusdb", "level": 4, "deadline": 60, "path": "/sets"}
        self.check_mode, self.async_val = False, 0


class Host(long_work.LongWork):
    """A host that answers what it is told to."""

    def __init__(self, answers: list[Any], listed: Any = None) -> None:
        self._task = Task()
        self.screen, self.answers, self.listed, self.asked = Screen(), answers, listed, []
        self._display = self.screen

    def _columns(self) -> int:
        return 100

    def _execute_module(self, module_name: str = "", **more: Any) -> dict[str, Any]:
        self.asked.append(module_name)
        if module_name.endswith("backup_sets"):
            if isinstance(self.listed, Exception):
                raise self.listed
            return dict(self.listed or {})
        if module_name.endswith("async_status"):
            if more["module_args"]["mode"] == "cleanup":
                return {}
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return dict(answer)
        if more["wrap_async"] is not True:
            return {"plan": True, "wrapped": more["wrap_async"]}
        return {"ansible_job_id": "j1", "results_file": "/async/j1", "started": 1, "finished": 0}


class Played(Host):
    """A verification on it."""

    MODULE = "backup_verify"
    WHAT = progress.VERIFICATION


class PlayedRestore(Host, files_restore.ActionModule):
    """A restore of file trees on it."""


class PlayedObjects(Host, k8s_restore.ActionModule):
    """A restore of objects on it."""


class PlayedCopy(Host, backup_offsite.ActionModule):
    """A copy to another place on it."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_work.ActionBase, "run", lambda *_given: {})
    monkeypatch.setattr(long_work.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(long_work, "_REDRAW_S", 0.0)


RUNNING = {"started": 1, "finished": 0, "ansible_job_id": "j1"}
DONE = {"finished": 1, "ansible_job_id": "j1", "good": True, "level": 4, "msg": "proven", "changed": True}


def test_the_module_works_in_the_background_and_its_answer_is_the_tasks(quick: None) -> None:
    played = Played([RUNNING, RUNNING, DONE], {"systems": [{"name": "nexusdb", "verified_in": {"4": 252.0}}]})
    assert played.run() == {"good": True, "level": 4, "msg": "proven", "changed": True}
    assert "nexusdb verification 0 s of about 4 min 12 s" in played.screen.said[0]
    assert played.screen.said[-1] == "\r\x1b[K"
    assert played._task.async_val == 0


@pytest.mark.parametrize("played", [PlayedRestore, PlayedObjects])
def test_restores_of_trees_and_objects_are_waited_for_and_shown(quick: None, played: type[Host]) -> None:
    host = played([RUNNING, DONE], {"systems": [{"name": "nexusdb", "verifying": RESTORING}]})
    assert host.run()["msg"] == "proven"
    assert f"nexuscos.ops.{host.MODULE}" in host.asked
    assert "nexusdb restore 120.4 MB of about 411.9 MB (29 %)" in host.screen.said[0]


def test_a_copy_is_shown_by_the_set_that_it_is_at_and_noted_of_no_system(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[str] = []
    monkeypatch.setattr(long_work.journal, "note", lambda path, *_more, **_done: noted.append(path))
    now = {**RESTORING, "what": "copy to another place"}
    host = PlayedCopy([RUNNING, DONE], {"systems": [{"name": "redis", "verifying": now}]})
    host._task.args = {"systems": ["nexusdb", "redis"], "repository": "/far"}
    host.run(None, {"nexuscos_run": {"run": {"journal": "/j"}}})
    assert "redis copy 120.4 MB of about 411.9 MB (29 %)" in host.screen.said[0]
    assert set(noted) == {""}


@pytest.mark.parametrize("listed", [AnsibleError("no"), {"failed": True}, {"systems": 5}, {"systems": [{"name": []}]}])
def test_progress_that_cannot_be_had_fails_nothing(quick: None, listed: Any) -> None:
    assert Played([RUNNING, DONE], listed).run()["good"]


def test_a_connection_that_is_lost_for_a_moment_finds_the_work_again(quick: None) -> None:
    assert Played([AnsibleConnectionFailure("lost"), AnsibleConnectionFailure("lost"), DONE]).run()["good"]
    with pytest.raises(AnsibleConnectionFailure):
        Played([AnsibleConnectionFailure("lost")] * 20).run()


def test_what_is_not_done_in_time_has_failed(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_work, "_GRACE_S", 0)
    played = Played([RUNNING] * 10_000)
    played._task.args["deadline"] = "0.001"
    answer = played.run()
    assert answer["failed"]
    assert "not done in time" in answer["msg"]


def test_check_mode_and_who_waits_by_himself_are_left_alone(quick: None) -> None:
    played = Played([])
    played._task.check_mode = True
    assert played.run() == {"plan": True, "wrapped": 0}
    played = Played([])
    played._task.async_val = 30
    assert played.run() == {"plan": True, "wrapped": 30}
    assert played.asked == ["nexuscos.ops.backup_verify"]
