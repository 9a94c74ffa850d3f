"""Libraries are asked for late; what is missing is named with version and path."""

from __future__ import annotations

import sys
import types

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._core.deps import MissingLibrary, need


@pytest.fixture
def library(monkeypatch):
    """Put a made-up library of some version where imports find it."""

    def make(version=None):
        module = types.ModuleType("made_up_library")
        module.__file__ = "/somewhere/made_up_library.py"
        if version is not None:
            module.__version__ = version
        monkeypatch.setitem(sys.modules, "made_up_library", module)
        return module

    return make


@pytest.mark.parametrize(
    ("found", "minimum"), [("3.1", "3.1"), ("3.10.2", "3.9"), ("3", "3.0"), ("4.0.0rc1", "3.2"), ("3.2.1.post4", "3.2")]
)
def test_new_enough(library, found, minimum):
    made = library(found)
    assert need("made_up_library", minimum) is made


@pytest.mark.parametrize(("found", "minimum"), [("3.1", "3.2"), ("3.9", "3.10"), ("2", "2.0.1"), ("0.9", "1")])
def test_too_old(library, found, minimum):
    library(found)
    with pytest.raises(MissingLibrary) as error:
        need("made_up_library", minimum, "made-up")
    assert (
        str(error.value)
        == f"the Python library made-up >= {minimum} is needed, found {found} at /somewhere/made_up_library.py"
    )


def test_missing():
    with pytest.raises(MissingLibrary) as error:
        need("no_such_library", "1.2", "no-such")
    assert "the Python library no-such >= 1.2 is needed: No module named 'no_such_library'" in str(error.value)
    assert "python -m pip install 'no-such>=1.2'" in str(error.value)


def test_a_version_that_only_the_package_knows(library, monkeypatch):
    import importlib.metadata

    library()
    monkeypatch.setattr(importlib.metadata, "version", lambda name: {"made-up": "5.1"}[name])
    assert need("made_up_library", "5.0", "made-up")
    with pytest.raises(MissingLibrary, match=r"found 5\.1"):
        need("made_up_library", "6", "made-up")
