# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Personal data in a line of a log, beside what the core takes out: cards, accounts, telephones, public addresses."""

from __future__ import annotations

import ipaddress
import re

from .._core.redact import redact_text

_CARD = re.compile(r"(?<![\d.])(?:\d[ -]?){12,18}\d(?!\d|\.\d)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_SOCIAL = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])")
_PHONE = re.compile(r"(?<![\w+])\+\d{1,3}[ ().\-]?(?:\d[ ().\-]{0,2}){6,12}\d(?!\w)")
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7})(?!\w|:\w*:|\.\d)"
)


def clean(text: str) -> str:
    """A text without secrets and personal data.

    Addresses of the platform itself (private, link-local, documentation) stay, because an operator needs them; those of
    the public are people.
    """
    text = redact_text(text)
    if not any(letter.isdigit() for letter in text):
        return text
    text = _IBAN.sub(_account, text)
    text = _CARD.sub(_card, text)
    text = _SOCIAL.sub("[ssn]", text)
    text = _PHONE.sub("[phone]", text)
    return _ADDRESS.sub(_address, text)


def _card(match: re.Match[str]) -> str:
    digits = [int(one) for one in match.group(0) if one.isdigit()]
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return "[card]" if total % 10 == 0 and any(digits) else match.group(0)


def _account(match: re.Match[str]) -> str:
    text = match.group(0).replace(" ", "")
    number = "".join(str(int(one, 36)) for one in text[4:] + text[:4])
    return "[iban]" if int(number) % 97 == 1 else match.group(0)


def _address(match: re.Match[str]) -> str:
    try:
        public = ipaddress.ip_address(match.group(0)).is_global
    except ValueError:
        return match.group(0)
    return "[ip]" if public else match.group(0)
