# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgres_backup against real servers, looked at with psql, pg_restore and sha256sum, while things break."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import LIMIT, answer_of, children, end, free_port, wait_for, watched
from scratch import BIN, DATABASE, PASSWORD, RUN, Source, counts, fill, module, postgres, start_module


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with postgres(tcp=True, max_wal_senders="10", wal_keep_size="64MB") as server:
        fill(server)
        server.psql("CREATE ROLE poor LOGIN PASSWORD 'poor'", "postgres")
        server.psql("CREATE UNLOGGED TABLE billing.fleeting AS SELECT 1 AS one")
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture(scope="module")
def large(source: Source) -> None:
    """A table whose dump takes a while, and that can be held up."""
    source.psql("CREATE DATABASE large", "postgres")
    source.psql(
        "CREATE TABLE heavy AS SELECT n, md5(n::text) || md5((n + 1)::text) AS pad FROM generate_series(1, 60000) n;"
        "CREATE TABLE z (a int) PARTITION BY LIST (a)",
        "large",
    )


def options(source: Source, place: Path, **more: Any) -> dict[str, Any]:
    return {"system": "nexusdb", "path": str(place), "login_db": DATABASE, **source.login, **more}


def back_up(source: Source, place: Path, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    return module("postgres_backup", options(source, place, **more), check_mode)


def made(answer: dict[str, Any]) -> dict[str, Any]:
    assert not answer.get("failed"), answer
    found: dict[str, Any] = json.loads(Path(answer["set"]["path"], "manifest.json").read_text())
    return found


def sums_hold(folder: str, told: dict[str, Any]) -> None:
    """What the manifest says of the files, by sha256sum; and that no file is not in it."""
    listing = "".join(f"{one['sha256']}  {one['path']}\n" for one in told["files"])
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet"], input=listing, text=True, cwd=folder, check=True)
    there = {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}
    assert there == {one["path"] for one in told["files"]} | {"manifest.json"}


def state(place: Path) -> tuple[set[str], str]:
    """All names but those of locks, and where ``latest`` leads to."""
    names = {str(path.relative_to(place)) for path in place.rglob("*") if not path.name.startswith(".lock-")}
    return names, os.readlink(place / "latest" / "nexusdb")


@contextlib.contextmanager
def held_up(source: Source, database: str = "large") -> Iterator[None]:
    """While pg_dump is in the middle: it has its snapshot, and waits for a table that somebody keeps.

    The table has partitions and no rows of its own, so that nobody counts it.
    """
    holder = subprocess.Popen(
        [str(BIN / "psql"), "-Xq", "-d", database], env=source.environment, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write("BEGIN; LOCK TABLE z; \\echo held\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "held\n"
        yield
    finally:
        end(holder)


def dumping(source: Source) -> list[int]:
    """Process ids of the server's sessions of a pg_dump that waits."""
    found = source.psql(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'pg_dump' AND wait_event_type = 'Lock' "
        "AND query LIKE 'LOCK TABLE%'",
        "postgres",
    )
    return [int(line) for line in found.splitlines()]


def restored(source: Source, dump: str, roles: str | None = None) -> dict[str, int]:
    """Restore a dump by pg_restore alone into a database of its own, and count."""
    name = "again"
    source.psql(f"CREATE DATABASE {name}", "postgres")
    try:
        source.run("pg_restore", "--exit-on-error", "--single-transaction", "-d", name, dump)
        return counts(source, name)
    finally:
        source.psql(f"DROP DATABASE {name}", "postgres")


# What is made


@pytest.mark.parametrize("given", [{}, {"format": "directory", "jobs": 3}, {"compress": 0}], ids=str)
def test_a_dump_is_whole_and_says_what_it_must_show_again(source: Source, place: Path, given: dict[str, Any]) -> None:
    queries = [
        {"name": "cents", "query": "SELECT sum(cents) FROM orders;"},
        {"name": "odd", "query": "SELECT E'it''s \\\\d $q$ :x' || chr(10) || '{}' -- and a remark"},
        {"name": "nothing", "query": "SELECT NULL"},
    ]
    answer = back_up(source, place, queries=queries, **given)
    told = made(answer)
    assert (answer["changed"], answer["level"]) == (True, 2)
    sums_hold(answer["set"]["path"], told)
    assert os.path.realpath(place / "latest" / "nexusdb") == answer["set"]["path"]
    main = "nexusdb.dir" if given.get("format") else "nexusdb.dump"
    dump = os.path.join(answer["set"]["path"], main)
    assert restored(source, dump) == counts(source)
    wanted = {
        line.rsplit("|", 1)[0]: int(line.rsplit("|", 1)[1])
        for line in source.psql(
            "SELECT format('%I.%I', schemaname, relname), "
            "(xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %I.%I', schemaname, relname), "
            "false, true, '')))[1]::text::bigint FROM pg_stat_user_tables ORDER BY 1"
        ).splitlines()
    }
    for name in ("billing.events", "billing.best"):  # no rows of their own: partitioned, and a view
        wanted.pop(name, None)
    assert told["invariants"]["tables"] == wanted
    assert told["invariants"]["queries"]["cents"]["value"] == int(source.psql("SELECT sum(cents) FROM orders"))
    assert told["invariants"]["queries"]["odd"]["value"] == "it's \\d $q$ :x\n{}"
    assert told["invariants"]["queries"]["nothing"]["value"] is None
    assert told["invariants"]["sequences"]["billing.orders_id_seq"] == 3000
    assert told["invariants"]["sequences"]["billing.empty_id_seq"] is None
    assert told["invariants"]["counts"]["functions"] == 1
    assert told["invariants"]["counts"]["views"] == 2
    assert told["invariants"]["counts"]["large_objects"] == 1
    assert told["invariants"]["extensions"] == ["plpgsql"]
    assert told["server"] == source.psql("SHOW server_version").split()[0]
    assert told["position"]["timeline"] == 1
    assert told["position"]["system_identifier"] == source.psql("SELECT system_identifier FROM pg_control_system()")
    assert source.psql(f"SELECT '{told['position']['lsn']}'::pg_lsn <= pg_current_wal_lsn()") == "t"
    assert told["source"]["database"] == DATABASE
    assert PASSWORD not in json.dumps(told) + json.dumps(answer)
    roles = Path(answer["set"]["path"], "globals.sql").read_text()
    assert "CREATE ROLE app" in roles
    assert "SCRAM-SHA-256" in roles


def test_rows_are_counted_in_the_moment_that_is_dumped(source: Source, place: Path, large: None) -> None:
    """Rows that come in while the dump is held up are in neither."""
    with held_up(source):
        process = start_module("postgres_backup", options(source, place, login_db="large"), place_for(place))
        wait_for(lambda: dumping(source), "the dump", process)
        source.psql("INSERT INTO heavy SELECT -n, 'late' FROM generate_series(1, 7) n", "large")
    answer = answer_of(process)
    told = made(answer)
    try:
        assert told["invariants"]["tables"]["public.heavy"] == 60_000
        there = restored(source, os.path.join(answer["set"]["path"], "nexusdb.dump"))
        assert there == {"public.heavy": 60_000}
    finally:
        source.psql("DELETE FROM heavy WHERE n < 0", "large")


def test_a_table_that_is_emptied_meanwhile_is_as_it_was(source: Source, place: Path) -> None:
    """TRUNCATE empties a table for old snapshots, too. It has to wait for the count as it waits for pg_dump."""
    source.psql("CREATE DATABASE fickle", "postgres")
    source.psql(
        "CREATE TABLE t AS SELECT generate_series(1, 1000); CREATE TABLE z (a int) PARTITION BY LIST (a)", "fickle"
    )
    with held_up(source, "fickle"):
        process = start_module("postgres_backup", options(source, place, login_db="fickle"), place_for(place))
        wait_for(lambda: dumping(source), "the dump", process)
        other = watched(
            subprocess.Popen([str(BIN / "psql"), "-Xq", "-d", "fickle", "-c", "TRUNCATE t"], env=source.environment)
        )
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE query = 'TRUNCATE t' AND wait_event_type = 'Lock'"
        wait_for(lambda: source.psql(waiting, "postgres") == "1", "the TRUNCATE")
    answer = answer_of(process)
    assert other.wait(LIMIT) == 0
    assert made(answer)["invariants"]["tables"] == {"public.t": 1000}
    assert restored(source, os.path.join(answer["set"]["path"], "nexusdb.dump")) == {"public.t": 1000}
    assert source.psql("SELECT count(*) FROM t", "fickle") == "0"


def place_for(place: Path) -> Path:
    """A folder for the arguments of a module that runs beside the test."""
    folder = place.parent / "arguments"
    folder.mkdir(exist_ok=True)
    return folder


def test_without_invariants_nothing_is_counted(source: Source, place: Path) -> None:
    told = made(back_up(source, place, invariants="none", globals=False))
    assert told["invariants"] == {}
    assert [one["path"] for one in told["files"]] == ["nexusdb.dump"]


def test_check_mode_looks_and_writes_nothing(source: Source, place: Path) -> None:
    answer = back_up(source, place, check_mode=True)
    assert answer["changed"]
    assert answer["plan"]["server"] == source.psql("SHOW server_version").split()[0]
    assert answer["plan"]["source_bytes"] == int(source.psql("SELECT pg_database_size(current_database())"))
    assert not place.exists()
    assert back_up(source, place, check_mode=True, login_db="nix")["failed"]


def test_a_stamp_makes_one_set(source: Source, place: Path) -> None:
    first = back_up(source, place, stamp=RUN)
    again = back_up(source, place, stamp=RUN)
    assert (first["changed"], again["changed"]) == (True, False)
    assert first["set"] == again["set"]


@pytest.mark.parametrize("given", [{}, {"compress": 1}, {"format": "plain"}], ids=str)
def test_a_copy_of_a_server_starts(source: Source, place: Path, tmp_path: Path, given: dict[str, Any]) -> None:
    answer = back_up(source, place, engine="pg_basebackup", system="db1", **given)
    told = made(answer)
    sums_hold(answer["set"]["path"], told)
    base = Path(answer["set"]["path"], "base")
    own = json.loads((base / "backup_manifest").read_text())
    assert told["position"]["lsn"] == own["WAL-Ranges"][-1]["End-LSN"]
    assert told["proofs"][0]["level"] == 2
    assert set(told["invariants"]["databases"]) >= {DATABASE, "postgres"}
    # Python's own reader of packed archives takes what pg_basebackup packs for empty: the proof must not fall for it.
    if given.get("compress"):
        proof = module("backup_verify", {"system": "db1", "path": str(place), "level": 3})
        assert proof["good"], proof
    with unpacked(base) as copy:
        assert counts(copy) == {**counts(source), "billing.fleeting": 0}  # unlogged: empty after a recovery


@contextlib.contextmanager
def unpacked(base: Path) -> Iterator[Source]:
    """A server from a copy, laid out by tar and cp."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(_folder()))
        copy = Source(folder, str(folder / "s"), free_port())
        (folder / "s").mkdir()
        if (base / "PG_VERSION").exists():
            shutil.copytree(base, copy.data)
        else:
            (copy.data / "pg_wal").mkdir(parents=True)
            for archive, where in (("base", copy.data), ("pg_wal", copy.data / "pg_wal")):
                file = next(base.glob(f"{archive}.tar*"))
                subprocess.run(["tar", "--extract", "--file", str(file), "--directory", str(where)], check=True)
        copy.data.chmod(0o700)
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "postgres:postgres", str(folder)], check=True)
        stack.callback(copy.stop)
        copy.start()
        yield copy


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="nx-copy-", dir="/var/tmp")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_standby_is_a_source(source: Source, place: Path) -> None:
    with _folder() as name:
        folder = Path(name)
        standby = Source(folder, "127.0.0.1", free_port(), {"hot_standby": "on"})
        (folder / "s").mkdir()
        source.run("pg_basebackup", "-D", str(standby.data), "-R", "-c", "fast")
        standby.data.chmod(0o700)
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "postgres:postgres", str(folder)], check=True)
        try:
            standby.start()
            answer = back_up(standby, place, format="directory", jobs=2)
            told = made(answer)
            assert told["source"]["standby"] is True
            assert told["position"]["standby"] is True
            assert told["options"]["unlogged_tables"] is False
            wanted = counts(source)
            wanted.pop("billing.fleeting")
            there = restored(source, os.path.join(answer["set"]["path"], "nexusdb.dir"))
            assert there == {**wanted, "billing.fleeting": 0}
            assert sum(told["invariants"]["tables"].values()) == sum(wanted.values())
            assert "billing.fleeting" not in told["invariants"]["tables"]
            copy = back_up(standby, place, engine="pg_basebackup", system="db2")
            assert copy["level"] == 2
        finally:
            standby.stop()


# Who may not


def test_what_the_operator_can_mend_is_told(source: Source, place: Path) -> None:
    assert "look at login_user and login_password" in back_up(source, place, login_password="wrong")["msg"]
    assert "is the server running" in back_up(source, place, login_port=free_port())["msg"]
    poor = {"login_user": "poor", "login_password": "poor"}
    assert "pg_read_all_data" in back_up(source, place, **poor)["msg"]
    assert "REPLICATION" in back_up(source, place, engine="pg_basebackup", **poor)["msg"]
    assert "queries: q: " in back_up(source, place, queries=[{"name": "q", "query": "SELECT 1 FROM nix"}])["msg"]
    assert "got 3000 rows" in back_up(source, place, queries=[{"name": "q", "query": "SELECT id FROM orders"}])["msg"]
    denied = back_up(source, place, queries=[{"name": "q", "query": "SELECT nextval('orders_id_seq')"}])["msg"]
    assert "read-only transaction" in denied
    assert not any(path.name != ".lock-nexusdb" for path in place.iterdir())


def test_who_may_not_read_passwords_saves_roles_without(source: Source, place: Path) -> None:
    source.psql("CREATE ROLE saver LOGIN PASSWORD 'saver'", "postgres")
    source.psql("CREATE DATABASE small", "postgres")
    source.psql("CREATE TABLE t AS SELECT 1 AS a; GRANT SELECT ON t TO saver", "small")
    try:
        answer = back_up(source, place, login_user="saver", login_password="saver", login_db="small")
        told = made(answer)
        assert told["options"]["role_passwords"] is False
        assert told["invariants"]["tables"] == {"public.t": 1}
        roles = Path(answer["set"]["path"], "globals.sql").read_text()
        assert "CREATE ROLE app" in roles
        assert "SCRAM" not in roles
    finally:
        source.psql("DROP DATABASE small", "postgres")
        source.psql("DROP ROLE saver", "postgres")


def test_policies_on_rows_are_no_smaller_number(source: Source, place: Path) -> None:
    source.psql("CREATE DATABASE policy", "postgres")
    source.psql(
        "CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t ENABLE ROW LEVEL SECURITY; "
        "CREATE ROLE half LOGIN PASSWORD 'half' IN ROLE pg_read_all_data",
        "policy",
    )
    try:
        answer = back_up(source, place, login_user="half", login_password="half", login_db="policy")
        assert answer["failed"]
        assert "BYPASSRLS" in answer["msg"]
    finally:
        source.psql("DROP DATABASE policy", "postgres")
        source.psql("DROP ROLE half", "postgres")


def test_a_folder_that_cannot_be_written_is_told(source: Source, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = back_up(source, tmp_path / "file" / "backups")
    assert answer["failed"]
    assert "Not a directory" in answer["msg"] or "File exists" in answer["msg"]


def test_no_password_is_in_the_list_of_processes(source: Source, place: Path, large: None) -> None:
    with held_up(source):
        process = start_module("postgres_backup", options(source, place, login_db="large"), place_for(place))
        wait_for(lambda: dumping(source), "the dump", process)
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        assert "pg_dump --format custom" in listed
        assert PASSWORD not in listed
    assert answer_of(process)["changed"]


# What breaks


@pytest.fixture(scope="module")
def first(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with one set."""
    folder = tmp_path_factory.mktemp("first") / "backups"
    made(back_up(source, folder, stamp=RUN))
    return folder


@pytest.fixture
def safe(first: Path, place: Path) -> tuple[set[str], str]:
    """There is a set; whatever happens next must leave it alone."""
    shutil.copytree(first, place, symlinks=True)
    return state(place)


@pytest.mark.parametrize(
    ("what", "given"),
    [
        ("engine", {}),
        ("engine", {"format": "directory", "jobs": 2}),
        ("session", {}),
        ("psql", {"format": "directory", "jobs": 2}),
        ("deadline", {}),
        ("terminate", {"format": "directory", "jobs": 2}),
    ],
    ids=str,
)
def test_what_breaks_in_the_middle_leaves_all_as_it_was(
    source: Source, place: Path, large: None, safe: Any, what: str, given: dict[str, Any]
) -> None:
    more = {"deadline": 8.0} if what == "deadline" else {}
    with held_up(source):
        process = start_module(
            "postgres_backup", options(source, place, login_db="large", **given, **more), place_for(place)
        )
        if what != "deadline":
            waiting = wait_for(lambda: dumping(source), "the dump", process)
            if what in ("engine", "psql"):
                (pid,) = children(process.pid, "pg_dump" if what == "engine" else "psql")
                os.kill(pid, signal.SIGKILL)
            elif what == "session":
                source.psql(f"SELECT pg_terminate_backend({waiting[0]})", "postgres")
            elif what == "terminate":
                process.terminate()
        answer = answer_of(process)
    assert answer["failed"], answer
    wanted = {
        "engine": "pg_dump was killed by signal 9", "session": "terminating connection",
        "psql": "psql was killed by signal 9",
        "deadline": "was not done", "terminate": "ended by SIGTERM",
    }[what]  # fmt: skip
    assert wanted in answer["msg"]
    assert state(place) == safe


def test_killed_in_the_middle_it_is_cleaned_by_the_next(source: Source, place: Path, large: None, safe: Any) -> None:
    with held_up(source):
        process = start_module(
            "postgres_backup", options(source, place, login_db="large", format="directory"), place_for(place)
        )
        wait_for(lambda: dumping(source), "the dump", process)
        engine = children(process.pid, "pg_dump")
        assert engine
        process.kill()
        process.communicate()
        wait_for(lambda: not dumping(source), "the end of the dump that nobody waits for")
        left = state(place)
        assert [name for name in left[0] - safe[0] if name.endswith("/.writing-nexusdb")]
        assert left[1] == safe[1]
        assert back_up(source, place, check_mode=True)["plan"]["leftovers"]
    assert made(back_up(source, place))
    names, _latest = state(place)
    assert not [name for name in names if ".writing-" in name]


@pytest.mark.parametrize("what", ["engine", "controller", "terminate", "session"])
def test_a_copy_that_breaks_in_the_middle_is_no_set(source: Source, place: Path, safe: Any, what: str) -> None:
    """Neither half of pg_basebackup goes on: the one that receives WAL would keep the server from removing it."""
    given = options(source, place, engine="pg_basebackup", max_rate="1M", format="plain")
    process = start_module("postgres_backup", given, place_for(place))
    senders = "SELECT pid FROM pg_stat_replication"
    wait_for(lambda: len(source.psql(senders).splitlines()) == 2, "the copy", process)
    if what == "engine":
        os.kill(children(process.pid, "pg_basebackup")[0], signal.SIGKILL)
    elif what == "session":
        source.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE state = 'backup'")
    else:
        process.send_signal(signal.SIGKILL if what == "controller" else signal.SIGTERM)
    out, _errors = process.communicate(timeout=LIMIT)
    wait_for(lambda: not source.psql(senders), "the end of the copy")
    if what != "controller":
        answer = json.loads(out)
        assert answer["failed"]
        wanted = {
            "engine": "was killed by signal 9",
            "session": "pg_basebackup failed",
            "terminate": "ended by SIGTERM",
        }
        assert wanted[what] in answer["msg"]
        assert state(place) == safe
    else:
        assert {name.rsplit("/", 1)[0] for name in state(place)[0] - safe[0] if name.count("/") == 2} >= {
            next(iter(place.glob("*/.writing-nexusdb"))).relative_to(place).as_posix()
        }
        assert made(back_up(source, place, login_db=DATABASE))
        assert not list(place.glob("*/.writing-*"))


def test_a_server_that_dies_is_told(place: Path) -> None:
    with postgres() as server:
        server.psql("CREATE DATABASE large", "postgres")
        server.psql("CREATE TABLE z (a int) PARTITION BY LIST (a)", "large")
        made(back_up(server, place, stamp=RUN, login_db="large"))
        before = state(place)
        with held_up(server):
            process = start_module("postgres_backup", options(server, place, login_db="large"), place_for(place))
            wait_for(lambda: dumping(server), "the dump", process)
            server.stop(signal.SIGQUIT)
            answer = answer_of(process)
        assert answer["failed"]
        assert "server closed the connection" in answer["msg"] or "terminating connection" in answer["msg"]
        assert state(place) == before
        answer = back_up(server, place)
        assert "is the server running" in answer["msg"]
        assert state(place) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(
    "given",
    [{"compress": 0}, {"compress": 0, "format": "directory"}, {"engine": "pg_basebackup", "compress": 1}],
    ids=str,
)
def test_a_full_disk_leaves_all_as_it_was(source: Source, small_disk: Path, large: None, given: dict[str, Any]) -> None:
    place = small_disk
    made(back_up(source, place, stamp=RUN))
    (place / "other").write_bytes(bytes(6_000_000))
    before = state(place)
    answer = back_up(source, place, login_db="large", **given)
    assert answer["failed"], answer
    assert "No space left on device" in answer["msg"], answer
    assert state(place) == before
    assert made(back_up(source, place))


def test_a_disk_that_is_too_small_is_told_before(source: Source, small_disk: Path) -> None:
    answer = back_up(source, small_disk, engine="pg_basebackup")
    assert answer["failed"]
    assert "a set takes about" in answer["msg"]
    made(back_up(source, small_disk, stamp=RUN, compress=0))
    with open(small_disk / "other", "wb") as other, contextlib.suppress(OSError):
        while True:
            other.write(bytes(1 << 16))
    answer = back_up(source, small_disk)
    assert answer["failed"]
    assert "make room there" in answer["msg"]


def test_two_operators_at_once(source: Source, place: Path, large: None) -> None:
    with held_up(source):
        first = start_module("postgres_backup", options(source, place, login_db="large"), place_for(place))
        wait_for(lambda: dumping(source), "the dump", first)
        second = back_up(source, place)
        assert second["failed"]
        assert f"(process {first.pid}) holds the lock" in second["msg"]
        planned = back_up(source, place, check_mode=True)
        assert planned["failed"]
        folder = place.parent / "third"
        folder.mkdir()
        third = start_module("postgres_backup", options(source, place, lock_wait=LIMIT), folder)
    answers = [answer_of(one) for one in (first, third)]
    assert [one["changed"] for one in answers] == [True, True]
    assert os.path.realpath(place / "latest" / "nexusdb") == answers[1]["set"]["path"]


def test_progress_is_told_while_it_is_dumped(source: Source, place: Path, large: None) -> None:
    made(back_up(source, place, login_db="large"))
    with held_up(source):
        process = start_module("postgres_backup", options(source, place, login_db="large"), place_for(place))
        inside = "*/.writing-nexusdb/.writing-progress.json"
        file = wait_for(lambda: next(place.glob(inside), None), "progress", process)
        told = json.loads(file.read_text())  # it is exchanged as a whole
        assert told["system"] == "nexusdb"
        assert told["expected"] > 1_000_000
    assert answer_of(process)["changed"]


# Through another command


def in_pod(folder: Path, cut: int | None = None) -> list[str]:
    """A command that starts others as an exec into a pod does: without our environment. It may cut what comes."""
    path = folder / ("pod" if cut is None else f"pod-{cut}")
    how = (
        'exec "$@"'
        if cut is None
        else (f'case "$*" in *"--format custom"*) "$@" | head -c {cut}; exit 0;; *) exec "$@";; esac')
    )
    path.write_text(f'#!/bin/bash\nfor name in ${{!PG*}}; do unset "$name"; done\nshift 2\n{how}\n')
    path.chmod(0o755)
    return [str(path), "-n", "nexus-databases"]


def test_a_dump_comes_through_a_command(source: Source, place: Path, tmp_path: Path) -> None:
    answer = back_up(source, place, command_prefix=in_pod(tmp_path), bin_dir=str(BIN))
    told = made(answer)
    assert told["source"]["through"][1:] == ["-n", "nexus-databases"]
    assert told["invariants"]["tables"]["billing.orders"] == 3000
    assert restored(source, os.path.join(answer["set"]["path"], "nexusdb.dump")) == counts(source)


@pytest.mark.parametrize("cut", [0, 100, 30_000])
def test_a_stream_that_ends_early_and_well_is_no_set(
    source: Source, place: Path, tmp_path: Path, safe: Any, cut: int
) -> None:
    answer = back_up(source, place, command_prefix=in_pod(tmp_path, cut), bin_dir=str(BIN))
    assert answer["failed"], answer
    assert "no whole dump" in answer["msg"]
    assert state(place) == safe


def test_roles_that_end_early_and_well_are_no_set(source: Source, place: Path, tmp_path: Path, safe: Any) -> None:
    path = tmp_path / "pod"
    path.write_text(
        '#!/bin/bash\nshift\ncase "$*" in *pg_dumpall*globals*) "$@" | head -c 300; exit 0;; *) exec "$@";; esac\n'
    )
    path.chmod(0o755)
    answer = back_up(source, place, command_prefix=[str(path), "x"], bin_dir=str(BIN))
    assert answer["failed"]
    assert "globals.sql is damaged: it stops early" in answer["msg"]
    assert state(place) == safe


def test_a_command_that_passes_no_input_on_is_told(source: Source, place: Path, tmp_path: Path) -> None:
    path = tmp_path / "pod"
    path.write_text('#!/bin/bash\nshift\nexec "$@" </dev/null\n')
    path.chmod(0o755)
    answer = back_up(source, place, command_prefix=[str(path), "x"], bin_dir=str(BIN))
    assert answer["failed"]
    assert "no standard input comes through command_prefix" in answer["msg"]
