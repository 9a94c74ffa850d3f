# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talk to pgBackRest: what it has, what it does, and what its errors mean.

It reads its own configuration and logs in to the server by itself. Where this process is root it runs as the account
of the repository, so that nothing in there comes to belong to root: the server could not archive any more.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._core.errors import OpsError, OptionError
from .._core.redact import redact_text
from . import lock, stream
from .manifest import File
from .postgres_tools import left
from .run_backup import human

COMMAND = "pgbackrest"
OLDEST = (2, 41)
ACCOUNT = "postgres"
_STANZA = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_CODE = re.compile(r"ERROR: \[(\d{3})\]")
_LOCKED = re.compile(r"unable to acquire lock on file '([^']+)'")
_UNWRITTEN = re.compile(r"unable to (?:write|create|sync|close|open) (?:[a-z ]*)'(/[^']+)'(?! for read)")
_WAL = re.compile(r"([0-9A-F]{24})-[0-9a-f]{40}(?:\.\w+)?")
# pgBackRest's own number of an error, or words of it, and what to do. What it says itself stands before that.
_OTHER_SERVER = "the server is not the one that the stanza was made for: after an upgrade, pgbackrest … stanza-upgrade"
_HINTS = (
    ("No space left on device", "the disk of the repository, or of its locks and logs, is full: make room there"),
    ("[055]: unable to load info file", "the stanza is not in the repository: pgbackrest --stanza=… stanza-create"),
    ("[068]", "archive_command of the server has to be pgbackrest --stanza=… archive-push %p; reload the server then"),
    ("[087]", "archive_mode of the server has to be on, which needs a restart of it"),
    ("[082]", "the server's WAL does not come into the repository: look at its log, archive_command, pg_stat_archiver"),
    ("do not match stanza", _OTHER_SERVER),
    ("does not match", _OTHER_SERVER),
    ("unable to find primary cluster", "look at pg1-path, pg1-port and pg1-user in pgBackRest's configuration"),
    ("no password supplied", "give login_password, or the account a password file (~/.pgpass)"),
    ("password authentication failed", "look at pg1-user and login_password"),
    ("ermission denied", "pgbackrest_account has to be able to read its configuration and to write its repository"),
)


class Missing(OpsError):
    """The stanza, or what is asked for in it, is not in the repository."""


@dataclass(frozen=True)
class Where:
    """A stanza and the way to it.

    :ivar config: path of pgBackRest's configuration, empty for its own; repo: number of the repository.
    :ivar account: whose processes it has to be where we are root; password: of the role that it logs in as.
    """

    stanza: str
    config: str = ""
    repo: int = 1
    account: str = ACCOUNT
    password: str | None = field(default=None, repr=False)

    def check(self) -> None:
        """Refuse what cannot be.

        :raises OptionError: what.
        """
        if not _STANZA.fullmatch(self.stanza):
            raise OptionError(f"stanza: want letters, digits, '.', '_' and '-', got {self.stanza!r}")
        if not 1 <= self.repo <= 256:
            raise OptionError(f"pgbackrest_repo: want 1 to 256, got {self.repo}")
        if os.geteuid() == 0:
            self.person()

    def person(self) -> pwd.struct_passwd:
        """The account.

        :raises OptionError: there is none.
        """
        try:
            return pwd.getpwnam(self.account)
        except KeyError:
            raise OptionError(f"pgbackrest_account: there is no account {self.account!r} on this host") from None

    def words(self, command: str, *options: str, repo: bool = True) -> list[str]:
        """A command of pgBackRest without who runs it."""
        program = shutil.which(COMMAND) or COMMAND
        words = [program, f"--stanza={self.stanza}", *([f"--config={self.config}"] if self.config else [])]
        return [*words, *([f"--repo={self.repo}"] if repo else []), command, *options]

    def argv(self, command: str, *options: str, repo: bool = True, level: str = "warn") -> list[str]:
        """A command as it is started: nothing goes to the terminal, all that it says to standard error."""
        said = ("--log-level-console=off", f"--log-level-stderr={level}", "--no-log-timestamp")
        return [*self.as_account(), *self.words(command, *options, *said, repo=repo)]

    def environment(self) -> dict[str, str]:
        """What it needs beside its configuration."""
        there = {"LC_ALL": "C"}
        if self.password is not None:
            there["PGPASSWORD"] = self.password
        if os.geteuid() == 0:
            there["HOME"] = self.person().pw_dir
        return there

    def told(self) -> dict[str, Any]:
        """For a manifest: all but the password."""
        return {"stanza": self.stanza, "config": self.config or None, "repo": self.repo, "account": self.account}

    def as_account(self) -> list[str]:
        """Words before a command that let the account run it."""
        if os.geteuid() != 0 or self.account == "root":
            return []
        found = self.person()
        # Not by runuser: it would stand between us and pgBackRest with a session of its own.
        return ["setpriv", f"--reuid={found.pw_uid}", f"--regid={found.pw_gid}", "--init-groups", "--"]


