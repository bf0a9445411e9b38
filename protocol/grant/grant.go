// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/ucan"
)

// Grant is what the owner of a data set agrees to, as link 2 of a chain says
// it. Who issues it is whoever signs it.
type Grant struct {
	Dataset  crypto.DID
	Audience crypto.DID   // the grantee's owner
	Command  ucan.Command // "" stands for /dataset/read

	// The view. A list without texts and a bound without a value bound nothing.
	Paths        []string // of files: whole names, or prefixes that end in "/"; none: the whole data set
	Columns      []string // of records, each with its coarsening: "kwh/sum"
	Rows         []string // conditions on rows that may be asked for; some whenever anything else of records is bounded
	From, To     *int64   // Unix seconds
	Period, Grid int64    // ranks: at least this coarse

	Purpose string    // an IRI, see PurposeIRI; never empty
	Begins  time.Time // zero: at once
	Until   time.Time // the last second it is good for; never zero
	Uses    uint64    // new heads that may be delivered under it; 0: any number

	// What no policy can say. It never decides whether the grant is valid.
	Terms     cid.Cid // of the terms document; cid.Undef for none
	Basis     string  // legal basis
	Retention string  // how long the grantee says it will keep what it gets
}

// Compile turns a grant into the claims of a delegation within the profile. The
// caller adds a nonce and signs ([Issue] does both). The error is a
// *[ProfileError] for what cannot be said.
func Compile(g Grant) (ucan.DelegationClaims, error) {
	g, err := g.canonical()
	if err != nil {
		return ucan.DelegationClaims{}, err
	}
	until := g.Until.Unix()
	claims := ucan.DelegationClaims{
		Audience: g.Audience, Subject: g.Dataset, Command: g.Command,
		Policy: g.policy(), Meta: g.meta(), Expires: &until,
	}
	if !g.Begins.IsZero() {
		begins := g.Begins.Unix()
		claims.NotBefore = &begins
	}
	return claims, checkPolicy(Claims, g.Command, claims.Policy)
}

// canonical checks a grant and spells it as it will be read back.
func (g Grant) canonical() (Grant, error) {
	if g.Command == "" {
		g.Command = CommandRead
	}
	if schema, ok := SchemaOf(g.Command); !ok || !schema.Grantable {
		return g, outside(Claims, RuleCommand, "%s is not granted", g.Command)
	}
	if _, err := crypto.ParseDID(string(g.Dataset)); err != nil {
		return g, outside(Claims, RuleSubject, "data set: %v", err)
	}
	if _, err := crypto.ParseDID(string(g.Audience)); err != nil {
		return g, outside(Claims, RuleLinks, "audience: %v", err)
	}
	paths, err := canonicalPaths(g.Paths)
	if err != nil {
		return g, err
	}
	g.Paths = paths
	if err := g.checkView(); err != nil {
		return g, err
	}
	if err := g.checkTimes(); err != nil {
		return g, err
	}
	return g, checkPurpose(Claims, g.Purpose)
}

