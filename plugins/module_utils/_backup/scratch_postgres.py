# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server for a moment: nobody else reaches it, it reaches nobody, and nothing of it stays.

It listens on a socket in a folder that only its account may enter. Preloaded libraries, archiving and replication are
off: a copy of a server must not archive over the original's WAL or take changes out of its slots.

A run that is killed takes its server with it (the kernel tells the server); its folder is removed by the next run,
which knows by a lock that nobody uses it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .._core.errors import OpsError
from . import psql, stream
from .postgres_tools import Login

PREFIX = "nexuscos-scratch-"
FOLDER = "/var/tmp"  # noqa: S108
PORT = 5432
_OWNER = ".owner"
_ACCOUNTS = ("postgres", "nobody")
# A socket's path has 107 bytes at most: "/s/.s.PGSQL.5432" and our own folder's name take 45 of them.
_LONGEST = 60
_UNCLAIMED_S = 3600.0
_START_S = 60.0
_PROGRAMS = ("initdb", "psql", "pg_restore", "pg_isready")
_ASK_EVERY = 0.05
_NOT_THE_DATA = re.compile(
    r"(?i)no space left|cannot allocate|shared memory|locale|collation|ICU|could not bind|permission denied"
)
_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


class ScratchError(OpsError):
    """There can be no scratch server here; the text says why. It says nothing about the backup."""


class NotStarted(ScratchError):
    """The server was started and gave up, for what it found in its data."""


class Ended(BaseException):
    """A signal asks the process to end: what was begun is taken back first."""


