# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore of Kubernetes objects says first what it would do, asks where it must, and deletes nothing."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from played_kubernetes import Played, VaultHere, played
from test_k8s_backup import PASSWORD, TREASURE, again, backup, secret, verified

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    k8s_api,
    k8s_objects,
    k8s_vault,
    listing,
    lock,
    stream,
    verify_k8s,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError, OptionError
from ansible_collections.nexuscos.ops.plugins.modules import k8s_restore


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


def restore(server: Played, place: Path, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    params = server.params(
        system="cluster", path=str(place), set="", kinds=[], names=[], force=False, confirm="", lock_wait=0.0,
        deadline=60.0, vault_password=PASSWORD, vault_password_file=None, vault_id=None,
    )  # fmt: skip
    return k8s_restore.run({**params, **more}, check_mode, True)


def name(server: Played) -> str:
    return server.url.replace("http://", "")


def fill(server: Played) -> None:
    server.add("v1", "ConfigMap", "nexus-a", "settings", data={"colour": "red"})
    server.add("v1", "ConfigMap", "nexus-b", "settings", data={"colour": "red"})
    server.add("v1", "Secret", "nexus-a", "login", data=secret(), type="Opaque")
    server.add("apps/v1", "Deployment", "nexus-a", "web", spec={"replicas": 2})


@pytest.fixture
def saved(server: Played, place: Path) -> Played:
    fill(server)
    backup(server, place, kinds=["v1/ConfigMap", "v1/Secret", "apps/v1/Deployment"])
    server.asked.clear()
    return server


def test_what_is_as_it_was_is_not_touched(saved: Played, place: Path) -> None:
    told = restore(saved, place)
    assert (told["changed"], told["counts"]) == (False, {"create": 0, "change": 0, "unchanged": 6})
    assert not saved.writes()
    assert told["diff"] == []


def test_check_mode_tells_the_truth_and_hides_secrets(saved: Played, place: Path) -> None:
    saved.objects["/api/v1/namespaces/nexus-a/configmaps/settings"]["data"] = {"colour": "blue", "later": "x"}
    saved.objects["/api/v1/namespaces/nexus-a/secrets/login"]["data"] = {**secret("another"), "same": "eA=="}
    del saved.objects["/api/v1/namespaces/nexus-b/configmaps/settings"]
    told = restore(saved, place, check_mode=True)
    assert told["changed"]
    assert told["counts"] == {"create": 1, "change": 2, "unchanged": 3}
    assert not saved.writes()
    assert f"until confirm names {name(saved)}" in told["msg"]
    assert told["plan"]["unconfirmed"] == name(saved)
    text = json.dumps(told)
    for hidden in (TREASURE, "another"):
        assert hidden not in text
        assert base64.b64encode(hidden.encode()).decode() not in text
    diff = {one["before_header"]: one for one in told["diff"]}
    assert set(diff) == {"nexus-a/ConfigMap/settings", "nexus-a/Secret/login", "nexus-b/ConfigMap/settings"}
    assert "colour: blue" in diff["nexus-a/ConfigMap/settings"]["before"]
    assert "colour: red" in diff["nexus-a/ConfigMap/settings"]["after"]
    assert 'password: "[hidden, before]"' in diff["nexus-a/Secret/login"]["before"]
    assert 'password: "[hidden, after]"' in diff["nexus-a/Secret/login"]["after"]
    assert 'same: "[hidden]"' in diff["nexus-a/Secret/login"]["before"]
    assert diff["nexus-b/ConfigMap/settings"]["before"] == ""
    keeps = {one["object"]: one["keeps"] for one in told["objects"]}
    assert keeps["nexus-a/ConfigMap/settings"] == ["data.later"]
    # What check mode says is what happens.
    done = restore(saved, place, confirm=name(saved))
    assert done["diff"] == told["diff"]
    assert done["objects"] == told["objects"]
    assert saved.objects["/api/v1/namespaces/nexus-a/configmaps/settings"]["data"] == {"colour": "red", "later": "x"}
    assert restore(saved, place)["changed"] is False


def test_live_objects_want_a_confirmation_and_new_ones_do_not(saved: Played, place: Path) -> None:
    path = "/api/v1/namespaces/nexus-b/configmaps/settings"
    del saved.objects[path]
    assert restore(saved, place)["counts"]["create"] == 1
    saved.objects[path]["data"] = {"colour": "blue"}
    saved.asked.clear()
    for wrong in ("", "198.51.100.7:6443", "nexus-b"):
        with pytest.raises(OptionError, match=r"1 live objects at .* would be changed: name it in confirm"):
            restore(saved, place, confirm=wrong)
    assert not saved.writes()
    assert restore(saved, place, confirm=name(saved))["counts"]["change"] == 1


def test_a_conflict_names_the_manager_and_changes_nothing(saved: Played, place: Path) -> None:
    saved.objects["/api/v1/namespaces/nexus-a/configmaps/settings"]["data"] = {"colour": "blue"}
    saved.conflict = ("kubectl-edit", ".data.colour")
    only: dict[str, Any] = {"namespaces": ["nexus-a"], "kinds": ["ConfigMap"], "names": ["settings"]}
    with pytest.raises(OpsError, match=r"ConfigMap/settings: kubectl-edit looks after .data.colour.*force: true"):
        restore(saved, place, confirm=name(saved), **only)
    assert not saved.writes()
    told = restore(saved, place, check_mode=True, **only)
    assert "would be refused without force" in told["msg"]
    assert told["diff"][0]["after"] != told["diff"][0]["before"]
    told = restore(saved, place, confirm=name(saved), force=True, **only)
    assert told["counts"]["change"] == 1
    assert all(query["fieldManager"] == "nexuscos-ops" for method, _path, query in saved.asked if method == "PATCH")


def test_one_that_is_not_taken_refuses_all(saved: Played, place: Path) -> None:
    saved.objects["/api/v1/namespaces/nexus-a/configmaps/settings"]["data"] = {"colour": "blue"}
    saved.refuse["login"] = (422, f"Secret is invalid: data: {TREASURE}")
    with pytest.raises(OpsError, match=r"Secret/login: HTTP 422 Invalid \(data.x\)") as caught:
        restore(saved, place, confirm=name(saved))
    assert TREASURE not in str(caught.value)
    assert not saved.writes()
    told = restore(saved, place, check_mode=True)
    assert "it would be refused" in told["msg"]
    assert TREASURE not in json.dumps(told)


def test_into_an_empty_cluster_in_order(saved: Played, place: Path) -> None:
    saved.objects.clear()
    told = restore(saved, place, check_mode=True)
    assert told["counts"] == {"create": 6, "change": 0, "unchanged": 0}
    assert all("not tried" in one["after_header"] for one in told["diff"] if one["before_header"].startswith("nexus-"))
    assert not saved.writes()
    told = restore(saved, place)
    assert [one["object"] for one in told["objects"]] == [
        "Namespace/nexus-a", "Namespace/nexus-b", "nexus-a/Secret/login", "nexus-a/ConfigMap/settings",
        "nexus-b/ConfigMap/settings", "nexus-a/Deployment/web",
    ]  # fmt: skip
    assert saved.objects["/api/v1/namespaces/nexus-a/secrets/login"]["data"] == secret()


def test_how_many_objects_are_done_is_told_while_it_goes(
    saved: Played, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved.objects.clear()
    monkeypatch.setattr(stream, "_TELL_EVERY", 0.0)
    seen: list[tuple[Any, ...]] = []
    apply = k8s_api.Api.apply

    def watched(self: k8s_api.Api, *given: Any, **more: Any) -> Any:
        far = listing.writing(str(place), "cluster", time.time())
        assert far is not None
        seen.append((far["objects"], far["expected_objects"], str(far["item"]).split(" ")[0], far["bytes"]))
        return apply(self, *given, **more)

    monkeypatch.setattr(k8s_api.Api, "apply", watched)
    assert restore(saved, place)["counts"]["create"] == 6
    # Two namespaces can be tried; what is in them only when they are there.
    assert seen[:2] == [(1, 12, "comparing", None), (2, 12, "comparing", None)]
    assert seen[2:] == [(6 + number, 12, "applying", None) for number in range(1, 7)]
    assert not list(place.glob(".progress-*"))


def test_kinds_that_the_set_defines_itself_come_after_their_definition(server: Played, place: Path) -> None:
    crd = {"group": "nexus.example.com", "names": {"kind": "Thing"}}
    server.add("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "things.nexus.example.com", spec=crd)
    things = {"things": "Thing"}
    server.groups["nexus.example.com/v1"] = things
    server.add("nexus.example.com/v1", "Thing", "nexus-a", "one", spec={"size": 1})
    kinds = ["nexus.example.com/v1/Thing", "apiextensions.k8s.io/v1/CustomResourceDefinition"]
    backup(server, place, kinds=kinds)
    server.objects.clear()
    del server.groups["nexus.example.com/v1"]
    told = restore(server, place, check_mode=True)
    assert [one["tried"] for one in told["objects"]] == [True, True, False]
    plain = server.apply

    def apply(path: str, query: dict[str, str], given: dict[str, Any]) -> tuple[int, Any]:
        if given["kind"] == "CustomResourceDefinition" and "dryRun" not in query:
            server.groups["nexus.example.com/v1"] = things
        return plain(path, query, given)

    server.apply = apply  # type: ignore[method-assign]
    assert restore(server, place)["counts"]["create"] == 3
    assert server.objects["/apis/nexus.example.com/v1/namespaces/nexus-a/things/one"]["spec"] == {"size": 1}


def test_a_restore_that_broke_off_goes_on_where_it_was(saved: Played, place: Path) -> None:
    saved.objects.clear()
    plain, failing = saved.apply, [True]

    def apply(path: str, query: dict[str, str], given: dict[str, Any]) -> tuple[int, Any]:
        if given["kind"] == "Deployment" and "dryRun" not in query and failing:
            return 500, {"message": "etcd is gone"}
        return plain(path, query, given)

    saved.apply = apply  # type: ignore[method-assign]
    with pytest.raises(OpsError, match=r"Deployment/web was refused: HTTP 500: etcd is gone. Before it 5 objects were"):
        restore(saved, place)
    failing.clear()
    saved.asked.clear()
    told = restore(saved, place)
    assert told["counts"] == {"create": 1, "change": 0, "unchanged": 5}
    assert saved.writes() == ["/apis/apps/v1/namespaces/nexus-a/deployments/web"]


@pytest.mark.parametrize(
    ("options", "objects"),
    [
        ({"namespaces": ["nexus-b"]}, ["Namespace/nexus-b", "nexus-b/ConfigMap/settings"]),
        ({"kinds": ["apps/v1/Deployment"]}, ["Namespace/nexus-a", "nexus-a/Deployment/web"]),
        ({"kinds": ["Secret"], "names": ["log*"]}, ["Namespace/nexus-a", "nexus-a/Secret/login"]),
        ({"exclude_namespaces": ["nexus-a"]}, ["Namespace/nexus-b", "nexus-b/ConfigMap/settings"]),
    ],
)
def test_a_choice_brings_its_namespace(saved: Played, place: Path, options: dict[str, Any], objects: list[str]) -> None:
    saved.objects.clear()
    assert [one["object"] for one in restore(saved, place, **options)["objects"]] == objects


def test_secrets_are_decrypted_only_where_they_are_chosen(saved: Played, place: Path) -> None:
    assert restore(saved, place, kinds=["ConfigMap"], vault_password=None)["counts"]["unchanged"] == 4
    assert restore(saved, place, namespaces=["nexus-b"], vault_password=None)["counts"]["unchanged"] == 2
    with pytest.raises(OptionError, match="Secrets in an ansible-vault: set vault_password"):
        restore(saved, place, vault_password=None)
    with pytest.raises(OpsError, match="cannot be decrypted with the given password"):
        restore(saved, place, vault_password="another")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"names": ["no-such"]}, "nothing is chosen: .* has 6 objects, of nexus-a, nexus-b"),
        ({"set": "2026-01-01T000000Z"}, "no set of cluster of 2026-01-01T000000Z"),
        ({"system": "redis"}, "no set of redis"),
        ({"deadline": 0.0}, "deadline: want more seconds"),
    ],
)
def test_what_can_only_be_a_mistake_is_refused(saved: Played, place: Path, options: dict[str, Any], why: str) -> None:
    with pytest.raises(OpsError, match=why):
        restore(saved, place, **options)


