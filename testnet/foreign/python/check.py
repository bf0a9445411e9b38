# SPDX-License-Identifier: Apache-2.0
"""A second reading of what Traboule writes, from the pages of protocol/spec alone.

    check.py vectors FOLDER          every vector, valid or not: counts, and what differs
    check.py open CAR HEAD FOLDER    the files of a version, given its opened head in hex
    check.py token FILE              the tokens of a JSON list (base64), their CIDs and claims
"""

import base64
import collections
import json
import os
import pathlib
import sys

import blocks
import car
import cbor
import policy
import grants as profile
import records
import talk
import tokens

REFUSED = (cbor.Malformed, blocks.Refused)


def load(folder, name):
    return json.loads((pathlib.Path(folder) / f"{name}.json").read_text(encoding="utf-8"))


def judged(fn, *refusals):
    """What fn says, or the name of its refusal."""
    try:
        return fn()
    except refusals as error:
        return str(error.args[0]) if error.args else type(error).__name__


def seal_vectors(folder):
    for v in load(folder, "blocks")["seal"]:
        key_of_hashes = blocks.hash_key(bytes.fromhex(v["secret"]), v["view"], v["generation"])
        block, key = blocks.seal(key_of_hashes, v["dataset"], bytes.fromhex(v["plaintext"]))
        got = key_of_hashes.hex(), key.hex(), block.hex(), blocks.cid_text(blocks.name_of(block))
        yield v["name"], got, (v["hash_key"], v["key"], v["block"], v["cid"])


def open_vectors(folder):
    for v in load(folder, "blocks")["open"]:
        open_it = lambda: "ok " + blocks.open_block(v["dataset"], bytes.fromhex(v["key"]), bytes.fromhex(v["block"])).hex()
        want = "ok " + v["plaintext"] if v["outcome"] == "ok" else v["outcome"]
        yield v["name"], judged(open_it, blocks.Refused), want


def page_vectors(folder):
    for v in load(folder, "manifests")["pages"]:
        yield v["name"], judged(lambda: bool(blocks.parse_page(bytes.fromhex(v["page"]))), *REFUSED) is True, v["valid"]


def head_vectors(folder):
    for v in load(folder, "manifests")["heads"]:
        def read():
            h = blocks.Head(bytes.fromhex(v["head"]))
            return h.signer, h.sequence, (blocks.NAME + h.root[0] + h.root[1]).hex()
        got = judged(read, *REFUSED)
        yield v["name"], got if v["valid"] else isinstance(got, str), (v["signer"], v["sequence"], v["root"]) if v["valid"] else True


def tree_vectors(folder):
    for v in load(folder, "manifests")["trees"]:
        there = {cid: bytes.fromhex(b) for cid, b in v["blocks"].items()}
        def read():
            version = blocks.Version(blocks.Head(bytes.fromhex(v["head"])), lambda name: there.get(blocks.cid_text(name)))
            return [{"path": p.hex(), "size": size, "blocks": [blocks.cid_text(n) for n, _ in refs]} for p, (size, refs) in version.files().items()]
        got = judged(read, *REFUSED)
        yield v["name"], got if v["valid"] else isinstance(got, str), v.get("files", []) if v["valid"] else True


def token_vectors(folder):
    for v in load(folder, "ucan")["vectors"]:
        yield v["name"], judged(lambda: judge_token(v), tokens.Refused), v["want"]


def judge_token(v):
    unpack = lambda name: base64.b64decode(v.get(name, ""))
    proofs = [tokens.Token(base64.b64decode(p), "delegation") for p in v.get("proofs", [])]
    if v["kind"] == "policy":
        try:
            found = policy.parse(cbor.loads(unpack("policy"), tags=True))
        except policy.NoPolicy:
            return "InvalidClaim"
        return "ok" if policy.holds(found, cbor.loads(unpack("args"), tags=True)) else "MatchError"
    if v["kind"] == "revocation":
        return "counts" if tokens.Revocation(unpack("token")).counts(proofs) else "stranger"
    if v["kind"] == "chain":
        tokens.check_chain(tokens.Token(unpack("token"), "invocation"), proofs, v["time"])
    else:
        tokens.Token(unpack("token"), v["kind"])
    return "ok"


