# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which timers are enabled, from links as systemctl leaves them."""

from __future__ import annotations

from pathlib import Path

import pytest
from host_looks import enable
from host_looks import unit_file as unit

from ansible_collections.nexuscos.ops.plugins.module_utils._host.files import Files
from ansible_collections.nexuscos.ops.plugins.module_utils._host.unit_files import enabled_timers

ETC = "etc/systemd/system"


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    for folder in (f"{ETC}/timers.target.wants", "run/systemd/system", "lib/systemd/system"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def found(root: Path) -> list[str]:
    return enabled_timers(Files(str(root)))


def test_of_the_distribution_of_the_administrator_and_by_requires(root: Path) -> None:
    for name, place in (("a.timer", "lib/systemd/system"), ("b.timer", ETC), ("c.timer", "lib/systemd/system")):
        unit(root, name, place)
        enable(root, name, "x.service.requires" if name == "c.timer" else "timers.target.wants")
    unit(root, "disabled.timer")
    assert found(root) == ["a.timer", "b.timer", "c.timer"]


def test_an_instance_is_named_and_its_template_is_not(root: Path) -> None:
    unit(root, "scrub@.timer")
    enable(root, "scrub@.timer")
    enable(root, "scrub@data.timer")
    assert found(root) == ["scrub@data.timer"]


@pytest.mark.parametrize("place", [ETC, "run/systemd/system"])
def test_a_masked_one_is_not_enabled(root: Path, place: str) -> None:
    unit(root, "a.timer")
    enable(root, "a.timer")
    (root / place / "a.timer").symlink_to("/dev/null")
    assert found(root) == []


def test_a_mask_of_this_boot_does_not_hold_for_a_unit_of_the_administrator(root: Path) -> None:
    unit(root, "a.timer", ETC)
    enable(root, "a.timer")
    (root / "run/systemd/system/a.timer").symlink_to("/dev/null")
    assert found(root) == ["a.timer"]


def test_what_has_no_unit_file_or_an_empty_one_is_not_enabled(root: Path) -> None:
    enable(root, "removed.timer")
    unit(root, "empty.timer", text="")
    enable(root, "empty.timer")
    (root / ETC / "dangling.timer").symlink_to("/opt/gone.timer")
    enable(root, "dangling.timer")
    assert found(root) == []


def test_a_unit_that_is_linked_from_elsewhere(root: Path) -> None:
    (root / "opt").mkdir()
    unit(root, "app.timer", "opt")
    (root / ETC / "app.timer").symlink_to("/opt/app.timer")
    enable(root, "app.timer")
    unit(root, "near.timer", ETC)
    (root / ETC / "alias.timer").symlink_to("near.timer")
    enable(root, "alias.timer")
    assert found(root) == ["app.timer", "near.timer"]


def test_an_alias_is_called_by_its_unit_file(root: Path) -> None:
    unit(root, "near.timer", ETC)
    (root / ETC / "alias.timer").symlink_to("near.timer")
    enable(root, "near.timer")
    enable(root, "alias.timer")
    assert found(root) == ["near.timer"]


def test_services_and_files_in_the_place_of_folders_are_passed_over(root: Path) -> None:
    unit(root, "a.service")
    enable(root, "a.service")
    (root / ETC / "odd.wants").write_text("", encoding="utf-8")
    assert found(root) == []


def test_a_host_without_systemd(tmp_path: Path) -> None:
    assert found(tmp_path) == []
