"""Recordings: written whole or not at all, read back or refused by name."""

from __future__ import annotations

import gzip
import json
import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._core import recording
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


def taken(observation=None):
    return recording.Recording("k8s_health", "us-east-1", "2026-11-22T06:00:00Z", observation or {"pods": [1]})


@pytest.mark.parametrize("name", ["a.json", "deep/er/a.json.gz"])
def test_written_and_read_back(tmp_path, name):
    path = str(tmp_path / name)
    recording.write(path, taken())
    assert recording.read(path, "k8s_health") == taken()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(), values, max_size=4))
def test_any_observation_comes_back_redacted(tmp_path, observation):
    from ansible_collections.nexuscos.ops.plugins.module_utils._core.redact import redact

    path = str(tmp_path / "any.json.gz")
    try:
        json.dumps(observation, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        observation = {}
    recording.write(path, taken(observation or {"x": 1}))
    assert recording.read(path, "k8s_health").observation == redact(observation or {"x": 1})


def test_half_a_character_is_written_and_read(tmp_path):
    """A log line cut in the middle of a surrogate pair must not lose the recording."""
    path = str(tmp_path / "a.json")
    recording.write(path, taken({"log": "cut \ud83d"}))
    assert recording.read(path, "k8s_health").observation == {"log": "cut \ud83d"}


def test_the_same_look_is_the_same_file(tmp_path):
    recording.write(str(tmp_path / "a.gz"), taken({"b": 1, "a": 2}))
    recording.write(str(tmp_path / "b.gz"), taken({"a": 2, "b": 1}))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_secrets_are_not_written(tmp_path):
    recording.write(str(tmp_path / "a.json"), taken({"dsn": "postgres://u:hunter2@db1/x", "password": "hunter2"}))
    assert b"hunter2" not in (tmp_path / "a.json").read_bytes()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "damaged or no recording"),
        (b"{", "damaged or no recording"),
        (b"\x1f\x8b\x08cut", "replay_from"),
        (gzip.compress(b"{}" * 100, mtime=0)[:-12], "replay_from"),
        (b"\xff\xfe", "damaged or no recording"),
        (b"[]", "no recording of this collection"),
        (b'{"observation": {}}', "no recording of this collection"),
        (b'{"format": 1, "observation": []}', "no recording of this collection"),
        (b'{"format": 2, "module": "k8s_health", "observation": {}}', "has format 2, this version reads 1"),
        (b'{"format": 1, "module": "other", "observation": {}}', "recorded by other, not by k8s_health"),
    ],
)
def test_what_is_no_recording_is_refused_by_name(tmp_path, content, says):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(OptionError, match=says):
        recording.read(str(tmp_path / "a.json"), "k8s_health")


def test_what_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(OptionError, match=r"cannot read .*none\.json: No such file"):
        recording.read(str(tmp_path / "none.json"), "k8s_health")


def test_what_cannot_be_written_is_an_option_error_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(OptionError, match="record_to: cannot write"):
        recording.write(str(tmp_path / "file" / "a.json"), taken())
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(OptionError, match="record_to: cannot write"):
        recording.write(str(tmp_path / "folder.json"), taken())
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.json"]


def test_a_full_disk_keeps_the_old_recording(tmp_path, monkeypatch):
    path = str(tmp_path / "a.json")
    recording.write(path, taken())

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OptionError, match="No space left"):
        recording.write(path, taken({"new": 1}))
    monkeypatch.undo()
    assert recording.read(path, "k8s_health") == taken()
    assert os.listdir(tmp_path) == ["a.json"]
