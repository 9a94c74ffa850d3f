# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of Kubernetes are saved whole or not at all, and a Secret is never in the clear."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from played_kubernetes import Played, VaultHere, played

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    k8s_api,
    k8s_objects,
    k8s_vault,
    manifest,
    verify,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError, OptionError
from ansible_collections.nexuscos.ops.plugins.modules import k8s_backup

PASSWORD = "a vault's password"
TREASURE = "s3cr3t-treasure"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(k8s_vault, "Vault", VaultHere)


@pytest.fixture
def server() -> Iterator[Played]:
    with played() as one:
        yield one


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "sets"


def backup(server: Played, place: Path, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    params = server.params(
        system="cluster", path=str(place), stamp=None, lock_wait=0.0, deadline=60.0, vault_password=PASSWORD,
        vault_password_file=None, vault_id=None, kinds=["v1/ConfigMap", "v1/Secret"], label_selector="", owned=False,
        helm_releases=True,
    )  # fmt: skip
    return k8s_backup.run({**params, **more}, check_mode)


def verified(place: Path, level: int = 2, **more: Any) -> dict[str, Any]:
    params: dict[str, Any] = {
        "path": str(place), "system": "cluster", "set": "", "level": level, "smoke": [], "accept": [], "jobs": 2,
        "bin_dir": "", "scratch_dir": "", "lock_wait": 0.0, "deadline": 60.0, "kubernetes": None,
        "vault_password": PASSWORD, "vault_password_file": None, "vault_id": None, **more,
    }  # fmt: skip
    return verify.run(params, False)


def secret(value: str = TREASURE) -> dict[str, str]:
    return {"password": base64.b64encode(value.encode()).decode()}


def fill(server: Played) -> None:
    for number in range(5):
        server.add("v1", "ConfigMap", "nexus-a", f"settings-{number}", data={"yes": "on", "number": "1e3"})
    server.add("v1", "ConfigMap", "nexus-b", "settings", data={"text": "a\nb\n"})
    server.add("v1", "Secret", "nexus-a", "login", data=secret(), type="Opaque")
    server.add("v1", "Secret", "nexus-b", "token", data=secret(), type="kubernetes.io/service-account-token")
    server.add("v1", "ConfigMap", "nexus-b", "kube-root-ca.crt", data={"ca.crt": "x"})
    owner = {"kind": "Thing", "name": "t", "controller": True}
    server.add("v1", "ConfigMap", "nexus-b", "made", metadata={"ownerReferences": [owner]})


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def test_objects_are_written_clean_by_namespace_and_kind(server: Played, place: Path) -> None:
    fill(server)
    told = backup(server, place)
    folder = Path(told["set"]["path"])
    assert (told["level"], told["set"]["engine"], told["set"]["format"]) == (2, "kubernetes", "kubernetes_yaml")
    assert sorted(str(one.relative_to(folder)) for one in folder.rglob("*.yml")) == [
        "_cluster/namespaces.yml", "nexus-a/configmaps.yml", "nexus-a/secrets.vault.yml", "nexus-b/configmaps.yml",
    ]  # fmt: skip
    docs = documents(folder / "nexus-a/configmaps.yml")
    assert [one["metadata"]["name"] for one in docs] == [f"settings-{number}" for number in range(5)]
    assert docs[0] == {
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"yes": "on", "number": "1e3"},
        "metadata": {"name": "settings-0", "namespace": "nexus-a", "annotations": {"kept": "yes"}},
    }  # fmt: skip
    made = manifest.read(str(folder))
    assert made.invariants["objects"] == {
        "_cluster": {"v1/Namespace": 2}, "nexus-a": {"v1/ConfigMap": 5, "v1/Secret": 1},
        "nexus-b": {"v1/ConfigMap": 1},
    }  # fmt: skip
    assert made.options["left_out"] == {k8s_objects.ROOT_CA: 1, k8s_objects.OWNED: 1, k8s_objects.TOKEN: 1}
    assert (made.encryption, made.server, made.source["objects"]["v1/ConfigMap"]) == ("ansible-vault", "v1.36.3", 8)
    spaces = documents(folder / "_cluster/namespaces.yml")
    assert spaces[0]["metadata"] == {"name": "nexus-a", "labels": {"team": "ops"}}
    assert "spec" not in spaces[0]


def test_secrets_without_a_password_are_refused_before_anything_is_asked(server: Played, place: Path) -> None:
    fill(server)
    with pytest.raises(OptionError, match="no password of one is given: set vault_password"):
        backup(server, place, vault_password=None)
    assert not server.asked
    assert not place.exists()
    told = backup(server, place, vault_password=None, kinds=["v1/ConfigMap"])
    assert manifest.read(told["set"]["path"]).encryption == "none"


