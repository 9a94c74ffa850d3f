# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report for a terminal or a log: what matters first; a hundred columns and, without -v, one screen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .._checklists import DOING
from .._history.delta import BETTER, UNCHANGED
from . import delta_view, restorable
from .evidence import telling
from .text import clean, cut, duration, listed, number, pad, plural, when, width, wrap

COLUMNS = 100
SCREEN = 44
"""Lines that the default report takes at most; longer is for -v, the files, and the page."""

_INDENT = " " * 10
_LABEL = 10
_COLOUR = {
    "ok": "green",
    "warning": "yellow",
    "critical": "red",
    "unknown": "purple",
    "not covered": "dark gray",
    "manual": "blue",
}

_LABELS = {"CAUSE": "bright red", "NEW": "bright yellow", "WORSE": "bright red", "BETTER": "green"}

Paint = Callable[[str, str], str]
"""Takes a text and the name of a colour as ansible.utils.color has them."""


def plain(text: str, _colour: str) -> str:
    """No colour at all."""
    return text


def render(
    report: Mapping[str, Any], paint: Paint = plain, columns: int = COLUMNS, verbose: bool = False, path: str = ""
) -> str:
    """The whole report as lines.

    :param paint: how to colour; :func:`plain` for logs.
    :param verbose: every finding with all of its evidence.
    :param path: where the files are, for the last line; empty where none were written.
    """
    columns = max(60, min(columns, 140))
    top = [*header(report, paint, columns), "", *items(report, paint, columns)]
    if report["backups"] and (verbose or report["run"]["procedure"] in DOING):
        head, *rest = restorable.lines(report["backups"], columns)
        top += ["", paint(head, "dark gray"), *rest]
    changed = _changed(report, paint, columns, verbose)
    bottom = [
        *_coverage(report, paint, columns, verbose),
        *_recorded(report, paint, columns),
        *_history(report, paint, columns),
    ]
    if path:
        bottom.append("%s%s" % (pad("report", _LABEL), path))
    room = None if verbose else max(SCREEN - len(top) - len(changed) - len(bottom) - 2, 8)
    middle = _findings(report, paint, columns, room)
    lines = [*top, "", *middle, *changed]
    if bottom:
        lines += ["", *bottom]
    return "\n".join(lines)


def header(report: Mapping[str, Any], paint: Paint, columns: int) -> list[str]:
    """``morning · prod · 2026-11-22 06:00 UTC · 41 s · seen 97 %``."""
    run, cover = report["run"], report["coverage"]
    recorded = sum(1 for system in report["systems"] if system["mode"] == "recorded")
    words = [
        str(run["title"]),
        str(run["platform"]),
        when(run["started"]),
        duration(float(run["duration_seconds"])),
        plural(len({system["name"] for system in report["systems"]}), "system"),
        seen(cover),
    ]
    if recorded:
        words.append("%d of %d recorded, not live" % (recorded, len(report["systems"])))
    if run.get("check_mode"):
        words.append("check mode")
    lines = wrap(" · ".join(clean(word) for word in words if word), columns)
    return [paint(lines[0], "bright blue"), *lines[1:]]


def seen(cover: Mapping[str, Any]) -> str:
    """``seen 97 % of 6 items, 2 not covered``."""
    share = "nothing" if cover["share"] is None else "%s %%" % number(cover["share"])
    if cover["items_covered"] == cover["items_total"]:
        return "seen %s" % share
    return "seen %s of %d items, %d not covered" % (
        share,
        cover["items_covered"],
        cover["items_total"] - cover["items_covered"],
    )


def items(report: Mapping[str, Any], paint: Paint, columns: int) -> list[str]:
    """A line for each item of the checklist."""
    lines = []
    names = max((len(item["short"]) for item in report["items"]), default=0)
    for place, item in enumerate(report["items"], 1):
        first = "%2d %s  " % (place, pad(clean(item["short"]), min(names, 30)))
        rest = clean(item["headline"])
        if width(rest) > columns - len(first) - 13:
            rest = re.sub(r"(?<=\d) of (?=\d)", "/", rest)
        rest = cut(rest, columns - len(first) - 13)
        dim = item["status"] == "not covered"
        lines.append("%s%s  %s" % (first, status(item["status"], paint), paint(rest, "dark gray") if dim else rest))
    return lines


def status(word: str, paint: Paint) -> str:
    """A status in its colour, as wide as the longest."""
    return paint(pad(word, 11), _COLOUR[word])


