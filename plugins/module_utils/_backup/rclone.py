# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A remote of rclone: sets as plain folders, ``<stamp>/<system>``, as they lie here.

The manifest goes last, when all else was compared. So a folder without one is no set, and may be written over; one
with it never is.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

from .._core.redact import redact_text
from . import layout, manifest, remote, stream
from .manifest import Manifest
from .remote import Known, Sent

_NO_FOLDER = 3
_UNCHECKED = "hashes could not be checked"
_DEFAULTS = {"RCLONE_ASK_PASSWORD": "false", "RCLONE_CONTIMEOUT": "15s", "RCLONE_TIMEOUT": "2m"}
_OURS = ("--exclude", "/" + manifest.NAME, "--exclude", "/" + layout.WRITING + "*")


class Rclone:
    """A remote.

    :param params: ``repository``, ``environment``, ``bin_dir``.
    :param until: on the clock of time.monotonic().
    """

    def __init__(self, params: Mapping[str, Any], until: float) -> None:
        self._remote = str(params["repository"])
        self.name = redact_text(self._remote)
        self._until = until
        self._program = remote.program(params, "rclone")
        self._environment = {**_DEFAULTS, **remote.environment_of(params)}

    def ask(self, *words: str) -> remote.Said:
        """What rclone prints.

        :raises EngineError: it failed; its last words.
        """
        return remote.ask([self._program, *words], self._environment, self._until)

    def is_there(self) -> bool:
        """Is there such a folder or bucket?

        :raises EngineError: it cannot be told.
        """
        try:
            self.ask("lsf", "--max-depth", "1", self._remote)
        except remote.Failed as error:
            if error.status == _NO_FOLDER:
                return False
            raise
        return True

    def make(self) -> None:
        """Make the folder or bucket."""
        self.ask("mkdir", self._remote)

    def sets(self) -> dict[tuple[str, str], Known]:
        """The folders that have a manifest."""
        found = {}
        # An object store tells the time at which it got an object in the listing; any other one costs a question each.
        for one in self._list(
            self._remote, "--max-depth", "3", "--use-server-modtime", "--include", "/*/*/" + manifest.NAME
        ):
            stamp, system, _name = one["Path"].split("/")
            if layout.is_stamp(stamp):
                found[system, stamp] = Known(f"{stamp}/{system}", str(one["ModTime"]))
        return found

    def holds(self, known: Known, told: Manifest) -> bool:
        """Are all files of a set there, by name and size?"""
        sizes = self._sizes(known.id)
        return all(sizes.get(one.path) == one.bytes for one in told.files)

    def send(self, one: layout.Set, progress: stream.Progress) -> Sent:
        """Copy a set, compare it, and only then its manifest.

        :raises EngineError: it was not copied, or what is there is something else.
        """
        known = f"{one.stamp}/{one.system}"
        there, told = self._at(known), manifest.read(one.path)
        before = self._sizes(known)
        if manifest.NAME in before:
            raise stream.EngineError(f"{there} is another set of that name, or is damaged: it is not written over")
        progress.expect(told.bytes)
        self.ask("copy", "--checksum", *_OURS, one.path, there)
        progress.item = "comparing"
        progress.at(told.bytes)
        said = self.ask("check", "--one-way", *_OURS, one.path, there)
        if _UNCHECKED in said.errors:
            # No sum of both sides is the same: what is there has to be read.
            self.ask("check", "--one-way", "--download", *_OURS, one.path, there)
        if not self.holds(Known(known, ""), told):
            raise stream.EngineError(f"{one.path} is not what its manifest says, and was not copied whole")
        self.ask("copyto", f"{one.path}/{manifest.NAME}", f"{there}/{manifest.NAME}")
        same = sum(file.bytes for file in told.files if before.get(file.path) == file.bytes)
        return Sent(known, told.bytes, told.bytes - same)

    def unpack(self, known: Known, folder: str) -> None:
        """Bring the files of a set into a folder."""
        self.ask("copy", "--exclude", "/" + layout.WRITING + "*", self._at(known.id), folder)

    def prove(self, percent: float) -> None:
        """Read sets that have that share of the bytes together, and compare each file with its manifest."""
        sizes: dict[str, int] = {}
        for one in self._list(self._remote):
            known = "/".join(one["Path"].split("/")[:2])
            sizes[known] = sizes.get(known, 0) + int(one["Size"])
        whole = {known.id for known in self.sets().values()}
        wanted = percent / 100 * sum(size for known, size in sizes.items() if known in whole)
        read = 0
        # Another part of them each time.
        for known in random.sample(sorted(whole), len(whole)):
            if read >= wanted:
                break
            self._compare(known)
            read += sizes[known]

    def _compare(self, known: str) -> None:
        """Read a set, and compare its files with what its manifest there says."""
        there = self._at(known)
        try:
            told = manifest.parse(json.loads(self.ask("cat", f"{there}/{manifest.NAME}").output), f"{known}/x")
        except ValueError as error:
            raise stream.EngineError(f"{there}: its manifest is none: {error}") from error
        except manifest.ManifestError as error:
            raise stream.EngineError(f"{there}: {error}") from error
        said = self.ask("hashsum", "sha256", "--download", *_OURS, there).output
        found = {name: digest for digest, name in (line.split("  ", 1) for line in said.splitlines() if "  " in line)}
        for one in told.files:
            if one.path not in found:
                raise stream.EngineError(f"{there} lacks {one.path}")
            if found[one.path] != one.sha256:
                raise stream.EngineError(f"{there}: {one.path} has another checksum than its manifest says")

    def _sizes(self, known: str) -> dict[str, int]:
        return {str(one["Path"]): int(one["Size"]) for one in self._list(self._at(known))}

    def _list(self, where: str, *words: str) -> list[dict[str, Any]]:
        """The files below a folder; none where there is no such folder."""
        try:
            told = json.loads(self.ask("lsjson", "-R", "--files-only", "--no-mimetype", *words, where).output or "[]")
            return [{**one, "Path": str(one["Path"]), "Size": int(one["Size"])} for one in told]
        except remote.Failed as error:
            if error.status == _NO_FOLDER:
                return []
            raise
        except (ValueError, TypeError, KeyError) as error:
            raise stream.EngineError(f"rclone lsjson said what nobody understands: {error!r}") from error

    def _at(self, known: str) -> str:
        return self._remote + ("" if self._remote.endswith((":", "/")) else "/") + known
