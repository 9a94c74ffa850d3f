# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-vault, by ansible-core's own code: a process of its own that gets everything by pipes, and nothing by disk.

A module runs in an archive that stands in for ansible-core, and cannot import it. The process that does is started
by the same Python, or by that of ``ansible-vault`` in the PATH, and ends with the module.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any, BinaryIO, cast

from .._core.argspec import ArgSpec
from .._core.errors import OpsError, OptionError
from . import stream

HEADER = b"$ANSIBLE_VAULT;"
_HEAD = re.compile(rb"\$ANSIBLE_VAULT;1\.[12];AES256(;[^\n;]{1,200})?")
_MOST_PASSWORD = 4096
_PIECE = 1 << 16
_LOOK_EVERY = 0.5
_SCRIPT = r"""
import json, os, sys
sys.path[:] = [one for one in sys.path if one not in ("", os.getcwd())]
os.chdir("/")
os.environ.pop("ANSIBLE_CONFIG", None)
source, target = sys.stdin.buffer, sys.stdout.buffer
def answer(word, data):
    target.write(word + b" %d\n" % len(data) + data)
    target.flush()
try:
    from ansible.parsing.vault import VaultLib, VaultSecret
except Exception as error:
    answer(b"absent", ("%s: %s" % (type(error).__name__, error)).encode())
    sys.exit(0)
told = json.loads(source.readline())
secret = VaultSecret(told["password"].encode())
lib = VaultLib([(told["vault_id"] or "default", secret)])
answer(b"ready", b"")
while True:
    head = source.readline().split()
    if not head:
        break
    data = source.read(int(head[1]))
    try:
        if head[0] == b"encrypt":
            answer(b"ok", bytes(lib.encrypt(data, secret, told["vault_id"] or None)))
        else:
            answer(b"ok", bytes(lib.decrypt(data)))
    except Exception as error:
        answer(b"failed", str(error).encode())
"""


class WrongPassword(OpsError):
    """A file is not encrypted with that password, or is damaged: nobody can tell which."""


def vault_spec() -> ArgSpec:
    """The options of the `vault` doc fragment."""
    return ArgSpec(
        {
            "vault_password": {"type": "str", "no_log": True},
            "vault_password_file": {"type": "path", "no_log": False},
            "vault_id": {"type": "str"},
        },
        mutually_exclusive=[("vault_password", "vault_password_file")],
    )


