# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Support bundles: what is packed comes out again, and what is no bundle writes nothing anywhere."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.nexuscos.ops.plugins.module_utils._core import recording
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._report import bundle

MADE = "2026-11-22T06:00:41Z"


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    for system, module in (("db1", "postgres_health"), ("public", "endpoint_health"), ("cache", "redis_health")):
        taken = recording.Recording(module, system, "2026-11-22T06:00:03Z", {"password": "geheim", "x": 1})
        recording.write(str(folder / system / ("%s.json.gz" % module)), taken)
    (folder / "db1" / "notes.txt").write_text("not a recording")
    (folder / "db1" / "unheard_of.json.gz").write_text("not one of ours")
    return folder


def systems() -> list[dict[str, Any]]:
    def one(name: str, group: str, module: str, **variables: Any) -> dict[str, Any]:
        return {"name": name, "groups": [group], "modules": [module], "variables": variables, "errors": {}}

    return [
        one("db1", "databases", "postgres_health", nexuscos_system="postgresql"),
        one("public", "endpoints", "endpoint_health", nexuscos_endpoints=[{"name": "a", "service": "kei-ai"}]),
        {**one("db3", "databases", "postgres_health"), "errors": {"postgres_health": "unreachable: password=geheim"}},
    ]


def packed(recordings: Path) -> bytes:
    contents = bundle.manifest(str(recordings), systems(), {"nexuscos_platform": "p"}, MADE)
    return bundle.pack(str(recordings), contents)


