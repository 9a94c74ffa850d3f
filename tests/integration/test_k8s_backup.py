# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_backup, k8s_restore and backup_verify as tasks on the lab's real API server, seen with kubectl and ansible-vault.
Wants a lab that is up, with clusters of its own. It works in namespaces of its own, and takes them away."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.nexuscos.ops.plugins.modules import backup_verify, k8s_backup, k8s_restore

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from terminal import held_still, terminal  # noqa: E402

LAB = Path(os.environ.get("NEXUSCOS_LAB_DIR") or ROOT / ".lab")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nexuscos-lab"
CONTEXT = "us-east-1"
PASSWORD = "a vault's password of the tests"
TREASURE = "treasure-of-the-tests"
MODULES: dict[str, Any] = {"k8s_backup": k8s_backup, "k8s_restore": k8s_restore, "backup_verify": backup_verify}
WHERE = {"kubeconfig": str(LAB / "kubeconfig"), "context": CONTEXT}
HARD = {
    "yes": "on",
    "number": "1e3",
    "octal": "0o17",
    "text": "a\n  b\n\nc: d\n",
    "trail": "x \ny",
    "uni": "ü😀\\ud83d",
    "odd": "\x7f\x85\u2028\t",
    "e": "",
}


def program() -> str:
    """kubectl of the virtual environment, else that which the lab fetched."""
    return (
        shutil.which("kubectl", path=str(ROOT / ".venv/bin"))
        or next(map(str, sorted(CACHE.glob("tools/kubectl-*/**/kubectl"))), "")
        or "kubectl"
    )


def kubectl(*arguments: str, check: bool = True, stdin: str | None = None, kubeconfig: str = "") -> str:
    command = [program(), "--kubeconfig", kubeconfig or str(LAB / "kubeconfig"), "--context", CONTEXT, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, input=stdin)
    if check:
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def live(namespace: str, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("-n", namespace, "get", kind, name, "-o", "json"))
    return found


@pytest.fixture(scope="module")
def server() -> str:
    """The API server, ``host:port``."""
    facts = json.loads((LAB / "lab.json").read_text())
    assert facts["clusters"][CONTEXT]["ready"], "the lab's clusters are not up: make lab"
    return str(facts["clusters"][CONTEXT]["server"]).replace("https://", "")


@pytest.fixture
def namespace(server: str) -> Iterator[str]:
    """A namespace of the test's own, with a workload's objects in it."""
    name = f"nexuscos-test-{secrets.token_hex(4)}"
    docs = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": "ops"}}},
        config(name, "settings", HARD),
        config(name, "other", {"colour": "red"}, labels={"part": "cos"}),
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": name},
         "stringData": {"password": TREASURE}, "data": {"bytes": base64.b64encode(bytes(range(256))).decode()}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token", "namespace": name,
         "annotations": {"kubernetes.io/service-account.name": "default"}},
         "type": "kubernetes.io/service-account-token"},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": name},
         "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80}]}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": name},
         "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": {
             "metadata": {"labels": {"app": "web"}},
             "spec": {"containers": [{"name": "web", "image": "example.com/none:1", "env": [
                 {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "other", "key": "colour"}}}]}]}}}},
    ]  # fmt: skip
    try:
        kubectl("apply", "-f", "-", stdin=documents(docs))
        until(lambda: kubectl("-n", name, "get", "replicasets", "-o", "name").strip(), "the ReplicaSet is there")
        yield name
    finally:
        kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")
        until(lambda: "NotFound" in kubectl("get", "namespace", name, check=False), f"{name} is gone")


