# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another place, whatever engine leads there: what is asked of it, and how its command is run."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from .._core.argspec import ArgSpec
from .._core.errors import OptionError
from .._core.redact import redact_text
from . import layout, stream
from .manifest import Manifest

DEADLINE = 6 * 3600.0
_PIECE = 1 << 16
_LOOK_EVERY = 0.5
_TAIL = 1 << 16
_WORDS = 3
# What no second attempt mends. The engines try for a quarter of an hour all the same.
_HOPELESS = re.compile(
    r"(?i)no space left on device|disk quota exceeded|quotaexceeded|storage ?full|invalidaccesskeyid|"
    r"signaturedoesnotmatch|access key id you provided does not exist|signature we calculated does not match|"
    r"permission denied \(publickey"
)
# restic tries for a quarter of an hour to load a file that is not there any more.
_GONE = re.compile(
    r"(?i)^(?:Load|Stat)\(<(\w+/\w+)>.*returned error, retrying after .*"
    r"(?:no such file|does(?: not|n't) exist|not ?found|nosuchkey)"
)
_GONE_TRIES = 4
_DENIED = re.compile(r"(?i)access ?denied|permission denied|forbidden|\b40[13]\b")
_HERE = re.compile(r"(?i)(/|\.|:local[,:]|local:)")
_FAR_OF_RESTIC = re.compile(r"(?i)(sftp|s3|rest|b2|azure|gs|swift|rclone):")
_SECRET_OPTION = re.compile(r"(?i)\b(\w*(pass|secret|token|key_pem|access_key|sas_url|credentials)\w*|key)\s*=")


class Failed(stream.EngineError):
    """A command ended badly.

    :ivar status: its exit status; output: what it had printed; errors: the end of its standard error.
    """

    def __init__(self, text: str, status: int, output: str, errors: str = "") -> None:
        super().__init__(text)
        self.status, self.output, self.errors = status, output, errors


_STACK_LINE = re.compile(r"\s+\S+\.(?:go|s):\d+")


def without_stack(lines: Sequence[str]) -> list[str]:
    """What restic says, without where in itself it was: of each place, two lines, the second of which names a file."""
    places = {number for number, line in enumerate(lines) if _STACK_LINE.fullmatch(line.rstrip())}
    return [line for number, line in enumerate(lines) if not {number, number + 1} & places]


@dataclass(frozen=True)
class Said:
    """What a command has printed: output, and standard error."""

    output: str
    errors: str


@dataclass(frozen=True)
class Known:
    """A set that is there.

    :ivar id: its name there; at: ISO time in UTC; path: where it lay when it was sent, as far as that is kept.
    """

    id: str
    at: str
    path: str = ""


@dataclass(frozen=True)
class Sent:
    """A set that was sent; added: bytes that were new there."""

    id: str
    bytes: int
    added: int


class Repository(Protocol):
    """One engine and one place. Whatever is asked raises EngineError when it fails.

    :ivar name: without passwords.
    """

    name: str

    def is_there(self) -> bool:
        """Has anybody ever made it?"""

    def make(self) -> None:
        """Make it."""

    def sets(self) -> dict[tuple[str, str], Known]:
        """What is there, whole as far as the engine knows, by system and stamp."""

    def holds(self, known: Known, told: Manifest) -> bool:
        """Are all files of a set there, by name and size?"""

    def send(self, one: layout.Set, progress: stream.Progress) -> Sent:
        """Send a set, and tell how far that is, where the engine says so."""

    def unpack(self, known: Known, folder: str) -> None:
        """Bring the files of a set into a folder that is there."""

    def prove(self, percent: float) -> None:
        """Read that share of all that is there, and compare it with what it should be."""


def ask(
    argv: Sequence[str],
    environment: Mapping[str, str],
    until: float,
    hear: Callable[[str], bool] | None = None,
    watch: Callable[[], None] | None = None,
) -> Said:
    """What a command prints. It ends when this process does, however that ends.

    :param until: on the clock of time.monotonic().
    :param hear: gets each line when it comes; one that it takes is not kept.
    :param watch: is called twice a second at least.
    :raises Failed: it ended badly, or tries again and again to load what is not there.
    :raises EngineError: it could not be started, was not done in time, or tries again what is hopeless.
    """
    name = os.path.basename(argv[0])
    if time.monotonic() >= until:
        raise stream.EngineError(f"{name}: there is no time left")
    with tempfile.TemporaryFile() as errors:
        process = stream.start(argv, environment, errors)
        heard = _Heard(hear)
        try:
            if process.stdout is None:
                raise AssertionError("process.stdout is None")
            source = process.stdout.fileno()
            while True:
                if select.select([source], [], [], _LOOK_EVERY)[0]:
                    piece = os.read(source, _PIECE)
                    if not piece:
                        break
                    heard.add(piece)
                elif process.poll():
                    break  # it has failed, and what it has started keeps the output open
                if watch:
                    watch()
                _go_on(name, errors, until)
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=_LOOK_EVERY)
                    break
                _go_on(name, errors, until)
            status = process.returncode
        finally:
            stream.stop(process)
        output, told = heard.kept(), _tail(errors)
    if status:
        raise Failed(stream.said(name, status, without_stack(told.splitlines())), status, output, told)
    return Said(output, told)