def test_what_is_packed_comes_out_again(recordings: Path, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.tar.gz"
    bundle.write(str(path), packed(recordings))
    assert path.stat().st_mode & 0o777 == 0o600
    into = tmp_path / "into"
    into.mkdir()
    opened = bundle.unpack(str(path), str(into))
    assert opened["common"] == {"nexuscos_platform": "p"}
    assert opened["made"] == MADE
    known = {one["name"]: one for one in opened["systems"]}
    assert known["db1"]["variables"] == {"nexuscos_system": "postgresql"}
    assert known["db3"]["missing"] == {"postgres_health": "unreachable: password=[redacted]"}
    assert (known["db1"]["unrecorded"], known["db3"]["unrecorded"]) == ([], ["databases"])
    taken = recording.read(str(Path(opened["folder"]) / "db1" / "postgres_health.json.gz"), "postgres_health")
    assert (taken.target, taken.observation["x"]) == ("db1", 1)


def test_the_same_recordings_make_the_same_bytes(recordings: Path) -> None:
    assert packed(recordings) == packed(recordings)


def test_a_bundle_holds_no_secret(recordings: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(packed(recordings))) as tar:
        for member in tar:
            stream = tar.extractfile(member)
            assert stream is not None
            data = stream.read()
            if member.name.endswith(".gz"):
                import gzip

                data = gzip.decompress(data)
            assert b"geheim" not in data, member.name


EVIL = "{{ lookup('pipe', 'touch evil') }}\n#jinja2: x"


def test_nothing_of_a_bundle_is_templated(tmp_path: Path) -> None:
    values = {"text": EVIL, "list": [EVIL, 1, None, True], "map": {EVIL: {"x": EVIL}}, "none": None, "number": 1.5}
    one = {"name": "db1", "variables": {"nexuscos_%s" % name: value for name, value in values.items()}}
    bundle.write_variables([one, {"name": "db2", "variables": {}}], str(tmp_path))
    text = (tmp_path / "variables" / "db1.yml").read_text(encoding="utf-8")

    class Loader(yaml.SafeLoader):
        """Knows what Ansible must not template."""

    tagged = []

    def unsafe(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
        tagged.append(node.value)
        return str(loader.construct_scalar(node))

    Loader.add_constructor("!unsafe", unsafe)
    assert yaml.load(text, Loader) == one["variables"]
    assert tagged == [EVIL] * 3
    assert yaml.safe_load((tmp_path / "variables" / "db2.yml").read_text(encoding="utf-8")) == {}


@pytest.mark.parametrize(("name", "variable"), [("../x", "nexuscos_x"), ("x", "ansible_connection"), ("x", "a: b")])
def test_a_bundle_sets_no_other_variable(tmp_path: Path, name: str, variable: str) -> None:
    with pytest.raises(OptionError, match="bundle: "):
        bundle.write_variables([{"name": name, "variables": {variable: 1}}], str(tmp_path))


def test_a_folder_of_recordings_will_do(recordings: Path) -> None:
    opened = bundle.unpack(str(recordings), "")
    assert opened["folder"] == str(recordings)
    assert {one["name"]: one["groups"] for one in opened["systems"]} == {
        "db1": ["databases"],
        "public": ["endpoints"],
        "cache": ["databases"],
    }
    assert {one["name"]: one["variables"].get("nexuscos_database_engine") for one in opened["systems"]} == {
        "db1": "postgres",
        "public": None,
        "cache": "redis",
    }


def tarball(path: Path, *entries: tuple[str, bytes | str]) -> str:
    """A tarball of files, or of symbolic links where the content is a text."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return str(path)


def contents(**more: Any) -> bytes:
    whole = {"format": 1, "made": MADE, "common": {}, "systems": [], "recordings": [], "missing": []}
    return json.dumps({**whole, **more}).encode()


GONE = {"system": "db1", "module": "postgres_health", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ((), "it is no bundle"),
        ((("manifest.json", b"{"),), "is damaged"),
        ((("manifest.json", b"[]"),), "is no bundle"),
        ((("manifest.json", contents(format=2)),), "has format 2"),
        ((("manifest.json", contents(systems=[{"name": "x"}])),), "is damaged"),
        ((("manifest.json", contents(recordings=[GONE])),), "cannot read"),
        (
            (("manifest.json", contents(recordings=[GONE])), ("recordings/db1/postgres_health.json.gz", b"x")),
            "is damaged",
        ),
        ((("manifest.json", contents(recordings=[{**GONE, "system": "../x"}])),), "is no recording"),
        ((("manifest.json", contents()), ("../evil", b"x")), "belongs to no bundle"),
        ((("manifest.json", contents()), ("/tmp/evil", b"x")), "belongs to no bundle"),
        ((("manifest.json", contents()), ("recordings/../../evil", b"x")), "belongs to no bundle"),
        ((("manifest.json", contents()), ("recordings/x", "/etc")), "no plain file"),
    ],
)
def test_what_is_no_bundle_is_refused_and_writes_nothing(
    tmp_path: Path, entries: tuple[tuple[str, bytes | str], ...], text: str
) -> None:
    into = tmp_path / "a" / "into"
    into.mkdir(parents=True)
    with pytest.raises(OptionError, match=text):
        bundle.unpack(tarball(tmp_path / "x.tar.gz", *entries), str(into))
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {"x.tar.gz", "postgres_health.json.gz"}


def test_a_bundle_that_is_too_large_is_refused(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.write(str(tmp_path / "x.tar.gz"), packed(recordings))
    monkeypatch.setattr(bundle, "LARGEST", 100)
    with pytest.raises(OptionError, match="larger than a bundle may be"):
        bundle.unpack(str(tmp_path / "x.tar.gz"), str(tmp_path))


def test_a_bundle_that_is_cut_off_is_refused(recordings: Path, tmp_path: Path) -> None:
    whole = packed(recordings)
    for length in (0, 10, len(whole) // 2):
        (tmp_path / "x.tar.gz").write_bytes(whole[:length])
        with pytest.raises(OptionError, match="bundle: "):
            bundle.unpack(str(tmp_path / "x.tar.gz"), str(tmp_path))
    with pytest.raises(OptionError, match="cannot read"):
        bundle.unpack(str(tmp_path / "nothing"), str(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionError, match="no recordings in"):
        bundle.unpack(str(tmp_path / "empty"), "")
