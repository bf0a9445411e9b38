// SPDX-License-Identifier: Apache-2.0

package grant_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/go-cid"
	"pgregory.net/rapid"

	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
)

var sameCID = cmp.Comparer(func(a, b cid.Cid) bool { return a.Equals(b) })

func at(n int64) *int64 { return &n }

func TestGrantIsReadBack(t *testing.T) {
	c := newCast(t)
	terms := cid.MustParse("bafyreib4pff766vhpbxbhjbqqnsh5emeznvujayjj4z2iu533cprgbz23m")
	files := c.grant()
	files.Command, files.Uses, files.Terms = grant.CommandRead, 100, terms
	files.Begins, files.Basis, files.Retention = start, "consent", "P1Y"
	whole := c.grant()
	whole.Command, whole.Paths = grant.CommandSubscribe, nil
	records := grant.Grant{
		Dataset: c.dataset.DID(), Audience: c.granteeOwner.DID(), Command: grant.CommandRead,
		Columns: []string{"start", "kwh/sum"}, Rows: []string{grant.AllRows}, From: at(0), To: at(1798761600),
		Period: 3, Grid: 2, Purpose: grant.Purposes["optimisation"], Until: start,
	}
	list := grant.Grant{
		Dataset: c.dataset.DID(), Audience: c.granteeOwner.DID(), Command: grant.CommandList,
		Purpose: "urn:example:x", Until: start,
	}
	for name, g := range map[string]grant.Grant{"files": files, "whole": whole, "records": records, "list": list} {
		d, err := grant.Issue(c.node, g, nonce(name))
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := grant.Parse(d)
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(g, got, sameCID); diff != "" {
			t.Errorf("%s: granted and read back differ (-granted +read):\n%s", name, diff)
		}
	}
}

func TestGrantSpellsPathsInOneWay(t *testing.T) {
	c := newCast(t)
	g := c.grant()
	g.Paths = []string{"z.txt", "e\u0301t\u00e9/", "a/", "z.txt"}
	got, err := grant.Parse(must[*ucan.Delegation](t)(grant.Issue(c.node, g, nonce("x"))))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a/", "z.txt", "\u00e9t\u00e9/"}, got.Paths); diff != "" {
		t.Error(diff)
	}
	g.Paths = []string{"a/", ""}
	got, err = grant.Parse(must[*ucan.Delegation](t)(grant.Issue(c.node, g, nonce("x"))))
	if err != nil || got.Paths != nil {
		t.Errorf("the prefix of everything is read back as %q (%v)", got.Paths, err)
	}
}

func TestCompileRefuses(t *testing.T) {
	c := newCast(t)
	for name, bend := range map[string]func(*grant.Grant){
		"no data set":              func(g *grant.Grant) { g.Dataset = "" },
		"no audience":              func(g *grant.Grant) { g.Audience = "" },
		"no purpose":               func(g *grant.Grant) { g.Purpose = "" },
		"a purpose that is a word": func(g *grant.Grant) { g.Purpose = "family" },
		"a purpose with a space":   func(g *grant.Grant) { g.Purpose = "urn:a b" },
		"no expiry":                func(g *grant.Grant) { g.Until = time.Time{} },
		"ends before it begins":    func(g *grant.Grant) { g.Begins = g.Until.Add(time.Second) },
		"everything":               func(g *grant.Grant) { g.Command = "/" },
		"all of a data set":        func(g *grant.Grant) { g.Command = "/dataset" },
		"the chain":                func(g *grant.Grant) { g.Command = grant.CommandChain },
		"a command of later":       func(g *grant.Grant) { g.Command = "/dataset/compute" },
		"a path above":             func(g *grant.Grant) { g.Paths = []string{"../"} },
		"too many paths":           func(g *grant.Grant) { g.Paths = numbered(126) },
		"paths and columns":        func(g *grant.Grant) { g.Columns = []string{"kwh"} },
		"a column twice":           func(g *grant.Grant) { records(g); g.Columns = []string{"kwh", "kwh"} },
		"a period beyond":          func(g *grant.Grant) { records(g); g.Period = 6 },
		"a grid beyond":            func(g *grant.Grant) { records(g); g.Grid = 4 },
		"from after to":            func(g *grant.Grant) { records(g); g.From, g.To = at(2), at(1) },
		"a time beyond":            func(g *grant.Grant) { records(g); g.To = at(1 << 53) },
		"columns of any rows":      func(g *grant.Grant) { records(g); g.Rows = nil },
		"rows of any columns":      func(g *grant.Grant) { records(g); g.Columns = nil },
		"days of anything":         func(g *grant.Grant) { records(g); g.Columns, g.Rows, g.Period = nil, nil, 3 },
		"a year of anything":       func(g *grant.Grant) { records(g); g.Columns, g.Rows, g.From = nil, nil, at(0) },
		"cells of anything":        func(g *grant.Grant) { records(g); g.Columns, g.Rows, g.Grid = nil, nil, 2 },
		"uses beyond":              func(g *grant.Grant) { g.Uses = 1 << 53 },
		"a long basis":             func(g *grant.Grant) { g.Basis = strings.Repeat("x", grant.MaxText+1) },
		"paths in a list":          func(g *grant.Grant) { g.Command = grant.CommandList },
	} {
		g := c.grant()
		bend(&g)
		if _, err := grant.Compile(g); err == nil {
			t.Errorf("%s: compiled", name)
		} else if _, ok := err.(*grant.ProfileError); !ok {
			t.Errorf("%s: %v is no ProfileError", name, err)
		}
	}
}

