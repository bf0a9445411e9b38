// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"strings"
	"time"

	"github.com/traboule/traboule/protocol/ucan"
)

// Parse reads a grant out of a delegation: the inverse of [Compile]. What it
// returns says everything that the delegation's policy says; a policy that says
// anything else, or says it another way, is a *[ProfileError], however valid.
// Meta entries that are missing, unknown or of another kind are passed over:
// meta never decides validity.
func Parse(d *ucan.Delegation) (Grant, error) {
	if err := checkRole(LinkGrant, d); err != nil {
		return Grant{}, err
	}
	if err := checkPolicy(LinkGrant, d.Command, d.Policy); err != nil {
		return Grant{}, err
	}
	g := Grant{
		Dataset: d.Subject, Audience: d.Audience, Command: d.Command,
		Until: time.Unix(*d.Expires, 0).UTC(),
	}
	if d.NotBefore != nil {
		g.Begins = time.Unix(*d.NotBefore, 0).UTC()
	}
	for i := range d.Policy {
		g.readStatement(&d.Policy[i])
	}
	g.readMeta(d.Meta)
	again, err := g.canonical()
	if err != nil || !again.policy().Value().Equal(d.Policy.Value()) {
		return Grant{}, outside(LinkGrant, RuleMeaning, "its policy is not one that a grant compiles to")
	}
	return again, nil
}

// readStatement takes what it understands of one statement; Parse compares the
// result with the whole.
func (g *Grant) readStatement(s *ucan.Statement) {
	n, _ := s.Value.AsInt()
	switch fieldName(s.Selector) {
	case "columns":
		g.Columns = alternatives(s)
	case "rows":
		g.Rows = alternatives(s)
	case "paths":
		g.Paths = alternatives(s)
	case "from":
		g.From = &n
	case "to":
		g.To = &n
	case "period":
		g.Period = n
	case "grid":
		g.Grid = n
	case "purpose":
		g.Purpose, _ = s.Value.AsString()
	case "seq":
		g.Uses = uint64(max(n, 0))
	}
}

// alternatives reads what oneOf writes.
func alternatives(s *ucan.Statement) []string {
	if len(s.Args) != 1 {
		return nil
	}
	var list []string
	for _, a := range s.Args[0].Args {
		text, _ := a.Value.AsString()
		if a.Op == ucan.OpLike {
			text = strings.TrimSuffix(a.Pattern, "*")
		}
		list = append(list, text)
	}
	return list
}

func (g *Grant) readMeta(m ucan.Map) {
	if v, ok := m.Get("terms"); ok {
		g.Terms, _ = v.AsLink()
	}
	g.Basis, g.Retention = shortText(m, "basis"), shortText(m, "retention")
}

// shortText is a text of meta, or "" if it is not one that a page could show.
func shortText(m ucan.Map, name string) string {
	s := textOf(m, name)
	if (Grant{Basis: s, Until: time.Unix(1, 0)}).checkTimes() != nil {
		return ""
	}
	return s
}

// Uses is the bound on uses that a delegation's own policy carries, if any: the
// counter belongs to the delegation that carries the bound.
func Uses(p ucan.Policy) (bound int64, ok bool) {
	for i := range p {
		s := &p[i]
		if s.Op != ucan.OpLessOrEqual || fieldName(s.Selector) != "seq" {
			continue
		}
		if n, isInt := s.Value.AsInt(); isInt && (!ok || n < bound) {
			bound, ok = n, true
		}
	}
	return bound, ok
}