def _findings(report: Mapping[str, Any], paint: Paint, columns: int, room: int | None) -> list[str]:
    known = {one["fingerprint"]: one for one in report["findings"]}
    causes = {one["fingerprint"]: one for one in report["causes"]}
    symptoms = {name for cause in report["causes"] for name in cause["explains"]}
    first = [one for one in report["findings"] if one["fingerprint"] not in symptoms]
    if room is not None:
        # Who acknowledged it has read it; it has a line further down.
        first = [one for one in first if not one.get("acknowledged")]
    if report.get("delta"):
        first.sort(key=lambda one: delta_view.order(one, one["fingerprint"] in causes))
    if not first and report["findings"]:
        return [paint("Nothing is wrong that is not acknowledged.", "green")]
    if not first:
        if report["coverage"]["expected"]:
            return [paint("Nothing is wrong among what was seen.", "green")]
        return [paint("Nothing was looked at.", "purple")]
    blocks: list[tuple[list[str], list[Mapping[str, Any]]]] = []
    for group in _groups(first, causes, room is not None):
        one = group[0]
        cause = causes.get(one["fingerprint"])
        if cause is not None:
            block = _block(one, paint, columns, room is None, _explains(cause, known, columns))
            if room is None:
                block += [_line(known[name], paint, columns, "  └ ") for name in cause["explains"]]
        elif len(group) > 1:
            block = _many(group, paint, columns)
        else:
            block = _block(one, paint, columns, room is None, [])
        if room is not None and one.get("delta") in (UNCHANGED, BETTER) and cause is None:
            # What was there yesterday is told shortly, so that there is room for what is new.
            block = block[:3] if one["status"] == "critical" or one.get("recorded_at") else block[:1]
        blocks.append((block, group))
    return _fit(blocks, paint, room)


def _fit(blocks: Sequence[tuple[list[str], list[Mapping[str, Any]]]], paint: Paint, room: int | None) -> list[str]:
    """As many blocks as there is room for; then single lines; then only their number."""
    lines: list[str] = []
    left: list[Mapping[str, Any]] = []
    short = False
    for place, (block, group) in enumerate(blocks):
        waiting = len(blocks) - place - 1
        # Room for the line that says how many there are besides, and one line for each that waits, up to five.
        reserve = min(waiting, 5) + (1 if waiting else 0)
        if room is None or (not short and len(lines) + len(block) + reserve <= room):
            lines += block
            continue
        short = True
        if len(lines) + 1 + (1 if waiting or left else 0) <= (room or 0):
            lines.append(block[0])
        else:
            left += group
    if left:
        counts = [
            plural(sum(1 for one in left if one["status"] == word), word, word)
            for word in ("critical", "unknown", "warning")
            if any(one["status"] == word for one in left)
        ]
        lines.append(
            paint(
                "%sand %s more: %s (-v or the page shows all)" % (_INDENT, number(len(left)), ", ".join(counts)),
                "dark gray",
            )
        )
    return lines


def _groups(
    findings: Iterable[Mapping[str, Any]], causes: Mapping[str, Any], fold: bool
) -> list[list[Mapping[str, Any]]]:
    """More than two findings of one check and status stand together, so that twenty of a kind hide no other."""
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for one in findings:
        alone = not fold or one["fingerprint"] in causes
        kind = (one["check"], one["status"], one["object"].split("/", 1)[0], one.get("delta"))
        key = one["fingerprint"] if alone else kind
        groups.setdefault(key, []).append(one)
    out: list[list[Mapping[str, Any]]] = []
    for group in groups.values():
        out.extend([group] if len(group) > 2 else [[one] for one in group])
    return out


def _line(one: Mapping[str, Any], paint: Paint, columns: int, before: str = "", label: str = "") -> str:
    text = cut(clean(one["title"]), columns - _LABEL - 12 - len(before))
    mark = "recorded " if one.get("recorded_at") and not label else ""
    return "%s%s %s%s" % (
        paint(pad(label or mark, _LABEL), _LABELS.get(label, "dark gray")),
        status(one["status"], paint),
        before,
        text,
    )


def _block(one: Mapping[str, Any], paint: Paint, columns: int, verbose: bool, explains: Sequence[str]) -> list[str]:
    mark = "ACKED" if one.get("acknowledged") else delta_view.label(one, bool(explains))
    lines = [_line(one, paint, columns, label=mark)]
    where = "%s · %s" % (clean(one["object"]), one["check"])
    if one.get("recorded_at"):
        where += " · recorded %s" % when(one["recorded_at"])
    if one.get("acknowledged"):
        explains = [*explains, cut("acknowledged %s" % delta_view.acknowledged_text(one["acknowledged"]), columns - 10)]
    # The beginning of the fingerprint is what an acknowledgement wants.
    name = " · #%s" % one["fingerprint"][:12]
    lines.append(paint("%s%s%s" % (_INDENT, cut(where, columns - _LABEL - len(name)), name), "dark gray"))
    told = delta_view.story(one)
    if told:
        lines.append(paint(_INDENT + cut(told, columns - _LABEL), "dark gray"))
    lines += [_INDENT + line for line in explains]
    lines += [_INDENT + cut(line, columns - _LABEL) for line in telling(one, None if verbose else 2)]
    if one["remedy"]:
        step = wrap("next: %s" % clean(one["remedy"]), columns - _LABEL, None if verbose else 2)
        lines += [_INDENT + paint(line, "cyan") for line in step]
    return lines