def test_the_password_may_lie_in_a_file_that_is_no_program(server: Played, place: Path, tmp_path: Path) -> None:
    fill(server)
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    backup(server, place, vault_password=None, vault_password_file=str(path))
    assert verified(place)["good"]
    for mode, content, why in ((0o700, "x", "can be executed"), (0o600, " \n", "holds no password")):
        path.write_text(content)
        path.chmod(mode)
        with pytest.raises(OptionError, match=why):
            backup(server, place, vault_password=None, vault_password_file=str(path))
    with pytest.raises(OptionError, match="No such file"):
        backup(server, place, vault_password=None, vault_password_file=str(tmp_path / "none"))
    with pytest.raises(OptionError, match="no vault password of the id prod"):
        backup(server, place, vault_password=None, vault_id="prod")
    with pytest.raises(OptionError, match="vault_password is empty"):
        backup(server, place, vault_password=" ")


def test_labels_namespaces_and_globs_choose(server: Played, place: Path) -> None:
    fill(server)
    server.add("v1", "ConfigMap", "nexus-b", "labelled", metadata={"labels": {"part": "cos"}})
    told = backup(server, place, label_selector="part=cos", namespaces=["nexus-a", "nexus-b"])
    assert manifest.read(told["set"]["path"]).invariants["objects"] == {
        "_cluster": {"v1/Namespace": 2}, "nexus-b": {"v1/ConfigMap": 1},
    }  # fmt: skip
    lists = [path for method, path, _query in server.asked if path.endswith(("/configmaps", "/secrets"))]
    assert all("/namespaces/nexus-" in path for path in lists), lists
    told = backup(server, place, exclude_namespaces=["*-a"])
    made = manifest.read(told["set"]["path"])
    assert set(made.invariants["objects"]) == {"_cluster", "nexus-b"}
    assert made.options["left_out"][k8s_objects.OTHER] == 6


def test_owned_objects_and_releases_of_helm_by_choice(server: Played, place: Path) -> None:
    fill(server)
    server.add("v1", "Secret", "nexus-a", "sh.helm.release.v1.web.v1", data=secret(), type="helm.sh/release.v1")
    made = manifest.read(backup(server, place, owned=True)["set"]["path"])
    assert made.invariants["objects"]["nexus-b"]["v1/ConfigMap"] == 2
    assert made.options["owners"] == {"nexus-b/ConfigMap/made": ["Thing/t"]}
    assert made.invariants["objects"]["nexus-a"]["v1/Secret"] == 2
    made = manifest.read(backup(server, place, helm_releases=False)["set"]["path"])
    assert made.invariants["objects"]["nexus-a"]["v1/Secret"] == 1
    assert made.options["left_out"][k8s_objects.HELM] == 1


def test_a_list_whose_token_expires_goes_on_and_says_so(server: Played, place: Path) -> None:
    fill(server)
    server.expire = 1
    made = manifest.read(backup(server, place, namespaces=["nexus-a"])["set"]["path"])
    assert made.invariants["objects"]["nexus-a"] == {"v1/ConfigMap": 5, "v1/Secret": 1}
    assert made.options["inconsistent"] == ["v1/ConfigMap nexus-a"]


def test_a_server_that_is_busy_or_hangs_up_is_asked_again(
    server: Played, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(server)
    monkeypatch.setattr(k8s_api.time, "sleep", lambda _seconds: None)
    for name in ("busy", "hang_up"):
        setattr(server, name, 3)
        assert backup(server, place)["level"] == 2
        setattr(server, name, 100)
        with pytest.raises(OpsError, match="HTTP 429" if name == "busy" else "breaks the connection"):
            backup(server, place)
        setattr(server, name, 0)


def test_a_page_that_leads_to_itself_is_no_end_of_the_list(server: Played, place: Path) -> None:
    fill(server)
    item = {"metadata": {"name": "x", "namespace": "nexus-a"}}
    page = {"kind": "List", "metadata": {"continue": "2"}, "items": [item]}
    server.raw["/api/v1/configmaps"] = json.dumps(page).encode()
    with pytest.raises(OpsError, match="one page leads to itself"):
        backup(server, place, kinds=["v1/ConfigMap"])
    assert not list(place.glob("*/cluster"))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"kinds": ["ConfigMap"]}, "want apiVersion and kind, such as"),
        ({"kinds": ["../v1/ConfigMap"]}, "want apiVersion and kind, such as"),
        ({"kinds": []}, "name one at least"),
        ({"kinds": ["v1/Deployment"]}, "serves no v1/Deployment: it serves apps/v1/Deployment"),
        ({"kinds": ["nexus.example.com/v1/Thing"]}, "serves no nexus.example.com/v1/Thing$"),
        ({"namespaces": ["nexus-c"]}, "has no namespace nexus-c"),
        ({"namespaces": ["../x"]}, "which is none"),
        ({"label_selector": "no=such"}, "there is nothing to back up"),
        ({"vault_id": "a b"}, "want a label such as prod"),
    ],
)
def test_what_can_only_be_a_mistake_is_refused(server: Played, place: Path, options: dict[str, Any], why: str) -> None:
    fill(server)
    with pytest.raises(OpsError, match=why):
        backup(server, place, **options)
    assert not list(place.glob("*/cluster")), "a set was made"


