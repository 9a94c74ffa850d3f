# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's own commands: which of them, how they log in, here or behind a command such as ``kubectl exec``."""

from __future__ import annotations

import glob
import os
import re
import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core.argspec import ArgSpec
from .._core.errors import OpsError, OptionError
from .._postgres.options import login_spec
from . import pod, stream

_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")
# What passes standard input on only when it is told to.
_NEEDS_I = {("kubectl", "exec"), ("docker", "exec"), ("podman", "exec"), ("oc", "exec"), ("nerdctl", "exec")}
_BY_INPUT = (
    'IFS= read -r PGPASSWORD || { echo "no standard input comes through command_prefix" >&2; exit 1; }; '
    'export PGPASSWORD; exec "$@"'
)
# What a stream that broke off has left over there would wait for ever for somebody who reads, with its locks and its
# snapshot. Its input ends in any case: then a shell that is its child tells it to end, if it is still its child. That
# shell dies of no signal: a container's first process, PostgreSQL, would take it for a crash of one of its own. Before,
# it sleeps, because containerd also ends the input as soon as the output has ended, when pg_dump is about to leave.
_WITH_INPUT = (
    "exec 3<&0 </dev/null; { while IFS= read -r line <&3; do :; done; sleep 10; read -r pid name state parent rest "
    '</proc/self/stat; [ "$parent" != $$ ] || kill $$; exit 0; } >/dev/null 2>&1 & exec 3<&-; exec "$@"'
)
_HINTS = (
    ("is it installed", "bin_dir, or kubectl of pod, says where else"),
    ("ssh: connect to host", "the host does not answer to ssh"),
    ("Permission denied (", "look at key and account of ssh"),
    ("pods/exec", "the account needs what playbooks/files/nexuscos-ops-pod-backup.yml gives"),
    ("cannot get resource", "the account needs what playbooks/files/nexuscos-ops-pod-backup.yml gives"),
    ("is not valid for pod", "look at container"),
    ("container not found", "look at container; is it running?"),
    ("executable file not found", "the container lacks what it takes: sh, env, sleep and PostgreSQL's commands"),
    ("env: ", "the command is not there, in the PATH: bin_dir says where else"),
    ("error: context", "look at context"),
    ("Error from server (NotFound)", "look at name and namespace of the pod"),
    ("Unable to connect to the server", "the API server does not answer: look at kubeconfig and context"),
    ("The connection to the server", "the API server does not answer: look at kubeconfig and context"),
    ("password authentication failed", "look at login_user and login_password"),
    ("no password supplied", "give login_password, or a password file"),
    ("Connection refused", "is the server running, and are login_host and login_port right?"),
    ("No such file or directory", "is the server running, and is its socket there?"),
    ("could not translate host name", "look at login_host"),
    ("does not exist", "look at login_db and login_user"),
    ("conflict with recovery", "the standby gave way to what it replays: set hot_standby_feedback there"),
    ("no pg_hba.conf entry for replication", "pg_hba.conf wants a line for replication: its database is replication"),
    ("permission denied", "the role needs to read all that it backs up, such as by GRANT pg_read_all_data"),
    ("row-level security", "the role needs BYPASSRLS, to see all rows"),
)  # fmt: skip


class WrongTool(OpsError):
    """A command of PostgreSQL is not there, or is of a version that does not fit; the text says which is needed."""


