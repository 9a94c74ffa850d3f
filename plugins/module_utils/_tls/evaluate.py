# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge an observation of certificates. Pure: plain values in, findings out.

An observation may be a recording that somebody has bent, so nothing in it is taken for what it should be.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._core.finding import CRITICAL, OK, UNKNOWN, WARNING
from .._core.judge import Judge
from .._core.threshold import Threshold
from . import checks
from .names import matches

# What these say nothing about is not a fault of the certificate: (status, sentence).
_SILENT = {
    ("dns", "timeout"): "%s was not seen: no name server answers",
    ("dns", "temporary"): "%s was not seen: the name servers fail",
    ("dns", "other"): "%s was not seen: its name cannot be resolved",
    ("connect", "timeout"): "%s was not seen: nothing comes back (TCP time-out)",
    ("connect", "unreachable"): "%s was not seen: no route to its address",
    ("connect", "other"): "%s was not seen: it cannot be connected to",
    ("starttls", "timeout"): "%s was not seen: it takes connections and says nothing",
    ("tls", "timeout"): "%s was not seen: it does not finish the TLS handshake",
}
_BROKEN = {
    ("dns", "not_found"): "%s cannot be reached: its name is not in the DNS",
    ("connect", "refused"): "%s refuses connections",
    ("connect", "reset"): "%s resets connections",
    ("starttls", "refused"): "%s offers no TLS",
    ("starttls", "garbage"): "%s does not speak the protocol of its STARTTLS",
    ("starttls", "closed"): "%s hangs up before TLS",
    ("starttls", "reset"): "%s resets the connection before TLS",
    ("tls", "not_tls"): "%s does not speak TLS on its TLS port",
    ("tls", "closed"): "%s hangs up during the TLS handshake",
    ("tls", "reset"): "%s resets the connection during the TLS handshake",
    ("tls", "anonymous"): "%s shows no certificate",
    ("tls", "handshake"): "%s fails the TLS handshake",
}
_WEAK = ("md2", "md4", "md5", "sha1")
_DAY = 86400.0
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_SHORT_LIVED = 3
"""A certificate that lives less than so many times the target is judged by shares of its life."""


@dataclass(frozen=True)
class _Case:
    """One certificate with what belongs to it."""

    source: Mapping[str, Any]
    name: str
    obj: str
    chain: Sequence[Mapping[str, Any]]
    path: Sequence[int]
    trust: Mapping[str, Any]
    now: float

    @property
    def leaf(self) -> Mapping[str, Any]:
        return self.chain[0]

    @property
    def kind(self) -> str:
        return _text(self.source.get("kind"))

    @property
    def bundle(self) -> bool:
        """Authorities beside one another, of which each is meant: nobody's chain."""
        return self.kind in ("file", "kubeconfig") and all(one.get("ca") is True for one in self.chain)

    def meant(self) -> list[Mapping[str, Any]]:
        """The certificates whose dates and keys matter: a client ignores a root that it is sent, and what is astray."""
        if self.bundle:
            return list(self.chain)
        return [self.chain[place] for place in self.path if place == 0 or not self.chain[place].get("self_signed")]

    def evidence(self, **more: Any) -> dict[str, Any]:
        """What was seen, small enough to read."""
        leaf = self.leaf
        found = {
            **_about(self.source),
            "address": self.source.get("address"),
            "tls_version": self.source.get("version"),
            "subject": leaf.get("subject"),
            "issuer": leaf.get("issuer"),
            "names": _texts(leaf.get("names"))[:20] + _texts(leaf.get("addresses"))[:20],
            "not_before": leaf.get("not_before"),
            "not_after": leaf.get("not_after"),
            "serial": leaf.get("serial"),
            "fingerprint_sha256": leaf.get("sha256"),
            **more,
        }
        return {key: value for key, value in found.items() if value not in (None, [], "")}


