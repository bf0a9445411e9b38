# SPDX-License-Identifier: Apache-2.0
"""Canonical CBOR, read strictly: sealing.md, section 1, and tokens.md, section 2."""

import struct


class Malformed(Exception):
    """The bytes are not the one encoding of a value."""


class CID(bytes):
    """A binary CID, as a value of its own."""


DEPTH = 24
SAFE = 2**53 - 1


def varint(data, at=0):
    """Unsigned LEB128 in shortest form, at most nine bytes: the number and where it ends."""
    number = shift = 0
    for i in range(at, min(len(data), at + 9)):
        byte = data[i]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and i > at:
                raise Malformed("a varint longer than need be")
            return number, i + 1
        shift += 7
    raise Malformed("a varint that does not end")


def parse_cid(data):
    """Checks a binary CID: its version, codec, hash and digest."""
    if len(data) == 34 and data[:2] == b"\x12\x20":
        return CID(data)
    version, at = varint(data)
    if version != 1:
        raise Malformed("a CID of another version")
    _, at = varint(data, at)
    _, at = varint(data, at)
    length, at = varint(data, at)
    if len(data) - at != length:
        raise Malformed("a CID of another length")
    return CID(data)


class Reader:
    """Reads one value. With tags it is DAG-CBOR as tokens have it."""

    def __init__(self, data, tags=False):
        self.data, self.at, self.tags = bytes(data), 0, tags

    def take(self, n):
        if n > len(self.data) - self.at:
            raise Malformed("cut")
        self.at += n
        return self.data[self.at - n : self.at]

    def head(self):
        first = self.take(1)[0]
        major, low = first >> 5, first & 31
        if major == 7 or low < 24:
            return major, low
        if low > 27:
            raise Malformed("an indefinite or reserved length")
        size = 1 << (low - 24)
        number = int.from_bytes(self.take(size), "big")
        if number < (24 if size == 1 else 1 << (4 * size)):
            raise Malformed("a head longer than need be")
        return major, number

    def value(self, depth=0):
        major, n = self.head()
        if major == 0:
            return self.integer(n)
        if major == 1:
            return self.integer(-1 - n)
        if major == 2:
            return self.take(n)
        if major == 3:
            return self.text(n)
        if major == 6:
            return self.link(n)
        if major == 7:
            return self.simple(n)
        if depth == DEPTH:
            raise Malformed("too deep")
        if n > len(self.data) - self.at:
            raise Malformed("cut")
        if major == 4:
            return [self.value(depth + 1) for _ in range(n)]
        return self.map(n, depth)

    def integer(self, n):
        if self.tags and abs(n) > SAFE:
            raise Malformed("an integer beyond 2^53 - 1")
        return n

    def text(self, n):
        try:
            return self.take(n).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("not UTF-8") from error

    def map(self, n, depth):
        found, last = {}, b""
        for i in range(n):
            start = self.at
            key = self.value(depth + 1)
            spelled = self.data[start : self.at]
            if not isinstance(key, str) and (self.tags or not isinstance(key, int)):
                raise Malformed("a key that is no text")
            if i > 0 and (len(spelled), spelled) <= (len(last), last):
                raise Malformed("keys out of order")
            last = spelled
            found[key] = self.value(depth + 1)
        return found

    def link(self, tag):
        major, n = self.head()
        if not self.tags or tag != 42 or major != 2:
            raise Malformed("a tag")
        data = self.take(n)
        if data[:1] != b"\x00":
            raise Malformed("a link that is none")
        return parse_cid(data[1:])

    def simple(self, n):
        if n in (20, 21, 22):
            return {20: False, 21: True, 22: None}[n]
        if n != 27:
            raise Malformed("another simple value or float")
        number = struct.unpack(">d", self.take(8))[0]
        if number != number or number in (float("inf"), float("-inf")):
            raise Malformed("no number")
        return number


def loads(data, tags=False):
    """The value of data, which holds nothing else."""
    reader = Reader(data, tags)
    value = reader.value()
    if reader.at != len(reader.data):
        raise Malformed("bytes after the end")
    return value


def array(value, *types):
    """Checks an array of given types, and returns it."""
    if not isinstance(value, list) or len(value) != len(types):
        raise Malformed("an array of other elements")
    for element, wanted in zip(value, types):
        if type(element) is not wanted:
            raise Malformed("an element of another type")
    return value


def head_bytes(major, n):
    """The shortest head."""
    for low, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if n < 24:
            return bytes([major << 5 | n])
        if n < 1 << (8 * size):
            return bytes([major << 5 | low]) + n.to_bytes(size, "big")
    raise ValueError(n)


def dumps(value):
    """Canonical bytes of arrays, maps, bytes, text and integers."""
    if isinstance(value, bytes):
        return head_bytes(2, len(value)) + value
    if isinstance(value, str):
        return head_bytes(3, len(value.encode())) + value.encode()
    if isinstance(value, int):
        return head_bytes(0, value) if value >= 0 else head_bytes(1, -1 - value)
    if isinstance(value, list):
        return head_bytes(4, len(value)) + b"".join(dumps(v) for v in value)
    if isinstance(value, dict):
        all = sorted((dumps(k), dumps(v)) for k, v in value.items())
        all.sort(key=lambda pair: (len(pair[0]), pair[0]))
        return head_bytes(5, len(value)) + b"".join(k + v for k, v in all)
    raise TypeError(type(value))