// canonicalPaths spells paths in the one way, without repetitions and in the
// order of their bytes. The prefix of everything is no bound: it gives none.
func canonicalPaths(paths []string) ([]string, error) {
	var out []string
	for _, path := range paths {
		canonical, err := CanonicalPath(path)
		if err != nil {
			return nil, outside(Claims, RulePath, "%v", err)
		}
		if canonical == "" {
			return nil, nil
		}
		out = append(out, canonical)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func (g Grant) checkView() error {
	records := len(g.Columns) > 0 || len(g.Rows) > 0 || g.From != nil || g.To != nil || g.Period != 0 || g.Grid != 0
	if records && len(g.Paths) > 0 {
		return outside(Claims, RuleArgument, "paths of files and bounds on records in one grant")
	}
	// Without a bound on conditions whoever may see days could ask which
	// half-hours are above what, and so see half-hours.
	if records && (len(g.Columns) == 0 || len(g.Rows) == 0) {
		return outside(Claims, RuleMeaning, "bounds on records without columns or without conditions; %q stands for all rows", AllRows)
	}
	for _, list := range [][]string{g.Columns, g.Rows} {
		if err := checkTexts(Claims, list); err != nil {
			return err
		}
	}
	if err := checkList(Claims, g.Paths); err != nil {
		return err
	}
	from, to := int64(-ucan.MaxInt), int64(ucan.MaxInt)
	if g.From != nil {
		from = *g.From
	}
	if g.To != nil {
		to = *g.To
	}
	if g.Uses > ucan.MaxInt {
		return outside(Claims, RuleIntervals, "%d uses", g.Uses)
	}
	return checkSpan(Claims, from, to, g.Period, g.Grid)
}

func (g Grant) checkTimes() error {
	if g.Until.IsZero() || g.Until.Unix() <= 0 {
		return outside(Claims, RuleExpiry, "no expiry")
	}
	if !g.Begins.IsZero() && g.Begins.Unix() > g.Until.Unix() {
		return outside(Claims, RuleExpiry, "it ends before it begins")
	}
	for _, s := range []string{g.Basis, g.Retention} {
		if len(s) > MaxText || strings.ContainsFunc(s, unicode.IsControl) {
			return outside(Claims, RuleSize, "legal basis or retention of more than %d bytes, or with a control character", MaxText)
		}
	}
	return nil
}

// policy says the view in statements, in the one order that [Parse] reads.
func (g Grant) policy() ucan.Policy {
	p := ucan.Policy{}
	for _, list := range []struct {
		name  string
		texts []string
	}{{"columns", g.Columns}, {"rows", g.Rows}, {"paths", g.Paths}} {
		if len(list.texts) > 0 {
			p = append(p, oneOf(list.name, list.texts))
		}
	}
	if g.From != nil {
		p = append(p, compare(ucan.OpGreaterOrEqual, "from", ucan.Int(*g.From)))
	}
	if g.To != nil {
		p = append(p, compare(ucan.OpLessOrEqual, "to", ucan.Int(*g.To)))
	}
	if g.Period > 0 {
		p = append(p, compare(ucan.OpGreaterOrEqual, "period", ucan.Int(g.Period)))
	}
	if g.Grid > 0 {
		p = append(p, compare(ucan.OpGreaterOrEqual, "grid", ucan.Int(g.Grid)))
	}
	p = append(p, compare(ucan.OpEqual, "purpose", ucan.String(g.Purpose)))
	if g.Uses > 0 {
		p = append(p, compare(ucan.OpLessOrEqual, "seq", ucan.Int(int64(g.Uses))))
	}
	return p
}

func field(name string) ucan.Selector {
	return ucan.Selector{{Kind: ucan.Field, Name: name}}
}

func compare(op ucan.Op, name string, v ucan.Value) ucan.Statement {
	return ucan.Statement{Op: op, Selector: field(name), Value: v}
}

// oneOf says that each text of the list is one of the texts; a path that is a
// prefix stands for all that begins with it.
func oneOf(name string, texts []string) ucan.Statement {
	alternatives := make([]ucan.Statement, len(texts))
	for i, text := range texts {
		alternatives[i] = ucan.Statement{Op: ucan.OpEqual, Value: ucan.String(text)}
		if name == "paths" && isPrefix(text) {
			alternatives[i] = ucan.Statement{Op: ucan.OpLike, Pattern: text + "*"}
		}
	}
	either := ucan.Statement{Op: ucan.OpOr, Args: alternatives}
	return ucan.Statement{Op: ucan.OpAll, Selector: field(name), Args: []ucan.Statement{either}}
}

// meta repeats the purpose where people and other programs look for it.
func (g Grant) meta() ucan.Map {
	m := map[string]ucan.Value{"purpose": ucan.String(g.Purpose)}
	if g.Terms.Defined() {
		m["terms"] = ucan.Link(g.Terms)
	}
	if g.Basis != "" {
		m["basis"] = ucan.String(g.Basis)
	}
	if g.Retention != "" {
		m["retention"] = ucan.String(g.Retention)
	}
	return ucan.MakeMap(m)
}
