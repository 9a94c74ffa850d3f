# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One claim of a run, what becomes of its snapshot, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._k8s.read import listing
from .run_backup import human
from .volume_claims import Claim
from .volume_snapshot import Snapshot


@dataclass
class Job:
    """One claim, and what becomes of its snapshot.

    :ivar seen: the snapshot as it was last read; made: by this run; mine: this run waits for it, so that it goes where
        it does not get ready; why: it failed.
    """

    claim: Claim
    name: str
    began: float
    seen: Snapshot | None = None
    made: bool = False
    mine: bool = False
    why: str = ""
    seconds: float | None = None
    erred: float | None = None
    handle: str | None = None
    driver: str | None = None
    kept: str = ""

    @property
    def done(self) -> bool:
        """Nothing is to be waited for."""
        return bool(self.why) or (self.seen is not None and self.seen.ready)


def row(job: Job) -> dict[str, Any]:
    """A snapshot as the module returns it."""
    seen = job.seen
    return {
        "namespace": job.claim.namespace,
        "pvc": job.claim.name,
        "name": job.name,
        "class": (seen.snapshot_class if seen else "") or job.claim.snapshot_class,
        "driver": job.driver or job.claim.driver or None,
        "content": seen.content or None if seen else None,
        "handle": job.handle,
        "ready": bool(seen and seen.ready and not job.why),
        "restore_size": seen.restore_size if seen else None,
        "creation_time": seen.created if seen else None,
        "seconds": job.seconds,
        "made": job.made,
        "why": job.why + (f". {job.kept}" if job.kept else "") if job.why else None,
    }


def lines(
    rows: Sequence[Mapping[str, Any]], skipped: Sequence[Mapping[str, str]], pruned: Sequence[Mapping[str, Any]],
    check_mode: bool,
) -> list[str]:  # fmt: skip
    """All of a run, as lines to read."""
    told = []
    for one in rows:
        if one["why"]:
            outcome = "FAILED: %s" % one["why"]
        elif one["ready"]:
            size = human(one["restore_size"]) if one["restore_size"] else "size not told"
            took = "in %.4g s" % one["seconds"] if one["seconds"] is not None else "was there"
            outcome = f"ready {took}, {size}, {one['driver'] or 'driver not told'}"
        else:
            outcome = "would be made"
        told.append(f"{one['namespace']}/{one['pvc']}  {one['name']}  {outcome}")
    told += ["{namespace}/{pvc}  left out: {why}".format(**one) for one in skipped]
    goes = "would go" if check_mode else "gone"
    for one in pruned:
        what = "stays" if one["stays"] else goes
        told.append(f"{one['namespace']}/{one['name']}  {what}: {'; '.join(one['why'])}")
    return told


def message(system: str, jobs: Sequence[Job], made: int, gone: int, leftovers: Sequence[str], check_mode: bool) -> str:
    """What came of a run, in one line."""
    failed = [job for job in jobs if job.why]
    ready = [job for job in jobs if not job.why and job.seen is not None and job.seen.ready]
    words = []
    if failed:
        told = "; ".join(f"{job.claim.title}: {job.why}" + (f". {job.kept}" if job.kept else "") for job in failed[:10])
        would = "would not be made" if check_mode else "did not get ready"
        words.append(f"{system}: {len(failed)} of {len(jobs)} snapshots {would}: {told}")
        if not check_mode:
            kept = [job for job in failed if job.kept]
            words.append("the others of these are removed" if kept else "what was made of these is removed")
            words.append(f"{len(ready)} are ready, and stay")
    elif check_mode:
        words.append(f"{system}: would make {made} snapshots; {len(jobs) - made} are there already")
    else:
        size = sum(job.seen.restore_size or 0 for job in ready if job.seen)
        longest = max((job.seconds or 0 for job in ready), default=0)
        words.append(
            f"{system}: {len(ready)} snapshots are ready"
            + (f", of {human(size)}" if size else "")
            + (f", {made} of them new, the longest took {longest:.4g} s" if made else ", none of them new")
        )
    if gone:
        words.append(f"{'would remove' if check_mode else 'removed'} {gone} old")
    if leftovers:
        words.append(
            f"{'would remove' if check_mode else 'removed'} {len(leftovers)} that an earlier run has left "
            f"({listing(list(leftovers))})"
        )
    return "; ".join(words)
