// SPDX-License-Identifier: Apache-2.0

package grant_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
)

// vector is one line of protocol/spec/vectors/profile.json. Its tables here are
// the tests: what they say is judged, and written out for other
// implementations.
type vector struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"`              // path, policy, args, chain
	Command string   `json:"command,omitempty"` // of a policy or arguments
	Bytes   []byte   `json:"bytes,omitempty"`   // a path's bytes; a policy or arguments in DAG-CBOR
	Tokens  [][]byte `json:"tokens,omitempty"`  // of a chain, root first
	Want    string   `json:"want"`              // ok, or the rule it lies outside of
}

const ok = "ok"

func allVectors(t testing.TB) []vector {
	v := pathVectors()
	v = append(v, policyVectors(t)...)
	v = append(v, argsVectors(t)...)
	return append(v, chainVectors(t)...)
}

func pathVectors() (v []vector) {
	for _, c := range pathCases {
		want := ok
		if c.want != c.path {
			want = string(grant.RulePath)
		}
		v = append(v, vector{Name: c.name, Kind: "path", Bytes: []byte(c.path), Want: want})
	}
	return v
}

// policyCases are policies as JSON, of /dataset/read unless they say otherwise.
var policyCases = []struct {
	name, policy string
	want         grant.Rule
}{
	{"nothing", `[]`, ok},
	{"the example of the specification", `[["all",".columns",["or",[["==",".","start"],["==",".","kwh/sum"]]]],
		[">=",".from",1767225600],["<=",".to",1798761600],[">=",".period",3],
		["==",".purpose","https://w3id.org/dpv#OptimisationForConsumer"],["<=",".seq",100]]`, ok},
	{"every comparison of integers", `[["==",".from",1],["<",".from",2],["<=",".from",2],[">",".from",-2],[">=",".from",0]]`, ok},
	{"a prefix", `[["all",".paths",["like",".","photos/*"]]]`, ok},
	{"a prefix of everything", `[["all",".paths",["like",".","*"]]]`, ok},
	{"and, or, all on four levels", `[["or",[["and",[["all",".paths",["==",".","a"]]]]]]]`, ok},
	{"five levels", `[["or",[["and",[["all",".paths",["or",[["==",".","a"]]]]]]]]]`, grant.RuleSize},
	{"128 statements", `[` + repeat(`["==",".from",0]`, 128) + `]`, ok},
	{"129 statements", `[` + repeat(`["==",".from",0]`, 129) + `]`, grant.RuleSize},
	{"129 statements inside", `[["or",[` + repeat(`["==",".from",0]`, 128) + `]]]`, grant.RuleSize},
	{"not", `[["not",["==",".from",0]]]`, grant.RuleOperator},
	{"!=", `[["!=",".from",0]]`, grant.RuleOperator},
	{"any", `[["any",".paths",["==",".","a"]]]`, grant.RuleOperator},
	{"an empty and", `[["and",[]]]`, grant.RuleOperand},
	{"an empty or", `[["or",[]]]`, grant.RuleOperand},
	{"an empty or inside all", `[["all",".paths",["or",[]]]]`, grant.RuleOperand},
	{"all inside all", `[["all",".paths",["all",".",["==",".","a"]]]]`, grant.RuleOperator},
	{"all over a text", `[["all",".purpose",["==",".","a"]]]`, grant.RuleSelector},
	{"an optional selector", `[["==",".from?",0]]`, grant.RuleSelector},
	{"an optional selector on a missing field", `[["==",".missing?",0]]`, grant.RuleSelector},
	{"an optional selector inside all", `[["all",".paths",["==",".?","a"]]]`, grant.RuleSelector},
	{"an unknown selector", `[["==",".rate",0]]`, grant.RuleSelector},
	{"a selector of another command", `[["==",".grant","x"]]`, grant.RuleSelector},
	{"the whole", `[["==",".",0]]`, grant.RuleSelector},
	{"an index", `[["==",".paths[0]","a"]]`, grant.RuleSelector},
	{"a slice", `[["all",".paths[0:1]",["==",".","a"]]]`, grant.RuleSelector},
	{"the values", `[["all",".paths[]",["==",".","a"]]]`, grant.RuleSelector},
	{"two steps", `[["==",".paths.a","a"]]`, grant.RuleSelector},
	{"a field inside all", `[["all",".paths",["==",".from",0]]]`, grant.RuleSelector},
	{"a list compared", `[["==",".paths",["a"]]]`, grant.RuleOperator},
	{"bytes compared", `[["==",".hpke","a"]]`, grant.RuleOperator},
	{"a float", `[["<=",".to",1.5]]`, grant.RuleOperand},
	{"a whole float", `[["<=",".to",{"float":1}]]`, grant.RuleOperand},
	{"null", `[["==",".from",null]]`, grant.RuleOperand},
	{"a truth value", `[["==",".purpose",true]]`, grant.RuleOperand},
	{"a text for an integer", `[["==",".from","0"]]`, grant.RuleOperand},
	{"an integer for a text", `[["==",".purpose",0]]`, grant.RuleOperand},
	{"a text ordered", `[["<",".purpose",1]]`, grant.RuleOperator},
	{"like over an integer", `[["like",".from","*"]]`, grant.RuleOperator},
	{"like without a star", `[["like",".purpose","a"]]`, grant.RuleOperand},
	{"a star in the middle", `[["all",".paths",["like",".","a*b"]]]`, grant.RuleOperand},
	{"a star at the beginning", `[["all",".paths",["like",".","*a"]]]`, grant.RuleOperand},
	{"two stars", `[["all",".paths",["like",".","a**"]]]`, grant.RuleOperand},
	{"many stars", `[["all",".paths",["like",".","` + strings.Repeat("*a", 60) + `"]]]`, grant.RuleOperand},
	{"an escaped star", `[["all",".paths",["like",".","a\\*"]]]`, grant.RuleOperand},
	{"an escaped star and a star", `[["all",".paths",["like",".","a\\**"]]]`, grant.RuleOperand},
	{"a text of 256 bytes", `[["==",".purpose","` + strings.Repeat("a", 256) + `"]]`, ok},
	{"a text of 257 bytes", `[["==",".purpose","` + strings.Repeat("a", 257) + `"]]`, grant.RuleSize},
	{"a pattern of 257 bytes", `[["like",".purpose","` + strings.Repeat("a", 256) + `*"]]`, grant.RuleSize},
	{"uses bounded by <", `[["<",".seq",3]]`, grant.RuleOperator},
	{"uses bounded inside or", `[["or",[["<=",".seq",3]]]]`, grant.RuleOperator},
	{"uses bounded inside and", `[["and",[["<=",".seq",3]]]]`, grant.RuleOperator},
}

