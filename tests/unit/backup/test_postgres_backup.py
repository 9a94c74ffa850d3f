# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgres_backup without a server: what is asked of which command, and what a copy of a server must be made of."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import shlex
import signal
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from backups import dump, integer, text
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    pod,
    postgres_base,
    postgres_dump,
    postgres_tools,
    readers,
    snapshot,
    stream,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._backup.manifest import File
from ansible_collections.nexuscos.ops.plugins.module_utils._backup.postgres_base import Broken
from ansible_collections.nexuscos.ops.plugins.module_utils._backup.postgres_tools import Login, WrongTool
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.modules import postgres_backup

SECRET = "s3cr3t of the source"


def soon() -> float:
    return time.monotonic() + 60


def options(**more: Any) -> dict[str, Any]:
    found = {name: one.get("default") for name, one in postgres_backup.spec().options.items()}
    return {**found, "system": "nexusdb", "login_db": "nexusdb", **more}


def script(path: Path, text: str) -> str:
    path.write_text("#!/bin/sh\n" + text + "\n")
    path.chmod(0o755)
    return str(path)


# What options are refused


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"format": "tar"}, "format: pg_dump writes custom or directory, not tar"),
        ({"engine": "pg_basebackup", "format": "custom"}, "pg_basebackup writes tar or plain, not custom"),
        ({"jobs": 4}, "jobs: only a dump of format=directory"),
        ({"jobs": 0}, "jobs: want 1 or more"),
        ({"format": "directory", "jobs": -1}, "jobs: want 1 or more"),
        ({"compress": 10}, "compress: want 0 to 9"),
        (
            {"format": "directory", "command_prefix": ["ssh", "db1"]},
            "command_prefix: a directory would be written over",
        ),
        ({"engine": "pg_basebackup", "command_prefix": ["ssh", "db1"]}, "command_prefix: pg_basebackup writes where"),
        ({"format": "directory", "pod": {"name": "postgres-0"}}, "pod: a directory would be written over there"),
        ({"engine": "pg_basebackup", "pod": {"name": "postgres-0"}}, "pod: pg_basebackup writes where"),
        ({"pod": {"name": "postgres-0"}, "command_prefix": ["ssh", "db1"]}, "pod: .* give one of both"),
        ({"pod": {"name": "--as=admin"}}, "pod: name: '--as=admin' is no name"),
        ({"pod": {"name": "p", "namespace": "a b"}}, "pod: namespace: 'a b' is no name"),
        ({"pod": {"name": "p", "container": "a/b"}}, "pod: container: 'a/b' is no name"),
        ({"engine": "pg_basebackup", "jobs": 2}, "jobs: pg_basebackup has one connection"),
        ({"engine": "pg_basebackup", "compress": -1}, "compress: want 0 to 9"),
        ({"engine": "pg_basebackup", "format": "plain", "compress": 1}, "compress: a plain copy is not packed"),
        ({"engine": "pg_basebackup", "queries": [{"name": "a", "query": "SELECT 1"}]}, "queries: a copy of a whole"),
        ({"queries": [{"name": "a", "query": "SELECT 1"}, {"name": "a", "query": "SELECT 2"}]}, "a stands there twice"),
        ({"queries": [{"name": "a", "query": " ;"}]}, "queries: a is empty"),
        ({"login_port": 0}, "login_port: want 1 to 65535"),
        ({"connect_timeout": 0}, "connect_timeout: want 1 second"),
        ({"login_password": "two\nlines"}, "login_password: a password has one line"),
        ({"bin_dir": "/nowhere"}, "bin_dir: there is no psql in /nowhere"),
    ],
)
def test_options_that_can_only_be_a_mistake_are_refused(tmp_path: Path, given: dict[str, Any], text: str) -> None:
    with pytest.raises((OptionError, WrongTool), match=text):
        postgres_backup.run(options(path=str(tmp_path), **given), False)
    assert list(tmp_path.iterdir()) == []


# How commands are started


def test_the_password_is_in_the_environment_alone() -> None:
    login = Login("db1", 5433, "backup", SECRET, "nexusdb", {"sslmode": "verify-full", "sslrootcert": "/ca.pem"})
    assert login.command(["pg_dump", "-v"]) == ["pg_dump", "-v"]
    environment = login.environment()
    assert environment == {
        "LC_ALL": "C", "PGHOST": "db1", "PGPORT": "5433", "PGUSER": "backup", "PGPASSWORD": SECRET,
        "PGDATABASE": "nexusdb", "PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/ca.pem", "PGCONNECT_TIMEOUT": "5",
    }  # fmt: skip
    assert login.first_input() == b""
    assert SECRET not in repr(login)