def test_a_changed_file_is_not_restored(saved: Played, place: Path) -> None:
    (path,) = place.glob("2*/cluster/nexus-a/configmaps.yml")
    path.write_bytes(path.read_bytes().replace(b"red", b"bad"))
    with pytest.raises(OpsError, match=r"configmaps.yml: its sum is not that of the manifest. Nothing was changed"):
        restore(saved, place)
    assert not saved.writes()


def test_an_object_that_is_being_deleted_is_waited_for(saved: Played, place: Path) -> None:
    live = saved.objects["/api/v1/namespaces/nexus-a/configmaps/settings"]
    live["metadata"]["deletionTimestamp"] = "2026-11-29T00:00:00Z"
    with pytest.raises(OpsError, match="ConfigMap/settings: it is being deleted"):
        restore(saved, place)


def test_a_second_operator_is_refused_with_the_first_ones_name(saved: Played, place: Path) -> None:
    with lock.held(str(place), "cluster", "backup", 0.0), pytest.raises(OpsError, match=r"backup by .* holds the lock"):
        restore(saved, place)
    assert not saved.writes()


# -- proof by a restore


def kubernetes(server: Played) -> dict[str, Any]:
    return {key: value for key, value in server.params().items() if "namespaces" not in key}


def test_levels_3_and_4_in_scratch_namespaces(saved: Played, place: Path) -> None:
    before = set(saved.objects)
    told = verified(place, level=4, kubernetes=kubernetes(saved))
    assert told["good"], told
    assert (told["level"], told["levels"][3]["details"]["made"], told["levels"][3]["details"]["dry_run"]) == (4, 3, 3)
    assert set(saved.objects) == before
    made = [path for path in saved.writes() if path.startswith("/api/v1/namespaces/nexuscos-verify-")]
    assert set(saved.writes()) == set(made), "something was written outside of scratch namespaces"
    assert any("/configmaps/settings" in path for path in made)