def password(params: Mapping[str, Any]) -> str | None:
    """The password of the options, None where there is none.

    :raises OptionError: the file is no file with a password.
    """
    if params.get("vault_id") is not None and not re.fullmatch(r"[^\s;@]{1,100}", params["vault_id"]):
        raise OptionError("vault_id: want a label such as prod, without spaces, ';' and '@'")
    given, path = params.get("vault_password"), params.get("vault_password_file")
    if path:
        try:
            with open(path, "rb") as opened:
                if os.fstat(opened.fileno()).st_mode & stat.S_IXUSR:
                    raise OptionError(
                        f"vault_password_file: {path} can be executed; want a file with the password in it"
                    )
                given = opened.read(_MOST_PASSWORD + 1).decode("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"vault_password_file: {path}: {getattr(error, 'strerror', error)}") from error
        if not given or len(given) > _MOST_PASSWORD:
            raise OptionError(f"vault_password_file: {path} holds no password")
    if given is not None and not given.strip():
        raise OptionError("vault_password is empty")
    if given is None and params.get("vault_id"):
        raise OptionError(
            f"vault_id: this run of Ansible has no vault password of the id {params['vault_id']}: give it one "
            "(--vault-id), or set vault_password or vault_password_file"
        )
    return given


class Vault:
    """Encrypts and decrypts. Started when it is first asked, and ended by :meth:`close`.

    :param until: on the clock of time.monotonic().
    """

    def __init__(self, secret: str, vault_id: str | None, until: float) -> None:
        self._secret, self._id, self._until = secret, vault_id, until
        self._process: stream.Guarded | None = None
        self._errors: BinaryIO | None = None
        self._taken = b""

    def __enter__(self) -> Vault:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            stream.stop(process)
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def encrypt(self, data: bytes) -> bytes:
        """The text of a file of ansible-vault."""
        word, answer = self._ask(b"encrypt", data)
        if word != b"ok" or not answer.startswith(HEADER):
            raise OpsError(f"ansible-vault cannot encrypt: {_words(answer)}")
        return answer

    def decrypt(self, data: bytes) -> bytes:
        """What is in one.

        :raises WrongPassword: with that password nothing.
        """
        word, answer = self._ask(b"decrypt", data)
        if word != b"ok":
            raise WrongPassword(f"it cannot be decrypted with the given password: {_words(answer)}")
        return answer

    def _ask(self, what: bytes, data: bytes) -> tuple[bytes, bytes]:
        if self._process is None:
            self._start()
        self._send(what + b" %d\n" % len(data), data)
        return self._take()

    def _start(self) -> None:
        why = ""
        for python in _pythons():
            self._errors = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
            self._taken = b""
            self._process = stream.start([python, "-c", _SCRIPT], {"LC_ALL": "C.UTF-8"}, self._errors, talk=True)
            self._send(json.dumps({"password": self._secret, "vault_id": self._id}).encode() + b"\n")
            word, answer = self._take()
            if word == b"ready":
                return
            why = f"{python}: {_words(answer)}"
            self.close()
        raise OptionError(
            f"the Python library ansible-core is needed where Secrets are encrypted and decrypted: {why}. Install it "
            "here (apt-get install ansible-core), or let the task run on the controller (delegate_to: localhost)"
        )

    def _send(self, *pieces: bytes) -> None:
        process = self._process
        if process is None or process.stdin is None:
            raise OpsError("the process of ansible-vault has ended")
        try:
            for piece in pieces:
                process.stdin.write(piece)
            process.stdin.flush()
        except BrokenPipeError:
            return  # what it said before it ended is read by whoever asks next
        except OSError as error:
            raise OpsError(f"the process of ansible-vault does not listen: {error.strerror}") from error

    def _take(self) -> tuple[bytes, bytes]:
        while b"\n" not in self._taken:
            self._more()
        head, self._taken = self._taken.split(b"\n", 1)
        word, _space, size = head.partition(b" ")
        pieces, have = [self._taken], len(self._taken)
        while have < int(size):
            self._taken = b""
            self._more()
            pieces.append(self._taken)
            have += len(self._taken)
        self._taken = b""
        return word, b"".join(pieces)

    def _more(self) -> None:
        process = self._process
        if process is None or process.stdout is None:
            raise OpsError("the process of ansible-vault has ended")
        source = process.stdout.fileno()
        while True:
            if time.monotonic() > self._until:
                raise stream.EngineError("ansible-vault was not done in time")
            if select.select([source], [], [], _LOOK_EVERY)[0]:
                break
        piece = os.read(source, _PIECE)
        if not piece:
            errors = self._errors
            said = b""
            if errors is not None:
                errors.seek(0)
                said = errors.read(_PIECE)
            raise stream.EngineError(f"the process of ansible-vault has ended: {_words(said[-500:])}")
        self._taken += piece


def envelope(data: bytes) -> str | None:
    """What is wrong with the text of a vault file as far as that can be seen without its password; None if nothing."""
    head, _line, body = data.partition(b"\n")
    if not _HEAD.fullmatch(head.strip()):
        return "it is no file of ansible-vault"
    try:
        inner = bytes.fromhex(b"".join(body.split()).decode("ascii")).split(b"\n")
        salt, mac, text = (bytes.fromhex(one.decode("ascii")) for one in inner)
    except ValueError:
        return "what follows the header is no vault: it breaks off or was changed"
    if len(salt) != 32 or len(mac) != 32 or not text:
        return "what follows the header is no vault: it breaks off or was changed"
    return None


def _pythons() -> list[str]:
    """Interpreters that may have ansible-core: this one, and that of the command."""
    found = [sys.executable]
    command = shutil.which("ansible-vault")
    if command:
        try:
            with open(command, "rb") as opened:
                first = opened.readline(512).decode("utf-8", "replace").strip()
        except OSError:
            first = ""
        name = first[2:].split(" ")[0] if first.startswith("#!") else ""
        if name and os.path.basename(name).startswith("python") and name not in found:
            found.append(name)
    return [one for one in found if one]


def _words(answer: bytes) -> str:
    return " ".join(answer.decode("utf-8", "replace").split())[:300]