def test_what_is_not_given_is_left_to_libpq() -> None:
    assert set(Login().environment()) == {"LC_ALL", "PGPORT", "PGDATABASE", "PGCONNECT_TIMEOUT"}


def test_a_named_authority_wants_the_server_checked() -> None:
    assert postgres_tools.login(options(ca_cert="/ca.pem")).tls == {"sslmode": "verify-full", "sslrootcert": "/ca.pem"}
    assert postgres_tools.login(options(ca_cert="/ca.pem", ssl_mode="require")).tls["sslmode"] == "require"
    assert postgres_tools.login(options()).tls == {}


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        (["kubectl", "exec", "-n", "x", "p-0", "--"], ["kubectl", "exec", "-i", "-n", "x", "p-0", "--"]),
        (["/opt/kubectl", "exec", "-i", "p-0", "--"], ["/opt/kubectl", "exec", "-i", "p-0", "--"]),
        (["kubectl", "exec", "--stdin", "p-0", "--"], ["kubectl", "exec", "--stdin", "p-0", "--"]),
        (["kubectl", "--context", "a", "exec", "p", "--"], ["kubectl", "--context", "a", "exec", "-i", "p", "--"]),
        (["docker", "exec", "db"], ["docker", "exec", "-i", "db"]),
        (["podman", "exec", "-ti", "db"], ["podman", "exec", "-ti", "db"]),
        (["nsenter", "-t", "1"], ["nsenter", "-t", "1"]),
    ],
)
def test_a_prefix_passes_input_on(prefix: list[str], words: list[str]) -> None:
    command = Login(host="/run", user="postgres", prefix=tuple(prefix)).command(["pg_dump", "-v"])
    assert command[: len(words)] == words
    assert command[len(words) :] == [
        "env", "LC_ALL=C", "PGCONNECT_TIMEOUT=5", "PGDATABASE=postgres", "PGHOST=/run", "PGPORT=5432",
        "PGUSER=postgres", "pg_dump", "-v",
    ]  # fmt: skip


@pytest.mark.parametrize("ssh", [False, True])
def test_behind_a_prefix_the_password_comes_by_the_input(tmp_path: Path, ssh: bool) -> None:
    # As ssh does, this gives its words as one line to a shell; as kubectl does, the other starts them as they are.
    prefix = script(
        tmp_path / ("ssh" if ssh else "in-pod"),
        f'echo "$@" > {tmp_path}/seen; ' + ('shift; exec sh -c "$*"' if ssh else 'shift; exec "$@"'),
    )
    login = Login("h", password=SECRET + " $x'y", database="a b'c", prefix=(prefix, "db1"))
    text = stream.run(
        login.command(["sh", "-c", 'echo "$PGPASSWORD|$PGDATABASE|$1"; cat', "sh", "it's"]),
        login.environment(), 20, login.first_input() + b"the rest",
    )  # fmt: skip
    assert text == SECRET + " $x'y|a b'c|it's\nthe rest"
    assert SECRET not in (tmp_path / "seen").read_text()
    assert login.environment() == {}


def test_a_pod_is_reached_by_kubectl() -> None:
    login = postgres_tools.login(options(pod={"name": "postgres-0", "kubectl": "kubectl"}))
    start = ["kubectl", "exec", "--stdin", "--quiet", "--pod-running-timeout=10s", "postgres-0", "--", "env"]
    assert login.command(["pg_dump"])[: len(start)] == start
    given = {
        "name": "statefulset/postgres", "namespace": "nexus-databases", "container": "postgres", "context": "east",
        "kubeconfig": "/etc/backup.kubeconfig", "kubectl": "/opt/kubectl",
    }  # fmt: skip
    assert pod.named(given) == {
        "context": "east", "namespace": "nexus-databases", "name": "statefulset/postgres", "container": "postgres",
    }  # fmt: skip
    assert pod.prefix(given) == (
        "/opt/kubectl", "--kubeconfig=/etc/backup.kubeconfig", "--context=east", "--namespace=nexus-databases", "exec",
        "--stdin", "--quiet", "--pod-running-timeout=10s", "--container=postgres", "statefulset/postgres", "--",
    )  # fmt: skip


