# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load a dump into a MongoDB server: aside, counted, and only then under the names that it is read by."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core.errors import OpsError, OptionError
from .._mongodb.collect import Options
from . import bson, mongodb_dump, stream
from .manifest import File, Manifest
from .mongodb_dump import ASIDE, BUCKETS, COLLECTION, TIMESERIES, VIEW, matches, said

_PROBE = ASIDE + "probe"
_BATCH_DOCUMENTS = 1000
_BATCH_BYTES = 16 << 20
_DATABASE = re.compile(r'[^/\\. "$*<>:|?\x00]{1,63}')
# What create() gave a collection by itself, or no longer takes.
_NOT_OPTIONS = ("uuid", "autoIndexId", "create", "idIndex")


@dataclass(frozen=True)
class Part:
    """One collection, view or time series of a dump.

    :ivar kind: as :class:`mongodb_dump.Namespace` has it; metadata, documents: files of the set, or None.
    :ivar count: documents, by the manifest; None where it does not tell.
    """

    database: str
    name: str
    kind: str
    metadata: File | None
    documents: File | None
    count: int | None

    @property
    def full(self) -> str:
        """``<database>.<name>``."""
        return f"{self.database}.{self.name}"


@dataclass
class Result:
    """What a load has done.

    :ivar rows: a row for each part; kept: old collections and what they are called now; undo: commands of mongosh.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    undo: list[str] = field(default_factory=list)
    switched: str = "renamed"


def parts(folder: str, known: Manifest, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> list[Part]:
    """What is in a set and is chosen.

    :raises OptionError: the set is none of MongoDB, or a pattern means nothing in it.
    :raises OpsError: a file of it is garbage.
    """
    if known.format != mongodb_dump.FORMAT:
        raise OptionError(f"{folder} is a set of {known.engine} in the format {known.format}, none of MongoDB")
    counts = known.invariants.get("collections", {})
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for file in known.files:
        where, name = os.path.split(file.path)
        if mongodb_dump.is_documents(name):
            stem = mongodb_dump.name_of(name) if name.startswith(BUCKETS) else name
            found.setdefault((where, _stem(stem)), {})["documents"] = file
        elif mongodb_dump.is_metadata(name):
            found.setdefault((where, _stem(name)), {})["metadata"] = file
    rows = []
    for (where, stem), files in sorted(found.items()):
        database, name, kind = os.path.basename(where), mongodb_dump.name_of(stem), COLLECTION
        if "metadata" in files:
            told = mongodb_dump.read_metadata(os.path.join(folder, files["metadata"].path))
            name, kind = str(told.get("collectionName") or name), str(told.get("type") or COLLECTION)
        rows.append(
            Part(
                database,
                name,
                kind,
                files.get("metadata"),
                files.get("documents"),
                counts.get(f"{database}.{name}", 0 if counts and kind != VIEW else None),
            )
        )
    for one in include:
        if not any(matches(part.full, [one]) for part in rows):
            raise OptionError(f"include: {one!r} means nothing in this set")
    return [part for part in rows if (not include or matches(part.full, include)) and not matches(part.full, exclude)]


def is_of_server(part: Part) -> bool:
    """Users, roles and the like: they belong to the server, and are restored by mongorestore alone."""
    return part.name.startswith("system.") and part.name != "system.js"


def size(rows: Sequence[Part]) -> int:
    """Bytes of all documents; 0 where they are packed, and nobody knows."""
    files = [part.documents for part in rows if part.documents is not None]
    return 0 if any(file.path.endswith(".gz") for file in files) else sum(file.bytes for file in files)


def targets(rows: Sequence[Part], mapping: Mapping[str, str], suffix: str) -> dict[str, str]:
    """The database that each is restored into.

    :raises OptionError: one has no such name, or two would go into the same.
    """
    sources = sorted({part.database for part in rows})
    for one in mapping:
        if one not in sources:
            raise OptionError(f"map: {one!r} is no database of this set; it has {', '.join(sources) or 'none'}")
    found = {one: mapping.get(one, one + suffix) for one in sources}
    for source, target in found.items():
        if not _DATABASE.fullmatch(target):
            raise OptionError(f"map: {target!r} is no name of a database (for {source})")
        if target in ("local", "config") or (target == "admin" and source != "admin"):
            raise OptionError(f"map: {target} is the server's own database")
    if len(set(found.values())) < len(found):
        raise OptionError("map: two databases would be restored into the same one")
    return found


class Loader:
    """Loads into one server.

    :param deadline: on the clock of time.monotonic().
    :param stamp: of the restore; old collections are kept as ``before_<stamp>_<name>``.
    """

    def __init__(self, pymongo: Any, options: Options, deadline: float, stamp: str) -> None:
        self._pymongo, self._options, self._deadline, self._stamp = pymongo, options, deadline, stamp

    def plan(self, rows: Sequence[Part], into: Mapping[str, str]) -> dict[str, Any]:
        """What would be loaded, what is there already, and what would stay as it is. Changes nothing."""
        with self._opened() as opened:
            there = {name: self._there(opened, name) for name in sorted(set(into.values()))}
            told = [
                {
                    "from": part.full,
                    "to": f"{into[part.database]}.{part.name}",
                    "kind": part.kind,
                    "documents": part.count,
                    "bytes": part.documents.bytes if part.documents else 0,
                    "replaces": self._count(opened, into[part.database], part.name, there),
                }
                for part in rows
            ]
        given = {str(row["to"]) for row in told}
        stays = [f"{name}.{one}" for name, kinds in there.items() for one in kinds if f"{name}.{one}" not in given]
        return {
            "collections": told,
            "existing": [name for name, kinds in there.items() if kinds],
            "stays": sorted(one for one in stays if not one.split(".", 1)[1].startswith(ASIDE)),
        }

    def load(
        self,
        folder: str,
        rows: Sequence[Part],
        into: Mapping[str, str],
        keep_old: bool,
        progress: stream.Progress | None = None,
    ) -> Result:
        """Load all aside, count it, then give it the names.

        :raises OpsError: that failed; what was there before is as it was, or the text says what is not.
        """
        result = Result()
        with self._opened() as opened:
            there = {name: self._there(opened, name) for name in sorted(set(into.values()))}
            for name, kinds in there.items():
                for one in kinds:
                    if one.startswith(ASIDE):  # of a restore that was killed
                        opened.get_database(name).drop_collection(one)
                there[name] = {one: kind for one, kind in kinds.items() if not one.startswith(ASIDE)}
            through = {}
            for name in there:
                dotted = any("." in part.name for part in rows if into[part.database] == name)
                through[name] = self._rename_through(opened, name, dotted)
            if not all(through.values()):
                result.switched = "written"
            self._check_old(rows, into, there, through, keep_old)
            made: list[tuple[str, str]] = []
            try:
                if result.switched == "written":
                    self._prove(folder, rows)
                self._all_aside(opened, folder, rows, into, there, through, result, made, progress)
                self._switch(opened, rows, into, there, through, keep_old, result, made)
            except BaseException:
                with contextlib.suppress(Exception):  # the server may be what has gone; the next restore removes it
                    for database, name in made:
                        opened.get_database(database).drop_collection(name)
                raise
            for part in rows:
                if part.kind == VIEW:
                    target = into[part.database]
                    self._view(opened.get_database(target), folder, part, there[target])
                    result.rows.append(_row(part, target, None, 0))
        return result

    # -- aside

    def _prove(self, folder: str, rows: Sequence[Part]) -> None:
        """Read all of it first, where what is there cannot stay until the new is."""
        for part in rows:
            if part.documents is None:
                continue
            path = os.path.join(folder, part.documents.path)
            try:
                if stream.sum_file(path, folder) != part.documents:
                    raise mongodb_dump.Damaged(f"{path}: its sum is not that of the manifest. Nothing was replaced")
            except OSError as error:
                raise OpsError(f"{path}: {error.strerror}. Nothing was replaced") from error
            mongodb_dump.count_files(folder, [part.documents.path], self._deadline)

    def _all_aside(
        self,
        opened: Any,
        folder: str,
        rows: Sequence[Part],
        into: Mapping[str, str],
        there: Mapping[str, Mapping[str, str]],
        through: Mapping[str, str | None],
        result: Result,
        made: list[tuple[str, str]],
        progress: stream.Progress | None,
    ) -> None:
        for part in rows:
            if part.kind == VIEW:
                continue
            target = into[part.database]
            if progress:
                progress.item = part.full
            renamed = through[target] is not None and part.kind != TIMESERIES
            name = ASIDE + part.name if renamed else part.name
            if not renamed and part.name in there[target]:
                with self._said(f"{target}.{part.name}"):
                    opened.get_database(target).drop_collection(part.name)
            made.append((target, name))
            count, indexes = self._one(opened.get_database(target), name, folder, part, progress)
            result.rows.append(_row(part, target, count, indexes))

    def _one(
        self, database: Any, name: str, folder: str, part: Part, progress: stream.Progress | None
    ) -> tuple[int, int]:
        """One collection: options, documents, indexes.

        :returns: its documents and its indexes.
        """
        told = self._metadata(folder, part)
        options = {key: value for key, value in told.get("options", {}).items() if key not in _NOT_OPTIONS}
        with self._said(part.full):
            database.command({"create": name, **options})
        stored = BUCKETS + name if part.kind == TIMESERIES else name
        with self._said(part.full):
            count = self._documents(database, stored, folder, part, progress)
        specs = [
            # Version 2 is what a server makes by itself; some that only speak the protocol do not know that word.
            {key: value for key, value in one.items() if key != "ns" and (key, value) != ("v", 2)}
            for one in told.get("indexes", [])
            if one.get("name") != "_id_" and not one.get("clustered")
        ]
        if specs:
            with self._said(f"indexes of {part.full}"):
                database.command({"createIndexes": name, "indexes": specs})
        return count, len(specs)

    def _documents(self, database: Any, name: str, folder: str, part: Part, progress: stream.Progress | None) -> int:
        if part.documents is None:
            return 0
        from bson import raw_bson
        from bson.codec_options import CodecOptions

        whole = CodecOptions(document_class=raw_bson.RawBSONDocument)
        collection = database.get_collection(name, codec_options=whole)
        digest, count = hashlib.sha256(), 0
        path = os.path.join(folder, part.documents.path)
        try:
            with bson.opened(path, digest.update) as source:
                for batch in _batches(bson.documents(source)):
                    collection.insert_many(
                        [raw_bson.RawBSONDocument(one) for one in batch], ordered=True, bypass_document_validation=True
                    )
                    count += len(batch)
                    if progress:
                        progress.add(sum(map(len, batch)))
                    if time.monotonic() > self._deadline:
                        raise stream.EngineError(f"the restore was not done in time: it was at {part.full}")
        except bson.Damaged as error:
            raise mongodb_dump.Damaged(f"{path}: {error}. Nothing was replaced; restore an earlier set") from error
        except OSError as error:
            raise OpsError(f"{path}: {error.strerror or error}") from error
        if digest.hexdigest() != part.documents.sha256:
            raise mongodb_dump.Damaged(
                f"{path}: its sum is not that of the manifest. Nothing was replaced; restore an earlier set"
            )
        if part.count is not None and count != part.count:
            raise mongodb_dump.Damaged(f"{path}: it has {count} documents, and the manifest tells {part.count}")
        held = collection.count_documents({})
        if held != count:
            raise OpsError(f"{part.full}: {count} documents were sent, and the server has {held}")
        return count

    def _metadata(self, folder: str, part: Part) -> dict[str, Any]:
        """With the types that extended JSON tells."""
        if part.metadata is None:
            return {}
        from bson import json_util

        path = os.path.join(folder, part.metadata.path)
        mongodb_dump.read_metadata(path)  # refuses garbage
        with bson.opened(path) as source:
            told: dict[str, Any] = json_util.loads(source.read().decode())
        return told

    def _view(self, database: Any, folder: str, part: Part, there: Mapping[str, str]) -> None:
        options = self._metadata(folder, part).get("options", {})
        with self._said(part.full):
            if there.get(part.name) == VIEW:
                database.drop_collection(part.name)
            database.command({"create": part.name, **options})

    # -- under their names

    def _check_old(
        self,
        rows: Sequence[Part],
        into: Mapping[str, str],
        there: Mapping[str, Mapping[str, str]],
        through: Mapping[str, str | None],
        keep_old: bool,
    ) -> None:
        """Refuse what could not be taken back, unless it was asked for.

        :raises OptionError: so it is.
        """
        for part in rows:
            target = into[part.database]
            old = there[target].get(part.name)
            if old is None:
                continue
            if (old == VIEW) != (part.kind == VIEW):
                raise OptionError(f"{target}.{part.name} is a {old} there and a {part.kind} here: remove it first")
            if not keep_old or part.kind == VIEW:
                continue
            if part.kind == TIMESERIES or old == TIMESERIES:
                raise OptionError(
                    f"{target}.{part.name} is a time series, which no server can rename: restore into another "
                    "database, or let go of what is there with keep_old: false"
                )
            if through[target] is None:
                raise OptionError(
                    f"this server cannot rename collections, so that {target}.{part.name} could not be kept: restore "
                    "into another database, or let go of what is there with keep_old: false"
                )

    def _switch(
        self,
        opened: Any,
        rows: Sequence[Part],
        into: Mapping[str, str],
        there: Mapping[str, Mapping[str, str]],
        through: Mapping[str, str | None],
        keep_old: bool,
        result: Result,
        made: list[tuple[str, str]],
    ) -> None:
        done: list[tuple[str, str, str]] = []
        old: list[tuple[str, str]] = []
        try:
            for part in rows:
                target = into[part.database]
                if part.kind in (VIEW, TIMESERIES) or through[target] is None:
                    continue
                if part.name in there[target]:
                    kept = f"before_{self._stamp.replace('-', '')}_{part.name}"
                    self._rename(opened, through[target], target, part.name, kept)
                    done.append((target, part.name, kept))
                    old.append((target, kept))
                    result.undo.append(
                        f'db.getSiblingDB("{target}").getCollection("{kept}").renameCollection("{part.name}", true)'
                    )
                self._rename(opened, through[target], target, ASIDE + part.name, part.name)
                done.append((target, ASIDE + part.name, part.name))
            made.clear()
        except BaseException as error:
            try:
                for target, before, after in reversed(done):
                    self._rename(opened, through[target], target, after, before)
            except Exception:  # noqa: BLE001 - the first error is the one that counts
                raise OpsError(
                    f"{error}. The names could not be given back: "
                    + ("; ".join(result.undo) or "nothing of the old was touched")
                ) from error
            raise
        if keep_old:
            result.kept = [f"{target}.{name}" for target, name in old]
            return
        result.undo.clear()
        for target, name in old:
            opened.get_database(target).drop_collection(name)

    def _rename(self, opened: Any, through: str | None, database: str, old: str, new: str) -> None:
        if through is None:
            raise AssertionError("through is None")
        with self._said(f"{database}.{old}"):
            opened.get_database(through).command({"renameCollection": f"{database}.{old}", "to": f"{database}.{new}"})

    def _rename_through(self, opened: Any, name: str, dotted: bool) -> str | None:
        """The database to which this server wants a rename to be said; None where it cannot.

        What only speaks MongoDB's protocol may say that all went well, and have done nothing, or done it to another
        database; or it may not rename what has a dot in its name. So it is tried.
        """
        database, new = opened.get_database(name), _PROBE + (".renamed" if dotted else "_renamed")
        for through in ("admin", name):
            there = False
            try:
                with contextlib.suppress(self._pymongo.errors.OperationFailure):
                    database.drop_collection(_PROBE)
                    database.drop_collection(new)
                    database.command({"create": _PROBE})
                    database.get_collection(_PROBE).insert_one({"_id": 1})
                    opened.get_database(through).command(
                        {"renameCollection": f"{name}.{_PROBE}", "to": f"{name}.{new}"}
                    )
                    names = database.list_collection_names()
                    if new in names and _PROBE not in names:
                        # A server may still mean the one by the name of the other.
                        database.get_collection(_PROBE).insert_one({"_id": 2})
                        counts = [database.get_collection(one).count_documents({}) for one in (_PROBE, new)]
                        there = counts == [1, 1] and {_PROBE, new} <= set(database.list_collection_names())
            finally:
                # The first error is the one that counts.
                with contextlib.suppress(self._pymongo.errors.PyMongoError):
                    for where in sorted({name, through}):
                        if {_PROBE, new} & set(opened.get_database(where).list_collection_names()):
                            opened.get_database(where).drop_collection(_PROBE)
                            opened.get_database(where).drop_collection(new)
            if there:
                return through
        return None

    # -- the server

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        left = max(1.0, self._deadline - time.monotonic())
        opened = mongodb_dump.client(self._pymongo, self._options, left)
        try:
            with said(self._options):
                yield opened
        finally:
            opened.close()

    @contextlib.contextmanager
    def _said(self, what: str) -> Iterator[None]:
        try:
            with said(self._options):
                yield
        except stream.EngineError as error:
            raise stream.EngineError(f"{what}: {error}") from error

    def _there(self, opened: Any, name: str) -> dict[str, str]:
        """Collections of a database, and their kinds."""
        return {
            str(one["name"]): str(one.get("type") or COLLECTION)
            for one in opened.get_database(name).list_collections()
            if not str(one["name"]).startswith("system.")
        }

    def _count(self, opened: Any, database: str, name: str, there: Mapping[str, Mapping[str, str]]) -> int | None:
        kind = there[database].get(name)
        if kind is None or kind == VIEW:
            return None
        return int(opened.get_database(database).get_collection(name).estimated_document_count())


def _row(part: Part, target: str, documents: int | None, indexes: int) -> dict[str, Any]:
    return {
        "from": part.full,
        "to": f"{target}.{part.name}",
        "kind": part.kind,
        "documents": documents,
        "indexes": indexes,
    }


def _stem(name: str) -> str:
    for ending in (".gz", ".metadata.json", ".bson"):
        name = name[: -len(ending)] if name.endswith(ending) else name
    return name


def _batches(documents: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for one in documents:
        if batch and (len(batch) >= _BATCH_DOCUMENTS or size + len(one) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one)
    if batch:
        yield batch