def config(namespace: str, name: str, data: dict[str, str], **metadata: Any) -> dict[str, Any]:
    about = {"name": name, "namespace": namespace, **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": data}


def documents(docs: list[dict[str, Any]]) -> str:
    """For kubectl, as JSON: what PyYAML writes without quotes, such as 1e3, kubectl takes for a number."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": docs})


def until(true: Any, what: str, seconds: float = 120) -> Any:
    """Wait until something holds; answers it."""
    end = time.monotonic() + seconds
    while True:
        answer = true()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.5)


class Controller:
    """Runs the modules: as an operator's playbook does, or, which takes no seconds, as Ansible does on the host."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.place = folder, folder / "sets"
        self.vault = folder / "vault password"
        self.vault.write_text(PASSWORD + "\n", encoding="utf-8")
        self.printed = ""

    def options(self, module: str, **more: Any) -> dict[str, Any]:
        own: dict[str, Any] = {"system": "cluster", "path": str(self.place), "vault_password": PASSWORD}
        if module != "backup_verify":
            own.update(kubeconfig=str(LAB / "kubeconfig"), context=CONTEXT)
        return {key: value for key, value in {**own, **more}.items() if value is not None}

    def params(self, module: str, **more: Any) -> dict[str, Any]:
        """Options as the module gets them, with defaults."""
        spec = MODULES[module].spec().to_kwargs()
        checked = ArgumentSpecValidator(spec["argument_spec"]).validate(self.options(module, **more))
        assert not checked.error_messages, checked.error_messages
        return dict(checked.validated_parameters)

    def good(self, module: str, check: bool = False, **more: Any) -> dict[str, Any]:
        params = self.params(module, **more)
        with_diff = (True,) if module == "k8s_restore" else ()
        result: dict[str, Any] = MODULES[module].run(params, check, *with_diff)
        return result

    def refused(self, module: str, check: bool = False, **more: Any) -> str:
        with pytest.raises(OpsError) as caught:
            self.good(module, check, **more)
        return str(caught.value)

    def command(self, module: str, *flags: str, **more: Any) -> list[str]:
        kept = self.folder / "result.json"
        kept.unlink(missing_ok=True)
        task = {f"nexuscos.ops.{module}": self.options(module, **more), "register": "seen", "ignore_errors": True}
        copy = {
            "ansible.builtin.copy": {"content": "{{ seen | to_json }}", "dest": str(kept), "mode": "0600"},
            "check_mode": False,
            "no_log": True,
        }
        plays = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task, copy]}]
        book = self.folder / "book.yml"
        book.write_text(yaml.safe_dump(plays), encoding="utf-8")
        program = str(Path(sys.executable).parent / "ansible-playbook")
        python = f"ansible_python_interpreter={sys.executable}"
        return [program, "-i", "localhost,", str(book), "-e", python, *flags]

    def playbook(self, module: str, *flags: str, **more: Any) -> dict[str, Any]:
        command = self.command(module, *flags, **more)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        self.printed = done.stdout + done.stderr
        assert done.returncode == 0, self.printed
        result: dict[str, Any] = json.loads((self.folder / "result.json").read_text(encoding="utf-8"))
        return result

    def manifest(self, told: dict[str, Any]) -> dict[str, Any]:
        known: dict[str, Any] = json.loads((Path(told["set"]["path"]) / "manifest.json").read_text(encoding="utf-8"))
        return known


KINDS = ["v1/ConfigMap", "v1/Secret", "v1/Service", "apps/v1/Deployment", "apps/v1/ReplicaSet"]


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    return Controller(tmp_path)


def nowhere(folder: Path, *words: str) -> None:
    """No file below a folder has these words, nor their base64."""
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            for word in words:
                assert word.encode() not in data, path
                assert base64.b64encode(word.encode()) not in data, path