@dataclass(frozen=True)
class Backup:
    """A backup in the repository, as ``pgbackrest info`` has it.

    :ivar label: its name; prior: the one that it builds on; needs: all that a restore of it reads besides.
    :ivar start, stop: seconds since 1970; wal_start, wal_stop: names of WAL files; lsn_start, lsn_stop: positions.
    :ivar size: of the server's files; repo_size: of what a restore reads; delta: of what this one has added.
    """

    label: str
    type: str
    prior: str | None
    needs: tuple[str, ...]
    start: int
    stop: int
    wal_start: str
    wal_stop: str
    lsn_start: str
    lsn_stop: str
    size: int
    repo_size: int
    delta: int
    error: bool
    database: int


@dataclass(frozen=True)
class Info:
    """What ``pgbackrest info`` says of a stanza.

    :ivar version: of the server, such as ``15``; identifier: of it; archive: name of its folder of WAL, ``15-1``.
    :ivar database: number of the server's generation, which goes up with each upgrade; raw: as it was told, by label.
    """

    version: str
    identifier: str
    archive: str
    wal_max: str | None
    database: int
    backups: tuple[Backup, ...]
    raw: Mapping[str, Mapping[str, Any]]

    def of(self, label: str) -> Backup:
        """A backup by its name.

        :raises Missing: it is not there any more.
        """
        for one in self.backups:
            if one.label == label:
                return one
        raise Missing(f"the repository has no backup {label}: pgBackRest has expired it, or somebody removed it")


@dataclass(frozen=True)
class Verified:
    """What ``pgbackrest verify`` has found.

    :ivar status: of each backup, ``valid`` where all is well; bad_wal: names of WAL files that are damaged.
    :ivar bad: paths of damaged or missing files; wal: how many WAL files were read; files: of each backup.
    """

    status: dict[str, str]
    files: dict[str, int]
    wal: int
    bad: tuple[str, ...]
    bad_wal: tuple[str, ...]


def version(where: Where, until: float) -> str:
    """pgBackRest's own version.

    :raises OpsError: it is not there, or too old.
    """
    said = _run(where, [*where.as_account(), shutil.which(COMMAND) or COMMAND, "version"], until)
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", said)
    if not match:
        raise OpsError(f"pgbackrest version says {said.strip()[:100]!r}, which is none")
    if (int(match.group(1)), int(match.group(2))) < OLDEST:
        raise OpsError(f"pgBackRest is {match.group()}: want {'.'.join(map(str, OLDEST))} or newer")
    return match.group()


def info(where: Where, until: float) -> Info:
    """What the repository has of a stanza.

    :raises Missing: there is no such stanza.
    :raises OpsError: it cannot be told.
    """
    said = _run(where, where.argv("info", "--output=json"), until)
    try:
        told = json.loads(said)
    except ValueError:
        raise OpsError(f"pgbackrest info says {said[:100]!r}, which is no JSON") from None
    return parse_info(told, where)


def everywhere(where: Where, until: float) -> dict[int, Info | str]:
    """What each repository of the stanza has, by number; a text where that cannot be told.

    :raises Missing: no repository has the stanza.
    :raises OpsError: it cannot be told of any.
    """
    said = _run(where, where.argv("info", "--output=json", repo=False), until)
    try:
        told = json.loads(said)
    except ValueError:
        raise OpsError(f"pgbackrest info says {said[:100]!r}, which is no JSON") from None
    return parse_everywhere(told, where)


def parse_everywhere(told: Any, where: Where) -> dict[int, Info | str]:
    """:func:`everywhere` of what was told."""
    try:
        known = [int(repo["key"]) for each in told if each["name"] == where.stanza for repo in each["repo"]]
    except (KeyError, TypeError, ValueError) as error:
        raise OpsError(f"pgbackrest info says what nobody understands: {error!r}") from error
    found: dict[int, Info | str] = {}
    for number in known:
        try:
            found[number] = parse_info(told, replace(where, repo=number))
        except Missing:
            continue
        except OpsError as error:
            found[number] = str(error)
    if not found:
        raise Missing(_no_stanza(where, "no stanza of that name"))
    return found


