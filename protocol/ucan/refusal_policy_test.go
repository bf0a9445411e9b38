// SPDX-License-Identifier: Apache-2.0

package ucan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/traboule/traboule/protocol/ucan"
)

// policyVectors say what the policy language means where the specification's
// own fixtures are silent. What is not a statement at all is InvalidClaim.
func policyVectors(t *testing.T) []vector {
	var vectors []vector
	for _, c := range slices.Concat(comparisonCases(), selectorCases(), likeCases(), connectiveCases(), shapeCases()) {
		vectors = append(vectors, vector{Name: "policy: " + c.name, Kind: "policy", Want: c.want,
			Policy: b64(encode(t, c.policy)), Args: b64(encode(t, policyArgs))})
	}
	return vectors
}

var policyArgs = val(map[string]any{
	"n": 1, "f": 1.5, "s": "a/b", "null": nil, "yes": true, "list": []any{1, 2, 3}, "none": []any{},
	"bytes": []byte{7, 8, 9}, "map": map[string]any{"a": 1, "b": map[string]any{"c": "deep"}},
	"$_*": "odd key", "rows": []any{map[string]any{"v": 1}, map[string]any{"v": 2}, map[string]any{}},
})

type policyCase struct {
	name   string
	policy ucan.Value
	want   string
}

func one(name, want string, items ...any) policyCase {
	return policyCase{name, stmt(stmt(items...)), want}
}

func comparisonCases() []policyCase {
	return []policyCase{
		one("an integer equals the same float", "ok", "==", ".n", 1.0),
		one("through all depth too", "ok", "==", ".list", []any{1.0, 2, 3.0}),
		one("an integer is not a text", "MatchError", "==", ".n", "1"),
		one("a text is not its bytes", "MatchError", "==", ".s", []byte("a/b")),
		one("null is not false", "MatchError", "==", ".null", false),
		one("true equals true", "ok", "==", ".yes", true),
		one("a map equals itself", "ok", "==", ".map", map[string]any{"b": map[string]any{"c": "deep"}, "a": 1}),
		one("a map with a key less differs", "MatchError", "==", ".map", map[string]any{"a": 1}),
		one("a longer list differs", "MatchError", "==", ".list", []any{1, 2, 3, 4}),
		one("an integer is less than a float above it", "ok", "<", ".n", 1.5),
		one("an integer is not less than itself", "MatchError", "<", ".n", 1),
		one("a float is at least itself", "ok", ">=", ".f", 1.5),
		one("a text is less than nothing", "MatchError", "<", ".s", 5),
		one("a text is more than nothing", "MatchError", ">", ".s", 5),
		one("null is no number", "MatchError", "<=", ".null", 5),
		one("different is different", "ok", "!=", ".n", 2),
		one("the same is not different", "MatchError", "!=", ".n", 1.0),
		one("a large number", "ok", "<", ".n", ucan.MaxInt),
	}
}

func selectorCases() []policyCase {
	return []policyCase{
		one("a missing key gives null", "ok", "==", ".missing", nil),
		one("a missing key is nothing else", "MatchError", "==", ".missing", ""),
		one("a missing key differs from a value", "ok", "!=", ".missing", 1),
		one("below a missing key nothing holds", "MatchError", "==", ".missing.deeper", nil),
		one("below a missing key nothing differs", "MatchError", "!=", ".missing.deeper", 1),
		one("an optional missing key does not equal a value", "MatchError", "==", ".missing?", 1),
		one("an optional missing key is no number", "MatchError", "<", ".missing?", 1),
		one("an optional missing key is like nothing", "MatchError", "like", ".missing?", "*"),
		one("an optional missing key is no collection", "MatchError", "all", ".missing?", stmt("==", ".", 1)),
		one("an optional missing key within and", "MatchError", "and", stmt(stmt("==", ".missing?", 1), stmt("==", ".n", 1))),
		one("an optional missing key within or", "MatchError", "or", stmt(stmt("==", ".missing?", 1))),
		one("an optional missing key within not not", "MatchError", "not", stmt("not", stmt("==", ".missing?", 1))),
		one("an optional place beyond the end gives null", "ok", "==", ".list[99]?", nil),
		one("question marks beyond one change nothing", "ok", "==", ".list[99]???", nil),
		one("a place beyond the end does not hold", "MatchError", "==", ".list[99]", nil),
		one("an early failure is not mended by a later question mark", "MatchError", "==", ".list[99].x?", nil),
		one("an optional step below null gives null", "ok", "==", ".missing.deeper?", nil),
		one("the whole", "ok", "==", ".", policyArgs),
		one("a place", "ok", "==", ".list[1]", 2),
		one("a place from the end", "ok", "==", ".list[-1]", 3),
		one("a place before the start", "MatchError", "==", ".list[-4]", nil),
		one("a slice", "ok", "==", ".list[1:3]", []any{2, 3}),
		one("a slice without an end", "ok", "==", ".list[1:]", []any{2, 3}),
		one("a slice without a start", "ok", "==", ".list[:-1]", []any{1, 2}),
		one("a slice the wrong way round", "ok", "==", ".list[2:1]", []any{}),
		one("a slice beyond the end", "ok", "==", ".list[2:99]", []any{3}),
		one("a slice of a text", "MatchError", "==", ".s[0:1]", "a"),
		one("a byte", "ok", "==", ".bytes[1]", 8),
		one("a slice of bytes", "ok", "==", ".bytes[1:]", []byte{8, 9}),
		one("a quoted key", "ok", "==", `.["$_*"]`, "odd key"),
		one("a quoted key after a name", "ok", "==", `.map["b"].c`, "deep"),
		one("a quoted key with an escape", "ok", "==", `.["\u0024_*"]`, "odd key"),
		one("a key of a list", "MatchError", "==", ".list.a", nil),
		one("a place in a map", "MatchError", "==", ".map[0]", 1),
		one("a map's values", "ok", "==", ".map[]", []any{1, map[string]any{"c": "deep"}}),
		one("a list's values are the list", "ok", "==", ".list[]", []any{1, 2, 3}),
		one("the values of a number", "MatchError", "==", ".n[]", nil),
	}
}