def test_ssh_gets_one_line_that_its_shell_takes_apart() -> None:
    command = Login(database="a b", prefix=("ssh", "db1")).command(["pg_dump", "--file", "x y"])
    assert command[:2] == ["ssh", "db1"]
    assert len(command) == 3
    assert shlex.split(command[2])[-3:] == ["pg_dump", "--file", "x y"]
    assert "PGDATABASE=a b" in shlex.split(command[2])


def started_with_input(tmp_path: Path, command: str) -> subprocess.Popen[bytes]:
    """Behind a prefix, with a `sleep` that takes no time."""
    script(tmp_path / "sleep", "exit 0")
    words = Login(prefix=("env", f"PATH={tmp_path}:{os.environ['PATH']}")).command(["sh", "-c", command], True)
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_what_runs_behind_a_prefix_ends_with_its_input(tmp_path: Path) -> None:
    with started_with_input(tmp_path, "echo begun; exec tail -f /dev/null") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        assert process.poll() is None
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize("status", [0, 3])
def test_what_ends_by_itself_keeps_its_status_and_its_output(tmp_path: Path, status: int) -> None:
    with started_with_input(tmp_path, f"cat; echo whole; exit {status}") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.read() == b"whole\n"
        assert process.wait(60) == status
        process.stdin.close()


# Which command


def bin_of(folder: Path, version: str, *names: str) -> str:
    folder.mkdir(parents=True)
    for name in names or ("pg_dump",):
        script(folder / name, f'echo "{name} (PostgreSQL) {version}"')
    return str(folder)


@pytest.mark.parametrize("version", ["15.18", "15.18 (Debian 15.18-0+deb12u1)", "15beta1"])
def test_a_command_of_the_servers_version_is_taken(tmp_path: Path, version: str) -> None:
    folder = bin_of(tmp_path / "bin", version)
    assert Login(bin_dir=folder).fitting("pg_dump", 15, soon(), exact=True) == f"{folder}/pg_dump"


def test_an_older_command_is_refused_with_the_one_that_is_needed(tmp_path: Path) -> None:
    folder = bin_of(tmp_path / "bin", "14.9")
    with pytest.raises(WrongTool, match=r"the server is PostgreSQL 15, and .*pg_dump is 14, which cannot read it: "
                                        "install postgresql-client-15, or let bin_dir lead to"):  # fmt: skip
        Login(bin_dir=folder).fitting("pg_dump", 15, soon())
    prefixed = Login(bin_dir=folder, prefix=("env",))
    with pytest.raises(WrongTool, match="let bin_dir lead to the commands of PostgreSQL 15 there"):
        prefixed.fitting("pg_dump", 15, soon())


def test_a_newer_command_is_taken_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bin_of(tmp_path / "bin", "98.1")
    monkeypatch.setenv("PATH", folder, prepend=os.pathsep)
    with pytest.raises(
        WrongTool, match=r"the server is PostgreSQL 97, and .* is 98, whose dumps such a server may not"
    ):
        Login().fitting("pg_dump", 97, soon())
    assert Login().fitting("pg_dump", 97, soon(), newer=True) == f"{folder}/pg_dump"
    assert Login(bin_dir=folder).fitting("pg_dump", 97, soon()) == f"{folder}/pg_dump"
    with pytest.raises(WrongTool):
        Login(bin_dir=folder).fitting("pg_dump", 97, soon(), exact=True)


def test_a_command_that_is_no_postgresql_is_refused(tmp_path: Path) -> None:
    script(tmp_path / "pg_dump", "echo hello")
    with pytest.raises(WrongTool, match="says 'hello', which is no version"):
        Login(bin_dir=str(tmp_path)).fitting("pg_dump", 15, soon())


def test_a_command_that_is_not_there_is_told_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(WrongTool, match=r"pg_nix of PostgreSQL 15 is not there: .*postgresql-client-15"):
        Login().tool("pg_nix", 15)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ('FATAL:  password authentication failed for user "x"', "login_password"),
        ("Connection refused", "is the server running"),
        ("canceling statement due to conflict with recovery", "hot_standby_feedback"),
        ("permission denied for table t", "pg_read_all_data"),
        ("no pg_hba.conf entry for replication connection", "a line for replication"),
    ],
)
def test_what_is_known_is_explained(said: str, hint: str) -> None:
    assert hint in str(postgres_tools.explained(stream.EngineError(said)))


def test_what_is_not_known_is_told_as_it_is() -> None:
    assert str(postgres_tools.explained(stream.EngineError("odd"))) == "odd"


