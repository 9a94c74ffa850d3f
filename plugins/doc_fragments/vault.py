# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module gets the password of an ansible-vault (`module_utils/_backup/k8s_vault.py`)."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of all modules that write or read Secrets in an ansible-vault."""

    DOCUMENTATION = r"""
options:
  vault_password:
    description:
      - Password of the ansible-vault that Secrets are kept in. Mutually exclusive with O(vault_password_file).
    type: str
  vault_password_file:
    description:
      - File with that password, on the host where the module runs. A program that prints one is not run.
    type: path
  vault_id:
    description:
      - Label of the vault, as of C(ansible-vault --vault-id). It is written into the header of the files.
      - Without O(vault_password) and O(vault_password_file), the password is the one that this run of Ansible was given
        for that label (C(ansible-playbook --vault-id prod@prompt)). Such a run hands it to the module as it does with
        O(vault_password).
    type: str
requirements:
  - ansible-core on the host where the module runs, where there are Secrets. It encrypts and decrypts them in a process
    of its own, which gets password and Secrets by pipes. Neither is written to the disk.
"""
