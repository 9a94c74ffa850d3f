# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgres_backup of a database in a pod, by a real exec: of the lab's own as the playbooks do it, and while it breaks.

What breaks is a database of the test's own, in a namespace that is gone afterwards.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "integration"), str(ROOT / "tests" / "integration" / "backup")]

import running  # noqa: E402
from pod_database import CLUSTER, LAB, LARGE, POD, Database, database, facts, got, kubectl  # noqa: E402
from relay import Relay  # noqa: E402
from scratch import BIN, RUN, module, start_module  # noqa: E402

NAMESPACE = "nexuscos-test-pod-backup"
MOST = 600_000
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


@pytest.fixture(autouse=True)
def _nothing_runs_on() -> Iterator[None]:
    yield
    left = running.end_all()
    assert not left, f"still running: {left}"


@pytest.fixture(scope="module")
def own() -> Database:
    """The lab's own. Nothing here breaks it."""
    return Database()


@pytest.fixture(scope="module")
def fragile() -> Iterator[Database]:
    with database(NAMESPACE) as found:
        yield found


@pytest.fixture
def large(fragile: Database) -> Database:
    """With a table whose dump is long. Its data go with the pod."""
    fragile.wait()
    if fragile.psql("SELECT count(*) FROM pg_database WHERE datname = 'large'", "postgres") == "0":
        fragile.psql("CREATE DATABASE large", "postgres")
        fragile.psql(LARGE, "large")
    return fragile


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture(scope="module")
def first(own: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one set."""
    place = tmp_path_factory.mktemp("first") / "backups"
    answer = back_up(own, place, stamp=RUN)
    assert not answer.get("failed"), answer
    return place


@pytest.fixture
def safe(first: Path, place: Path) -> tuple[set[str], str]:
    """An earlier set, which nothing may touch."""
    subprocess.run(["cp", "-a", str(first), str(place)], check=True)
    return state(place)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "module"
    found.mkdir()
    return found


def back_up(source: Database, place: Path, **more: Any) -> dict[str, Any]:
    return module("postgres_backup", {"path": str(place), **source.options(**more)})


def state(place: Path) -> tuple[set[str], str]:
    """All names but those of locks, and where ``latest`` leads to."""
    names = {str(path.relative_to(place)) for path in place.rglob("*") if not path.name.startswith(".lock-")}
    return names, os.readlink(place / "latest" / "nexus_db")


def play(name: str, *arguments: str) -> str:
    command = [str(PLAYBOOK), "-i", "inventories/lab", f"nexuscos.ops.{name}", "--limit", "backup2", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def through(port: int, folder: Path) -> dict[str, Any]:
    """The way to the API server by a port of this machine, which its certificate names as well."""
    told = yaml.safe_load((LAB / "kubeconfig").read_text(encoding="utf-8"))
    for one in told["clusters"]:
        one["cluster"]["server"] = f"https://127.0.0.1:{port}"
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(told), encoding="utf-8")
    path.chmod(0o600)
    return {"kubeconfig": str(path)}


def api() -> tuple[str, int]:
    match = re.fullmatch(r"https://([\d.]+):(\d+)", facts()["clusters"][CLUSTER]["server"])
    assert match
    return match.group(1), int(match.group(2))


# The lab's own, healthy


def test_the_playbook_makes_a_set_of_the_lab_s_own_and_proves_it(own: Database, tmp_path: Path) -> None:
    place = tmp_path / "place"
    here = ["-e", json.dumps({"nexuscos_backups_path": str(place), "nexuscos_report_dir": str(tmp_path / "reports")})]
    play("backup", *here)
    found = place / "latest" / "nexus_db"
    told = json.loads((found / "manifest.json").read_text(encoding="utf-8"))
    assert told["source"]["pod"] == {"context": "us-east-1-backup", "name": POD, "namespace": "nexus-databases"}
    assert told["invariants"]["tables"] == own.counts()
    assert sum(told["invariants"]["tables"].values()) >= 800
    listed = subprocess.run(
        [str(BIN / "pg_restore"), "--list", str(found / "nexus_db.dump")], capture_output=True, text=True, check=True
    ).stdout
    assert "TABLE DATA crm contacts" in listed
    running.wait_for(lambda: own.at_work() == "", "the end of all that the backup has started")
    play("backup_verify", *here, "-e", "nexuscos_backup_verify_level=4")
    told = json.loads((found / "manifest.json").read_text(encoding="utf-8"))
    assert max((proof["at"], proof["level"]) for proof in told["proofs"])[1] == 4
    assert all(proof["good"] for proof in told["proofs"])


def test_a_set_of_a_pod_is_restored_into_one(fragile: Database, own: Database, first: Path) -> None:
    """Over the network, which is how pg_restore goes there, by several connections at once."""
    fragile.wait()
    answer = module(
        "postgres_restore",
        {"system": "nexus_db", "path": str(first), "database": "back", "jobs": 2, **fragile.login},
    )
    assert not answer.get("failed"), answer
    assert fragile.counts("back") == own.counts()
    fragile.psql("DROP DATABASE back", "postgres")


def test_the_password_stands_in_no_list_of_processes(large: Database, place: Path, folder: Path) -> None:
    secret = large.options()["login_password"]
    with Relay(api(), MOST) as way:
        given = {"path": str(place), **large.options(login_db="large", compress=0, pod=through(way.port, folder))}
        process = start_module("postgres_backup", given, folder)
        running.wait_for(way.held.is_set, "the dump is in the middle", process)
        inside = large.shell("ps; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
        here = "".join(
            Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8") for pid in running.children(process.pid)
        )
        way.release()
        answer = running.answer_of(process)
    assert not answer.get("failed"), answer
    assert "pg_dump" in inside
    assert "pg_dump" in here
    assert secret not in inside + here
    running.wait_for(lambda: large.at_work() == "", "the end of all that the backup has started")


# What breaks in the middle


def cut(way: Relay, process: Any, source: Database) -> None:
    """The stream, between kubectl and the API server."""
    del process, source
    way.cut()


def kill_kubectl(way: Relay, process: Any, source: Database) -> None:
    """The one that carries the dump; the other one carries the snapshot."""
    del way, source
    os.kill(running.children(process.pid, "kubectl")[-1], signal.SIGKILL)


def kill_engine(way: Relay, process: Any, source: Database) -> None:
    """pg_dump, in the container. What it has written before still comes."""
    del process
    source.shell("kill -9 $(ps | grep '[p]g_dump --format' | while read pid rest; do echo $pid; done)")
    way.release()


def kill_server(way: Relay, process: Any, source: Database) -> None:
    """PostgreSQL, and the container with it. What came before still comes."""
    del process
    source.shell("kill -QUIT 1")
    way.release()


def delete_pod(way: Relay, process: Any, source: Database) -> None:
    """With all that is in it, and no time to end. Another one of its name is made at once."""
    del process
    before = got("pod", POD, source.namespace)["metadata"]["uid"]
    kubectl("-n", source.namespace, "delete", "pod", POD, "--now", "--wait=true", "--timeout=240s")
    way.release()
    source.wait()
    assert got("pod", POD, source.namespace)["metadata"]["uid"] != before


@pytest.mark.parametrize("how", [cut, kill_kubectl, kill_engine, kill_server, delete_pod], ids=lambda how: how.__name__)
def test_what_breaks_in_the_middle_leaves_all_as_it_was(
    large: Database, place: Path, folder: Path, safe: Any, how: Callable[[Relay, Any, Database], None]
) -> None:
    with Relay(api(), MOST) as way:
        given = {"path": str(place), **large.options(login_db="large", compress=0, pod=through(way.port, folder))}
        process = start_module("postgres_backup", given, folder)
        running.wait_for(way.held.is_set, "the dump is in the middle", process)
        how(way, process, large)
        answer = running.answer_of(process)
    assert answer["failed"], answer
    assert state(place) == safe
    large.wait()
    # Neither a session that keeps its locks, nor a command that waits for ever for somebody who reads.
    running.wait_for(lambda: large.at_work() == "", "the end of what nobody waits for")
    assert not back_up(large, place).get("failed")


def test_a_network_that_goes_silent_is_told(large: Database, place: Path, folder: Path, safe: Any) -> None:
    """Nothing comes any more, and nobody closes the connection: kubectl asks whether the other end is there."""
    with Relay(api(), MOST) as way:
        given = {"path": str(place), **large.options(login_db="large", compress=0, pod=through(way.port, folder))}
        answer = running.answer_of(start_module("postgres_backup", given, folder))
        assert way.held.is_set()
    assert answer["failed"], answer
    assert state(place) == safe
    running.wait_for(lambda: large.at_work() == "", "the end of what nobody waits for")


def test_killed_in_the_middle_it_is_cleaned_by_the_next(large: Database, place: Path, folder: Path, safe: Any) -> None:
    with Relay(api(), MOST) as way:
        given = {"path": str(place), **large.options(login_db="large", compress=0, pod=through(way.port, folder))}
        process = start_module("postgres_backup", given, folder)
        running.wait_for(way.held.is_set, "the dump is in the middle", process)
        carriers = running.children(process.pid, "kubectl")
        assert len(carriers) == 2
        process.kill()
        process.communicate()
        running.wait_for(lambda: all(running.is_gone(pid) for pid in carriers), "the end of kubectl")
        # The way stays open: it is their own end that is told over there.
        running.wait_for(lambda: large.at_work() == "", "the end of what nobody waits for")
    left = state(place)
    assert [name for name in left[0] - safe[0] if name.endswith("/.writing-nexus_db")]
    assert left[1] == safe[1]
    assert not back_up(large, place).get("failed")
    assert not [name for name in state(place)[0] if ".writing-" in name]


@pytest.mark.parametrize("what", ["--format custom", "--globals-only"])
def test_a_stream_that_ends_early_and_well_is_no_set(
    fragile: Database, place: Path, tmp_path: Path, safe: Any, what: str
) -> None:
    """kubectl exec was known to lose the end of a stream, and to tell 0: this one does, after a real exec."""
    fragile.wait()
    losing = tmp_path / "kubectl"
    real = facts()["kubectl"]
    losing.write_text(
        f'#!/bin/bash\ncase "$*" in *"{what}"*) "{real}" "$@" 2>/dev/null | head -c 700; exit 0;; esac\n'
        f'exec "{real}" "$@"\n'
    )
    losing.chmod(0o755)
    answer = back_up(fragile, place, pod={"kubectl": str(losing)})
    assert answer["failed"], answer
    assert "no whole dump" in answer["msg"] or "globals.sql is damaged: it stops early" in answer["msg"]
    assert state(place) == safe


# What is refused


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pod": {"container": "bare"}}, ["executable file not found", "the container lacks what it takes"]),
        ({"bin_dir": "/nowhere"}, ["/nowhere/psql", "bin_dir says where else"]),
        ({"pod": {"container": "nothing"}}, ["container nothing is not valid for pod postgres-0", "look at container"]),
        ({"pod": {"name": "postgres-7", "context": CLUSTER}}, ['pods "postgres-7" not found', "name and namespace"]),
        ({"pod": {"context": f"{CLUSTER}-viewer"}}, ["Forbidden", "nexuscos-ops-pod-backup.yml gives"]),
        ({"pod": {"namespace": "nexus-auth"}}, ["Forbidden", "nexuscos-ops-pod-backup.yml gives"]),
        ({"pod": {"context": "nothing"}}, ['context "nothing" does not exist', "look at context"]),
        ({"pod": {"kubectl": "/nowhere/kubectl"}}, ["cannot be started", "kubectl of pod"]),
        ({"login_password": "wrong-of-the-pod"}, ["password authentication failed", "login_password"]),
        ({"login_db": "nothing"}, ['database "nothing" does not exist', "login_db"]),
    ],
    ids=[
        "no shell", "no engine", "no such container", "no such pod", "not allowed", "not allowed there",
        "no such context", "no kubectl", "wrong password", "no such database",
    ],
)  # fmt: skip
def test_what_is_refused_is_told_with_what_to_do(
    fragile: Database, place: Path, safe: Any, given: dict[str, Any], words: list[str]
) -> None:
    fragile.wait()
    answer = back_up(fragile, place, **given)
    assert answer["failed"], answer
    assert [word for word in words if word not in answer["msg"]] == [], answer["msg"]
    assert state(place) == safe


def test_who_may_see_the_pod_and_not_exec_is_told(fragile: Database, place: Path, safe: Any) -> None:
    fragile.wait()
    role = got("role", "nexuscos-ops-pod-backup", NAMESPACE)
    rights = json.dumps([{"op": "replace", "path": "/rules", "value": role["rules"][:1]}])
    back = json.dumps([{"op": "replace", "path": "/rules", "value": role["rules"]}])
    patch = ["-n", NAMESPACE, "patch", "role", "nexuscos-ops-pod-backup", "--type=json", "-p"]
    kubectl(*patch, rights)
    try:
        asks = ["-n", NAMESPACE, "auth", "can-i", "create", f"pods/{POD}", "--subresource=exec", "--as=nexuscos-backup"]
        running.wait_for(lambda: kubectl(*asks, check=False).strip() == "no", "the account may not exec any more")
        answer = back_up(fragile, place)
    finally:
        kubectl(*patch, back)
    assert 'cannot create resource "pods/exec"' in answer["msg"]
    assert "nexuscos-ops-pod-backup.yml gives" in answer["msg"]
    assert state(place) == safe