def test_what_is_restored_otherwise_than_saved_refutes(saved: Played, place: Path) -> None:
    plain = saved.apply

    def apply(path: str, query: dict[str, str], given: dict[str, Any]) -> tuple[int, Any]:
        if given["kind"] == "ConfigMap":
            given["data"] = {"colour": "green"}
        return plain(path, query, given)

    saved.apply = apply  # type: ignore[method-assign]
    before = set(saved.objects)
    told = verified(place, level=4, kubernetes=kubernetes(saved))
    assert not told["good"]
    assert "ConfigMap/settings: data.colour" in told["why"]
    assert told["level"] == 3
    assert set(saved.objects) == before


def test_a_restore_that_is_refused_refutes_and_cleans_up(saved: Played, place: Path) -> None:
    saved.refuse["web"] = (422, "spec.replicas: must be more")
    before = set(saved.objects)
    told = verified(place, level=3, kubernetes=kubernetes(saved))
    assert "Deployment/web cannot be restored: HTTP 422: spec.replicas" in told["why"]
    assert set(saved.objects) == before


def test_a_right_that_is_missing_says_nothing_about_the_set(saved: Played, place: Path) -> None:
    saved.refuse["web"] = (403, "forbidden")
    with pytest.raises(OpsError, match="Deployment/web: HTTP 403"):
        verified(place, level=3, kubernetes=kubernetes(saved))
    with pytest.raises(OptionError, match="level: 3 wants kubernetes"):
        verified(place, level=3)
    with pytest.raises(OptionError, match="level: 3 of a set with Secrets wants its vault password"):
        verified(place, level=3, kubernetes=kubernetes(saved), vault_password=None)
    with pytest.raises(OptionError, match="are proven to 4"):
        verified(place, level=5, kubernetes=kubernetes(saved), smoke=[{"query": "SELECT 1", "answer": 1}])


