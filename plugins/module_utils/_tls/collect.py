# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at all sources side by side; what comes back is what `evaluate` judges and recordings keep."""

from __future__ import annotations

import datetime
import threading
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from .._core.errors import OptionError
from .._http.failure import Failure
from .._http.resolve import Resolver
from . import certs, places, trust, wire
from .places import Unread
from .spec import ENDPOINT, FILE, KUBECONFIG, SECRET, Source

MOST_THREADS = 256
_KEPT = ("sha256", "subject", "not_before", "not_after", "serial")
"""What is kept of a certificate that should be served."""
GATE_SECONDS = 0.1
"""So long at most a connection waits for the others before its handshake. Handshakes cost time of processors; without
this the last connection of the list, which may be the slowest, would only begin when all others are through."""


_Chain = Union["list[certs.Cert]", Unread]


@dataclass
class _Got:
    """What one source gave.

    :ivar parts: the parts of the source with what was read of them.
    :ivar reference: what an endpoint should serve; None where nobody asks.
    """

    shown: wire.Shown | None = None
    parts: list[tuple[str, _Chain]] = field(default_factory=list)
    error: dict[str, Any] | None = None
    reference: _Chain | None = None
    finished: bool = False


def collect(sources: Sequence[Source], deadline: float) -> dict[str, Any]:
    """Ask every source, each from a thread of its own, so that a hanging one holds nobody up.

    :param deadline: seconds for all of it; what has not answered by then is in the observation as unfinished.
    :returns: ``{"looked_at": …, "deadline": …, "sources": [{**Source.public(), …}]}``
    :raises OptionError: a library, a kubeconfig or the file of the authorities is missing.
    """
    with warnings.catch_warnings():
        # About serial numbers and the like, which nobody who reads a report can do anything about.
        warnings.simplefilter("ignore")
        return _collect(sources, deadline)


def _collect(sources: Sequence[Source], deadline: float) -> dict[str, Any]:
    certs.library()
    # Threads end a little before the module does, so that they can still say how far they came.
    end = time.monotonic() + deadline - min(0.1, deadline / 10)
    clusters = places.Clusters(end)
    for source in sources:
        if source.secret:
            clusters.connect(source.secret)
    stores = _Stores()
    for source in sources:
        if source.trust and (source.ca_path or source.kind == ENDPOINT):
            stores.open(source.ca_path)
    got = _ask(sources, end, clusters)
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return {"looked_at": certs.iso(now), "deadline": deadline, "sources": _read(sources, got, stores, now)}


class _Stores:
    """Trusted authorities by the path that they come from. Where the system has none, that is part of what is seen."""

    def __init__(self) -> None:
        self._known: dict[str | None, trust.Store | str] = {}

    def open(self, path: str | None) -> None:
        if path in self._known:
            return
        try:
            self._known[path] = trust.open_store(path)
        except OptionError as error:
            if path is not None:
                raise
            self._known[path] = str(error)

    def get(self, path: str | None) -> trust.Store | str | None:
        return self._known.get(path)


class _Gate:
    """Opens when so many have come, or for each one after a while."""

    def __init__(self, count: int) -> None:
        self._left, self._lock, self._open = count, threading.Lock(), threading.Event()

    def pass_by(self) -> None:
        """Count one that does not wait."""
        with self._lock:
            self._left -= 1
            if self._left <= 0:
                self._open.set()

    def wait(self) -> None:
        """Count one, and wait."""
        self.pass_by()
        self._open.wait(GATE_SECONDS)


def _ask(sources: Sequence[Source], end: float, clusters: places.Clusters) -> list[_Got]:
    """One thread a source, 256 at a time; returns when all have answered, or at the end."""
    got = [_Got() for _source in sources]
    crashed: list[BaseException] = []
    changed = threading.Condition()
    under_way = 0
    resolver, tls, gate = Resolver(), wire.context(), _Gate(min(len(sources), MOST_THREADS))

    def work(place: int) -> None:
        nonlocal under_way
        try:
            one = _one(sources[place], end, resolver, tls, clusters, gate)
            with changed:
                got[place] = one
        except BaseException as error:  # noqa: BLE001  # raised again in the main thread
            crashed.append(error)
        with changed:
            under_way -= 1
            changed.notify_all()

    with changed:
        for place in range(len(sources)):
            while under_way >= MOST_THREADS and time.monotonic() < end:
                changed.wait(max(end - time.monotonic(), 0.001))
            if time.monotonic() >= end or crashed:
                break
            under_way += 1
            threading.Thread(target=work, args=(place,), daemon=True).start()
        while under_way and not crashed and time.monotonic() < end + 0.05:
            changed.wait(max(end + 0.05 - time.monotonic(), 0.001))
        if crashed:
            raise crashed[0]
        return list(got)


