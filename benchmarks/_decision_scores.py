"""What is right and what is wrong in the groups and leaks that a program has found, for `decisions.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from _decision_copies import LYING_OTHERWISE
from _decision_folders import Truth
from _decision_programs import Group

#: Why a removal is wrong.
OF_ANOTHER = "for a picture of something else"
ORIGINAL = "the original, for its copy"
NOT_A_COPY = "what is a part or edited"
FOR_LESS = "a copy, for a part or what is edited"
REASONS = (OF_ANOTHER, ORIGINAL, NOT_A_COPY, FOR_LESS)


def by_name(truths: Mapping[Path, Truth]) -> dict[str, Truth]:
    """What is known, by the names of files, which are unlike in all folders."""
    return {path.name: truth for path, truth in truths.items()}


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _shares(kinds: Iterable[str], parts: Mapping[str, int], wholes: Mapping[str, int]) -> dict[str, float | None]:
    return {kind: _share(parts.get(kind, 0), wholes.get(kind, 0)) for kind in kinds}


def _fault(member: Truth, kept: Iterable[Truth]) -> str | None:
    """Why a picture may not go while these of its group are kept; None where it may."""
    same = [truth for truth in kept if truth.original == member.original]
    if not same:
        return OF_ANOTHER
    if member.kind == "original":
        return ORIGINAL
    if "copy" not in member.right:
        return NOT_A_COPY
    if not any(truth.kind == "original" or "copy" in truth.right for truth in same):
        return FOR_LESS
    return None


def score_copies(truths: Mapping[str, Truth], groups: Sequence[Group]) -> dict[str, object]:
    """How originals and their copies are grouped, and which of them go.

    Args:
        truths: By names of files.
        groups: What was found.

    Returns:
        ``recall``: the share of copies that are in a group with their original, and ``recall_lying`` without those that
        are mirrored or turned, ``recall_opaque`` without those of transparent originals, which programs show before
        white or black. ``plain_copies_gone``: the share of those that may go that do, for what they may go for.
        ``original_kept`` and ``original_best``: shares of the originals that have a copy in their group.
        ``best_instead``: the kinds of copies that are the best of a group with their original.
        ``wrong_joins``: the number of groups with pictures of several originals. ``wrong_removals`` by reason.
    """
    wholes = Counter(truth.kind for truth in truths.values() if truth.kind != "original")
    kinds = sorted(wholes)
    found, gone, faults, wrong_kinds = Counter(), Counter(), Counter(), Counter()
    relations: dict[str, Counter[str]] = {}
    met, kept, best_of_all, instead = set(), set(), set(), Counter()
    wrong_joins, strangers, opaque, related_rightly, grouped = 0, 0, 0, 0, set()
    for group in groups:
        known = [(member, truths[member.name]) for member in group.members]
        stays = [truth for member, truth in known if not member.goes]
        best = truths[group.best.name]
        originals = Counter(truth.original for _, truth in known)
        if len(originals) > 1:
            wrong_joins += 1
            strangers += originals.total() - max(originals.values())
        with_original = {truth.original for _, truth in known if truth.kind == "original"}
        for member, truth in known:
            grouped.add(member.name)
            if member.goes and (fault := _fault(truth, stays)):
                faults[fault] += 1
                wrong_kinds[truth.kind] += 1
            if truth.kind != "original":
                found[truth.kind] += truth.original in with_original
                opaque += truth.original in with_original and not truth.transparent
                gone[truth.kind] += member.goes and _fault(truth, stays) is None
                if member.relation and best.kind == "original" and best.original == truth.original:
                    relations.setdefault(truth.kind, Counter())[member.relation] += 1
                    related_rightly += member.relation in truth.right
            elif originals[truth.original] > 1:
                met.add(member.name)
                kept |= set() if member.goes else {member.name}
                if member == group.best:
                    best_of_all.add(member.name)
                elif best.original == truth.original:
                    instead[best.kind] += 1
    copies = [name for name, truth in truths.items() if truth.kind != "original"]
    plain = Counter(truth.kind for truth in truths.values() if "copy" in truth.right)
    lying = [kind for kind in kinds if kind not in LYING_OTHERWISE]
    return {
        "pictures": len(truths),
        "copies": len(copies),
        "groups": len(groups),
        "recall": _share(found.total(), len(copies)),
        "recall_lying": _share(sum(found[kind] for kind in lying), sum(wholes[kind] for kind in lying)),
        "recall_opaque": _share(opaque, sum(not truths[name].transparent for name in copies)),
        "recall_by_kind": _shares(kinds, found, wholes),
        "in_no_group": sum(name not in grouped for name in copies),
        "plain_copies_gone": _share(sum(gone[kind] for kind in plain), plain.total()),
        "plain_copies_gone_by_kind": _shares(sorted(plain), gone, wholes),
        "originals_grouped": len(met),
        "original_kept": _share(len(kept), len(met)),
        "original_best": _share(len(best_of_all), len(met)),
        "best_instead": dict(instead.most_common()),
        "wrong_joins": wrong_joins,
        "wrongly_joined": strangers,
        "removals": sum(member.goes for group in groups for member in group.members),
        "wrong_removals": {"all": faults.total(), **dict(faults.most_common())},
        "wrong_removals_by_kind": dict(wrong_kinds.most_common()),
        "relations_right": _share(related_rightly, sum(counter.total() for counter in relations.values())),
        "relations": {kind: dict(relations[kind].most_common()) for kind in sorted(relations)},
    }


def score_lookalikes(truths: Mapping[str, Truth], groups: Sequence[Group]) -> dict[str, object]:
    """Which pictures go although each shows what no other one shows."""
    gone = Counter(truths[member.name].kind for group in groups for member in group.members if member.goes)
    grouped = Counter(truths[member.name].kind for group in groups for member in group.members)
    return {
        "pictures": len(truths),
        "gone": gone.total(),
        "grouped": grouped.total(),
        "gone_by_kind": dict(sorted(gone.items())),
        "grouped_by_kind": dict(sorted(grouped.items())),
    }


def score_leaks(test: Mapping[str, Truth], train: Mapping[str, Truth], leaks: Mapping[str, str]) -> dict[str, object]:
    """Which copies in a test set are found, with the right source, and what else is called one."""
    copies = {name: truth for name, truth in test.items() if truth.right}
    wholes = Counter(truth.kind for truth in copies.values())
    right = Counter(
        truth.kind for name, truth in copies.items() if name in leaks and train[leaks[name]].original == truth.original
    )
    lying = [kind for kind in wholes if kind not in LYING_OTHERWISE]
    return {
        "train": len(train),
        "test": len(test),
        "copies": len(copies),
        "recall": _share(right.total(), len(copies)),
        "recall_lying": _share(sum(right[kind] for kind in lying), sum(wholes[kind] for kind in lying)),
        "recall_by_kind": _shares(sorted(wholes), right, wholes),
        "wrong_source": sum(name in leaks for name in copies) - right.total(),
        "others": sum(name not in copies for name in leaks),
        "others_by_kind": dict(Counter(test[name].kind for name in leaks if name not in copies)),
    }
