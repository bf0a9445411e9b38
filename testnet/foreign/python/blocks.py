# SPDX-License-Identifier: Apache-2.0
"""Sealed blocks, pages, heads and whole versions: sealing.md, section 3; blocks.md."""

import base64
import hashlib
import re
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

import cbor
import keys
from cbor import Malformed

PIECE = 1_048_558
PADDED = 1_048_559
MAX_BLOCK = 1_048_576
MAX_PAGE = 65_536
NAME = b"\x01\x55\x12\x20"


class Refused(Exception):
    """A block that does not open; args[0] is the outcome."""


def padme(length):
    if length < 2:
        return length
    e = length.bit_length() - 1
    s = e.bit_length()
    step = 1 << (e - s)
    return (length + step - 1) // step * step


def pad(plaintext):
    length = min(padme(len(plaintext) + 1), PADDED)
    return (plaintext + b"\x80").ljust(length, b"\x00")


def name_of(block):
    return hashlib.sha256(block).digest()


def cid_text(name):
    return "b" + base64.b32encode(NAME + name).decode().lower().rstrip("=")


def hash_key(secret, view, generation):
    return keys.derive(secret, "traboule/v1/block-key", view.encode(), struct.pack(">Q", generation))


def seal(key_of_hashes, did, plaintext):
    """The block of a plaintext, and its key."""
    ad = b"\x01" + did.encode()
    padded = pad(plaintext)
    key = keys.blake3_keyed(key_of_hashes, struct.pack(">I", len(ad)) + ad + padded)
    return b"\x01" + ChaCha20Poly1305(key).encrypt(bytes(12), padded, ad), key


def open_block(did, key, block):
    """The plaintext of a block."""
    if not 18 <= len(block) <= MAX_BLOCK:
        raise Refused("size")
    if block[0] != 1:
        raise Refused("suite")
    try:
        padded = ChaCha20Poly1305(key).decrypt(bytes(12), block[1:], b"\x01" + did.encode())
    except InvalidTag as error:
        raise Refused("tag") from error
    plaintext = padded.rstrip(b"\x00")
    if plaintext[-1:] != b"\x80":
        raise Refused("padding")
    plaintext = plaintext[:-1]
    if len(plaintext) > PIECE or len(pad(plaintext)) != len(padded):
        raise Refused("padding")
    return plaintext


def reference(data):
    """A block's name and key."""
    if len(data) != 68 or data[:4] != NAME or data[4:36] == bytes(32):
        raise Malformed("no reference")
    return data[4:36], data[36:]


def check_path(path):
    if not 1 <= len(path) <= 4096 or 0 in path:
        raise Malformed("a path")
    for name in path.split(b"/"):
        if not 1 <= len(name) <= 255 or name in (b".", b".."):
            raise Malformed("a name in a path")


def natural(*numbers):
    if any(n < 0 for n in numbers):
        raise Malformed("a number below zero")


