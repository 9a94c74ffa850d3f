# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The databases of a MongoDB server, in the folders and files that mongodump writes and mongorestore reads.

::

    dump/<database>/<collection>.bson[.gz]               the documents, one after the other
    dump/<database>/<collection>.metadata.json[.gz]      options, indexes, kind
"""

from __future__ import annotations

import base64
import contextlib
import fnmatch
import gzip
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import urllib.parse
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from .._core.errors import OpsError, OptionError
from .._core.redact import redact_text
from .._mongodb.collect import APPLICATION, Options
from . import bson, run_backup, stream
from .manifest import File

NAME = "mongodb"
FORMAT = "mongodump"
FOLDER = "dump"
AUTO, SNAPSHOT, COLLECTION = "auto", "snapshot", "collection"
MONGODUMP, PYMONGO = "mongodump", "pymongo"
TIMESERIES, VIEW = "timeseries", "view"
BUCKETS = "system.buckets."
# What a restore that is under way, or was killed, has loaded; it is nobody's data.
ASIDE = "nexuscos_restoring_"

# What a server keeps for itself, or makes anew; the users of the platform are in admin.
_NOT_DUMPED = ("local", "config")
_SYSTEM = ("system.js", "system.users", "system.roles", "system.version")
_BATCH = 10_000
_ANSWER_S = 300.0
_NAME_MOST = 238
_NAME_KEPT = 208
_METADATA_MOST = 64 << 20
# The server no longer has the moment that a snapshot is of, or never had one.
_NO_SNAPSHOT = (239, 246, 72, 20, 263, 115)
_TRIES = 2


class Damaged(OpsError):
    """A dump cannot be restored; the text says why."""


@dataclass(frozen=True)
class Namespace:
    """One collection, or what looks like one.

    :ivar kind: ``collection``, ``view`` or ``timeseries``; options: as they are given to ``create``; uuid: hexadecimal.
    """

    database: str
    name: str
    kind: str = COLLECTION
    options: Mapping[str, Any] = field(default_factory=dict)
    uuid: str = ""

    @property
    def full(self) -> str:
        """``<database>.<name>``."""
        return f"{self.database}.{self.name}"

    @property
    def stored(self) -> str:
        """The collection that has the documents: of a time series, its buckets."""
        return BUCKETS + self.name if self.kind == TIMESERIES else self.name


def escaped(name: str) -> str:
    """A collection's name as a file's, as mongodump makes it."""
    text = urllib.parse.quote(name, safe="$&+=:@-_.~")
    if len(text) <= _NAME_MOST:
        return text
    digest = base64.urlsafe_b64encode(hashlib.sha1(name.encode()).digest()).decode().rstrip("=")  # noqa: S324
    return text[:_NAME_KEPT] + "%24" + digest


def client(pymongo: Any, options: Options, wait: float = _ANSWER_S) -> Any:
    """A connection to one server, whatever set it is in.

    :param wait: seconds that an answer may take.
    """
    login: dict[str, Any] = {}
    if options.user:
        login = {"username": options.user, "password": options.password or "", "authSource": options.database}
        if options.mechanism:
            login["authMechanism"] = options.mechanism
    with said(options, ValueError):  # such as a file of a certificate that cannot be read
        return pymongo.MongoClient(
            host=options.host,
            port=options.port,
            appname=APPLICATION,
            directConnection=True,
            serverSelectionTimeoutMS=int(1000 * options.connect_timeout),
            connectTimeoutMS=int(1000 * options.connect_timeout),
            socketTimeoutMS=int(1000 * wait),
            **login,
            **options.tls,
        )


@contextlib.contextmanager
def said(options: Options, *more: type[Exception]) -> Iterator[None]:
    """Let errors of the library be ours, in one line, with the server's address.

    :param more: other errors that the library raises here.
    :raises EngineError: so it was.
    """
    import pymongo

    kinds: tuple[type[Exception], ...] = (pymongo.errors.PyMongoError, *more)
    try:
        yield
    except kinds as error:
        details = getattr(error, "details", None)
        text = str(details.get("errmsg") or error) if isinstance(details, Mapping) else str(error)
        text = " ".join(re.split(r", Timeout:| \(configured timeouts:", text, maxsplit=1)[0].split())[:500]
        hint = ""
        if getattr(error, "code", None) in (11, 18):
            hint = ": check login_user, login_password and login_database"
        elif getattr(error, "code", None) == 13:
            hint = ": the user wants the roles that the notes list"
        where = f"MongoDB at {options.host}:{options.port}"
        raise stream.EngineError(redact_text(f"{where}: {text}{hint}")) from error


def matches(full: str, patterns: Iterable[str]) -> bool:
    """Does one of the patterns mean a collection? One without a dot means a database."""
    database = full.split(".", 1)[0]
    return any(fnmatch.fnmatchcase(full if "." in one else database, one) for one in patterns)


def chosen(found: Sequence[Namespace], include: Sequence[str], exclude: Sequence[str]) -> list[Namespace]:
    """Those that patterns mean.

    :raises OptionError: a pattern of `include` means none: what is missed would be missed silently.
    """
    for one in include:
        if not any(matches(space.full, [one]) for space in found):
            raise OptionError(f"include: {one!r} means no collection of this server")
    return [one for one in found if (not include or matches(one.full, include)) and not matches(one.full, exclude)]


class Engine:
    """See :class:`run_backup.Engine`.

    :param consistency: `AUTO`, `SNAPSHOT` (all collections at one moment) or `COLLECTION` (each as it is read).
    :param tool: `AUTO`, `MONGODUMP` or `PYMONGO`.
    """

    name = NAME

    def __init__(
        self,
        pymongo: Any,
        options: Options,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        packed: bool = False,
        consistency: str = AUTO,
        tool: str = AUTO,
    ) -> None:
        self._pymongo, self._options = pymongo, options
        self._include, self._exclude = tuple(include), tuple(exclude)
        self._packed, self._consistency, self._tool = packed, consistency, tool
        self._hello: dict[str, Any] = {}

    def look(self, deadline: float) -> run_backup.Look:
        """Version, set, and size of the databases."""
        opened = client(self._pymongo, self._options, self._wait(deadline))
        try:
            with said(self._options):
                admin = opened.get_database("admin")
                admin.command("ping")
                build = admin.command("buildInfo")
                self._hello = self._said_hello(admin)
                spaces = self._spaces(opened)
                sizes = {name: _size(opened.get_database(name)) for name in sorted({one.database for one in spaces})}
        finally:
            opened.close()
        if self._consistency == SNAPSHOT and not self._hello.get("setName"):
            raise OptionError(
                "consistency: only members of a replica set have snapshots, and this server is none: leave it at auto"
            )
        self._chosen_tool()
        held = sum(sizes.values())
        source = {
            "host": self._options.host,
            "port": self._options.port,
            "set": self._hello.get("setName"),
            "role": "primary" if self._hello.get("isWritablePrimary", True) else "secondary",
            "databases": sizes,
            "collections": len(spaces),
            "only": list(self._include),
            "without": list(self._exclude),
        }
        # What patterns leave out cannot be told from the size of a database; and text packs to a tenth at best.
        whole = not self._include and not self._exclude
        return run_backup.Look(str(build.get("version", "?")), source, held, held // 10 if whole else 0)

    def write(self, folder: str, progress: stream.Progress, deadline: float) -> run_backup.Written:
        """Write the dump below ``dump/``."""
        top = os.path.join(folder, FOLDER)
        os.mkdir(top, 0o750)
        opened = client(self._pymongo, self._options, self._wait(deadline))
        try:
            before = self._optime(opened)
            tool = self._chosen_tool()
            if tool == MONGODUMP:
                written, options = self._by_mongodump(opened, folder, progress, deadline)
            else:
                written, options = self._by_pymongo(opened, folder, progress, deadline)
            after = self._optime(opened)
        finally:
            opened.close()
        position = {key: value for key, value in (("oplog_before", before), ("oplog_after", after)) if value}
        if moment := options.pop("moment", None):
            position["snapshot"] = moment
        return run_backup.Written(
            format=FORMAT,
            files=written.files,
            options={"tool": tool, "gzip": self._packed, **options},
            position=position,
            invariants={"collections": dict(sorted(written.collections.items())), "views": sorted(written.views)},
        )

    def verify(self, folder: str, written: run_backup.Written, deadline: float) -> str:
        """Walk over every document, and count them."""
        return verify(folder, [one.path for one in written.files], written.invariants, deadline)

    # -- what is there

    def _wait(self, deadline: float) -> float:
        return max(1.0, min(_ANSWER_S, deadline - time.monotonic()))

    def _said_hello(self, admin: Any) -> dict[str, Any]:
        try:
            return dict(admin.command("hello"))
        except self._pymongo.errors.OperationFailure:
            return {}  # "hello" came with MongoDB 5.0, and so did snapshots

    def _spaces(self, opened: Any) -> list[Namespace]:
        """What there is and is chosen.

        :raises OptionError: a pattern means nothing.
        """
        found: list[Namespace] = []
        names = [
            str(one["name"])
            for one in opened.get_database("admin").command("listDatabases", nameOnly=True)["databases"]
        ]
        for database in sorted(name for name in names if name not in _NOT_DUMPED):
            if "/" in database or database.startswith("."):
                raise OpsError(f"database {database!r} has a name that no folder can have: leave it out with exclude")
            for row in opened.get_database(database).list_collections():
                name = str(row["name"])
                if name.startswith(ASIDE) or (name.startswith("system.") and name not in _SYSTEM):
                    continue
                info = row.get("info") or {}
                uuid = info.get("uuid")
                kind = str(row.get("type") or COLLECTION)
                found.append(
                    Namespace(
                        database,
                        name,
                        kind,
                        dict(row.get("options") or {}),
                        bytes(uuid).hex() if isinstance(uuid, bytes) else "",
                    )
                )
        return sorted(chosen(found, self._include, self._exclude), key=lambda one: one.full)

    def _optime(self, opened: Any) -> dict[str, int] | None:
        """Where the oplog is: the time of the last write that this member has."""
        with said(self._options):
            hello = self._said_hello(opened.get_database("admin"))
        last = hello.get("lastWrite")
        moment = last.get("opTime", {}).get("ts") if isinstance(last, Mapping) else None
        return {"t": int(moment.time), "i": int(moment.inc)} if moment is not None else None

    def _chosen_tool(self) -> str:
        """Both write the same. mongodump is faster; pymongo has snapshots and patterns."""
        if self._tool == PYMONGO:
            return PYMONGO
        there = shutil.which("mongodump") is not None
        if self._tool == MONGODUMP:
            if not there:
                raise OptionError("tool: mongodump is not installed here (Debian: mongodb-database-tools); use pymongo")
            if self._consistency == SNAPSHOT:
                raise OptionError("tool: mongodump takes no snapshot of all collections: use pymongo for it")
            if self._exclude or len(self._include) > 1 or any(one for one in self._include if set(one) & set("*?[")):
                raise OptionError("tool: mongodump takes one name in include and no patterns: use pymongo for them")
            return MONGODUMP
        snapshot = self._consistency != COLLECTION and self._hello.get("setName")
        return MONGODUMP if there and not (self._include or self._exclude or snapshot) else PYMONGO

    # -- by mongodump

    def _by_mongodump(
        self, opened: Any, folder: str, progress: stream.Progress, deadline: float
    ) -> tuple[_Dump, dict[str, Any]]:
        options, top = self._options, os.path.join(folder, FOLDER)
        argv = ["mongodump", f"--host={options.host}", f"--port={options.port}", f"--out={top}"]
        argv += ["--gzip"] if self._packed else []
        for one in self._include:
            database, _dot, name = one.partition(".")
            argv += [f"--db={database}", *([f"--collection={name}"] if name else [])]
        if options.user:
            argv += [f"--username={options.user}", f"--authenticationDatabase={options.database}"]
        if options.mechanism:
            argv.append(f"--authenticationMechanism={options.mechanism}")
        if options.tls:
            argv.append("--ssl")
            files = {"tlsCAFile": "--sslCAFile", "tlsCertificateKeyFile": "--sslPEMKeyFile"}
            argv += [f"{files[key]}={value}" for key, value in options.tls.items() if key in files]
            argv += ["--tlsInsecure"] if options.tls.get("tlsAllowInvalidCertificates") else []
        with said(options):
            before = self._spaces(opened)
        # Its mode is 0600, and where we are killed it goes with what we were writing.
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".yml") as secret:
            if options.password:
                secret.write(f"password: {json.dumps(options.password)}\n")
                secret.flush()
                argv.append(f"--config={secret.name}")
            stream.work(argv, folder, {"LC_ALL": "C"}, progress, deadline)
        for inside, _folders, names in os.walk(top):
            for name in names:
                # A file of mongodump's own about the server; it is in the manifest.
                if name in ("prelude.json", "prelude.json.gz"):
                    os.unlink(os.path.join(inside, name))
        dump = _read_back(folder, deadline)
        with said(options):
            after = {space.full for space in self._spaces(opened)}
        for space in before:
            # What was made or dropped meanwhile may be in it or not.
            own = space.kind == COLLECTION and not space.name.startswith("system.")
            if own and space.full in after and space.full not in dump.collections:
                raise stream.EngineError(f"mongodump ended well and left out {space.full}")
        return dump, {"consistency": COLLECTION}

    # -- by pymongo

    def _by_pymongo(
        self, opened: Any, folder: str, progress: stream.Progress, deadline: float
    ) -> tuple[_Dump, dict[str, Any]]:
        if self._consistency == COLLECTION or not self._hello.get("setName"):
            with said(self._options):
                return self._all(opened, None, folder, progress, deadline), {"consistency": COLLECTION}
        try:
            with said(self._options), opened.start_session(snapshot=True) as session:
                dump = self._all(opened, session, folder, progress, deadline)
                moment = getattr(session, "snapshot_time", None) or getattr(session, "_snapshot_time", None)
        except stream.EngineError as error:
            cause = error.__cause__
            # The library itself knows which servers are too old.
            old = isinstance(cause, self._pymongo.errors.ConfigurationError)
            if not old and getattr(cause, "code", None) not in _NO_SNAPSHOT:
                raise
            if self._consistency == SNAPSHOT:
                raise stream.EngineError(
                    f"{error}. A dump that takes longer than the server keeps a moment wants a larger "
                    "minSnapshotHistoryWindowInSeconds, or consistency: collection"
                ) from error
            top = os.path.join(folder, FOLDER)
            shutil.rmtree(top)
            os.mkdir(top, 0o750)
            progress.at(0)
            with said(self._options):
                dump = self._all(opened, None, folder, progress, deadline)
            return dump, {"consistency": COLLECTION, "no_snapshot": str(error)}
        if moment is None:
            # What only speaks the protocol takes the wish for a snapshot, and does not know what it means.
            why = "the server tells no moment of its snapshot: it has none"
            if self._consistency == SNAPSHOT:
                raise stream.EngineError(f"{why}. Leave consistency at auto")
            return dump, {"consistency": COLLECTION, "no_snapshot": why}
        told: dict[str, Any] = {"consistency": SNAPSHOT, "moment": {"t": int(moment.time), "i": int(moment.inc)}}
        if dump.outside:
            told["outside_of_snapshot"] = sorted(dump.outside)
        return dump, told

    def _all(self, opened: Any, session: Any, folder: str, progress: stream.Progress, deadline: float) -> _Dump:
        dump = _Dump(folder, self._packed, progress, deadline)
        for space in self._spaces(opened):
            progress.item = space.full
            database = opened.get_database(space.database)
            os.makedirs(os.path.join(folder, FOLDER, space.database), mode=0o750, exist_ok=True)
            indexes: list[Any] = []
            if space.kind == VIEW:
                dump.views.append(space.full)
            else:
                # A capped collection has no snapshot.
                within = None if space.options.get("capped") else session
                if session is not None and within is None:
                    dump.outside.append(space.full)
                indexes = [_index(one) for one in database.get_collection(space.name).list_indexes()]
                self._documents(database.get_collection(space.stored), space, within, dump)
            dump.metadata(space, indexes)
        return dump

    def _documents(self, collection: Any, space: Namespace, session: Any, dump: _Dump) -> None:
        """Write one collection. A cursor that ends early, as one does that a server has lost, is tried once more."""
        for again in range(_TRIES):
            before = collection.estimated_document_count()
            rest = dump.documents(space, collection.find_raw_batches({}, batch_size=_BATCH, session=session))
            if rest >= before:
                return
            with contextlib.suppress(self._pymongo.errors.OperationFailure):
                # The quick count is wrong after a crash, and of what was deleted meanwhile.
                before = min(before, collection.count_documents({}, session=session))
            if rest >= before:
                return
            if again + 1 < _TRIES:
                dump.forget(space)
                continue
            raise stream.EngineError(
                f"{space.full}: {rest} documents came, and the server counts {before}: its answer ended early"
            )


class _Dump:
    """The files of a dump while they are written."""

    def __init__(self, folder: str, packed: bool, progress: stream.Progress, deadline: float) -> None:
        self._folder, self._packed, self._progress, self._deadline = folder, packed, progress, deadline
        self.files: list[File] = []
        self.collections: dict[str, int] = {}
        self.views: list[str] = []
        self.outside: list[str] = []

    def documents(self, space: Namespace, batches: Iterable[bytes]) -> int:
        """Write what a cursor gives, and count it."""
        found = 0
        path = self._path(space, space.stored, ".bson")
        with _Summed(path, self._folder, self._packed) as target:
            for batch in batches:
                try:
                    found += bson.count(batch)
                except bson.Damaged as error:
                    raise stream.EngineError(f"{space.full}: the server sent no documents: {error}") from error
                target.write(batch)
                self._progress.add(len(batch))
                if time.monotonic() > self._deadline:
                    raise stream.EngineError(f"the dump was not done in time: it was at {space.full}")
        self.files.append(target.file)
        self.collections[space.full] = found
        return found

    def forget(self, space: Namespace) -> None:
        """Take back the last one."""
        os.unlink(os.path.join(self._folder, self.files.pop().path))
        del self.collections[space.full]

    def metadata(self, space: Namespace, indexes: Sequence[Any]) -> None:
        """Write options and indexes."""
        from bson import json_util

        told: dict[str, Any] = {"options": dict(space.options), "indexes": list(indexes)}
        if space.uuid:
            told["uuid"] = space.uuid
        told.update(collectionName=space.name, type=space.kind)
        text = json_util.dumps(told, json_options=json_util.CANONICAL_JSON_OPTIONS)
        with _Summed(self._path(space, space.name, ".metadata.json"), self._folder, self._packed) as target:
            target.write(text.encode())
        self.files.append(target.file)

    def _path(self, space: Namespace, name: str, ending: str) -> str:
        packed = ".gz" if self._packed else ""
        return os.path.join(self._folder, FOLDER, space.database, escaped(name) + ending + packed)


class _Summed:
    """A new file that is packed and summed while it is written."""

    def __init__(self, path: str, folder: str, packed: bool) -> None:
        self._path, self._folder = path, folder
        self._digest, self._size = hashlib.sha256(), 0
        self._raw: IO[bytes] = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "wb")  # noqa: SIM115
        self._packer = gzip.GzipFile(fileobj=_Sink(self._take), mode="wb", compresslevel=6, mtime=0) if packed else None

    def write(self, data: bytes) -> None:
        if self._packer is not None:
            self._packer.write(data)
        else:
            self._take(data)

    def _take(self, data: bytes) -> int:
        self._digest.update(data)
        self._raw.write(data)
        self._size += len(data)
        return len(data)

    @property
    def file(self) -> File:
        """For the manifest."""
        return File(os.path.relpath(self._path, self._folder), self._size, self._digest.hexdigest())

    def __enter__(self) -> _Summed:
        return self

    def __exit__(self, kind: object, *_error: object) -> None:
        try:
            if self._packer is not None and kind is None:
                self._packer.close()
        finally:
            self._raw.close()


class _Sink:
    """What GzipFile wants of a file."""

    def __init__(self, take: Any) -> None:
        self.write = take

    def flush(self) -> None:
        """Nothing is kept here."""


def _index(found: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key != "ns"}


def _size(database: Any) -> int:
    found = database.command("dbStats").get("dataSize", 0)
    return int(found) if isinstance(found, (int, float)) else 0


def _read_back(folder: str, deadline: float) -> _Dump:
    """Sum and count what mongodump has written."""
    dump = _Dump(folder, False, stream.Progress(folder, NAME), deadline)
    for inside, _folders, names in sorted(os.walk(os.path.join(folder, FOLDER))):
        for name in sorted(names):
            path = os.path.join(inside, name)
            dump.files.append(stream.sum_file(path, folder))
            if is_metadata(name):
                told = read_metadata(path)
                full = "{}.{}".format(os.path.basename(inside), told.get("collectionName") or name_of(name))
                if told.get("type") == VIEW:
                    dump.views.append(full)
                else:
                    dump.collections[full] = 0
    counts = count_files(folder, [one.path for one in dump.files], deadline)
    for path, number in counts.items():
        dump.collections[_full_of(folder, path)] = number
    return dump


def is_metadata(path: str) -> bool:
    """Is it a file of options and indexes?"""
    return path.endswith((".metadata.json", ".metadata.json.gz"))


def is_documents(path: str) -> bool:
    """Is it a file of documents?"""
    return path.endswith((".bson", ".bson.gz"))


def name_of(path: str) -> str:
    """The collection of a file, by the file's name: without its ending, unescaped, and without what buckets have."""
    name = os.path.basename(path)
    for ending in (".gz", ".metadata.json", ".bson"):
        name = name[: -len(ending)] if name.endswith(ending) else name
    name = urllib.parse.unquote(name)
    return name[len(BUCKETS) :] if name.startswith(BUCKETS) else name