def test_a_kind_that_may_not_be_listed_fails_and_leaves_nothing(server: Played, place: Path) -> None:
    fill(server)
    server.deny = ["/secrets"]
    with pytest.raises(OpsError, match="v1/Secret cannot be listed: HTTP 403: forbidden"):
        backup(server, place)
    assert not list(place.glob("*/*"))


def test_rights_in_a_namespace_are_enough(server: Played, place: Path) -> None:
    fill(server)
    server.page = 500
    plain = server.get

    def narrow(path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path in ("/api/v1/configmaps", "/api/v1/namespaces/nexus-a", "/api/v1/namespaces"):
            return 403, {"message": "forbidden"}
        return plain(path, query)

    server.get = narrow  # type: ignore[method-assign]
    made = manifest.read(backup(server, place, namespaces=["nexus-a"], kinds=["v1/ConfigMap"])["set"]["path"])
    assert made.invariants["objects"] == {"nexus-a": {"v1/ConfigMap": 5}}
    assert made.options["left_out"] == {"namespaces that may not be read": 1}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b'{"items": [{"metadata": {"name": "x", "namespace": "../../etc"}}]}', "which is none"),
        (b'{"items": [{"metadata": {"name": "../x", "namespace": "nexus-a"}}]}', "which is none"),
        (b'{"items": [{"metadata": {"name": "", "namespace": "nexus-a"}}]}', "which is none"),
        (b'{"items": [{"metadata": {"name": "x"}}]}', "has no namespace"),
        (b'{"items": ["x"]}', "an item of the list is no object"),
        (b'{"items": {}}', "the answer is no list"),
        (b"[]", "the answer is no object"),
        (b'{"items": [{"metadata"', "the answer is no JSON"),
        (b'{"items": [{"metadata": {"name": "x", "namespace": "nexus-a"}, "data": {"a": "\\ud800"}}]}', "as YAML"),
        (b'{"items": ' + b"[" * 100_000, "the answer is no JSON"),
    ],
)
def test_a_hostile_server_gets_nothing_written(server: Played, place: Path, answer: bytes, why: str) -> None:
    fill(server)
    server.raw["/api/v1/configmaps"] = answer
    with pytest.raises(OpsError, match=why):
        backup(server, place, kinds=["v1/ConfigMap"])
    assert not list(place.glob("*/cluster"))
    assert not list(place.parent.rglob("etc"))


def test_check_mode_writes_nothing_and_counts(server: Played, place: Path) -> None:
    fill(server)
    told = backup(server, place, check_mode=True)
    assert told["changed"]
    assert told["plan"]["source"]["objects"] == {"v1/ConfigMap": 8, "v1/Secret": 2}
    assert not place.exists()


def test_text_that_looks_like_something_else_stays_text(server: Played, place: Path) -> None:
    hard = ["yes", "1e3", "0o17", "0x1F", "1_000", "12:30:00", "2026-11-29", "~", "", " lead", "trail ", "a: b", "#x",
             "a #b", "<<", "=", ".inf", "null", "line\n", "a\n b\n", "\ta\n", "crlf\r\nx\r\n", "\n\n", "\u2028", "\x07",
             "ünï", "😀\n😀", "- x", "'", '"', "\\", "{", "!!str x", "&a", "*a", "a\nb  \nc"]  # fmt: skip
    data = {f"k{name}": value for name, value in enumerate(hard)}
    server.add("v1", "ConfigMap", "nexus-a", "hard", data=data)
    folder = Path(backup(server, place, kinds=["v1/ConfigMap"])["set"]["path"])
    (doc,) = documents(folder / "nexus-a/configmaps.yml")
    assert doc["data"] == data