@dataclass(frozen=True)
class Login:
    """Where the server is and who we are there.

    :ivar tls: libpq's ``sslmode`` and so on, without those that are not set.
    :ivar bin_dir: folder of the commands; empty to look for those of the server's version.
    :ivar prefix: words before every command, such as ``[kubectl, exec, -i, -n, nexus-databases, postgres-0, --]``.
    :ivar pod: which pod they lead into, where it is one.
    """

    host: str | None = None
    port: int = 5432
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    database: str = "postgres"
    tls: Mapping[str, str] = field(default_factory=dict)
    connect_timeout: int = 5
    bin_dir: str = ""
    prefix: tuple[str, ...] = ()
    pod: Mapping[str, str] = field(default_factory=dict)

    def command(self, argv: Sequence[str], with_input: bool = False) -> list[str]:
        """The words to start a command by. Behind a prefix, the environment goes as words, but for the password.

        :param with_input: behind a prefix, it ends when its standard input does, and gets nothing of it.
        """
        if not self.prefix:
            return list(argv)
        words = ["env", *(f"{name}={value}" for name, value in sorted(self._open().items())), *argv]
        if with_input:
            words = ["sh", "-c", _WITH_INPUT, "sh", *words]
        if self.password is not None:
            # The password comes as the first line of standard input: it stands in no list of processes, on no side.
            words = ["sh", "-c", _BY_INPUT, "sh", *words]
        before = _passing_input(self.prefix)
        if os.path.basename(before[0]) == "ssh":
            return [*before, shlex.join(words)]  # ssh hands a line to a shell over there
        return [*before, *words]

    def environment(self) -> dict[str, str]:
        """What a command that runs here needs in its environment."""
        if self.prefix:
            return {}
        secret = {} if self.password is None else {"PGPASSWORD": self.password}
        return {**self._open(), **secret}

    def first_input(self) -> bytes:
        """What a command behind the prefix is told first."""
        return (self.password + "\n").encode() if self.prefix and self.password is not None else b""

    def tool(self, name: str, major: int = 0) -> str:
        """The command of a name, of the server's version where it can be found.

        :raises WrongTool: there is none.
        """
        if self.prefix:
            return os.path.join(self.bin_dir, name)
        if self.bin_dir:
            path = os.path.join(self.bin_dir, name)
            if not os.access(path, os.X_OK):
                raise WrongTool(f"bin_dir: there is no {name} in {self.bin_dir}")
            return path
        for folder in (f"/usr/lib/postgresql/{major}/bin", f"/usr/pgsql-{major}/bin"):
            if major and os.access(os.path.join(folder, name), os.X_OK):
                return os.path.join(folder, name)
        found = shutil.which(name) or max(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), default="", key=_number_in)
        if not found:
            package = f" of PostgreSQL {major}" if major else ""
            raise WrongTool(
                f"{name}{package} is not there: install the client commands"
                + (f" (postgresql-client-{major})" if major else "")
                + ", or let bin_dir lead to them"
            )
        return found

    def fitting(self, name: str, major: int, until: float, newer: bool = False, exact: bool = False) -> str:
        """A command that fits the server.

        :param major: version of the server; newer: whether a newer one may be taken without being asked for.
        :param exact: whether a newer one does not do, even where ``bin_dir`` leads to it.
        :raises WrongTool: it is older, or newer and ``bin_dir`` does not ask for it.
        """
        path = self.tool(name, major)
        try:
            said = stream.run(self.command([path, "--version"]), self.environment(), left(until), self.first_input())
        except stream.EngineError as error:
            raise explained(error) from None
        match = _VERSION.search(said)
        if not match:
            raise WrongTool(f"{path} --version says {said.strip()[:100]!r}, which is no version of PostgreSQL")
        found = int(match.group(1))
        if found == major or (found > major and not exact and (newer or self.bin_dir)):
            return path
        advice = f"install postgresql-client-{major}, or let bin_dir lead to the commands of PostgreSQL {major}"
        if self.prefix:
            advice = f"let bin_dir lead to the commands of PostgreSQL {major} there"
        if found < major:
            raise WrongTool(f"the server is PostgreSQL {major}, and {path} is {found}, which cannot read it: {advice}")
        raise WrongTool(
            f"the server is PostgreSQL {major}, and {path} is {found}, whose dumps such a server may not "
            f"take: {advice}. The newer one is taken where bin_dir leads to it"
        )

    def query(self, sql: str, until: float) -> str:
        """What psql answers, without alignment.

        :raises EngineError: no connection, or an error of the server.
        """
        argv = [self.tool("psql"), "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1"]
        try:
            return stream.run(
                self.command(argv), self.environment(), left(until), self.first_input() + sql.encode() + b"\n"
            )
        except stream.EngineError as error:
            raise explained(error) from None

    def _open(self) -> dict[str, str]:
        """libpq's variables, without the password."""
        found = {"LC_ALL": "C", "PGPORT": str(self.port), "PGDATABASE": self.database}
        found["PGCONNECT_TIMEOUT"] = str(self.connect_timeout)
        if self.host is not None:
            found["PGHOST"] = self.host
        if self.user is not None:
            found["PGUSER"] = self.user
        return {**found, **{"PG" + name.upper(): value for name, value in self.tls.items()}}