// records makes a grant one on records.
func records(g *grant.Grant) {
	g.Paths, g.Columns, g.Rows = nil, []string{"start", "kwh/sum"}, []string{grant.AllRows}
}

func numbered(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = "f" + strings.Repeat("x", i)
	}
	return list
}

// What is allowed by the compiled policy is what Inside allows: the preview and
// the gate agree.
func TestPolicyAndInsideAgree(t *testing.T) {
	c := newCast(t)
	rapid.Check(t, func(r *rapid.T) {
		path := rapid.Custom(func(r *rapid.T) string {
			segments := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "a*", "é", "ab"}), 1, 3).Draw(r, "segments")
			return strings.Join(segments, "/") + rapid.SampledFrom([]string{"", "/"}).Draw(r, "end")
		}).Filter(func(s string) bool { _, err := grant.CanonicalPath(s); return err == nil })
		g := c.grant()
		g.Paths = rapid.SliceOfN(path, 1, 4).Draw(r, "allowed")
		args := readArgs()
		args.Paths = []string{path.Draw(r, "asked")}
		claims, err := grant.Compile(g)
		if err != nil {
			r.Fatal(err)
		}
		allowed := claims.Policy.Match(args.ToMap().Value()) == nil
		if inside := grant.Inside(args.Paths[0], g.Paths); allowed != inside {
			r.Errorf("%q under %q: the policy says %v, Inside says %v", args.Paths, g.Paths, allowed, inside)
		}
	})
}

// Any statement more, less, or in another order is no grant, though it may be
// well within the profile.
func TestParseRefusesWhatNoGrantSays(t *testing.T) {
	c := newCast(t)
	leaf := c.chain(c.grant(), 3)[2]
	extra := ucan.Statement{Op: ucan.OpEqual, Selector: selector("period"), Value: ucan.Int(0)}
	days := ucan.Statement{Op: ucan.OpGreaterOrEqual, Selector: selector("period"), Value: ucan.Int(3)}
	for name, bend := range map[string]func(ucan.Policy) ucan.Policy{
		"a statement more":  func(p ucan.Policy) ucan.Policy { return append(p, extra) },
		"no purpose":        func(p ucan.Policy) ucan.Policy { return p[:len(p)-1] },
		"another order":     func(p ucan.Policy) ucan.Policy { return ucan.Policy{p[1], p[0]} },
		"a statement twice": func(p ucan.Policy) ucan.Policy { return append(p, p[0]) },
		"inside an and":     func(p ucan.Policy) ucan.Policy { return ucan.Policy{{Op: ucan.OpAnd, Args: p}} },
		"nothing":           func(ucan.Policy) ucan.Policy { return ucan.Policy{} },
		"days of anything":  func(p ucan.Policy) ucan.Policy { return ucan.Policy{days, p[len(p)-1]} },
	} {
		cl := claims(leaf)
		cl.Policy = bend(append(ucan.Policy{}, leaf.Policy...))
		d := must[*ucan.Delegation](t)(ucan.Delegate(c.node, cl))
		if _, err := grant.Parse(d); err == nil {
			t.Errorf("%s: read as a grant", name)
		}
	}
}

