# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A support bundle: the recordings of all systems of a run in one file, with what it takes to judge them anywhere."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from .._core.errors import OptionError
from .._core.redact import redact
from .looks import CAPABILITIES

FORMAT = 1
MANIFEST = "manifest.json"
RECORDINGS = "recordings"
LARGEST = 2 * 1024**3
"""Bytes that a bundle may take unpacked."""
MOST_FILES = 20000

_GROUP = {one.module: one.group for one in CAPABILITIES}
_ENGINE = {one.module: one.engine for one in CAPABILITIES}
_SUFFIX = ".json.gz"
_VARIABLE = re.compile(r"nexuscos_\w+", re.ASCII)


def find(folder: str) -> list[tuple[str, str]]:
    """The recordings in a folder, as system and module."""
    found = []
    if os.path.isdir(folder):
        for system in sorted(os.listdir(folder)):
            inner = os.path.join(folder, system)
            if os.path.isdir(inner):
                names = sorted(name for name in os.listdir(inner) if name.endswith(_SUFFIX))
                found += [(system, name[: -len(_SUFFIX)]) for name in names]
    return [(system, module) for system, module in found if module in _GROUP]


def manifest(
    folder: str,
    systems: Sequence[Mapping[str, Any]],
    common: Mapping[str, Any],
    made: str,
) -> dict[str, Any]:
    """What stands in front of the recordings: the skeleton of the inventory, without an address or a password.

    :param systems: of the inventory: name, groups, modules that look at it, variables; error by module where no
        recording came.
    :param common: variables of the whole platform.
    :param made: when.
    """
    recordings = []
    for system, module in find(folder):
        raw = _read(os.path.join(folder, system, module + _SUFFIX))
        recordings.append(
            {
                "system": system,
                "module": module,
                "recorded_at": _recorded_at(raw),
                "bytes": len(raw),
                "sha256": hashlib.sha256(raw).hexdigest(),
            }
        )
    there = {(one["system"], one["module"]) for one in recordings}
    missing = [
        {"system": one["name"], "module": module, "reason": str(one["errors"].get(module) or "nothing was recorded")}
        for one in systems
        for module in one["modules"]
        if (one["name"], module) not in there
    ]
    return {
        "format": FORMAT,
        "made": made,
        "common": redact(dict(common)),
        "systems": [
            {"name": one["name"], "groups": list(one["groups"]), "variables": redact(dict(one["variables"]))}
            for one in systems
        ],
        "recordings": recordings,
        "missing": redact(missing),
    }


def pack(folder: str, contents: Mapping[str, Any]) -> bytes:
    """The bundle as bytes: the same recordings make the same bytes, whoever packs them and when."""
    raw = io.BytesIO()
    with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        text = json.dumps(contents, indent=1, ensure_ascii=True) + "\n"
        _add(tar, MANIFEST, text.encode("ascii"))
        for one in contents["recordings"]:
            path = os.path.join(folder, one["system"], one["module"] + _SUFFIX)
            _add(tar, "%s/%s/%s%s" % (RECORDINGS, one["system"], one["module"], _SUFFIX), _read(path))
    return raw.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    tar.addfile(entry, io.BytesIO(data))


def write(path: str, data: bytes) -> None:
    """Write a bundle: a temporary name, synced, renamed; for its owner alone.

    :raises OptionError: the place cannot be written to.
    """
    folder = os.path.dirname(os.path.abspath(path))
    temporary = ""
    try:
        os.makedirs(folder, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".bundle-", dir=folder)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise OptionError("dest: cannot write %s: %s" % (path, error.strerror or error)) from error


def unpack(path: str, into: str) -> dict[str, Any]:
    """Open a bundle, or a folder of recordings, and check it.

    Nothing but plain files of known names is taken out, so that a bundle of a stranger cannot write anywhere else.

    :param into: folder that is there, and empty.
    :returns: the manifest, with ``folder``: where the recordings are.
    :raises OptionError: missing, damaged, not a bundle, of a later format.
    """
    if os.path.isdir(path):
        inner = os.path.join(path, RECORDINGS)
        if os.path.exists(os.path.join(path, MANIFEST)):
            return _checked(_loads(_read(os.path.join(path, MANIFEST)), path), inner, path)
        return _guessed(inner if os.path.isdir(inner) else path)
    try:
        with tarfile.open(path, "r:gz") as tar:
            contents = _take_out(tar, into, path)
    except OSError as error:
        raise OptionError("bundle: cannot read %s: %s" % (path, error.strerror or error)) from error
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
        raise OptionError("bundle: %s is damaged or no bundle: %s" % (path, error)) from error
    return _checked(contents, os.path.join(into, RECORDINGS), path)


