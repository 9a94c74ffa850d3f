# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates: what is the same error becomes one, what is another one does not; also against yesterday's."""

# ruff: noqa: E501  # lines of logs are as long as they are

from __future__ import annotations

import random
import uuid
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._logs.mask import Masker
from ansible_collections.nexuscos.ops.plugins.module_utils._logs.templates import (
    Template,
    Tree,
    alike,
    groups,
    identity,
    similarity,
)


def masked(text: str) -> str:
    return " ".join(Masker().words(text))


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("order 123e4567-e89b-12d3-a456-426614174000 failed", "order <id> failed"),
        ("user 42 not found", "user <n> not found"),
        ("dial tcp 198.18.0.21:5432: connect: refused", "dial tcp <ip>: connect: refused"),
        ("from 2001:db8::7 refused", "from <ip> refused"),
        ("took 12.5ms", "took <duration>"),
        ("took 1m30s", "took <duration>"),
        ("pointer 0xdeadbeef00", "pointer <hex>"),
        ("trace 20eef885b15a956784f9750f7f9278eb lost", "trace <hex> lost"),
        ("mail to a.b@example.com bounced", "mail to <email> bounced"),
        ("pod auth-service-7757876b88-hmw7g died", "pod auth-service-<pod> died"),
        ('cannot read "/var/x y/z"', 'cannot read "<text>"'),
        ('column "email" is null', 'column "email" is null'),
        ("worker-3 stopped", "worker-<n> stopped"),
        ("sha256 of ipv4 http2 utf8", "sha<n> of ipv4 http2 utf8"),
        ("at 2026-11-29T08:00:00Z gone", "at <time> gone"),
        ("100% of 3,5 used", "<n> of <n> used"),
        ("don't do that, it's bad", "don't do that, it's bad"),
    ],
)
def test_what_changes_is_masked(text: str, template: str) -> None:
    assert masked(text) == template


def corpus(count: int, seed: int) -> list[tuple[int, str]]:
    """Sentences of a known kind each: (kind, sentence)."""
    dice = random.Random(seed)
    names = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"]
    hosts = ["db1", "db2", "redis1", "cache.internal", "api.partner.example"]
    makers = [
        lambda: (
            f"payment {uuid.UUID(int=dice.getrandbits(128))} failed for user {dice.randrange(10**6)}: card declined"
        ),
        lambda: (
            f"payment {uuid.UUID(int=dice.getrandbits(128))} failed for user {dice.randrange(10**6)}: insufficient funds"
        ),
        lambda: f"dial tcp 10.0.{dice.randrange(255)}.{dice.randrange(255)}:5432: connect: connection refused",
        lambda: f"timeout after {dice.randrange(9000)}ms calling {dice.choice(hosts)}",
        lambda: f"user {dice.choice(names)} not found in tenant {dice.randrange(500)}",
        lambda: (
            f"cannot open file /data/{dice.getrandbits(32):08x}/part-{dice.randrange(99)}.parquet: no space left on device"
        ),
        lambda: (
            f"deadlock detected: process {dice.randrange(9999)} waits for ShareLock on transaction {dice.randrange(10**7)}"
        ),
        lambda: f'duplicate key value violates unique constraint "users_email_key"; detail {dice.randrange(10**6)}',
        lambda: f"token {dice.getrandbits(128):032x} expired {dice.randrange(60)} seconds ago",
        lambda: (
            f"GET /api/v1/orders/{dice.randrange(10**6)} returned {dice.choice([500, 502, 503])} in {dice.randrange(900)} ms"
        ),
    ]
    return [(kind, makers[kind]()) for kind in (dice.randrange(len(makers)) for _number in range(count))]


def accuracy(pairs: list[tuple[int, object]]) -> float:
    """Grouping accuracy: the share of sentences whose group holds exactly the sentences of their kind."""
    groups: dict[object, Counter[int]] = {}
    kinds = Counter(kind for kind, _group in pairs)
    for kind, group in pairs:
        groups.setdefault(group, Counter())[kind] += 1
    right = 0
    for members in groups.values():
        if len(members) == 1:
            kind, count = next(iter(members.items()))
            right += count if count == kinds[kind] else 0
    return right / len(pairs)


def grouped(pairs: list[tuple[int, Template]]) -> list[tuple[int, object]]:
    members = {one: text for text, ones in groups(list({template for _kind, template in pairs})) for one in ones}
    return [(kind, members[template]) for kind, template in pairs]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_known_kinds_are_found_again(seed: int) -> None:
    tree = Tree()
    pairs = [(kind, tree.add(text)) for kind, text in corpus(3000, seed)]
    assert accuracy(grouped(pairs)) >= 0.95


def test_values_that_look_like_words_are_told_from_two_errors() -> None:
    tree = Tree()
    for name in ("alice", "bob", "carol", "dave", "erin"):
        tree.add(f"user {name} is locked")
    for reason in ("declined", "expired"):
        tree.add(f"card 12 {reason}")
    ones = {tree.add(text) for text in ("user alice is locked", "user bob is locked", "user carol is locked",
                                        "user dave is locked", "user erin is locked", "card 1 declined", "card 1 expired")}  # fmt: skip
    assert sorted(text for text, _members in groups(list(ones))) == [
        "card <n> declined",
        "card <n> expired",
        "user <*> is locked",
    ]


def test_values_of_a_name_keep_the_name() -> None:
    tree = Tree()
    ones = [tree.add(f"login user={name} refused") for name in ("alice", "bob", "carol", "dave")]
    assert [text for text, _members in groups(ones)] == ["login user=<*> refused"]


def test_the_order_does_not_matter_for_what_is_masked() -> None:
    sentences = [f"user {number} not found in shard {number % 7}" for number in range(100)]
    forth, back = Tree(), Tree()
    assert {forth.add(one).text for one in sentences} == {back.add(one).text for one in reversed(sentences)}


def test_a_tree_is_bounded() -> None:
    tree = Tree(most=50)
    dice = random.Random(3)
    letters = "abcdefghijklmnopqrstuvwxyz"
    for _number in range(500):
        tree.add(" ".join("".join(dice.choice(letters) for _letter in range(6)) for _word in range(6)))
    assert tree.full
    assert len({id(tree.add("never seen before at all today"))}) == 1


def test_templates_of_two_looks_are_compared() -> None:
    assert alike("user <n> not found", "user <n> not found")
    assert alike("user <*> not found in", "user <n> not found in")
    assert alike("login user=<*> was refused", "login user=alice was refused")
    assert not alike("login user=<*> was refused", "login host=alice was refused")
    assert not alike("user <n> not found", "order <n> not found")
    assert not alike("<*>", "anything")
    assert not alike("a b", "a b c")
    assert not alike("<*> <*> <*>", "a b c")


def test_identities_are_the_same_in_every_run() -> None:
    assert identity("user <n> not found") == identity("user <n> not found") != identity("order <n> not found")
    assert len(identity("\ud800")) == 12


@given(st.lists(st.text(max_size=60), max_size=30))
def test_any_sentences_can_be_grouped(sentences: list[str]) -> None:
    tree = Tree(most=10)
    for one in sentences:
        words = tree.add(one).words
        assert similarity(words, words) in (0.0, 1.0) or 0.5 <= similarity(words, words) <= 1.0
        assert tree.add(one) is tree.add(one)