def evaluate(observation: Mapping[str, Any], judge: Judge) -> None:
    """Judge every certificate of an observation."""
    now = _moment(observation.get("looked_at"))
    sources = [one for one in _list(observation.get("sources")) if isinstance(one, Mapping)]
    if now is None:
        # Without the time of the look no date can be judged.
        judge.unseen_rest("the observation does not say when the look was taken")
        judge.facts = _facts([], 0, 0, [])
        return
    table: list[dict[str, Any]] = []
    total = fine = 0
    reached: list[bool] = []
    for source in sources:
        good, rows, count = _source(source, observation, now, judge)
        total, fine = total + count, fine + good
        table += rows
        if source.get("kind") == "endpoint":
            reached.append(bool(rows))
    for check in judge.checks:
        if not _applies(check, sources, bool(table)):
            judge.looked(check, 0)
    judge.unseen_rest("no certificate was seen that this could be asked of")
    judge.facts = _facts(table, fine, total, reached)


def _facts(table: list[dict[str, Any]], fine: int, total: int, reached: Sequence[bool]) -> dict[str, Any]:
    table.sort(key=lambda row: (row["days_left"] is None, row["days_left"] or 0.0, row["name"]))
    dated = [row for row in table if row["days_left"] is not None]
    return {
        "certificates_ok": fine,
        "certificates_total": total,
        "endpoints_reached": sum(reached),
        "endpoints_total": len(reached),
        "days_to_expiry": dated[0]["days_left"] if dated else None,
        "nearest": {"name": dated[0]["name"], "days": dated[0]["days_left"]} if dated else None,
        "certificates": table,
    }


def _applies(check: str, sources: Sequence[Mapping[str, Any]], seen: bool) -> bool:
    """False where nobody asks this question: there is nothing of the kind among the sources, or in what they hold."""
    endpoint = any(one.get("kind") == "endpoint" for one in sources)
    if check == checks.REACHABLE:
        return endpoint
    if check == checks.FILE:
        return any(one.get("kind") != "endpoint" for one in sources)
    if check == checks.DRIFT:
        return any(isinstance(one.get("reference"), Mapping) for one in sources)
    if check == checks.HOSTNAME:
        return any(one.get("asked_name") for one in sources)
    if check == checks.TRUST:
        # A file is held against an authority only where one is named.
        return any(one.get("kind") == "endpoint" and one.get("trust") is not False for one in sources)
    return bool(sources) and (seen or check != checks.CHAIN or endpoint)


def _source(
    source: Mapping[str, Any], observation: Mapping[str, Any], now: float, judge: Judge
) -> tuple[int, list[dict[str, Any]], int]:
    """Judge one source.

    :returns: its certificates without a finding, the rows of all that were seen, and how many there were to see.
    """
    name = _text(source.get("name")) or "?"
    obj = f"{judge.target}/{name}"
    error = source.get("error")
    endpoint = source.get("kind") == "endpoint"
    if source.get("finished") is not True:
        _unfinished(source, obj, observation, judge)
        return 0, [], 1
    if isinstance(error, Mapping):
        if endpoint:
            _unreached(source, name, obj, error, judge)
        else:
            _unread(source, name, obj, error, judge)
        return 0, [], 1
    entries = [one for one in _list(source.get("certificates")) if isinstance(one, Mapping)]
    fine, rows = 0, []
    if not endpoint:
        judge.looked(checks.FILE)
    for entry in entries:
        part = _text(entry.get("part"))
        said, where = (f"{name}/{part}", f"{obj}/{part}") if part else (name, obj)
        trouble = entry.get("error")
        chain = [one for one in _list(entry.get("chain")) if isinstance(one, Mapping)]
        if isinstance(trouble, Mapping) or not chain:
            given = trouble if isinstance(trouble, Mapping) else {"kind": "garbage", "text": "no certificate"}
            if endpoint:
                what = {"phase": "tls", "kind": "handshake", "text": given.get("text")}
                _unreached(source, said, where, what, judge)
            else:
                _unread(source, said, where, given, judge, count=bool(part))
            continue
        if endpoint:
            judge.report(checks.REACHABLE, where, f"{said} answers", OK, evidence=_about(source))
        trust = entry.get("trust")
        path = _path(chain)
        case = _Case(source, said, where, chain, path, trust if isinstance(trust, Mapping) else {}, now)
        fine += _judge(case, judge)
        rows.append(_row(case))
    if not entries and endpoint:
        _unreached(source, name, obj, {"phase": "tls", "kind": "anonymous", "text": "no certificate"}, judge)
    return fine, rows, max(len(entries), 1 if endpoint else 0)


