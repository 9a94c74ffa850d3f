# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other places of a test's own: an S3 server, an SFTP server, a folder; and a way there that can be cut at a byte.

It shares no code with the plugins.
"""

from __future__ import annotations

import contextlib
import getpass
import importlib.util
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scratch import free_port

ROOT = Path(__file__).resolve().parents[3]
KEY, SECRET = "NEXUSLABKEY", "s3cret-of-the-bucket"
PASSWORD = "geheim-of-the-other-place"
_LIMIT = 120.0


@dataclass
class Server:
    """A server on 127.0.0.1.

    :ivar data: what it keeps; argv: how it is started.
    """

    folder: Path
    data: Path
    port: int
    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                # It ends with whoever runs the test, also when that is killed.
                ["setpriv", "--pdeathsig", "KILL", *self.argv], env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + _LIMIT
        while time.monotonic() < until:
            assert self.process.poll() is None, (self.folder / "log").read_text(errors="replace")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text(errors="replace"))

    def kill(self) -> None:
        """As when its machine is gone: with kill -9, and all that it has started."""
        if self.process is None:
            return
        process, self.process = self.process, None
        for pid in family(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def bytes(self) -> int:
        """What it keeps."""
        return sum(path.stat().st_size for path in self.data.rglob("*") if path.is_file())


def family(pid: int) -> list[int]:
    """A process and all that it has started."""
    found = [pid]
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += family(int(child))
    return found


@contextlib.contextmanager
def s3(folder: Path, data: Path | None = None) -> Iterator[Server]:
    """An S3 server; `data` is a folder that is there."""
    found = importlib.util.spec_from_file_location("s3_build", ROOT / "tests" / "lab" / "s3" / "build.py")
    assert found is not None
    assert found.loader is not None
    build = importlib.util.module_from_spec(found)
    found.loader.exec_module(build)
    folder.mkdir()
    data = data or folder / "data"
    data.mkdir(exist_ok=True)
    (folder / "meta").mkdir()
    port = free_port()
    argv = [str(build.server()), "--port", f"127.0.0.1:{port}", "posix", "--sidecar", str(folder / "meta"), str(data)]
    server = Server(folder, data, port, argv, {"ROOT_ACCESS_KEY_ID": KEY, "ROOT_SECRET_ACCESS_KEY": SECRET})
    yield from _running(server)


@contextlib.contextmanager
def sftp(folder: Path, data: Path | None = None) -> Iterator[Server]:
    """An OpenSSH server with keys of its own, for the account that runs the test."""
    folder.mkdir()
    data = data or folder / "data"
    data.mkdir(exist_ok=True)
    port = free_port()
    for name in ("host", "user", "other"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)], check=True
        )
    (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())
    for name in ("127.0.0.1", "[127.0.0.1]"):
        with (folder / "known").open("a") as known:
            known.write(f"{name}{'' if name[0] != '[' else ':*'} {(folder / 'host.pub').read_text()}")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        "MaxStartups 100\nSubsystem sftp internal-sftp\n"
    )
    yield from _running(Server(folder, data, port, ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config")]))


def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.kill()


@dataclass
class Place:
    """Where sets are copied to, and the options of the module that lead there.

    :ivar bare: where the files can be looked at without any engine.
    """

    given: dict[str, Any]
    bare: Path
    server: Server | None = None

    def also(self, **more: Any) -> dict[str, Any]:
        """The options, with others."""
        return {**self.given, **more}


def place_of(engine: str, kind: str, server: Server | None, folder: Path, port: int | None = None) -> Place:
    """The options for an engine and a kind of place; `port` leads to the server by another way."""
    if kind == "folder" or server is None:
        given: dict[str, Any] = {"repository": str(folder)}
        bare = folder
    elif kind == "s3":
        given, bare = _to_s3(engine, port or server.port), server.data / "sets"
    else:
        given, bare = _to_sftp(engine, server, port or server.port), server.data / "sets"
    given["engine"] = engine
    if engine == "restic":
        given["password"] = PASSWORD
    return Place(given, bare, server)


def _to_s3(engine: str, port: int) -> dict[str, Any]:
    if engine == "restic":
        return {
            "repository": f"s3:http://127.0.0.1:{port}/sets",
            "environment": {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET},
        }
    remote = {
        "type": "s3", "provider": "Other", "endpoint": f"http://127.0.0.1:{port}", "access_key_id": KEY,
        "secret_access_key": SECRET, "region": "us-east-1",
    }  # fmt: skip
    return {"repository": "far:sets", "environment": rclone_environment("far", remote)}


def _to_sftp(engine: str, server: Server, port: int) -> dict[str, Any]:
    user, keys = getpass.getuser(), server.folder
    if engine == "restic":
        ssh = (
            f"ssh -F /dev/null -p {port} -i {keys}/user -o IdentitiesOnly=yes -o BatchMode=yes "
            f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={keys}/known {user}@127.0.0.1 -s sftp"
        )
        return {"repository": f"sftp:{user}@127.0.0.1:{server.data}/sets", "options": {"sftp.command": ssh}}
    remote = {"type": "sftp", "host": "127.0.0.1", "port": str(port), "user": user, "key_file": f"{keys}/user"}
    return {"repository": f"far:{server.data}/sets", "environment": rclone_environment("far", remote)}


def rclone_environment(name: str, remote: dict[str, str]) -> dict[str, str]:
    """A remote of rclone, described by environment."""
    described = {f"RCLONE_CONFIG_{name.upper()}_{key.upper()}": value for key, value in remote.items()}
    return {"RCLONE_CONFIG": os.devnull, **described}


class Way:
    """A way to a server that ends for ever when so many bytes have gone there.

    :param then: is called at that byte, once.
    """

    def __init__(self, port: int, limit: int, then: Callable[[], None]) -> None:
        self._to, self._limit, self._then = port, limit, then
        self._count, self._cut = 0, threading.Lock()
        self.is_cut = threading.Event()
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """End it."""
        self._ended.set()
        for thread in list(self._threads):
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            if not select.select([self._listener], [], [], 0.1)[0]:
                continue
            near, _address = self._listener.accept()
            if self.is_cut.is_set():
                near.close()
                continue
            thread = threading.Thread(target=self._forward, args=(near,))
            self._threads.append(thread)
            thread.start()

    def _forward(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._to)) as far:
            while not (self._ended.is_set() or self.is_cut.is_set()):
                for one in select.select([near, far], [], [], 0.1)[0]:
                    piece = one.recv(1 << 16)
                    if not piece:
                        return
                    (far if one is near else near).sendall(piece)
                    if one is near:
                        self._passed(len(piece))

    def _passed(self, count: int) -> None:
        with self._cut:
            self._count += count
            if self._count < self._limit or self.is_cut.is_set():
                return
            self.is_cut.set()
        self._then()


@contextlib.contextmanager
def way(port: int, limit: int, then: Callable[[], None]) -> Iterator[Way]:
    """A :class:`Way` that is closed at the end."""
    found = Way(port, limit, then)
    try:
        yield found
    finally:
        found.close()


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own, in memory."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "nexuscos-test", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