def _beside(path: str, paths: Sequence[str]) -> bool:
    """Whether options and indexes of a file of documents are among the files of a set."""
    where, name = os.path.split(path)
    name = name[len(BUCKETS) :] if name.startswith(BUCKETS) else name
    stem = os.path.join(where, re.sub(r"\.bson(\.gz)?$", "", name))
    return any(f"{stem}.metadata.json{ending}" in paths for ending in ("", ".gz"))


def _full_of(folder: str, path: str) -> str:
    """The namespace of a file of documents; a name that was too long for a file stands in what lies beside it."""
    database = os.path.basename(os.path.dirname(path))
    beside = os.path.join(folder, path)
    for ending in (".bson.gz", ".bson"):
        if beside.endswith(ending):
            packed = ".gz" if ending.endswith(".gz") else ""
            stem = beside[: -len(ending)]
            where, name = os.path.split(stem)
            name = name[len(BUCKETS) :] if name.startswith(BUCKETS) else name
            with contextlib.suppress(OSError, OpsError):
                told = read_metadata(os.path.join(where, name + ".metadata.json" + packed)).get("collectionName")
                if isinstance(told, str):
                    return f"{database}.{told}"
            break
    return f"{database}.{name_of(path)}"


def read_metadata(path: str) -> dict[str, Any]:
    """Options, indexes and kind of a collection, as plain JSON: numbers and times are as extended JSON writes them.

    :raises Damaged: the file is garbage.
    :raises OpsError: it cannot be read.
    """
    try:
        with bson.opened(path) as source:
            text = source.read(_METADATA_MOST)
            if len(text) == _METADATA_MOST:
                raise Damaged(f"{path}: no collection has so much to tell")
            told = json.loads(text)
    except OSError as error:
        if error.errno is not None:
            raise OpsError(f"{path}: {error.strerror}") from error
        raise Damaged(f"{path}: it is packed and damaged: {error}") from error
    except (EOFError, ValueError, RecursionError, zlib.error) as error:
        raise Damaged(f"{path}: it is no JSON, or is packed and damaged: {error}") from error
    if not isinstance(told, dict) or not _is_list_of_mappings(told.get("indexes", [])):
        raise Damaged(f"{path}: it does not tell options and indexes")
    return told


