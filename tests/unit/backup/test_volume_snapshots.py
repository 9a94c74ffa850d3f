# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots are ready or they are gone; nothing is taken away that is still wanted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from played_kubernetes import played
from played_snapshots import DRIVER, SPACE, PlayedSnapshots

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import layout, scratch_postgres, volume_snapshots
from ansible_collections.nexuscos.ops.plugins.module_utils._backup.k8s_api import Api
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import LookError, OpsError, OptionError
from ansible_collections.nexuscos.ops.plugins.modules import k8s_volume_snapshot

STAMP = "2026-11-29T060000Z"
NOW = layout.moment(STAMP) + 1
TAKEN = "data-volumes-2026-11-29t060000z"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_ASK_EVERY", 0.01), ("_ASK_AT_LEAST_EVERY", 0.02), ("ERROR_LASTS_S", 0.1)):
        monkeypatch.setattr(volume_snapshots, name, value)


@pytest.fixture
def server() -> Iterator[PlayedSnapshots]:
    with played(PlayedSnapshots()) as one:
        one.add_claim("data")
        yield one


def options(server: PlayedSnapshots, **more: Any) -> dict[str, Any]:
    given = {
        "state": "present", "system": "volumes", "claims": [], "label_selector": "", "snapshot_class": "",
        "skip_unable": False, "stamp": STAMP, "labels": {}, "annotations": {}, "keep": {}, "suffix": "-restored",
        "deadline": 120.0, "namespaces": [SPACE], **more,
    }  # fmt: skip
    params: dict[str, Any] = server.params(**given)
    return params


def take(server: PlayedSnapshots, check_mode: bool = False, now: float = NOW, **more: Any) -> dict[str, Any]:
    return volume_snapshots.run(options(server, **more), check_mode, now=now)


def failed(server: PlayedSnapshots, check_mode: bool = False, now: float = NOW, **more: Any) -> dict[str, Any]:
    with pytest.raises(volume_snapshots.NotAll) as caught:
        take(server, check_mode, now, **more)
    assert str(caught.value) == caught.value.result["msg"]
    return caught.value.result


class Hurried(Api):
    """Its time is over after some looks, however long these take."""

    looks = 0

    def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> dict[str, Any]:
        if path.split("?", 1)[0].endswith("/volumesnapshots") and method == "GET":
            self.looks += 1
            if self.looks == 5:
                self._until = time.monotonic()
                raise LookError("timeout", "no time is left")
        return super().ask(method, path, body, kind)


def not_in_time(server: PlayedSnapshots, **more: Any) -> dict[str, Any]:
    with pytest.raises(volume_snapshots.NotAll) as caught:
        volume_snapshots.run(options(server, **more), False, Hurried, NOW)
    return caught.value.result


def refused(server: PlayedSnapshots, **more: Any) -> str:
    with pytest.raises(OpsError) as caught:
        take(server, **more)
    assert not isinstance(caught.value, volume_snapshots.NotAll)
    assert not server.writes()
    return str(caught.value)


def test_a_snapshot_is_made_awaited_and_told(server: PlayedSnapshots) -> None:
    told = take(server, labels={"team": "ops"}, annotations={"change": "CHG-1"})
    (row,) = told["snapshots"]
    assert told["changed"]
    assert {key: row[key] for key in row if key != "seconds"} == {
        "namespace": SPACE, "pvc": "data", "name": TAKEN, "class": "fast", "driver": DRIVER,
        "content": "snapcontent-n-1", "handle": "snap-n-1", "ready": True, "restore_size": 2**30,
        "creation_time": "2026-11-29T06:00:01Z", "made": True, "why": None,
    }  # fmt: skip
    assert row["seconds"] > 0
    made = server.snapshot(TAKEN)
    assert made["metadata"]["labels"] == {
        "team": "ops", "app.kubernetes.io/managed-by": "nexuscos-ops", "nexuscos-ops/system": "volumes",
        "nexuscos-ops/stamp": STAMP,
    }  # fmt: skip
    assert made["metadata"]["annotations"]["change"] == "CHG-1"
    assert made["metadata"]["annotations"]["nexuscos-ops/until"] == "2026-11-29T06:02:31Z"
    assert made["spec"] == {
        "volumeSnapshotClassName": "fast", "source": {"persistentVolumeClaimName": "data"},
    }  # fmt: skip
    assert told["diff"]["before"] == ""
    assert told["diff"]["after"] == f"{SPACE}/{TAKEN}\n"


