# SPDX-License-Identifier: Apache-2.0
"""Logs of data sets of records, how imports lead to them, and what views are called: records.md, sections 3, 5 and 6; views.md, section 7."""

import datetime
import decimal
import hashlib

import cbor
from cbor import Malformed

VERSION = 1
TOP = 2**48 - 1
MAX_OBJECT = 16 << 20
MAX_ROWS = 131_072
MAX_RUNS = 2_097_152
MAX_TEXT = 4096
MAX_FILES = 4096
HEAD = {"v": int, "next": int, "old": list, "rows": list, "tail": list}
PART = {"v": int, "first": int, "ops": list}
OPERATION = {"k": str, "t": int, "u": int, "f": list, "m": str, "r": str, "n": int, "h": int, "c": int, "x": int, "o": bytes, "p": bytes, "d": bytes}
UNSIGNED = ("v", "next", "first", "u", "n", "h", "c", "x")


class OtherVersion(Exception):
    """A log of a form that is not known; args[0] is the outcome."""


def closed(value, fields, required):
    """Checks a map that has these fields alone, and none that is empty unless it must be there."""
    if not isinstance(value, dict) or any(k not in value for k in required):
        raise Malformed("a map of other fields")
    for name, v in value.items():
        if type(v) is not fields.get(name) or name in UNSIGNED and v < 0:
            raise Malformed("a field")
        if name not in required and not v:
            raise Malformed("an empty field")
    return value


def versioned(data, fields, required):
    if len(data) > MAX_OBJECT:
        raise Malformed("size")
    value = cbor.loads(data)
    if isinstance(value, dict) and type(value.get("v")) is int and value["v"] != VERSION:
        raise OtherVersion("version")
    return closed(value, fields, required)


def varints(data):
    """Unsigned LEB128 numbers of at most 64 bits, each in its shortest form."""
    numbers, number, shift = [], 0, 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        if byte >= 0x80:
            shift += 7
            continue
        if number >= 1 << 64 or shift and not byte:
            raise Malformed("a varint")
        numbers.append(number)
        number = shift = 0
    if data and data[-1] >= 0x80:
        raise Malformed("a varint that does not end")
    return numbers


def groups(data, size):
    numbers = varints(data)
    if len(numbers) % size:
        raise Malformed("half a range")
    return [numbers[i : i + size] for i in range(0, len(numbers), size)]


def ranges(data, limit):
    """Pairs of first and count, ascending, that do not touch, below a number."""
    found, end = [], 0
    for gap, count in groups(data, 2):
        first = end + gap
        if count < 1 or found and gap == 0 or first + count > limit:
            raise Malformed("ranges")
        found.append((first, count))
        end = first + count
    return found


def pairs(data, limit):
    """Runs: superseded, superseding, count."""
    found, old, new = [], 0, 0
    for gap, turned, count in groups(data, 3):
        delta = turned >> 1 if turned % 2 == 0 else -(turned >> 1) - 1
        a, b = old + gap, new + delta
        if count < 1 or b < 0 or max(a, b) + count > limit or found and gap == 0 and delta == 0:
            raise Malformed("pairs")
        found.append((a, b, count))
        old, new = a + count, b + count
    return found


def numbers(runs):
    return {n for first, count in runs for n in range(first, first + count)}


def runs(found):
    """The ranges of a set of numbers."""
    out = []
    for n in sorted(found):
        if out and sum(out[-1]) == n:
            out[-1] = (out[-1][0], out[-1][1] + 1)
        else:
            out.append((n, 1))
    return out


class Operation:
    def __init__(self, stored, before, limit):
        o = closed(stored, OPERATION, ("k", "t"))
        texts = [*o.get("f", []), o.get("m", ""), o.get("r", "")]
        if not all(isinstance(t, str) for t in texts) or any(len(t.encode()) > MAX_TEXT for t in texts) or len(o.get("f", [])) > MAX_FILES:
            raise Malformed("texts of an operation")
        self.kind, self.time, self.undoes = o["k"], o["t"], o.get("u", 0)
        self.counts = tuple(o.get(k, 0) for k in "nhcx")
        if self.kind not in ("import", "edit", "delete", "undo") or before and self.time < before[-1].time:
            raise Malformed("kind or time of an operation")
        if (self.kind == "undo") != (self.undoes > 0) or self.undoes > len(before):
            raise Malformed("what an operation undoes")
        if self.undoes and before[self.undoes - 1].kind == "undo":
            raise Malformed("an undo undone")
        self.covers, self.pairs, self.removes = ranges(o.get("o", b""), limit), pairs(o.get("p", b""), limit), ranges(o.get("d", b""), limit)
        self.runs = len(self.covers) + len(self.pairs) + len(self.removes)

    def superseded(self):
        return numbers(self.removes) | numbers((old, count) for old, _, count in self.pairs)

    def said(self):
        """What an import leads to, to be compared."""
        one_by_one = sorted((old + i, new + i) for old, new, count in self.pairs for i in range(count))
        return self.kind, self.undoes, runs(numbers(self.covers)), one_by_one, runs(numbers(self.removes)), self.counts