# The snapshot, against a psql that says what a test wants


def psql(tmp_path: Path, answers: str) -> str:
    """A psql that answers the first question, which is where the server stands, and then runs a script."""
    first = json.dumps({"snapshot": "1-1", "at": "2026-11-29T06:00:00Z", "standby": False, "lsn": "0/1"})
    mark = r"""while read -r line; do case $line in *8*nexuscos*) break;; esac; done"""
    end = "echo '--8<-- nexuscos --8<--'"
    return script(
        tmp_path / "psql",
        f"{mark}\necho 26\necho '{first}'\n{end}\n{answers}".replace("MARK", mark).replace("END", end),
    )


def test_a_snapshot_tells_where_the_server_stands(tmp_path: Path) -> None:
    with snapshot.Snapshot(Login(), psql(tmp_path, "cat >/dev/null"), soon()) as moment:
        assert moment.name == "1-1"
        assert moment.position == {"at": "2026-11-29T06:00:00Z", "standby": False, "lsn": "0/1"}


def test_rows_are_counted_and_fetched(tmp_path: Path) -> None:
    path = psql(tmp_path, """MARK\necho '{"public.a" : "4711"}'\nEND\ncat >/dev/null""")
    with snapshot.Snapshot(Login(), path, soon()) as moment:
        moment.count()
        assert moment.counted() == {"public.a": 4711}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("[]", "got 0 rows"),
        ('[{"a":1},{"a":2}]', "got 2 rows of 1 values"),
        ('[{"a":1,"b":2}]', "got 1 rows of 2 values"),
    ],
)
def test_a_query_answers_one_value(tmp_path: Path, answer: str, text: str) -> None:
    path = psql(tmp_path, f"MARK\necho '{answer}'\nEND\ncat >/dev/null")
    with snapshot.Snapshot(Login(), path, soon()) as moment, pytest.raises(OptionError, match=f"queries: q: .*{text}"):
        moment.value("q", "SELECT 1")


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ("exit 0", "psql ended early and well: the stream to it has broken off"),
        ("echo 'psql: error: FATAL: terminating connection' >&2; exit 2", "status 2: psql: error: FATAL: terminating"),
        ("MARK; kill -9 $$", "killed by signal 9"),
    ],
)
def test_a_psql_that_goes_away_is_told(tmp_path: Path, answers: str, text: str) -> None:
    with (
        snapshot.Snapshot(Login(), psql(tmp_path, answers), soon()) as moment,
        pytest.raises(stream.EngineError, match=text),
    ):
        moment.structure()


def test_a_psql_that_gets_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(stream.EngineError, match="psql got no input: command_prefix must pass"):
        snapshot.Snapshot(Login(), script(tmp_path / "psql", "exit 0"), soon())


def test_a_psql_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    path = script(tmp_path / "psql", "exec sleep 61.25")
    with pytest.raises(stream.EngineError, match="psql was not done in time"):
        snapshot.Snapshot(Login(), path, time.monotonic() + 0.3)


# A dump


def test_the_dump_is_found_among_the_files() -> None:
    files = [File("globals.sql", 1, ""), File("nexusdb.dump", 1, "")]
    assert postgres_dump.main_of(files) == "nexusdb.dump"
    files = [File("nexusdb.dir/toc.dat", 1, ""), File("nexusdb.dir/1.dat.gz", 1, ""), File("globals.sql", 1, "")]
    assert postgres_dump.main_of(files) == "nexusdb.dir"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.999])
def test_a_dump_that_breaks_off_is_found_without_pg_restore(
    tmp_path: Path, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Login, "tool", lambda *_given: (_ for _ in ()).throw(WrongTool("none")))
    whole = dump(b"1\tone\n" * 500, random.Random(7).randbytes(70_000))
    path = tmp_path / "x.dump"
    path.write_bytes(whole)
    assert "2 data blocks" in postgres_dump.read_dump(str(path), "pg_custom", soon(), Login(), 15)
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(stream.EngineError, match=r"x\.dump is damaged"):
        postgres_dump.read_dump(str(path), "pg_custom", soon(), Login(), 15)


def test_an_emptied_file_of_a_directory_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "x.dir"
    folder.mkdir()
    (folder / "toc.dat").write_bytes(directory_toc("1.dat"))
    with gzip.open(folder / "1.dat.gz", "wb") as packed:
        packed.write(b"1\n\\.\n\n\n")
    assert readers.read(str(folder), "pg_directory", soon(), tools=False)["status"] == "ok"
    (folder / "1.dat.gz").write_bytes(b"")
    answer = readers.read(str(folder), "pg_directory", soon(), tools=False)
    assert (answer["status"], answer["why"]) == ("bad", "1.dat.gz is empty")