def test_the_same_stamp_again_changes_nothing(server: PlayedSnapshots) -> None:
    take(server)
    asked = len(server.writes())
    again = take(server)
    assert not again["changed"]
    assert again["snapshots"][0]["ready"]
    assert again["snapshots"][0]["seconds"] is None
    assert not take(server, check_mode=True)["changed"]
    assert len(server.writes()) == asked


def test_check_mode_writes_nothing_and_tells_the_same(server: PlayedSnapshots) -> None:
    server.add_snapshot("data", "2026-11-28T060000Z")
    server.add_snapshot("data", "2026-11-29T000000Z")
    plan = take(server, check_mode=True, keep={"last": 2})
    assert not server.writes()
    assert next(one for one in server.asked if one[0] == "POST")[2]["dryRun"] == "All"
    done = take(server, keep={"last": 2})
    for key in ("changed", "removed", "diff", "leftovers", "skipped"):
        assert plan[key] == done[key], key
    assert [(one["name"], one["stays"], one["why"]) for one in plan["retention"]] == [
        (one["name"], one["stays"], one["why"]) for one in done["retention"]
    ]
    assert plan["removed"] == [f"{SPACE}/data-volumes-2026-11-28t060000z"]
    assert plan["msg"].startswith("volumes: would make 1 snapshots; 0 are there already; would remove 1 old")
    assert server.snapshots() == ["data-volumes-2026-11-29t000000z", TAKEN]


def test_many_are_waited_for_side_by_side(server: PlayedSnapshots) -> None:
    for number in range(20):
        server.add_claim(f"data-{number}")
    told = take(server)
    assert len(told["snapshots"]) == 21
    assert all(one["ready"] for one in told["snapshots"])
    # one list for all of them each time, and not one for each
    lists = [path for method, path, _query in server.asked if method == "GET" and path.endswith("/volumesnapshots")]
    assert len(lists) < 10