def test_a_namespace_is_lost_and_comes_back(controller: Controller, namespace: str, server: str) -> None:
    told = controller.playbook("k8s_backup", namespaces=[namespace], kinds=KINDS)
    folder, known = Path(told["set"]["path"]), controller.manifest(told)
    # What is in the set, by kubectl's own count and reader.
    assert known["invariants"]["objects"] == {
        "_cluster": {"v1/Namespace": 1},
        namespace: {"v1/ConfigMap": 2, "v1/Secret": 1, "v1/Service": 1, "apps/v1/Deployment": 1},
    }
    assert known["options"]["left_out"] == {
        "owned by a controller": 1, "token of an account": 1, "copy of the cluster's CA": 1,
    }  # fmt: skip
    nowhere(controller.place, TREASURE)
    read = kubectl("create", "--dry-run=client", "-o", "json", "-f", str(folder / namespace / "configmaps.yml"))
    assert HARD in [one["data"] for one in map(json.loads, _documents(read))]
    vault = [str(Path(sys.executable).parent / "ansible-vault"), "view", "--vault-password-file", str(controller.vault)]
    opened = subprocess.run(
        [*vault, str(folder / namespace / "secrets.vault.yml")], capture_output=True, text=True, check=True,
        env={**os.environ, "PAGER": "cat", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    before = live(namespace, "secret", "login")["data"]
    ports = live(namespace, "service", "web")["spec"]["ports"]
    assert ports[0]["nodePort"]
    assert yaml.safe_load(opened.stdout)["data"] == before
    proof = controller.good("backup_verify", level=4, kubernetes=WHERE)
    assert (proof["good"], proof["level"]) == (True, 4), proof
    assert not scratch()

    kubectl("delete", "namespace", namespace)
    plan = controller.playbook("k8s_restore", "--check", "--diff")
    assert plan["counts"] == {"create": 6, "change": 0, "unchanged": 0}
    assert "NotFound" in kubectl("get", "namespace", namespace, check=False), "check mode has made something"
    assert TREASURE not in controller.printed
    done = controller.good("k8s_restore")
    assert done["counts"] == {"create": 6, "change": 0, "unchanged": 0}
    assert live(namespace, "configmap", "settings")["data"] == HARD
    assert live(namespace, "secret", "login")["data"] == before
    assert live(namespace, "service", "web")["spec"]["ports"] == ports
    assert live(namespace, "deployment", "web")["spec"]["template"]["spec"]["containers"][0]["env"][0]["name"] == "A"
    assert json.loads(kubectl("get", "namespace", namespace, "-o", "json"))["metadata"]["labels"]["team"] == "ops"
    managers = kubectl("-n", namespace, "get", "configmap", "settings", "--show-managed-fields", "-o", "json")
    assert [one["manager"] for one in json.loads(managers)["metadata"]["managedFields"]] == ["nexuscos-ops"]
    again = controller.good("k8s_restore")
    assert (again["changed"], again["counts"]["unchanged"]) == (False, 6)
    assert server in done["msg"]


def _cluster(known: dict[str, Any]) -> str:
    return next(one["context"]["cluster"] for one in known["contexts"] if one["name"] == CONTEXT)


def _documents(text: str) -> Iterator[str]:
    """Documents of JSON that stand one behind the other."""
    decoder, place = json.JSONDecoder(), 0
    while place < len(text.rstrip()):
        doc, place = decoder.raw_decode(text, place)
        place += len(text[place:]) - len(text[place:].lstrip())
        yield from (json.dumps(one) for one in (doc["items"] if doc["kind"] == "List" else [doc]))


def test_over_live_objects_by_diff_confirmation_and_force(controller: Controller, namespace: str, server: str) -> None:
    controller.good("k8s_backup", namespaces=[namespace])
    kubectl("-n", namespace, "patch", "configmap", "other", "--field-manager=night-shift", "--type=merge",
            "-p", '{"data": {"colour": "blue", "later": "kept"}}')  # fmt: skip
    changed = base64.b64encode(b"changed by night").decode()
    kubectl("-n", namespace, "patch", "secret", "login", "--field-manager=night-shift", "--type=merge",
            "-p", json.dumps({"data": {"password": changed}}))  # fmt: skip
    version = live(namespace, "configmap", "other")["metadata"]["resourceVersion"]
    plan = controller.good("k8s_restore", check=True)
    diff = {one["before_header"]: one for one in plan["diff"]}
    assert set(diff) == {f"{namespace}/ConfigMap/other", f"{namespace}/Secret/login"}
    assert "colour: blue" in diff[f"{namespace}/ConfigMap/other"]["before"]
    assert "colour: red" in diff[f"{namespace}/ConfigMap/other"]["after"]
    assert '"[hidden, before]"' in diff[f"{namespace}/Secret/login"]["before"]
    for word in (TREASURE, "changed by night"):
        assert word not in json.dumps(plan)
        assert base64.b64encode(word.encode()).decode() not in json.dumps(plan)
    assert "night-shift looks after .data.colour" in plan["plan"]["conflicts"]
    said = controller.refused("k8s_restore", confirm=server)
    assert "night-shift looks after .data.colour" in said
    assert "force: true" in said
    said = controller.refused("k8s_restore", force=True)
    assert f"name it in confirm ({server})" in said
    assert live(namespace, "configmap", "other")["metadata"]["resourceVersion"] == version
    done = controller.good("k8s_restore", force=True, confirm=server, kinds=["ConfigMap"])
    assert done["counts"]["change"] == 1
    assert live(namespace, "configmap", "other")["data"] == {"colour": "red", "later": "kept"}
    assert {one["object"]: one["keeps"] for one in done["objects"]}[f"{namespace}/ConfigMap/other"] == ["data.later"]
    assert live(namespace, "secret", "login")["data"]["password"] == changed, "it was not among the chosen kinds"
    controller.good("k8s_restore", force=True, confirm=server, kinds=["v1/Secret"])
    assert base64.b64decode(live(namespace, "secret", "login")["data"]["password"]).decode() == TREASURE


def test_pages_labels_and_rights_of_one_namespace(controller: Controller, namespace: str) -> None:
    many = [config(namespace, f"many-{number:04}", {"n": str(number)}) for number in range(1201)]
    kubectl("create", "-f", "-", stdin=documents(many))
    account = "backup"
    rules = [{"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["list"]}]
    kubectl("apply", "-f", "-", stdin=documents([
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
         "metadata": {"name": account, "namespace": namespace}, "rules": rules},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
         "metadata": {"name": account, "namespace": namespace},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
         "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]},
    ]))  # fmt: skip
    token = kubectl("-n", namespace, "create", "token", account).strip()
    # A kubeconfig without the administrator's certificate, which would win over the token.
    known = yaml.safe_load((LAB / "kubeconfig").read_text(encoding="utf-8"))
    known["users"] = [{"name": account, "user": {"token": token}}]
    known["contexts"] = [{"name": CONTEXT, "context": {"cluster": _cluster(known), "user": account}}]
    narrow = controller.folder / "kubeconfig"
    narrow.write_text(json.dumps(known), encoding="utf-8")
    own: dict[str, Any] = {"kubeconfig": str(narrow), "namespaces": [namespace]}
    told = controller.good("k8s_backup", **own)
    assert controller.manifest(told)["invariants"]["objects"] == {namespace: {"v1/ConfigMap": 1203, "v1/Secret": 1}}
    names = kubectl("-n", namespace, "get", "configmaps", "-o", "name").split()
    text = (Path(told["set"]["path"]) / namespace / "configmaps.yml").read_text(encoding="utf-8")
    docs = yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    written = ["configmap/" + one["metadata"]["name"] for one in docs]
    assert written == [name for name in names if not name.endswith("kube-root-ca.crt")]
    said = controller.refused("k8s_backup", **{**own, "namespaces": []})
    assert "v1/ConfigMap cannot be listed: HTTP 403" in said
    said = controller.refused("k8s_backup", **own, kinds=["apps/v1/Deployment"])
    assert "apps/v1/Deployment of" in said
    assert token not in said
    told = controller.good("k8s_backup", namespaces=[namespace], label_selector="part=cos", vault_password=None,
                           kinds=["v1/ConfigMap"])  # fmt: skip
    assert controller.manifest(told)["invariants"]["objects"][namespace] == {"v1/ConfigMap": 1}


def test_a_kind_and_what_is_of_it(controller: Controller, namespace: str) -> None:
    group = f"{namespace}.example.com"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"}, "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object",
             "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}}}]},
    }  # fmt: skip
    thing = {
        "apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "one", "namespace": namespace},
        "spec": {"size": 3},
    }  # fmt: skip
    try:
        kubectl("apply", "-f", "-", stdin=documents([definition]))
        kubectl("wait", "--for=condition=Established", f"crd/things.{group}", "--timeout=60s")
        until(lambda: "created" in kubectl("apply", "-f", "-", check=False, stdin=documents([thing])), "it is served")
        # Of the definitions, only the one: others of the lab have no such label.
        kubectl("label", f"crd/things.{group}", f"things.{group}/one", "-n", namespace, "nexuscos-test=yes")
        kinds = [f"{group}/v1/Thing", "apiextensions.k8s.io/v1/CustomResourceDefinition"]
        controller.good("k8s_backup", kinds=kinds, label_selector="nexuscos-test=yes", vault_password=None)
        kubectl("delete", f"crd/things.{group}")
        plan = controller.good("k8s_restore", check=True)
        tried = {one["object"]: one["tried"] for one in plan["objects"]}
        assert tried == {f"CustomResourceDefinition/things.{group}": True, f"{namespace}/Thing/one": False}
        done = controller.good("k8s_restore")
        assert done["counts"]["create"] == 2
        assert live(namespace, f"things.{group}", "one")["spec"] == {"size": 3}
    finally:
        kubectl("delete", f"crd/things.{group}", "--ignore-not-found", check=False)


def test_the_password_of_a_vault_id(controller: Controller, namespace: str) -> None:
    flags = ("--vault-id", f"night@{controller.vault}")
    own: dict[str, Any] = {"vault_password": None, "vault_id": "night"}
    told = controller.playbook("k8s_backup", *flags, namespaces=[namespace], **own)
    sealed = Path(told["set"]["path"]) / namespace / "secrets.vault.yml"
    assert sealed.read_text().startswith("$ANSIBLE_VAULT;1.2;AES256;night\n")
    assert controller.playbook("backup_verify", *flags, level=2, **own)["good"]
    assert controller.playbook("k8s_restore", "--check", *flags, **own)["counts"]["unchanged"] == 4
    assert "no vault password of the id night" in controller.refused("k8s_restore", check=True, **own)
    assert "no password of one is given" in controller.refused("k8s_backup", vault_password=None)
    wrong = controller.refused("backup_verify", level=2, vault_password="another")
    assert "is that the password of this set?" in wrong


def test_the_playbooks_take_a_cluster_as_they_take_a_database(controller: Controller, namespace: str) -> None:
    reports = controller.folder / "reports"
    system = {"name": "cluster", "engine": "kubernetes", "every": "6h", "level": 4, "namespaces": [namespace],
              "vault_password_file": str(controller.vault), **WHERE}  # fmt: skip
    here = {
        "ansible_connection": "local", "ansible_python_interpreter": sys.executable,
        "nexuscos_backups_path": str(controller.place), "nexuscos_backups_become": False,
        "nexuscos_report_dir": str(reports), "nexuscos_backup_systems": [system],
    }  # fmt: skip
    inventory = controller.folder / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"backups": {"hosts": {"b1": here}}}), encoding="utf-8")
    temporary = ("ANSIBLE_ASYNC_DIR", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TEMP")
    environment = {**os.environ, **{name: str(controller.folder / name) for name in temporary}}

    def play(playbook: str, *flags: str) -> str:
        program = str(Path(sys.executable).parent / "ansible-playbook")
        command = [program, "-i", str(inventory), f"nexuscos.ops.{playbook}", *flags]
        environment["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    printed = play("backup")
    (made,) = controller.place.glob("2*/cluster/manifest.json")
    assert "cluster" in printed
    printed += play("weekly_restore_test")
    assert max(one["level"] for one in json.loads(made.read_text(encoding="utf-8"))["proofs"]) == 4
    kubectl("-n", namespace, "delete", "configmap", "other")
    asked = ("-e", "nexuscos_restore_system=cluster", "-e", f"nexuscos_restore_only={namespace}")
    printed += play("restore", *asked, "-e", "nexuscos_restore_kinds=ConfigMap,Secret", "--check", "--diff")
    assert "NotFound" in kubectl("-n", namespace, "get", "configmap", "other", check=False)
    printed += play("restore", *asked, "-e", "nexuscos_restore_names=oth*")
    assert live(namespace, "configmap", "other")["data"] == {"colour": "red"}
    assert TREASURE not in printed
    assert PASSWORD not in printed
    nowhere(controller.folder, TREASURE)
    assert not scratch()


def test_a_restore_shows_on_a_terminal_how_many_objects_are_done(controller: Controller, namespace: str) -> None:
    many = [config(namespace, f"many-{number:04}", {"n": str(number)}) for number in range(300)]
    kubectl("create", "-f", "-", stdin=documents(many))
    controller.good("k8s_backup", namespaces=[namespace], kinds=["v1/ConfigMap"])
    kubectl("-n", namespace, "delete", "configmaps", "--all")
    temporary = ("ANSIBLE_ASYNC_DIR", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TEMP")
    environment = {**os.environ, **{name: str(controller.folder / name) for name in temporary}}
    environment["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
    command = controller.command("k8s_restore", names=["many-*"])
    with terminal(command, ROOT, environment) as shown:
        with held_still(controller.place / ".progress-cluster.json", shown.process):
            shown.wait_for("localhost: cluster restore ")
            shown.wait_for(" of 602 objects (")
            shown.wait_for(", at comparing ")
        assert shown.wait() == 0, shown.text
    told = json.loads((controller.folder / "result.json").read_text(encoding="utf-8"))
    assert told["counts"] == {"create": 300, "change": 0, "unchanged": 1}
    assert len(kubectl("-n", namespace, "get", "configmaps", "-o", "name").split()) == 301
    assert not list(controller.place.glob(".progress-*"))
    assert PASSWORD not in shown.text


def test_killed_at_any_moment_nothing_looks_like_a_set(controller: Controller, namespace: str) -> None:
    many = [config(namespace, f"many-{number:04}", {"n": "x" * 2000}) for number in range(800)]
    kubectl("create", "-f", "-", stdin=documents(many))
    first = controller.good("k8s_backup", namespaces=[namespace])
    latest = os.readlink(controller.place / "latest" / "cluster")
    for moment in ("begun", "written"):
        process = subprocess.Popen(
            controller.command("k8s_backup", namespaces=[namespace]), cwd=ROOT, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wanted = ".writing-cluster" if moment == "begun" else f".writing-cluster/{namespace}/configmaps.yml"
            until(lambda: list(controller.place.glob(f"2*/{wanted}")) or process.poll() is not None, moment)  # noqa: B023
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        nowhere(controller.place, TREASURE)
        assert os.readlink(controller.place / "latest" / "cluster").count("cluster") == 1
    sets = sorted(path.parent for path in controller.place.glob("2*/cluster/manifest.json"))
    assert Path(first["set"]["path"]) in sets
    assert os.readlink(controller.place / "latest" / "cluster") >= latest
    told = controller.good("k8s_backup", namespaces=[namespace])
    assert not list(controller.place.glob("2*/.writing-*")), "what was left was not removed"
    assert controller.manifest(told)["invariants"]["objects"][namespace]["v1/ConfigMap"] == 802


def test_a_full_disk_leaves_the_sets_before_it(controller: Controller, namespace: str) -> None:
    controller.place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(controller.place)], check=True)
    try:
        told = controller.good("k8s_backup", namespaces=[namespace])
        big = [config(namespace, f"big-{number}", {"x": secrets.token_hex(400_000)}) for number in range(4)]
        kubectl("create", "-f", "-", stdin=documents(big))
        said = controller.refused("k8s_backup", namespaces=[namespace])
        assert "No space left on device" in said
        sets = [path.parent for path in controller.place.glob("2*/cluster/manifest.json")]
        assert sets == [Path(told["set"]["path"])]
        assert controller.good("backup_verify", level=2)["good"]
        assert not list(controller.place.glob("2*/.writing-*"))
    finally:
        subprocess.run(["umount", str(controller.place)], check=True)


def test_a_verification_that_is_refused_or_ended_takes_its_namespaces_along(
    controller: Controller, namespace: str
) -> None:
    told = controller.good("k8s_backup", namespaces=[namespace])
    script = "import json, sys; from ansible_collections.nexuscos.ops.plugins.modules import backup_verify as one; "
    script += "print(one.run(json.load(sys.stdin), False))"
    # Objects enough that it is still at work when it is ended.
    many = [config(namespace, f"many-{number:04}", {"n": str(number)}) for number in range(1000)]
    kubectl("create", "-f", "-", stdin=documents(many))
    controller.good("k8s_backup", namespaces=[namespace])
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(controller.params("backup_verify", level=4, kubernetes=WHERE)))
        process.stdin.close()
        process.stdin = None
        until(lambda: scratch() or process.poll() is not None, "a scratch namespace is there")
        process.terminate()
        said = process.communicate(timeout=300)[1]
    finally:
        process.kill()
        process.wait()
    assert "ended by SIGTERM: the scratch namespaces have been removed" in said, said
    assert not scratch()

    assert "no-such" in controller.refused("backup_verify", level=3, kubernetes={**WHERE, "context": "no-such"})
    folder = Path(told["set"]["path"])
    path = folder / namespace / "configmaps.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("colour: red", "colour: [red]"), encoding="utf-8")
    _sums(folder)
    seen = controller.good("backup_verify", level=3, kubernetes=WHERE, set=told["set"]["stamp"])
    assert seen["good"] is False
    assert "ConfigMap/other cannot be restored" in seen["why"]
    assert not scratch()


def scratch() -> list[str]:
    """Namespaces of verifications."""
    return [one for one in kubectl("get", "namespaces", "-o", "name").split() if "nexuscos-verify" in one]


def _sums(folder: Path) -> None:
    """Write the sums of the manifest anew, as one who hides a change would."""
    import hashlib

    known = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for one in known["files"]:
        data = (folder / one["path"]).read_bytes()
        one.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    (folder / "manifest.json").write_text(json.dumps(known), encoding="utf-8")
