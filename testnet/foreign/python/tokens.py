# SPDX-License-Identifier: Apache-2.0
"""Delegations, invocations, chains and revocations: tokens.md, sections 1 to 9."""

import hashlib
import re

import cbor
import keys
import policy
from cbor import CID

VARSIG = bytes.fromhex("3401ed01ed011371")
TAGS = {"delegation": "ucan/dlg@1.0.0", "invocation": "ucan/inv@1.0.0"}
LIMITS = {"delegation": 16384, "invocation": 32768}
REQUIRED = {"delegation": ("iss", "aud", "sub", "cmd", "pol", "nonce", "exp"), "invocation": ("iss", "sub", "cmd", "args", "prf", "nonce", "exp")}
OPTIONAL = {"delegation": ("nbf", "meta"), "invocation": ("aud", "iat", "cause", "meta")}


class Refused(Exception):
    """A token that is not accepted; args[0] is the name of section 9."""


def token_cid(data):
    return CID(b"\x01\x71\x12\x20" + hashlib.sha256(data).digest())


def is_token_cid(value):
    return isinstance(value, CID) and len(value) == 36 and value[:4] == b"\x01\x71\x12\x20"


def is_did(value):
    try:
        keys.parse_did(value)
    except keys.BadKey:
        return False
    return True


def is_command(value):
    if not isinstance(value, str) or len(value) > 256:
        return False
    segments = value[1:].split("/")
    return value == "/" or re.fullmatch("(/[a-z0-9_.-]+)+", value) is not None and "." not in segments and ".." not in segments


def is_time(value):
    return type(value) is int


FORMS = {
    "iss": is_did,
    "aud": is_did,
    "cmd": is_command,
    "nonce": lambda v: type(v) is bytes,
    "exp": lambda v: v is None or is_time(v),
    "nbf": is_time,
    "iat": is_time,
    "meta": lambda v: isinstance(v, dict),
    "args": lambda v: isinstance(v, dict),
    "cause": lambda v: isinstance(v, CID),
    "prf": lambda v: isinstance(v, list) and len(v) <= 64 and all(map(is_token_cid, v)),
}


class Token:
    """A delegation or an invocation whose issuer signed it."""

    def __init__(self, data, kind):
        if len(data) > LIMITS[kind]:
            raise Refused("TooLarge")
        try:
            self.signature, signed, self.claims = self.envelope(data, kind)
        except cbor.Malformed as error:
            raise Refused("Malformed") from error
        self.kind, self.cid, self.digest = kind, token_cid(data), hashlib.sha256(signed).digest()
        self.check()
        if not keys.verify(self.claims["iss"], signed, self.signature):
            raise Refused("InvalidSignature")

    @staticmethod
    def envelope(data, kind):
        found = cbor.loads(data, tags=True)
        signature, payload = cbor.array(found, bytes, dict)
        if len(payload) != 2 or payload.get("h") != VARSIG or TAGS[kind] not in payload:
            raise cbor.Malformed("another envelope")
        claims = payload[TAGS[kind]]
        if not isinstance(claims, dict):
            raise cbor.Malformed("no claims")
        head = len(cbor.head_bytes(2, len(signature)))
        return signature, data[1 + head + len(signature) :], claims

    def check(self):
        names = set(self.claims)
        required, optional = REQUIRED[self.kind], OPTIONAL[self.kind]
        if not names.issuperset(required) or not names.issubset(required + optional):
            raise Refused("InvalidClaim")
        for name, value in self.claims.items():
            if name in FORMS and not FORMS[name](value):
                raise Refused("InvalidClaim")
        sub = self.claims["sub"]
        if not is_did(sub) and not (sub is None and self.kind == "delegation"):
            raise Refused("InvalidClaim")
        if self.kind == "delegation":
            try:
                self.policy = policy.parse(self.claims["pol"])
            except policy.NoPolicy as error:
                raise Refused("InvalidClaim") from error

    def __getitem__(self, name):
        return self.claims.get(name)


def covers(above, below):
    return above == "/" or above == below or below.startswith(above + "/")


def aligned(chain, last):
    """Section 6, rule 2, of proofs root first and what stands under them."""
    subject = last["sub"]
    if chain[0]["sub"] is None:
        raise Refused("InvalidClaim")
    for i, proof in enumerate(chain):
        under = chain[i + 1] if i + 1 < len(chain) else last
        if proof["sub"] not in (subject, None) or i == 0 and proof["iss"] != proof["sub"]:
            raise Refused("InvalidSubject")
        if proof["aud"] != under["iss"]:
            raise Refused("InvalidAudience")
        if not covers(proof["cmd"], under["cmd"]):
            raise Refused("InvalidCommand")


def check_chain(invocation, proofs, now):
    """Section 6."""
    wanted = invocation["prf"]
    if len(wanted) > 64 or len(set(wanted)) != len(wanted):
        raise Refused("InvalidClaim")
    known = {p.cid: p for p in proofs}
    if not all(c in known for c in wanted):
        raise Refused("UnavailableProof")
    chain = [known[c] for c in wanted]
    if chain:
        aligned(chain, invocation)
    elif invocation["iss"] != invocation["sub"]:
        raise Refused("InvalidClaim")
    for token in [*chain, invocation]:
        if token["nbf"] is not None and now < token["nbf"]:
            raise Refused("TooEarly")
        if token["exp"] is not None and now > token["exp"]:
            raise Refused("Expired")
    for proof in chain:
        if not policy.holds(proof.policy, invocation["args"]):
            raise Refused("MatchError")


class Revocation(Token):
    """A record that a delegation is over."""

    def __init__(self, data):
        super().__init__(data, "invocation")
        args = self["args"]
        path = args.get("pth", [])
        if self["cmd"] != "/ucan/revoke" or self["sub"] != self["iss"] or self["prf"]:
            raise Refused("InvalidClaim")
        if not set(args) <= {"ucan", "pth"} or not is_token_cid(args.get("ucan")):
            raise Refused("InvalidClaim")
        if not isinstance(path, list) or len(path) > 64 or not all(map(is_token_cid, path)):
            raise Refused("InvalidClaim")
        self.target = args["ucan"]

    def counts(self, witnessed):
        """Whether it ends its target, used under a witnessed path, root first."""
        places = [i for i, t in enumerate(witnessed) if t.cid == self.target]
        if not places:
            return False
        at = places[0]
        if witnessed[at]["iss"] == self["iss"]:
            return True
        try:
            aligned(witnessed[:at], witnessed[at]) if at else None
        except Refused:
            return False
        return any(t["iss"] == self["iss"] for t in witnessed[:at])