def test_scratch_namespaces_of_a_killed_run_go_and_others_stay(saved: Played, place: Path) -> None:
    for one, made, labels in (
        ("nexuscos-verify-old-0", "2020-01-01T00:00:00Z", verify_k8s.LABELS),
        ("nexuscos-verify-new-0", "2999-01-01T00:00:00Z", verify_k8s.LABELS),
        ("nexuscos-verify-not-ours", "2020-01-01T00:00:00Z", {}),
    ):
        saved.objects[f"/api/v1/namespaces/{one}"] = {
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": one, "creationTimestamp": made, "labels": labels},
        }  # fmt: skip
    assert verified(place, level=3, kubernetes=kubernetes(saved))["good"]
    left = [path for path in saved.objects if "nexuscos-verify" in path]
    assert left == ["/api/v1/namespaces/nexuscos-verify-new-0", "/api/v1/namespaces/nexuscos-verify-not-ours"]


def test_a_kind_that_is_not_served_refutes(saved: Played, place: Path) -> None:
    del saved.groups["apps/v1"]
    told = verified(place, level=3, kubernetes=kubernetes(saved))
    assert "serves no apps/v1/Deployment" in told["why"]
    with pytest.raises(OpsError, match=r"does not take all of it.* serves no apps/v1/Deployment"):
        restore(saved, place, set=told["set"]["stamp"])


