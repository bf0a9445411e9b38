// SPDX-License-Identifier: Apache-2.0

package ucan

import (
	"errors"
	"fmt"
	"slices"
)

// Op is a statement's operator, spelled as in a token.
type Op string

// The operators of the policy language.
const (
	OpEqual          Op = "=="
	OpNotEqual       Op = "!="
	OpLess           Op = "<"
	OpLessOrEqual    Op = "<="
	OpGreater        Op = ">"
	OpGreaterOrEqual Op = ">="
	OpLike           Op = "like"
	OpAnd            Op = "and"
	OpOr             Op = "or"
	OpNot            Op = "not"
	OpAll            Op = "all"
	OpAny            Op = "any"
)

// Statement is one predicate over an invocation's arguments. Which fields it
// uses is its operator's affair:
//
//	== != < <= > >=  Selector, Value (a number for the last four)
//	like             Selector, Pattern
//	and or           Args
//	not              Args[0]
//	all any          Selector, Args[0]
type Statement struct {
	Op       Op
	Selector Selector
	Value    Value
	Pattern  string
	Args     []Statement

	chunks []string // of Pattern, if it was parsed
}

// Policy is a list of statements that must all hold. The empty one allows
// everything.
type Policy []Statement

// ParsePolicy reads a policy out of a claim. It takes time in proportion to
// the policy's size and refuses one deeper than [MaxDepth].
func ParsePolicy(v Value) (Policy, error) {
	statements, err := parseStatements(v, 0)
	if err != nil {
		return nil, fmt.Errorf("parse policy: %w", err)
	}
	return Policy(statements), nil
}

func parseStatements(v Value, depth int) ([]Statement, error) {
	if v.kind != KindList {
		return nil, errors.New("statements that are no list")
	}
	statements := make([]Statement, 0, len(v.list))
	for i, item := range v.list {
		s, err := parseStatement(item, depth+1)
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i, err)
		}
		statements = append(statements, s)
	}
	return statements, nil
}

func parseStatement(v Value, depth int) (Statement, error) {
	if depth > MaxDepth {
		return Statement{}, fmt.Errorf("deeper than %d", MaxDepth)
	}
	if v.kind != KindList || len(v.list) < 2 || v.list[0].kind != KindString {
		return Statement{}, errors.New("not a list that begins with an operator")
	}
	s := Statement{Op: Op(v.list[0].str)}
	switch s.Op {
	case OpAnd, OpOr, OpNot:
		return s.parseConnective(v.list[1:], depth)
	case OpEqual, OpNotEqual, OpLess, OpLessOrEqual, OpGreater, OpGreaterOrEqual, OpLike, OpAll, OpAny:
		return s.parseSelected(v.list[1:], depth)
	}
	return Statement{}, fmt.Errorf("unknown operator %q", string(s.Op))
}

func (s Statement) parseConnective(rest []Value, depth int) (Statement, error) {
	if len(rest) != 1 {
		return Statement{}, fmt.Errorf("%q with %d arguments", string(s.Op), len(rest))
	}
	if s.Op == OpNot {
		return s.parseInner(rest[0], depth)
	}
	var err error
	s.Args, err = parseStatements(rest[0], depth)
	return s, err
}

func (s Statement) parseInner(v Value, depth int) (Statement, error) {
	inner, err := parseStatement(v, depth+1)
	s.Args = []Statement{inner}
	return s, err
}

func (s Statement) parseSelected(rest []Value, depth int) (Statement, error) {
	if len(rest) != 2 || rest[0].kind != KindString {
		return Statement{}, fmt.Errorf("%q without a selector and one argument", string(s.Op))
	}
	var err error
	if s.Selector, err = ParseSelector(rest[0].str); err != nil {
		return Statement{}, err
	}
	switch s.Op {
	case OpAll, OpAny:
		return s.parseInner(rest[1], depth)
	case OpLike:
		if rest[1].kind != KindString {
			return Statement{}, errors.New("a pattern that is no text")
		}
		s.Pattern, s.chunks = rest[1].str, splitPattern(rest[1].str)
		return s, nil
	case OpEqual, OpNotEqual:
		s.Value = rest[1]
		return s, nil
	}
	if _, ok := rest[1].real(); !ok {
		return Statement{}, fmt.Errorf("%q with what is no number", string(s.Op))
	}
	s.Value = rest[1]
	return s, nil
}

// Value is the policy as it stands in a token.
func (p Policy) Value() Value { return statementsValue(p) }

func statementsValue(statements []Statement) Value {
	items := make([]Value, len(statements))
	for i, s := range statements {
		items[i] = s.value()
	}
	return Value{kind: KindList, list: items}
}

func (s Statement) value() Value {
	op, sel := String(string(s.Op)), String(s.Selector.String())
	switch s.Op {
	case OpAnd, OpOr:
		return List(op, statementsValue(s.Args))
	case OpNot:
		return List(slices.Concat([]Value{op}, statementsValue(s.Args).list)...)
	case OpAll, OpAny:
		return List(slices.Concat([]Value{op, sel}, statementsValue(s.Args).list)...)
	case OpLike:
		return List(op, sel, String(s.Pattern))
	}
	return List(op, sel, s.Value)
}