func repeat(s string, n int) string {
	return strings.TrimSuffix(strings.Repeat(s+",", n), ",")
}

func policyVectors(t testing.TB) (v []vector) {
	for _, c := range policyCases {
		v = append(v, vector{
			Name: c.name, Kind: "policy", Command: string(grant.CommandRead),
			Bytes: must[[]byte](t)(ucan.EncodeValue(fromJSON(t, c.policy))), Want: string(c.want),
		})
	}
	return v
}

// fromJSON reads a value; {"float": n} is a float that counts a whole number.
func fromJSON(t testing.TB, s string) ucan.Value {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return toValue(v)
}

func toValue(v any) ucan.Value {
	switch v := v.(type) {
	case bool:
		return ucan.Bool(v)
	case string:
		return ucan.String(v)
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return ucan.Int(i)
		}
		f, _ := v.Float64()
		return ucan.Float(f)
	case []any:
		items := make([]ucan.Value, len(v))
		for i := range v {
			items[i] = toValue(v[i])
		}
		return ucan.List(items...)
	case map[string]any:
		f, _ := v["float"].(json.Number).Float64()
		return ucan.Float(f)
	}
	return ucan.Null()
}

func argsVectors(t testing.TB) (v []vector) {
	add := func(name string, command ucan.Command, m ucan.Map, want grant.Rule) {
		v = append(v, vector{
			Name: name, Kind: "args", Command: string(command),
			Bytes: must[[]byte](t)(ucan.EncodeValue(m.Value())), Want: string(want),
		})
	}
	add("files", grant.CommandRead, readArgs().ToMap(), ok)
	add("records", grant.CommandSubscribe, recordArgs().ToMap(), ok)
	for _, c := range badArgs {
		a := readArgs()
		if c.records {
			a = recordArgs()
		}
		c.bend(&a)
		add(c.name, grant.CommandRead, a.ToMap(), c.want)
	}
	whole := readArgs().ToMap()
	for i, e := range whole {
		without := append(append(ucan.Map{}, whole[:i]...), whole[i+1:]...)
		add("without "+e.Key, grant.CommandRead, without, grant.RuleArgument)
		mistyped := append(ucan.Map{}, whole...)
		mistyped[i].Value = ucan.Null()
		add(e.Key+" null", grant.CommandRead, mistyped, grant.RuleArgument)
		mistyped = append(ucan.Map{}, whole...)
		mistyped[i].Value = ucan.Float(1)
		add(e.Key+" a float", grant.CommandRead, mistyped, grant.RuleArgument)
	}
	more := must[ucan.Map](t)(ucan.NewMap(append(append(ucan.Map{}, whole...), ucan.Entry{Key: "rate", Value: ucan.Int(1)})...))
	add("an unknown argument", grant.CommandRead, more, grant.RuleArgument)
	numbers := append(ucan.Map{}, whole...)
	for i := range numbers {
		if numbers[i].Key == "paths" {
			numbers[i].Value = ucan.List(ucan.Int(1))
		}
	}
	add("a path that is a number", grant.CommandRead, numbers, grant.RuleArgument)
	purpose := ucan.MakeMap(map[string]ucan.Value{"purpose": ucan.String("urn:x:y")})
	add("list", grant.CommandList, purpose, ok)
	add("list without purpose", grant.CommandList, nil, grant.RuleArgument)
	add("a command of later", "/dataset/compute", purpose, grant.RuleCommand)
	add("a command below", "/dataset/list/all", purpose, grant.RuleCommand)
	return v
}

