# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What findings have in common that nothing else explains: a zone, an image, a rollout, a registry, an address … Pure.

The dependency map explains what hangs on a component that is itself seen to be broken. This module looks for causes
that no check sees as an object of their own: two endpoints fail because one proxy is gone, four Deployments because one
image is broken. Where several findings share such a thing, and (nearly) everything that has it is ill, the report gets
one finding more, ``run.common``, that explains them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core.causes import Causes
from .._core.finding import CRITICAL, Finding, fingerprint
from .text import listed, moment_of

COMMON = "run.common"
"""The check that the report itself makes: do findings have one thing in common that explains them?"""

_NEARLY_ALL = 0.8
_ROLLOUT_WINDOW_S = 300.0
_FEW, _MORE = 2, 3

Group = dict[tuple[str, str], list[Mapping[str, Any]]]


@dataclass(frozen=True)
class Kind:
    """One sort of thing that findings may have in common.

    :ivar name: first part of the finding's object.
    :ivar checks: the checks whose findings may be explained by it.
    :ivar key: names the thing that a finding has, empty where it has none.
    :ivar title: sentence with ``{what}`` and ``{members}``.
    :ivar remedy: next step with ``{what}`` and ``{first}``, the object of the first member.
    :ivar users: how many have the thing in all, 0 where that is not known.
    :ivar least: how many findings make a group.
    """

    name: str
    checks: tuple[str, ...]
    key: Callable[[Mapping[str, Any]], str]
    title: str
    remedy: str
    users: Callable[[Mapping[str, Any]], int] = lambda _finding: 0
    least: int = _FEW


@dataclass
class Common:
    """A cause that was found: the finding, and the fingerprints of what it explains."""

    finding: dict[str, Any]
    members: list[str] = field(default_factory=list)


def _evidence(finding: Mapping[str, Any], *path: str) -> Any:
    value: Any = finding.get("evidence")
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _text(finding: Mapping[str, Any], *path: str) -> str:
    value = _evidence(finding, *path)
    return value if isinstance(value, str) else ""