def flip_vectors(folder):
    """No bit of an accepted token can be turned, and no end cut off."""
    for v in load(folder, "ucan")["vectors"]:
        if v["kind"] not in tokens.TAGS or v["want"] != "ok":
            continue
        whole = base64.b64decode(v.get("token", ""))
        others = [whole[:i] for i in range(0, len(whole), 7)]
        for i in range(0, 8 * len(whole), 5):
            turned = bytearray(whole)
            turned[i // 8] ^= 1 << i % 8
            others.append(bytes(turned))
        read = lambda data: judged(lambda: bool(tokens.Token(data, v["kind"])), tokens.Refused)
        yield v["name"], [i for i, data in enumerate(others) if read(data) is True], []


def profile_vectors(folder):
    for v in load(folder, "profile"):
        yield v["name"], judged(lambda: judge_profile(v), profile.Broken), v["want"]


def judge_profile(v):
    data = base64.b64decode(v.get("bytes", ""))
    if v["kind"] == "path":
        return "ok" if profile.is_path(data) else "path"
    if v["kind"] == "chain":
        profile.check_chain([tokens.Token(base64.b64decode(t), "delegation") for t in v.get("tokens", [])])
    elif v["kind"] == "policy":
        profile.check_policy(v["command"], cbor.loads(data, tags=True))
    else:
        profile.check_args(v["command"], cbor.loads(data, tags=True))
    return "ok"


def frame_vectors(folder):
    for v in load(folder, "frames"):
        got = judged(lambda: talk.read_frame(bytes.fromhex(v["bytes"]), v["limit"]), talk.Bad)
        yield v["name"], got, v.get("error") or (v["kind"], bytes.fromhex(v.get("body", "")))


def said(fn):
    """The answer of fn, or the state of a card or link."""
    try:
        return fn()
    except cbor.Malformed:
        return "malformed"
    except talk.Expired:
        return "expired"


def card_vectors(folder):
    for v in load(folder, "cards"):
        got = said(lambda: talk.read_card(bytes.fromhex(v.get("bytes", "")), v["at"]))
        yield v["name"], got, v.get("error") or (v["owner"], v["node"])


def link_vectors(folder):
    for v in load(folder, "links"):
        yield v["name"], said(lambda: talk.read_contact_link(v["text"], v["at"])), v.get("error") or (v["owner"], v["node"])


def grant_link_vectors(folder):
    for v in load(folder, "grantlinks"):
        got = said(lambda: [t.hex() for t in talk.read_grant_link(v["text"])])
        yield v["name"], got, v.get("error") or v["tokens"]


def log_vectors(folder):
    for v in load(folder, "records")["logs"]:
        def read():
            log = records.Log({path: bytes.fromhex(b) for path, b in v["objects"].items()})
            states = [records.counting(log.operations[: k + 1]) for k in range(len(log.operations))]
            return log.next, [[list(r) for r in records.runs(covered - superseded)] for covered, superseded in states]
        got = judged(read, cbor.Malformed, records.OtherVersion)
        if v["outcome"] == "ok":
            yield v["name"], got, (v.get("next", 0), v.get("counts", []))
        else:
            yield v["name"], got if got == "version" or not isinstance(got, str) else "refused", v["outcome"]


def story_vectors(folder):
    for v in load(folder, "records")["stories"]:
        log, story = records.Log({"log": bytes.fromhex(v["log"])}), records.Story(v["schema"])
        for step in v["steps"]:
            story.step(step)
        covered, superseded = records.counting(story.operations)
        got = [o.said() for o in story.operations], {n: story.rows[n] for n in covered - superseded}, len(story.rows)
        want = [o.said() for o in log.operations], {int(n): story.values(r) for n, r in v["rows"].items()}, log.next
        yield v["name"], got, want


def view_vectors(folder):
    for v in load(folder, "views"):
        yield v["name"], records.view_name(v["view"]), v["called"]


FAMILIES = {
    "seal": seal_vectors, "open": open_vectors, "pages": page_vectors, "heads": head_vectors, "trees": tree_vectors,
    "tokens": token_vectors, "flips": flip_vectors, "profile": profile_vectors, "frames": frame_vectors,
    "cards": card_vectors, "links": link_vectors, "grantlinks": grant_link_vectors,
    "logs": log_vectors, "stories": story_vectors, "views": view_vectors,
}


def check_vectors(folder):
    counts, wrong = collections.Counter(), []
    for family, vectors in FAMILIES.items():
        for name, got, want in vectors(folder):
            counts[family] += 1
            if got != want:
                wrong.append({"family": family, "name": name, "got": repr(got)[:300], "want": repr(want)[:300]})
    return {"counts": counts, "wrong": wrong}


def open_version(path, head, folder):
    """Writes the files of a version and says what was read."""
    roots, sections = car.read(pathlib.Path(path).read_bytes())
    head = blocks.Head(bytes.fromhex(head))
    version = blocks.Version(head, lambda name: sections.get(blocks.NAME + name))
    read = 0
    for path, (size, refs) in version.files().items():
        place = pathlib.Path(os.fsdecode(os.path.join(os.fsencode(folder), path)))
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(place, "xb") as out:
            for plain in version.content(size, refs):
                out.write(plain)
                read += 1
    listed = car.files(sections, roots[0])
    return {
        "signer": head.signer, "dataset": head.dataset, "sequence": head.sequence, "name": version.description()["name"],
        "files": head.files, "folders": head.folders, "bytes": head.bytes, "pages": len(version.seen), "blocks": read,
        "listed": [cid[4:].hex() for cid in listed["blocks"]], "sealed": sections[listed["head"][0]].hex(),
    }


def check_tokens(path):
    """The CID and claims of each token, or its refusal."""
    found = []
    for t in json.loads(pathlib.Path(path).read_text(encoding="utf-8")):
        def read():
            token = tokens.Token(base64.b64decode(t), "delegation")
            return {"cid": "b" + base64.b32encode(token.cid).decode().lower().rstrip("="), **{n: token[n] for n in ("iss", "aud", "sub", "cmd", "exp")}}
        found.append(judged(read, tokens.Refused))
    return found


def main(words):
    commands = {("vectors", 1): check_vectors, ("open", 3): open_version, ("token", 1): check_tokens}
    run = commands.get((words[0] if words else "", len(words) - 1))
    if run is None:
        sys.exit(__doc__)
    json.dump(run(*words[1:]), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main(sys.argv[1:])