var badArgs = []struct {
	name    string
	records bool
	bend    func(*grant.ReadArgs)
	want    grant.Rule
}{
	{"all files", false, func(a *grant.ReadArgs) { a.Paths = []string{""} }, ok},
	{"nothing asked for", false, func(a *grant.ReadArgs) { a.Paths = nil }, grant.RuleArgument},
	{"files and records", false, func(a *grant.ReadArgs) { a.Columns = []string{"kwh"} }, grant.RuleArgument},
	{"rows of files", false, func(a *grant.ReadArgs) { a.Rows = []string{"x"} }, grant.RuleArgument},
	{"a period of files", false, func(a *grant.ReadArgs) { a.Period = 1 }, grant.RuleArgument},
	{"a time span of files", false, func(a *grant.ReadArgs) { a.To = 1 }, grant.RuleArgument},
	{"records without rows", true, func(a *grant.ReadArgs) { a.Rows = nil }, grant.RuleArgument},
	{"a column twice", true, func(a *grant.ReadArgs) { a.Columns = []string{"kwh", "kwh"} }, grant.RuleArgument},
	{"an empty column", true, func(a *grant.ReadArgs) { a.Columns = []string{""} }, grant.RuleArgument},
	{"a column with a control", true, func(a *grant.ReadArgs) { a.Columns = []string{"kwh\x00"} }, grant.RuleArgument},
	{"a column in normal form D", true, func(a *grant.ReadArgs) { a.Columns = []string{"e\u0301"} }, grant.RuleArgument},
	{"129 columns", true, func(a *grant.ReadArgs) { a.Columns = numbered(129) }, grant.RuleSize},
	{"from after to", true, func(a *grant.ReadArgs) { a.From = a.To + 1 }, grant.RuleIntervals},
	{"a negative period", true, func(a *grant.ReadArgs) { a.Period = -1 }, grant.RuleIntervals},
	{"a period beyond years", true, func(a *grant.ReadArgs) { a.Period = 6 }, grant.RuleIntervals},
	{"a grid beyond 10 km", true, func(a *grant.ReadArgs) { a.Grid = 4 }, grant.RuleIntervals},
	{"a negative seq", false, func(a *grant.ReadArgs) { a.Seq = -1 }, grant.RuleIntervals},
	{"a short receive key", false, func(a *grant.ReadArgs) { a.HPKE = a.HPKE[1:] }, grant.RuleHPKE},
	{"no receive key", false, func(a *grant.ReadArgs) { a.HPKE = nil }, grant.RuleHPKE},
	{"no purpose", false, func(a *grant.ReadArgs) { a.Purpose = "" }, grant.RuleArgument},
	{"a purpose that is no IRI", false, func(a *grant.ReadArgs) { a.Purpose = "family" }, grant.RuleArgument},
	{"a path twice", false, func(a *grant.ReadArgs) { a.Paths = []string{"a/", "a/"} }, grant.RuleArgument},
	{"a path above", false, func(a *grant.ReadArgs) { a.Paths = []string{"photos/../taxes/"} }, grant.RulePath},
	{"an absolute path", false, func(a *grant.ReadArgs) { a.Paths = []string{"/"} }, grant.RulePath},
	{"a path in normal form D", false, func(a *grant.ReadArgs) { a.Paths = []string{"photos/e\u0301"} }, grant.RulePath},
	{"an escaped path", false, func(a *grant.ReadArgs) { a.Paths = []string{"photos/%2e%2e/"} }, grant.RulePath},
}