def _one(source: Source, end: float, resolver: Resolver, tls: Any, clusters: places.Clusters, gate: _Gate) -> _Got:
    got = _Got(finished=True)
    if source.kind != ENDPOINT:
        gate.pass_by()
    try:
        if source.kind == ENDPOINT:
            if source.file or source.secret:
                got.reference = _load(_reference(source, clusters))
            own_end = time.monotonic() + source.timeout
            try:
                got.shown = wire.show(source, resolver, tls, min(own_end, end), gate.wait)
                got.parts = [("", _load(got.shown.chain))]
            except Failure as failure:
                if failure.phase in ("dns", "connect"):
                    gate.pass_by()
                got.error = {"phase": failure.phase, "kind": failure.kind, "text": failure.text, **failure.more}
                # Cut short by the deadline of all, it says nothing about this one.
                got.finished = not (failure.kind == "timeout" and own_end > end)
        elif source.kind == FILE:
            got.parts = [("", _load(places.file(str(source.file))))]
        elif source.kind == KUBECONFIG:
            got.parts = [(part, _load(ders)) for part, ders in places.kubeconfig(str(source.kubeconfig))]
        elif source.kind == SECRET and source.secret:
            got.parts = [(part, _load(ders)) for part, ders in clusters.read(source.secret)]
    except Unread as error:
        got.error = {"phase": "read", **error.to_dict()}
    return got


def _reference(source: Source, clusters: places.Clusters) -> list[bytes] | Unread:
    """What the endpoint should serve."""
    try:
        return clusters.read(source.secret)[0][1] if source.secret else places.file(str(source.file))
    except Unread as error:
        return error


def _read(
    sources: Sequence[Source], got: Sequence[_Got], stores: _Stores, now: datetime.datetime
) -> list[dict[str, Any]]:
    """Plain values, and the paths to the authorities: every certificate that was seen may help another."""
    pool: dict[bytes, list[certs.Cert]] = {}
    for one in got:
        for chain in (*(chain for _part, chain in one.parts), one.reference):
            for cert in chain if isinstance(chain, list) else ():
                if cert.plain["ca"] and not cert.plain["self_signed"]:
                    pool.setdefault(cert.subject, []).append(cert)
    return [_observed(source, one, stores, pool, now) for source, one in zip(sources, got)]


def _load(ders: list[bytes] | Unread) -> list[certs.Cert] | Unread:
    if isinstance(ders, Unread):
        return ders
    try:
        return certs.load(ders)
    except certs.NoCertificate as error:
        return Unread("garbage", str(error))


def _observed(
    source: Source,
    got: _Got,
    stores: _Stores,
    pool: dict[bytes, list[certs.Cert]],
    now: datetime.datetime,
) -> dict[str, Any]:
    found: dict[str, Any] = {**source.public(), "finished": got.finished, "error": got.error, "certificates": []}
    if got.shown:
        found.update(
            {
                "address": got.shown.address,
                "ms": got.shown.ms,
                "version": got.shown.version,
                "cipher": got.shown.cipher,
                "note": got.shown.note,
                "whole_chain": got.shown.whole,
            }
        )
    for part, chain in got.parts:
        entry: dict[str, Any] = {"part": part, "error": None, "chain": [], "trust": None}
        if isinstance(chain, Unread):
            entry["error"] = chain.to_dict()
        else:
            entry["chain"] = [cert.plain for cert in chain]
            entry["trust"] = _trust(source, chain, stores, pool, now)
        found["certificates"].append(entry)
    if got.reference is not None:
        where = source.secret.where if source.secret else source.file
        if isinstance(got.reference, Unread):
            found["reference"] = {"where": where, "error": got.reference.to_dict()}
        else:
            kept = {key: got.reference[0].plain[key] for key in _KEPT}
            found["reference"] = {"where": where, "error": None, **kept}
    return found


def _trust(
    source: Source,
    chain: Sequence[certs.Cert],
    stores: _Stores,
    pool: dict[bytes, list[certs.Cert]],
    now: datetime.datetime,
) -> dict[str, Any] | None:
    """None where nobody asks: a kubeconfig, a bundle of authorities, a file without a named authority."""
    if not source.trust or source.kind == KUBECONFIG or (source.kind != ENDPOINT and not source.ca_path):
        return None
    if source.kind == FILE and all(cert.plain["ca"] for cert in chain):
        return None
    store = stores.get(source.ca_path)
    if store is None or isinstance(store, str):
        return {"kind": "unasked", "text": store or "no authorities", "path": []}
    return trust.judge_path(chain, store, pool, now, source.kind == ENDPOINT)
