// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"slices"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/ucan"
)

// Limits on what a grant or a request may say.
const (
	MaxText  = 256 // bytes of one text
	MaxItems = 128 // texts in one list
)

// The coarsest ranks of the ladders of periods (raw 0, half-hour 1, hour 2,
// day 3, month 4, year 5) and of places (exact 0, 100 m 1, 1 km 2, 10 km 3).
const (
	MaxPeriod = 5
	MaxGrid   = 3
)

// AllRows is the condition that every row meets. It is spelled out because
// "all over nothing" holds in a policy, and so an empty list must mean nothing.
const AllRows = "*"

// ReadArgs are the arguments of /dataset/read and /dataset/subscribe: the view
// asked for, which the policies of a chain bound. Either Paths (of files) or
// Columns (of records) name something; the other is empty.
type ReadArgs struct {
	Columns  []string // each with its coarsening: "kwh/sum"
	Rows     []string // conditions, of which one must hold; AllRows for no condition; none for files
	Paths    []string // canonical, see CanonicalPath; "" asks for all files
	From, To int64    // Unix seconds; 0 and 0 for files
	Period   int64    // rank, 0 to MaxPeriod
	Grid     int64    // rank, 0 to MaxGrid
	Purpose  string   // an IRI
	Seq      int64    // the last use that may be drawn, from 1; 0 where uses are not counted
	HPKE     []byte   // the invoker's public receive key, for the head
}

// ToMap writes the arguments as an invocation carries them.
func (a ReadArgs) ToMap() ucan.Map {
	return ucan.MakeMap(map[string]ucan.Value{
		"columns": texts(a.Columns), "rows": texts(a.Rows), "paths": texts(a.Paths),
		"from": ucan.Int(a.From), "to": ucan.Int(a.To),
		"period": ucan.Int(a.Period), "grid": ucan.Int(a.Grid),
		"purpose": ucan.String(a.Purpose), "seq": ucan.Int(a.Seq), "hpke": ucan.Bytes(a.HPKE),
	})
}

func texts(list []string) ucan.Value {
	values := make([]ucan.Value, len(list))
	for i, s := range list {
		values[i] = ucan.String(s)
	}
	return ucan.List(values...)
}

// ParseReadArgs reads the arguments of /dataset/read and /dataset/subscribe
// under their closed schema. What it returns is well-formed; whether it is
// allowed is for the policies to say. Errors are *[ProfileError].
func ParseReadArgs(m ucan.Map) (ReadArgs, error) {
	schema, _ := SchemaOf(CommandRead)
	if err := schema.checkArguments(m); err != nil {
		return ReadArgs{}, err
	}
	a := ReadArgs{
		Columns: textsOf(m, "columns"), Rows: textsOf(m, "rows"), Paths: textsOf(m, "paths"),
		From: intOf(m, "from"), To: intOf(m, "to"), Period: intOf(m, "period"), Grid: intOf(m, "grid"),
		Purpose: textOf(m, "purpose"), Seq: intOf(m, "seq"),
	}
	hpke, _ := m.Get("hpke")
	a.HPKE, _ = hpke.AsBytes()
	return a, a.check()
}

// CheckArguments reads the arguments of any command of [Commands] under its
// closed schema. For /dataset/read and /dataset/subscribe it says what
// [ParseReadArgs] says.
func CheckArguments(c ucan.Command, m ucan.Map) error {
	schema, ok := SchemaOf(c)
	if !ok {
		return outside(Arguments, RuleCommand, "command %s is not answered", c)
	}
	switch c {
	case CommandRead, CommandSubscribe:
		_, err := ParseReadArgs(m)
		return err
	case CommandList:
		if err := schema.checkArguments(m); err != nil {
			return err
		}
		return checkPurpose(Arguments, textOf(m, "purpose"))
	}
	return schema.checkArguments(m)
}

