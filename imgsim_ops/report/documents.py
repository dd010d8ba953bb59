"""Findings as documents for other programs, and how they were found for people."""

from __future__ import annotations

from typing import Any

from imgsim_ops.collection.find import Duplicates, Leaks, Provenance
from imgsim_ops.collection.findings import Group, Leak, evidence_as_json, names_as_json, picture_as_json

#: Of the documents here, which change by adding only.
VERSION = 1


def duplicates_as_json(found: Duplicates) -> dict[str, Any]:
    """What ``imgsim dups --json`` shows."""
    provenance = found.provenance
    return {
        "imgsim": "duplicates",
        "version": VERSION,
        "collection": str(provenance.collection),
        "pictures": provenance.pictures,
        **_provenance_as_json(provenance),
        "groups": list(map(_group_as_json, found)),
        "bytes_of_copies": found.bytes_of_copies,
        "similar": [
            {"sharpest": some.sharpest, "pictures": list(map(picture_as_json, some.pictures))} for some in found.similar
        ],
    }


def leaks_as_json(found: Leaks) -> dict[str, Any]:
    """What ``imgsim leak --json`` shows."""
    provenance = found.provenance
    return {
        "imgsim": "leaks",
        "version": VERSION,
        "train": {"collection": str(provenance.collection), "pictures": provenance.pictures},
        "test": {"collection": str(found.test), "pictures": len(found.tested)},
        **_provenance_as_json(provenance),
        "leaks": list(map(_leak_as_json, found)),
        "clean": len(found.clean),
        "counted": len(found.counted),
    }


def clean_as_json(found: Leaks) -> dict[str, Any]:
    """What ``imgsim leak --clean FILE.json`` writes."""
    return {
        "imgsim": "clean",
        "version": VERSION,
        "test": {"collection": str(found.test), "pictures": len(found.tested)},
        "relations": list(found.relations),
        "paths": [picture.path for picture in found.clean],
    }


def facts_of(provenance: Provenance) -> dict[str, str]:
    """How copies were found, as names and values for people."""
    facts = {
        "Pictures": f"{provenance.pictures:,}",
        "Vectors": f"{provenance.fingerprint}, recipe {provenance.recipe}",
    }
    if provenance.fitted_on:
        facts["Whitening"] = f"fitted to {provenance.fitted_on:,} of these pictures"
    facts["Pairs looked at"] = f"{provenance.judged:,}"
    if provenance.unreadable:
        facts["Pairs that could not be"] = f"{provenance.unreadable:,}"
    return facts


def _provenance_as_json(provenance: Provenance) -> dict[str, Any]:
    return {
        "fingerprint": provenance.fingerprint,
        "recipe": provenance.recipe,
        "judged": {"pairs": provenance.judged, "unreadable": provenance.unreadable},
    }


def _group_as_json(group: Group) -> dict[str, Any]:
    members = [
        {
            **picture_as_json(member.picture),
            "relation": member.relation,
            "remove": member.remove,
            **({"kept": member.kept} if member.remove else {}),
            **({"stays_for": list(member.stays_for)} if member.stays_for else {}),
            **names_as_json(member),
            "evidence": None if member.evidence is None else evidence_as_json(member.evidence),
        }
        for member in group.members
    ]
    return {"best": group.best, "members": members}


def _leak_as_json(leak: Leak) -> dict[str, Any]:
    return {
        "picture": picture_as_json(leak.picture),
        "source": picture_as_json(leak.source),
        "relation": leak.relation,
        "evidence": evidence_as_json(leak.evidence),
    }