def test_claims_are_chosen_by_name_label_or_namespace(server: PlayedSnapshots) -> None:
    server.add_claim("other", labels={"part": "cos"})
    server.add_claim("far", namespace="nexus-far", labels={"part": "cos"})

    def chosen(**more: Any) -> list[str]:
        told = take(server, check_mode=True, **more)
        return ["%(namespace)s/%(pvc)s" % one for one in told["snapshots"]]

    assert chosen() == [f"{SPACE}/data", f"{SPACE}/other"]
    assert chosen(claims=["data"]) == [f"{SPACE}/data"]
    assert chosen(claims=["nexus-far/far"], namespaces=[]) == ["nexus-far/far"]
    assert chosen(label_selector="part=cos", namespaces=[]) == [f"{SPACE}/other", "nexus-far/far"]
    assert chosen(label_selector="part=cos") == [f"{SPACE}/other"]
    assert chosen(label_selector="part=cos", namespaces=[], exclude_namespaces=["nexus-f*"]) == [f"{SPACE}/other"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"namespaces": []}, "say which, by claims, namespaces or label_selector"),
        ({"claims": ["data"], "label_selector": "a=b"}, "not both"),
        ({"claims": ["data"], "namespaces": []}, "data wants its namespace"),
        ({"claims": [f"{SPACE}/../../x"]}, "has the name"),
        ({"stamp": "today"}, "want a time in UTC"),
        ({"system": "Volumes_1"}, "want up to 63 small letters"),
        ({"deadline": 0.0}, "deadline"),
        ({"keep": {"lst": 2}}, "keep: there is no 'lst'"),
        ({"keep": {"last": 0}}, "say what stays"),
        ({"labels": {"a": 1}}, "a is a text"),
        ({"annotations": {"nexuscos-ops/until": "x"}}, "is set by the module"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_asked(
    server: PlayedSnapshots, more: dict[str, Any], words: str
) -> None:
    assert words in refused(server, **more)
    assert not [path for _method, path, _query in server.asked if path.endswith("/volumesnapshots")]


def test_a_claim_without_a_volume_is_told(server: PlayedSnapshots) -> None:
    server.add_claim("late", phase="Pending")
    server.add_claim("lost", phase="Lost")
    server.add_claim("going", metadata={"deletionTimestamp": "2026-11-29T00:00:00Z"})
    told = take(server, check_mode=True)
    assert [one["pvc"] for one in told["snapshots"]] == ["data"]
    assert {one["pvc"]: one["why"].split(":")[0] for one in told["skipped"]} == {
        "late": "it is Pending, and has no volume yet", "lost": "its volume is lost", "going": "it is being deleted",
    }  # fmt: skip
    said = refused(server, claims=["late", "nothing", "data"])
    assert f"{SPACE}/late: it is Pending" in said
    assert f"{SPACE}/nothing: there is no such volume claim" in said
    assert "nexus-databases/data" not in said


def test_nothing_to_take_is_no_success(server: PlayedSnapshots) -> None:
    assert "has no namespace nexus-none" in refused(server, namespaces=["nexus-none"])
    server.add("v1", "ConfigMap", "nexus-empty", "x")
    assert "has no bound volume claim that is chosen" in refused(server, namespaces=["nexus-empty"])


def test_a_cluster_without_the_definitions_is_told(server: PlayedSnapshots) -> None:
    group = server.groups.pop("snapshot.storage.k8s.io/v1")
    assert "install the three definitions (CRDs) and the snapshot controller" in refused(server)
    server.groups["snapshot.storage.k8s.io/v1beta1"] = group
    assert "serves snapshot.storage.k8s.io/v1beta1/VolumeSnapshot only" in refused(server)


def test_the_default_class_is_that_of_the_driver(server: PlayedSnapshots) -> None:
    server.add_class("theirs", driver="other.example.com", default=True)
    assert take(server, check_mode=True)["snapshots"][0]["class"] == "fast"
    server.add_class("second", default=True)
    assert "2 default classes of snapshots of the driver" in refused(server)
    assert take(server, check_mode=True, snapshot_class="second")["snapshots"][0]["class"] == "second"


def test_without_a_default_or_a_class_it_is_told(server: PlayedSnapshots) -> None:
    server.add_class("fast")
    assert "none of the classes of snapshots of the driver played.csi.example.com is the default (fast)" in refused(
        server
    )
    server.add_claim("odd", driver="odd.example.com")
    assert "there is no class of snapshots (VolumeSnapshotClass) of the driver odd.example.com" in refused(
        server, claims=["odd"]
    )
    assert "has no class fats" in refused(server, snapshot_class="fats")
    assert "its driver is odd.example.com, and the class fast is of" in refused(
        server, claims=["odd"], snapshot_class="fast"
    )


def test_a_volume_that_cannot_be_snapshotted_fails_or_is_left_out(server: PlayedSnapshots) -> None:
    server.add_claim("shared", source={"nfs": {"server": "10.0.0.1", "path": "/x"}})
    assert f"{SPACE}-shared (nfs) is none of a CSI driver" in refused(server)
    told = take(server, skip_unable=True)
    assert [one["pvc"] for one in told["snapshots"]] == ["data"]
    assert "(nfs)" in told["skipped"][0]["why"]


def test_rights_in_the_namespace_are_enough(server: PlayedSnapshots) -> None:
    server.deny = ["/persistentvolumes", "/volumesnapshotclasses", "/volumesnapshotcontents"]
    assert "the account may not list volumesnapshotclasses" in refused(server)
    told = take(server, snapshot_class="fast")
    assert (told["snapshots"][0]["ready"], told["snapshots"][0]["handle"]) == (True, None)
    assert told["snapshots"][0]["driver"] is None
    server.add_claim("known", metadata={"annotations": {"volume.kubernetes.io/storage-provisioner": DRIVER}})
    assert take(server, snapshot_class="fast", claims=["known"])["snapshots"][0]["driver"] == DRIVER


def test_forbidden_is_told_with_the_right_that_is_missing(server: PlayedSnapshots) -> None:
    server.deny = ["/persistentvolumeclaims"]
    assert "may not list persistentvolumeclaims in nexus-databases" in refused(server)
    server.deny = ["/volumesnapshots"]
    assert "may not list volumesnapshots in nexus-databases" in refused(server)
    server.deny = []
    server.add_claim("more")
    server.refused_posts["data"] = (403, "user x cannot create resource volumesnapshots")
    for check_mode in (True, False):
        told = failed(server, check_mode)
        rows = {one["pvc"]: one for one in told["snapshots"]}
        assert "may not create volumesnapshots in nexus-databases: HTTP 403" in rows["data"]["why"]
        assert rows["more"]["ready"] is not check_mode
    assert server.snapshots() == ["more-volumes-2026-11-29t060000z"]


def test_an_error_of_the_driver_fails_the_task_and_leaves_nothing(server: PlayedSnapshots) -> None:
    server.add_claim("bad")
    server.does["bad"] = "error"
    told = failed(server)
    assert server.snapshots() == [TAKEN]
    assert "bad: its driver or its controller refuses: the array is full" in told["msg"]
    assert "hunter2" not in told["msg"]
    assert "what was made of these is removed; 1 are ready, and stay" in told["msg"]
    rows = {one["pvc"]: one for one in told["snapshots"]}
    assert (rows["data"]["ready"], rows["bad"]["ready"]) == (True, False)
    assert told["diff"]["after"] == f"{SPACE}/{TAKEN}\n"


def test_an_error_of_a_moment_is_none(server: PlayedSnapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume_snapshots, "ERROR_LASTS_S", 60.0)
    server.does["data"] = "conflict"
    assert take(server)["snapshots"][0]["ready"]


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("ignored", "nobody has looked at it: does the snapshot controller run?"),
        ("hang", f"{DRIVER} has not answered yet: see the log of its csi-snapshotter"),
        ("cut", f"{DRIVER} has cut it (snap-1), and does not call it ready yet: give it a longer deadline"),
    ],
)
def test_what_is_not_ready_in_time_is_removed(server: PlayedSnapshots, does: str, words: str) -> None:
    server.does["data"] = does
    told = not_in_time(server)
    assert "not ready within 120 s" in told["msg"]
    assert words in told["msg"]
    assert server.snapshots() == []


