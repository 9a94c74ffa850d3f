# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make snapshots of volume claims, wait until each is ready to use, and leave nothing that is not."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._core.argspec import ArgSpec
from .._core.errors import OpsError, OptionError
from .._k8s.read import Doc, listing, text
from . import layout, retention, volume_claims, volume_retention
from .k8s_api import Api, ApiError
from .run_backup import human
from .scratch_postgres import ends_cleanly
from .volume_claims import SNAPSHOT, Claim, refused
from .volume_snapshot import SYSTEM, Snapshot, check_system, content_of, name_of, waits_for, wanted

DEADLINE = 600.0
# A controller notes an error and tries again; two writers that met are an error of a moment.
ERROR_LASTS_S = 8.0
CLEAN_S = 30.0
_ASK_EVERY, _ASK_AT_LEAST_EVERY = 0.5, 3.0


class NotAll(OpsError):
    """Some snapshots are not there.

    :ivar result: what the module returns beside the message: what is there all the same.
    """

    def __init__(self, words: str, result: dict[str, Any]) -> None:
        super().__init__(words)
        self.result = result


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


def spec() -> ArgSpec:
    """The options of the module but those of the connection."""
    return ArgSpec(
        {
            "state": {"type": "str", "default": "present", "choices": ["present", "restored"]},
            "system": {"type": "str", "required": True},
            "claims": {"type": "list", "elements": "str", "default": []},
            "label_selector": {"type": "str", "default": ""},
            "snapshot_class": {"type": "str", "default": ""},
            "skip_unable": {"type": "bool", "default": False},
            "stamp": {"type": "str", "default": ""},
            "labels": {"type": "dict", "default": {}},
            "annotations": {"type": "dict", "default": {}},
            "keep": {"type": "dict", "default": {}},
            "suffix": {"type": "str", "default": "-restored"},
            "deadline": {"type": "float", "default": DEADLINE},
        }
    )


