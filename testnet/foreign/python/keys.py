# SPDX-License-Identifier: Apache-2.0
"""Parties, signatures and the two hashes: tokens.md, section 1; sealing.md, sections 2 and 3."""

import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


class BadKey(Exception):
    """Not the one spelling of a key that is accepted."""


def base58(data):
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\x00"))) + text


def unbase58(text):
    number = 0
    for letter in text:
        if letter not in ALPHABET:
            raise BadKey("another letter")
        number = number * 58 + ALPHABET.index(letter)
    body = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return b"\x00" * (len(text) - len(text.lstrip("1"))) + body


def point(key):
    """The point that 32 bytes encode, if they are its one encoding (RFC 8032, 5.1.3)."""
    y = int.from_bytes(key, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        raise BadKey("not a canonical point")
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == (-u) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if v * x * x % P != u or (x == 0 and sign):
        raise BadKey("not a point")
    return (P - x if x & 1 != sign else x), y


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P,
    )


KNOWN = {}


def parse_did(text):
    """The 32 bytes of a did:key."""
    if isinstance(text, str) and text in KNOWN:
        return KNOWN[text]
    if not isinstance(text, str) or not text.startswith("did:key:z") or len(text) > 80:
        raise BadKey("no did:key")
    raw = unbase58(text[len("did:key:z") :])
    if len(raw) != 34 or raw[:2] != b"\xed\x01" or "did:key:z" + base58(raw) != text:
        raise BadKey("no Ed25519 key")
    at = point(raw[2:])
    for _ in range(3):
        at = add(at, at)
    if at == (0, 1):
        raise BadKey("a point of small order")
    KNOWN[text] = raw[2:]
    return raw[2:]


def verify(did, message, signature):
    """Whether the signature is the party's, of the message."""
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= ORDER:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(parse_did(did)).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def frame(*parts):
    return b"".join(struct.pack(">I", len(p)) + p for p in parts)


def derive(secret, label, *parts):
    """HKDF-SHA256 without salt (RFC 5869), 32 bytes."""
    extracted = hmac.new(b"\x00" * 32, secret, hashlib.sha256).digest()
    info = frame(label.encode(), *parts)
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
SHUFFLE = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
MASK = 0xFFFFFFFF


def compress(chaining, words, counter, length, flags):
    """BLAKE3's compression function."""
    v = chaining + IV[:4] + [counter & MASK, counter >> 32, length, flags]

    def g(a, b, c, d, x, y):
        v[a] = (v[a] + v[b] + x) & MASK
        v[d] = turn(v[d] ^ v[a], 16)
        v[c] = (v[c] + v[d]) & MASK
        v[b] = turn(v[b] ^ v[c], 12)
        v[a] = (v[a] + v[b] + y) & MASK
        v[d] = turn(v[d] ^ v[a], 8)
        v[c] = (v[c] + v[d]) & MASK
        v[b] = turn(v[b] ^ v[c], 7)

    for _ in range(7):
        for i, (a, b, c, d) in enumerate(((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15), (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))):
            g(a, b, c, d, words[2 * i], words[2 * i + 1])
        words = [words[i] for i in SHUFFLE]
    return [v[i] ^ v[i + 8] for i in range(8)]


def turn(x, n):
    return (x >> n | x << (32 - n)) & MASK


def blake3_keyed(key, data):
    """BLAKE3 in keyed mode, 32 bytes out."""
    keyed, start, end, parent, root = 16, 1, 2, 4, 8
    key = list(struct.unpack("<8I", key))

    def chunk(piece, counter, last):
        chaining = key
        blocks = [piece[i : i + 64] for i in range(0, len(piece), 64)] or [b""]
        for i, block in enumerate(blocks):
            flags = keyed | (start if i == 0 else 0)
            if i == len(blocks) - 1:
                flags |= end | last
            words = list(struct.unpack("<16I", block.ljust(64, b"\x00")))
            chaining = compress(chaining, words, counter, len(block), flags)
        return chaining

    def tree(pieces, first, last):
        if len(pieces) == 1:
            return chunk(pieces[0], first, last)
        left = 1 << ((len(pieces) - 1).bit_length() - 1)
        words = tree(pieces[:left], first, 0) + tree(pieces[left:], first + left, 0)
        return compress(key, words, 0, 64, keyed | parent | last)

    pieces = [data[i : i + 1024] for i in range(0, len(data), 1024)] or [b""]
    return struct.pack("<8I", *tree(pieces, 0, root))
