# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a set of Kubernetes objects: ``<namespace>/<resource>.yml``, Secrets in ``secrets.vault.yml``.

Objects that are in no namespace lie in ``_cluster``, a name that no namespace can have. Files are plain YAML, which
kubectl reads as well: text that YAML 1.1, YAML 1.2 or Go would take for something else stands in quotes.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .._core.deps import need
from .._core.errors import LookError, OpsError
from .._k8s.read import Doc, text
from . import k8s_objects, k8s_vault, stream
from .k8s_api import Resource, check_name
from .manifest import File, Manifest

FORMAT = "kubernetes_yaml"
VAULT = "ansible-vault"
CLUSTER = "_cluster"
SEALED = ".vault.yml"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}
_MOST_SEALED = 1 << 30
_FLUSH = 1 << 20


class Damaged(OpsError):
    """A file of a set is not what it should be; the text says why."""


def dump(doc: Doc) -> bytes:
    """An object as a document of YAML.

    :raises LookError: it holds what no text can hold.
    """
    yaml: Any = need("yaml", "5.0", "PyYAML")
    try:
        told: bytes = yaml.dump(
            doc, Dumper=_dumper(yaml), encoding="utf-8", allow_unicode=True, default_flow_style=False,
            sort_keys=True, width=1 << 20, explicit_start=True,
        )  # fmt: skip
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        raise LookError("garbage", f"{k8s_objects.title(doc)} cannot be written as YAML: {error}") from error
    return told


def _dumper(yaml: Any) -> Any:
    """Never an alias, and quotes around whatever might be no text to somebody."""
    base = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    dumper: Any = type("Dumper", (base,), {"ignore_aliases": lambda _self, _data: True})

    def word(one: Any, value: str) -> Any:
        style: str | None = '"'
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            style = None
        elif "\n" in value.rstrip("\n") and value.isprintable() is False and not re.search(r"[^\S\n]\n|\r", value):
            style = "|"
        return one.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    dumper.add_representer(str, word)
    return dumper


def load(data: Any, what: str, size: int) -> Iterator[Doc]:
    """The objects of a file, one after the other.

    :param data: bytes, or a file; size: of the file.
    :raises Damaged: it is no YAML, or what is in it are no objects.
    """
    yaml: Any = need("yaml", "5.0", "PyYAML")
    place = 0
    try:
        for place, doc in enumerate(yaml.load_all(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), 1):
            lacks = k8s_objects.check(doc, size)
            if lacks:
                raise Damaged(f"{what}: document {place} {lacks}")
            yield doc
    except (yaml.YAMLError, UnicodeError, RecursionError, ValueError) as error:
        # The text of the error may show what is in the file.
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else f"after document {place}"
        said = str(getattr(error, "problem", "") or type(error).__name__)
        raise Damaged(
            f"{what}: it is no YAML, {where}: {said[:100] if SEALED not in what else 'it breaks off'}"
        ) from None


@dataclass
class Writer:
    """Files that are being written below a folder, each summed while it is written.

    :ivar vault: for Secrets; progress: told of every byte.
    """

    folder: str
    progress: stream.Progress
    vault: k8s_vault.Vault | None = None
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    _open: dict[str, _Open] = field(default_factory=dict)
    _sealed: dict[str, bytearray] = field(default_factory=dict)

    def add(self, what: Resource, doc: Doc) -> None:
        """One object more."""
        namespace = text(doc, "metadata", "namespace") or CLUSTER
        if namespace != CLUSTER:
            check_name(namespace, k8s_objects.title(doc), namespace=True)
        check_name(text(doc, "metadata", "name"), f"an object of {what.title}")
        kinds = self.counts.setdefault(namespace, {})
        kinds[what.title] = kinds.get(what.title, 0) + 1
        data = dump(doc)
        if what.title == k8s_objects.SECRET:
            name = os.path.join(namespace, what.file + SEALED)
            self._sealed.setdefault(name, bytearray()).extend(data)
            return
        name = os.path.join(namespace, what.file + ".yml")
        one = self._open.get(name)
        if one is None:
            one = self._open[name] = _Open()
        one.waiting.extend(data)
        if len(one.waiting) >= _FLUSH:
            self._flush(name)

    def done(self) -> list[File]:
        """Write what is left, seal the Secrets, and tell all files."""
        for name in sorted(self._open):
            self._flush(name)
        for name in sorted(self._sealed):
            if self.vault is None:
                raise AssertionError("there are Secrets and no vault")
            self.progress.item = name
            plain = self._sealed.pop(name)
            sealed = self.vault.encrypt(bytes(plain))
            self._open[name] = _Open(waiting=bytearray(sealed if sealed.endswith(b"\n") else sealed + b"\n"))
            self._flush(name)
        return [File(name, one.bytes, one.digest.hexdigest()) for name, one in sorted(self._open.items())]

    def _flush(self, name: str) -> None:
        one = self._open[name]
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), mode=0o750, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if one.bytes else os.O_EXCL)
        with open(os.open(path, flags, 0o640), "wb") as opened:
            opened.write(one.waiting)
        one.digest.update(one.waiting)
        one.bytes += len(one.waiting)
        self.progress.item = name
        self.progress.add(len(one.waiting))
        one.waiting.clear()