def _number(finding: Mapping[str, Any], *path: str) -> int:
    value = _evidence(finding, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _cluster(finding: Mapping[str, Any]) -> str:
    return str(finding["object"]).split("/", 1)[0]


def _zone(finding: Mapping[str, Any]) -> str:
    zone = _text(finding, "zone")
    return "%s/%s" % (_cluster(finding), zone) if zone else ""


def _image(finding: Mapping[str, Any]) -> str:
    return _text(finding, "image")


def _registry(finding: Mapping[str, Any]) -> str:
    if _text(finding, "cause") not in ("unreachable", "authentication", "rate limit"):
        return ""
    first, slash, _rest = _image(finding).partition("/")
    return first if slash and (":" in first or "." in first or first == "localhost") else "docker.io"


def _config(finding: Mapping[str, Any]) -> str:
    """``cluster/namespace/Secret/name`` of what is missing, as the finding's title names it."""
    words = str(finding["title"]).split(": ", 1)[-1].split()
    parts = str(finding["object"]).split("/")
    for kind in ("Secret", "ConfigMap"):
        if kind in words[:-1] and len(parts) == 4:
            return "%s/%s/%s/%s" % (parts[0], parts[1], kind, words[words.index(kind) + 1])
    return ""


def _certificate(finding: Mapping[str, Any]) -> str:
    return _text(finding, "fingerprint_sha256") or _text(finding, "certificate", "fingerprint_sha256")


_RUNNING = (
    "k8s.crash_loop",
    "k8s.liveness",
    "k8s.readiness",
    "k8s.container_start",
    "k8s.init_stuck",
    "k8s.oom_killed",
)

KINDS: tuple[Kind, ...] = (
    Kind(
        "zone",
        ("k8s.node_ready",),
        _zone,
        "zone {what} is lost: {members} are not ready",
        "look at the provider's status and at power and network of {what}; until then keep its nodes cordoned",
        users=lambda finding: _number(finding, "nodes_in_zone"),
    ),
    Kind(
        "registry",
        ("k8s.image_pull",),
        _registry,
        "the registry {what} hands out no images: {members} wait for one",
        "curl -sI https://{what}/v2/ from a node; then its credentials (imagePullSecrets) and its rate limit",
    ),
    Kind(
        "image",
        ("k8s.image_pull",),
        _image,
        "the image {what} cannot be pulled: {members} want it",
        "is the tag right, and was it pushed? Roll back what was just deployed: kubectl rollout undo",
    ),
    Kind(
        "config",
        ("k8s.missing_config",),
        _config,
        "{what} is missing or incomplete: {members} need it",
        "create {what} again, from the repository or from a backup; the pods start by themselves",
    ),
    Kind(
        "image",
        _RUNNING,
        _image,
        "the image {what} does not run: all that use it are ill, {members}",
        "roll it back: kubectl rollout undo for each of them; read the last lines of the log of {first}",
        users=lambda finding: _number(finding, "image_users"),
        least=_FEW,
    ),
    Kind(
        "address",
        ("endpoint.reachable", "certificate.reachable"),
        lambda finding: _text(finding, "address"),
        "nothing answers at {what}: {members} are behind it",
        "look at the server or proxy at {what} first: is it up, does it listen, is a firewall in between?",
    ),
    Kind(
        "certificate",
        (
            "certificate.chain",
            "certificate.expiry",
            "certificate.hostname",
            "certificate.not_yet_valid",
            "certificate.trust",
            "endpoint.tls",
        ),
        _certificate,
        "one certificate ({what}) serves {members}",
        "renew and install that certificate once, then reload every server that uses it",
    ),
)


def find_common(
    findings: Sequence[Mapping[str, Any]],
    causes: Causes,
    component_of: Callable[[Mapping[str, Any]], str | None],
    depends_on: Mapping[str, Sequence[str]],
) -> list[Common]:
    """What unexplained critical findings have in common; puts it into `causes`, so that it explains them.

    :param component_of: the node of the dependency map that a finding is about.
    """
    found: list[Common] = []
    for kind in KINDS:
        found += _of_kind(kind, _roots(findings, causes), causes)
    found += _rollouts(_roots(findings, causes), causes)
    found += _dependencies(findings, causes, component_of, depends_on)
    return found


def _roots(findings: Iterable[Mapping[str, Any]], causes: Causes) -> list[Mapping[str, Any]]:
    return [
        one for one in findings if one["status"] == CRITICAL and causes.caused_by.get(str(one["fingerprint"])) is None
    ]


def _of_kind(kind: Kind, roots: Iterable[Mapping[str, Any]], causes: Causes) -> list[Common]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for one in roots:
        key = kind.key(one) if one["check"] in kind.checks else ""
        if key:
            groups.setdefault(key, []).append(one)
    found = []
    for key, members in sorted(groups.items()):
        objects = {str(one["object"]) for one in members}
        users = max(kind.users(one) for one in members)
        if len(objects) < kind.least or (users and len(objects) < users * _NEARLY_ALL):
            continue
        found.append(_make(kind.name, key, kind.title, kind.remedy, members, causes))
    return found


def _rollouts(roots: Iterable[Mapping[str, Any]], causes: Causes) -> list[Common]:
    """Workloads whose ill pods were all made by a change of the last minutes, at one time."""
    changed = []
    for one in roots:
        seconds = moment_of(_text(one, "rollout", "at"))
        if one["check"] in _RUNNING and seconds is not None:
            changed.append((_cluster(one), seconds, one))
    changed.sort(key=lambda entry: (entry[0], entry[1], str(entry[2]["object"])))
    groups: list[list[tuple[str, float, Mapping[str, Any]]]] = []
    for entry in changed:
        last = groups[-1] if groups else None
        if last and last[0][0] == entry[0] and entry[1] - last[0][1] <= _ROLLOUT_WINDOW_S:
            last.append(entry)
        else:
            groups.append([entry])
    title = "a rollout of {what} broke {members}"
    remedy = "who deployed then, and what? Take it back: kubectl rollout undo, first of all for {first}"
    return [
        _make("rollout", "%s/%s" % (group[0][0], _text(group[0][2], "rollout", "at")), title, remedy, members, causes)
        for group in groups
        for members in [[entry[2] for entry in group]]
        if len({str(one["object"]) for one in members}) >= _MORE
    ]


def _dependencies(
    findings: Sequence[Mapping[str, Any]],
    causes: Causes,
    component_of: Callable[[Mapping[str, Any]], str | None],
    depends_on: Mapping[str, Sequence[str]],
) -> list[Common]:
    """A dependency that nobody saw failing, while nearly all that need it are ill and nothing explains them."""
    red: dict[str, list[Mapping[str, Any]]] = {}
    for one in _roots(findings, causes):
        component = component_of(one)
        if component is not None:
            red.setdefault(component, []).append(one)
    ill = {component_of(one) for one in findings if one["status"] == CRITICAL}
    users: dict[str, list[str]] = {}
    for name, needs in depends_on.items():
        for need in needs:
            if need != name:
                users.setdefault(need, []).append(name)
    best: list[tuple[int, str]] = []
    for need, names in users.items():
        # Some that need it are explained by others that need it, too: what counts is who is ill.
        hit = [name for name in names if name in ill]
        roots = [name for name in names if name in red]
        enough = len(hit) >= _MORE and len(hit) >= len(names) * _NEARLY_ALL and len(roots) >= _FEW
        if need not in ill and enough:
            best.append((len(hit), need))
    if not best:
        return []
    most = max(best)[0]
    tied = sorted(need for count, need in best if count == most)
    first = tied[0]
    members = [one for name in sorted(users[first]) for one in red.get(name, ())]
    also = " (or %s: the same services need them)" % listed(tied[1:]) if tied[1:] else ""
    title = "{what} is suspected%s: {members} need it, and nothing else explains them" % also
    remedy = "look at {what} by hand: it was not seen, or answers the check and not its clients"
    return [_make("dependency", first, title, remedy, members, causes)]


def _make(kind: str, key: str, title: str, remedy: str, members: Sequence[Mapping[str, Any]], causes: Causes) -> Common:
    objects = sorted({str(one["object"]) for one in members})
    names = listed([name.rsplit("/", 1)[-1] for name in objects], 4)
    obj = "%s/%s" % (kind, key)
    finding = Finding(
        check=COMMON,
        object=obj,
        status=CRITICAL,
        title=title.replace("{what}", key).replace("{members}", names),
        value=float(len(objects)),
        unit="objects",
        evidence={"in_common": kind, "what": key, "objects": objects},
        remedy=remedy.replace("{what}", key).replace("{first}", objects[0]),
        runbook="daily:initial-response-steps",
        fingerprint=fingerprint(COMMON, obj),
        recorded_at=next((one["recorded_at"] for one in members if one.get("recorded_at")), None),
    ).to_dict()
    for one in members:
        causes.caused_by[str(one["fingerprint"])] = finding["fingerprint"]
    return Common(finding, [str(one["fingerprint"]) for one in members])
