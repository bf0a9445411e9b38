# SPDX-License-Identifier: Apache-2.0
"""What a grant means here: tokens.md, Our profile."""

import re
import unicodedata

import cbor
import policy
import tokens

LISTS = ("columns", "rows", "paths")
INTEGERS = ("from", "to", "period", "grid", "seq")
READ = {*LISTS, *INTEGERS, "purpose", "hpke"}
ARGUMENTS = {"/dataset/list": {"purpose"}, "/dataset/read": READ, "/dataset/subscribe": READ, "/grant/chain": {"grant"}}
GRANTABLE = ("/dataset/list", "/dataset/read", "/dataset/subscribe")
RANKS = {"period": 5, "grid": 3}


class Broken(Exception):
    """A rule that does not hold; args[0] is its name."""


def is_path(data):
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
    except UnicodeDecodeError:
        return False
    if text == "":
        return True
    prefix = text.endswith("/")
    names = (text[:-1] if prefix else text).split("/")
    if len(text.encode()) > 255 or not unicodedata.is_normalized("NFC", text) or prefix and "*" in text:
        return False
    if any(n in ("", ".", "..") for n in names):
        return False
    return not any(c in "%\\" or unicodedata.category(c) == "Cc" for c in text)


def is_purpose(text):
    return re.fullmatch("[A-Za-z][A-Za-z0-9+.-]*:[!-~]+", text) is not None and len(text) <= 256 and not re.search('[<>"{}|\\\\^`]', text)


def check_text(text):
    if not 1 <= len(text.encode()) <= 256:
        raise Broken("size" if text else "argument")
    if not unicodedata.is_normalized("NFC", text) or any(unicodedata.category(c) == "Cc" for c in text):
        raise Broken("argument")


def check_list(name, value):
    if not isinstance(value, list) or not all(isinstance(t, str) for t in value):
        raise Broken("argument")
    if len(value) > 128:
        raise Broken("size")
    if len(set(value)) != len(value):
        raise Broken("argument")
    for text in value:
        if name == "paths":
            if not is_path(text):
                raise Broken("path")
        else:
            check_text(text)


def check_args(command, args):
    """P2 and P3."""
    if command not in ARGUMENTS:
        raise Broken("command")
    if not isinstance(args, dict) or set(args) != ARGUMENTS[command]:
        raise Broken("argument")
    if "grant" in args and not tokens.is_token_cid(args["grant"]):
        raise Broken("argument")
    if "purpose" in args and not (isinstance(args["purpose"], str) and is_purpose(args["purpose"])):
        raise Broken("argument")
    if "columns" not in args:
        return
    for name in LISTS:
        check_list(name, args[name])
    for name in INTEGERS:
        if type(args[name]) is not int:
            raise Broken("argument")
    if type(args["hpke"]) is not bytes:
        raise Broken("argument")
    if len(args["hpke"]) != 1216:
        raise Broken("hpke")
    check_intervals(args)
    check_kind(args)


def check_intervals(args):
    if args["from"] > args["to"] or args["seq"] < 0:
        raise Broken("intervals")
    for name, most in RANKS.items():
        if not 0 <= args[name] <= most:
            raise Broken("intervals")


def check_kind(args):
    """Files or records: never both, never nothing."""
    files = bool(args["paths"]) and not args["columns"] and not args["rows"]
    records = not args["paths"] and bool(args["columns"]) and bool(args["rows"])
    if files and any(args[n] for n in ("from", "to", "period", "grid")):
        raise Broken("argument")
    if not files and not records:
        raise Broken("argument")


class Policy:
    """P4, without `meaning`."""

    def __init__(self, command, found):
        if command == "/":
            self.arguments = READ | {"grant"}
        elif command in ARGUMENTS:
            self.arguments = ARGUMENTS[command]
        else:
            raise Broken("command")
        self.count = 0
        for s in found:
            self.statement(s, 1, None, True)

    def statement(self, s, level, inside, first):
        self.count += 1
        if self.count > 128 or level > 4:
            raise Broken("size")
        op, rest = s[0], s[1:]
        if op in ("and", "or"):
            if not rest[0]:
                raise Broken("operand")
            for inner in rest[0]:
                self.statement(inner, level + 1, inside, False)
            return
        if op in ("not", "any", "!="):
            raise Broken("operator")
        if op not in ("==", "like", "all") and op not in policy.COMPARISONS or op == "all" and inside:
            raise Broken("operator")
        kind = self.selected(rest[0], inside)
        if op == "all":
            if kind != "list":
                raise Broken("selector")
            self.statement(rest[1], level + 1, "text", False)
            return
        self.comparison(op, kind, rest[1])
        if rest[0] == ".seq" and (op != "<=" or not first):
            raise Broken("operator")

    def selected(self, selector, inside):
        """What a selector leads to: integer, text, list, or nothing comparable."""
        if not isinstance(selector, str):
            raise Broken("selector")
        if inside:
            if selector != ".":
                raise Broken("selector")
            return "text"
        name = selector[1:]
        if selector[:1] != "." or name not in self.arguments:
            raise Broken("selector")
        if name in INTEGERS:
            return "integer"
        return "list" if name in LISTS else "text" if name == "purpose" else "other"

    def comparison(self, op, kind, operand):
        if kind in ("list", "other") or kind == "text" and op in policy.COMPARISONS or kind == "integer" and op == "like":
            raise Broken("operator")
        if kind == "integer" and (type(operand) is not int or abs(operand) > cbor.SAFE):
            raise Broken("operand")
        if kind == "text" and not isinstance(operand, str):
            raise Broken("operand")
        if op == "like" and (operand[-1:] != "*" or "*" in operand[:-1] or "\\" in operand):
            raise Broken("operand")
        if kind == "text" and len(operand.encode()) > 256:
            raise Broken("size")


def check_policy(command, raw):
    try:
        Policy(command, raw)
    except (TypeError, IndexError) as error:  # no statement at all
        raise Broken("operator") from error


def check_chain(links):
    """P1 of a chain of delegations, root first."""
    for link in links:
        check_policy(link["cmd"] if link["cmd"] in ARGUMENTS else "/", link["pol"])
    if not 1 <= len(links) <= 6 or len({t.cid for t in links}) != len(links):
        raise Broken("links")
    subject = links[0]["iss"]
    if any(t["sub"] != subject for t in links):
        raise Broken("subject")
    for i, t in enumerate(links):
        if i and t["iss"] != links[i - 1]["aud"] or t["aud"] in [u["iss"] for u in links[: i + 1]]:
            raise Broken("links")
    for i, t in enumerate(links):
        command(i, t, links)
        expiry(i, t)


def command(i, t, links):
    if i < 2 and t["cmd"] != "/" or i >= 2 and t["cmd"] not in GRANTABLE:
        raise Broken("command")
    if i > 2 and not tokens.covers(links[2]["cmd"], t["cmd"]):
        raise Broken("command")


def expiry(i, t):
    begin, end = t["nbf"], t["exp"]
    if i == 0 and (end is not None or begin is not None):
        raise Broken("expiry")
    if i > 0 and end is None or i == 1 and (begin is None or not 0 <= end - begin <= 90 * 86400):
        raise Broken("expiry")