def directory_toc(name: str) -> bytes:
    """A table of contents as ``pg_dump -Fd`` writes it, with one table."""
    head = b"PGDMP" + bytes([1, 14, 0, 4, 8, 3]) + integer(-1)
    for part in (0, 0, 6, 29, 10, 126, 0):
        head += integer(part)
    head += text("nexusdb") + text("15.14") + text("15.14") + integer(1) + integer(1) + integer(1)
    head += text("1259") + text("1") + text("t") + text("TABLE DATA") + integer(3) + text("") + text("")
    head += text("COPY t FROM stdin;\n") + text("public") + text("") + text("heap") + text("owner") + text("false")
    return head + text(None) + text(name)


# A copy of a server

SEGMENT = 1 << 20
WAL = {"000000010000000000000004": os.urandom(16) + bytes(SEGMENT - 16), "000000010000000000000005": bytes(SEGMENT)}
DATA = {"PG_VERSION": b"15\n", "global/pg_control": bytes(8192), "base/1/1249": random.Random(1).randbytes(90_000)}

ELSEWHERE = random.Random(2).randbytes(20_000)


def own_manifest(files: dict[str, bytes], ranges: list[tuple[int, str, str]]) -> bytes:
    lines = ['{ "PostgreSQL-Backup-Manifest-Version": 1,', '"Files": [']
    rows = [
        json.dumps(
            {
                "Path": name,
                "Size": len(data),
                "Checksum-Algorithm": "SHA256",
                "Checksum": hashlib.sha256(data).hexdigest(),
            }
        )
        for name, data in files.items()
    ]
    spans = [json.dumps({"Timeline": line, "Start-LSN": first, "End-LSN": last}) for line, first, last in ranges]
    lines += [",\n".join(rows), "],", '"WAL-Ranges": [', ",\n".join(spans), "],", ""]
    text = "\n".join(lines).encode()
    return text + b'"Manifest-Checksum": "%s"}\n' % hashlib.sha256(text).hexdigest().encode()


RANGES = [(1, "0/400028", "0/500138")]