@dataclass
class _Open:
    waiting: bytearray = field(default_factory=bytearray)
    bytes: int = 0
    digest: Any = field(default_factory=hashlib.sha256)


def objects(folder: str, names: list[str], vault: k8s_vault.Vault | None) -> Iterator[tuple[str, Doc]]:
    """All objects of files of a set, with the name of their file. Secrets without a vault are left out.

    :raises Damaged: a file cannot be read to its end.
    :raises WrongPassword: it cannot be decrypted.
    """
    for name in names:
        path = os.path.join(folder, name)
        try:
            size = os.path.getsize(path)
            if not name.endswith(SEALED):
                with open(path, "rb") as opened:
                    for doc in load(opened, name, size):
                        if k8s_objects.kind(doc) == k8s_objects.SECRET:
                            raise Damaged(f"{name}: a Secret lies there in plain text")
                        yield name, doc
                continue
            if size > _MOST_SEALED:
                raise Damaged(f"{name} has {size} bytes, more than Secrets of a namespace can have")
            with open(path, "rb") as opened:
                data = opened.read()
        except OSError as error:
            raise Damaged(f"{name}: {error.strerror}") from error
        wrong = k8s_vault.envelope(data)
        if wrong:
            raise Damaged(f"{name}: {wrong}")
        if vault is not None:
            try:
                plain = vault.decrypt(data)
            except k8s_vault.WrongPassword as error:
                raise k8s_vault.WrongPassword(f"{name}: {error}") from None
            yield from ((name, doc) for doc in load(plain, name, len(plain)))


def read(folder: str, known: Manifest, vault: k8s_vault.Vault | None) -> str:
    """Level 2: read all to the end, and compare the numbers with those of the manifest.

    :returns: what was read.
    :raises Damaged: something is wrong with it.
    """
    wanted = known.invariants.get("objects")
    if not isinstance(wanted, dict) or not all(isinstance(one, dict) for one in wanted.values()):
        raise Damaged("the manifest tells no numbers of objects")
    found: dict[str, dict[str, int]] = {}
    seen: set[str] = set()
    names = [one.path for one in known.files]
    for name, doc in objects(folder, names, vault):
        place = text(doc, "metadata", "namespace") or CLUSTER
        if os.path.dirname(name) != place:
            raise Damaged(f"{name}: {k8s_objects.title(doc)} is of another namespace than its folder")
        own = f"{k8s_objects.kind(doc)} {k8s_objects.title(doc)}"
        if own in seen:
            raise Damaged(f"{name}: {k8s_objects.title(doc)} stands there twice")
        seen.add(own)
        kinds = found.setdefault(place, {})
        kinds[k8s_objects.kind(doc)] = kinds.get(k8s_objects.kind(doc), 0) + 1
    unread = 0
    for place in sorted({*wanted, *found}):
        for kind in sorted({*wanted.get(place, {}), *found.get(place, {})}):
            told, there = wanted.get(place, {}).get(kind, 0), found.get(place, {}).get(kind, 0)
            if kind == k8s_objects.SECRET and vault is None and there == 0:
                if told and os.path.join(place, "secrets" + SEALED) not in names:
                    raise Damaged(f"{place}: {told} Secrets were saved, and there is no file of them")
                unread += told if isinstance(told, int) else 0
            elif told != there:
                raise Damaged(f"{place}: {there} objects of {kind} are in the files, and {told} were saved")
    how = f"YAML; {len(seen)} objects of {len(found)} places"
    return how + (f"; {unread} Secrets not decrypted: no password was given" if unread else "")
