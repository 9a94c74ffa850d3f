# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of a real server are restored, replaced and taken back; whatever breaks off, the live one serves on."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import scratch
from running import LIMIT, answer_of, end, free_port, wait_for
from scratch import GATE, Source

LIVE = "shop"
OWN = {"postgres", "model", LIVE}


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with scratch.postgres(max_prepared_transactions="5") as server:
        scratch.fill(server, database="model")
        yield server


@pytest.fixture(scope="module")
def made(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of the live database, made once."""
    renew(source)
    place = tmp_path_factory.mktemp("sets")
    answer = scratch.module("postgres_backup", {"system": LIVE, "path": str(place), "login_db": LIVE, **source.login})
    return Path(answer["set"]["path"])


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A place with a copy of the set."""
    folder = tmp_path / "place" / made.parent.name / LIVE
    shutil.copytree(made, folder)
    return tmp_path / "place"


@pytest.fixture
def live(source: Source) -> Source:
    """The server, with the live database as it was when the set was made, and with one row that came later."""
    renew(source)
    source.psql("INSERT INTO billing.orders (user_id, cents) VALUES (1, -1)", LIVE)
    return source


def renew(source: Source) -> None:
    for name in source.databases() - {"postgres", "model"}:
        source.psql(f'DROP DATABASE "{name}" WITH (FORCE)', "postgres")
    source.psql(f"CREATE DATABASE {LIVE} TEMPLATE model OWNER app CONNECTION LIMIT 40", "postgres")
    source.psql(f"ALTER DATABASE {LIVE} SET search_path TO billing, public", "postgres")
    source.psql(f"ALTER ROLE app IN DATABASE {LIVE} SET work_mem TO '9MB'", "postgres")
    source.psql(f"REVOKE ALL ON DATABASE {LIVE} FROM PUBLIC; GRANT CONNECT ON DATABASE {LIVE} TO reader", "postgres")


def restore(server: Source, place: Path, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    return scratch.module("postgres_restore", arguments(server, place, **more), check_mode)


def arguments(server: Source, place: Path, **more: Any) -> dict[str, Any]:
    system = {} if "file" in more else {"system": LIVE}
    return {"path": str(place), "database": LIVE, **system, **server.login, **more}


def later_rows(server: Source, database: str = LIVE) -> str:
    return server.psql("SELECT count(*) FROM billing.orders WHERE cents = -1", database)


def content(server: Source, database: str) -> dict[str, str]:
    """A sum of every table's rows, in an order of their own."""
    sums = {}
    for table in ("billing.users", "billing.orders", 'billing."Odd ""name"".it"', "billing.events", "billing.best"):
        text = server.psql(f"SELECT t::text FROM {table} t ORDER BY 1", database)
        sums[table] = hashlib.sha256(text.encode()).hexdigest()
    return sums


def properties(server: Source, database: str) -> str:
    return server.psql(
        "SELECT pg_get_userbyid(datdba), encoding, datcollate, datconnlimit, datacl, datallowconn, "
        "(SELECT array_agg(format('%s %s', setrole, setconfig) ORDER BY setrole) FROM pg_db_role_setting "
        f"WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = '{database}'",
        "postgres",
    )


def as_before(server: Source, others: set[str] | None = None) -> None:
    """The live database is what it was, lets people in, and nothing lies beside it."""
    assert server.databases() == OWN | (others or set())
    assert later_rows(server) == "1"
    server.psql("CREATE TEMP TABLE still_open (n integer)", LIVE)


def test_into_a_new_database(live: Source, place: Path) -> None:
    answer = restore(live, place, database="looked_into")
    assert (answer["rows"], answer["compared"], answer["before"]) == (3605, 6, None)
    assert content(live, "looked_into") == content(live, "model")
    assert live.psql("SHOW search_path", "looked_into") == "billing, public"
    assert live.psql("SELECT nextval('billing.users_id_seq')", "looked_into") == "201"
    assert live.psql("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'orders'", "looked_into") == "app"
    as_before(live, {"looked_into"})
    proof = json.loads(next(place.glob("*/*/manifest.json")).read_text())["proofs"][-1]
    assert (proof["good"], proof["level"], proof["restore_seconds"]) == (True, 4, answer["restore_seconds"])


def test_on_a_new_server_with_its_roles(live: Source, place: Path) -> None:
    with scratch.postgres(tcp=True) as other:
        answer = restore(other, place)
        assert sorted(answer["roles"]) == ["app", "reader"]
        assert content(other, LIVE) == content(live, "model")
        secret = "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'"
        assert other.psql(secret, "postgres") == live.psql(secret, "postgres")
        assert properties(other, LIVE).split("|")[0] == "app"


def test_without_confirm_a_live_database_is_not_touched(live: Source, place: Path) -> None:
    for more in ({}, {"confirm": "other"}, {"confirm": "SHOP"}, {"tables": ["billing.users"]}):
        answer = restore(live, place, **more)
        assert answer["failed"], answer
        assert LIVE in answer["msg"]
    as_before(live)


def test_check_mode_tells_what_would_happen(live: Source, place: Path) -> None:
    with client(live, "SELECT pg_sleep(600)"):
        before = sorted(place.rglob("*"))
        answer = restore(live, place, check_mode=True)
        plan = answer["plan"]
        assert (plan["exists"], plan["confirmed"], plan["safety_backup"]) == (True, False, "shop-before-restore")
        assert [(one["user"], one["count"]) for one in plan["connections"]] == [("postgres", 1)]
        assert plan["free_bytes"] > plan["needed_bytes"] > 1_000_000
        assert "wants confirm: shop" in answer["msg"]
        assert restore(live, place, check_mode=True, confirm=LIVE)["plan"]["confirmed"]
        assert sorted(place.rglob("*")) == before
        as_before(live)


@contextlib.contextmanager
def client(server: Source, sql: str, database: str = LIVE) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody who is connected and does something."""
    process = subprocess.Popen(
        [str(scratch.BIN / "psql"), "-Xq", "-d", database, "-c", sql], env=server.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        asked = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND query = '{sql}'"
        wait_for(lambda: server.psql(asked, "postgres") == "1", sql, process)
        yield process
    finally:
        end(process)


class Storm:
    """Clients that connect again as soon as they are thrown out, and note what they see."""

    def __init__(self, server: Source, threads: int = 3) -> None:
        self._server, self._over = server, threading.Event()
        self.seen: list[str] = []
        self._threads = [threading.Thread(target=self._work) for _number in range(threads)]

    def _work(self) -> None:
        while not self._over.is_set():
            self.seen.append(later_rows_or_nothing(self._server))

    def __enter__(self) -> Storm:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def later_rows_or_nothing(server: Source) -> str:
    return server.psql("SELECT count(*) FROM billing.orders WHERE cents = -1", LIVE, check=False)


def test_over_the_live_database_and_back(live: Source, place: Path) -> None:
    before = properties(live, LIVE)
    with client(live, "SELECT pg_sleep(600)") as connected, Storm(live) as storm:
        answer = restore(live, place, confirm=LIVE)
        assert "failed" not in answer, answer
        assert connected.wait(LIMIT) != 0, "it was thrown out"
    assert answer["connections_ended"] >= 1
    assert set(storm.seen) <= {"1", "0", ""}
    assert live.databases() == OWN | {answer["before"]}
    assert later_rows(live) == "0"
    assert later_rows(live, answer["before"]) == "1"
    assert content(live, LIVE) == content(live, "model")
    assert properties(live, LIVE) == before
    # The safety backup is a set like any other, and holds what was replaced.
    safety = Path(answer["safety_backup"]["path"])
    assert safety.parent.parent == place
    again = restore(live, place, system="shop-before-restore", database="safe")
    assert again["rows"] == 3606, again
    answer = restore(live, place, state="undone")
    assert "confirm: shop is wanted" in answer["msg"]
    assert later_rows(live) == "0"
    would = restore(live, place, check_mode=True, state="undone", confirm=LIVE)
    with client(live, "SELECT pg_sleep(600)"):
        answer = restore(live, place, state="undone", confirm=LIVE)
    assert (would["before"], answer["connections_ended"]) == (answer["before"], 1)
    assert later_rows(live) == "1"
    assert properties(live, LIVE) == before
    assert later_rows(live, answer["undone"]) == "0"
    assert not restore(live, place, state="undone", confirm=LIVE)["changed"]


def change(place: Path, **more: Any) -> None:
    path = next(place.glob(f"*/{LIVE}/manifest.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))


def test_a_set_that_does_not_hold_what_it_says_replaces_nothing(live: Source, place: Path) -> None:
    change(place, invariants={"tables": {"billing.orders": 4711}})
    answer = restore(live, place, confirm=LIVE)
    assert "shop is as it was: billing.orders has 3,000 rows, want 4,711" in answer["msg"]
    as_before(live)


def test_a_damaged_set_replaces_nothing(live: Source, place: Path) -> None:
    dump = next(place.glob("*/*/shop.dump"))
    data = bytearray(dump.read_bytes())
    data[len(data) * 3 // 5] ^= 0xFF
    dump.write_bytes(bytes(data))
    answer = restore(live, place, confirm=LIVE)
    assert "nothing was restored: shop.dump was changed" in answer["msg"]
    told = json.loads((dump.parent / "manifest.json").read_text())
    assert told["proofs"][-1]["good"] is False
    assert "every set in" in restore(live, place, check_mode=True)["msg"], "what is refuted has to be named"
    named = {"set": dump.parent.parent.name}
    assert "has refuted this set: shop.dump was changed" in str(restore(live, place, True, **named)["warnings"])
    # Whoever sums the damage anew gets as far as the restore, and no further.
    for one in told["files"]:
        text = (dump.parent / one["path"]).read_bytes()
        one |= {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    change(place, files=told["files"])
    answer = restore(live, place, confirm=LIVE, **named)
    assert "not restored, shop is as it was" in answer["msg"], answer
    as_before(live)


def test_a_dump_of_another_database_replaces_nothing_unless_that_is_meant(live: Source, tmp_path: Path) -> None:
    live.run("pg_dump", "-Fc", "-f", str(tmp_path / "model.dump"), "model")
    given: dict[str, Any] = {"file": str(tmp_path / "model.dump"), "confirm": LIVE}
    assert "the dump is of model" in restore(live, tmp_path, **given)["msg"]
    as_before(live)
    assert restore(live, tmp_path, **given, from_database="model")["before"]
    assert later_rows(live) == "0"


def test_a_folder_by_several_at_once(live: Source, tmp_path: Path) -> None:
    live.run("pg_dump", "-Fd", "-j", "2", "-f", str(tmp_path / "folder"), LIVE)
    answer = restore(live, tmp_path, file=str(tmp_path / "folder"), database="new", jobs=3)
    assert (answer["source"]["format"], answer["rows"]) == ("pg_directory", 3606)


def sql_of(server: Source) -> bytes:
    return server.run("pg_dump", LIVE).encode()


def test_plain_sql_of_the_old_runbook(live: Source, tmp_path: Path) -> None:
    file = tmp_path / "nexus_db.sql.gz"
    file.write_bytes(gzip.compress(sql_of(live)))
    answer = restore(live, tmp_path, file=str(file), database="of_old")
    assert answer["rows"] == 3606, answer
    live.psql("REFRESH MATERIALIZED VIEW billing.best", LIVE)
    assert content(live, "of_old") == content(live, LIVE)
    assert restore(live, tmp_path, file=str(file), confirm=LIVE, safety_backup=False)["safety_backup"] is None


def test_what_is_restored_with_a_warning(live: Source, tmp_path: Path) -> None:
    (tmp_path / "ftp.sql").write_bytes(sql_of(live).replace(b"\n", b"\r\n"))
    for name, options in (("bare.dump", ["-Fc", "-s"]), ("bare.sql", ["-s"])):
        live.run("pg_dump", *options, "-f", str(tmp_path / name), LIVE)
    for number, (name, rows, words) in enumerate(
        (("ftp.sql", 3606, "CR LF"), ("bare.dump", 0, "--schema-only"), ("bare.sql", 0, "--schema-only"))
    ):
        answer = restore(live, tmp_path, file=str(tmp_path / name), database=f"warned{number}")
        assert answer["rows"] == rows, answer
        assert words in str(answer["warnings"])


def test_plain_sql_with_an_error_in_it_leaves_nothing(live: Source, tmp_path: Path) -> None:
    whole = sql_of(live)
    for name, text, words in (
        ("early", whole[: len(whole) // 2], "stops early"),
        ("wrong", whole.replace(b"ADD CONSTRAINT users_pkey", b"ADD CONSTRAINTS users_pkey"), "syntax error"),
        ("leaves", whole.replace(b"SET lock_timeout", b"\\connect model\nSET lock_timeout"), "a command of psql"),
        ("empty", b"", "empty"),
        ("packed", gzip.compress(whole)[:-200], "breaks off"),
    ):
        file = tmp_path / f"{name}.sql"
        file.write_bytes(text)
        target = {"database": "new"} if name == "packed" else {"confirm": LIVE, "safety_backup": False}
        answer = restore(live, tmp_path, file=str(file), **target)
        assert answer.get("failed"), (name, answer)
        assert words in answer["msg"], (name, answer["msg"])
    as_before(live)


def test_some_tables(live: Source, place: Path) -> None:
    answer = restore(live, place, database="some", tables=["billing.orders", "billing.events_*"])
    assert answer["rows"] == 3400, answer
    assert answer["compared"] == 3
    assert [one["what"] for one in answer["left_out"]] == ["FK CONSTRAINT billing orders orders_user_id_fkey app"]
    assert live.psql("SELECT count(*) FROM billing.users", "some") == "0"
    assert live.psql("SELECT count(*) FROM pg_indexes WHERE tablename = 'orders'", "some") == "2"
    assert "no table 'billing.order'" in restore(live, place, database="more", tables=["billing.order"])["msg"]
    as_before(live, {"some"})


@pytest.fixture(scope="module")
def slow_dump(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dump of the live database whose restore stands still, at an index, as long as the gate is shut."""
    renew(source)
    source.psql(
        "CREATE TABLE t AS SELECT n, md5(n::text) AS a, md5((n + 1)::text) AS b FROM generate_series(1, 150000) n;"
        + "".join(f"CREATE INDEX ON t ({column});" for column in ("n", "a", "b", "a, b", "b, a"))
        + GATE.replace("{file}", str(source.gate)),
        LIVE,
    )
    path = tmp_path_factory.mktemp("slow") / "slow.dump"
    source.run("pg_dump", "-Fc", "-Z1", "-f", str(path), LIVE)
    return path


@pytest.fixture
def slow(source: Source, slow_dump: Path) -> Iterator[Path]:
    """That dump, and the gate is shut."""
    with source.shut_gate():
        yield slow_dump


def until_it_restores(server: Source, process: subprocess.Popen[str]) -> str:
    """The database that is restored into, once it stands at the gate."""
    asked = (
        "SELECT datname FROM pg_stat_activity WHERE datname LIKE 'shop_restoring_%' "
        "AND query LIKE 'CREATE INDEX gate_n %' AND state = 'active'"
    )
    return wait_for(lambda: server.psql(asked, "postgres"), "the restore stands at the gate", process)


def test_it_is_killed_and_the_next_one_removes_what_it_left(live: Source, slow: Path, tmp_path: Path) -> None:
    given = arguments(live, tmp_path, file=str(slow), confirm=LIVE, safety_backup=False)
    process = scratch.start_module("postgres_restore", given, tmp_path)
    left = until_it_restores(live, process)
    second = restore(live, tmp_path, file=str(slow), confirm=LIVE)
    assert re.search(r"restore into shop by \S+ on \S+ since", second["msg"]), second
    process.send_signal(signal.SIGKILL)
    process.communicate()
    as_before(live, {left})
    # The server goes on with an index for somebody who is gone.
    live.gate.unlink()
    working = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{left}'"
    wait_for(lambda: live.psql(working, "postgres") == "0", "nobody works there any more")
    answer = scratch.module("postgres_restore", given)
    assert live.databases() == OWN | {answer["before"]}


def test_it_is_asked_to_end(live: Source, slow: Path, tmp_path: Path) -> None:
    given = arguments(live, tmp_path, file=str(slow), confirm=LIVE, safety_backup=False)
    process = scratch.start_module("postgres_restore", given, tmp_path)
    until_it_restores(live, process)
    process.send_signal(signal.SIGTERM)
    answer = answer_of(process)
    assert "SIGTERM" in answer["msg"]
    as_before(live)


def test_the_server_crashes(live: Source, slow: Path, tmp_path: Path) -> None:
    given = arguments(live, tmp_path, file=str(slow), confirm=LIVE, safety_backup=False)
    process = scratch.start_module("postgres_restore", given, tmp_path)
    left = until_it_restores(live, process)
    live.stop(signal.SIGQUIT)
    answer = answer_of(process)
    assert "shop is as it was" in answer["msg"], answer
    assert "could not be removed; the next restore does that" in answer["msg"]
    live.start()
    as_before(live, {left})
    live.gate.unlink()
    answer = restore(live, tmp_path, file=str(slow), database="new")
    assert "failed" not in answer
    # Only what belongs to the same name is cleaned up.
    assert left in live.databases()


def test_no_time(live: Source, slow: Path, tmp_path: Path) -> None:
    answer = restore(live, tmp_path, file=str(slow), confirm=LIVE, safety_backup=False, deadline=5)
    assert "not done" in answer["msg"] or "in time" in answer["msg"], answer
    as_before(live)


def test_somebody_who_does_not_let_go(live: Source, tmp_path: Path) -> None:
    """A role that may not end a superuser's session: the live database serves on, and who was killed leaves it so."""
    live.psql("ALTER ROLE app CREATEDB", "postgres")
    live.run("pg_dump", "-Fc", "--no-owner", "--no-privileges", "-N", "nothing", "-f", str(tmp_path / "d"), LIVE)
    given = {"file": str(tmp_path / "d"), "confirm": LIVE, "safety_backup": False, "owners": False, "drain": 1}
    login = {"login_user": "app", "login_password": "app's"}
    live.psql(f"GRANT CONNECT ON DATABASE {LIVE} TO app", "postgres")
    with client(live, "SELECT pg_sleep(600)") as stubborn:
        answer = restore(live, tmp_path, **given, **login)
        assert "somebody does not let go of shop" in answer["msg"], answer
        as_before(live)
        patient = {**given, "drain": LIMIT}
        process = scratch.start_module("postgres_restore", arguments(live, tmp_path, **patient, **login), tmp_path)
        renaming = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%RENAME%' AND pid <> pg_backend_pid()"
        wait_for(lambda: live.psql(renaming, "postgres") != "0", "it asks for the name", process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert stubborn.poll() is None
        wait_for(lambda: live.psql(renaming, "postgres") == "0", "nobody asks for the name any more")
        assert later_rows(live) == "1"
        assert LIVE in live.databases()
    live.psql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{LIVE}'", "postgres")
    assert restore(live, tmp_path, **given, **login)["before"], "and without it, it goes"


def test_a_prepared_transaction_holds_the_live_database(live: Source, place: Path) -> None:
    live.psql("BEGIN; DELETE FROM billing.empty; PREPARE TRANSACTION 'forgotten'", LIVE)
    try:
        assert "has 1 prepared transactions" in restore(live, place, confirm=LIVE)["msg"]
        as_before(live)
    finally:
        live.psql("ROLLBACK PREPARED 'forgotten'", LIVE)


def test_the_safety_backup_has_no_room(live: Source, made: Path) -> None:
    if os.geteuid() != 0:
        pytest.fail("it mounts a file system: run it as root")
    place = Path(tempfile.mkdtemp(prefix="nx-full-", dir="/var/tmp"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(place)], check=True)
    try:
        shutil.copytree(made, place / made.parent.name / LIVE)
        filler = place / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(b"x" * 4096)
        answer = restore(live, place, confirm=LIVE)
        assert "nothing was restored, because the safety backup failed" in answer["msg"], answer
        as_before(live)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
        place.rmdir()


def test_the_disk_of_the_server_fills_up(live: Source, slow_dump: Path, tmp_path: Path) -> None:
    space = Path(tempfile.mkdtemp(prefix="nx-space-", dir="/var/tmp"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=30m", "none", str(space)], check=True)
    try:
        shutil.chown(space, scratch.ACCOUNT)
        live.psql(f"CREATE TABLESPACE tiny LOCATION '{space}'", "postgres")
        live.psql(f"ALTER DATABASE {LIVE} SET TABLESPACE tiny", "postgres")
        answer = restore(live, tmp_path, file=str(slow_dump), confirm=LIVE, safety_backup=False)
        assert "shop is as it was" in answer["msg"]
        assert "No space left on device" in answer["msg"], answer
        as_before(live)
        renew(live)
        live.psql("DROP TABLESPACE tiny", "postgres")
    finally:
        subprocess.run(["umount", "-l", str(space)], check=True)
        space.rmdir()


def test_who_is_not_let_in(live: Source, place: Path) -> None:
    for more, words in (
        ({"login_password": "wrong one"}, "password authentication failed"),
        ({"login_port": free_port()}, "is the server running"),
        ({"login_user": "nobody"}, "authentication failed"),
        ({"database": "postgres"}, "belongs to the server"),
        ({"system": "", "set": ""}, "say what to restore"),
        ({"set": "2020-01-01T000000Z"}, "no set of shop"),
    ):
        answer = restore(live, place, **{"confirm": "", **more})
        assert answer["failed"], more
        assert words in answer["msg"], answer["msg"]
        assert "wrong one" not in json.dumps(answer["msg"])
    as_before(live)


def test_no_password_stands_in_a_list_of_processes(live: Source, slow: Path, tmp_path: Path) -> None:
    given = arguments(live, tmp_path, file=str(slow), database="new")
    process = scratch.start_module("postgres_restore", given, tmp_path)
    seen = set()

    def restores() -> bool:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                seen.add(path.read_bytes())
        return any(b"pg_restore\0" in one and b"new_restoring_" in one for one in seen)

    wait_for(restores, "pg_restore is at work", process)
    assert not any(scratch.PASSWORD.encode() in one for one in seen)
    live.gate.unlink()
    assert "failed" not in answer_of(process)
