// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"strings"

	"github.com/traboule/traboule/protocol/ucan"
)

// Limits of the profile on one policy.
const (
	MaxStatements = 128 // counted through all levels
	MaxLevels     = 4   // a statement at the top is on level 1
)

// CheckPolicy says whether a policy under command c lies within the profile, on
// which all implementations of UCAN agree: selectors ".name" of an argument of
// c, and "." inside "all"; the operators ==, <, <=, >, >=, like with one star at
// its end, and, or, all. No "?", not, !=, any, nothing empty, no floats, and
// .seq only as ["<=", ".seq", n] at the top, where the gate can count with it.
// The error is a *[ProfileError] for link 0.
func CheckPolicy(c ucan.Command, p ucan.Policy) error { return checkPolicy(0, c, p) }

func checkPolicy(link int, c ucan.Command, p ucan.Policy) error {
	if schema, _ := SchemaOf(c); c != CommandAll && !schema.Grantable {
		return outside(link, RuleCommand, "%s is not delegated", c)
	}
	w := policyWalk{link: link, command: c}
	return w.statements(p, 1, false)
}

// policyWalk visits a policy's statements and counts them.
type policyWalk struct {
	link    int
	command ucan.Command
	count   int
}

func (w *policyWalk) refuse(rule Rule, format string, args ...any) error {
	return outside(w.link, rule, format, args...)
}

func (w *policyWalk) statements(list []ucan.Statement, level int, inAll bool) error {
	if level > MaxLevels && len(list) > 0 {
		return w.refuse(RuleSize, "a policy of more than %d levels", MaxLevels)
	}
	for i := range list {
		if w.count++; w.count > MaxStatements {
			return w.refuse(RuleSize, "a policy of more than %d statements", MaxStatements)
		}
		if err := w.statement(&list[i], level, inAll); err != nil {
			return err
		}
	}
	return nil
}

func (w *policyWalk) statement(s *ucan.Statement, level int, inAll bool) error {
	switch s.Op {
	case ucan.OpAnd, ucan.OpOr:
		if len(s.Args) == 0 {
			return w.refuse(RuleOperand, "%q of nothing", s.Op)
		}
		return w.statements(s.Args, level+1, inAll)
	case ucan.OpAll:
		return w.all(s, level, inAll)
	case ucan.OpEqual, ucan.OpLike, ucan.OpLess, ucan.OpLessOrEqual, ucan.OpGreater, ucan.OpGreaterOrEqual:
		return w.comparison(s, level, inAll)
	}
	return w.refuse(RuleOperator, "operator %q", s.Op)
}

func (w *policyWalk) all(s *ucan.Statement, level int, inAll bool) error {
	if inAll {
		return w.refuse(RuleOperator, `"all" inside "all"`)
	}
	kind, err := w.selected(s.Selector, false)
	if err != nil {
		return err
	}
	if kind != Texts {
		return w.refuse(RuleSelector, `"all" over %s, which is no list`, s.Selector)
	}
	return w.statements(s.Args, level+1, true)
}

func (w *policyWalk) comparison(s *ucan.Statement, level int, inAll bool) error {
	kind, err := w.selected(s.Selector, inAll)
	if err != nil {
		return err
	}
	if name := fieldName(s.Selector); name == "seq" && (s.Op != ucan.OpLessOrEqual || level != 1) {
		return w.refuse(RuleOperator, "uses are bounded by <= at the top of a policy, not by %q", s.Op)
	}
	if kind == Integer {
		return w.integer(s)
	}
	return w.text(s, kind)
}

func (w *policyWalk) integer(s *ucan.Statement) error {
	if s.Op == ucan.OpLike {
		return w.refuse(RuleOperator, "%q over %s, which is an integer", s.Op, s.Selector)
	}
	n, ok := s.Value.AsInt()
	if !ok || n > ucan.MaxInt || n < -ucan.MaxInt {
		return w.refuse(RuleOperand, "%s compared with what is no integer within ±(2^53-1)", s.Selector)
	}
	return nil
}

func (w *policyWalk) text(s *ucan.Statement, kind ArgumentKind) error {
	if kind != Text || s.Op != ucan.OpEqual && s.Op != ucan.OpLike {
		return w.refuse(RuleOperator, "%q over %s", s.Op, s.Selector)
	}
	text := s.Pattern
	if s.Op == ucan.OpEqual {
		var ok bool
		if text, ok = s.Value.AsString(); !ok {
			return w.refuse(RuleOperand, "%s compared with what is no text", s.Selector)
		}
	}
	if len(text) > MaxText {
		return w.refuse(RuleSize, "a text of %d bytes, at most %d", len(text), MaxText)
	}
	if s.Op == ucan.OpLike && !isPrefixPattern(text) {
		return w.refuse(RuleOperand, "a pattern that is not a plain text and one star at its end")
	}
	return nil
}

func isPrefixPattern(pattern string) bool {
	return strings.IndexAny(pattern, `*\`) == len(pattern)-1 && strings.HasSuffix(pattern, "*")
}

// selected is the kind of what a selector selects.
func (w *policyWalk) selected(s ucan.Selector, inAll bool) (ArgumentKind, error) {
	if inAll {
		if len(s) != 0 {
			return 0, w.refuse(RuleSelector, `%s inside "all", where only "." may stand`, s)
		}
		return Text, nil
	}
	name := fieldName(s)
	kind := policyKind(w.command, name)
	if name == "" || kind == 0 {
		return 0, w.refuse(RuleSelector, "%s selects no argument of %s", s, w.command)
	}
	return kind, nil
}

// fieldName is the name in a selector ".name", or "" if it is any other.
func fieldName(s ucan.Selector) string {
	if len(s) != 1 || s[0].Kind != ucan.Field || s[0].Optional {
		return ""
	}
	return s[0].Name
}

// CheckDelegation says whether one delegation, whatever its place in a chain,
// keeps to the profile: its policy, and the spelling of its selectors, which
// must be the plain one (".seq", never ".[\"seq\"]": not all implementations
// read that). It costs a second decoding; a gate does it once per token.
func CheckDelegation(d *ucan.Delegation) error { return checkDelegation(0, d) }

func checkDelegation(link int, d *ucan.Delegation) error {
	if err := checkPolicy(link, d.Command, d.Policy); err != nil {
		return err
	}
	if spelled, ok := spelledPolicy(d.Bytes()); !ok || !spelled.Equal(d.Policy.Value()) {
		return outside(link, RuleSelector, "a selector that is not spelled plainly")
	}
	return nil
}

// spelledPolicy finds the policy in a token's bytes: [signature, {…, tag:
// {"pol": policy}}].
func spelledPolicy(token ucan.Token) (ucan.Value, bool) {
	v, err := ucan.DecodeValue(token)
	if err != nil {
		return ucan.Value{}, false
	}
	for part := range v.Items() {
		for claims := range part.Items() {
			if m, ok := claims.AsMap(); ok {
				return m.Get("pol")
			}
		}
	}
	return ucan.Value{}, false
}