def _many(group: Sequence[Mapping[str, Any]], paint: Paint, columns: int) -> list[str]:
    one = group[0]
    target = one["object"].split("/", 1)[0]
    names = listed((clean(each["object"].split("/", 1)[-1]) for each in group), 3)
    mark = delta_view.label(one, False) or ("recorded " if one.get("recorded_at") else "")
    lines = [
        "%s%s %s"
        % (
            paint(pad(mark, _LABEL), _LABELS.get(mark, "dark gray")),
            status(one["status"], paint),
            cut("%d× %s on %s: %s" % (len(group), one["check"], clean(target), names), columns - _LABEL - 12),
        ),
        _INDENT + cut("such as: %s" % clean(one["title"]), columns - _LABEL),
    ]
    if one["remedy"]:
        lines.append(_INDENT + paint(cut("next: %s" % clean(one["remedy"]), columns - _LABEL), "cyan"))
    return lines


def _explains(cause: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], columns: int) -> list[str]:
    text = "explains %s: %s" % (plural(len(cause["explains"]), "finding"), clean(victims(cause, known)))
    lines = [cut(text, columns - _LABEL)]
    ties = [known[name]["title"] for name in cause["tied_with"] if name in known]
    if ties:
        lines.append(cut("as likely the cause: %s" % clean(listed(ties, 2)), columns - _LABEL))
    return lines


def victims(cause: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> str:
    """What a cause explains, in names: of objects, or of checks where it is about the same object."""
    own = known[cause["fingerprint"]]["object"]
    found = [known[name] for name in cause["explains"] if name in known]
    names = [(one["check"].split(".", 1) if one["object"] == own else one["object"].split("/"))[-1] for one in found]
    return listed(names, 4)


def _coverage(report: Mapping[str, Any], paint: Paint, columns: int, verbose: bool) -> list[str]:
    cover = report["coverage"]
    numbers = {item["id"]: place for place, item in enumerate(report["items"], 1)}
    texts = []
    for entry in cover["unseen"]:
        places = ", ".join(str(numbers[item]) for item in entry["items"])
        many = plural(len(entry["checks"]), "check") if len(entry["checks"]) > 1 else entry["checks"][0]
        where = " (items %s)" % places if places else ""
        texts.append("%s: %s%s: %s" % (entry["system"], many, where, entry["reason"]))
    if cover["not_covered"]:
        texts.append(
            "not covered: %s"
            % ", ".join("%d %s" % (numbers[one["item"]], one["short"]) for one in cover["not_covered"])
        )
    reasons: dict[str, list[str]] = {}
    for one in cover["no_module"]:
        reasons.setdefault(one["reason"], []).append(one["system"])
    texts += ["%s: %s" % (listed(names, 6), reason) for reason, names in reasons.items()]
    if cover["left_out"]:
        texts.append("left out of this run: %s" % listed(cover["left_out"], 6))
    if not verbose and len(texts) > 6:
        texts = [*texts[:5], "and %d more reasons (-v or the page shows all)" % (len(texts) - 5)]
    return _labelled("not seen", texts, columns, "purple", paint)


def _recorded(report: Mapping[str, Any], paint: Paint, columns: int) -> list[str]:
    dates: dict[str, list[str]] = {}
    for system in report["systems"]:
        if system["mode"] == "recorded":
            dates.setdefault(when(system["recorded_at"]), []).append(system["name"])
    texts = [
        "%s: judged from a recording of %s, not live" % (listed(names, 6), date)
        for date, names in sorted(dates.items())
    ]
    return _labelled("recorded", texts, columns, "yellow", paint)


def _changed(report: Mapping[str, Any], paint: Paint, columns: int, verbose: bool) -> list[str]:
    """What is acknowledged, and what is gone: a line or two each."""
    lines: list[str] = []
    acked, gone = delta_view.acknowledged_lines(report), delta_view.resolved_lines(report)
    ended = delta_view.ended_lines(report)
    if verbose:
        lines += _labelled("acked", acked, columns, "dark gray", paint)
        lines += _labelled("resolved", gone, columns, "green", paint)
    else:
        lines += _labelled("ACKED", ["; ".join(acked)] if acked else [], columns, "dark gray", paint)
        told = ["%d: %s" % (len(gone), "; ".join(gone[:3]))] if gone else []
        lines += _labelled("RESOLVED", told, columns, "green", paint)
    lines += _labelled("", ended if verbose else ended[:3], columns, "yellow", paint)
    tally = delta_view.tally_text(report)
    return [*_labelled("since", [tally[6:]] if tally else [], columns, "dark gray", paint), *lines]


def _history(report: Mapping[str, Any], paint: Paint, columns: int) -> list[str]:
    return _labelled("history", [text for text in [delta_view.history_text(report)] if text], columns, "yellow", paint)


def _labelled(label: str, texts: Sequence[str], columns: int, colour: str, paint: Paint) -> list[str]:
    lines: list[str] = []
    for text in texts:
        for line in wrap(clean(text), columns - _LABEL, 2):
            lines.append("%s%s" % (paint(pad("" if lines else label, _LABEL), colour), line))
    return lines
