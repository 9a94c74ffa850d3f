# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets are proven or refuted, and what could not be looked at is neither."""

from __future__ import annotations

import fcntl
import gzip
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from backups import dump, snapshot
from hypothesis import given
from hypothesis import strategies as st
from set_maker import DAY, HOUR, iso, make_set, proof

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    lock,
    manifest,
    postgres_load,
    postgres_names,
    psql,
    scratch_postgres,
    verify,
    verify_postgres,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError, OptionError

ROWS = [b"1\tone\n" * 500 + b"\\.\n", b"", random.Random(7).randbytes(70_000)]
GLOBALS = b"CREATE ROLE app;\n--\n-- PostgreSQL database cluster dump complete\n--\n"
SQL = b"--\n-- Dumped from database version 15.14\n--\nSELECT 1;\n--\n-- PostgreSQL database dump complete\n--\n"


def verified(place: Path, level: int = 2, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    nothing = place / "no programs"
    nothing.mkdir(exist_ok=True)
    params: dict[str, Any] = {
        "path": str(place), "system": "nexusdb", "set": "", "level": level, "smoke": [], "accept": [], "jobs": 2,
        "bin_dir": str(nothing), "scratch_dir": "", "lock_wait": 0.0, "deadline": 60.0, **more,
    }  # fmt: skip
    return verify.run(params, check_mode)


def dumped(place: Path, age: float = HOUR, data: bytes | None = None, **more: Any) -> Path:
    began = time.time() - age
    files = {"nexusdb.dump": dump(*ROWS, made=began) if data is None else data, "globals.sql": GLOBALS}
    given = {"engine": "pg_dump", "format": "pg_custom", "server": "15.14", "source": {"database": "nexusdb"}, **more}
    return make_set(place, "nexusdb", began, files=files, **given)


def again(folder: Path) -> None:
    """Write the manifest anew, as one who has no idea would do it."""
    known = manifest.read(str(folder))
    known.files = [verify_sum(folder, one.path) for one in known.files]
    manifest.write(str(folder), known)


def verify_sum(folder: Path, name: str) -> manifest.File:
    from ansible_collections.nexuscos.ops.plugins.module_utils._backup import stream

    return stream.sum_file(str(folder / name), str(folder))


def test_a_whole_set_is_proven_and_the_proof_is_filed(tmp_path: Path) -> None:
    folder = dumped(tmp_path)
    answer = verified(tmp_path)
    assert (answer["good"], answer["level"], answer["filed"], answer["changed"]) == (True, 2, True, True), answer
    assert "level 2 of 2 proven" in answer["msg"]
    proof = manifest.read(str(folder)).proven
    assert proof is not None
    assert (proof.level, proof.wanted, proof.restore_seconds) == (2, 2, None)


def test_check_mode_tells_what_earlier_proofs_took_and_files_nothing(tmp_path: Path) -> None:
    old = manifest.Proof(4, 4, iso(time.time()), 9.25, True, restore_seconds=3.5)
    dumped(tmp_path, 2 * DAY, proofs=[old])
    folder = dumped(tmp_path)
    before = (folder / "manifest.json").read_bytes()
    plan = verified(tmp_path, 4, check_mode=True)["plan"]
    assert (plan["expected_seconds"], plan["expected_restore_seconds"]) == (9.25, 3.5)
    assert (folder / "manifest.json").read_bytes() == before


def cut(folder: Path) -> None:
    data = (folder / "nexusdb.dump").read_bytes()
    (folder / "nexusdb.dump").write_bytes(data[: len(data) * 6 // 10])


def flip(folder: Path) -> None:
    data = bytearray((folder / "nexusdb.dump").read_bytes())
    for place in range(len(data) * 2 // 3, len(data) * 2 // 3 + 4):
        data[place] ^= 0xFF
    (folder / "nexusdb.dump").write_bytes(bytes(data))


def empty(folder: Path) -> None:
    (folder / "nexusdb.dump").write_bytes(b"")


def garbage(folder: Path) -> None:
    (folder / "nexusdb.dump").write_bytes(random.Random(3).randbytes(9000))


def of_yesterday(folder: Path) -> None:
    (folder / "nexusdb.dump").write_bytes(dump(*ROWS, made=time.time() - DAY))


def lost(folder: Path) -> None:
    (folder / "nexusdb.dump").unlink()


def added(folder: Path) -> None:
    (folder / "nexusdb.dump.1").write_bytes(b"x")


def linked(folder: Path) -> None:
    (folder / "nexusdb.dump").rename(folder.parent / "elsewhere")
    (folder / "nexusdb.dump").symlink_to(folder.parent / "elsewhere")


def short_globals(folder: Path) -> None:
    (folder / "globals.sql").write_bytes(GLOBALS[:20])


DAMAGE: list[Callable[[Path], None]] = [cut, flip, empty, garbage, of_yesterday, lost, added, linked, short_globals]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_by_the_sums_and_named(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = dumped(tmp_path)
    damage(folder)
    answer = verified(tmp_path)
    assert (answer["good"], answer["level"], answer["filed"]) == (False, 0, True), answer
    assert ("globals.sql" if damage is short_globals else "nexusdb.dump") in answer["why"]
    assert "refuted at level 1" in answer["msg"]
    assert manifest.read(str(folder)).proven is None
    # What a later look has refuted stays refuted until one is good again.
    assert manifest.read(str(folder)).proofs[-1].why == answer["why"]


@pytest.mark.parametrize("damage", [cut, flip, empty, garbage, of_yesterday, short_globals])
def test_damage_is_found_by_the_reader_where_the_sums_are_those_of_the_damage(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = dumped(tmp_path)
    damage(folder)
    again(folder)
    answer = verified(tmp_path)
    assert (answer["good"], answer["level"]) == (False, 1), answer
    assert answer["levels"][-1]["name"] == "read"


def test_a_dump_of_another_database_is_found(tmp_path: Path) -> None:
    dumped(tmp_path, source={"database": "analytics"})
    answer = verified(tmp_path)
    assert not answer["good"]
    assert "dump of nexusdb, and the manifest is of analytics" in answer["why"]


def test_the_manifest_of_another_set_is_found_and_stays_as_it_is(tmp_path: Path) -> None:
    old, new = dumped(tmp_path, 2 * DAY), dumped(tmp_path)
    shutil.copy(old / "manifest.json", new / "manifest.json")
    answer = verified(tmp_path)
    assert (answer["good"], answer["filed"], answer["changed"]) == (False, False, False)
    assert "is of another set" in answer["why"]
    assert (new / "manifest.json").read_bytes() == (old / "manifest.json").read_bytes()


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"version": 1}', b'{"version": 99}', b"\xff\xfe"])
def test_a_manifest_that_is_none_is_found(tmp_path: Path, text: bytes) -> None:
    (dumped(tmp_path) / "manifest.json").write_bytes(text)
    answer = verified(tmp_path)
    assert (answer["good"], answer["filed"]) == (False, False)


def test_a_clock_in_the_future_is_found(tmp_path: Path) -> None:
    dumped(tmp_path, -3 * DAY)
    answer = verified(tmp_path)
    assert not answer["good"]
    assert "from the future" in answer["why"]


def test_a_manifest_that_was_begun_on_another_day_is_found(tmp_path: Path) -> None:
    folder = dumped(tmp_path)
    known = manifest.read(str(folder))
    known.began = iso(time.time() - 3 * DAY)
    manifest.write(str(folder), known)
    assert "of another time than its name says" in verified(tmp_path)["why"]


def test_a_set_without_files_is_found(tmp_path: Path) -> None:
    make_set(tmp_path, "nexusdb", time.time() - HOUR, files={}, format="pg_custom", engine="pg_dump")
    assert "names no files" in verified(tmp_path)["why"]


def test_a_size_that_is_odd_is_told_and_refutes_nothing(tmp_path: Path) -> None:
    for days in (4, 3, 2):
        dumped(tmp_path, days * DAY)
    dumped(tmp_path, data=dump(b"1\n\\.\n", made=time.time() - HOUR))
    answer = verified(tmp_path)
    assert answer["good"]
    assert "those before it had" in answer["warnings"][0]


def test_what_a_killed_process_left_of_a_manifest_is_no_file_too_many(tmp_path: Path) -> None:
    (dumped(tmp_path) / ".writing-manifest.json").write_bytes(b"{")
    assert verified(tmp_path)["good"]


def test_plain_sql_that_stops_early_is_found(tmp_path: Path) -> None:
    began = time.time() - HOUR
    more: dict[str, Any] = {"engine": "pg_dump", "format": "sql", "source": {"database": "nexusdb"}, "server": "15.14"}
    make_set(tmp_path, "nexusdb", began, files={"nexusdb.sql.gz": gzip.compress(SQL)}, **more)
    assert verified(tmp_path)["good"]
    make_set(tmp_path, "nexusdb", began + 60, files={"nexusdb.sql.gz": gzip.compress(SQL[:-30])}, **more)
    assert "stops early" in verified(tmp_path)["why"]
    make_set(tmp_path, "nexusdb", began + 120, files={"nexusdb.sql.gz": gzip.compress(SQL)[:-9]}, **more)
    assert "breaks off" in verified(tmp_path)["why"]


def test_sets_of_other_engines_are_read_by_their_format(tmp_path: Path) -> None:
    began = time.time() - HOUR
    make_set(tmp_path, "redis", began, files={"dump.rdb": snapshot()})
    assert verified(tmp_path, system="redis")["good"]
    data = bytearray(snapshot())
    data[20] ^= 0xFF
    make_set(tmp_path, "redis", began + 60, files={"dump.rdb": bytes(data)})
    answer = verified(tmp_path, system="redis")
    assert (answer["good"], answer["level"]) == (False, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"system": "redis"}, "holds no set of redis"),
        ({"set": "2020-01-01T000000Z"}, "no set of nexusdb of 2020"),
        ({"set": "yesterday"}, "want a time in UTC"),
        ({"system": "../x"}, "system: want letters"),
        ({"deadline": 0.0}, "deadline"),
        ({"jobs": 0}, "jobs"),
        ({"lock_wait": -1.0}, "lock_wait"),
        ({"level": 5}, "wants smoke"),
        ({"level": 3}, "a scratch server wants the programs of PostgreSQL 15"),
    ],
)
def test_what_cannot_be_looked_at_is_no_refutation(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    folder = dumped(tmp_path)
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(OpsError, match=words):
        verified(tmp_path, **options)
    assert (folder / "manifest.json").read_bytes() == before


def test_what_is_encrypted_is_summed_and_nobody_calls_it_damaged(tmp_path: Path) -> None:
    secret = random.Random(1).randbytes(900)
    dumped(tmp_path, data=secret, encryption="age")
    assert verified(tmp_path, 1)["good"]
    with pytest.raises(OptionError, match="encrypted with age"):
        verified(tmp_path)
    make_set(tmp_path, "k8s", time.time() - HOUR, files={"all.yml": secret}, format="json", encryption="ansible-vault",
             engine="kubernetes")  # fmt: skip
    assert verified(tmp_path, system="k8s")["good"]


def test_without_time_nothing_is_said(tmp_path: Path) -> None:
    folder = dumped(tmp_path)
    with pytest.raises(OpsError, match="no time"):
        verified(tmp_path, deadline=1e-9)
    assert manifest.read(str(folder)).proofs == []


def test_two_at_once_are_told_of_each_other_and_a_backup_is_not_kept_waiting(tmp_path: Path) -> None:
    dumped(tmp_path)
    with lock.held(str(tmp_path), "nexusdb@verify", "verification"), pytest.raises(lock.Busy, match="verification by"):
        verified(tmp_path)
    with lock.held(str(tmp_path), "nexusdb", "backup"):
        assert verified(tmp_path)["good"]


@given(place=st.integers(0, 400), value=st.integers(1, 255))
def test_no_flipped_byte_of_a_set_passes(tmp_path_factory: pytest.TempPathFactory, place: int, value: int) -> None:
    root = tmp_path_factory.mktemp("place")
    folder = dumped(root, data=dump(b"1\tone\n\\.\n", made=time.time() - HOUR))
    data = bytearray((folder / "nexusdb.dump").read_bytes())
    data[place % len(data)] ^= value
    (folder / "nexusdb.dump").write_bytes(bytes(data))
    assert not verified(root)["good"]


def test_the_trend_is_that_of_the_sets_before(tmp_path: Path) -> None:
    old, folder = dumped(tmp_path, 3 * DAY), dumped(tmp_path, 2 * DAY)
    dumped(tmp_path, DAY, data=dump(b"1\n\\.\n"))
    answer = verified(tmp_path, set=folder.parent.name)
    assert answer["levels"][0]["details"]["usual_bytes"] == manifest.read(str(old)).bytes


def write(folder: Path, text: bytes) -> str:
    path = folder / "x.sql"
    path.write_bytes(text)
    return str(path)


END = b"--\n-- PostgreSQL database dump complete\n--\n"


@pytest.mark.parametrize(
    "line", [b"\\connect postgres\n", b"\\c x\n", b"\\! rm -rf /\n", b"\\i other.sql\n", b"\\copy t to f\n"]
)
def test_plain_sql_that_would_leave_its_database_is_refused(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(OptionError, match=r"line 2 is .*a command of psql"):
        postgres_load.check_sql(write(tmp_path, b"SELECT 1;\n" + line + END), time.monotonic() + 9)


def test_rows_that_look_like_commands_are_rows(tmp_path: Path) -> None:
    text = b"\\restrict abc\nCOPY public.t (a) FROM stdin;\n\\connect x\n\\N\n\\.\n\\unrestrict abc\n" + END
    postgres_load.check_sql(write(tmp_path, text), time.monotonic() + 9)


@pytest.mark.parametrize("text", [b"", b"SELECT 1;\n", b"COPY t FROM stdin;\n1\n" + END])
def test_plain_sql_that_is_not_whole_is_bad(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(postgres_load.Bad):
        postgres_load.check_sql(write(tmp_path, text), time.monotonic() + 9)


def test_only_roles_that_are_missing_are_made_and_no_tablespaces() -> None:
    lines = [
        "\\restrict x", "CREATE ROLE postgres;", "ALTER ROLE postgres WITH NOSUPERUSER PASSWORD 'md5x';",
        'CREATE ROLE "Odd ""one""";', 'ALTER ROLE "Odd ""one""" WITH LOGIN;', "CREATE ROLE app;",
        "ALTER ROLE app IN DATABASE other SET work_mem TO '1GB';",
        "CREATE TABLESPACE fast OWNER app LOCATION '/srv/fast';", "GRANT postgres TO app GRANTED BY admin;",
        "GRANT app TO postgres;", 'GRANT app TO "Odd ""one""" WITH ADMIN OPTION GRANTED BY postgres;',
    ]  # fmt: skip
    chosen, made = postgres_load.choose_roles(lines, {"postgres"})
    assert made == ['Odd "one"', "app"]
    assert chosen == [
        'CREATE ROLE "Odd ""one""";', 'ALTER ROLE "Odd ""one""" WITH LOGIN;', "CREATE ROLE app;",
        "GRANT postgres TO app;", 'GRANT app TO "Odd ""one""" WITH ADMIN OPTION;',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ('pg_restore failed with status 1: ERROR:  relation "x" does not exist', True),
        ("pg_restore failed with status 1: could not read from input file: end of file", True),
        ('ERROR:  extension "timescaledb" is not available', False),
        ("ERROR:  could not extend file: No space left on device", False),
        ("pg_restore was killed by signal 9", False),
        ("pg_restore was killed by signal 11", True),
        ("FATAL:  terminating connection due to administrator command", False),
        ("psql failed: ERROR:  unterminated quoted string", True),
    ],
)
def test_the_machine_is_told_from_the_dump(text: str, bad: bool) -> None:
    error = postgres_load.judged(OpsError(text), time.monotonic() + 60)
    assert isinstance(error, postgres_load.Bad) is bad


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            'ERROR:  violates check constraint "above"; DETAIL:  Failing row contains (7, a (b), x@y.example).',
            'ERROR:  violates check constraint "above"; DETAIL:  Failing row contains (…).',
        ),
        (
            'DETAIL:  Key (user_id)=(4711 (x)) is not present in table "users".; Command was: ALTER TABLE x',
            'DETAIL:  Key (user_id)=(…) is not present in table "users".; Command was: ALTER TABLE x',
        ),
        (
            'ERROR:  invalid input syntax for type integer: "secret"; CONTEXT:  COPY t, line 3, column n: "secret"',
            "ERROR:  invalid input syntax for type integer; CONTEXT:  COPY t, line 3, column n",
        ),
        ('ERROR:  relation "billing.x" does not exist', 'ERROR:  relation "billing.x" does not exist'),
    ],
)
def test_values_of_rows_are_told_to_nobody(text: str, left: str) -> None:
    assert postgres_load.without_rows(text) == left
    assert str(postgres_load.judged(OpsError(text), time.monotonic() + 9)) == left


@pytest.mark.parametrize(
    ("value", "answer", "good"),
    [(200, "200", True), (200, 200, True), (True, "true", True), (True, True, True), (False, "False", True),
     ("a", "a", True), (None, "", True), (1, True, False), (200, 201, False), ("a", "b", False), (0, "", False)],
)  # fmt: skip
def test_answers_may_be_written_as_texts(value: Any, answer: Any, good: bool) -> None:
    assert verify_postgres.same(value, answer) is good


@given(st.text(max_size=90))
def test_names_of_databases_fit_and_are_found_again(database: str) -> None:
    stamp = "2026-11-29T060000Z"
    name = postgres_names.named(database, "before", stamp)
    assert len(name.encode()) <= 63
    assert name.endswith("_before_20261129t060000z")
    later = postgres_names.named(database, "before", "2026-11-30T060000Z")
    other = "x" + postgres_names.named("other", "before", stamp)
    assert postgres_names.of_name([name, other, later, database], database, "before")[0] == later


@given(st.text())
def test_what_is_quoted_is_one_word(text: str) -> None:
    assert psql.ident(text)[1:-1].replace('""', "").count('"') == 0
    quoted = psql.literal(text)
    inside = quoted[quoted.index("'") + 1 : -1]
    assert inside.replace("''", "").count("'") == 0
    assert quoted.startswith("E") == ("\\" in text)
    assert "\\" not in inside.replace("\\\\", "")


LISTING = """;
; Archive created at 2026-11-29
215; 1259 16386 TABLE billing users app
216; 1259 16387 TABLE billing Odd "name".it app
3360; 0 16386 TABLE DATA billing users app
3361; 0 16387 TABLE DATA billing Odd "name".it app
3362; 0 16388 TABLE DATA billing users_old app
3370; 0 0 SEQUENCE SET billing users_id_seq app
3380; 2606 16390 FK CONSTRAINT billing users users_plan_fkey app
3381; 2606 16391 FK CONSTRAINT billing users_old users_old_plan_fkey app
3390; 0 0 BLOBS - BLOBS
"""


def test_rows_of_some_tables_are_chosen() -> None:
    lines, keys, names = postgres_names.selected(LISTING, ["billing.users", 'billing.Odd "name".it'])
    text = "\n".join(lines)
    assert names == ["billing.users", 'billing.Odd "name".it']
    assert "TABLE DATA billing users app" in text
    assert "users_old app" not in text.replace("users_old_plan_fkey", "")
    assert "BLOBS" not in text
    assert "SEQUENCE SET" in text
    assert [key.split(" ", 3)[3] for key in keys] == ["FK CONSTRAINT billing users users_plan_fkey app"]


def test_a_table_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(OptionError, match=r"billing\.user'.*billing\.users"):
        postgres_names.selected(LISTING, ["billing.user"])


def test_a_database_is_made_like_another() -> None:
    live = {
        "owner": "app", "encoding": "UTF8", "tablespace": "fast",
        "row": {"datcollate": "C.UTF-8", "datctype": "C.UTF-8", "datlocprovider": "i", "daticulocale": "de-DE",
                "datconnlimit": 50, "datacl": "{=T/app}"},
        "settings": [[None, ["search_path=billing, public", "work_mem=8MB"]], ["app", ["nx.note=it's"]]],
        "rights": [[None, "TEMPORARY", False], ["reader", "CONNECT", True]],
    }  # fmt: skip
    made = postgres_names.like(live, 'ne"u')
    assert made[0] == (
        'CREATE DATABASE "ne""u" WITH OWNER "app" TEMPLATE template0 ENCODING \'UTF8\' LC_COLLATE \'C.UTF-8\' '
        "LC_CTYPE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' TABLESPACE \"fast\""
    )
    assert made[1:] == [
        'ALTER DATABASE "ne""u" CONNECTION LIMIT 50',
        'ALTER DATABASE "ne""u" SET "search_path" TO billing, public',
        'ALTER DATABASE "ne""u" SET "work_mem" TO \'8MB\'',
        'ALTER ROLE "app" IN DATABASE "ne""u" SET "nx"."note" TO \'it\'\'s\'',
        'REVOKE ALL ON DATABASE "ne""u" FROM PUBLIC',
        'GRANT TEMPORARY ON DATABASE "ne""u" TO PUBLIC',
        'GRANT CONNECT ON DATABASE "ne""u" TO "reader" WITH GRANT OPTION',
    ]


def programs_of(folder: Path, version: int, without: str = "") -> Path:
    """A folder with programs that only say their version."""
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb", "psql", "pg_restore", "pg_isready"):
        if name != without:
            (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}.3 (Debian)'\n")
            (folder / name).chmod(0o755)
    return folder


def test_the_programs_of_the_same_version_are_taken_else_newer_ones(tmp_path: Path) -> None:
    folders = {version: programs_of(tmp_path / str(version) / "bin", version) for version in (13, 15, 17)}
    programs_of(tmp_path / "14" / "bin", 14, without="pg_restore")
    assert scratch_postgres.programs(str(tmp_path), 15) == (str(folders[15]), 15)
    assert scratch_postgres.programs(str(tmp_path), 14) == (str(folders[15]), 15)
    assert scratch_postgres.programs(str(tmp_path), None) == (str(folders[17]), 17)
    assert scratch_postgres.programs(str(folders[13]), 12) == (str(folders[13]), 13)
    for version, exact in ((18, False), (14, True), (None, True)):
        with pytest.raises(OpsError, match="13, 15, 17 is here"):
            scratch_postgres.programs(str(tmp_path), version, exact)


def test_what_killed_runs_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    def left(name: str, owned: bool = True, age: float = 0.0) -> Path:
        folder = tmp_path / name
        (folder / "data").mkdir(parents=True)
        (folder / "data" / "postmaster.pid").write_text("1\n")  # somebody else's number by now
        if owned:
            (folder / ".owner").touch()
        os.utime(folder, (time.time() - age, time.time() - age))
        return folder

    name = scratch_postgres.PREFIX
    dead, old = left(name + "dead"), left(name + "old", owned=False, age=2 * HOUR)
    new, other = left(name + "new", owned=False), left("other")
    used = left(name + "used")
    elsewhere = left("elsewhere")
    (tmp_path / (name + "link")).symlink_to(elsewhere)
    with (used / ".owner").open() as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert scratch_postgres.clean(str(tmp_path)) == [str(dead), str(old)]
    assert all(folder.exists() for folder in (new, other, used, elsewhere))
    with pytest.raises(OpsError, match="scratch_dir"):
        scratch_postgres.clean(str(tmp_path / "nowhere"))


def test_a_folder_whose_name_leaves_no_room_for_a_socket_is_refused(tmp_path: Path) -> None:
    programs_of(tmp_path / "15" / "bin", 15)
    with (
        pytest.raises(OpsError, match="too long"),
        scratch_postgres.workspace(str(tmp_path), 15, parent=str(tmp_path / ("x" * 80))),
    ):
        raise AssertionError


def test_what_was_refuted_is_restored_only_where_it_is_named(tmp_path: Path) -> None:
    place, now = str(tmp_path), time.time()
    old, new = (make_set(tmp_path, "redis", now - age, [proof(2, now)]) for age in (2 * DAY, HOUR))
    assert verify.choose_good(place, "redis", "").path == str(new)
    manifest.add_proof(str(new), manifest.Proof(1, 2, iso(now), 0.1, False, "dump.rdb was changed"))
    assert verify.choose_good(place, "redis", "").path == str(old)
    assert verify.choose_good(place, "redis", new.parent.name).path == str(new)
    assert verify.choose(place, "redis", "").path == str(new), "a verification looks at the newest, whatever it is"
    manifest.add_proof(str(old), manifest.Proof(1, 2, iso(now), 0.1, False, "dump.rdb was changed"))
    with pytest.raises(OpsError, match=r"every set in .* was refuted"):
        verify.choose_good(place, "redis", "")
    # What cannot be read is told, and not passed over.
    (new / "manifest.json").write_text("{", encoding="utf-8")
    assert verify.choose_good(place, "redis", "").path == str(new)
