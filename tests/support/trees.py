"""Folders of made-up pictures, decisions about them, and what a folder holds."""

import hashlib
import os

from imgsim_ops.cleanup.decisions import DecidedFile, DecidedGroup, write_decisions

KEPT = b"the picture that is kept"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def put(path, content, modified=1_500_000_000_123_456_789, mode=0o640):
    """Writes a file with a time and permissions that no new file has; returns its path as text."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)
    os.utime(path, ns=(modified, modified))
    return os.fspath(path)


def decided(path, content):
    return DecidedFile(os.fspath(path), sha256(content))


def many(folder, groups, copies=2, sidecars=False):
    """Groups of files under ``folder``: one kept, copies with equal bytes and one with bytes of its own that go.

    The last one has sidecars if asked for.
    """
    found = []
    for number in range(groups):
        content = b"picture %d " % number * (number % 7 + 1)
        other = content + b"smaller"
        kept = put(folder / "originals" / f"{number}.jpg", content, 10**18 + number)
        removed = [
            put(folder / f"copies {c}" / f"{number}.jpg", content, 10**18 + 1000 * c + number) for c in range(copies)
        ]
        small = put(folder / "small" / f"{number}.jpg", other, 10**18 - number, 0o600)
        if sidecars:
            put(folder / "small" / f"{number}.MOV", other + b"film", 10**18 - 7, 0o604)
            put(folder / "small" / f"{number}.jpg.xmp", xmp_of(f"small {number}"), 10**18 - 8, 0o604)
        found.append(
            DecidedGroup(
                (decided(kept, content),),
                (*(decided(path, content) for path in removed), decided(small, other)),
            )
        )
    return found


def xmp_of(*keywords, rating=None):
    """An XMP document that says these."""
    items = "".join(f"<rdf:li>{word}</rdf:li>" for word in keywords)
    rated = f' xmp:Rating="{rating}"' if rating else ""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        f' xmlns:xmp="http://ns.adobe.com/xap/1.0/"{rated}>'
        f"<dc:subject><rdf:Bag>{items}</rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def write(path, *groups):
    """A file of decisions from pairs of lists of (path, content)."""
    made = [DecidedGroup(*(tuple(decided(p, c) for p, c in side) for side in group)) for group in groups]
    write_decisions(path, made)
    return path


def snapshot(*folders):
    """What folders hold: path to (bytes, time, permissions), all names but folders'."""
    found = {}
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(place, name)
                status = os.lstat(path)
                content = os.readlink(path) if os.path.islink(path) else _read(path)
                found[path] = (content, status.st_mtime_ns, status.st_mode)
    return found


def hashes(*folders):
    """The hashes of all regular files in folders."""
    return {sha256(content) for content, _, _ in snapshot(*folders).values() if isinstance(content, bytes)}


def _read(path):
    with open(path, "rb") as file:
        return file.read()
