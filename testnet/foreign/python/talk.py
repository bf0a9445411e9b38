# SPDX-License-Identifier: Apache-2.0
"""Frames, links and cards: framing.md, contact.md, offer.md."""

import base64
import hashlib
import re
import unicodedata

import cbor
import keys
from cbor import Malformed

DAY = 86400


class Expired(Exception):
    """The reader's clock is outside of what a card or link says."""


class Bad(Exception):
    """A frame that cannot be read; args[0] is the state."""


def read_frame(data, limit):
    """The kind and body of a frame."""
    if not data:
        raise Bad("end")
    length = 0
    for i in range(4):
        if i == len(data):
            raise Bad("cut")
        length |= (data[i] & 0x7F) << (7 * i)
        if data[i] < 0x80:
            break
    else:
        raise Bad("bad")
    if length == 0 or i and data[i] == 0:
        raise Bad("bad")
    if length - 1 > limit:
        raise Bad("large")
    body = data[i + 1 : i + 1 + length]
    if len(body) < length:
        raise Bad("cut")
    return body[0], body[1:]


def read_link(prefix, text, limit):
    """The data of a link as text."""
    body = text[len(prefix) :]
    if not text.startswith(prefix) or not re.fullmatch("[A-Za-z0-9_-]*", body) or len(body) % 4 == 1:
        raise Malformed("another spelling")
    raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != body or not 8 <= len(raw) <= limit + 8:
        raise Malformed("another spelling")
    data, check = raw[:-8], raw[-8:]
    if hashlib.sha256(prefix.encode() + data).digest()[:8] != check:
        raise Malformed("a slip")
    return data


def check_name(name):
    if len(name.encode()) > 128 or name != name.strip(" "):
        raise Malformed("a name")
    if any(c != " " and unicodedata.category(c)[0] in "CZ" for c in name):
        raise Malformed("a name")


def check_addresses(addresses):
    if not isinstance(addresses, list) or len(addresses) > 16:
        raise Malformed("addresses")
    for a in addresses:
        if not isinstance(a, str) or not re.fullmatch("/[!-~]{0,255}", a):
            raise Malformed("an address")


def check_domain(domain):
    label = "(?!-)[a-z0-9-]{1,63}(?<!-)"
    if domain and (len(domain) > 253 or not re.fullmatch(rf"{label}(\.{label})+", domain)):
        raise Malformed("a domain")


def check_parties(owner, node):
    try:
        keys.parse_did(owner)
        keys.parse_did(node)
    except keys.BadKey as error:
        raise Malformed("a party") from error
    if owner == node:
        raise Malformed("owner and node are one")


def check_times(issued, expires, at):
    if not 0 < issued < expires <= issued + 400 * DAY:
        raise Malformed("times")
    if at >= expires or at < issued - 300:
        raise Expired


def read_card(data, at):
    """The owner and node of a card."""
    if len(data) > 4096:
        raise Malformed("a long card")
    body, by_owner, by_node = cbor.array(cbor.loads(data), bytes, bytes, bytes)
    fields = cbor.loads(body)
    if not isinstance(fields, list) or len(fields) != 11:
        raise Malformed("another body")
    form, owner, node, receive, kind, name, domain, relays, addresses, issued, expires = fields
    cbor.array([form, owner, node, receive, kind, name, domain, issued, expires], int, str, str, bytes, int, str, str, int, int)
    if form != 1 or len(receive) != 1216 or kind not in (1, 2, 3, 4):
        raise Malformed("a field")
    check_parties(owner, node)
    check_name(name)
    check_domain(domain)
    check_addresses(relays)
    check_addresses(addresses)
    for did, who, signature in ((owner, "owner", by_owner), (node, "node", by_node)):
        if not keys.verify(did, f"traboule contact card 1, by the {who}".encode() + b"\x00" + body, signature):
            raise Malformed("a signature")
    check_times(issued, expires, at)
    return owner, node


def read_contact_link(text, at):
    """The owner and node that a link leads to."""
    body, signature, secret = cbor.array(cbor.loads(read_link("traboule:", text, 1024)), bytes, bytes, bytes)
    fields = cbor.loads(body)
    if not isinstance(fields, list) or len(fields) != 7:
        raise Malformed("another body")
    form, owner, node, digest, addresses, issued, expires = fields
    cbor.array([form, owner, node, digest, issued, expires], int, str, str, bytes, int, int)
    if form != 1 or len(digest) != 32 or len(secret) not in (0, 16):
        raise Malformed("a field")
    check_parties(owner, node)
    check_addresses(addresses)
    if not keys.verify(owner, b"traboule contact link 1\x00" + body, signature):
        raise Malformed("a signature")
    check_times(issued, expires, at)
    return owner, node


def read_grant_link(text):
    """The tokens of a grant as text, root first."""
    fields = cbor.loads(read_link("traboule-grant:", text, 65536))
    if not isinstance(fields, list) or len(fields) != 3:
        raise Malformed("another body")
    chain, name, addresses = fields
    if not isinstance(chain, list) or not 1 <= len(chain) <= 6 or not isinstance(name, str):
        raise Malformed("a field")
    if not all(isinstance(t, bytes) and 0 < len(t) <= 16384 for t in chain):
        raise Malformed("a token")
    check_name(name)
    check_addresses(addresses)
    return chain
