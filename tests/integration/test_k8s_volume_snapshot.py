# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_volume_snapshot on the lab's API server with the real snapshot controller, seen with kubectl.

Wants a lab that is up, with clusters of its own. It brings the definitions, and takes them away.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import volume_snapshots
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.nexuscos.ops.plugins.modules import k8s_volume_snapshot

sys.path.insert(0, str(Path(__file__).parent))

import snapshot_driver
from snapshot_driver import BARE, CONTEXT, DRIVER, LAB, ROOT, Cluster, Space, kubectl, until

RIGHTS = ROOT / "playbooks/files/nexuscos-ops-volume-snapshots.yml"
FIRST, SECOND, THIRD = "2026-11-27T060000Z", "2026-11-28T060000Z", "2026-11-28T180000Z"
RUN = """
import json, sys
from ansible_collections.nexuscos.ops.plugins.modules import k8s_volume_snapshot
k8s_volume_snapshot.run(json.load(sys.stdin), False)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with snapshot_driver.cluster() as one:
        yield one
        assert not one.driver.trouble


@pytest.fixture
def space(cluster: Cluster) -> Iterator[Space]:
    with snapshot_driver.space(cluster) as one:
        yield one


def params(**more: Any) -> dict[str, Any]:
    """Options as the module gets them, with defaults."""
    given = {"kubeconfig": str(LAB / "kubeconfig"), "context": CONTEXT, "system": "volumes", **more}
    checked = ArgumentSpecValidator(k8s_volume_snapshot.spec().options).validate(given)
    assert not checked.error_messages, checked.error_messages
    return dict(checked.validated_parameters)


def take(check_mode: bool = False, **more: Any) -> dict[str, Any]:
    return k8s_volume_snapshot.run(params(**more), check_mode)


def failed(**more: Any) -> dict[str, Any]:
    with pytest.raises(volume_snapshots.NotAll) as caught:
        take(**more)
    return caught.value.result


def refused(**more: Any) -> str:
    with pytest.raises(OpsError) as caught:
        take(**more)
    return str(caught.value)


def playbook(folder: Path, *flags: str, **more: Any) -> dict[str, Any]:
    """As an operator's playbook does it."""
    kept = folder / "result.json"
    kept.unlink(missing_ok=True)
    where = {"kubeconfig": str(LAB / "kubeconfig"), "context": CONTEXT, "system": "volumes"}
    task = {"nexuscos.ops.k8s_volume_snapshot": {**where, **more}, "register": "seen", "ignore_errors": True}
    copy = {
        "ansible.builtin.copy": {"content": "{{ seen | to_json }}", "dest": str(kept), "mode": "0600"},
        "check_mode": False,
    }
    plays = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task, copy]}]
    book = folder / "book.yml"
    book.write_text(yaml.safe_dump(plays), encoding="utf-8")
    program = str(Path(sys.executable).parent / "ansible-playbook")
    command = [program, "-i", "localhost,", str(book), "-e", f"ansible_python_interpreter={sys.executable}", *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return result


def test_check_apply_repeat_and_repeat_in_check(space: Space, tmp_path: Path) -> None:
    space.claim("data-a")
    space.claim("data-b")
    given = {"namespaces": [space.name], "stamp": FIRST}
    plan = playbook(tmp_path, "--check", "--diff", **given)
    assert plan["changed"]
    assert space.snapshots() == {}
    done = playbook(tmp_path, "--diff", **given)
    assert done["changed"]
    assert {key: plan["diff"][key] for key in ("before", "after")} == {
        key: done["diff"][key] for key in ("before", "after")
    }
    seen = space.snapshots()
    assert sorted(seen) == ["data-a-volumes-2026-11-27t060000z", "data-b-volumes-2026-11-27t060000z"]
    for row in done["snapshots"]:
        one = seen[row["name"]]
        content = json.loads(kubectl("get", "volumesnapshotcontent", row["content"], "-o", "json"))
        assert one["status"]["readyToUse"] is True
        assert (one["status"]["boundVolumeSnapshotContentName"], one["status"]["creationTime"]) == (
            row["content"], row["creation_time"],
        )  # fmt: skip
        assert one["spec"]["source"]["persistentVolumeClaimName"] == row["pvc"]
        assert (content["spec"]["driver"], content["status"]["snapshotHandle"]) == (DRIVER, row["handle"])
        assert content["spec"]["source"]["volumeHandle"] == f"{space.name}-{row['pvc']}"
        assert (row["class"], row["driver"], row["restore_size"]) == ("played", DRIVER, 2**30)
    for flags in ((), ("--check",)):
        again = playbook(tmp_path, *flags, **given)
        assert (again["changed"], again["diff"]["before"]) == (False, again["diff"]["after"])
        assert [one["ready"] for one in again["snapshots"]] == [True, True]
    assert space.snapshots() == seen


def test_an_error_of_the_driver_leaves_nothing_of_it(space: Space) -> None:
    space.claim("good")
    space.claim("bad", does="fail")
    told = failed(namespaces=[space.name], stamp=FIRST)
    assert "bad: its driver or its controller refuses:" in told["msg"]
    assert "the array is full" in told["msg"]
    assert list(space.snapshots()) == ["good-volumes-2026-11-27t060000z"]
    until(lambda: not contents(space, "bad"), "the content of the failed one is gone")
    # mended, the same stamp is completed
    space.does("bad", "ready")
    told = take(namespaces=[space.name], stamp=FIRST)
    assert [(one["pvc"], one["made"], one["ready"]) for one in told["snapshots"]] == [
        ("bad", True, True), ("good", False, True),
    ]  # fmt: skip


def contents(space: Space, claim: str) -> list[str]:
    return [
        one["metadata"]["name"]
        for one in snapshot_driver.listed("volumesnapshotcontents")
        if one["spec"]["source"].get("volumeHandle") == f"{space.name}-{claim}"
    ]


def test_a_driver_that_hangs_is_given_up_and_named(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume_snapshots, "CLEAN_S", 5.0)
    space.claim("data", does="hang")
    told = failed(namespaces=[space.name], stamp=FIRST, deadline=30.0)
    assert "not ready within 30 s" in told["msg"]
    assert f"{DRIVER} has not answered yet" in told["msg"]
    # The controller lets no snapshot go that its driver may be at work on: it is named, and goes when that answers.
    assert told["stuck"] == [f"{space.name}/data-volumes-2026-11-27t060000z"]
    assert "it is being deleted, and stays until its driver has answered" in told["msg"]
    space.does("data", "ready")
    until(lambda: not space.snapshots(), "the snapshot is gone")


def test_what_is_wrong_is_told_before_anything_is_made(space: Space) -> None:
    space.claim("data")
    space.claim("late", bound=False)
    space.claim("local", csi=False)
    where = {"namespaces": [space.name]}
    assert "late: it is Pending, and has no volume yet" in refused(claims=["late", "data"], **where)
    assert "nothing: there is no such volume claim" in refused(claims=["nothing"], **where)
    assert "(hostPath) is none of a CSI driver" in refused(**where)
    assert "has no class fast" in refused(snapshot_class="fast", claims=["data"], **where)
    assert "has no namespace nexuscos-test-none" in refused(namespaces=["nexuscos-test-none"])
    with snapshot_driver.snapshot_class("second", default=True):
        assert "there are 2 default classes of snapshots of the driver" in refused(claims=["data"], **where)
    with snapshot_driver.snapshot_class("other", driver="other.csi.nexuscos.test"):
        assert f"its driver is {DRIVER}, and the class other is of" in refused(
            claims=["data"], snapshot_class="other", **where
        )
    assert space.snapshots() == {}
    told = take(skip_unable=True, stamp=FIRST, **where)
    assert [one["pvc"] for one in told["snapshots"]] == ["data"]
    assert sorted(one["pvc"] for one in told["skipped"]) == ["late", "local"]


def test_a_cluster_without_the_definitions_says_what_is_missing() -> None:
    where = {"context": BARE, "namespaces": ["default"]}
    assert "install the three definitions (CRDs) and the snapshot controller" in refused(**where)


@contextlib.contextmanager
def account(space: Space, kubeconfig: Path) -> Iterator[list[dict[str, Any]]]:
    """An account with no rights, and what the collection's own file would give it: in one namespace, in the cluster."""
    name = "nexuscos-backup"
    kubectl("-n", space.name, "create", "serviceaccount", name)
    config = json.loads(kubectl("config", "view", "--minify", "--flatten", "-o", "json"))
    config["users"][0]["user"] = {"token": kubectl("-n", space.name, "create", "token", name).strip()}
    kubeconfig.write_text(json.dumps(config), encoding="utf-8")
    given = RIGHTS.read_text(encoding="utf-8").replace("nexus-databases", space.name)
    docs: list[dict[str, Any]] = yaml.safe_load(given)["items"]
    own = f"{space.name}-rights"
    for doc in docs:
        doc["metadata"]["name"] = own
        if "roleRef" in doc:
            doc["roleRef"]["name"] = own
    try:
        yield docs
    finally:
        kubectl("delete", "clusterrole,clusterrolebinding", own, "--ignore-not-found")


def allowed(space: Space, verb: str, resource: str) -> None:
    """Rights arrive a moment after they were given."""
    who = f"--as=system:serviceaccount:{space.name}:nexuscos-backup"
    until(
        lambda: "yes" in kubectl("auth", "can-i", verb, resource, "-n", space.name, who, check=False),
        f"the right to {verb} {resource} has arrived",
    )


def test_rights(space: Space, tmp_path: Path) -> None:
    space.claim("data")
    kubeconfig = tmp_path / "backup.kubeconfig"
    where = {"kubeconfig": str(kubeconfig), "namespaces": [space.name]}
    group = f"volumesnapshots.{snapshot_driver.GROUP}"
    with account(space, kubeconfig) as docs:
        role = docs[0]
        assert f"may not list persistentvolumeclaims in {space.name}" in refused(**where)
        snapshots = role["rules"][0]
        snapshots["verbs"] = ["get", "list"]
        kubectl("apply", "-f", "-", data=json.dumps({"apiVersion": "v1", "kind": "List", "items": docs[:2]}))
        allowed(space, "list", group)
        assert "may not list volumesnapshotclasses (or name one in snapshot_class)" in refused(**where)
        for check_mode in (True, False):
            said = refused(check_mode=check_mode, snapshot_class="played", stamp=FIRST, **where)
            assert f"the account may not create volumesnapshots in {space.name}: HTTP 403" in said
        snapshots["verbs"] = ["get", "list", "create", "delete"]
        kubectl("apply", "-f", "-", data=json.dumps(role))
        allowed(space, "create", group)
        # Rights in the namespace are enough; what belongs to the cluster is not known then.
        row = take(snapshot_class="played", stamp=FIRST, **where)["snapshots"][0]
        assert (row["ready"], row["handle"]) == (True, None)
        kubectl("apply", "-f", "-", data=json.dumps({"apiVersion": "v1", "kind": "List", "items": docs[2:]}))
        allowed(space, "list", f"volumesnapshotclasses.{snapshot_driver.GROUP}")
        told = take(stamp=SECOND, keep={"last": 1}, **where)
        assert (told["snapshots"][0]["ready"], told["snapshots"][0]["driver"]) == (True, DRIVER)
        assert told["snapshots"][0]["handle"]
        assert told["removed"] == [f"{space.name}/data-volumes-2026-11-27t060000z"]
        assert take(state="restored", **where)["changed"]


def test_retention_says_in_check_what_it_does(space: Space) -> None:
    space.claim("data")
    where = {"namespaces": [space.name]}
    for stamp in (FIRST, SECOND, THIRD):
        take(stamp=stamp, **where)
    take(stamp=FIRST, system="theirs", **where)
    plan = take(check_mode=True, keep={"daily": 2}, **where)
    assert len(space.snapshots()) == 4
    done = take(stamp=plan["stamp"], keep={"daily": 2}, **where)
    assert plan["removed"] == done["removed"]
    assert f"{space.name}/data-volumes-2026-11-27t060000z" in done["removed"]
    assert [(one["name"], one["stays"], one["why"]) for one in plan["retention"]] == [
        (one["name"], one["stays"], one["why"]) for one in done["retention"]
    ]
    until(lambda: len(space.snapshots()) == 5 - len(done["removed"]), "what no rule keeps is gone")
    names = set(space.snapshots())
    assert {"data-theirs-2026-11-27t060000z", "data-volumes-2026-11-28t180000z"} <= names
    assert not {f"{space.name}/{name}" for name in names} & set(done["removed"])
    assert not take(stamp=plan["stamp"], keep={"daily": 2}, **where)["changed"]


def test_the_only_one_that_is_ready_stays(space: Space) -> None:
    space.claim("data")
    where = {"namespaces": [space.name]}
    take(stamp=FIRST, **where)
    space.does("data", "fail")
    failed(stamp=SECOND, keep={"within": "1h"}, **where)
    assert list(space.snapshots()) == ["data-volumes-2026-11-27t060000z"]


def killed(space: Space, stamp: str) -> str:
    """A run that is killed while it waits; the name of its snapshot."""
    given = params(namespaces=[space.name], stamp=stamp)
    name = f"data-volumes-{stamp.lower()}"
    with subprocess.Popen([sys.executable, "-c", RUN], cwd=ROOT, stdin=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdin is not None
            run.stdin.write(json.dumps(given))
            run.stdin.close()
            until(lambda: name in space.snapshots() or run.poll() is not None, "the snapshot is made")
        finally:
            run.kill()
        run.wait()
    assert name in space.snapshots()
    return name


def test_what_a_killed_run_left_is_taken_over(space: Space) -> None:
    space.claim("data", does="hang")
    name = killed(space, FIRST)
    uid = space.snapshots()[name]["metadata"]["uid"]
    space.does("data", "ready")
    told = take(namespaces=[space.name], stamp=FIRST)
    assert (told["snapshots"][0]["ready"], told["snapshots"][0]["made"]) == (True, False)
    assert space.snapshots()[name]["metadata"]["uid"] == uid


def test_what_a_killed_run_left_goes_with_a_later_one(space: Space) -> None:
    space.claim("data", does="fail")
    name = killed(space, FIRST)
    until(lambda: (space.snapshots()[name].get("status") or {}).get("error"), "the driver has failed")
    space.does("data", "ready")
    given = params(namespaces=[space.name], stamp=SECOND)
    # Somebody may still wait for it, until its deadline is over.
    told = volume_snapshots.run(given, False)
    assert (told["leftovers"], sorted(space.snapshots())) == ([], sorted([name, "data-volumes-2026-11-28t060000z"]))
    later = time.time() + 3600
    assert volume_snapshots.run(given, True, now=later)["leftovers"] == [f"{space.name}/{name}"]
    assert volume_snapshots.run(given, False, now=later)["leftovers"] == [f"{space.name}/{name}"]
    until(lambda: list(space.snapshots()) == ["data-volumes-2026-11-28t060000z"], "it is gone")
    assert not volume_snapshots.run(given, False, now=later)["changed"]


def test_a_run_that_is_asked_to_end_takes_its_own_away(space: Space) -> None:
    space.claim("data", does="fail")
    given = params(namespaces=[space.name], stamp=FIRST)
    patient = RUN.replace("k8s_volume_snapshot.run(", "volume_snapshots.ERROR_LASTS_S = 600; k8s_volume_snapshot.run(")
    patient = "from ansible_collections.nexuscos.ops.plugins.module_utils._backup import volume_snapshots\n" + patient
    with subprocess.Popen(
        [sys.executable, "-c", patient], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        try:
            assert run.stdin is not None
            run.stdin.write(json.dumps(given))
            run.stdin.close()
            until(lambda: space.snapshots() or run.poll() is not None, "the snapshot is made")
            run.terminate()
            assert run.stderr is not None
            said = run.stderr.read()
            run.wait()
        finally:
            run.kill()
    assert "ended by SIGTERM: the snapshots that were not ready are removed" in said
    assert space.snapshots() == {}


def test_a_claim_is_made_from_a_snapshot_beside_the_old_one(space: Space) -> None:
    space.claim("data")
    take(namespaces=[space.name], stamp=FIRST)
    given = {"state": "restored", "namespaces": [space.name]}
    plan = take(check_mode=True, **given)
    assert plan["changed"]
    assert "NotFound" in kubectl("-n", space.name, "get", "pvc", "data-restored", check=False)
    before = space.got("pvc", "data")
    told = take(**given)
    made = space.got("pvc", "data-restored")
    assert (told["changed"], told["claims"][0]["name"]) == (True, "data-restored")
    assert made["spec"]["dataSource"] == {
        "apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "data-volumes-2026-11-27t060000z",
    }  # fmt: skip
    assert made["spec"]["resources"]["requests"]["storage"] == "1Gi"
    assert space.got("pvc", "data")["spec"] == before["spec"]
    assert not take(**given)["changed"]
    # What a claim waits for is not thinned out.
    told = take(namespaces=[space.name], claims=["data"], stamp=SECOND, keep={"last": 1})
    assert told["removed"] == []
    assert "never restored over another" in refused(suffix="-other", **_other(space, given))


def _other(space: Space, given: dict[str, Any]) -> dict[str, Any]:
    space.claim("data-other")
    return {**given, "claims": ["data"]}


class Place:
    """A place of backups that lists volumes, and no sets."""

    def __init__(self, folder: Path, space: Space) -> None:
        self.folder = folder
        here = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "nexuscos_backups_become": False,
            "nexuscos_backups_path": str(folder / "sets"),
            "nexuscos_report_dir": str(folder / "reports"),
            "nexuscos_volume_snapshots": [
                {"name": "volumes", "kubeconfig": str(LAB / "kubeconfig"), "context": CONTEXT,
                 "namespaces": [space.name], "keep": {"last": 1}},
                {"name": "nothing", "kubeconfig": str(folder / "none"), "claims": ["a/b"]},
            ],
        }  # fmt: skip
        self.inventory = folder / "inventory.yml"
        self.inventory.write_text(yaml.safe_dump({"backups": {"hosts": {"b1": here}}}), encoding="utf-8")

    def play(self, *arguments: str, **variables: Any) -> tuple[int, str]:
        program = str(Path(sys.executable).parent / "ansible-playbook")
        command = [program, "-i", str(self.inventory), "nexuscos.ops.backup", *arguments, "-e", json.dumps(variables)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def report(self) -> dict[str, Any]:
        path = self.folder / "reports" / "backup" / "latest" / "report.json"
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return told


def test_the_playbook_takes_them_and_tells_them(space: Space, tmp_path: Path) -> None:
    space.claim("data")
    place = Place(tmp_path, space)
    code, text = place.play("--check", nexuscos_backup_only="volumes")
    assert code == 0, text
    assert "would make 1 snapshots" in text
    assert space.snapshots() == {}
    code, text = place.play(nexuscos_backup_only=["volumes"], nexuscos_backup_stamp=FIRST)
    assert code == 0, text
    assert place.report()["items"][0]["headline"] == "1 of 1 snapshots of volumes ready"
    code, text = place.play(nexuscos_backup_stamp=SECOND)
    # What fails does not hold up the others.
    assert code != 0
    assert "Not all snapshots are ready of the volumes of nothing." in text
    assert list(space.snapshots()) == ["data-volumes-2026-11-28t060000z"]
    (finding,) = place.report()["findings"]
    assert (finding["check"], finding["object"]) == ("backup_run.snapshot", "b1/nothing")
    assert "there is no file" in finding["title"]
    code, text = place.play(nexuscos_backup_only="volumse")
    assert code != 0
    assert "No place has a system volumse" in text