class Scratch:
    """A folder of our own, and the programs of one version of PostgreSQL.

    :ivar folder: its path; bin_dir: the programs; version: their major version.
    """

    def __init__(self, folder: str, bin_dir: str, version: int) -> None:
        self.folder, self.bin_dir, self.version = folder, bin_dir, version
        self.data, self.socket = os.path.join(folder, "data"), os.path.join(folder, "s")
        self._account = account()

    def initialise(self) -> None:
        """An empty cluster.

        :raises ScratchError: initdb fails.
        """
        self._run(
            "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync",
            "--no-instructions",
        )  # fmt: skip

    def give(self, path: str) -> None:
        """Let the server's account own a tree."""
        if self._account is None:
            return
        for inside, folders, names in os.walk(path):
            for name in [inside, *(os.path.join(inside, one) for one in folders + names)]:
                os.chown(name, self._account.pw_uid, self._account.pw_gid, follow_symlinks=False)

    @contextlib.contextmanager
    def running(
        self, settings: Mapping[str, Any], user: str = "postgres", seconds: float = _START_S
    ) -> Iterator[psql.Server]:
        """The server while the block runs. It is ended at once afterwards: what is in it is nobody's.

        :param settings: more of them; seconds: that it may take until it accepts connections.
        :raises ScratchError: it does not start; with the last lines of its log.
        """
        argv = [os.path.join(self.bin_dir, "postgres"), "-D", self.data, *self._arguments(settings)]
        with open(os.path.join(self.folder, "log"), "ab") as errors:
            process = self._start(argv, errors)
        try:
            # An empty password, and not none: nobody's password file is asked.
            login = Login(
                host=self.socket, port=PORT, user=user, password="", tls={"sslmode": "disable"}, connect_timeout=10,
                bin_dir=self.bin_dir,
            )  # fmt: skip
            server = psql.Server(login, self.version)
            self._await(process, server, seconds)
            yield server
        finally:
            _stop(process)

    def give_one(self, path: str) -> None:
        """Let the server's account own a file or folder."""
        if self._account is not None:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    @property
    def owner(self) -> str | None:
        """The account whose the server is, where that is another one than who runs this."""
        return self._account.pw_name if self._account else None

    def shut_down(self, seconds: float = _START_S) -> None:
        """End the server so that its data are whole and at rest.

        :raises ScratchError: it does not end.
        """
        self._run("pg_ctl", "-D", self.data, "-m", "fast", "-w", "-t", str(int(seconds) + 1), "stop", seconds=seconds)

    def log(self, lines: int = 5) -> str:
        """The last lines that the server has said."""
        with contextlib.suppress(OSError), open(os.path.join(self.folder, "log"), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - (1 << 16)))
            return "; ".join(file.read().decode(errors="replace").splitlines()[-lines:])
        return ""

    def superuser(self, settings: Mapping[str, Any], seconds: float = _START_S) -> str:
        """The first role of a copy of a server, which no server runs on: asked without logging in.

        :raises ScratchError: it does not say.
        """
        said = self._run(
            "postgres", "--single", "-D", self.data, *self._arguments(settings), "template1",
            text=b"SELECT rolname FROM pg_authid WHERE oid = 10\n", seconds=seconds,
        )  # fmt: skip
        found = re.search(r'1: rolname = "(.*)"\t', said)
        if not found:
            raise ScratchError(f"the copy does not say who its first role is: {said[-200:]!r}")
        return found.group(1)

    def _arguments(self, settings: Mapping[str, Any]) -> list[str]:
        """Settings as words; the files that they name, and the folder of the socket, are there."""
        os.makedirs(self.socket, mode=0o700, exist_ok=True)
        files = {name: os.path.join(self.folder, name) for name in ("config_file", "hba_file", "ident_file")}
        for name, path in files.items():
            with open(path, "w", encoding="utf-8") as file:
                file.write("local all all trust\n" if name == "hba_file" else "")
            self.give_one(path)
        self.give_one(self.socket)
        own = {**files, "unix_socket_directories": self.socket, "port": PORT}
        return [part for key, value in {**_SETTINGS, **own, **settings}.items() for part in ("-c", f"{key}={value}")]

    def _start(self, argv: list[str], errors: Any) -> subprocess.Popen[bytes]:
        parent = os.getpid()

        def tie() -> None:
            # Whoever is killed cannot end the server. SIGQUIT is its immediate end.
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGQUIT)

        try:
            return subprocess.Popen(  # noqa: S603  # pylint: disable=ansible-bad-function
                argv, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, cwd=self.folder, start_new_session=True,
                env={**os.environ, "LC_ALL": "C"}, preexec_fn=tie, **self._as_account(),  # noqa: PLW1509
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise ScratchError(f"{argv[0]} cannot be started: {error}") from error

    def _await(self, process: subprocess.Popen[bytes], server: psql.Server, seconds: float) -> None:
        until, ready = time.monotonic() + seconds, server.tool("pg_isready")
        while True:
            if process.poll() is not None:
                said = self.log(12)
                kind = ScratchError if _NOT_THE_DATA.search(said) else NotStarted
                raise kind(f"the scratch server ended with status {process.returncode}: {self.log()}")
            done = subprocess.run(  # noqa: S603  # pylint: disable=ansible-bad-function
                [ready, "-q", "-t", "3"],
                env={**os.environ, **server.environment},
                stdin=subprocess.DEVNULL,
                check=False,
            )
            if done.returncode == 0:
                return
            if time.monotonic() > until:
                raise ScratchError(f"the scratch server takes no connections within {seconds:.0f} s: {self.log()}")
            time.sleep(_ASK_EVERY)

    def _run(self, name: str, *arguments: str, text: bytes = b"", seconds: float = _START_S) -> str:
        done: subprocess.CompletedProcess[bytes]
        try:
            done = subprocess.run(  # noqa: S603  # pylint: disable=ansible-bad-function
                [os.path.join(self.bin_dir, name), *arguments], input=text, capture_output=True, cwd=self.folder,
                env={**os.environ, "LC_ALL": "C"}, check=False, timeout=seconds, **self._as_account(),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ScratchError(f"{name} was not done within {seconds:.0f} s") from None
        except (OSError, subprocess.SubprocessError) as error:
            raise ScratchError(f"{name} cannot be started: {error}") from error
        if done.returncode:
            raise ScratchError(
                stream.said(name, done.returncode, done.stderr.decode(errors="replace").splitlines())
                + f". The account {self._account.pw_name if self._account else 'that runs this'} has to reach "
                + f"{os.path.dirname(self.folder)}; scratch_dir names another folder"
            )
        return done.stdout.decode(errors="replace")

    def _as_account(self) -> dict[str, Any]:
        found = self._account
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []} if found else {}


_SETTINGS: dict[str, Any] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "archive_mode": "off",
    "archive_command": "",
    "restore_command": "",
    "primary_conninfo": "",
    "shared_preload_libraries": "",
    "session_preload_libraries": "",
    "local_preload_libraries": "",
    "max_logical_replication_workers": 0,
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "maintenance_work_mem": "256MB",
    "max_locks_per_transaction": 1024,
    "statement_timeout": 0,
    "logging_collector": "off",
    "log_destination": "stderr",
    "lc_messages": "C",
    "ssl": "off",
    "external_pid_file": "",
}
LOGICAL: dict[str, Any] = {"wal_level": "minimal", "max_wal_senders": 0}
"""Settings of a server that dumps are restored into: data that come with their table are not logged."""


@contextlib.contextmanager
def workspace(bin_dir: str, version: int | None, exact: bool = False, parent: str = "") -> Iterator[Scratch]:
    """A scratch folder that is gone afterwards, and the right programs for a backup.

    :param version: major version of the server that the backup is of, None where nobody knows.
    :param exact: only programs of that version will do (a physical copy); else a newer one may read it.
    :raises ScratchError: no programs of such a version are there, or no folder can be made.
    """
    found, number = programs(bin_dir, version, exact)
    parent = parent or FOLDER
    if len(os.path.abspath(parent)) > _LONGEST:
        raise ScratchError(f"scratch_dir: {parent} is too long for the path of a socket; want {_LONGEST} bytes at most")
    clean(parent)
    with ends_cleanly(), _nothing_of_ours():
        handle, folder = _claim(parent)
        try:
            scratch = Scratch(folder, found, number)
            scratch.give_one(folder)
            yield scratch
        finally:
            _remove(folder)
            os.close(handle)