def test_what_cannot_be_removed_is_named(server: PlayedSnapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume_snapshots, "CLEAN_S", 0.5)
    server.does["data"] = "sticks"
    told = failed(server)
    assert told["stuck"] == [f"{SPACE}/{TAKEN}"]
    assert "it is being deleted, and stays until its driver has answered" in told["msg"]
    # another run with this stamp does not take it for one that is wanted
    assert "is being deleted: choose another stamp" in failed(server)["msg"]
    later = take(server, check_mode=True, stamp="2026-11-29T120000Z", now=NOW + 21600)
    assert (later["leftovers"], later["stuck"]) == ([], [f"{SPACE}/{TAKEN}"])


@pytest.mark.parametrize(("does", "words"), [("stray", "belongs to another snapshot"), ("nohandle", "has no handle")])
def test_ready_is_not_believed_against_the_content(server: PlayedSnapshots, does: str, words: str) -> None:
    server.does["data"] = does
    assert words in failed(server)["msg"]
    assert server.snapshots() == []


def test_one_that_somebody_deletes_is_no_success(server: PlayedSnapshots) -> None:
    server.does["data"] = "gone"
    assert "somebody has deleted it while it was made" in failed(server)["msg"]


def test_a_foreign_snapshot_of_the_name_is_left_alone(server: PlayedSnapshots) -> None:
    server.add_snapshot("data", "2026-11-01T000000Z", system="theirs", name=TAKEN)
    before = server.snapshot(TAKEN)
    told = failed(server)
    assert "is there already, and is not of volumes" in told["msg"]
    assert server.snapshot(TAKEN) == before
    assert "is there already" in failed(server, check_mode=True)["msg"]


def test_one_of_an_earlier_claim_of_the_name_is_not_taken_for_this_ones(server: PlayedSnapshots) -> None:
    server.add_snapshot("data", STAMP, claim_uid="uid-before")
    assert "is of an earlier claim of that name" in failed(server)["msg"]
    assert server.snapshots() == [TAKEN]