def tarball(files: dict[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return raw.getvalue()


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy in archives, and no commands of PostgreSQL to read it."""
    monkeypatch.setattr(Login, "tool", lambda *_given: (_ for _ in ()).throw(WrongTool("none")))
    base = tmp_path / "base"
    base.mkdir()
    (base / "backup_manifest").write_bytes(own_manifest(DATA | {"pg_tblspc/16400/PG_15/1": ELSEWHERE}, RANGES))
    (base / "base.tar").write_bytes(tarball(DATA))
    (base / "16400.tar").write_bytes(tarball({"PG_15/1": ELSEWHERE}))
    (base / "pg_wal.tar").write_bytes(tarball(WAL))
    return base


def read(base: Path) -> str:
    return postgres_base.read_base(str(base), 15, soon())


def test_a_copy_in_archives_is_read_against_the_servers_sums(copy: Path) -> None:
    assert read(copy) == "4 files against the server's sums, 2 WAL files there"
    for name in ("base", "pg_wal", "16400"):
        packed = gzip.compress((copy / f"{name}.tar").read_bytes())
        (copy / f"{name}.tar").unlink()
        (copy / f"{name}.tar.gz").write_bytes(packed)
    assert read(copy) == "4 files against the server's sums, 2 WAL files there"
    assert sorted(os.listdir(copy)) == ["16400.tar.gz", "backup_manifest", "base.tar.gz", "pg_wal.tar.gz"]


@pytest.mark.parametrize("name", ["base.tar", "pg_wal.tar", "16400.tar", "backup_manifest"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_part_that_is_cut_empty_or_gone_is_found(copy: Path, name: str, packed: bool) -> None:
    path = copy / name
    if packed and name != "backup_manifest":
        data = gzip.compress(path.read_bytes())
        path.unlink()
        path = copy / (name + ".gz")
    else:
        data = path.read_bytes()
    for length in (0, 1, 100, 600, len(data) * 6 // 10):
        path.write_bytes(data[:length])
        with pytest.raises(Broken):
            read(copy)
    path.unlink()
    with pytest.raises(Broken):
        read(copy)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_in_what_the_server_sent_is_found(
    tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    base = tmp_path_factory.getbasetemp() / "flipped"
    base.mkdir(exist_ok=True)
    files = {**DATA}
    name = "base/1/1249"
    number = int(place * len(files[name]))
    changed = bytearray(files[name])
    changed[number] ^= 1 << bit
    (base / "backup_manifest").write_bytes(own_manifest(DATA, RANGES))
    (base / "base.tar").write_bytes(tarball({**files, name: bytes(changed)}))
    (base / "pg_wal.tar").write_bytes(tarball(WAL))
    with pytest.raises(Broken, match="base/1/1249 was changed"):
        read(base)


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"PG_VERSION": b"15\n"}, "global/pg_control and 1 more of 4 files are missing"),
        ({**DATA, "base/1/9": b"x"}, "base/1/9 is in the copy, and not in backup_manifest"),
        ({**DATA, "PG_VERSION": b"15"}, "PG_VERSION has 2 bytes, and 3 in backup_manifest"),
        ({**DATA, "PG_VERSION": b"16\n"}, "PG_VERSION was changed"),
    ],
)
def test_a_copy_of_other_files_is_told(copy: Path, files: dict[str, bytes], text: str) -> None:
    (copy / "base.tar").write_bytes(tarball(files))
    with pytest.raises(Broken, match=text):
        read(copy)


@pytest.mark.parametrize(
    ("wal", "text"),
    [
        ({}, "there is no WAL in it"),
        ({"000000010000000000000004": bytes(SEGMENT)}, "000000010000000000000005 is missing or cut"),
        ({**WAL, "000000010000000000000005": bytes(99)}, "000000010000000000000005 is missing or cut"),
        ({"../../outside": bytes(SEGMENT)}, "there is no WAL in it"),
    ],
)
def test_wal_that_is_not_there_is_told(copy: Path, wal: dict[str, bytes], text: str) -> None:
    (copy / "pg_wal.tar").write_bytes(tarball(wal))
    with pytest.raises(Broken, match=text):
        read(copy)
    assert not (copy.parent / "outside").exists()


def test_a_plain_copy_is_read_without_pg_verifybackup(copy: Path) -> None:
    for name in ("base.tar", "16400.tar", "pg_wal.tar"):
        (copy / name).unlink()
    for name, data in {**DATA, **{f"pg_wal/{name}": data for name, data in WAL.items()}}.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(data)
    (copy / "backup_manifest").write_bytes(own_manifest(DATA, RANGES))
    assert read(copy) == "3 files against the server's sums, 2 WAL files there"
    (copy / "global" / "pg_control").write_bytes(bytes(8191) + b"x")
    with pytest.raises(Broken, match="global/pg_control was changed"):
        read(copy)


def test_a_manifest_that_breaks_off_or_was_changed_is_none(tmp_path: Path) -> None:
    path = tmp_path / "backup_manifest"
    whole = own_manifest(DATA, RANGES)
    path.write_bytes(whole)
    assert postgres_base.read_manifest(str(path)).ranges == RANGES
    for length in range(len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(Broken):
            postgres_base.read_manifest(str(path))
    path.write_bytes(whole.replace(b"8192", b"8193"))
    with pytest.raises(Broken, match="was changed"):
        postgres_base.read_manifest(str(path))


@given(data=st.binary(max_size=200) | st.sampled_from([b"[]", b"{}", b"null", b'{"Files": 1}']))
def test_nonsense_is_no_manifest(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "own_manifest"
    path.write_bytes(data)
    with pytest.raises(Broken):
        postgres_base.read_manifest(str(path))


@pytest.mark.parametrize(
    ("ranges", "size", "names"),
    [
        ([(1, "0/4000028", "0/4000138")], 16 << 20, ["000000010000000000000004"]),
        ([(1, "0/4000028", "0/5000000")], 16 << 20, ["000000010000000000000004"]),
        ([(2, "1/FF000028", "2/10")], 16 << 20, ["0000000200000001000000FF", "000000020000000200000000"]),
        (
            [(1, "0/1000028", "0/2000000"), (2, "0/2000000", "0/2000100")],
            16 << 20,
            ["000000010000000000000001", "000000020000000000000002"],
        ),
        ([(1, "0/4000028", "0/4000138")], 64 << 20, ["000000010000000000000001"]),
    ],
)
def test_the_wal_of_a_copy_is_known_by_its_names(ranges: list[Any], size: int, names: list[str]) -> None:
    assert postgres_base.segments(ranges, size) == names