// chainVectors are whole chains; bent ones are signed anew by whoever signed
// the link that was bent, so that nothing but the profile can refuse them.
func chainVectors(t testing.TB) (v []vector) {
	c := newCast(t)
	for n := 1; n <= grant.MaxLinks; n++ {
		v = append(v, vector{Name: fmt.Sprintf("%d links", n), Kind: "chain", Tokens: c.chain(c.grant(), n).Tokens(), Want: ok})
	}
	records := c.grant()
	records.Paths, records.Columns, records.Rows = nil, []string{"start", "kwh/sum"}, []string{grant.AllRows}
	v = append(v, vector{Name: "records", Kind: "chain", Tokens: c.chain(records, 4).Tokens(), Want: ok})
	for _, b := range c.bentLinks() {
		chain := c.chain(c.grant(), 6)
		cl := claims(chain[b.link])
		b.bend(&cl)
		signer := b.signer
		if signer == nil {
			signer = c.signers()[b.link]
		}
		chain[b.link] = must[*ucan.Delegation](t)(ucan.Delegate(signer, cl))
		v = append(v, vector{Name: b.name, Kind: "chain", Tokens: chain.Tokens(), Want: string(b.want)})
	}
	six := c.chain(c.grant(), 6)
	seventh := claims(six[5])
	seventh.Audience = c.mallory.DID()
	seven := append(six, must[*ucan.Delegation](t)(ucan.Delegate(c.workerNode, seventh)))
	quoted := c.chain(c.grant(), 4)
	return append(v,
		vector{Name: "7 links", Kind: "chain", Tokens: seven.Tokens(), Want: string(grant.RuleLinks)},
		vector{Name: "no link", Kind: "chain", Want: string(grant.RuleLinks)},
		vector{Name: "a link missing", Kind: "chain", Tokens: append(six[:2:2], six[3:]...).Tokens(), Want: string(grant.RuleLinks)},
		vector{Name: "a link twice", Kind: "chain", Tokens: append(six[:3:3], six[2], six[3]).Tokens(), Want: string(grant.RuleLinks)},
		vector{Name: "upside down", Kind: "chain", Tokens: grant.Chain{six[1], six[0]}.Tokens(), Want: string(grant.RuleSubject)},
		vector{Name: "a quoted selector", Kind: "chain", Tokens: c.quoteSelector(quoted), Want: string(grant.RuleSelector)},
	)
}

// quoteSelector spells the last link's policy with [".purpose"] in brackets.
func (c *cast) quoteSelector(chain grant.Chain) [][]byte {
	last := chain[len(chain)-1]
	policy := fromJSON(c.t, `[["==",".[\"purpose\"]","urn:x:y"]]`)
	fields := map[string]ucan.Value{
		"iss": ucan.String(string(last.Issuer)), "aud": ucan.String(string(last.Audience)),
		"sub": ucan.String(string(last.Subject)), "cmd": ucan.String(string(last.Command)),
		"pol": policy, "nonce": ucan.Bytes(last.Nonce), "exp": ucan.Int(*last.Expires),
	}
	tokens := chain.Tokens()
	tokens[len(tokens)-1] = c.sealDelegation(c.signers()[len(chain)-1], ucan.MakeMap(fields))
	return tokens
}

// sealDelegation signs claims as they are, whatever they say.
func (c *cast) sealDelegation(s crypto.Signer, fields ucan.Map) []byte {
	header := ucan.Bytes([]byte("\x34\x01\xed\x01\xed\x01\x13\x71"))
	payload := ucan.MakeMap(map[string]ucan.Value{"h": header, "ucan/dlg@1.0.0": fields.Value()}).Value()
	signed := must[[]byte](c.t)(ucan.EncodeValue(payload))
	sig := must[[]byte](c.t)(s.Sign(signed))
	return must[[]byte](c.t)(ucan.EncodeValue(ucan.List(ucan.Bytes(sig), payload)))
}