def test_what_controllers_write_into_a_kind_is_left_out() -> None:
    def cleaned(version: str, kind: str, **more: Any) -> dict[str, Any]:
        return k8s_objects.clean({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, **more})

    told = cleaned("v1", "Service", spec={"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": [{"port": 1}]})
    assert told["spec"] == {"ports": [{"port": 1}]}
    assert cleaned("v1", "Service", spec={"clusterIP": "None", "clusterIPs": ["None"]})["spec"]["clusterIP"] == "None"
    assert cleaned("v1", "PersistentVolumeClaim", spec={"volumeName": "pv1"})["spec"] == {}
    assert "secrets" not in cleaned("v1", "ServiceAccount", secrets=[{"name": "x-token"}])
    labels = {"labels": {"controller-uid": "1", "batch.kubernetes.io/controller-uid": "1", "app": "x"}}
    job = cleaned("batch/v1", "Job", spec={"selector": {"a": 1}, "template": {"metadata": labels}})
    assert job["spec"] == {"template": {"metadata": {"labels": {"app": "x"}}}}
    manual = cleaned("batch/v1", "Job", spec={"selector": {"a": 1}, "manualSelector": True})
    assert manual["spec"]["selector"] == {"a": 1}
    other = cleaned("example.com/v1", "Service", spec={"clusterIP": "1"})
    assert other["spec"] == {"clusterIP": "1"}


def again(folder: Path) -> None:
    """Write the sums of the manifest anew, as one who hides a change would."""
    from ansible_collections.nexuscos.ops.plugins.module_utils._backup import stream

    known = manifest.read(str(folder))
    known.files = [stream.sum_file(str(folder / one.path), str(folder)) for one in known.files]
    manifest.write(str(folder), known)


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("nexus-a/configmaps.yml", lambda data: data[: data.rindex(b"---")], "4 objects of v1/ConfigMap .* 5 were"),
        ("nexus-a/configmaps.yml", lambda data: data[:-40], "it is no YAML|has no|4 objects"),
        ("nexus-a/configmaps.yml", lambda data: data.replace(b"name: settings-1", b'name: ""'), "no metadata.name"),
        ("nexus-a/configmaps.yml", lambda data: data.replace(b"settings-1", b"settings-0"), "stands there twice"),
        ("nexus-a/configmaps.yml", lambda data: data.replace(b"nexus-a", b"nexus-b"), "of another namespace"),
        ("nexus-a/configmaps.yml", lambda data: data.replace(b"kind: ConfigMap", b"kind: Secret", 1), "in plain text"),
        ("nexus-a/configmaps.yml", lambda data: data + b"--- [1, 2]\n", "is no object but list"),
        ("nexus-a/configmaps.yml", lambda data: data + b"--- !!python/object:os.system {}\n", "it is no YAML"),
        ("nexus-a/configmaps.yml", lambda data: data + b"--- &a\nx: *a\n", "has no apiVersion|refers to itself"),
        ("nexus-a/configmaps.yml", lambda _data: b"", "0 objects of v1/ConfigMap"),
        ("nexus-a/secrets.vault.yml", lambda data: data[:200], "breaks off or was changed"),
        ("nexus-a/secrets.vault.yml", lambda _data: b"---\nkind: Secret\n", "no file of ansible-vault"),
        ("_cluster/namespaces.yml", lambda data: data + b"\x00\xff", "it is no YAML"),
    ],
)
def test_damage_is_found_at_level_2(server: Played, place: Path, name: str, change: Any, why: str) -> None:
    fill(server)
    folder = Path(backup(server, place)["set"]["path"])
    path = folder / name
    path.write_bytes(change(path.read_bytes()))
    assert "sum is not that" in verified(place, level=1)["why"] or "bytes" in verified(place, level=1)["why"]
    again(folder)
    told = verified(place)
    assert not told["good"], told
    assert re.search(why, told["why"]), told["why"]


def test_a_document_that_refers_to_itself_ends(server: Played, place: Path) -> None:
    fill(server)
    folder = Path(backup(server, place)["set"]["path"])
    path = folder / "nexus-a/configmaps.yml"
    bomb = b"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: nexus-a}\n"
    bomb += b"a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    for one, two in zip("abcdefgh", "bcdefghi"):
        bomb += f"{two}: &{two} [{','.join(['*' + one] * 10)}]\n".encode()
    path.write_bytes(path.read_bytes() + bomb)
    again(folder)
    assert "refers to itself" in verified(place)["why"]


def test_a_wrong_password_refutes_nothing(server: Played, place: Path) -> None:
    fill(server)
    backup(server, place)
    with pytest.raises(OpsError, match="is that the password of this set"):
        verified(place, vault_password="another")
    told = verified(place, vault_password=None)
    assert told["good"]
    assert any("were not decrypted" in text for text in told["warnings"])
    assert "1 Secrets not decrypted" in json.dumps(told["levels"])
