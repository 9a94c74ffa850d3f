# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository of restic, as its command knows it. A set is a snapshot with the tags ``system=…`` and ``stamp=…``.

restic shows a snapshot only when it has come to its end, so a copy that was broken off is none, and the next one sends
what is missing. One that could not read a file comes to its end, too: that snapshot is taken back.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from typing import Any

from .._core.errors import OpsError
from .._core.redact import redact_text
from . import at_work, layout, manifest, remote, stream
from .manifest import Manifest
from .remote import Known, Sent

HOST = "nexuscos-backups"
# It asks "Is there a repository at the following location?" whatever went wrong: refused is not absent.
_ABSENT = re.compile(r"(?i)does(?: not|n't) exist|no such file|not ?found|nosuch|\b404\b")
_LOCKED = "already locked"
_INCOMPLETE = 3
_SHORT = 8
_ASK_EVERY = 1.0


class Restic:
    """A repository.

    :param params: ``repository``, ``password`` or ``password_file``, ``environment``, ``options``, ``bin_dir``,
        ``lock_wait``.
    :param until: on the clock of time.monotonic().
    :ivar environment: of its command.
    """

    def __init__(self, params: Mapping[str, Any], until: float) -> None:
        self.name = redact_text(str(params["repository"]))
        self._until, self._wait = until, float(params["lock_wait"])
        self._words = [remote.program(params, "restic")]
        for key, value in sorted((params["options"] or {}).items()):
            self._words += ["-o", f"{key}={value}"]
        self.environment = remote.environment_of(params)
        self.environment["RESTIC_REPOSITORY"] = str(params["repository"])
        # By itself it tells sixty times a second how far it is.
        self.environment.setdefault("RESTIC_PROGRESS_FPS", "1")
        if params["password"]:
            self.environment["RESTIC_PASSWORD"] = str(params["password"])
        else:
            self.environment["RESTIC_PASSWORD_FILE"] = str(params["password_file"])

    def command(self, *words: str) -> list[str]:
        """The command; it wants :attr:`environment`."""
        return [*self._words, *words]

    def ask(
        self, *words: str, hear: Callable[[str], bool] | None = None, watch: Callable[[], None] | None = None
    ) -> str:
        """What restic prints; `hear` and `watch` as in :func:`remote.ask`.

        :raises EngineError: it failed; its last words.
        """
        return remote.ask(self.command(*words), self.environment, self._until, hear, watch).output

    def ask_locked(self, *words: str, hear: Callable[[str], bool] | None = None) -> str:
        """The same for what wants the repository's lock, which somebody may hold, or have left behind.

        restic itself says which lock nobody holds: that of a process that is gone, or of none for half an hour.
        """
        until = min(time.monotonic() + self._wait, self._until)
        tidied = False
        while True:
            try:
                return self.ask(*words, hear=hear)
            except stream.EngineError as error:
                if _LOCKED not in str(error) or (tidied and time.monotonic() >= until):
                    raise
            if tidied:
                time.sleep(_ASK_EVERY)
            with contextlib.suppress(stream.EngineError):  # one that may only add cannot; then it waits
                self.ask("unlock")
            tidied = True

    def is_there(self) -> bool:
        """Is it a repository that this password opens?

        :raises EngineError: it cannot be told: no way to it, or another password.
        """
        try:
            self.ask("cat", "config", "--no-lock")
        except remote.Failed as error:
            if _ABSENT.search(str(error)) and not remote.is_refused(str(error)):
                return False
            raise
        return True

    def make(self) -> None:
        """Make the repository."""
        self.ask("init")

    def snapshots(self, *words: str) -> list[dict[str, Any]]:
        """What restic says of its snapshots, the oldest first.

        :raises EngineError: it failed, or said something else.
        """
        try:
            told = json.loads(self.ask("snapshots", "--json", "--no-lock", *words) or "[]")
            return sorted((dict(one) for one in told or []), key=lambda one: str(one["time"]))
        except (ValueError, TypeError, KeyError) as error:
            raise stream.EngineError(f"restic snapshots said what nobody understands: {error!r}") from error

    def sets(self) -> dict[tuple[str, str], Known]:
        """The newest snapshot of each set, by system and stamp."""
        found = {}
        for one in self.snapshots("--host", HOST):
            tags = dict(tag.split("=", 1) for tag in one.get("tags") or [] if "=" in tag)
            if {"system", "stamp"} <= set(tags) and one.get("paths"):
                known = Known(str(one["id"])[:_SHORT], str(one["time"]), str(one["paths"][0]))
                found[tags["system"], tags["stamp"]] = known
        return found

    def nodes(self, snapshot: str) -> list[dict[str, Any]]:
        """What is in a snapshot: path, type, size and so on of each entry.

        :raises EngineError: restic failed, or said something else.
        """
        try:
            told = [json.loads(line) for line in self.ask("ls", "--json", "--no-lock", snapshot).splitlines()]
            return [{**one, "path": str(one["path"])} for one in told if one.get("struct_type") == "node"]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise stream.EngineError(f"restic ls said what nobody understands: {error!r}") from error

    def holds(self, known: Known, told: Manifest) -> bool:
        """Are all files of a set in its snapshot, by name and size?"""
        sizes = {node["path"]: node.get("size", 0) for node in self.nodes(known.id) if node.get("type") == "file"}
        wanted = {os.path.join(known.path, one.path): one.bytes for one in told.files}
        there = os.path.join(known.path, manifest.NAME) in sizes
        return there and all(sizes.get(path) == size for path, size in wanted.items())

    def send(self, one: layout.Set, progress: stream.Progress) -> Sent:
        """Copy a set.

        :raises EngineError: it was not copied.
        """
        told = self.backup([one.path], ("nexuscos", f"system={one.system}", f"stamp={one.stamp}"), HOST, progress)
        return Sent(
            str(told["snapshot_id"])[:_SHORT],
            int(told.get("total_bytes_processed") or 0),
            int(told.get("data_added") or 0),
        )

    def backup(
        self, paths: list[str], tags: tuple[str, ...], host: str, progress: stream.Progress, *words: str
    ) -> dict[str, Any]:
        """Make a snapshot; returns restic's summary.

        :raises EngineError: there is none, or it lacks what could not be read.
        """
        marked = [word for tag in tags for word in ("--tag", tag)]
        try:
            said = self.ask_locked(
                "backup", "--json", "--host", host, *marked, *words, "--", *paths, hear=_status_to(progress)
            )
        except remote.Failed as error:
            summary = _summary(error.output)
            if error.status == _INCOMPLETE and summary:
                with contextlib.suppress(stream.EngineError):
                    self.ask_locked("forget", str(summary["snapshot_id"]))
            raise
        summary = _summary(said)
        if summary is None:
            raise stream.EngineError("restic backup ended well and named no snapshot: it is not counted as a copy")
        return summary

    def unpack(self, known: Known, folder: str) -> None:
        """Bring the files of a set into a folder."""
        aside = os.path.join(folder, layout.WRITING + "restic")
        self.restore(known.id, aside)
        inside = os.path.join(aside, known.path.lstrip("/"))
        try:
            names = os.listdir(inside)
        except OSError as error:
            raise OpsError(f"the snapshot {known.id} does not hold {known.path}") from error
        for name in names:
            os.rename(os.path.join(inside, name), os.path.join(folder, name))
        shutil.rmtree(aside)

    def restore(self, snapshot: str, target: str, *words: str, progress: stream.Progress | None = None) -> None:
        """Restore a snapshot below a folder. No lock is in its way: whoever needs it back needs it now."""
        # Only a new restic tells how far it is, and its errors in another way then. What is there can be seen.
        watch = at_work.measure(target, progress) if progress else None
        self.ask("restore", snapshot, "--no-lock", "--target", target, *words, watch=watch)

    def prove(self, percent: float) -> None:
        """Check the structure, and read a share of all data; restic takes another one each time."""
        self.ask_locked("check", f"--read-data-subset={percent:g}%")


def _status_to(progress: stream.Progress) -> Callable[[str], bool]:
    """Takes the lines of restic that say how far it is."""

    def hear(line: str) -> bool:
        try:
            told = json.loads(line)
            if told["message_type"] != "status":
                return False
            # What will be is not known before it has looked at all.
            progress.expect(int(told.get("total_bytes") or 0))
            progress.at(int(told.get("bytes_done") or 0))
        except (ValueError, TypeError, KeyError):
            return False
        return True

    return hear


def _summary(said: str) -> dict[str, Any] | None:
    for line in reversed(said.splitlines()):
        with contextlib.suppress(ValueError):
            told = json.loads(line)
            if isinstance(told, dict) and told.get("message_type") == "summary" and told.get("snapshot_id"):
                return told
    return None
