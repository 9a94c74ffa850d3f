# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two processes that read together count what one counts, and nobody waits for one that is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._logs import book, files, look, workers

NOW = time.time()
# Whether other tests have left threads is not what is looked at here.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes, however small the files and the machine are."""
    monkeypatch.setattr(workers, "_FORK_FROM", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(threading, "active_count", lambda: 1)


class Seen:
    """A book and a look, and tasks that put an event each into it."""

    def __init__(self, most: int = 10**6, templates: int = 100) -> None:
        self.book = book.Book(NOW - 3600, NOW, most, templates)
        self.look = look.Look("files")
        self.owner = self.book.owner("app.log", "files")

    def event(self, text: str) -> None:
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - 60))
        self.book.lines(
            self.owner, [(f"{when} ERROR {text}".encode(), 0)], f"/by/{os.getpid()}", "auto", lambda _at: []
        )
        self.look.took(10)

    def work(self, tasks: list[workers.Task], seconds: float = 60.0) -> dict[str, Any]:
        workers.work(tasks, 1, self.book, self.look, time.monotonic() + seconds)
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        return self.book.result()["app.log"]


def both(mine: Any, theirs: Any, tmp_path: Path) -> list[workers.Task]:
    """Two tasks of which each process takes one: whoever has one waits until the other is taken, too."""
    parent = os.getpid()

    def task(_finder: Any) -> None:
        (tmp_path / str(os.getpid())).touch()
        until = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        (mine if os.getpid() == parent else theirs)()

    return [task, task]


def test_two_count_what_one_counts(tmp_path: Path) -> None:
    seen = Seen()
    seen.event("before them")
    found = seen.work(both(lambda: seen.event("payment 1 failed"), lambda: seen.event("payment 2 failed"), tmp_path))
    assert found["events"] == seen.book.events == 3
    assert {one["template"]: one["count"] for one in found["templates"]} == {
        "payment <n> failed": 2,
        "before them": 1,
    }
    assert len(next(one for one in found["templates"] if one["count"] == 2)["places"]) == 2
    assert seen.look.bytes == 30


def test_files_are_counted_by_two_as_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - 60))
    for name in ("a.log", "b.log", "c.log"):
        lines = [
            f"{when} ERROR panic: lost shard {number}\n\nTraceback (most recent call last):\n  x\nValueError: {name}\n"
            if number % 7 == 0
            else f"{when} ERROR card of user {name}{number} {('declined', 'expired')[number % 2]}\n"
            for number in range(3000)
        ]
        (tmp_path / name).write_text("".join(lines), encoding="utf-8")
    (tmp_path / "broken.log").write_bytes(b"\x1f\x8b garbage")
    monkeypatch.setattr(files, "_SEGMENT", 20_000)

    def read() -> tuple[dict[str, Any], dict[str, Any]]:
        seen = Seen()
        files.look_at_files([str(tmp_path / "*.log")], [], seen.book, seen.look, time.monotonic() + 60, 1 << 40)
        return seen.book.result(), seen.look.plain()

    together = read()
    monkeypatch.setattr(workers, "_FORK_FROM", 1 << 40)
    # Which event a template is shown by depends on who was first.
    alone = read()
    for result in (together[0], alone[0]):
        for owner in result.values():
            for template in owner["templates"]:
                template["sample"] = template["trace"] = ""
    assert together == alone
    assert alone[0]["a.log"]["events"] == 3000
    assert alone[1]["missed"] == 1


def test_one_that_is_killed_is_told(tmp_path: Path) -> None:
    seen = Seen()
    found = seen.work(
        both(lambda: seen.event("x"), lambda: os.kill(os.getpid(), signal.SIGKILL), tmp_path),
    )
    assert found["events"] == 1
    assert [error["text"] for error in seen.look.errors] == [
        "the process that read a part of the files was ended by somebody"
    ]


@pytest.mark.parametrize("who", ["parent", "child"])
def test_one_that_hangs_is_not_waited_for(tmp_path: Path, who: str) -> None:
    seen, go_on = Seen(), threading.Event()

    def hang() -> None:
        go_on.wait(60)

    def fine() -> None:
        seen.event("x")

    try:
        found = seen.work(both(*((hang, fine) if who == "parent" else (fine, hang)), tmp_path), 6.0)
    finally:
        go_on.set()
    assert found["events"] == 1
    assert seen.look.cut == ["the deadline was over before all files were read"]


def test_what_a_child_reads_counts_to_the_bound(tmp_path: Path) -> None:
    seen = Seen(most=5)

    def five() -> None:
        for number in range(5):
            seen.event(f"number {number}")

    def three() -> None:
        # The child has made its five when nothing is left.
        until = time.monotonic() + 60
        while not seen.book.full and time.monotonic() < until:
            time.sleep(0.01)
        five()

    assert seen.work(both(three, five, tmp_path))["events"] == 5
    assert seen.book.full


def test_without_another_process_one_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError(11, "no more processes")

    monkeypatch.setattr(os, "fork", refused)
    seen = Seen()
    tasks: list[workers.Task] = [lambda _finder, number=number: seen.event(f"n {number}") for number in range(20_000)]  # type: ignore[misc]
    assert seen.work(tasks)["events"] == 20_000
    assert not seen.look.errors


def test_too_many_templates_stay_told() -> None:
    seen = Seen(templates=2)
    other = Seen(templates=2)
    for one, words in ((seen, "alpha beta"), (other, "gamma delta")):
        for word in words.split():
            one.event(f"{word} went wrong in a way of its own {word}")
    seen.book.add(other.book.plain())
    found = seen.book.result()["app.log"]
    assert found["events"] == sum(one["count"] for one in found["templates"]) == 4
    assert found["templates_total"] <= 3