def _unfinished(source: Mapping[str, Any], obj: str, observation: Mapping[str, Any], judge: Judge) -> None:
    seconds = observation.get("deadline")
    title = "{} was not reached before the deadline of {} s for all sources".format(
        _text(source.get("name")) or "?", format(seconds, "g") if _number(seconds) else "?"
    )
    check = checks.REACHABLE if source.get("kind") == "endpoint" else checks.FILE
    judge.unknown(check, obj, title, _about(source), remedy="raise deadline, or lower timeout")


def _unreached(source: Mapping[str, Any], name: str, obj: str, error: Mapping[str, Any], judge: Judge) -> None:
    key = (_text(error.get("phase")), _text(error.get("kind")))
    silent = _SILENT.get(key)
    sentence = silent or _BROKEN.get(key) or "%s cannot be looked at"
    evidence = {
        **_about(source),
        "address": _text(error.get("address")) or source.get("address"),
        "phase": key[0],
        "kind": key[1],
        "error": _text(error.get("text")),
    }
    evidence = {key: value for key, value in evidence.items() if value}
    title = sentence % name
    if key == ("starttls", "refused"):
        title += " ({})".format(_text(source.get("starttls")))
    judge.report(
        checks.REACHABLE, obj, title, UNKNOWN if silent else CRITICAL, evidence=evidence, remedy=_s_client(source)
    )


def _unread(
    source: Mapping[str, Any], name: str, obj: str, error: Mapping[str, Any], judge: Judge, count: bool = True
) -> None:
    kind = _text(error.get("kind"))
    what = {"file": "file", "secret": "Secret", "kubeconfig": "kubeconfig"}.get(_text(source.get("kind")), "source")
    words = {
        "missing": f"{name}: the {what} is gone",
        "denied": f"{name}: the {what} may not be read",
        "garbage": f"{name}: the {what} holds no readable certificate",
        "timeout": f"{name}: no answer from where the {what} is kept",
    }
    evidence = {**_about(source), "kind": kind, "error": _text(error.get("text"))}
    judge.report(
        checks.FILE,
        obj,
        words.get(kind, f"{name}: the {what} cannot be read"),
        CRITICAL if kind == "missing" else UNKNOWN,
        evidence=evidence,
        remedy=_read_remedy(source),
        count=count,
    )


