// SPDX-License-Identifier: Apache-2.0

package node

import (
	"slices"
	"strings"

	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage/record"
)

// drawn makes of a request for a picture one for what the picture needs: when,
// one column of numbers, and the currency that a field names. Without a period
// that is by month, or as the rows are where they can be summed up no further,
// as what another has granted.
func (q QueryRequest) drawn(name string, s *record.Schema) (QueryRequest, error) {
	possible, folded := drawable(s)
	if s.Time == "" || len(possible) == 0 {
		return q, problem.New(problem.Usage, "plot.nothing", "name", name)
	}
	column := possible[0]
	if len(q.Columns) > 0 {
		column = q.Columns[0]
		if i := slices.IndexFunc(possible, func(c string) bool { return strings.HasPrefix(c, column+"/") }); i >= 0 {
			column = possible[i]
		}
		if !slices.Contains(possible, column) {
			return q, problem.New(problem.Usage, "plot.column", "column", column, "possible", strings.Join(possible, ", "))
		}
	}
	switch {
	case !folded && q.By != "":
		return q, problem.New(problem.Usage, "plot.as-it-is", "name", name)
	case folded && q.By == "":
		q.By = "month"
	}
	q.Columns = []string{s.Time, column}
	field, fold, _ := strings.Cut(column, "/")
	f, _ := s.Field(field)
	if _, ok := s.Index(f.Currency); ok && fold != string(record.Count) {
		q.Columns = append(q.Columns, f.Currency)
		if folded {
			q.Columns[2] += "/category"
		}
	}
	return q, nil
}

// drawable are the columns that can be drawn over time: values of a period that
// become one, or numbers as they are if none can.
func drawable(s *record.Schema) (columns []string, folded bool) {
	for _, f := range s.Fields {
		for _, fold := range f.Folds {
			columns = append(columns, f.Name+"/"+string(fold))
		}
	}
	if len(columns) > 0 {
		return columns, true
	}
	for _, f := range s.Fields {
		if f.Type == record.Decimal || f.Type == record.Integer {
			columns = append(columns, f.Name)
		}
	}
	return columns, false
}