def test_the_answer_to_its_making_may_be_lost(server: PlayedSnapshots) -> None:
    server.lose_answer = True
    told = take(server)
    assert told["snapshots"][0]["ready"]
    assert server.snapshots() == [TAKEN]


def test_an_api_server_that_starts_again_is_waited_for(server: PlayedSnapshots) -> None:
    server.trouble = 3
    assert take(server)["snapshots"][0]["ready"]


def test_a_run_that_is_ended_leaves_nothing(server: PlayedSnapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add_claim("slow")
    server.does["slow"] = "hang"

    def look(self: volume_snapshots.Work, jobs: Any) -> None:
        real(self, jobs)
        if any(job.seen and job.seen.ready for job in self.jobs):
            raise scratch_postgres.Ended("ended by SIGTERM")

    real = volume_snapshots.Work._look
    monkeypatch.setattr(volume_snapshots.Work, "_look", look)
    with pytest.raises(OpsError, match="ended by SIGTERM: the snapshots that were not ready are removed"):
        take(server)
    assert server.snapshots() == [TAKEN]


def test_what_a_killed_run_left_is_taken_over_by_the_same_stamp(server: PlayedSnapshots) -> None:
    server.add_snapshot("data", STAMP, ready=False, annotations={"nexuscos-ops/until": "2026-11-29T06:10:30Z"})
    told = take(server)
    assert (told["snapshots"][0]["ready"], told["snapshots"][0]["made"], told["changed"]) == (True, False, False)
    assert server.snapshots() == [TAKEN]


def test_what_a_killed_run_left_goes_when_nobody_waits_for_it(server: PlayedSnapshots) -> None:
    old, waited, ready = (f"2026-11-29T0{hour}0000Z" for hour in (1, 2, 3))
    server.does["data"] = "ignored"
    left = server.add_snapshot("data", old, ready=False, annotations={"nexuscos-ops/until": "2026-11-29T01:10:30Z"})
    # a run of somebody else that may still go on, and one that got ready after its run was killed
    server.add_snapshot("data", waited, ready=False, annotations={"nexuscos-ops/until": "2026-11-29T23:00:00Z"})
    server.add_snapshot("data", ready, annotations={"nexuscos-ops/until": "2026-11-29T03:10:30Z"})
    server.add_snapshot("data", STAMP)
    plan = take(server, check_mode=True)
    assert (plan["leftovers"], plan["changed"]) == ([f"{SPACE}/{left}"], True)
    told = take(server)
    assert told["leftovers"] == [f"{SPACE}/{left}"]
    assert "removed 1 that an earlier run has left" in told["msg"]
    assert left not in server.snapshots()
    assert len(server.snapshots()) == 3
    assert not take(server)["changed"]


def test_old_ones_are_thinned_out_and_the_rest_is_told(server: PlayedSnapshots) -> None:
    for day in range(20, 29):
        server.add_snapshot("data", f"2026-11-{day}T060000Z")
    server.add_snapshot("data", "2026-11-20T060000Z", system="theirs")
    told = take(server, keep={"daily": 3})
    assert server.snapshots() == [
        "data-theirs-2026-11-20t060000z", "data-volumes-2026-11-27t060000z", "data-volumes-2026-11-28t060000z", TAKEN,
    ]  # fmt: skip
    assert len(told["removed"]) == 7
    assert told["retention"][0]["why"] == ["it is the newest that is ready", "daily 1 of 3 (2026-11-29)"]
    deleted = [path.rsplit("/", 1)[1] for method, path, _query in server.asked if method == "DELETE"]
    assert deleted == sorted(deleted)
    assert not take(server, keep={"daily": 3})["changed"]


def test_nothing_is_thinned_out_for_a_claim_without_a_new_one(server: PlayedSnapshots) -> None:
    server.add_claim("good")
    for claim in ("data", "good"):
        for day in (26, 27):
            server.add_snapshot(claim, f"2026-11-{day}T060000Z")
    server.does["data"] = "error"
    told = failed(server, keep={"last": 1})
    assert {one["pvc"] for one in told["retention"]} == {"good"}
    assert server.snapshots() == [
        "data-volumes-2026-11-26t060000z", "data-volumes-2026-11-27t060000z", "good-volumes-2026-11-29t060000z",
    ]  # fmt: skip


def test_snapshots_of_an_earlier_claim_keep_their_newest(server: PlayedSnapshots) -> None:
    for day in (20, 21):
        server.add_snapshot("data", f"2026-11-{day}T060000Z", claim_uid="uid-before")
    told = take(server, keep={"last": 1})
    assert server.snapshots() == ["data-volumes-2026-11-21t060000z", TAKEN]
    former = [one for one in told["retention"] if "of an earlier claim of that name" in one["why"]]
    assert [(one["stamp"], one["stays"]) for one in former] == [
        ("2026-11-21T060000Z", True), ("2026-11-20T060000Z", False),
    ]  # fmt: skip


def test_one_that_a_claim_is_being_made_from_stays(server: PlayedSnapshots) -> None:
    old = server.add_snapshot("data", "2026-11-20T060000Z")
    source = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": old}
    server.add_claim("back", phase="Pending", spec={"dataSource": source})
    told = take(server, claims=["data"], keep={"last": 1})
    assert told["removed"] == []
    assert told["retention"][-1]["why"] == ["the claim back is being made from it"]


def test_what_may_not_be_removed_is_a_failure_that_keeps_the_new_one(server: PlayedSnapshots) -> None:
    old = server.add_snapshot("data", "2026-11-20T060000Z")
    server.deny = [f"/volumesnapshots/{old}"]
    told = failed(server, keep={"last": 1})
    assert "old ones were not thinned out: the account may not delete volumesnapshots" in told["msg"]
    assert told["snapshots"][0]["ready"]


@pytest.mark.parametrize(
    "status",
    [
        {"readyToUse": "true", "boundVolumeSnapshotContentName": "x"},
        {"readyToUse": True},
        {"readyToUse": True, "boundVolumeSnapshotContentName": 7},
        "ready",
        {"error": "text"},
    ],
)
def test_hostile_status_is_not_ready(server: PlayedSnapshots, status: Any) -> None:
    server.does["data"] = "ignored"
    server.add_snapshot("data", STAMP, ready=False)
    server.snapshot(TAKEN)["status"] = status
    # the played controller reads only mappings
    server._work = lambda: None  # type: ignore[method-assign]
    assert "not ready within" in not_in_time(server)["msg"]


def test_hostile_sizes_names_and_labels(server: PlayedSnapshots) -> None:
    server.add_snapshot("data", STAMP, status={"restoreSize": "1e999", "creationTime": 5})
    row = take(server)["snapshots"][0]
    assert (row["restore_size"], row["creation_time"]) == (None, None)
    server.add_snapshot("data", "2026-13-45T990000Z", metadata={"creationTimestamp": "never"}, name="odd",
                        status={"creationTime": "soon"})  # fmt: skip
    told = take(server, keep={"last": 1})
    odd = next(one for one in told["retention"] if one["name"] == "odd")
    assert (odd["stays"], "nobody can say of when it is" in odd["why"]) == (True, True)
    server.add_snapshot("data", "2026-11-01T000000Z", metadata={"name": "../../x"}, name="evil")
    assert "has the name '../../x', which is none" in refused_late(server)


def refused_late(server: PlayedSnapshots) -> str:
    with pytest.raises(OpsError) as caught:
        take(server)
    return str(caught.value)


def test_a_very_long_name_of_a_claim_fits(server: PlayedSnapshots) -> None:
    names = ["a" * 250 + "-1", "a" * 250 + "-2"]
    for name in names:
        server.add_claim(name)
    rows = take(server, claims=names)["snapshots"]
    assert len({one["name"] for one in rows}) == 2
    assert all(len(one["name"]) <= 253 and one["ready"] for one in rows)


def test_the_module_fails_with_what_there_is(server: PlayedSnapshots) -> None:
    assert k8s_volume_snapshot.spec().options["state"]["choices"] == ["present", "restored"]
    assert k8s_volume_snapshot.run(options(server), True)["changed"]


# -- claims from snapshots


def restore(server: PlayedSnapshots, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    return k8s_volume_snapshot.run(options(server, state="restored", **{"stamp": "", **more}), check_mode)


def test_a_claim_is_made_beside_the_old_one(server: PlayedSnapshots) -> None:
    take(server)
    plan = restore(server, check_mode=True)
    assert (plan["changed"], plan["claims"][0]["made"], plan["claims"][0]["phase"]) == (True, False, None)
    assert len([path for path in server.objects if "persistentvolumeclaims" in path]) == 1
    told = restore(server)
    (row,) = told["claims"]
    assert (row["name"], row["snapshot"], row["made"], row["storage"]) == ("data-restored", TAKEN, True, "1Gi")
    made = server.objects[f"/api/v1/namespaces/{SPACE}/persistentvolumeclaims/data-restored"]
    assert made["spec"] == {
        "accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem", "storageClassName": "quick",
        "resources": {"requests": {"storage": "1Gi"}},
        "dataSource": {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": TAKEN},
    }  # fmt: skip
    again = restore(server)
    assert (again["changed"], again["claims"][0]["there"]) == (False, True)
    assert not restore(server, check_mode=True)["changed"]


def test_the_newest_that_is_ready_is_taken_or_that_of_a_stamp(server: PlayedSnapshots) -> None:
    for day in (20, 21):
        server.add_snapshot("data", f"2026-11-{day}T060000Z")
    server.does["data"] = "ignored"
    server.add_snapshot("data", "2026-11-22T060000Z", ready=False)
    assert restore(server, check_mode=True)["claims"][0]["stamp"] == "2026-11-21T060000Z"
    assert restore(server, True, stamp="2026-11-20T060000Z")["claims"][0]["stamp"] == "2026-11-20T060000Z"
    with pytest.raises(OpsError, match="is not ready to use"):
        restore(server, stamp="2026-11-22T060000Z")
    with pytest.raises(OptionError, match="has no snapshot of 2026-11-23T060000Z of nexus-databases"):
        restore(server, stamp="2026-11-23T060000Z")
    with pytest.raises(OptionError, match="has no snapshot that is ready of nexus-databases/nothing"):
        restore(server, claims=["nothing", "data"])


def test_a_claim_is_never_restored_over_another(server: PlayedSnapshots) -> None:
    server.add_snapshot("data", "2026-11-20T060000Z")
    server.add_claim("data-restored")
    with pytest.raises(OptionError, match="never restored over another: choose another suffix"):
        restore(server, claims=["data"])
    with pytest.raises(OptionError, match="never restored over itself"):
        restore(server, claims=["data"], suffix="")
    with pytest.raises(OpsError, match="has the name"):
        restore(server, claims=["data"], suffix="/../x")
    assert not server.writes()
    assert restore(server, claims=["data"], suffix="-again")["changed"]


def test_all_are_tried_before_one_is_made(server: PlayedSnapshots) -> None:
    server.add_claim("other")
    for claim in ("data", "other"):
        server.add_snapshot(claim, "2026-11-20T060000Z")
    server.refused_posts["other-restored"] = (403, "exceeded quota: storage")
    with pytest.raises(OpsError, match="may not create persistentvolumeclaims in nexus-databases: HTTP 403: exceeded"):
        restore(server)
    assert not server.writes()


def test_a_lost_claim_comes_back_by_what_was_noted_with_its_snapshot(server: PlayedSnapshots) -> None:
    take(server)
    del server.objects[f"/api/v1/namespaces/{SPACE}/persistentvolumeclaims/data"]
    server.snapshot(TAKEN)["status"]["restoreSize"] = "3Gi"
    told = restore(server, claims=["data"])
    assert (told["claims"][0]["storage"], told["claims"][0]["storage_class"]) == ("3Gi", "quick")
    server.snapshot(TAKEN)["metadata"]["annotations"]["nexuscos-ops/claim"] = "[" * 100_000
    server.snapshot(TAKEN)["status"]["restoreSize"] = None
    with pytest.raises(OpsError, match="make it by hand"):
        restore(server, claims=["data"], suffix="-again")
