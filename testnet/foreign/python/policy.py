# SPDX-License-Identifier: Apache-2.0
"""Policies: tokens.md, section 7."""

import json
import re

STEPS = 2**20
COMPARISONS = {"<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}


class NoPolicy(Exception):
    """Something that is not one of the statements."""


class GivenUp(Exception):
    """More steps than an evaluation may take."""


class Failed(Exception):
    """A selector that cannot be followed."""


def number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def place(text):
    if not re.fullmatch("0|-?[1-9][0-9]*", text) or abs(int(text)) > 32768:
        raise NoPolicy("a place")
    return int(text)


def text_key(text, at):
    """A key in brackets as a JSON text, and where it ends."""
    try:
        key, end = json.JSONDecoder().raw_decode(text, at)
        key.encode("utf-8")
    except (ValueError, UnicodeEncodeError, AttributeError) as error:
        raise NoPolicy("a key") from error
    return key, end


def bracket(text, at):
    """One segment in brackets from its [, and where it ends."""
    if text.startswith('["', at):
        key, end = text_key(text, at + 1)
        if text[end : end + 1] != "]":
            raise NoPolicy("a bracket")
        return ("key", key), end + 1
    end = text.find("]", at)
    if end < 0:
        raise NoPolicy("a bracket")
    inside = text[at + 1 : end]
    if inside == "":
        return ("values",), end + 1
    if ":" not in inside:
        return ("item", place(inside)), end + 1
    low, _, high = inside.partition(":")
    if low == high == "":
        raise NoPolicy("a run of nothing")
    return ("run", place(low) if low else None, place(high) if high else None), end + 1


def parse_selector(text):
    """The segments of a selector, each with whether a ? follows it."""
    if not isinstance(text, str) or text[:1] != ".":
        raise NoPolicy("a selector")
    segments, at = [], 0
    if text == ".":
        return segments
    while at < len(text):
        if text[at] == ".":
            name = re.compile("[A-Za-z_][A-Za-z0-9_]*").match(text, at + 1)
            if name:
                segment, at = ("key", name.group()), name.end()
            elif at == 0 and text[1:2] == "[":
                segment, at = bracket(text, 1)
            else:
                raise NoPolicy("a segment")
        elif text[at] == "[" and at > 0:
            segment, at = bracket(text, at)
        else:
            raise NoPolicy("a segment")
        end = at
        while text[at : at + 1] == "?":
            at += 1
        segments.append((segment, at > end))
    return segments


def parse(policy):
    """Checks a policy, down to the last inner statement."""
    if not isinstance(policy, list):
        raise NoPolicy("no list")
    return [statement(s) for s in policy]


def statement(s):
    if not isinstance(s, list) or not s or not isinstance(s[0], str):
        raise NoPolicy("no statement")
    op, rest = s[0], s[1:]
    if op in ("and", "or") and len(rest) == 1:
        return (op, parse(rest[0]))
    if op == "not" and len(rest) == 1:
        return (op, statement(rest[0]))
    if len(rest) != 2:
        raise NoPolicy("no statement")
    selector = parse_selector(rest[0])
    if op in ("all", "any"):
        return (op, selector, statement(rest[1]))
    if op in ("==", "!=") or op in COMPARISONS and number(rest[1]) or op == "like" and isinstance(rest[1], str):
        return (op, selector, rest[1])
    raise NoPolicy("no statement")


class Evaluation:
    """One evaluation, which counts its steps."""

    def __init__(self):
        self.steps = 0

    def step(self, n=1):
        self.steps += n
        if self.steps > STEPS:
            raise GivenUp

    def select(self, segments, value):
        for segment, optional in segments:
            self.step()
            try:
                value = self.follow(segment, value)
            except Failed:
                if not optional:
                    raise
                value = None
        return value

    def follow(self, segment, value):
        kind = segment[0]
        if kind == "key" and isinstance(value, dict):
            return value.get(segment[1])
        if kind == "values" and isinstance(value, dict):
            self.step(len(value))
            return list(value.values())
        if kind == "values" and isinstance(value, list):
            return value
        if kind == "item" and type(value) in (list, bytes) and -len(value) <= segment[1] < len(value):
            return value[segment[1]]
        if kind == "run" and type(value) in (list, bytes):
            self.step(len(value) if isinstance(value, list) else 0)
            return value[segment[1] : segment[2]]
        raise Failed

    def equal(self, a, b):
        self.step()
        if number(a) and number(b):
            return a == b
        if type(a) is not type(b):
            return False
        if isinstance(a, list):
            return len(a) == len(b) and all(self.equal(x, y) for x, y in zip(a, b))
        if isinstance(a, dict):
            return a.keys() == b.keys() and all(self.equal(a[k], b[k]) for k in a)
        return a == b

    def like(self, text, pattern):
        self.step(len(text.encode()) + len(pattern.encode()))
        runs, run, i = [], "", 0
        while i < len(pattern):
            if pattern[i] == "*":
                runs.append(run)
                run = ""
            elif pattern[i : i + 2] in ("\\*", "\\\\"):
                i += 1
                run += pattern[i]
            else:
                run += pattern[i]
            i += 1
        if not runs:
            return text == run
        if not text.startswith(runs[0]) or len(text) < len(runs[0]) + len(run) or not text.endswith(run):
            return False
        at, end = len(runs[0]), len(text) - len(run)
        for middle in runs[1:]:
            found = text.find(middle, at, end)
            if found < 0:
                return False
            at = found + len(middle)
        return True

    def holds(self, s, args):
        self.step()
        op = s[0]
        if op == "and":
            return all(self.holds(x, args) for x in s[1])
        if op == "or":
            return not s[1] or any(self.holds(x, args) for x in s[1])
        if op == "not":
            return not self.holds(s[1], args)
        try:
            value = self.select(s[1], args)
        except Failed:
            return False
        return self.compare(op, value, s[2])

    def compare(self, op, value, operand):
        if op in ("all", "any"):
            if not isinstance(value, (list, dict)):
                return False
            items = value if isinstance(value, list) else value.values()
            return (all if op == "all" else any)(self.holds(operand, item) for item in items)
        if op in ("==", "!="):
            return self.equal(value, operand) == (op == "==")
        if op == "like":
            return isinstance(value, str) and self.like(value, operand)
        self.step()
        return number(value) and COMPARISONS[op](value, operand)


def holds(policies, args):
    """Whether every statement of a checked policy holds for args."""
    evaluation = Evaluation()
    try:
        return all(evaluation.holds(s, args) for s in policies)
    except GivenUp:
        return False