func TestMetaDecidesNothing(t *testing.T) {
	c := newCast(t)
	cl := claims(c.chain(c.grant(), 3)[2])
	cl.Meta = ucan.MakeMap(map[string]ucan.Value{
		"purpose": ucan.Int(1), "terms": ucan.String("x"), "basis": ucan.String("a\nb"), "unknown": ucan.Null(),
	})
	g, err := grant.Parse(must[*ucan.Delegation](t)(ucan.Delegate(c.node, cl)))
	if err != nil || g.Terms.Defined() || g.Basis != "" || g.Purpose != c.grant().Purpose {
		t.Errorf("strange meta: %+v, %v", g, err)
	}
}

func TestPurposes(t *testing.T) {
	for word, iri := range grant.Purposes {
		if got, err := grant.PurposeIRI(word); err != nil || got != iri || grant.PurposeWord(iri) != word {
			t.Errorf("%s: %q, %v, and back %q", word, got, err, grant.PurposeWord(iri))
		}
	}
	for _, bad := range []string{"", "nonsense", ":x", "a:", "urn:a\nb", "Urn:x", "urn:é", "urn:" + strings.Repeat("x", 256)} {
		if got, err := grant.PurposeIRI(bad); err == nil {
			t.Errorf("purpose %q is taken for %q", bad, got)
		}
	}
}

func selector(name string) ucan.Selector {
	return ucan.Selector{{Kind: ucan.Field, Name: name}}
}

// A link passed on ends no later than the one above, and at once goes no
// further than a chain may.
func TestPassOn(t *testing.T) {
	c := newCast(t)
	chain := c.chain(c.grant(), 3)
	later := must[*ucan.Delegation](t)(grant.PassOn(c.granteeOwner, chain, c.granteeNode.DID(), start.Add(1000*24*time.Hour), nil, nonce("later")))
	if *later.Expires != *chain[2].Expires {
		t.Errorf("it ends at %d, the grant at %d", *later.Expires, *chain[2].Expires)
	}
	sooner := must[*ucan.Delegation](t)(grant.PassOn(c.granteeOwner, chain, c.granteeNode.DID(), start.Add(time.Hour), nil, nonce("sooner")))
	if want := start.Add(time.Hour).Unix(); *sooner.Expires != want {
		t.Errorf("it ends at %d, want %d", *sooner.Expires, want)
	}
	not := ucan.Policy{{Op: ucan.OpNot, Args: []ucan.Statement{{Op: ucan.OpEqual, Selector: selector("from"), Value: ucan.Int(0)}}}}
	for name, try := range map[string]func() (*ucan.Delegation, error){
		"by a stranger": func() (*ucan.Delegation, error) {
			return grant.PassOn(c.mallory, chain, c.granteeNode.DID(), start, nil, nonce("x"))
		},
		"in a circle": func() (*ucan.Delegation, error) {
			return grant.PassOn(c.granteeOwner, chain, c.node.DID(), start, nil, nonce("x"))
		},
		"outside the profile": func() (*ucan.Delegation, error) {
			return grant.PassOn(c.granteeOwner, chain, c.granteeNode.DID(), start, not, nonce("x"))
		},
		"before there is a grant": func() (*ucan.Delegation, error) {
			return grant.PassOn(c.node, chain[:2], c.granteeOwner.DID(), start, nil, nonce("x"))
		},
		"a seventh time": func() (*ucan.Delegation, error) {
			return grant.PassOn(c.workerNode, c.chain(c.grant(), 6), c.mallory.DID(), start, nil, nonce("x"))
		},
	} {
		if _, err := try(); err == nil {
			t.Errorf("passed on %s", name)
		}
	}
}

func TestAsk(t *testing.T) {
	c := newCast(t)
	chain := c.chain(c.grant(), 4)
	inv, err := grant.Ask(c.granteeNode, chain, c.node.DID(), grant.CommandRead, readArgs().ToMap(), start, nonce("ask"))
	if err != nil {
		t.Fatal(err)
	}
	known := func(id cid.Cid) (*ucan.Delegation, bool) {
		for _, d := range chain {
			if d.CID().Equals(id) {
				return d, true
			}
		}
		return nil, false
	}
	if err := ucan.CheckChain(inv, known, start); err != nil {
		t.Error(err)
	}
	if life := *inv.Expires - *inv.IssuedAt; life <= 0 || life > int64(grant.MaxInvocationLife/time.Second) {
		t.Errorf("it lives %d s", life)
	}
	if _, err := grant.Ask(c.granteeNode, chain, c.node.DID(), grant.CommandRead, nil, start, nonce("ask")); err == nil {
		t.Error("asked for without arguments")
	}
}
