# SPDX-License-Identifier: Apache-2.0
"""CAR files: car.md."""

import hashlib

import cbor
from cbor import Malformed


def read(data):
    """The roots of a file, and its sections by CID."""
    length, at = cbor.varint(data)
    if length > 4096 or at + length > len(data):
        raise Malformed("a header that is long or cut")
    header = cbor.loads(data[at : at + length], tags=True)
    if not isinstance(header, dict) or set(header) != {"roots", "version"} or header["version"] != 1:
        raise Malformed("no header")
    roots = header["roots"]
    if not isinstance(roots, list) or not all(isinstance(r, cbor.CID) for r in roots) or len(set(roots)) != len(roots):
        raise Malformed("no roots")
    at += length
    sections = {}
    while at < len(data):
        length, at = cbor.varint(data, at)
        if not 36 <= length <= 1_048_612 or at + length > len(data):
            raise Malformed("a section that is short, long or cut")
        cid, body = data[at : at + 36], data[at + 36 : at + length]
        if cid[:1] != b"\x01" or cid[2:4] != b"\x12\x20" or hashlib.sha256(body).digest() != cid[4:]:
            raise Malformed("a section that is not what it is called")
        sections[cid] = body
        at += length
    return roots, sections


def fields(data):
    """The fields of a protobuf message: (number, value)."""
    at = 0
    while at < len(data):
        tag, at = cbor.varint(data, at)
        value, at = cbor.varint(data, at)
        if tag & 7 == 2:
            if value > len(data) - at:
                raise Malformed("cut")
            value, at = data[at : at + value], at + value
        elif tag & 7 != 0:
            raise Malformed("another wire type")
        yield tag >> 3, value


def node(data):
    """The links (name, CID) of a dag-pb node, and its UnixFS type."""
    links, kind = [], None
    for number, value in fields(data):
        if number == 2:
            link = dict(fields(value))
            links.append((link.get(2, b"").decode(), link[1]))
        else:
            kind = dict(fields(value))[1]
    return links, kind


def leaves(sections, cid):
    """The raw leaves below a file, in order."""
    if cid[1] == 0x55:
        return [cid]
    links, kind = node(sections[cid])
    if kind != 2:
        raise Malformed("no file")
    return [leaf for _, below in links for leaf in leaves(sections, below)]


def files(sections, root):
    """The files of the folder that is the root: name, and leaves in order."""
    links, kind = node(sections[root])
    if kind != 1:
        raise Malformed("the root is no folder")
    return {name: leaves(sections, cid) for name, cid in links}