def pieces(size):
    return -(-size // PIECE)


class Entry:
    """One entry of a manifest."""

    def __init__(self, item):
        self.path, self.first, self.kind, self.mode, self.mtime, self.size, refs = cbor.array(item, bytes, int, int, int, int, int, bytes)
        natural(self.first, self.kind, self.mode, self.size)
        check_path(self.path)
        if self.mode > 0o777 or self.kind not in (1, 2) or not -(2**63) <= self.mtime < 2**63:
            raise Malformed("an entry's fields")
        if len(refs) % 68:
            raise Malformed("half a reference")
        self.refs = [reference(refs[i : i + 68]) for i in range(0, len(refs), 68)]
        if self.kind == 2 and (self.first or self.size or self.refs):
            raise Malformed("a folder with content")
        total = pieces(self.size)
        if self.first % 256 or (self.first and self.first >= total) or len(self.refs) != min(256, total - self.first):
            raise Malformed("an entry's blocks")

    def key(self):
        return self.path, self.first


def parse_page(data):
    """A page's level and items: entries, or (key, reference)."""
    if len(data) > MAX_PAGE:
        raise Malformed("a long page")
    form, level, items = cbor.array(cbor.loads(data), int, int, list)
    if form != 1 or not 0 <= level <= 7:
        raise Malformed("another format or level")
    if level == 0:
        found = [Entry(i) for i in items]
        order = [e.key() for e in found]
    else:
        found = []
        for item in items:
            path, first, ref = cbor.array(item, bytes, int, bytes)
            check_path(path)
            natural(first)
            if first % 256:
                raise Malformed("a place between entries")
            found.append(((path, first), reference(ref)))
        order = [k for k, _ in found]
        if not found:
            raise Malformed("a page without children")
    if any(a >= b for a, b in zip(order, order[1:])):
        raise Malformed("items out of order")
    return level, found, order


class Head:
    """A signed head, whose signature holds."""

    def __init__(self, data):
        if len(data) > 2048:
            raise Malformed("a long head")
        body, self.signer, signature = cbor.array(cbor.loads(data), bytes, str, bytes)
        try:
            if not keys.verify(self.signer, b"traboule/v1/head\x00" + body, signature):
                raise Malformed("not signed so")
        except keys.BadKey as error:
            raise Malformed("a signer") from error
        fields = cbor.array(cbor.loads(body), int, str, str, int, int, bytes, bytes, int, int, int, int, int)
        (form, self.dataset, self.view, self.generation, self.sequence, root, description,
         self.files, self.folders, self.bytes, self.blocks, self.time) = fields
        natural(self.generation, self.sequence, self.files, self.folders, self.bytes, self.blocks, self.time)
        try:
            keys.parse_did(self.dataset)
        except keys.BadKey as error:
            raise Malformed("a data set") from error
        if form != 1 or self.sequence == 0 or not re.fullmatch("|paths:[0-9a-f]{64}", self.view):
            raise Malformed("a field of the head")
        if self.blocks > self.files + self.bytes // PIECE:
            raise Malformed("more blocks than bytes")
        self.root = reference(root)
        self.description = reference(description) if description else None


class Version:
    """All that a head names, read from get(name), which is believed in nothing."""

    def __init__(self, head, get):
        self.head, self.get = head, get
        self.entries, self.seen = [], set()
        self.page(head.root, None, None, None)
        self.check()

    def block(self, ref):
        block = self.get(ref[0])
        if block is None or name_of(block) != ref[0]:
            raise Malformed("not the block that was named")
        return open_block(self.head.dataset, ref[1], block)

    def page(self, ref, level, first, until):
        if ref[0] in self.seen:
            raise Malformed("a page twice")
        self.seen.add(ref[0])
        there, items, order = parse_page(self.block(ref))
        if level is not None and (there != level or not order or order[0] != first):
            raise Malformed("not the page of this place")
        if until is not None and order and order[-1] >= until:
            raise Malformed("a page that runs into the next")
        if there == 0:
            self.entries += items
            return
        for i, (key, below) in enumerate(items):
            end = items[i + 1][0] if i + 1 < len(items) else until
            self.page(below, there - 1, key, end)

    def check(self):
        """Rule 2 across pages, and the head's counts."""
        counts, before = [0, 0, 0, 0], None
        for e in self.entries:
            if before and before.first + len(before.refs) < pieces(before.size):
                same = [(x.path, x.kind, x.mode, x.mtime, x.size) for x in (before, e)]
                if same[0] != same[1] or e.first != before.first + len(before.refs):
                    raise Malformed("a gap in a file")
            elif e.first:
                raise Malformed("a part without what is before")
            if e.first == 0:
                counts[e.kind - 1] += 1
                counts[2] += e.size
            counts[3] += len(e.refs)
            before = e
        if before and before.first + len(before.refs) < pieces(before.size):
            raise Malformed("a file without its end")
        if counts != [self.head.files, self.head.folders, self.head.bytes, self.head.blocks]:
            raise Malformed("other counts than the head's")

    def files(self):
        """Path, size and references of each file, in order."""
        found = {}
        for e in self.entries:
            if e.kind == 1:
                found.setdefault(e.path, (e.size, []))[1].extend(e.refs)
        return found

    def content(self, size, refs):
        """The bytes of a file, piece by piece."""
        for i, ref in enumerate(refs):
            plain = self.block(ref)
            if len(plain) != min(PIECE, size - i * PIECE):
                raise Malformed("a piece of another length")
            yield plain

    def description(self):
        """The name that the owner gave."""
        data = self.block(self.head.description)
        found = cbor.loads(data)
        if len(data) > 16384 or not isinstance(found, dict) or not isinstance(found.get("name"), str):
            raise Malformed("no description")
        return found