func likeCases() []policyCase {
	return []policyCase{
		one("a star crosses slashes", "ok", "like", ".s", "a*b"),
		one("a star may be nothing", "ok", "like", ".s", "a/b*"),
		one("two stars", "ok", "like", ".s", "*/*"),
		one("only a star", "ok", "like", ".s", "*"),
		one("no star is equality", "MatchError", "like", ".s", "a"),
		one("an escaped star is a star", "MatchError", "like", ".s", `a\*b`),
		one("the ends must not overlap", "MatchError", "like", ".s", "a/*/b"),
		one("a number is like nothing", "MatchError", "like", ".n", "*"),
		one("a place in a text is no text", "MatchError", "like", ".s[0]", "*"),
		one("many stars", "MatchError", "like", ".s", strings.Repeat("a*", 200)+"z"),
	}
}

func connectiveCases() []policyCase {
	yes, no := stmt("==", ".n", 1), stmt("==", ".n", 2)
	return []policyCase{
		{"nothing allows everything", stmt(), "ok"},
		{"every statement must hold", stmt(yes, no), "MatchError"},
		one("and of nothing", "ok", "and", stmt()),
		one("or of nothing", "ok", "or", stmt()),
		one("or of one that holds", "ok", "or", stmt(no, yes)),
		one("or of none that holds", "MatchError", "or", stmt(no, no)),
		one("and of one that does not hold", "MatchError", "and", stmt(yes, no)),
		one("not", "ok", "not", no),
		one("not of what holds", "MatchError", "not", yes),
		one("not of what cannot be followed", "ok", "not", stmt("==", ".missing.deeper", 1)),
		one("all", "ok", "all", ".list", stmt(">", ".", 0)),
		one("all but one", "MatchError", "all", ".rows", stmt(">", ".v", 0)),
		one("all over nothing", "ok", "all", ".none", no),
		one("all over a map's values", "MatchError", "all", ".map", stmt("==", ".", 1)),
		one("all over a number", "MatchError", "all", ".n", yes),
		one("all over bytes", "MatchError", "all", ".bytes", stmt(">", ".", 0)),
		one("any", "ok", "any", ".rows", stmt("==", ".v", 2)),
		one("any of none", "MatchError", "any", ".rows", stmt("==", ".v", 3)),
		one("any over nothing", "MatchError", "any", ".none", yes),
		one("any over a text", "MatchError", "any", ".s", yes),
	}
}

func shapeCases() []policyCase {
	deep := stmt("==", ".n", 1)
	for range 19 {
		deep = stmt("not", deep)
	}
	return []policyCase{
		{"a policy that is a text", val("=="), "InvalidClaim"},
		{"a statement that is a text", stmt("=="), "InvalidClaim"},
		{"an empty statement", stmt(stmt()), "InvalidClaim"},
		{"a statement of an operator alone", stmt(stmt("and")), "InvalidClaim"},
		{"a policy that is one statement", stmt("==", ".n", 1), "InvalidClaim"},
		{"nineteen nots", stmt(deep), "MatchError"},
		one("an unknown operator", "InvalidClaim", "===", ".n", 1),
		one("an operator in capitals", "InvalidClaim", "LIKE", ".s", "a"),
		one("a comparison with a text", "InvalidClaim", "<", ".n", "2"),
		one("a pattern that is a number", "InvalidClaim", "like", ".s", 1),
		one("a selector that is a number", "InvalidClaim", "==", 1, 1),
		one("a selector without its dot", "InvalidClaim", "==", "n", 1),
		one("one item too many", "InvalidClaim", "==", ".n", 1, 1),
		one("one item too few", "InvalidClaim", "==", ".n"),
		one("not of a list", "InvalidClaim", "not", stmt(stmt("==", ".n", 1))),
		one("and of a statement", "InvalidClaim", "and", stmt("==", ".n", 1)),
		one("all of statements", "InvalidClaim", "all", ".list", stmt(stmt("==", ".", 1))),
	}
}