func (a ReadArgs) check() error {
	for _, list := range [][]string{a.Columns, a.Rows} {
		if err := checkTexts(Arguments, list); err != nil {
			return err
		}
	}
	if err := checkPaths(Arguments, a.Paths); err != nil {
		return err
	}
	if err := a.checkKind(); err != nil {
		return err
	}
	if err := checkSpan(Arguments, a.From, a.To, a.Period, a.Grid); err != nil {
		return err
	}
	if a.Seq < 0 {
		return outside(Arguments, RuleIntervals, "seq %d is negative", a.Seq)
	}
	if len(a.HPKE) != crypto.PublicReceiveKeySize {
		return outside(Arguments, RuleHPKE, "a receive key of %d bytes, not %d", len(a.HPKE), crypto.PublicReceiveKeySize)
	}
	return checkPurpose(Arguments, a.Purpose)
}

// checkKind sees to it that the arguments ask for files or for records.
func (a ReadArgs) checkKind() error {
	files, records := len(a.Paths) > 0, len(a.Columns) > 0
	if files == records {
		return outside(Arguments, RuleArgument, "either paths or columns must name something")
	}
	if files && (len(a.Rows) > 0 || a.From != 0 || a.To != 0 || a.Period != 0 || a.Grid != 0) {
		return outside(Arguments, RuleArgument, "rows, a time span or ranks for files")
	}
	if records && len(a.Rows) == 0 {
		return outside(Arguments, RuleArgument, "records without any rows; %q asks for all", AllRows)
	}
	return nil
}

func checkSpan(link int, from, to, period, grid int64) error {
	switch {
	case from > to:
		return outside(link, RuleIntervals, "from %d lies after to %d", from, to)
	case from < -ucan.MaxInt || to > ucan.MaxInt:
		return outside(link, RuleIntervals, "a time beyond 2^53")
	case period < 0 || period > MaxPeriod:
		return outside(link, RuleIntervals, "period %d is no rank from 0 to %d", period, MaxPeriod)
	case grid < 0 || grid > MaxGrid:
		return outside(link, RuleIntervals, "grid %d is no rank from 0 to %d", grid, MaxGrid)
	}
	return nil
}

func checkPurpose(link int, iri string) error {
	if err := checkIRI(iri); err != nil {
		return outside(link, RuleArgument, "purpose: %v", err)
	}
	return nil
}

// checkTexts refuses long lists, repetitions, and texts that a person could
// misread: control characters and other normal forms than C.
func checkTexts(link int, list []string) error {
	if err := checkList(link, list); err != nil {
		return err
	}
	for _, s := range list {
		if s == "" || len(s) > MaxText || !norm.NFC.IsNormalString(s) {
			return outside(link, RuleArgument, "a text that is empty, not in normal form C, or longer than %d bytes", MaxText)
		}
		if slices.ContainsFunc([]rune(s), unicode.IsControl) {
			return outside(link, RuleArgument, "a text with a control character")
		}
	}
	return nil
}

func checkPaths(link int, paths []string) error {
	if err := checkList(link, paths); err != nil {
		return err
	}
	for _, path := range paths {
		canonical, err := CanonicalPath(path)
		if err != nil {
			return outside(link, RulePath, "%v", err)
		}
		if canonical != path {
			return outside(link, RulePath, "path is not in normal form C")
		}
	}
	return nil
}

func checkList(link int, list []string) error {
	if len(list) > MaxItems {
		return outside(link, RuleSize, "%d texts in a list, at most %d", len(list), MaxItems)
	}
	for i, s := range list {
		if slices.Contains(list[:i], s) {
			return outside(link, RuleArgument, "a list names the same text twice")
		}
	}
	return nil
}

// The getters below follow checkArguments, which saw to presence and kind.

func textOf(m ucan.Map, name string) string {
	v, _ := m.Get(name)
	s, _ := v.AsString()
	return s
}

func intOf(m ucan.Map, name string) int64 {
	v, _ := m.Get(name)
	i, _ := v.AsInt()
	return i
}

func textsOf(m ucan.Map, name string) []string {
	v, _ := m.Get(name)
	var list []string
	for item := range v.Items() {
		s, _ := item.AsString()
		list = append(list, s)
	}
	return list
}
