"""The module around the look: options, recordings, documentation, rights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tls_world import World, private_pem

from ansible_collections.nexuscos.ops.plugins.doc_fragments import observe
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._tls import certs
from ansible_collections.nexuscos.ops.plugins.modules import certificate_health

ROOT = Path(__file__).resolve().parents[3]


def params(**given: Any) -> dict[str, Any]:
    """All options with their defaults, as AnsibleModule hands them over."""
    options = {name: option.get("default") for name, option in certificate_health.spec().options.items()}
    return {**options, "target": "set", **given}


def compare(documented: dict[str, Any], options: dict[str, Any]) -> None:
    assert set(documented) == set(options)
    for name, option in options.items():
        for key in ("type", "default", "choices", "elements", "required"):
            assert documented[name].get(key) == option.get(key), (name, key)
        if "options" in option:
            compare(documented[name]["suboptions"], option["options"])


def test_documentation_and_options_are_the_same() -> None:
    documented: dict[str, Any] = {}
    for text in (observe.ModuleDocFragment.DOCUMENTATION, certificate_health.DOCUMENTATION):
        for name, option in yaml.safe_load(text)["options"].items():
            documented.setdefault(name, {}).update(option)
    compare(documented, certificate_health.spec().options)


def test_examples_use_options_that_exist() -> None:
    options = certificate_health.spec().options
    for task in yaml.safe_load(certificate_health.EXAMPLES):
        given = task["nexuscos.ops.certificate_health"]
        assert set(given) <= set(options)
        for source in given.get("sources", ()):
            assert set(source) <= set(options["sources"]["options"])


def test_every_return_key_is_documented(world: World) -> None:
    documented = yaml.safe_load(certificate_health.RETURN)
    result = certificate_health.run(
        params(sources=[{"name": "a", "file": "/nowhere"}, {"name": "b", "file": world.ca}])
    )
    assert set(documented) == set(result)
    for key in ("summary", "facts"):
        assert set(documented[key]["contains"]) == set(result[key])
    for key in ("coverage", "findings"):
        assert set(documented[key]["contains"]) == set(result[key][0])
    table = documented["facts"]["contains"]["certificates"]["contains"]
    assert set(table) == set(result["facts"]["certificates"][0])


def test_a_recording_is_judged_as_the_look_was(world: World, tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    late = world.make("late", world.between, names=["127.0.0.1"], days=(-360, 5))
    with world.server(late) as server:
        sources = [
            {"name": "a", "host": "127.0.0.1", "port": server.port, "file": world.leaf.file},
            {"name": "b", "file": world.write("beside.pem", world.leaf.pem, private_pem(world.leaf.key))},
            {"name": "c", "file": "/nowhere"},
        ]
        alive = certificate_health.run(params(sources=sources, ca_path=world.ca, record_to=str(path), timeout=20.0))
    again = certificate_health.run(params(replay_from=str(path)))
    assert len(alive["findings"]) >= 4
    assert [{**one, "recorded_at": None} for one in again["findings"]] == alive["findings"]
    assert (again["coverage"], again["facts"]) == (alive["coverage"], alive["facts"])
    assert again["recorded_at"]
    assert "PRIVATE" not in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "the list is empty"),
        ({"sources": []}, "the list is empty"),
        ({"sources": [{"name": "a"}]}, "sources: a: want one of"),
        (
            {"sources": [{"name": "a", "host": "x"}], "checks": ["certificate.expire"]},
            "did you mean 'certificate.expiry'",
        ),
        ({"sources": [{"name": "a", "host": "x"}], "thresholds": {"certificate.keys": {}}}, "did you mean"),
        ({"sources": [{"name": "a", "host": "x"}], "deadline": 0.0}, "deadline"),
        ({"sources": [{"name": "a", "host": "x"}], "thresholds": {"certificate.expiry": {"target": 1}}}, "wrong way"),
    ],
)
def test_wrong_options_fail_with_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        certificate_health.run(params(**given))


def test_a_missing_library_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_old(name: str, minimum: str, _package: str = "") -> Any:
        raise OptionError(f"the Python library {name} >= {minimum} is needed")

    certs.library.cache_clear()
    monkeypatch.setattr(certs, "need", too_old)
    with pytest.raises(OptionError, match="cryptography >= 42"):
        certificate_health.run(params(sources=[{"name": "a", "file": world.ca}]))
    certs.library.cache_clear()


def test_as_a_program(world: World, tmp_path: Path) -> None:
    arguments = tmp_path / "arguments.json"
    given = {"target": "set", "sources": [{"name": "ca", "file": world.ca}], "_ansible_check_mode": True}
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": given}), encoding="utf-8")
    module = "ansible_collections.nexuscos.ops.plugins.modules.certificate_health"
    done = subprocess.run([sys.executable, "-m", module, str(arguments)], capture_output=True, text=True, check=False)
    assert done.stdout.strip(), done.stderr
    result = json.loads(done.stdout.strip().splitlines()[-1])
    assert not result.get("failed"), result
    assert result["changed"] is False
    assert result["facts"]["certificates_ok"] == 1


def test_the_right_on_secrets_names_each_of_them() -> None:
    """Who may read one Secret must not thereby read all of them."""
    manifest = ROOT / "playbooks" / "files" / "nexuscos-ops-tls-secrets.yml"
    role, binding = yaml.safe_load(manifest.read_text(encoding="utf-8"))["items"]
    assert (role["kind"], binding["kind"]) == ("Role", "RoleBinding")
    assert [(rule["resources"], rule["verbs"], bool(rule["resourceNames"])) for rule in role["rules"]] == [
        (["secrets"], ["get"], True)
    ]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
