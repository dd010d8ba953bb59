"""What an XMP sidecar says of a picture (ISO 16684-1), to be compared with what another one says."""

from __future__ import annotations

import contextlib
import io
from typing import NoReturn
from xml.etree import ElementTree

from imgsim_ops.files.opening import open_regular

#: Namespaces, by the prefixes that programs give them.
NAMESPACES = {
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
    "darktable": "http://darktable.sf.net/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "x": "adobe:ns:meta/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
}

#: A property's value: a text, a list in order, or what has no order (a bag's items, a structure's fields).
Value = str | tuple | frozenset

_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def tag(name: str) -> str:
    """The name of a property as `properties` has it, ``{namespace}name``, from ``prefix:name``."""
    prefix, local = name.split(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


# What programs write about their own work, not about the picture.
_HOUSEKEEPING = {
    *map(tag, ("xmp:MetadataDate", "xmp:ModifyDate", "xmp:CreatorTool", "dc:format", "photoshop:SidecarForExtension")),
    *(
        tag(f"darktable:{name}")
        for name in ("xmp_version", "import_timestamp", "change_timestamp", "export_timestamp", "print_timestamp")
    ),
}
_BY_NAME = {
    "rating": ("xmp:Rating", "xmp:Label", "MicrosoftPhoto:Rating"),
    "keywords": ("dc:subject", "lr:hierarchicalSubject", "lr:weightedFlatSubject", "digiKam:TagsList"),
    "date": ("exif:DateTimeOriginal", "exif:DateTimeDigitized", "photoshop:DateCreated", "xmp:CreateDate"),
    "place": ("photoshop:City", "photoshop:State", "photoshop:Country"),
}
_TOPICS = {tag(name): topic for topic, names in _BY_NAME.items() for name in names}


def topic_of(name: str) -> str | None:
    """What a property is about: ``rating``, ``keywords``, ``date``, ``place``, ``edits``, or else ``metadata``.

    Args:
        name: ``{namespace}name``.

    Returns:
        The topic; None of what a program says about its own work.
    """
    if name in _HOUSEKEEPING or name.startswith(tag("xmpMM:")):
        return None
    if name.startswith((tag("crs:"), tag("darktable:"))):
        return "edits"
    if name.startswith(tag("exif:GPS")):
        return "place"
    return _TOPICS.get(name, "metadata")


def is_said(name: str, value: Value) -> bool:
    """Whether a property says anything: not where it is empty, or a rating of no star."""
    return bool(value) and not (topic_of(name) == "rating" and value == "0")


def lacking(one: dict[str, Value], other: dict[str, Value]) -> set[str]:
    """The topics of what the one says and the other does not, or says otherwise."""
    topics = {
        topic_of(name)
        for name, value in one.items()
        if is_said(name, value) and not _includes(other.get(name, ""), value)
    }
    return {topic for topic in topics if topic is not None}


def _includes(whole: Value, value: Value) -> bool:
    if isinstance(whole, frozenset) and isinstance(value, frozenset):
        return value <= whole
    return whole == value


class _NoDoctype(ElementTree.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        """Refuses: entities can make gigabytes of a line, and no XMP has any."""
        raise ValueError("a document type")


def tree(content: bytes) -> ElementTree.Element:
    """The XML of an XMP document, without any document type.

    Raises:
        ValueError: It is no XML, or has a document type.
    """
    parser = ElementTree.XMLParser(target=_NoDoctype())
    try:
        parser.feed(content)
        return parser.close()
    except (ElementTree.ParseError, LookupError) as error:  # LookupError: an encoding that nobody knows
        raise ValueError(str(error)) from error


def descriptions(root: ElementTree.Element) -> list[ElementTree.Element]:
    """The elements that hold properties.

    Raises:
        ValueError: It is no XMP.
    """
    rdf = root if root.tag == tag("rdf:RDF") else root.find(tag("rdf:RDF"))
    if rdf is None:
        raise ValueError("no rdf:RDF")
    return rdf.findall(tag("rdf:Description"))


def content_of(path: str, most: int) -> bytes:
    """The bytes of a sidecar.

    Args:
        path: The file.
        most: Of one with more bytes nothing is read.

    Raises:
        ImageError: It is no file that can be read.
        OSError: The disk fails.
        ValueError: It has more bytes.
    """
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"more than {most >> 20} MB")
    return content


def properties(content: bytes) -> dict[str, Value]:
    """What an XMP document says, by ``{namespace}name``.

    Raises:
        ValueError: It is none.
    """
    found: dict[str, Value] = {}
    try:
        for description in descriptions(tree(content)):
            found |= _fields(description)
    except RecursionError as error:
        raise ValueError("too deep") from error
    return found


def _fields(element: ElementTree.Element) -> dict[str, Value]:
    about = tag("rdf:")
    found: dict[str, Value] = {
        name: value.strip()
        for name, value in element.attrib.items()
        if name.startswith("{") and not name.startswith(about) and name != _XML_LANG
    }
    for child in element:
        found[child.tag] = _value(child)
    return found


def _value(element: ElementTree.Element) -> Value:
    for child in element:
        items = (_value(item) for item in child)
        if child.tag == tag("rdf:Bag"):
            return frozenset(items)
        if child.tag == tag("rdf:Seq"):
            return tuple(items)
        if child.tag == tag("rdf:Alt"):
            return frozenset((item.get(_XML_LANG, ""), _value(item)) for item in child)
        if child.tag == tag("rdf:Description"):
            return frozenset(_fields(child).items())
    fields = _fields(element)
    if fields:
        return frozenset(fields.items())
    return element.get(tag("rdf:resource")) or (element.text or "").strip()


_EMPTY = f"""<x:xmpmeta xmlns:x="{NAMESPACES["x"]}"><rdf:RDF xmlns:rdf="{NAMESPACES["rdf"]}">
<rdf:Description rdf:about=""/></rdf:RDF></x:xmpmeta>""".encode()
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'.encode()
_END = b'\n<?xpacket end="w"?>\n'


def with_properties(content: bytes | None, added: dict[str, Value]) -> bytes:
    """An XMP document that says more: texts in place of what it said, items besides those of its lists.

    Args:
        content: The document as it was; None where there is none yet.
        added: By ``{namespace}name``; texts, and sets of texts.

    Raises:
        ValueError: It is none.
    """
    root = tree(content or _EMPTY)
    found = descriptions(root)
    if not found:
        raise ValueError("no rdf:Description")
    for name, value in sorted(added.items()):
        if isinstance(value, str):
            _forget(found, name)
            found[0].set(name, value)
        else:
            items = _items(found, name)
            for item in sorted(map(str, value)):
                ElementTree.SubElement(items, tag("rdf:li")).text = item
    for prefix, namespace in {**NAMESPACES, **_prefixes(content or _EMPTY)}.items():
        with contextlib.suppress(ValueError):  # "ns1" and such, which are made up where they are needed
            ElementTree.register_namespace(prefix, namespace)
    return _BEGIN + ElementTree.tostring(root, "utf-8") + _END


def _forget(found: list[ElementTree.Element], name: str) -> None:
    for description in found:
        description.attrib.pop(name, None)
        for child in description.findall(name):
            description.remove(child)


def _items(found: list[ElementTree.Element], name: str) -> ElementTree.Element:
    """The list that a property has, or gets."""
    for description in found:
        for child in description.findall(name):
            for items in child:
                if items.tag in (tag("rdf:Bag"), tag("rdf:Seq")):
                    return items
    _forget(found, name)
    return ElementTree.SubElement(ElementTree.SubElement(found[0], name), tag("rdf:Bag"))


def _prefixes(content: bytes) -> dict[str, str]:
    """Those that a document uses, which has been looked through by `tree`."""
    events = ElementTree.iterparse(io.BytesIO(content), ["start-ns"])
    return {prefix: namespace for _, (prefix, namespace) in events if prefix}