def _about(source: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("where", "service", "starttls", "connect_to")
    return {key: source[key] for key in keys if isinstance(source.get(key), str) and source[key]}


def _judge(case: _Case, judge: Judge) -> bool:
    """All questions about one certificate; returns whether it is fine."""
    worst = [
        _expiry(case, judge),
        _begun(case, judge),
        _hostname(case, judge),
        _chain(case, judge),
        _trust(case, judge),
        _key(case, judge),
        _signature(case, judge),
        _drift(case, judge),
    ]
    return all(status == OK for status in worst)


def _expiry(case: _Case, judge: Judge) -> str:
    dated = [(moment, one) for one in case.meant() if (moment := _moment(one.get("not_after"))) is not None]
    if not dated or _moment(case.leaf.get("not_after")) is None:
        return judge.report(checks.EXPIRY, case.obj, f"{case.name}: its end cannot be read", UNKNOWN)
    end, first = min(dated, key=lambda pair: pair[0])
    days = round((end - case.now) / _DAY, 1)
    who = case.name
    if first is not case.leaf:
        subject = _subject(first)
        who = f"{subject} in {case.name}" if case.bundle else f"the intermediate {subject} of {case.name}"
    title = "{} {} ({})".format(who, _when(end - case.now), _text(first.get("not_after"))[:10])
    evidence = case.evidence(path=[_subject(one) for one in case.meant()] if len(case.meant()) > 1 else None)
    begin = _moment(first.get("not_before"))
    line = judge.thresholds.get(checks.EXPIRY, case.obj)
    life = (end - begin) / _DAY if begin is not None else None
    if line.target is not None and life is not None and 0 < life < _SHORT_LIVED * line.target:
        # It can never have thirty days left: what is left of its life is what counts.
        alert = min(line.alert, life / 10) if line.alert is not None else None
        own = Threshold(min(line.target, life / 3), alert, line.direction)
        evidence["judged_by"] = "it lives {} days: a warning below {:.1f}, critical below {:.1f} days".format(
            format(round(life, 1), "g"), own.target or 0, own.alert or 0
        )
        status = own.status(days)
        judge.report(checks.EXPIRY, case.obj, title, status, value=days, evidence=evidence, remedy=_renew(case))
        return status if line.enabled else OK
    return judge.value(checks.EXPIRY, case.obj, days, title, evidence, remedy=_renew(case))


def _begun(case: _Case, judge: Judge) -> str:
    late = [
        (moment, one)
        for one in case.meant()
        if (moment := _moment(one.get("not_before"))) is not None and moment > case.now
    ]
    if not late:
        judge.looked(checks.NOT_YET_VALID)
        return OK
    begin, one = max(late, key=lambda pair: pair[0])
    who = case.name if one is case.leaf else f"{_subject(one)} in {case.name}"
    title = "{} is not valid before {}".format(who, _text(one.get("not_before")))
    return judge.report(
        checks.NOT_YET_VALID,
        case.obj,
        title,
        value=round((begin - case.now) / _DAY, 2),
        evidence=case.evidence(clock=_iso(case.now)),
    )


def _hostname(case: _Case, judge: Judge) -> str:
    wanted = _text(case.source.get("asked_name"))
    if not wanted or case.bundle or case.kind == "kubeconfig":
        judge.looked(checks.HOSTNAME, 0)
        return OK
    names, addresses = _texts(case.leaf.get("names")), _texts(case.leaf.get("addresses"))
    if matches(wanted, names, addresses):
        judge.looked(checks.HOSTNAME)
        return OK
    if names or addresses:
        shown = ", ".join((names + addresses)[:3]) + (" …" if len(names + addresses) > 3 else "")
        title = f"{case.name} shows a certificate for {shown}, not for {wanted}"
    else:
        subject = _subject(case.leaf)
        title = f"{case.name} shows a certificate without subject alternative names, so not for {wanted} ({subject})"
    return judge.report(
        checks.HOSTNAME, case.obj, title, evidence=case.evidence(asked_name=wanted), remedy=_s_client(case.source)
    )


def _chain(case: _Case, judge: Judge) -> str:
    if case.bundle or case.kind == "kubeconfig":
        judge.looked(checks.CHAIN, 0)
        return OK
    if case.kind == "endpoint" and case.source.get("whole_chain") is not True:
        judge.unseen(checks.CHAIN, "Python shows the whole chain from 3.10 on; an older one sees the first certificate")
        return OK
    if case.trust.get("kind") == "missing":
        title = "{} sends an incomplete chain: {}".format(case.name, _text(case.trust.get("text")))
        return judge.report(checks.CHAIN, case.obj, title, CRITICAL, evidence=_chain_evidence(case))
    wrong = _disorder(case.chain, case.path)
    if wrong is None:
        judge.looked(checks.CHAIN)
        return OK
    verb = "sends" if case.kind == "endpoint" else "holds"
    return judge.report(checks.CHAIN, case.obj, f"{case.name} {verb} {wrong}", WARNING, evidence=_chain_evidence(case))


def _chain_evidence(case: _Case) -> dict[str, Any]:
    sent = []
    for one in case.chain[:10]:
        signer = "itself" if one.get("self_signed") is True else _text(one.get("issuer"))
        sent.append(f"{_subject(one)} signed by {signer}")
    return case.evidence(sent=sent)


def _path(chain: Sequence[Mapping[str, Any]]) -> list[int]:
    """Places of a chain from its first certificate along the signatures, as far as they lead."""
    path = [0]
    while True:
        following = chain[path[-1]].get("issued_by")
        if isinstance(following, bool) or not isinstance(following, int):
            return path
        if not 0 <= following < len(chain) or following in path:
            return path
        path.append(following)


def _disorder(chain: Sequence[Mapping[str, Any]], path: Sequence[int]) -> str | None:
    """What is wrong with the order of a chain."""
    prints = [_text(one.get("sha256")) for one in chain]
    if chain[0].get("ca") is True and any(one.get("ca") is False for one in chain[1:]):
        return "an authority before the certificate itself"
    twice = len(prints) - len(set(prints))
    if list(path) != sorted(path):
        return "its chain in the wrong order"
    known = {prints[place] for place in path}
    astray = [one for place, one in enumerate(chain) if prints[place] not in known]
    if astray:
        what = "a certificate that does" if len(astray) == 1 else "%d certificates that do" % len(astray)
        return "{} not belong to its chain: {}".format(what, ", ".join(_subject(one) for one in astray[:3]))
    if twice:
        return "a certificate twice"
    return None


_DISTRUST = {
    "self_signed": "%s shows a certificate that is signed by itself and not trusted",
    "unknown_root": "%s: %t",
    "unknown": "%s leads to no trusted authority: %t",
    "forged": "%s is signed by an impostor: %t",
    "limits": "%s is signed by who may not: %t",
    "purpose": "%s shows a certificate that is not for servers",
    "expired": "%s leads to an authority that is no longer valid: %t",
}


def _trust(case: _Case, judge: Judge) -> str:
    kind = _text(case.trust.get("kind"))
    if not kind:
        judge.looked(checks.TRUST, 0)
        return OK
    if kind == "unasked":
        judge.unseen(checks.TRUST, _text(case.trust.get("text")) or "no authorities to trust")
        return OK
    if kind == "missing" and (case.kind != "endpoint" or case.source.get("whole_chain") is True):
        # Said by certificate.chain, and once is enough.
        judge.looked(checks.TRUST)
        return OK
    if kind == "missing":
        judge.unseen(checks.TRUST, "Python older than 3.10 shows no intermediates")
        return OK
    if kind == "unknown" and case.kind == "endpoint" and case.source.get("whole_chain") is not True:
        judge.unseen(checks.TRUST, "Python older than 3.10 shows no intermediates")
        return OK
    if kind == "unchecked":
        text = _text(case.trust.get("text"))
        judge.unknown(checks.TRUST, case.obj, f"{case.name}: {text} here", case.evidence(reason=text))
        return UNKNOWN
    sentence = _DISTRUST.get(kind)
    if sentence is None:
        judge.looked(checks.TRUST)
        return OK
    title = sentence.replace("%s", case.name, 1).replace("%t", _text(case.trust.get("text")), 1)
    return judge.report(
        checks.TRUST,
        case.obj,
        title,
        evidence=case.evidence(reason=_text(case.trust.get("text")), path=_texts(case.trust.get("path"))[:12]),
        remedy=_distrust_remedy(case, kind),
    )


def _key(case: _Case, judge: Judge) -> str:
    sized = [(one["key_as_rsa"], one) for one in case.meant() if _number(one.get("key_as_rsa"))]
    if not sized:
        judge.looked(checks.KEY)
        return OK
    bits, one = min(sized, key=lambda pair: float(pair[0]))
    who = case.name if one is case.leaf else f"{_subject(one)} in {case.name}"
    title = "{} has a key of {} with {} bits".format(who, _text(one.get("key_type")) or "?", one.get("key_bits"))
    weak = judge.thresholds.get(checks.KEY, case.obj).status(bits) != OK
    return judge.value(checks.KEY, case.obj, bits, title, case.evidence(key_of=_subject(one)) if weak else None)


def _signature(case: _Case, judge: Judge) -> str:
    weak = [one for one in case.meant() if _weak(one)]
    if not weak:
        judge.looked(checks.SIGNATURE)
        return OK
    one = weak[0]
    who = case.name if one is case.leaf else f"{_subject(one)} in {case.name}"
    title = "{} is signed with {}".format(who, _text(one.get("signature")).upper())
    return judge.report(checks.SIGNATURE, case.obj, title, evidence=case.evidence(signature=one.get("signature")))


def _weak(one: Mapping[str, Any]) -> bool:
    said = _text(one.get("signature")).lower().replace("-", "")
    return one.get("self_signed") is not True and any(said == name or said.startswith(name + "with") for name in _WEAK)


def _drift(case: _Case, judge: Judge) -> str:
    reference = case.source.get("reference")
    if not isinstance(reference, Mapping) or case.kind != "endpoint":
        judge.looked(checks.DRIFT, 0)
        return OK
    where = _text(reference.get("where"))
    error = reference.get("error")
    if isinstance(error, Mapping):
        title = f"{case.name} cannot be compared with what it should serve: {where} cannot be read"
        judge.unknown(checks.DRIFT, case.obj, title, {**_about(case.source), "error": _text(error.get("text"))})
        return UNKNOWN
    if reference.get("sha256") == case.leaf.get("sha256"):
        judge.looked(checks.DRIFT)
        return OK
    served, kept = _moment(case.leaf.get("not_before")), _moment(reference.get("not_before"))
    title = f"{case.name} serves another certificate than the one in {where}"
    if served is not None and kept is not None and kept > served:
        title += ", which is newer: it was renewed and not loaded"
    evidence = case.evidence(
        kept={key: reference.get(key) for key in ("where", "subject", "not_before", "not_after", "serial", "sha256")}
    )
    return judge.report(checks.DRIFT, case.obj, title, evidence=evidence)


# Remedies, filled with what was looked at.


def _s_client(source: Mapping[str, Any]) -> str:
    where = _text(source.get("where"))
    place = _text(source.get("address")) or _text(source.get("connect_to")) or where
    command = f"openssl s_client -connect {place}"
    name = _text(source.get("asked_name"))
    if name and ":" not in name and not name.replace(".", "").isdigit():
        command += f" -servername {name}"
    if _text(source.get("starttls")):
        command += " -starttls {}".format(_text(source.get("starttls")))
    return command + " -showcerts, from the machine that looked"


def _read_remedy(source: Mapping[str, Any]) -> str:
    where = _text(source.get("where"))
    if source.get("kind") == "secret":
        return (
            f"kubectl get secret ({where}); the right to read it: playbooks/files/nexuscos-ops-tls-secrets.yml, "
            "docs/inventory.md"
        )
    return f"openssl x509 -noout -dates -in {where}, as the user who looks"


def _renew(case: _Case) -> str | None:
    if case.kind == "kubeconfig":
        return "make a new client certificate, or kubeadm certs renew, and replace it in {}".format(
            _text(case.source.get("where"))
        )
    if case.kind == "endpoint":
        return (
            "renew it (kubectl get certificates -A; cert-manager renew {name}) and reload what serves "
            + _text(case.source.get("where"))
            + "; when it was renewed, the server still has the old one loaded"
        )
    if case.kind == "file":
        return "renew it, replace it in {} and reload what uses it".format(_text(case.source.get("where")))
    return None


def _distrust_remedy(case: _Case, kind: str) -> str | None:
    if kind in ("unknown", "unknown_root", "self_signed"):
        return "a private authority? name it in ca_path of this source; else issue it by a known one. " + (
            _s_client(case.source) if case.kind == "endpoint" else "openssl verify -CAfile CA FILE"
        )
    return None


def _row(case: _Case) -> dict[str, Any]:
    """The line of a certificate in the table of all."""
    end = _moment(case.leaf.get("not_after"))
    return {
        "name": case.name,
        "subject": _text(case.leaf.get("subject")),
        "issuer": _text(case.leaf.get("issuer")),
        "not_after": _text(case.leaf.get("not_after")),
        "days_left": None if end is None else round((end - case.now) / _DAY, 1),
    }


# Plain values without trust.


def _moment(given: Any) -> float | None:
    """Seconds since 1970 of an ISO time in UTC; None where it is none."""
    if not isinstance(given, str):
        return None
    try:
        parsed = datetime.datetime.strptime(given, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return None
    return (parsed - _EPOCH).total_seconds()


def _iso(moment: float) -> str:
    return (_EPOCH + datetime.timedelta(seconds=moment)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _when(seconds: float) -> str:
    """``expires in 5.9 days``, ``expired 2 days ago``."""
    size = abs(seconds)
    if size >= 2 * _DAY:
        words = "{} days".format(format(round(size / _DAY, 1) if size < 10 * _DAY else size // _DAY, "g"))
    elif size >= 7200:
        words = "%d hours" % (size // 3600)
    else:
        words = "%d minutes" % (size // 60)
    return f"expires in {words}" if seconds >= 0 else f"expired {words} ago"


def _subject(one: Mapping[str, Any]) -> str:
    return _text(one.get("subject")) or "a certificate without a subject"


def _text(given: Any) -> str:
    return given if isinstance(given, str) else ""


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _texts(given: Any) -> list[str]:
    return [one for one in _list(given) if isinstance(one, str)]


def _number(given: Any) -> bool:
    """A number that is one, and of a size that anything here may have."""
    return isinstance(given, (int, float)) and not isinstance(given, bool) and -1e12 < given < 1e12