def _take_out(tar: tarfile.TarFile, into: str, path: str) -> dict[str, Any]:
    contents: dict[str, Any] | None = None
    size = files = 0
    for member in tar:
        size += member.size
        files += 1
        if size > LARGEST or files > MOST_FILES:
            raise OptionError("bundle: %s is larger than a bundle may be" % path)
        stream = tar.extractfile(member) if member.isreg() else None
        if stream is None:
            if member.isdir():
                continue
            raise OptionError("bundle: %s holds %r, which is no plain file" % (path, member.name))
        data = stream.read()
        if member.name == MANIFEST:
            contents = _loads(data, path)
            continue
        parts = member.name.split("/")
        if len(parts) != 3 or parts[0] != RECORDINGS or not _safe(parts[1]) or not _safe(parts[2]):
            raise OptionError("bundle: %s holds %r, which belongs to no bundle" % (path, member.name))
        os.makedirs(os.path.join(into, RECORDINGS, parts[1]), exist_ok=True)
        with open(os.path.join(into, RECORDINGS, parts[1], parts[2]), "wb") as out:
            out.write(data)
    if contents is None:
        raise OptionError("bundle: %s has no %s: it is no bundle of this collection" % (path, MANIFEST))
    return contents


def _safe(name: str) -> bool:
    return bool(name) and name not in (".", "..") and not set(name) & set("/\\\x00")


def _loads(data: bytes, path: str) -> dict[str, Any]:
    try:
        contents = json.loads(data.decode("utf-8"))
    except ValueError as error:
        raise OptionError("bundle: the %s of %s is damaged: %s" % (MANIFEST, path, error)) from error
    if not isinstance(contents, dict) or "format" not in contents:
        raise OptionError("bundle: %s is no bundle of this collection" % path)
    if contents["format"] != FORMAT:
        raise OptionError("bundle: %s has format %r, this version reads %d" % (path, contents["format"], FORMAT))
    return contents


def _checked(contents: dict[str, Any], folder: str, path: str) -> dict[str, Any]:
    try:
        for one in contents["recordings"]:
            name = os.path.join(folder, one["system"], one["module"] + _SUFFIX)
            if not _safe(one["system"]) or not _safe(one["module"]):
                raise OptionError("bundle: %s names %r, which is no recording" % (path, name))
            if hashlib.sha256(_read(name)).hexdigest() != one["sha256"]:
                raise OptionError("bundle: %s/%s of %s is damaged" % (one["system"], one["module"], path))
        systems = [
            {
                "name": str(one["name"]),
                "groups": [str(name) for name in one["groups"]],
                "variables": dict(one["variables"]),
                "missing": {
                    str(entry["module"]): str(entry["reason"])
                    for entry in contents["missing"]
                    if entry["system"] == one["name"]
                },
            }
            for one in contents["systems"]
        ]
        common = dict(contents["common"])
    except (KeyError, TypeError, ValueError) as error:
        raise OptionError("bundle: the %s of %s is damaged: %s" % (MANIFEST, path, error)) from error
    there = {(one["system"], _GROUP.get(one["module"])) for one in contents["recordings"]}
    for one in systems:
        # Of these nothing can be judged; of a group with one recording the rest says so itself.
        one["unrecorded"] = [group for group in one["groups"] if (one["name"], group) not in there]
    return {**contents, "folder": folder, "systems": systems, "common": common}


def _guessed(folder: str) -> dict[str, Any]:
    """A folder of recordings without a manifest, as `nexuscos_record_dir` makes it: no dependency map."""
    found = find(folder)
    if not found:
        raise OptionError("bundle: there are no recordings in %s" % folder)
    systems: dict[str, dict[str, Any]] = {}
    for system, module in found:
        one = systems.setdefault(
            system, {"name": system, "groups": [], "variables": {}, "missing": {}, "unrecorded": []}
        )
        if _GROUP[module] not in one["groups"]:
            one["groups"].append(_GROUP[module])
        if _ENGINE[module]:
            one["variables"]["nexuscos_database_engine"] = _ENGINE[module]
    return {
        "format": FORMAT,
        "made": None,
        "common": {},
        "systems": list(systems.values()),
        "recordings": [{"system": system, "module": module} for system, module in found],
        "missing": [],
        "folder": folder,
    }


def write_variables(systems: Sequence[Mapping[str, Any]], into: str) -> None:
    """A file of variables for each system. Nothing of them is templated: a bundle may come from anybody."""
    os.makedirs(os.path.join(into, "variables"), exist_ok=True)
    for one in systems:
        if not _safe(one["name"]):
            raise OptionError("bundle: %r cannot be the name of a system" % one["name"])
        wrong = [name for name in one["variables"] if not _VARIABLE.fullmatch(name)]
        if wrong:
            raise OptionError("bundle: %r is no variable of this collection" % wrong[0])
        lines = ["%s: %s" % (name, unsafe(value)) for name, value in sorted(one["variables"].items())]
        with open(os.path.join(into, "variables", one["name"] + ".yml"), "w", encoding="utf-8") as stream:
            stream.write("---\n%s\n" % ("\n".join(lines) or "{}"))


def unsafe(value: Any) -> str:
    """A plain value as YAML that Ansible takes as it is."""
    if isinstance(value, Mapping):
        return "{%s}" % ", ".join("%s: %s" % (json.dumps(str(key)), unsafe(one)) for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return "[%s]" % ", ".join(unsafe(one) for one in value)
    return "!unsafe %s" % json.dumps(value) if isinstance(value, str) else json.dumps(value)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise OptionError("bundle: cannot read %s: %s" % (path, error.strerror or error)) from error


def _recorded_at(raw: bytes) -> str | None:
    try:
        data = json.loads(gzip.decompress(raw).decode("utf-8"))
        return str(data["recorded_at"])
    except (ValueError, KeyError, TypeError, EOFError, OSError, zlib.error):
        return None