class Log:
    """A log that was read from its objects, by path."""

    def __init__(self, objects):
        head = versioned(self.of(objects, "log"), HEAD, ("v", "next"))
        self.next, self.operations, end, total = head["next"], [], 0, 0
        if self.next > TOP:
            raise Malformed("the next number")
        for segment in head.get("rows", []):
            stored, least, most, dated = cbor.array(segment, bytes, int, int, int)
            rows = ranges(stored, self.next)
            count = sum(c for _, c in rows)
            if not 1 <= count <= MAX_ROWS or rows[0][0] < end or not 0 <= dated <= count or least > most:
                raise Malformed("a segment")
            end, total = sum(rows[-1]), total + len(rows)
        last = 0
        for first in head.get("old", []):
            if type(first) is not int or first <= last or first != len(self.operations) + 1:
                raise Malformed("which older objects there are")
            part = versioned(self.of(objects, f"log/{first}"), PART, ("v", "first", "ops"))
            if part["first"] != first or not part["ops"]:
                raise Malformed("an older object")
            self.take(part["ops"])
            last = first
        self.take(head.get("tail", []))
        if total + sum(o.runs for o in self.operations) > MAX_RUNS:
            raise Malformed("too many ranges")

    @staticmethod
    def of(objects, path):
        if path not in objects:
            raise Malformed("an object is missing")
        return objects[path]

    def take(self, stored):
        for o in stored:
            self.operations.append(Operation(o, self.operations, self.next))


def counting(operations):
    """The rows that count after these operations."""
    undone = {o.undoes for o in operations}
    covered, superseded = set(), set()
    for i, o in enumerate(operations):
        if i + 1 not in undone:
            covered |= numbers(o.covers)
            superseded |= o.superseded()
    return covered, superseded


class Done:
    """An operation as it is made, with the names that one that was read has."""

    def __init__(self, kind, undoes=0):
        self.kind, self.undoes, self.counts = kind, undoes, (0, 0, 0, 0)
        self.covers, self.pairs, self.removes = [], [], []

    said, superseded = Operation.said, Operation.superseded


class Story:
    """A data set that is imported into, corrected and undone by the rules of section 6."""

    def __init__(self, schema):
        self.fields = [(name, p["type"], p.get("format")) for name, p in schema["properties"].items()]
        self.keys, self.time = schema["traboule"].get("keys", []), schema["traboule"].get("time")
        self.rows, self.began, self.operations = [], [], []

    def values(self, row):
        return tuple(None if row.get(name) is None else self.value(kind, form, row[name]) for name, kind, form in self.fields)

    def value(self, kind, form, v):
        if form == "date-time":
            return datetime.datetime.fromisoformat(v.replace("Z", "+00:00").replace(".5+", ".500000+"))
        if form == "date":
            return datetime.date.fromisoformat(v)
        if kind == "string":
            return v.encode()
        if kind == "object":
            east = decimal.Decimal(str(v["lon"]))
            return decimal.Decimal(str(v["lat"])), east < 0, east
        return v

    def key(self, values):
        at = {name: v for (name, _, _), v in zip(self.fields, values)}
        for i, names in enumerate(self.keys):
            if all(at[n] is not None for n in names):
                return i, *(at[n] for n in names)
        return None

    def order(self, values):
        at = [name for name, _, _ in self.fields].index(self.time)
        return [(v is not None, v) if v is not None else (False,) for v in (values[at], *values)]

    def identity(self, n):
        return [m for m in range(len(self.rows)) if self.began[m] == self.began[n]]

    def of_key(self, values, known):
        """The rows there before, of identities of the key that values have."""
        key = self.key(values)
        for m in range(known):
            root = self.rows[self.began[m]]
            if self.key(root) == key and (key is not None or root == values):
                yield m

    def step(self, step):
        if "import" in step:
            return self.load([self.values(r) for r in step["import"]])
        if "undo" in step:
            return self.operations.append(Done("undo", step["undo"]))
        if "edit" in step:
            return self.edit(step["edit"]["row"], self.values(step["edit"]["to"]))
        done = Done("delete")
        done.removes = runs({m for n in step["delete"] for m in self.identity(n)})
        self.operations.append(done)

    def edit(self, n, values):
        if values == self.rows[n]:
            return
        done, new = Done("edit"), len(self.rows)
        done.covers, done.counts = [(new, 1)], (0, 0, 1, 0)
        done.pairs = [(m, new, 1) for m in self.identity(n)]
        self.rows.append(values)
        self.began.append(self.began[n])
        self.operations.append(done)

    def load(self, rows):
        """An import of one batch."""
        covered, superseded = counting(self.operations)
        known, met, left, done = len(self.rows), set(), [], Done("import")
        standing = lambda m: 1 if m in superseded else 0 if m in covered else 2
        fresh = here = corrected = 0
        covers = set()
        for values in rows:
            same = [m for m in self.of_key(values, known) if self.rows[m] == values and self.began[m] not in met]
            if not same:
                left.append(values)
                continue
            m = min(same, key=lambda m: (standing(m), m))
            met.add(self.began[m])
            covers.add(m)
            if standing(m) != 2:
                here += 1
                continue
            others = [o for o in self.identity(m) if o != m and o not in superseded]
            done.pairs += [(o, m, 1) for o in others]
            if any(o in covered for o in others):
                corrected += 1
            else:
                fresh += 1
        goes_on = {}
        for i, values in enumerate(left):
            there = [m for m in self.of_key(values, known) if standing(m) == 0 and self.began[m] not in met] if self.key(values) else []
            if there:
                goes_on[i] = min(there)
                met.add(self.began[min(there)])
        for i in sorted(range(len(left)), key=lambda i: self.order(left[i])):
            n = len(self.rows)
            if i in goes_on:
                done.pairs += [(m, n, 1) for m in self.identity(goes_on[i])]
                corrected += 1
            else:
                fresh += 1
            self.rows.append(left[i])
            self.began.append(self.began[goes_on[i]] if i in goes_on else n)
        if not left and covers <= covered:
            return
        done.covers = runs(covers | set(range(known, len(self.rows))))
        done.counts = fresh, here, corrected, 0
        self.operations.append(done)


def view_name(view):
    """What the head of a view is called, by the seven things that make it."""
    fields = ("columns", "rows", "from", "to", "period", "grid", "audience")
    return "rows:" + hashlib.sha256(cbor.dumps({name: view[name] for name in fields})).hexdigest()
