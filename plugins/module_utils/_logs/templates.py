# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Group sentences into templates, over words whose changing parts are masked.

Because ids, numbers, addresses and times are masked before, most sentences of one kind are the same already, and one
that was seen is found again by one look into a dictionary. What is left are values that look like words: names of
users, hosts, files. They are found when all sentences are known, by the number of different words in one place. Where
there are too many sentences for that, the most similar one takes a sentence, as in Drain (He et al., 2017).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from .mask import Masker

WILD = "<*>"
SIMILAR = 0.6
_MOST_SHAPES = 10_000
_MOST_CANDIDATES = 100
_MOST_ROUNDS = 8
# So many different words in one place make it the place of a value.
_VALUES = 4
# So many sentences of one length and beginning are not told apart one by one.
_MANY = 40


class Template:
    """One kind of sentence. :ivar words: with marks and wild ones."""

    __slots__ = ("words",)

    def __init__(self, words: list[str]) -> None:
        self.words = words

    @property
    def text(self) -> str:
        return " ".join(self.words)


class Tree:
    """All templates of one look.

    :param most: how many templates there may be; from there on a sentence falls to the most similar one, and what is
        similar to none into one common template.
    :param masker: with the words that it knows already.
    """

    def __init__(self, most: int = 2000, masker: Masker | None = None) -> None:
        self.full = False
        self._most = most
        self._count = 0
        self._masker = masker or Masker()
        self._known: dict[str, Template] = {}
        self._leaves: dict[tuple[int, str], list[Template]] = {}
        self._rest = Template([WILD])

    def add(self, text: str) -> Template:
        """The template of a sentence."""
        return self.of(self._masker.words(text))

    def of(self, words: list[str]) -> Template:
        """The template of the masked words of a sentence."""
        shape = " ".join(words)
        found = self._known.get(shape)
        if found is None:
            found = self._place(words)
            if len(self._known) < _MOST_SHAPES:
                self._known[shape] = found
        return found

    def _place(self, words: list[str]) -> Template:
        leaf = self._leaves.setdefault((len(words), _lead(words)), [])
        if self._count < self._most:
            self._count += 1
            leaf.append(Template(words))
            return leaf[-1]
        best, score = None, 0.0
        for one in leaf[:_MOST_CANDIDATES]:
            likeness = similarity(one.words, words)
            if likeness > score:
                best, score = one, likeness
        if best is None or score < SIMILAR:
            self.full = True
            return self._rest
        best.words = _joined(best.words, words)
        return best


def groups(templates: Sequence[Template]) -> list[tuple[str, list[Template]]]:
    """Put templates together that are one: what differs in a single place, where many values stand, is a value.

    Two sentences with different words in one place may be two errors ("card declined", "card expired"); five are one
    error about five users. Where very many sentences of one length and beginning are left, similarity decides.

    :returns: (text, the templates that it stands for).
    """
    found: list[tuple[list[str], list[Template]]] = []
    leaves: dict[tuple[int, str], list[tuple[list[str], list[Template]]]] = {}
    for one in templates:
        leaves.setdefault((len(one.words), _lead(one.words)), []).append((list(one.words), [one]))
    for leaf in leaves.values():
        leaf = _by_place(leaf)
        if len(leaf) > _MANY:
            leaf = _by_likeness(leaf)
        found += leaf
    texts: dict[str, list[Template]] = {}
    for words, members in found:
        texts.setdefault(" ".join(words), []).extend(members)
    return list(texts.items())


_Group = tuple[list[str], list[Template]]


def _by_place(leaf: list[_Group]) -> list[_Group]:
    for _round in range(_MOST_ROUNDS):
        if len(leaf) < _VALUES:
            break
        places: dict[tuple[int, str], list[int]] = {}
        for number, (words, _members) in enumerate(leaf):
            for place in range(len(words)):
                if "<" not in words[place] and (place or len(words) == 1 or _lead(words) == WILD):
                    key = " ".join([*words[:place], WILD, *words[place + 1 :]])
                    places.setdefault((place, key), []).append(number)
        taken: set[int] = set()
        joined: list[_Group] = []
        for (place, _key), numbers in sorted(places.items(), key=lambda one: (-len(one[1]), one[0])):
            numbers = [number for number in numbers if number not in taken]
            if len(numbers) < _VALUES:
                continue
            taken.update(numbers)
            words = list(leaf[numbers[0]][0])
            words[place] = _wild([leaf[number][0][place] for number in numbers])
            joined.append((words, [member for number in numbers for member in leaf[number][1]]))
        if not joined:
            break
        leaf = [one for number, one in enumerate(leaf) if number not in taken] + joined
    return leaf


def _wild(words: Sequence[str]) -> str:
    """What stands for several words: ``user=<*>`` where all of them are values of one name."""
    names = {word.partition("=")[0] if "=" in word else "" for word in words}
    name = names.pop()
    return f"{name}={WILD}" if name and not names else WILD


def _by_likeness(leaf: list[_Group]) -> list[_Group]:
    kept: list[_Group] = []
    for words, members in sorted(leaf, key=lambda one: one[0]):
        best, score = -1, 0.0
        for number, (other, _its) in enumerate(kept[-_MOST_CANDIDATES:], start=max(len(kept) - _MOST_CANDIDATES, 0)):
            likeness = similarity(other, words)
            if likeness > score:
                best, score = number, likeness
        if score >= SIMILAR:
            kept[best] = (_joined(kept[best][0], words), kept[best][1] + members)
        else:
            kept.append((words, members))
    return kept


def _joined(one: Sequence[str], other: Sequence[str]) -> list[str]:
    return [mine if mine == its else WILD for mine, its in zip(one, other)]


def _lead(words: Sequence[str]) -> str:
    """The first word, where it is one: it says most about what kind of sentence it is."""
    if not words or "<" in words[0]:
        return WILD
    return words[0]


def similarity(one: Sequence[str], other: Sequence[str]) -> float:
    """The share of words that are the same in both; of a template's wild words half counts."""
    if len(one) != len(other) or not one:
        return 0.0
    same = sum(1.0 if mine == its else 0.5 if mine == WILD or its == WILD else 0.0 for mine, its in zip(one, other))
    return same / len(one)


def identity(text: str) -> str:
    """A short name of a template that is the same in every run."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def alike(one: str, other: str) -> bool:
    """Are two templates of different looks the same kind of sentence?

    What became wild depends on which events a look has seen, so that a wild word fits any other.
    """
    if one == other:
        return True
    mine, its = one.split(" "), other.split(" ")
    if len(mine) != len(its) or mine == [WILD] or its == [WILD]:
        return False
    wild = sum(1 for left, right in zip(mine, its) if left != right)
    fits = all(_fits(left, right) or _fits(right, left) for left, right in zip(mine, its))
    return fits and wild <= (1 - SIMILAR) * len(mine)


def _fits(one: str, other: str) -> bool:
    """Is a word the same as another one, or wild where that one is something?"""
    return one in (other, WILD) or (one.endswith("=" + WILD) and other.startswith(one[: -len(WILD)]))
