# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gigabyte of PostgreSQL backed up, read to its end and restored, against the engine's own commands alone.

The server is the bench's own, with its data in a temporary folder; both are gone afterwards. The modules run as Ansible
runs them, each in a process of its own, so that their start and all that they prove is in their figures. What the
engines' commands write is thrown away each time.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure

sys.path.insert(0, str(measure.ROOT / "tests" / "integration" / "backup"))

import scratch

GIGABYTES = float(os.environ.get("BENCH_BACKUP_GB", "1"))
REPEATS = min(measure.REPEATS, 3)
TABLES = 4
# Bytes of a row in the dump, as COPY writes it.
ROW = 330
JOBS = 2
LIMIT_BACKUP, LIMIT_LEVEL_2, LIMIT_RESTORE = 1.05, 1.1, 1.05
# Of memory: what may come on top, however large the dump is.
LIMIT_FLAT_MB = 8.0
ROWS = """
CREATE TABLE part_{0} (id bigint, at timestamptz, doc text);
INSERT INTO part_{0} SELECT n, now(), repeat(md5(n::text), 5) || md5((n * 7)::text) || md5((n * 11)::text)
  || repeat(md5((n % 1000)::text), 2) FROM generate_series(1, {1}) n;
ALTER TABLE part_{0} ADD PRIMARY KEY (id);
"""
# Streams a command's output to a file with its checksum, as the module does, and nothing else.
STREAM = """
import os, sys
from ansible_collections.nexuscos.ops.plugins.module_utils._backup import stream
folder, path, *argv = sys.argv[1:]
stream.save(argv, path, folder)
"""


class Work:
    """Where all of it happens.

    :ivar place: of the sets; out: of what the engines' commands write.
    """

    def __init__(self, source: scratch.Source, folder: Path) -> None:
        self.source, self.folder = source, folder
        self.place, self.out = folder / "sets", folder / "out"
        self.out.mkdir()
        self.memory: dict[str, list[float]] = {}
        self.answer: dict[str, Any] = {}

    def command(self, name: str, *arguments: str) -> list[str]:
        return [str(scratch.BIN / name), *arguments]

    def run(self, argv: list[str]) -> float:
        return measure.process(argv, self.source.environment)[0]

    def module(self, name: str, what: str, **arguments: Any) -> float:
        """Seconds of a module; what memory it took, and what it answered, is kept."""
        file = self.folder / "arguments.json"
        file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), encoding="utf-8")
        said = self.folder / "answer.json"
        took, megabytes = measure.process([sys.executable, "-m", f"{scratch.MODULES}.{name}", str(file)], output=said)
        self.answer = json.loads(said.read_text(encoding="utf-8"))
        self.memory.setdefault(what, []).append(megabytes)
        return took

    def back_up(self, database: str) -> float:
        shutil.rmtree(self.place, ignore_errors=True)
        return self.module(
            "postgres_backup", database, system=database, path=str(self.place), login_db=database, **self.source.login
        )

    def read(self, dump: Path) -> float:
        return self.run(self.command("pg_restore", "-f", "/dev/null", str(dump)))

    def dump(self, database: str) -> Path:
        """The dump of the newest set of a database."""
        (found,) = self.place.glob(f"[0-9]*/{database}/*.dump")
        return found

    def fresh(self) -> str:
        """A path that nothing is at."""
        path = self.out / "dump"
        path.unlink(missing_ok=True)
        return str(path)

    def bare_dump(self, database: str) -> float:
        return self.run(self.command("pg_dump", "-Fc", "-f", self.fresh(), database))

    def dump_and_sum(self, database: str) -> float:
        path = self.fresh()
        pg_dump = " ".join(self.command("pg_dump", "-Fc", "-f", path, database))
        return self.run(["sh", "-c", f"{pg_dump} && sha256sum {path} > {path}.sha256"])

    def streamed(self, database: str) -> float:
        argv = [sys.executable, "-c", STREAM, str(self.out), self.fresh()]
        return self.run([*argv, *self.command("pg_dump", "-Fc", database)])

    def bare_restore(self, dump: Path) -> float:
        self.gone("bare")
        self.source.psql("CREATE DATABASE bare", "postgres")
        return self.run(self.command("pg_restore", "-j", str(JOBS), "-d", "bare", str(dump)))

    def restore(self, database: str) -> float:
        self.gone("ours")
        return self.module(
            "postgres_restore", "restore", system=database, path=str(self.place), database="ours", jobs=JOBS,
            **self.source.login,
        )  # fmt: skip

    def prove_by_hand(self, dump: Path) -> float:
        """What is known of a restore only when it has been looked at."""
        counts = " ".join(f"SELECT count(*) FROM part_{number};" for number in range(TABLES))
        return self.run(["sha256sum", str(dump)]) + self.run(self.command("psql", "-Xqc", f"ANALYZE; {counts}", "bare"))

    def gone(self, database: str) -> None:
        self.source.psql(f"DROP DATABASE IF EXISTS {database}", "postgres")