def run(
    params: Mapping[str, Any], check_mode: bool, connect: Callable[[Mapping[str, Any], float], Api] = Api,
    now: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Make them, or say what would be made and what would go.

    :raises OpsError: nothing was made; NotAll: not all are ready. What is ready stays, what is not has been removed.
    """
    system, rule = _check(params)
    now = time.time() if now is None else now
    stamp = str(params["stamp"]) or layout.stamp()
    api = connect(params, time.monotonic() + float(params["deadline"]))
    volume_claims.served(api)
    claims, skipped = volume_claims.choose(api, params)
    before = ours(api, system, volume_claims.spread(claims))
    work = Work(api, params, system, stamp, now, claims, before)
    if check_mode:
        work.plan()
    else:
        with ends_cleanly("the snapshots that were not ready are removed, those that were ready stay"):
            work.make()
    pruned: list[dict[str, Any]] = []
    trouble = ""
    try:
        if rule:
            work.prune(rule, check_mode, pruned)
    except OpsError as error:
        trouble = f"; old ones were not thinned out: {error}"
    result = work.told(skipped, pruned, check_mode)
    result["msg"] += trouble
    if trouble or any(job.why for job in work.jobs):
        raise NotAll(result["msg"], result)
    return result


def ours(api: Api, system: str, namespaces: Iterable[str]) -> list[Snapshot]:
    """The snapshots of a system, in some namespaces; one of none is of the whole cluster."""
    found = []
    for namespace in namespaces:
        try:
            listed = [doc for doc, _about in api.pages(SNAPSHOT, namespace, f"{SYSTEM}={system}") if doc]
        except ApiError as error:
            where = f"in {namespace}" if namespace else "in the cluster"
            raise refused(error, f"list volumesnapshots {where}") from None
        found += [Snapshot(doc) for doc in listed]
    return [one for one in found if one.system == system]


class Work:
    """The snapshots of one run.

    :param now: seconds since 1970; before: the snapshots of the system that were there.
    """

    def __init__(
        self, api: Api, params: Mapping[str, Any], system: str, stamp: str, now: float, claims: Sequence[Claim],
        before: Sequence[Snapshot],
    ) -> None:  # fmt: skip
        self._api, self._params, self._system, self._stamp, self._now = api, params, system, stamp, now
        self._before = list(before)
        self._until = now + float(params["deadline"]) + CLEAN_S
        self._clock = time.monotonic()
        self.jobs = [Job(one, name_of(one.name, system, stamp), self._clock) for one in claims]
        self._trouble = ""
        self._find()
        mine = {(job.claim.namespace, job.name) for job in self.jobs}
        chosen = {(one.namespace, one.name) for one in claims}
        left = [
            one
            for one in before
            if one.left(now) and (one.namespace, one.name) not in mine and (one.namespace, one.claim) in chosen
        ]
        self.leftovers = [one for one in left if not one.going]
        self.stuck = [one.title for one in left if one.going]

    def plan(self) -> None:
        """Let the API server say of each that is missing whether it would be made."""
        for job in self.jobs:
            if job.seen is None and not job.why:
                self._post(job, dry_run=True)

    def make(self) -> None:
        """Make what is missing, wait, and remove what did not get ready.

        An end by force comes through here as well: what is not ready goes with it.
        """
        try:
            for job in self.jobs:
                job.mine = job.seen is not None and not job.done
                if job.seen is None and not job.why:
                    self._post(job)
            self._wait()
            self._contents()
        except BaseException:
            self._clean([job for job in self.jobs if job.mine and not (job.seen and job.seen.ready)])
            raise
        self._clean([job for job in self.jobs if job.mine and job.why])
        self._remove_leftovers()

    def _find(self) -> None:
        """What is there under the names that are wanted. Of an earlier run with the same stamp it is taken over."""
        there = {(one.namespace, one.name): one for one in self._before}
        for job in self.jobs:
            one = there.get((job.claim.namespace, job.name))
            if one is not None:
                job.why = self._another(job, one)
                job.seen = one

    def _another(self, job: Job, one: Snapshot) -> str:
        """Why a snapshot of the wanted name is not the wanted one; empty where it is."""
        if one.system != self._system or one.stamp != self._stamp or one.claim != job.claim.name:
            return f"a snapshot {one.title} is there already, and is not of {self._system} at {self._stamp}"
        if one.claim_uid != job.claim.uid:
            return f"{one.title} is of an earlier claim of that name, which has been made anew: choose another stamp"
        if one.going:
            return f"{one.title} is being deleted: choose another stamp"
        return ""

    def _post(self, job: Job, dry_run: bool = False) -> None:
        doc = wanted(job.claim, self._system, self._stamp, self._until, dict(self._params))
        path = SNAPSHOT.url(job.claim.namespace) + "?fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        job.began = time.monotonic()
        # Whatever comes of the request, it may have been heard.
        job.mine = not dry_run
        try:
            answer = self._api.ask("POST", path, doc)
        except ApiError as error:
            job.mine = False
            if error.status == 409:
                self._there_already(job)
            else:
                job.why = str(refused(error, f"create volumesnapshots in {job.claim.namespace}"))
            return
        if not dry_run:
            job.seen, job.made = Snapshot(answer), True

    def _there_already(self, job: Job) -> None:
        """Somebody was quicker, or the first answer was lost."""
        found = self._api.one(SNAPSHOT, job.claim.namespace, job.name)
        if found is None:
            job.why = f"the API server calls {job.name} there already, and has none of that name"
            return
        one = Snapshot(found)
        job.why = self._another(job, one)
        if not job.why:
            job.seen, job.mine = one, True

    def _wait(self) -> None:
        pause = _ASK_EVERY
        while True:
            open_jobs = [job for job in self.jobs if not job.done]
            if not open_jobs:
                return
            left = self._api.left()
            if left <= 0:
                break
            time.sleep(min(pause, left))
            pause = min(pause * 1.3, _ASK_AT_LEAST_EVERY)
            self._look(open_jobs)
        # What stands against it is asked after the deadline, too.
        self._api.extend(CLEAN_S)
        for job in [job for job in self.jobs if not job.done]:
            said = job.seen.error if job.seen else ""
            because = f"its status says: {said}" if said else waits_for(self._api, job.seen) if job.seen else ""
            asked = f" (the API server: {self._trouble})" if self._trouble else ""
            job.why = f"not ready within {self._params['deadline']:g} s: {because}{asked}"

    def _look(self, jobs: Sequence[Job]) -> None:
        """One list for each namespace in which something is waited for."""
        try:
            there = {
                (one.namespace, one.name): one
                for one in ours(self._api, self._system, sorted({job.claim.namespace for job in jobs}))
            }
        except OpsError as error:
            # An API server that starts again is waited for, as long as there is time.
            self._trouble = str(error)
            return
        self._trouble = ""
        now = time.monotonic()
        for job in jobs:
            one = there.get((job.claim.namespace, job.name))
            if one is None or (job.seen is not None and one.uid != job.seen.uid):
                job.why = "somebody has deleted it while it was made"
                job.mine = False
                continue
            job.seen = one
            if one.ready:
                job.seconds = round(now - job.began, 3)
            elif one.going:
                job.why = "somebody deletes it while it is made"
            elif one.error:
                job.erred = job.erred or now
                if now - job.erred >= ERROR_LASTS_S:
                    job.why = f"its driver or its controller refuses: {one.error}"
            else:
                job.erred = None

    def _contents(self) -> None:
        """That a snapshot is ready is believed when its content says so, too."""
        for job in self.jobs:
            if job.why or job.seen is None:
                continue
            try:
                told, wrong = content_of(self._api, job.seen)
            except OpsError:
                continue  # the snapshot itself says that it is ready
            job.handle, job.driver, job.why = told["handle"], told["driver"], wrong

    def _clean(self, jobs: Sequence[Job]) -> None:
        """Remove what did not get ready, and see that it is gone."""
        targets = [(job, job.seen.uid if job.seen else "") for job in jobs]
        if not targets:
            return
        self._api.extend(CLEAN_S)
        for job, uid in targets:
            try:
                if not uid:
                    # The answer to its making was lost: only what has our marks is ours to take.
                    found = self._api.one(SNAPSHOT, job.claim.namespace, job.name)
                    if found is None or self._another(job, Snapshot(found)):
                        continue
                    uid = text(found, "metadata", "uid")
                self._delete(job.claim.namespace, job.name, uid)
            except OpsError as error:
                job.kept = f"it could not be removed ({error}): kubectl -n {job.claim.namespace} delete vs {job.name}"
        until = time.monotonic() + CLEAN_S
        for job in [job for job, _uid in targets if not job.kept]:
            if not self._gone(job, until):
                job.kept = "it is being deleted, and stays until its driver has answered"
                self.stuck.append(f"{job.claim.namespace}/{job.name}")

    def _gone(self, job: Job, until: float) -> bool:
        self._api.extend(CLEAN_S)
        while True:
            with contextlib.suppress(OpsError):
                if self._api.one(SNAPSHOT, job.claim.namespace, job.name) is None:
                    return True
            if time.monotonic() >= until:
                return False
            time.sleep(_ASK_EVERY)

    def _delete(self, namespace: str, name: str, uid: str) -> None:
        """Delete one; another one that has taken its name since is left alone."""
        body: Doc = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            self._api.ask("DELETE", SNAPSHOT.url(namespace, name), body)
        except ApiError as error:
            if error.status not in (404, 409):
                raise refused(error, f"delete volumesnapshots in {namespace}") from None

    def _remove_leftovers(self) -> None:
        """What a run that was killed has left, and what nobody waits for any more."""
        self._api.extend(CLEAN_S)
        for one in self.leftovers:
            self._delete(one.namespace, one.name, one.uid)

    # -- retention

    def prune(self, rule: retention.Rules, check_mode: bool, told: list[dict[str, Any]]) -> None:
        """Thin out the snapshots of each claim that has a new one, the oldest first; `told` gets what was done."""
        self._api.extend(CLEAN_S)
        left = {one.title for one in self.leftovers}
        used = self._used()
        for job in self.jobs:
            if job.why:
                continue
            groups: dict[str, list[Snapshot]] = {}
            for one in self._known(job):
                if one.claim == job.claim.name and one.namespace == job.claim.namespace and one.title not in left:
                    groups.setdefault(one.claim_uid, []).append(one)
            if check_mode and job.seen is None:
                # As it will be when it is time to remove others.
                groups.setdefault(job.claim.uid, []).append(_to_be(job, self._stamp, self._system))
            for uid, group in sorted(groups.items()):
                former = uid != job.claim.uid
                told += self._thin(job, group, rule, used, former, check_mode)

    def _thin(
        self, job: Job, group: Sequence[Snapshot], rule: retention.Rules, used: Mapping[str, str], former: bool,
        check_mode: bool,
    ) -> list[dict[str, Any]]:  # fmt: skip
        by_name = {one.name: one for one in group}
        taken = [
            volume_retention.Taken(
                one.name,
                self._now if one.began is None else one.began,
                one.ready,
                one.error,
                tuple([f"the claim {used[one.title]} is being made from it"] if one.title in used else [])
                + (() if one.began is not None else ("nobody can say of when it is",)),
            )
            for one in group
            if not one.going
        ]
        rows = []
        for verdict in reversed(volume_retention.decide(taken, rule, self._now)):
            one = by_name[verdict.stamp]
            if not verdict.stays and not check_mode:
                self._delete(one.namespace, one.name, one.uid)
            why = [*verdict.why, *(["of an earlier claim of that name"] if former else [])]
            rows.append(
                {
                    "namespace": one.namespace,
                    "pvc": job.claim.name,
                    "name": one.name,
                    "stamp": one.stamp,
                    "ready": one.ready,
                    "stays": verdict.stays,
                    "why": why,
                }
            )
        return rows[::-1]

    def _known(self, job: Job) -> list[Snapshot]:
        """The snapshots of before, with what has become of this run's."""
        others = [one for one in self._before if job.seen is None or one.title != job.seen.title]
        return [*others, job.seen] if job.seen is not None else others

    def _used(self) -> dict[str, str]:
        """Snapshots from which a claim is being made at this moment, with its name."""
        found = {}
        for namespace in sorted({job.claim.namespace for job in self.jobs}):
            try:
                listed = [doc for doc, _about in self._api.pages(volume_claims.CLAIM, namespace) if doc]
            except ApiError as error:
                raise refused(error, f"list persistentvolumeclaims in {namespace}") from None
            for doc in listed:
                for key in ("dataSource", "dataSourceRef"):
                    name = text(doc, "spec", key, "name")
                    if text(doc, "spec", key, "kind") == SNAPSHOT.kind and text(doc, "status", "phase") != "Bound":
                        found[f"{namespace}/{name}"] = text(doc, "metadata", "name")
        return found

    # -- words

    def told(
        self, skipped: Sequence[Mapping[str, str]], pruned: Sequence[Mapping[str, Any]], check_mode: bool
    ) -> dict[str, Any]:
        """What the module returns."""
        gone = ["%(namespace)s/%(name)s" % one for one in pruned if not one["stays"]]
        rows = [_row(job) for job in self.jobs]
        made = [job for job in self.jobs if (job.made or (check_mode and job.seen is None)) and not job.why]
        leftovers = [one.title for one in self.leftovers]
        before = sorted(one.title for one in self._before)
        after = sorted({*before, *(f"{job.claim.namespace}/{job.name}" for job in made)} - {*gone, *leftovers})
        return {
            "changed": bool(made or gone or leftovers),
            "stamp": self._stamp,
            "snapshots": rows,
            "skipped": list(skipped),
            "leftovers": leftovers,
            "stuck": self.stuck,
            "retention": list(pruned),
            "removed": gone,
            "lines": _lines(rows, skipped, pruned, check_mode),
            "msg": self._message(len(made), len(gone), leftovers, check_mode),
            "diff": {
                "before": "".join(one + "\n" for one in before),
                "after": "".join(one + "\n" for one in after),
                "before_header": f"snapshots of {self._system}",
                "after_header": f"snapshots of {self._system}",
            },
        }

    def _message(self, made: int, gone: int, leftovers: Sequence[str], check_mode: bool) -> str:
        failed = [job for job in self.jobs if job.why]
        ready = [job for job in self.jobs if not job.why and job.seen is not None and job.seen.ready]
        words = []
        if failed:
            told = "; ".join(
                f"{job.claim.title}: {job.why}" + (f". {job.kept}" if job.kept else "") for job in failed[:10]
            )
            would = "would not be made" if check_mode else "did not get ready"
            words.append(f"{self._system}: {len(failed)} of {len(self.jobs)} snapshots {would}: {told}")
            if not check_mode:
                kept = [job for job in failed if job.kept]
                words.append("the others of these are removed" if kept else "what was made of these is removed")
                words.append(f"{len(ready)} are ready, and stay")
        elif check_mode:
            words.append(f"{self._system}: would make {made} snapshots; {len(self.jobs) - made} are there already")
        else:
            size = sum(job.seen.restore_size or 0 for job in ready if job.seen)
            longest = max((job.seconds or 0 for job in ready), default=0)
            words.append(
                f"{self._system}: {len(ready)} snapshots are ready"
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


def _to_be(job: Job, stamp: str, system: str) -> Snapshot:
    doc = wanted(job.claim, system, stamp, 0.0, {"labels": {}, "annotations": {}})
    return Snapshot({**doc, "status": {"readyToUse": True, "boundVolumeSnapshotContentName": "to-be"}})


def _row(job: Job) -> dict[str, Any]:
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


def _lines(
    rows: Sequence[Mapping[str, Any]], skipped: Sequence[Mapping[str, str]], pruned: Sequence[Mapping[str, Any]],
    check_mode: bool,
) -> list[str]:  # fmt: skip
    lines = []
    for one in rows:
        if one["why"]:
            outcome = "FAILED: %s" % one["why"]
        elif one["ready"]:
            size = human(one["restore_size"]) if one["restore_size"] else "size not told"
            took = "in %.4g s" % one["seconds"] if one["seconds"] is not None else "was there"
            outcome = f"ready {took}, {size}, {one['driver'] or 'driver not told'}"
        else:
            outcome = "would be made"
        lines.append(f"{one['namespace']}/{one['pvc']}  {one['name']}  {outcome}")
    lines += ["{namespace}/{pvc}  left out: {why}".format(**one) for one in skipped]
    goes = "would go" if check_mode else "gone"
    for one in pruned:
        what = "stays" if one["stays"] else goes
        lines.append(f"{one['namespace']}/{one['name']}  {what}: {'; '.join(one['why'])}")
    return lines


def _check(params: Mapping[str, Any]) -> tuple[str, retention.Rules | None]:
    system = check_system(str(params["system"]))
    if params["deadline"] < 0.001:
        raise OptionError(f"deadline: want more seconds, got {params['deadline']:g}")
    if params["stamp"] and not layout.is_stamp(params["stamp"]):
        raise OptionError(f"stamp: want a time in UTC such as 2026-11-29T060000Z, got {params['stamp']!r}")
    if params["claims"] and params["label_selector"]:
        raise OptionError("claims: name claims, or choose them with label_selector, not both")
    if not params["claims"] and not params["namespaces"] and not params["label_selector"]:
        raise OptionError("claims: say which, by claims, namespaces or label_selector")
    for key in ("labels", "annotations"):
        for name, value in params[key].items():
            if not isinstance(value, str):
                raise OptionError(f"{key}: {name} is a text, got {value!r}: put it in quotes")
            if name.startswith("nexuscos-ops/"):
                raise OptionError(f"{key}: {name} is set by the module")
    return system, retention.rules(params["keep"]) if params["keep"] else None
