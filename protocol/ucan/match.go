// SPDX-License-Identifier: Apache-2.0

package ucan

import (
	"errors"
	"fmt"
)

// maxSteps bounds the work of one [Policy.Match]: statements evaluated, path
// segments followed, items visited, bytes compared. A policy over arguments
// that both fill their tokens to the brim can ask for more; it is refused.
const maxSteps = 1 << 20

// ErrTooCostly is the cause when a policy's evaluation was given up.
var ErrTooCostly = errors.New("the policy asks for too much work")

// MismatchError says which statement of a policy does not hold. It does not
// tell the arguments.
type MismatchError struct {
	Statement int // index among the policy's statements
	Op        Op
	Selector  Selector // empty for and, or, not
	Cause     error    // ErrTooCostly, or nil: it just does not hold
}

// Error names the statement by its place, operator and selector.
func (e *MismatchError) Error() string {
	text := fmt.Sprintf("match statement %d (%s %s)", e.Statement, e.Op, e.Selector)
	if e.Cause != nil {
		return text + ": " + e.Cause.Error()
	}
	return text + ": it does not hold"
}

// Unwrap is the cause, if there is one.
func (e *MismatchError) Unwrap() error { return e.Cause }

// Match returns nil if every statement holds for args, and a [*MismatchError]
// for the first that does not. As the specification has it: numbers compare by
// what they count; a missing key gives null; a statement whose selector cannot
// be followed does not hold, whatever its operator; "and" and "or" of nothing
// hold, and so does "all" over nothing. "any" over nothing does not hold.
func (p Policy) Match(args Value) error {
	m := matcher{left: maxSteps}
	return m.match(p, args)
}

// matcher counts down the steps that an evaluation may still take. Once none
// is left, what holds says means nothing and match refuses.
type matcher struct{ left int }

func (m *matcher) match(p Policy, args Value) error {
	for i := range p {
		holds := m.holds(&p[i], args)
		if m.left <= 0 {
			return &MismatchError{i, p[i].Op, p[i].Selector, ErrTooCostly}
		}
		if !holds {
			return &MismatchError{i, p[i].Op, p[i].Selector, nil}
		}
	}
	return nil
}

func (m *matcher) holds(s *Statement, args Value) bool {
	if m.left--; m.left <= 0 {
		return false
	}
	switch s.Op {
	case OpAnd:
		return m.every(s.Args, args)
	case OpOr:
		return len(s.Args) == 0 || m.some(s.Args, args)
	case OpNot:
		return len(s.Args) == 1 && !m.holds(&s.Args[0], args)
	}
	v, ok := m.resolve(s.Selector, args)
	if !ok {
		return false
	}
	switch s.Op {
	case OpEqual:
		return m.equal(v, s.Value)
	case OpNotEqual:
		return !m.equal(v, s.Value)
	case OpLike:
		return m.like(s, v)
	case OpAll, OpAny:
		return m.quantified(s, v)
	}
	order, ok := compareNumbers(v, s.Value)
	return ok && orderHolds(s.Op, order)
}

func orderHolds(op Op, order int) bool {
	switch op {
	case OpLess:
		return order < 0
	case OpLessOrEqual:
		return order <= 0
	case OpGreater:
		return order > 0
	case OpGreaterOrEqual:
		return order >= 0
	}
	return false
}

func (m *matcher) every(statements []Statement, args Value) bool {
	for i := range statements {
		if !m.holds(&statements[i], args) {
			return false
		}
	}
	return true
}

func (m *matcher) some(statements []Statement, args Value) bool {
	for i := range statements {
		if m.holds(&statements[i], args) {
			return true
		}
	}
	return false
}

// resolve follows s from v; ok is false where a segment that is not optional
// cannot be followed.
func (m *matcher) resolve(s Selector, v Value) (_ Value, ok bool) {
	m.left -= len(s)
	for i := range s {
		if s[i].Kind == Values {
			m.left -= v.Len()
		}
		next, ok := s[i].resolve(v)
		if !ok && !s[i].Optional {
			return Value{}, false
		}
		v = next // null if it failed
	}
	return v, m.left > 0
}

func (m *matcher) equal(v, w Value) (equal bool) {
	equal, m.left = sameValue(v, w, m.left)
	return equal
}

func (m *matcher) like(s *Statement, v Value) bool {
	if v.kind != KindString {
		return false
	}
	chunks := s.chunks
	if chunks == nil {
		chunks = splitPattern(s.Pattern)
	}
	matches, steps := matchChunks(chunks, v.str)
	m.left -= steps
	return matches
}

func (m *matcher) quantified(s *Statement, v Value) bool {
	if len(s.Args) != 1 || v.kind != KindList && v.kind != KindMap {
		return false
	}
	for i := range v.Len() {
		if m.holds(&s.Args[0], v.item(i)) != (s.Op == OpAll) {
			return s.Op == OpAny
		}
		if m.left <= 0 {
			return false
		}
	}
	return s.Op == OpAll
}