def postgres_spec() -> ArgSpec:
    """The options of doc fragment `postgres`, for those who log in by PostgreSQL's commands, and ``bin_dir``."""
    options = login_spec().options
    return ArgSpec({**options, "login_db": {"type": "str"}, "bin_dir": {"type": "path"}})


def login(params: Mapping[str, Any]) -> Login:
    """The login that a module's options ask for.

    :raises OptionError: a number makes no sense, or a pod has no such name.
    """
    if not 0 < params["login_port"] < 65536:
        raise OptionError("login_port: want 1 to 65535, got %d" % params["login_port"])
    if params["connect_timeout"] < 1:
        raise OptionError("connect_timeout: want 1 second or more, got %d" % params["connect_timeout"])
    if params["login_password"] is not None and any(one in params["login_password"] for one in "\n\r\0"):
        raise OptionError("login_password: a password has one line")
    tls = {
        # Who names an authority wants the server checked against it; libpq by itself would only try.
        "sslmode": params["ssl_mode"] or ("verify-full" if params["ca_cert"] else None),
        "sslrootcert": params["ca_cert"],
        "sslcert": params["ssl_cert"],
        "sslkey": params["ssl_key"],
    }
    return Login(
        host=params["login_host"],
        port=params["login_port"],
        user=params["login_user"],
        password=params["login_password"],
        database=params["login_db"] or "postgres",
        tls={name: value for name, value in tls.items() if value},
        connect_timeout=params["connect_timeout"],
        bin_dir=params["bin_dir"] or "",
        prefix=prefix_of(params),
        pod=pod.named(params["pod"]) if params.get("pod") else {},
    )


def prefix_of(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The words before each command, of ``pod`` or of ``command_prefix``; none where commands run here.

    :raises OptionError: both are given, or a pod has no such name.
    """
    words = tuple(params.get("command_prefix") or ())
    if not params.get("pod"):
        return words
    if words:
        raise OptionError("pod: it is a command_prefix of its own; give one of both")
    return pod.prefix(params["pod"])


def explained(error: stream.EngineError) -> stream.EngineError:
    """An engine's last words, and what to do where that is known."""
    text = str(error)
    return stream.EngineError(next((f"{text} ({hint})" for sign, hint in _HINTS if sign in text), text))


def left(until: float) -> float:
    """Seconds until a deadline, a little at least."""
    return max(until - time.monotonic(), 0.1)


def _passing_input(prefix: Sequence[str]) -> list[str]:
    words = list(prefix)
    name = (os.path.basename(words[0]), "exec")
    if name in _NEEDS_I and "exec" in words:
        end = words.index("--") if "--" in words else len(words)
        if not any(
            word in ("--stdin", "--interactive") or re.fullmatch(r"-[a-z]*i[a-z]*", word) for word in words[:end]
        ):
            words.insert(words.index("exec") + 1, "-i")
    return words


def _number_in(path: str) -> float:
    match = re.search(r"/(\d+(?:\.\d+)?)/bin/", path)
    return float(match.group(1)) if match else 0.0
