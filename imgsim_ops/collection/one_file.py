"""Members of a group that are names of one file: hard links, links, or a folder that two mounts lead to.

They are no copies of each other. Where one stays, the others stay too: to remove them frees nothing, and where they are
one entry of one folder it would lose the picture. Where all of them may go, for another file's sake, the bytes become
free with the last.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from imgsim_ops.collection.findings import Member
from imgsim_ops.files.identity import may_be_one, one_name


def with_names(members: Sequence[Member]) -> list[Member]:
    """The members of a group, by what their paths lead to now; what is not there stays as it is.

    Args:
        members: As proposed by what they show.

    Returns:
        The same in the same order, some of which are no longer proposed to go.
    """
    found = list(members)
    statuses = [_status(member.picture.path) for member in members]
    links = {place for place, member in enumerate(members) if os.path.islink(member.picture.path)}
    for names, places in _files(statuses):
        for place in places[1:]:
            found[place] = replace(found[place], same_file=places[0])
        all_go = all(found[place].remove and place not in links for place in places)
        going = _entries(found, places) if all_go else places[:1] if len(places) == 1 else []
        for place in places:
            goes = found[place].remove and (len(places) == 1 or place in going)
            frees = place in going[-1:] and names <= len(going)
            found[place] = replace(found[place], remove=goes, frees=frees)
    return [_without_links(place, found, links) for place in range(len(found))]


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None


def _files(statuses: Sequence[os.stat_result | None]) -> list[tuple[int, list[int]]]:
    """For each file how many names it has, and the places of those that are there, in order."""
    by_inode: dict[int, list[tuple[os.stat_result, list[int]]]] = defaultdict(list)
    found = []
    for place, status in enumerate(statuses):
        if status is None:
            continue
        for other, places in by_inode[status.st_ino] if status.st_ino else ():
            if may_be_one(other, status):
                places.append(place)
                break
        else:
            found.append((status.st_nlink, [place]))
            by_inode[status.st_ino].append((status, found[-1][1]))
    return found


def _entries(members: Sequence[Member], places: Sequence[int]) -> list[int]:
    """The first place of each entry of a folder: where one of its paths is removed, the others are gone with it."""
    found: list[int] = []
    for place in places:
        path = members[place].picture.path
        try:
            again = any(one_name(path, members[other].picture.path) for other in found)
        except OSError:  # gone meanwhile
            again = True
        if not again:
            found.append(place)
    return found


def _without_links(place: int, members: Sequence[Member], links: set[int]) -> Member:
    """A member; where it is a link, or a link is what stays in its place, it is not proposed to go."""
    member = members[place]
    goes = member.remove and place not in links and member.kept not in links
    return replace(member, remove=goes, frees=member.frees and place not in links)
