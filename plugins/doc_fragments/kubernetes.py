# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module reaches a Kubernetes cluster (`module_utils/_k8s/options.py`)."""

from __future__ import annotations


class ModuleDocFragment:
    """The connection options of all modules that talk to a Kubernetes API server."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - File with clusters, users and contexts. Several files are given as in E(KUBECONFIG), with C(:) between them.
      - Without this option and without O(host), E(KUBECONFIG) is used, then C(~/.kube/config) where it exists, then the
        service account of the pod that the module runs in.
    type: path
  context:
    description:
      - Context of the kubeconfig. Its current context where this is left out.
    type: str
  host:
    description:
      - URL of the API server, such as C(https://203.0.113.10:6443), over that of the kubeconfig.
    type: str
  token:
    description:
      - Bearer token, over the credentials of the kubeconfig.
    type: str
  ca_file:
    description:
      - File with the certificate authorities that the API server's certificate is checked against.
    type: path
  validate_certs:
    description:
      - Whether the API server's certificate is checked. Left out, the kubeconfig decides; without one it is checked.
    type: bool
  namespaces:
    description:
      - Namespaces to look at, each asked for by itself, so that rights in these namespaces are enough for what lives
        in a namespace. An empty list looks at the whole cluster with one call a kind.
    type: list
    elements: str
    default: []
  exclude_namespaces:
    description:
      - Names or globs of namespaces to leave out.
    type: list
    elements: str
    default: []
requirements:
  - urllib3 >= 1.26 and PyYAML (both come with the kubernetes library)
  - kubernetes >= 32.0, where the kubeconfig gets its credentials from a program (C(exec)) or from an C(auth-provider)
"""
