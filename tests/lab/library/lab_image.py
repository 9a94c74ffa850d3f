#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: lab_image
short_description: Make container images of one layer and push them to the registries of the lab
description:
  - An image holds one static program, or a layer that was made before. The same content gives the same digest, so a
    second run pushes nothing.
options:
  images:
    type: list
    elements: dict
    required: true
    description: Wanted images.
    suboptions:
      repository: {type: str, required: true, description: Name in the registry, such as C(nexus-cos/service).}
      tag: {type: str, required: true, description: Tag.}
      program: {type: path, description: The static program; it becomes C(/<its name>) and the entry point.}
      layer: {type: path, description: The file system of an image without O(images[].program), a packed archive.}
      entrypoint: {type: list, elements: str, default: [], description: What such an image starts.}
      environment: {type: dict, default: {}, description: Variables that it starts it with.}
      user: {type: str, default: "65532:65532", description: Account that it is started as.}
  registries:
    type: list
    elements: dict
    required: true
    description: Where to push.
    suboptions:
      url: {type: str, required: true, description: Such as C(http://198.18.0.81:5000).}
      user: {type: str, description: User of a registry that asks for one.}
      password: {type: str, description: Its password.}
author: [Nexus COS operations (@nexuscos)]
"""

EXAMPLES = r"""
- name: Push the image of the services
  lab_image:
    registries: [{url: "http://198.18.0.81:5000"}]
    images: [{repository: nexus-cos/service, tag: "1.0", program: /tmp/service}]
"""

RETURN = r"""
digests: {description: Digest of each image by its repository., type: dict, returned: always}
"""

import base64
import gzip
import hashlib
import io
import json
import os
import platform
import tarfile
import urllib.error
import urllib.request

from ansible.module_utils.basic import AnsibleModule

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest_of(data):
    """The digest of a blob as registries write it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer_of(program):
    """A layer with one program in it: (packed, digest of what is packed)."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo(os.path.basename(program))
        info.size, info.mode = os.path.getsize(program), 0o755
        with open(program, "rb") as handle:
            archive.addfile(info, handle)
    return gzip.compress(plain.getvalue(), compresslevel=1, mtime=0), digest_of(plain.getvalue())


def layer_at(path):
    """A layer that was made before: (packed, digest of what is packed)."""
    with open(path, "rb") as handle:
        packed = handle.read()
    return packed, digest_of(gzip.decompress(packed))


def make(image):
    """Blobs and manifest of an image: ({digest: bytes}, manifest bytes). Nothing in it depends on time or place."""
    if image["program"]:
        layer, inside = layer_of(image["program"])
        runs = {"Entrypoint": ["/" + os.path.basename(image["program"])]}
    else:
        layer, inside = layer_at(image["layer"])
        variables = ["%s=%s" % pair for pair in sorted(image["environment"].items())]
        runs = {"Entrypoint": image["entrypoint"], "Env": variables}
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": dict(runs, User=image["user"]),
            "rootfs": {"type": "layers", "diff_ids": [inside]},
        },
        sort_keys=True,
    ).encode()
    parts = {"config": (config, "application/vnd.oci.image.config.v1+json")}
    parts["layer"] = (layer, "application/vnd.oci.image.layer.v1.tar+gzip")
    described = {
        key: {"mediaType": media, "digest": digest_of(data), "size": len(data)} for key, (data, media) in parts.items()
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described["config"],
        "layers": [described["layer"]],
    }
    return {digest_of(data): data for data, _media in parts.values()}, json.dumps(manifest, sort_keys=True).encode()


class Registry:
    """The few calls of the distribution API that a push needs."""

    def __init__(self, url, user=None, password=None):
        self.url = url.rstrip("/")
        self.headers = {}
        if user:
            self.headers["Authorization"] = "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, method, url, data=None, kind=None):
        """One request: (status, headers)."""
        headers = dict(self.headers)
        if kind:
            headers["Content-Type"] = kind
        if method == "HEAD":
            headers["Accept"] = MANIFEST
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        try:
            with self.opener.open(request, timeout=30) as response:
                return response.status, response.headers
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return 404, error.headers
            raise

    def push(self, repository, tag, blobs, manifest):
        """Push what is missing. Returns whether there was something."""
        base = "%s/v2/%s" % (self.url, repository)
        status, headers = self.call("HEAD", "%s/manifests/%s" % (base, tag))
        if status == 200 and headers.get("Docker-Content-Digest") == digest_of(manifest):
            return False
        for digest, data in blobs.items():
            if self.call("HEAD", "%s/blobs/%s" % (base, digest))[0] == 200:
                continue
            _status, headers = self.call("POST", "%s/blobs/uploads/" % base, data=b"")
            place = headers["Location"]
            joint = "&" if "?" in place else "?"
            self.call("PUT", "%s%sdigest=%s" % (place, joint, digest), data=data, kind="application/octet-stream")
        self.call("PUT", "%s/manifests/%s" % (base, tag), data=manifest, kind=MANIFEST)
        return True


def main():
    """Read the options, push each image everywhere."""
    module = AnsibleModule(
        argument_spec={
            "images": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "repository": {"type": "str", "required": True},
                    "tag": {"type": "str", "required": True},
                    "program": {"type": "path"},
                    "layer": {"type": "path"},
                    "entrypoint": {"type": "list", "elements": "str", "default": []},
                    "environment": {"type": "dict", "default": {}},
                    "user": {"type": "str", "default": "65532:65532"},
                },
                "required_one_of": [("program", "layer")],
                "mutually_exclusive": [("program", "layer")],
            },
            "registries": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "url": {"type": "str", "required": True},
                    "user": {"type": "str"},
                    "password": {"type": "str", "no_log": True},
                },
            },
        },
        supports_check_mode=True,
    )
    changed, digests = False, {}
    try:
        for image in module.params["images"]:
            blobs, manifest = make(image)
            digests[image["repository"]] = digest_of(manifest)
            if module.check_mode:
                continue
            for where in module.params["registries"]:
                registry = Registry(where["url"], where["user"], where["password"])
                changed = registry.push(image["repository"], image["tag"], blobs, manifest) or changed
    except (OSError, urllib.error.URLError) as error:
        module.fail_json(msg="%s: %s" % (type(error).__name__, error), digests=digests)
    module.exit_json(changed=changed, digests=digests)


if __name__ == "__main__":
    main()