def fill(source: scratch.Source, database: str, gigabytes: float) -> None:
    """A database whose dump, unpacked, is so large."""
    source.psql(f"CREATE DATABASE {database}", "postgres")
    for number in range(TABLES):
        source.psql(ROWS.format(number, int(gigabytes * 1e9 / TABLES / ROW)), database)
    source.psql("VACUUM ANALYZE; CHECKPOINT", database)


def compare(
    name: str, what: str, ours: str, limit: float | None, bare: str, all_of: dict[str, Callable[[], float]]
) -> None:
    """Let candidates take turns, and hold ours to so many times the bare one."""
    taken = measure.in_turn(all_of, REPEATS)
    against = {key: measure.median(values) for key, values in taken.items() if key != ours}
    measure.emit(name, what, taken[ours], "s", against, None if limit is None else limit * against[bare])


def main() -> None:
    """Measure and print."""
    size = f"{GIGABYTES:g} GB"
    with (
        scratch.postgres(shared_buffers="256MB", max_wal_size="8GB", autovacuum="off") as source,
        tempfile.TemporaryDirectory(prefix="nexuscos-bench-backup-", dir="/var/tmp") as name,
    ):
        work = Work(source, Path(name))
        os.chmod(name, 0o755)
        fill(source, "small", GIGABYTES / 10)
        fill(source, "large", GIGABYTES)
        backups(work, size)
        restores(work, size)
        small = measure.median(work.memory["small"])
        what = f"postgres_backup of {size}; at most {LIMIT_FLAT_MB:g} MB above that of a tenth of it"
        against = {"a tenth of it": small}
        measure.emit("backup: memory", what, work.memory["large"], "MB", against, small + LIMIT_FLAT_MB)


def backups(work: Work, size: str) -> None:
    """Writing."""
    compare(
        "backup: streamed sum",
        f"pg_dump of {size} through the checksum",
        "streamed",
        LIMIT_BACKUP,
        "pg_dump",
        {
            "streamed": lambda: work.streamed("large"),
            "pg_dump": lambda: work.bare_dump("large"),
            "pg_dump, then sha256sum": lambda: work.dump_and_sum("large"),
        },
    )
    work.back_up("small")
    compare(
        "backup: whole set",
        f"postgres_backup of {size}: rows counted, read to its end, manifest",
        "module",
        None,
        "",
        {
            "module": lambda: work.back_up("large"),
            "pg_dump, then pg_restore to nowhere": lambda: work.bare_dump("large") + work.read(work.out / "dump"),
        },
    )


def restores(work: Work, size: str) -> None:
    """Reading, of the set that was written last."""
    dump = work.dump("large")
    compare(
        "backup: level 2",
        f"backup_verify of {size}: sums, and read to the end",
        "module",
        LIMIT_LEVEL_2,
        "pg_restore to nowhere",
        {
            "module": lambda: work.module("backup_verify", "verify", system="large", path=str(work.place), level=2),
            "pg_restore to nowhere": lambda: work.read(dump),
            "sha256sum": lambda: work.run(["sha256sum", str(dump)]),
        },
    )
    loads: list[float] = []

    def restore() -> float:
        took = work.restore("large")
        loads.append(told_by(work))
        return took

    bare, by_hand = f"pg_restore -j {JOBS}", f"pg_restore -j {JOBS}, ANALYZE, sha256sum, count of each table"
    taken = measure.in_turn(
        {
            "module": restore,
            bare: lambda: work.bare_restore(dump),
            by_hand: lambda: work.bare_restore(dump) + work.prove_by_hand(dump),
        },
        REPEATS,
    )
    against = {key: measure.median(taken[key]) for key in (bare, by_hand)}
    measure.emit(
        "backup: restore",
        f"{size} loaded by {JOBS} jobs, as postgres_restore tells it: database made, loaded, set up",
        loads[-len(taken[bare]) :],
        "s",
        {bare: against[bare]},
        LIMIT_RESTORE * against[bare],
    )
    measure.emit(
        "backup: restore, proven",
        f"postgres_restore of {size} as a whole: sums, loading, rows compared with the manifest, ANALYZE, new name",
        taken["module"],
        "s",
        against,
        None,
    )


def told_by(work: Work) -> float:
    """Seconds of the loading alone, of the restore that ran last."""
    return float(work.answer["restore_seconds"])


if __name__ == "__main__":
    main()