def _is_list_of_mappings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def count_files(folder: str, paths: Iterable[str], deadline: float) -> dict[str, int]:
    """The documents of each file of documents, walked to the last byte.

    :raises Damaged: one is damaged.
    :raises OpsError: one could not be read to its end.
    """
    found = {}
    for path in paths:
        if not is_documents(path):
            continue
        number = 0
        try:
            with bson.opened(os.path.join(folder, path)) as source:
                for _document in bson.documents(source):
                    number += 1
                    if not number % 1024 and time.monotonic() > deadline:
                        raise OpsError(f"{path} was not read to its end in time")
        except bson.Damaged as error:
            raise Damaged(f"{path}: {error}") from error
        except OSError as error:
            raise OpsError(f"{path}: {error.strerror or error}") from error
        found[path] = number
    return found


def verify(folder: str, paths: Sequence[str], invariants: Mapping[str, Any], deadline: float) -> str:
    """Level 2 of a dump: every document walked over, and as many as the manifest tells.

    :raises Damaged: something is damaged or missing.
    :raises OpsError: it could not be read to its end.
    """
    counts: dict[str, int] = {}
    for path, number in count_files(folder, paths, deadline).items():
        counts[_full_of(folder, path)] = number
    for path in paths:
        if is_metadata(path):
            read_metadata(os.path.join(folder, path))
    wanted = invariants.get("collections", {})
    alone = next(
        (
            path
            for path in paths
            if is_documents(path) and _full_of(folder, path) in wanted and not _beside(path, paths)
        ),
        None,
    )
    if alone:
        raise Damaged(f"{alone}: what tells its options and indexes is not beside it")
    for full, number in wanted.items():
        # mongodump writes no file for a collection that is empty in some versions.
        if counts.get(full, 0) != number:
            raise Damaged(f"{full}: {counts.get(full, 0)} documents are there, and {number} were written")
    extra = sorted(set(counts) - set(wanted))
    if extra and wanted:
        raise Damaged(f"{extra[0]} is there, and is not in the manifest")
    return f"{sum(counts.values())} documents of {len(counts)} collections walked"
