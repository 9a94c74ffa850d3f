"""Argument specs merge with their rules, and the documentation of what is shared tells the truth."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.nexuscos.ops.plugins.doc_fragments.observe import ModuleDocFragment
from ansible_collections.nexuscos.ops.plugins.module_utils._core.argspec import ArgSpec, observe_spec


def test_merging_keeps_options_and_rules():
    one = ArgSpec({"a": {"type": "str"}}, mutually_exclusive=[("a", "b")])
    other = ArgSpec({"b": {"type": "int"}}, required_one_of=[("a", "b")], required_if=[("a", "x", ["b"])])
    merged = one.merge(other)
    assert merged.to_kwargs() == {
        "argument_spec": {"a": {"type": "str"}, "b": {"type": "int"}},
        "mutually_exclusive": [("a", "b")],
        "required_together": [],
        "required_one_of": [("a", "b")],
        "required_if": [("a", "x", ["b"])],
    }
    assert one.options == {"a": {"type": "str"}}
    assert one.merge(None) is one


def test_an_option_in_both_is_a_programming_error():
    with pytest.raises(ValueError, match="options defined twice: a"):
        ArgSpec({"a": {}}).merge(ArgSpec({"a": {}}))


def test_the_fragment_documents_what_the_spec_takes():
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    spec = observe_spec(30.0).options
    assert set(documented) == set(spec)
    for name, option in spec.items():
        said = documented[name]
        assert said.get("type") == option["type"], name
        assert said.get("elements") == option.get("elements"), name
        assert bool(said.get("required")) == bool(option.get("required")), name
        if name != "deadline":
            assert said.get("default") == option.get("default"), name
    assert spec["deadline"]["default"] == 30.0
