# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings: what a module saw, redacted, in a file that the same module can judge again later, anywhere."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import zlib
from dataclasses import dataclass
from typing import Any

from .errors import OptionError
from .redact import redact

FORMAT = 1


@dataclass(frozen=True)
class Recording:
    """One look at one system.

    :ivar module: short name of the module, ``k8s_health``.
    :ivar target: the system's name in finding objects.
    :ivar recorded_at: ISO 8601 time in UTC, when the look began.
    :ivar observation: plain JSON values, as the module's `collect` returned them.
    """

    module: str
    target: str
    recorded_at: str
    observation: dict[str, Any]


def write(path: str, recording: Recording) -> None:
    """Write a recording: redacted, to a temporary name, synced, then renamed. ``*.gz`` is compressed.

    :raises OptionError: the place cannot be written to, or the disk is full; a recording that was there is untouched.
    """
    data = {
        "format": FORMAT,
        "module": recording.module,
        "target": recording.target,
        "recorded_at": recording.recorded_at,
        "observation": redact(recording.observation),
    }
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Half a surrogate pair, as in a log line that was cut, becomes the escape that JSON has for it.
    raw = text.encode("utf-8", "backslashreplace")
    if path.endswith(".gz"):
        raw = gzip.compress(raw, mtime=0)
    folder = os.path.dirname(os.path.abspath(path))
    temporary = ""
    try:
        os.makedirs(folder, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".recording-", dir=folder)
        with os.fdopen(handle, "wb") as stream:
            stream.write(raw)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise OptionError(f"record_to: cannot write {path}: {error.strerror or error}") from error


def read(path: str, module: str) -> Recording:
    """Read a recording back.

    :raises OptionError: missing, cut off, not a recording, of another module or of a later format.
    """
    try:
        with open(path, "rb") as stream:
            raw = stream.read()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        data = json.loads(raw.decode("utf-8"))
    except OSError as error:
        raise OptionError(f"replay_from: cannot read {path}: {error.strerror or error}") from error
    except (ValueError, EOFError, zlib.error) as error:
        raise OptionError(f"replay_from: {path} is damaged or no recording: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("observation"), dict) or "format" not in data:
        raise OptionError(f"replay_from: {path} is no recording of this collection")
    if data["format"] != FORMAT:
        raise OptionError("replay_from: %s has format %r, this version reads %d" % (path, data["format"], FORMAT))
    if data.get("module") != module:
        raise OptionError("replay_from: {} was recorded by {}, not by {}".format(path, data.get("module"), module))
    return Recording(module, str(data.get("target")), str(data.get("recorded_at")), data["observation"])
