# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Personal data: taken out where it is some, left where it only looks like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._logs.personal import clean


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("card 4111 1111 1111 1111 declined", "card [card] declined"),
        ("card 4111111111111111.", "card [card]."),
        ("order 4111111111111112 failed", "order 4111111111111112 failed"),
        ("to DE89 3704 0044 0532 0130 00 now", "to [iban] now"),
        ("ssn 123-45-6789", "ssn [ssn]"),
        ("call +49 170 1234567 back", "call [phone] back"),
        ("from 8.8.8.8:53 and 10.0.0.7:5432", "from [ip]:53 and 10.0.0.7:5432"),
        ("from 2606:4700:4700::1111 x", "from [ip] x"),
        ("at 12:30:45 of 1.2.3", "at 12:30:45 of 1.2.3"),
        ("mail a@example.com", "mail [email]"),
        ("password=hunter2 x", "password=[redacted] x"),
        ("db1:5432 refused after 3 tries", "db1:5432 refused after 3 tries"),
    ],
)
def test_what_is_personal_goes(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "token=abc x",
        "password: 'a b' c",
        "postgres://u:p@h/x",
        "Authorization: Bearer abcdefgh12345",
        "token: Bearer abcdefgh12",
    ],
)
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    assert clean(text) != text
    assert clean(clean(text)) == clean(text)


@given(st.text(max_size=200))
def test_any_text_can_be_cleaned(text: str) -> None:
    assert isinstance(clean(text), str)