func (c *cast) signers() []crypto.Signer {
	return []crypto.Signer{c.dataset, c.owner, c.node, c.granteeOwner, c.granteeNode, c.workerOwner}
}

type bentLink struct {
	name   string
	link   int
	signer crypto.Signer // nil: whoever signs there
	bend   func(*ucan.DelegationClaims)
	want   grant.Rule
}

func (c *cast) bentLinks() []bentLink {
	expires := start.Add(time.Hour).Unix()
	longer := start.Add(grant.NodeLinkLife + time.Second).Unix()
	policy := func(s string) func(*ucan.DelegationClaims) {
		return func(cl *ucan.DelegationClaims) {
			cl.Policy = must[ucan.Policy](c.t)(ucan.ParsePolicy(fromJSON(c.t, s)))
		}
	}
	command := func(cmd ucan.Command) func(*ucan.DelegationClaims) {
		return func(cl *ucan.DelegationClaims) { cl.Command = cmd }
	}
	powerline := func(cl *ucan.DelegationClaims) { cl.Subject = "" }
	endless := func(cl *ucan.DelegationClaims) { cl.Expires = nil }
	return []bentLink{
		{"a birth that ends", 0, nil, func(cl *ucan.DelegationClaims) { cl.Expires = &expires }, grant.RuleExpiry},
		{"a birth that begins", 0, nil, func(cl *ucan.DelegationClaims) { cl.NotBefore = &expires }, grant.RuleExpiry},
		{"a birth for less", 0, nil, command(grant.CommandRead), grant.RuleCommand},
		{"a birth by the owner", 0, c.owner, func(*ucan.DelegationClaims) {}, grant.RuleSubject},
		{"a powerline at the root", 0, nil, powerline, grant.RuleSubject},
		{"a node link without end", 1, nil, endless, grant.RuleExpiry},
		{"a node link without beginning", 1, nil, func(cl *ucan.DelegationClaims) { cl.NotBefore = nil }, grant.RuleExpiry},
		{"a node link of more than 90 days", 1, nil, func(cl *ucan.DelegationClaims) { cl.Expires = &longer }, grant.RuleExpiry},
		{"a node link for less", 1, nil, command("/dataset"), grant.RuleCommand},
		{"a powerline to the node", 1, nil, powerline, grant.RuleSubject},
		{"a grant without end", 2, nil, endless, grant.RuleExpiry},
		{"a grant of everything", 2, nil, command("/"), grant.RuleCommand},
		{"a grant of all of the data set", 2, nil, command("/dataset"), grant.RuleCommand},
		{"a grant of a command of later", 2, nil, command("/dataset/compute"), grant.RuleCommand},
		{"a grant by a stranger", 2, c.mallory, func(*ucan.DelegationClaims) {}, grant.RuleLinks},
		{"a grant on another subject", 2, nil, func(cl *ucan.DelegationClaims) { cl.Subject = c.mallory.DID() }, grant.RuleSubject},
		{"a powerline to the grantee", 2, nil, powerline, grant.RuleSubject},
		{"a device link without end", 3, nil, endless, grant.RuleExpiry},
		{"a device link for another command", 3, nil, command(grant.CommandList), grant.RuleCommand},
		{"a device link for a command above", 3, nil, command("/dataset"), grant.RuleCommand},
		{"a device link of a command with the same beginning", 3, nil, command("/dataset/readall"), grant.RuleCommand},
		{"a powerline to the device", 3, nil, powerline, grant.RuleSubject},
		{"a narrower device link", 3, nil, policy(`[["all",".paths",["like",".","photos/lyon/*"]]]`), ok},
		{"a device link with not", 3, nil, policy(`[["not",["==",".from",0]]]`), grant.RuleOperator},
		{"a circle to the owner", 5, nil, func(cl *ucan.DelegationClaims) { cl.Audience = c.owner.DID() }, grant.RuleLinks},
		{"a circle to itself", 5, nil, func(cl *ucan.DelegationClaims) { cl.Audience = c.workerOwner.DID() }, grant.RuleLinks},
		{"a worker's link with an optional selector", 5, nil, policy(`[["==",".missing?",null]]`), grant.RuleSelector},
	}
}
