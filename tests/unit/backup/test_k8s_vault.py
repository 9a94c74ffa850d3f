# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets are encrypted by ansible-core's own code, in a process that gets everything by pipes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from played_kubernetes import Played, played
from test_k8s_backup import PASSWORD, TREASURE, backup, fill, secret

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import k8s_vault, stream
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError


@pytest.fixture
def server() -> Iterator[Played]:
    with played() as one:
        yield one


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "sets"


def test_a_secret_is_in_no_file_but_encrypted(server: Played, place: Path) -> None:
    fill(server)
    folder = Path(backup(server, place, vault_id="prod")["set"]["path"])
    sealed = (folder / "nexus-a/secrets.vault.yml").read_bytes()
    assert sealed.startswith(b"$ANSIBLE_VAULT;1.2;AES256;prod\n")
    encoded = secret()["password"].encode()
    for one in place.rglob("*"):
        if one.is_file():
            assert TREASURE.encode() not in one.read_bytes(), one
            assert encoded not in one.read_bytes(), one
    with k8s_vault.Vault(PASSWORD, None, float("inf")) as vault:
        (doc,) = yaml.safe_load_all(vault.decrypt(sealed))
    assert (doc["kind"], doc["data"]) == ("Secret", secret())


def test_no_password_is_in_the_arguments_or_the_environment_of_a_process(tmp_path: Path) -> None:
    with k8s_vault.Vault(PASSWORD, None, float("inf")) as vault:
        vault.encrypt(b"x")
        process = vault._process
        assert process is not None
        for name in ("cmdline", "environ"):
            assert PASSWORD.encode() not in Path(f"/proc/{process.pid}/{name}").read_bytes()
        pid = process.pid
    assert not Path(f"/proc/{pid}").exists()


def test_where_ansible_core_is_missing_nothing_is_written(
    server: Played, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(server)
    bare = tmp_path / "python"
    bare.write_text('#!/bin/sh\nexec "$REAL_PYTHON" -I -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setenv("REAL_PYTHON", os.path.realpath(k8s_vault.sys.executable))
    monkeypatch.setenv("PATH", "/nowhere:/bin:/usr/bin")
    monkeypatch.setattr(k8s_vault, "_pythons", lambda: [str(bare)])
    with pytest.raises(OptionError, match=r"ansible-core is needed .*No module named .ansible"):
        backup(server, place)
    assert not place.exists()


def test_ansibles_own_command_opens_the_vault(server: Played, place: Path, tmp_path: Path) -> None:
    fill(server)
    folder = Path(backup(server, place)["set"]["path"])
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    program = Path(k8s_vault.sys.executable).parent / "ansible-vault"
    done = subprocess.run(
        [str(program), "view", "--vault-password-file", str(password), str(folder / "nexus-a/secrets.vault.yml")],
        capture_output=True, text=True, check=True, env={**os.environ, "PAGER": "cat", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert secret()["password"] in done.stdout


def test_what_is_large_or_empty_comes_back_as_it_was() -> None:
    with k8s_vault.Vault(PASSWORD, "prod", time.monotonic() + 300) as vault:
        for data in (b"", b"x", bytes(range(256)) * 4000):
            sealed = vault.encrypt(data)
            assert data == vault.decrypt(sealed)
            assert k8s_vault.envelope(sealed) is None or not data
        with pytest.raises(k8s_vault.WrongPassword):
            vault.decrypt(sealed[:-64])
        assert vault.decrypt(sealed), "it goes on after an error"


def test_the_end_of_the_process_and_of_the_time_are_told() -> None:
    with k8s_vault.Vault(PASSWORD, None, time.monotonic() + 300) as vault:
        vault.encrypt(b"x")
        process = vault._process
        assert process is not None
        process.kill()
        process.wait()
        with pytest.raises(stream.EngineError, match="the process of ansible-vault has ended"):
            vault.encrypt(b"x")
    with (
        k8s_vault.Vault(PASSWORD, None, time.monotonic() - 1) as vault,
        pytest.raises(stream.EngineError, match="was not done in time"),
    ):
        vault.encrypt(b"x")
