# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of backups, on servers of their own: what an operator runs, and what the night brings."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from running import LIMIT, end, said, wait_for, watched
from scratch import BIN, ROOT, Source, fill, module, postgres

from ansible_collections.nexuscos.ops.plugins.module_utils._report import journal

PASSWORD_OF_REDIS = "geheim-of-redis"
TOOLS = Path(sys.executable).parent


class Platform:
    """A place of backups with a PostgreSQL, a Redis and a Redis that is not there."""

    def __init__(self, folder: Path, source: Source, redis: Path) -> None:
        self.folder, self.source, self.redis = folder, source, redis
        self.place = folder / "place"
        self.keep: dict[str, Any] = {}
        self.others: dict[str, Any] = {}

    @property
    def systems(self) -> list[dict[str, Any]]:
        database = {
            "name": "nexusdb", "engine": "postgres", "login_db": "nexusdb", "every": "6h", "level": 4,
            "bin_dir": str(BIN), **self.source.login, **({"keep": self.keep} if self.keep else {}),
        }  # fmt: skip
        login = {
            "engine": "redis", "login_password": PASSWORD_OF_REDIS, "every": "6h", "connect_timeout": LIMIT,
        }  # fmt: skip
        return [
            database,
            {"name": "sessions", "login_unix_socket": str(self.redis), **login},
            {"name": "gone", "login_unix_socket": str(self.folder / "nothing"), **login},
        ]

    @property
    def sessions(self) -> dict[str, Any]:
        """The options of redis_backup."""
        return {
            "system": "sessions", "login_unix_socket": str(self.redis), "login_password": PASSWORD_OF_REDIS,
            "connect_timeout": LIMIT,
        }  # fmt: skip

    def inventory(self) -> Path:
        here = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "nexuscos_backups_path": str(self.place),
            "nexuscos_backups_become": False,
            "nexuscos_report_dir": str(self.folder / "reports"),
            "nexuscos_backup_deadline": LIMIT,
            "nexuscos_backup_verify_bin_dir": str(BIN),
            "nexuscos_backup_systems": self.systems,
        }
        path = self.folder / "inventory.yml"
        path.write_text(yaml.safe_dump({"backups": {"hosts": {"b1": here, **self.others}}}), encoding="utf-8")
        return path

    def start(
        self, playbook: str, *arguments: str, stdout: int = subprocess.PIPE, **variables: Any
    ) -> subprocess.Popen[str]:
        command = [str(TOOLS / "ansible-playbook"), "-i", str(self.inventory()), "nexuscos.ops." + playbook]
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "TERM": "xterm",
            "ANSIBLE_ASYNC_DIR": str(self.folder / "async"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "local"),
            "ANSIBLE_REMOTE_TEMP": str(self.folder / "remote"),
        }
        return watched(
            subprocess.Popen(
                [*command, *arguments, "-e", json.dumps(variables)], cwd=ROOT, env=environment, text=True,
                stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.STDOUT, start_new_session=True,
            )
        )  # fmt: skip

    def play(self, playbook: str, *arguments: str, **variables: Any) -> tuple[int, str]:
        process = self.start(playbook, *arguments, **variables)
        text = said(process)
        return process.returncode, text

    def do(self, name: str, **more: Any) -> dict[str, Any]:
        """A module alone, for what only prepares or looks: a playbook takes seconds."""
        answer = module(name, {"path": str(self.place), **more})
        assert not answer.get("failed"), answer
        return answer

    def back_up(self) -> Path:
        login = {**self.source.login, "login_db": "nexusdb", "bin_dir": str(BIN)}
        return Path(self.do("postgres_backup", system="nexusdb", **login)["set"]["path"])

    def verify(self) -> None:
        self.do("backup_verify", system="nexusdb", level=4, bin_dir=str(BIN))

    def sets(self, system: str) -> list[Path]:
        """Finished sets, the oldest first."""
        return sorted(path.parent for path in self.place.glob("20*Z/%s/manifest.json" % system))

    def report(self, procedure: str) -> dict[str, Any]:
        """The report of the last run of a procedure."""
        path = self.folder / "reports" / procedure / "latest" / "report.json"
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return told

    def tree(self) -> list[str]:
        return sorted(str(path) for path in self.place.rglob("*"))


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with postgres() as server:
        fill(server)
        yield server


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("redis")
    socket = folder / "s"
    process = subprocess.Popen(
        [
            "redis-server", "--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", "",
            "--requirepass", PASSWORD_OF_REDIS, "--repl-diskless-sync-delay", "0",
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(lambda: client(socket, "PING") == "PONG", "Redis answers", process)
        client(socket, "DEBUG", "POPULATE", "500", "session", "100")
        client(socket, "SET", "who", "me")
        yield socket
    finally:
        end(process)


@pytest.fixture
def platform(tmp_path: Path, source: Source, redis: Path) -> Platform:
    (tmp_path / "place").mkdir()
    return Platform(tmp_path, source, redis)


def client(socket: Path, *command: str) -> str:
    environment = {**os.environ, "REDISCLI_AUTH": PASSWORD_OF_REDIS}
    return subprocess.run(
        ["redis-cli", "-s", str(socket), *command], env=environment, capture_output=True, text=True, check=False
    ).stdout.strip()


def row(text: str, system: str) -> str:
    """The line of a system in the table at the end."""
    found = re.findall(r'^ +"(%s .*?)",?$' % system, text, re.M)
    assert found, text
    return str(found[-1])


def test_one_that_fails_holds_up_no_other_and_is_named_at_the_end(platform: Platform) -> None:
    far = {"repository": str(platform.folder / "far"), "password": "geheim-far"}
    code, text = platform.play("backup", nexuscos_backup_offsite=far)
    assert code == 2, text
    assert "No backup was made of gone: the table says why." in text
    assert re.search(r"2 read, \d min ago +ok$", row(text, "nexusdb"))
    assert re.search(r"2 read, \d min ago +ok$", row(text, "sessions"))
    assert "FAILED: " in row(text, "gone")
    assert PASSWORD_OF_REDIS not in text
    assert platform.source.login["login_password"] not in text
    (database,), (sessions,) = platform.sets("nexusdb"), platform.sets("sessions")
    assert database.parent == sessions.parent, "the sets of a run lie beside each other"
    assert (platform.place / "latest" / "nexusdb").resolve() == database
    assert "TABLE DATA billing orders" in platform.source.run(
        "pg_restore", "--list", *map(str, database.glob("*.dump"))
    )
    assert subprocess.run(["redis-check-rdb", sessions / "dump.rdb"], check=False, capture_output=True).returncode == 0
    assert "geheim-far" not in text
    for one in (database, sessions):
        told = json.loads((one / "manifest.json").read_text(encoding="utf-8"))
        assert [copy["repository"] for copy in told["copies"]] == [far["repository"]]
    told = platform.report("backup")
    assert [(one["id"], one["status"]) for one in told["items"]] == [
        ("backup.sets", "critical"), ("backup.copies", "ok"), ("backup.cleanup", "not covered"),
        ("backup.list", "critical"),
    ]  # fmt: skip
    assert [one["object"] for one in told["findings"] if one["check"] == "backup_run.set"] == ["b1/gone"]
    assert {one["system"]: (one["outcome"], one["copies"]) for one in told["backups"]} == {
        "nexusdb": ("ok", 3), "sessions": ("ok", 3), "gone": ("failed", 1),
    }  # fmt: skip
    assert told["history"]["kept"]
    # What is proven a level higher is a matter of the next playbook, and of nothing else.
    code, text = platform.play("weekly_restore_test", nexuscos_backup_only="nexusdb")
    assert code == 0, text
    told = platform.report("weekly_restore_test")
    assert [one["status"] for one in told["items"]] == ["ok", "ok", "ok"], text
    (database_row,) = told["backups"]
    assert re.search(
        r"restores in [\d.]+ s, holds every row it should; at most \d+ min would be lost", database_row["sentence"]
    )
    assert database_row["held"] > 3000
    assert re.search(r"4 invariants, \d min ago, restores in [\d.]+ s +ok$", row(text, "nexusdb"))
    proof = json.loads((database / "manifest.json").read_text(encoding="utf-8"))["proofs"][-1]
    assert (proof["level"], proof["good"]) == (4, True)
    assert proof["restore_seconds"] > 0


def test_a_place_that_cannot_be_reached_holds_up_no_other_and_is_in_the_report(platform: Platform) -> None:
    with socket.socket() as closed:
        # Bound and not listening: nobody else can listen there.
        closed.bind(("127.0.0.1", 0))
        away = {"ansible_host": "127.0.0.1", "ansible_port": closed.getsockname()[1], "ansible_connection": "ssh"}
        systems = {"nexuscos_backup_systems": [{"name": "far", "engine": "redis"}]}
        platform.others = {"b0": {**away, **systems, "nexuscos_report_dir": str(platform.folder / "reports")}}
        code, text = platform.play("backup", nexuscos_backup_only="sessions,far")
    assert code == 2, text
    assert "No backup was made of far: the table says why." in text
    told = platform.report("backup")
    assert [one["object"] for one in told["findings"] if one["check"] == "backup_run.set"] == ["b0/far"]
    assert [(one["place"], one["system"], one["outcome"]) for one in told["backups"]] == [
        ("b0", "far", "failed"), ("b1", "sessions", "ok"),
    ]  # fmt: skip
    assert "not known" in told["backups"][0]["sentence"]
    assert [one["system"] for one in told["coverage"]["unseen"]] == ["b0"]


def test_several_other_places_each_thinned_out_by_its_own_rules(platform: Platform) -> None:
    def rclone(name: str, **more: Any) -> dict[str, Any]:
        return {"engine": "rclone", "repository": str(platform.folder / name), **more}

    restic = {"repository": str(platform.folder / "far"), "password": "geheim-far", "prune": True}
    good = [restic, rclone("plain", keep={"last": 2}), rclone("all")]
    # One that is not there holds up no other, and then nothing is removed anywhere.
    (platform.folder / "file").touch()
    only = {"nexuscos_backup_only": "sessions", "nexuscos_backup_keep": {"last": 1}}
    code, text = platform.play("backup", nexuscos_backup_offsite=[rclone("file/below"), *good], **only)
    assert code == 2, text
    told = platform.report("backup")
    assert [(one["id"], one["status"]) for one in told["items"]][:2] == [
        ("backup.sets", "ok"), ("backup.copies", "critical"),
    ]  # fmt: skip
    for _number in range(2):
        code, text = platform.play("backup", nexuscos_backup_offsite=good, **only)
        assert code == 0, text
    told = platform.report("backup")
    words = {one["id"]: one["headline"] for one in told["items"]}
    assert words["backup.cleanup"] == "1 removed, 2 copies elsewhere"
    (newest,) = platform.sets("sessions")
    environment = {**os.environ, "RESTIC_REPOSITORY": restic["repository"], "RESTIC_PASSWORD": "geheim-far"}
    said = subprocess.run(["restic", "snapshots", "--json"], env=environment, capture_output=True, check=True).stdout
    assert [f"stamp={newest.parent.name}" in one["tags"] for one in json.loads(said)] == [True]
    for name, count in (("plain", 2), ("all", 3)):
        assert len(list((platform.folder / name).glob("20*Z/sessions/manifest.json"))) == count
    # Here is only the newest: of the others, their own manifests told.
    code, text = platform.play(
        "backup", "--check", nexuscos_backup_offsite=[rclone("all", keep={"last": 1})], **only
    )  # fmt: skip
    assert code == 0, text
    assert len(re.findall(r"sessions +20\S+ +would go +no rule keeps it", text)) == 2
    assert re.search(r"sessions +20\S+ +stays +it is the newest; ", text)
    assert len(list((platform.folder / "all").glob("20*Z/sessions/manifest.json"))) == 3
    assert "geheim-far" not in text


def test_check_mode_says_what_would_be_made_and_writes_nothing(platform: Platform) -> None:
    code, text = platform.play("backup", "--check", nexuscos_backup_only="nexusdb,sessions")
    assert code == 0, text
    assert "would back up" in row(text, "nexusdb")
    assert "would back up" in row(text, "sessions")
    assert platform.tree() == []


def test_a_damaged_set_fails_the_restore_test_and_the_proven_one_outlives_retention(platform: Platform) -> None:
    platform.keep = {"last": 1}
    only = {"nexuscos_backup_only": "nexusdb"}
    oldest, proven = platform.back_up(), platform.back_up()
    platform.verify()
    newest = platform.back_up()
    (dump,) = newest.glob("*.dump")
    os.truncate(dump, dump.stat().st_size * 6 // 10)
    code, text = platform.play("weekly_restore_test", **only)
    assert code == 2
    assert "Not proven are the backups of nexusdb" in text
    assert "FAILED: " in row(text, "nexusdb")
    told = platform.report("weekly_restore_test")
    assert {one["check"] for one in told["findings"]} == {"backup_run.scratch", "backup_run.proof"}
    assert told["backups"][0]["outcome"] == "failed"
    assert told["backups"][0]["refuted"]
    # One is to be kept: the newest. The proven one stays all the same, and what came after it.
    code, text = platform.play("backup", **only)
    assert code == 0, text
    assert platform.sets("nexusdb")[:2] == [proven, newest]
    assert len(platform.sets("nexusdb")) == 3
    assert not oldest.exists()
    assert "newest that is proven to level 4" in text
    # When the newest is proven as well, the others go.
    platform.verify()
    answer = platform.do("backup_prune", keep={"last": 1})
    assert answer["removed"] == [str(newest), str(proven)]
    assert len(platform.sets("nexusdb")) == 1


@pytest.fixture
def slow(redis: Path) -> Iterator[None]:
    """A Redis that does not send its snapshot before it is told to."""
    hold(redis, 3600)
    yield
    hold(redis, 0)


def hold(redis: Path, seconds: int) -> None:
    client(redis, "CONFIG", "SET", "repl-diskless-sync-delay", str(seconds))


def writing(platform: Platform, process: subprocess.Popen[str]) -> Path:
    """The folder that is being written, once redis-cli asks for the snapshot."""
    return wait_for(lambda: next(platform.place.glob("20*Z/.writing-sessions"), None), "a set is begun", process)


def writer(platform: Platform) -> int:
    """The process of the module."""
    told = json.loads((platform.place / ".lock-sessions").read_text(encoding="utf-8"))
    return int(told["pid"])


def test_a_terminal_shows_how_far_it_is_in_a_line_that_goes_again(platform: Platform, slow: None) -> None:
    ours, theirs = os.openpty()
    process = platform.start("backup", stdout=theirs, nexuscos_backup_only="sessions")
    os.close(theirs)
    text, held = b"", True
    # Reading fails when the last one that had it open has ended.
    with contextlib.suppress(OSError):
        while select.select([ours], [], [], LIMIT)[0] and (piece := os.read(ours, 1 << 16)):
            text += piece
            if held and b"b1: sessions " in text:
                hold(platform.redis, 0)
                held = False
    os.close(ours)
    assert process.wait(LIMIT) == 0, text
    told = re.findall(rb"\r\x1b\[K(b1: sessions [^\r\n]*)", text)
    assert re.search(rb"sessions (\d+ s|[\d.]+ k?B)", told[0]), text
    assert text.split(told[-1], 1)[1].startswith(b"\r\x1b[K"), "the line goes before anything else is told"
    # A log has no escape sequences.
    code, log = platform.play("backup", nexuscos_backup_only="sessions")
    assert code == 0, log
    assert "\x1b" not in log


def test_a_killed_module_is_a_failure_and_the_next_run_cleans_up(platform: Platform, slow: None) -> None:
    process = platform.start("backup", nexuscos_backup_only="sessions")
    half = writing(platform, process)
    os.kill(writer(platform), signal.SIGKILL)
    text = said(process)
    assert process.returncode == 2, text
    assert "No backup was made of sessions" in text
    assert half.exists()
    assert platform.sets("sessions") == []
    hold(platform.redis, 0)
    platform.do("redis_backup", **platform.sessions)
    assert not half.exists()
    assert len(platform.sets("sessions")) == 1


def test_a_killed_controller_leaves_no_half_set_and_two_operators_do_not_meet(platform: Platform, slow: None) -> None:
    process = platform.start("backup", nexuscos_backup_only="sessions")
    half = writing(platform, process)
    journals = platform.folder / "reports" / "backup"
    begun = lambda: next((one for one in journals.glob(".running-*") if '"begun"' in one.read_text("utf-8")), None)  # noqa: E731
    wait_for(begun, "it is waited for the set", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    second = module("redis_backup", {"path": str(platform.place), **platform.sessions})
    assert second["failed"]
    assert re.search(r"backup by \S+ on \S+ since", second["msg"]), "the second is told who the first is"
    # The host goes on without the controller, and ends what it began.
    hold(platform.redis, 0)
    wait_for(lambda: platform.sets("sessions"), "the set is made")
    assert not half.exists()
    assert not list(platform.place.glob("*/.writing-*"))
    # Whatever runs next tells what the other could not tell any more, and so of one that came less far.
    earlier = {"procedure": "weekly_restore_test", "id": "w-1", "started": "2026-11-29T06:00:00Z"}
    path = journal.begin(str(platform.folder / "reports"), earlier, process.pid)
    journal.note(path, "b1", "2026-11-29T06:00:09Z", ["nexusdb", "sessions"])
    proven = {"set": {"stamp": "2026-11-29T060000Z"}, "level": 4, "wanted": 4, "good": True, "restore_seconds": 2.5}
    journal.note(path, "b1", "2026-11-29T06:00:41Z", None, nexusdb=proven)
    code, text = platform.play("restore", "--check", nexuscos_restore_system="sessions", nexuscos_restore_confirm="x:1")
    assert "did not end" not in text, "a check changes nothing"
    code, text = platform.play("backup_verify", nexuscos_backup_only="sessions")
    assert code == 0, text
    assert "the run of backup of" in text
    assert "interrupted" in text
    told = platform.report("backup")
    assert [(one["place"], one["system"]) for one in told["backups"]] == [("b1", "sessions")]
    assert told["history"]["kept"]
    told = platform.report("weekly_restore_test")
    assert told["run"]["duration_seconds"] == 41
    assert [(one["system"], one["outcome"]) for one in told["backups"]] == [("nexusdb", "ok"), ("sessions", "failed")]
    assert {one["object"] for one in told["findings"]} == {"b1/sessions"}
    assert "the run was interrupted before this was done" in told["findings"][0]["title"]
    assert not list(journals.glob(".running-*"))


def test_names_that_no_place_has_are_refused(platform: Platform) -> None:
    code, text = platform.play("backup", nexuscos_backup_only="nexusbd")
    assert code == 2
    assert "No place has a system nexusbd" in text
    assert platform.tree() == []


def test_restore_over_the_live_database_and_back_again(platform: Platform, source: Source) -> None:
    platform.back_up()
    source.psql("DELETE FROM billing.orders")
    over = {"nexuscos_restore_system": "nexusdb", "nexuscos_restore_confirm": "nexusdb"}
    before = source.databases()
    code, text = platform.play("restore", "--check", **over)
    assert code == 0, text
    assert "would restore" in text
    assert source.databases() == before
    code, text = platform.play("restore", **over)
    assert code == 0, text
    assert source.psql("SELECT count(*) FROM billing.orders") == "3000"
    assert [one["status"] for one in platform.report("restore")["items"]] == ["ok", "ok"]
    code, text = platform.play("restore", nexuscos_restore_state="undone", **over)
    assert code == 0, text
    assert source.psql("SELECT count(*) FROM billing.orders") == "0"


def test_a_restore_that_failed_is_a_report_with_its_cause(platform: Platform) -> None:
    code, text = platform.play("restore", nexuscos_restore_system="nexusdb")
    assert code == 2
    assert "nexusdb was not restored: " in text
    told = platform.report("restore")
    found = {one["check"]: one for one in told["findings"]}
    assert "holds no set" in found["backup_run.restore"]["title"]
    assert "nexuscos.ops.backup" in found["backup_run.restore"]["remedy"]
    assert found["backup_run.usable"]["object"] == "b1/nexusdb"


def test_a_restore_wants_one_system(platform: Platform) -> None:
    code, text = platform.play("restore")
    assert code == 2
    assert "Say which system to restore" in text