def test_order_and_differences() -> None:
    kinds = ["Ingress", "Thing", "Deployment", "ConfigMap", "CustomResourceDefinition", "Namespace", "Service"]
    docs = [{"kind": one, "apiVersion": "v1", "metadata": {"name": "x"}} for one in kinds]
    assert [one["kind"] for one in sorted(docs, key=k8s_objects.rank)] == [
        "Namespace", "CustomResourceDefinition", "ConfigMap", "Service", "Thing", "Deployment", "Ingress",
    ]  # fmt: skip
    assert k8s_objects.difference({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 3}]}, "z": 1}) == ["a.b[1].c"]
    assert k8s_objects.difference({"a": {}, "b": None, "c": 0}, {}) == []
    assert k8s_objects.difference({"a": [1]}, {"a": [1, 2]}) == ["a"]
    assert k8s_objects.more_than({"a": {"b": 1}}, {"a": {"b": 2, "c": 1}, "d": 1}) == ["a.c", "d"]


def test_the_sums_may_be_written_anew_but_the_numbers_stay(saved: Played, place: Path) -> None:
    (folder,) = place.glob("2*/cluster")
    path = folder / "nexus-a/deployments.apps.yml"
    path.write_bytes(b"")
    again(folder)
    assert "0 objects of apps/v1/Deployment" in verified(place)["why"]


def test_the_body_of_an_apply_is_json_and_yaml() -> None:
    doc = {"a": '😀 \\ud83d\\ude00 \x7f\x85\u2028 \n " ü \\', "b": "1e3", "c": [None, True, 1.5]}
    body = k8s_api._body(doc)
    assert json.loads(body) == doc
    assert yaml.safe_load(body) == doc
    assert "😀".encode() in body