def parse_info(told: Any, where: Where) -> Info:
    """:func:`info` of what was told."""
    try:
        one = next((each for each in told if each["name"] == where.stanza), None)
        if one is None:
            raise Missing(_no_stanza(where, "no stanza of that name"))
        # Codes of pgBackRest: 1 and 3 are stanzas that are not there, 2 is one without a backup.
        states = [each["status"] for each in one["repo"] if each["key"] == where.repo] or [one["status"]]
        if states[0]["code"] in (1, 3):
            raise Missing(_no_stanza(where, states[0]["message"]))
        known = [each for each in one["db"] if each["repo-key"] == where.repo]
        if states[0]["code"] not in (0, 2) or not known:
            raise OpsError(f"pgbackrest info of stanza {where.stanza}: {states[0]['message']}")
        last = max(known, key=lambda each: int(each["id"]))
        archives = [
            each for each in one["archive"]
            if each["database"]["repo-key"] == where.repo and each["database"]["id"] == last["id"]
        ]  # fmt: skip
        mine = [each for each in one["backup"] if each["database"]["repo-key"] == where.repo]
        return Info(
            version=str(last["version"]),
            identifier=str(last["system-id"]),
            archive=str(archives[-1]["id"]) if archives else f"{last['version']}-{last['id']}",
            wal_max=archives[-1]["max"] if archives else None,
            database=int(last["id"]),
            backups=tuple(_backup(each) for each in mine),
            raw={str(each["label"]): each for each in mine},
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise OpsError(f"pgbackrest info says what nobody understands: {error!r}") from error


def archived(where: Where, archive: str, until: float) -> dict[str, float]:
    """The WAL files in the repository, by name, each with when it came there (seconds since 1970)."""
    said = _run(where, where.argv("repo-ls", "--output=json", "--recurse", f"archive/{where.stanza}/{archive}"), until)
    found: dict[str, float] = {}
    try:
        for path, one in json.loads(said or "{}").items():
            match = _WAL.fullmatch(os.path.basename(path))
            if match and one.get("type") == "file":
                found[match.group(1)] = float(one.get("time") or 0)
    except (ValueError, TypeError, AttributeError) as error:
        raise OpsError(f"pgbackrest repo-ls says what nobody understands: {error!r}") from error
    return found


def check(where: Where, seconds: float, until: float) -> None:
    """Let the server archive a WAL file, and see that it comes to the repository.

    :raises OpsError: it does not, or the configuration is wrong.
    """
    try:
        _run(where, where.argv("check", f"--archive-timeout={seconds:g}", repo=False), until)
    except OpsError as error:
        raise OpsError(f"the WAL archive does not work, and no backup is made without it: {error}") from None


def back_up(
    where: Where, kind: str, jobs: int, seconds: float, until: float, watch: Callable[[], None] | None = None
) -> tuple[str, list[str]]:
    """Make a backup; its label, and the warnings on the way.

    :raises lock.Busy: another process of pgBackRest is at work on the stanza; named.
    :raises OpsError: there is none.
    """
    lines: list[str] = []
    options = [f"--type={kind}", f"--process-max={jobs}", f"--archive-timeout={seconds:g}"]
    argv = where.argv("backup", *options, level="info")
    with explained(), tempfile.TemporaryDirectory(prefix="nexuscos-") as nowhere:
        stream.work(argv, nowhere, where.environment(), None, until, lines.append, watch=watch)
    labels = [match.group(1) for line in lines if (match := re.search(r"new backup label = (\S+)", line))]
    if not labels:
        raise OpsError("pgbackrest backup ended well and named no backup: none is counted")
    return labels[-1], [line.split("WARN:", 1)[1].strip() for line in lines if "WARN:" in line]


def fetch(where: Where, path: str, to: str, folder: str, until: float) -> File:
    """Copy a file out of the repository, decrypted; its sum."""
    with explained():
        return stream.save(where.argv("repo-get", path), to, folder, where.environment(), deadline=until)


def read_file(where: Where, path: str, until: float) -> str:
    """A text out of the repository."""
    return _run(where, where.argv("repo-get", path), until)


def verify(where: Where, jobs: int, until: float) -> Verified:
    """Read all of the stanza to its last byte.

    :raises OpsError: it could not be read.
    """
    lines: list[str] = []
    argv = where.argv("verify", "--output=text", "--verbose", f"--process-max={jobs}", level="info")
    try:
        with explained(), tempfile.TemporaryDirectory(prefix="nexuscos-") as nowhere:
            stream.work(argv, nowhere, where.environment(), None, until, lines.append)
    except stream.EngineError:
        # Later versions end with an error where something is damaged, having told what.
        if not any(re.search(r"backup: \S+, status:", line) for line in lines):
            raise
    return parse_verify(lines)


def parse_verify(lines: Sequence[str]) -> Verified:
    """:func:`verify` of what was said: the result is the same in all versions, its exit status is not."""
    status: dict[str, str] = {}
    files: dict[str, int] = {}
    bad: list[str] = []
    bad_wal: list[str] = []
    wal = 0
    for line in lines:
        if match := re.search(r"backup: (\S+), status: ([\w-]+)(?:.*total files checked: (\d+))?", line):
            status[match.group(1)] = match.group(2)
            files[match.group(1)] = int(match.group(3) or 0)
        elif match := re.search(r"total WAL checked: (\d+)", line):
            wal = int(match.group(1))
        elif match := re.search(r"(?:invalid|missing|unable to) \w+ '?([^\s':]+)'?", line):
            path = match.group(1)
            found = _WAL.fullmatch(os.path.basename(path))
            (bad_wal if found else bad).append(found.group(1) if found else path)
    return Verified(status, files, wal, tuple(bad), tuple(bad_wal))


def holder(path: str) -> str:
    """Who holds a lock of pgBackRest on this host, in words."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        with open(path, encoding="utf-8") as file:
            number = int(json.load(file)["pid"])
        with open(f"/proc/{number}/cmdline", "rb") as file:
            words = file.read().decode(errors="replace").split("\0")
        user = str(os.stat(f"/proc/{number}").st_uid)
        with contextlib.suppress(KeyError):
            user = pwd.getpwuid(int(user)).pw_name
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(os.stat(f"/proc/{number}").st_ctime))
        what = next((word for word in words[1:] if word and not word.startswith("-")), "something")
        kind = next((word.split("=", 1)[1] + " " for word in words if word.startswith("--type=")), "")
        return redact_text(f"{kind}{what} of pgBackRest by {user} since {since} (process {number})")
    return "another process of pgBackRest, here or where the server is,"


@contextlib.contextmanager
def explained() -> Any:
    """What pgBackRest says, and what to do where that is known.

    :raises lock.Busy: another process of it is at work; named.
    """
    try:
        yield
    except stream.EngineError as error:
        text = str(error).replace("setpriv failed", f"{COMMAND} failed")
        locked = _LOCKED.search(text)
        if locked:
            raise lock.Busy(f"{holder(locked.group(1))} holds the lock {locked.group(1)}") from None
        hint = _unwritten(text) or next((hint for sign, hint in _HINTS if sign in text), None)
        raise stream.EngineError(f"{text} ({hint})" if hint else text) from None


def _unwritten(text: str) -> str | None:
    """What is free where a file could not be written: pgBackRest's own words do not always say why it could not."""
    match = _UNWRITTEN.search(text)
    if not match:
        return None
    folder = os.path.dirname(match.group(1))
    with contextlib.suppress(OSError):
        while not os.path.isdir(folder) and folder not in ("", "/"):
            folder = os.path.dirname(folder)
        found = os.statvfs(folder)
        return f"{folder} has {human(found.f_bavail * found.f_frsize)} free: make room there, or look at its rights"
    return None


def code(error: OpsError) -> int | None:
    """pgBackRest's own number of an error."""
    match = _CODE.search(str(error))
    return int(match.group(1)) if match else None


def _run(where: Where, argv: Sequence[str], until: float) -> str:
    with explained():
        return stream.run(argv, where.environment(), left(until))
    raise AssertionError("explained() lets no error pass")


def _no_stanza(where: Where, why: str) -> str:
    config = f" --config={where.config}" if where.config else ""
    return (
        f"stanza {where.stanza} is not in repository {where.repo} ({why}): look at the name, or make it by "
        f"pgbackrest{config} --stanza={where.stanza} stanza-create"
    )


def _backup(each: Mapping[str, Any]) -> Backup:
    size = each["info"]
    wal, lsn = each.get("archive") or {}, each.get("lsn") or {}
    return Backup(
        label=str(each["label"]),
        type=str(each["type"]),
        prior=each.get("prior"),
        needs=tuple(each.get("reference") or ()),
        start=int(each["timestamp"]["start"]),
        stop=int(each["timestamp"]["stop"]),
        wal_start=str(wal.get("start") or ""),
        wal_stop=str(wal.get("stop") or ""),
        lsn_start=str(lsn.get("start") or "0/0"),
        lsn_stop=str(lsn.get("stop") or "0/0"),
        size=int(size["size"]),
        # Not told of repositories whose backups have blocks of files.
        repo_size=int(size["repository"].get("size") or size["repository"]["delta"]),
        delta=int(size["repository"]["delta"]),
        error=bool(each.get("error")),
        database=int(each["database"]["id"]),
    )