@contextlib.contextmanager
def started(bin_dir: str, version: int | None, parent: str = "") -> Iterator[psql.Server]:
    """An empty scratch server, for dumps."""
    with workspace(bin_dir, version, parent=parent) as scratch:
        scratch.initialise()
        with scratch.running(LOGICAL) as server:
            yield server


def programs(bin_dir: str, version: int | None, exact: bool = False) -> tuple[str, int]:
    """The folder of the server's programs for a version, and their own major version.

    :raises ScratchError: there are none.
    """
    found = {}
    for folder in psql.folders(bin_dir):
        number = psql.installed(folder)
        # A link to one program in the PATH is not the folder of all of them.
        if number and number not in found and all(psql.installed(folder, name) == number for name in _PROGRAMS):
            found[number] = folder
    if version is None and found and not exact:
        return found[max(found)], max(found)
    fit = [number for number in sorted(found) if version and (number == version or (number > version and not exact))]
    if fit:
        return found[fit[0]], fit[0]
    there = ", ".join(str(number) for number in sorted(found)) or "none"
    wanted = f"{version}" if exact else f"{version or 'any version'}{' or newer' if version else ''}"
    raise ScratchError(
        f"a scratch server wants the programs of PostgreSQL {wanted}, and {there} is here: install "
        f"{'postgresql-%d' % version if version else 'postgresql'}, or set bin_dir"
    )


def account() -> pwd.struct_passwd | None:
    """Whose processes a server has to be, where we are root: PostgreSQL refuses to run as root.

    :raises ScratchError: there is no such account.
    """
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ScratchError(f"a scratch server wants an account other than root: there is none of {', '.join(_ACCOUNTS)}")


def clean(parent: str) -> list[str]:
    """Remove what runs that were killed have left below a folder; returns what it was."""
    gone = []
    try:
        names = sorted(os.listdir(parent))
    except OSError as error:
        raise ScratchError(f"scratch_dir: {parent}: {error.strerror}") from error
    for name in names:
        folder = os.path.join(parent, name)
        if name.startswith(PREFIX) and not os.path.islink(folder) and _nobody_uses(folder):
            _end_server(folder)
            _remove(folder)
            gone.append(folder)
    return gone


@contextlib.contextmanager
def ends_cleanly(done: str = "the scratch server and its files have been removed") -> Iterator[None]:
    """Let a signal that ends the process be an exception, so that what was begun is taken back first.

    :param done: what has been taken back, for the error.
    """

    def end(number: int, _frame: object) -> None:
        # Once: what cleans up must not be broken off by an operator who asks twice.
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        raise Ended(f"ended by {signal.Signals(number).name}")

    before: dict[int, Any] = {}
    # Not in the main thread, whoever runs this there looks after signals.
    with contextlib.suppress(ValueError):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            before[number] = signal.signal(number, end)
    try:
        yield
    except Ended as error:
        raise OpsError(f"{error}: {done}") from None
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _claim(parent: str) -> tuple[int, str]:
    try:
        folder = tempfile.mkdtemp(prefix=PREFIX, dir=parent)
        handle = os.open(os.path.join(folder, _OWNER), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        raise ScratchError(f"scratch_dir: {parent}: {error.strerror}") from error
    return handle, folder


def _nobody_uses(folder: str) -> bool:
    try:
        handle = os.open(os.path.join(folder, _OWNER), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        # Perhaps another run is making it this very moment.
        with contextlib.suppress(OSError):
            return time.time() - os.lstat(folder).st_mtime > _UNCLAIMED_S
        return False
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(handle)


def _end_server(folder: str) -> None:
    """End a server whose data lie there. Whether a number is its process is told by the kernel, not by the file."""
    data = os.path.join(folder, "data")
    try:
        with open(os.path.join(data, "postmaster.pid"), encoding="utf-8") as file:
            number = int(file.readline())
    except (OSError, ValueError):
        return
    for how in (signal.SIGQUIT, signal.SIGKILL):
        until = time.monotonic() + 10
        with contextlib.suppress(OSError):
            while os.path.realpath(os.readlink(f"/proc/{number}/cwd")) == os.path.realpath(data):
                os.kill(number, how)
                time.sleep(_ASK_EVERY)
                if time.monotonic() > until:
                    break


def _remove(folder: str) -> None:
    for _attempt in range(50):  # a server that is being ended still makes files, and on a busy machine for a while
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):
            return
        time.sleep(0.2)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)


@contextlib.contextmanager
def _nothing_of_ours() -> Iterator[None]:
    """PGHOSTADDR and its like would lead programs to another server than the one that is meant."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PG")}
    try:
        yield
    finally:
        os.environ.update(kept)