class _Heard:
    """What a command has printed, but for the lines that somebody takes."""

    def __init__(self, hear: Callable[[str], bool] | None) -> None:
        self._hear, self._rest = hear, b""
        self._kept: list[bytes] = []

    def add(self, piece: bytes) -> None:
        if self._hear is None:
            self._kept.append(piece)
            return
        *whole, self._rest = (self._rest + piece).split(b"\n")
        self._kept += [line + b"\n" for line in whole if not self._hear(line.decode(errors="replace"))]

    def kept(self) -> str:
        return b"".join([*self._kept, self._rest]).decode(errors="replace")


def environment_of(params: Mapping[str, Any]) -> dict[str, str]:
    """What the operator gives for the way there."""
    return {str(key): str(value) for key, value in (params["environment"] or {}).items()}


def program(params: Mapping[str, Any], name: str) -> str:
    """The command of an engine."""
    return os.path.join(params["bin_dir"], name) if params["bin_dir"] else name


def is_refused(text: str) -> bool:
    """Does an engine say that it may not, or cannot ever, rather than that there is nothing?"""
    return bool(_HOPELESS.search(text) or _DENIED.search(text))


def spec() -> ArgSpec:
    """The options of all modules that work with the sets of another place."""
    return ArgSpec(
        {
            "path": {"type": "path", "default": "/backups/nexus-cos"},
            "engine": {"type": "str", "choices": ["restic", "rclone"], "default": "restic"},
            "repository": {"type": "str", "required": True},
            "password": {"type": "str", "no_log": True},
            "password_file": {"type": "path", "no_log": False},
            "environment": {"type": "dict", "no_log": True},
            "options": {"type": "dict"},
            "bin_dir": {"type": "path", "default": ""},
            "lock_wait": {"type": "float", "default": 0.0},
            "deadline": {"type": "float", "default": DEADLINE},
        },
        mutually_exclusive=[("password", "password_file")],
        required_if=[("engine", "restic", ("password", "password_file"), True)],
    )


def check(params: Mapping[str, Any]) -> None:
    """Refuse what makes no sense among these options.

    :raises OptionError: something does not.
    """
    if params["deadline"] <= 0 or params["lock_wait"] < 0:
        raise OptionError("deadline: want more than 0 seconds; lock_wait: 0 or more")
    check_name(params["repository"])
    if params["engine"] == "rclone" and (params["password"] or params["password_file"] or params["options"]):
        raise OptionError("engine: password, password_file and options are restic's; rclone gets all by environment")


def check_name(repository: str) -> None:
    """Refuse an address that has a secret in it: it would stand in the list of processes.

    :raises OptionError: it has.
    """
    if _SECRET_OPTION.search(repository):
        raise OptionError(
            "repository: a secret stands in the address, which everybody on that host can see: give it by environment"
        )


def is_elsewhere(engine: str, repository: str) -> bool:
    """Does an address lead away from this machine? A mount from elsewhere has to be named by who knows."""
    if engine == "rclone":
        return not _HERE.match(repository) and ":" in repository
    return bool(_FAR_OF_RESTIC.match(repository))


def _go_on(name: str, errors: BinaryIO, until: float) -> None:
    """Give up where going on is of no use."""
    late = time.monotonic() > until
    told = _tail(errors)
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    words = redact_text("; ".join(lines[-_WORDS:]))
    hopeless = next((line for line in lines if _HOPELESS.search(line)), None)
    if hopeless:
        raise stream.EngineError(f"{name} was ended, because no further attempt will help: {redact_text(hopeless)}")
    gone = Counter(match.group(1) for match in map(_GONE.search, lines) if match)
    if gone and max(gone.values()) >= _GONE_TRIES:
        (file, tries), *_others = gone.most_common(1)
        text = f"{name} was ended: {file} does not exist in the repository, at {tries} attempts"
        raise Failed(text, -signal.SIGTERM, "", told)
    if late:
        raise stream.EngineError(f"{name} was not done in time" + (f": {words}" if words else ""))


def _tail(errors: BinaryIO) -> str:
    size = os.fstat(errors.fileno()).st_size
    return os.pread(errors.fileno(), _TAIL, max(0, size - _TAIL)).decode(errors="replace")
