# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and stop the lab's daemons, and know again what was started."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import shlex
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from . import cgroup, state

STARTED = "--- started by the lab:"
# seconds for a daemon that runs already to answer; one that needs longer is started afresh
RUNNING_PATIENCE = 10.0


class ProcessError(Exception):
    """A daemon did not do what was asked; the message says which, and ends with the tail of its log."""


def start_time(pid: int) -> int | None:
    """Start time of a living process in clock ticks since boot; None when it is gone or a zombie."""
    try:
        fields = Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _suspended(pid: int) -> bool:
    try:
        return Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0] in "Tt"
    except OSError:
        return False


class Daemon:
    """One daemon: what to run, where, and the record of what runs (`run/<name>.json` of the lab's folder)."""

    def __init__(self, lab_dir: Path, prefix: str, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        self.lab_dir = lab_dir
        self.record_path = lab_dir / "run" / ("%s.json" % self.name)
        self.log = Path(spec.get("log") or lab_dir / "log" / ("%s.log" % self.name))
        self.group = "%s/%s" % (prefix, spec.get("cgroup") or self.name)

    def digest(self) -> str:
        """Changes when the command, its surroundings or one of its configuration files does."""
        parts = {key: self.spec.get(key) for key in ("argv", "env", "netns", "cgroup", "cwd", "user")}
        total = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
        for path in self.spec.get("config") or []:
            total.update(Path(path).read_bytes())
        return total.hexdigest()

    def running(self) -> dict[str, Any] | None:
        """The record when the process that it names still runs, else None."""
        record = state.read(self.record_path)
        pid = record.get("pid")
        return record if pid and record.get("start") == start_time(pid) else None

    def ensure_started(self, restart: bool = False, check: bool = False) -> bool:
        """Bring it up with the wanted command. Returns whether something was done (or would be, when check)."""
        record = self.running()
        same = record is not None and record.get("digest") == self.digest()
        if same and not restart:
            if check:
                return False
            try:
                self.wait_ready(int(record["pid"]) if record else 0, patience=RUNNING_PATIENCE)
                return False
            except ProcessError:
                pass  # alive and deaf (stopped, wedged): only a fresh one helps
        if check:
            return True
        self.ensure_stopped()
        self.wait_ready(self._spawn())
        return True

    def ensure_stopped(self, check: bool = False) -> bool:
        """End what was started under this name, with its children. Returns whether there was something."""
        record = self.running()
        left = cgroup.pids(self.group)
        if check:
            return bool(record or left)
        if record:
            pid = int(record["pid"])
            number = getattr(signal, str(record.get("stop_signal") or "SIGTERM"))
            self._send(pid, number)
            self._send(pid, signal.SIGCONT)
            deadline = time.monotonic() + float(self.spec.get("stop_timeout") or 10)
            while start_time(pid) == record["start"] and time.monotonic() < deadline:
                time.sleep(0.05)
            if start_time(pid) == record["start"]:
                self._send(pid, signal.SIGKILL)
        if cgroup.pids(self.group):
            cgroup.kill(self.group, grace=1.0)
        cgroup.remove(self.group)
        existed = self.record_path.exists()
        if existed:
            self.record_path.unlink()
        return bool(record or left or existed)

    def _spawn(self) -> int:
        spec = self.spec
        for folder in (self.record_path.parent, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        command: list[str] = []
        if spec.get("netns"):
            # not `ip netns exec`: that mounts a fresh /sys, without the control groups
            command += ["nsenter", "--net=/run/netns/%s" % spec["netns"], "--"]
        if spec.get("user"):
            user = pwd.getpwnam(spec["user"])
            command += ["setpriv", "--reuid=%d" % user.pw_uid, "--regid=%d" % user.pw_gid, "--init-groups", "--"]
        command += [str(part) for part in spec["argv"]]
        env = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG", "TZ")}
        env.setdefault("LANG", "C.UTF-8")
        if spec.get("user"):
            env["HOME"] = pwd.getpwnam(spec["user"]).pw_dir
        env.update({key: str(value) for key, value in (spec.get("env") or {}).items()})

        def enter_group() -> None:
            os.umask(0o022)
            cgroup.join(self.group, os.getpid())

        with open(self.log, "ab") as out:
            out.write(("%s %s\n" % (STARTED, shlex.join(command))).encode())
            out.flush()
            process = subprocess.Popen(  # the lab's own daemon; it outlives this module
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=spec.get("cwd") or "/",
                env=env,
                start_new_session=True,
                preexec_fn=enter_group,  # noqa: PLW1509 (a module has one thread)
            )
        record = {
            "name": self.name,
            "pid": process.pid,
            "start": start_time(process.pid),
            "digest": self.digest(),
            "argv": [str(part) for part in spec["argv"]],
            "netns": spec.get("netns"),
            "cgroup": self.group,
            "log": str(self.log),
            "stop_signal": spec.get("stop_signal") or "SIGTERM",
        }
        state.write(self.record_path, record)
        self._child: subprocess.Popen[bytes] | None = process
        return process.pid

    def wait_ready(self, pid: int, patience: float | None = None) -> None:
        """Wait until the daemon does its work, for patience (seconds) or its own timeout.

        Raises ProcessError when it ends before, is suspended, or takes too long.
        """
        ready = {key: value for key, value in (self.spec.get("ready") or {}).items() if value}
        timeout = float(self.spec.get("timeout") or 30)
        if patience is not None:
            timeout = min(timeout, patience)
        deadline = time.monotonic() + timeout
        pause = 0.05
        last = "not asked yet"
        while True:
            child = getattr(self, "_child", None)
            if child is not None:
                child.poll()  # takes the zombie away
            if start_time(pid) is None:
                raise ProcessError(
                    "%s ended while it was starting; last lines of %s:\n%s" % (self.name, self.log, self.tail())
                )
            if patience is not None and _suspended(pid):
                raise ProcessError("%s is suspended" % self.name)
            last = _probe(ready, self.spec.get("netns"))
            if not last:
                return
            if time.monotonic() > deadline:
                raise ProcessError(
                    "%s is not ready after %.0f s (%s); last lines of %s:\n%s"
                    % (self.name, timeout, last, self.log, self.tail())
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    def tail(self, lines: int = 12) -> str:
        """The last lines of its log."""
        try:
            with open(self.log, "rb") as handle:
                handle.seek(max(0, self.log.stat().st_size - 8192))
                text = handle.read().decode(errors="replace").rpartition(STARTED)[2].partition("\n")[2]
                return "\n".join(text.splitlines()[-lines:])
        except OSError:
            return "(no log)"

    @staticmethod
    def _send(pid: int, number: int) -> None:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def _probe(ready: dict[str, Any], netns: str | None) -> str:
    """Empty when all conditions hold, else what does not."""
    if ready.get("file") and not os.path.exists(ready["file"]):
        return "no file %s" % ready["file"]
    if ready.get("tcp"):
        host, _colon, port = str(ready["tcp"]).rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
        except OSError as error:
            return "%s: %s" % (ready["tcp"], error)
    if ready.get("http"):
        context = ssl._create_unverified_context()  # asks whether it is up, not who it is
        try:
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
            )
            opener.open(str(ready["http"]), timeout=3).close()
        except (OSError, urllib.error.URLError, ValueError) as error:
            return "%s: %s" % (ready["http"], error)
    if ready.get("command"):
        command = [str(part) for part in ready["command"]]
        if netns:
            command = ["nsenter", "--net=/run/netns/%s" % netns, "--", *command]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=15, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if done.returncode != 0:
            return "%s: %s" % (
                shlex.join(command),
                (done.stderr or done.stdout).decode(errors="replace").strip()[-300:],
            )
    return ""
