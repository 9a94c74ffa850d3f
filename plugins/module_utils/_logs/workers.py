# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read parts of files side by side, in two processes where there is much to read.

A hit costs some lines of Python, and threads of one process take turns at those. A child begins with what the parent
has prepared, counts into a book of its own, and hands that over at the end. Two and no more: logs are looked at on
machines that have other things to do.
"""

from __future__ import annotations

import json
import mmap
import os
import selectors
import signal
import struct
import threading
import time
from collections.abc import Callable, Sequence

from .book import Book
from .look import Look
from .scan import Finder, new_buffer

Task = Callable[[Finder], None]
"""Reads a part of a file into the book and the look that it was made with."""

_WORKERS = 2
# Below, a process more costs more than it saves.
_FORK_FROM = 32 << 20
# As many numbers of tasks as a pipe holds without anybody who reads.
_MOST_NUMBERS = 8192
_NUMBER = struct.Struct("=I")
_LATE = "the deadline was over before all files were read"
_PATIENCE = 0.5
# What was killed leaves at once where it runs, and on a busy machine when its turn comes.
_LEAVES = 5.0


def work(tasks: Sequence[Task], size: int, book: Book, look: Look, until: float) -> None:
    """Do all tasks, before a deadline.

    :param size: bytes that all of them read.
    :param until: monotonic time of the deadline; what is not done then is told as cut off.
    """
    if not tasks:
        return
    count = min(_WORKERS, os.cpu_count() or 1, len(tasks))
    # A process with threads must not be forked: another one may hold a lock at that moment.
    split = count > 1 and size >= _FORK_FROM and hasattr(os, "fork") and threading.active_count() == 1
    numbers = _Numbers(tasks)
    children: list[_Child] = []
    threads: list[threading.Thread] = []
    counts = memoryview(mmap.mmap(-1, 8 * count)).cast("q") if split else None
    try:
        if counts is not None:
            book.share(counts, 0)
            while len(children) < count - 1:
                children.append(_Child(numbers, book, look, counts, len(children) + 1))
        threads = _threads(numbers, 1 if split else count)
        for child in children:
            child.wait(until, book, look)
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0.0) + _PATIENCE)
            if thread.is_alive():
                look.bounded(_LATE)
    finally:
        for child in children:
            child.end()
        book.share(None, 0)
        numbers.close(any(thread.is_alive() for thread in threads))


class _Numbers:
    """The tasks that nobody has taken yet: numbers in a pipe, of which each reader takes the next."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        each = -(-len(tasks) // _MOST_NUMBERS)
        self._bundles = [tasks[at : at + each] for at in range(0, len(tasks), each)]
        self._taken, put = os.pipe()
        with os.fdopen(put, "wb") as stream:
            stream.write(b"".join(_NUMBER.pack(number) for number in range(len(self._bundles))))
        self._over = False

    def do(self) -> None:
        """Do tasks until none is left."""
        finder = Finder(new_buffer())
        while not self._over:
            number = os.read(self._taken, _NUMBER.size)
            if len(number) < _NUMBER.size:
                return
            for task in self._bundles[_NUMBER.unpack(number)[0]]:
                task(finder)

    def close(self, hanging: bool) -> None:
        """Let nobody take any more.

        :param hanging: somebody may still come for one: what is closed may be another file by then.
        """
        self._over = True
        if not hanging:
            os.close(self._taken)


def _threads(numbers: _Numbers, count: int) -> list[threading.Thread]:
    # They are daemons: a file system that hangs holds up nobody.
    threads = [threading.Thread(target=numbers.do, daemon=True) for _number in range(count)]
    for thread in threads:
        thread.start()
    return threads


class _Child:
    """A process that does tasks, too."""

    def __init__(self, numbers: _Numbers, book: Book, look: Look, counts: memoryview, place: int) -> None:
        self._told, tell = os.pipe()
        self._said = b""
        try:
            self._pid = os.fork()
        except OSError:
            # No process more is to be had: the parent does it all.
            os.close(tell)
            os.close(self._told)
            self._pid = self._told = -1
            return
        if self._pid:
            os.close(tell)
            return
        status = 1
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            os.close(self._told)
            book.clear()
            look.clear()
            book.share(counts, place)
            numbers.do()
            with os.fdopen(tell, "wb") as stream:
                stream.write(json.dumps([book.plain(), look.plain()]).encode())
            status = 0
        finally:
            # Nothing of the parent's may be ended or flushed twice.
            os._exit(status)

    def wait(self, until: float, book: Book, look: Look) -> None:
        """Take over what it has found."""
        if self._told < 0:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self._told, selectors.EVENT_READ)
            pieces = []
            while selector.select(max(until - time.monotonic(), 0.0) + _PATIENCE):
                piece = os.read(self._told, 1 << 20)
                if not piece:
                    break
                pieces.append(piece)
            else:
                look.bounded(_LATE)
                return
        try:
            found, seen = json.loads(b"".join(pieces))
        except ValueError:
            look.failed("other", "the process that read a part of the files was ended by somebody")
            return
        book.add(found)
        look.add(seen)

    def end(self) -> None:
        """End it, if it has not ended by itself. One that a file system holds is not waited for."""
        if self._told < 0:
            return
        os.close(self._told)
        self._told = -1
        done, _status = os.waitpid(self._pid, os.WNOHANG)
        if not done:
            # It has closed its end of the pipe and is about to leave, or hangs.
            os.kill(self._pid, signal.SIGKILL)
            until = time.monotonic() + _LEAVES
            while not os.waitpid(self._pid, os.WNOHANG)[0] and time.monotonic() < until:
                time.sleep(0.002)
