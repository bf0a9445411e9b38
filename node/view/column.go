// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/traboule/traboule/storage/record"
)

// role is what a column does to the values of a bucket.
type role uint8

const (
	keeps  role = iota // each row has its own (raw views)
	groups             // rows with the same value stand together; places by their cell
	folds              // many values become one
	begins             // the beginning of the bucket
	ends               // its end
)

// column is one column of a view.
type column struct {
	spelling string
	name     string // of the column in the view's rows
	field    int    // of the schema
	read     int    // among the fields that a cut reads
	role     role
	fold     record.Fold
	grid     Grid
}

// category is the suffix of a column that groups rows by its values.
const category = "category"

func (v *View) parseColumns() error {
	asked := v.spec.Columns
	if len(asked) == 0 {
		return wrong("no-columns")
	}
	if len(asked) > MaxItems {
		return tooMany(len(asked))
	}
	var errs []error
	for i, spelling := range asked {
		c, err := v.parseColumn(spelling)
		if err == nil && slices.Contains(asked[:i], spelling) {
			err = wrong("column-twice", "column", clip(spelling))
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		v.columns = append(v.columns, c)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	slices.SortFunc(v.columns, func(a, b column) int {
		return cmp.Or(cmp.Compare(a.field, b.field), cmp.Compare(a.role, b.role), foldOrder(a.fold)-foldOrder(b.fold))
	})
	v.spec.Columns = make([]string, len(v.columns))
	for i, c := range v.columns {
		v.spec.Columns[i] = c.spelling
	}
	return errors.Join(v.checkNames(), v.checkCurrencies())
}

// parseColumn reads one column: a field, and perhaps "/" and how it is
// coarsened, spelled as [View.possible] spells it and not otherwise.
func (v *View) parseColumn(spelling string) (column, error) {
	name, how, _ := strings.Cut(spelling, "/")
	i, ok := v.schema.Index(name)
	if !ok {
		return column{}, wrong("column-unknown", "column", clip(spelling), "possible", v.allPossible())
	}
	if possible := v.possible(i); !slices.Contains(possible, spelling) {
		others := orNone(possible)
		if len(possible) == 0 { // nothing of this field, but of others
			others = v.allPossible()
		}
		return column{}, wrong("column-form", "column", clip(spelling), "possible", others)
	}
	c := column{spelling: spelling, name: name, field: i, role: groups}
	switch {
	case how == category:
	case v.schema.Fields[i].Type == record.Place && !slices.Contains(v.schema.Fields[i].Folds, record.Fold(how)):
		c.grid, _ = GridNamed(how) // Exact without
		if v.spec.Period == Raw {
			c.role = keeps
		}
	case how != "":
		c.role, c.fold = folds, record.Fold(how)
		c.name = name + strings.ToUpper(how[:1]) + how[1:]
	case v.spec.Period == Raw:
		c.role = keeps
	case name == v.schema.Time:
		c.role = begins
	default:
		c.role = ends
	}
	return c, nil
}

// possible are the spellings of columns that a field can have in this view.
func (v *View) possible(field int) []string {
	f := v.schema.Fields[field]
	raw, place := v.spec.Period == Raw, f.Type == record.Place
	var list []string
	if place && v.spec.Grid != Exact {
		list = append(list, f.Name+"/"+v.spec.Grid.String())
	} else if raw || f.Name == v.schema.Time || f.Name == v.schema.End {
		list = append(list, f.Name)
	}
	if raw {
		return list
	}
	if v.groupable(field) {
		list = append(list, f.Name+"/"+category)
	}
	for _, fold := range f.Folds {
		list = append(list, f.Name+"/"+string(fold))
	}
	return list
}

// groupable says whether rows may stand together by a field: a category, a
// currency, or true and false.
func (v *View) groupable(field int) bool {
	f := v.schema.Fields[field]
	return f.Category || f.Type == record.Boolean || f.Type == record.Text &&
		slices.ContainsFunc(v.schema.Fields, func(g record.Field) bool { return g.Currency == f.Name })
}

// allPossible are the spellings that all fields can have.
func (v *View) allPossible() string {
	var list []string
	for i := range v.schema.Fields {
		list = append(list, v.possible(i)...)
	}
	return orNone(list)
}

// Default are the columns of a view that names none: all fields but those
// about other people, each in its most natural form, places only in cells if
// the view has a period. It may be empty.
func Default(s *record.Schema, p Period, g Grid) []string {
	v := &View{schema: s, spec: Spec{Period: p, Grid: g}}
	var list []string
	for i, f := range s.Fields {
		possible := v.possible(i)
		if f.Others || len(possible) == 0 {
			continue
		}
		list = append(list, possible[0])
	}
	return list
}

// checkNames refuses columns that would be called the same.
func (v *View) checkNames() error {
	for i, c := range v.columns {
		if slices.ContainsFunc(v.columns[:i], func(d column) bool { return d.name == c.name }) {
			return wrong("column-twice", "column", c.spelling)
		}
	}
	return nil
}

// checkCurrencies refuses amounts that are folded across currencies: the
// column that names the currency must group the rows.
func (v *View) checkCurrencies() error {
	var errs []error
	for _, c := range v.columns {
		if c.role != folds || c.fold == record.Count {
			continue
		}
		currency, ok := v.schema.Index(v.schema.Fields[c.field].Currency)
		grouped := slices.ContainsFunc(v.columns, func(d column) bool { return d.role == groups && d.field == currency })
		if ok && !grouped {
			errs = append(errs, wrong("currency-missing", "column", c.spelling, "possible", v.schema.Fields[currency].Name+"/"+category))
		}
	}
	return errors.Join(errs...)
}

func foldOrder(f record.Fold) int {
	return slices.Index([]record.Fold{record.Sum, record.Mean, record.Min, record.Max, record.Count}, f)
}

func tooMany(n int) error {
	return wrong("too-many", "count", strconv.Itoa(n), "most", strconv.Itoa(MaxItems))
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "–"
	}
	return strings.Join(list, ", ")
}

func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}
