// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"cmp"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/record"
)

// This file is the page protocol/spec/views.md read word by word, without a
// thought for speed. It shares no code with the package but the names of the
// ranks.

// ladders holds the edges of each zone and period in the years of the tests,
// found by looking at the clock on the wall minute by minute.
var ladders sync.Map

func edges(zone *time.Location, p view.Period) []time.Time {
	found, _ := ladders.LoadOrStore(zone.String(), sync.OnceValue(func() map[view.Period][]time.Time { return walk(zone) }))
	return found.(func() map[view.Period][]time.Time)()[p]
}

func walk(zone *time.Location) map[view.Period][]time.Time {
	m := map[view.Period][]time.Time{}
	t := time.Date(2009, 12, 25, 0, 0, 0, 0, time.UTC).In(zone)
	_, offset := t.Zone()
	reached := t.Format("2006-01-02")
	for end := time.Date(2013, 1, 7, 0, 0, 0, 0, time.UTC); t.Before(end); t = t.Add(time.Minute) {
		_, now := t.Zone()
		if now != offset || t.Minute()%30 == 0 {
			m[view.HalfHour] = append(m[view.HalfHour], t)
		}
		if now != offset || t.Minute() == 0 {
			m[view.Hour] = append(m[view.Hour], t)
		}
		offset = now
		if now == offset && t.Hour() > 3 && t.Hour() < 20 {
			continue // no day begins then
		}
		day := t.Format("2006-01-02")
		if day <= reached {
			continue
		}
		m[view.Day] = append(m[view.Day], t)
		if day[:7] > reached[:7] {
			m[view.Month] = append(m[view.Month], t)
		}
		if day[:4] > reached[:4] {
			m[view.Year] = append(m[view.Year], t)
		}
		reached = day
	}
	return m
}

// bucketOf is the bucket of t: the last edge that is not after it, and the next.
func bucketOf(zone *time.Location, p view.Period, t time.Time) (begin, end time.Time) {
	list := edges(zone, p)
	i, exact := slices.BinarySearchFunc(list, t, time.Time.Compare)
	if !exact {
		i--
	}
	return list[i], list[i+1]
}

// begins is when a row begins or ends by a field.
func instant(s *record.Schema, row record.Row, field string) (time.Time, bool) {
	i, ok := s.Index(field)
	if !ok || row[i].IsNull() {
		return time.Time{}, false
	}
	if row[i].Type() == record.Instant {
		return row[i].Time(), true
	}
	list := edges(s.Location(), view.Day)
	n, _ := slices.BinarySearchFunc(list, row[i].String(), func(t time.Time, day string) int {
		return strings.Compare(t.Format("2006-01-02"), day)
	})
	return list[n], true
}

// refRow is a row of the answer with what orders it.
type refRow struct {
	part   string
	values record.Row
}

// answer is the whole view as JSON lines, and why there is none.
func answer(s *record.Schema, spec view.Spec, out *record.Schema, rows []record.Row, now time.Time) (string, error) {
	type group struct {
		bucket time.Time
		end    time.Time
		rows   []record.Row
	}
	found := map[string]*group{}
	var result []refRow
	for _, row := range rows {
		begins, dated := instant(s, row, s.Time)
		unbounded := spec.From == view.Earliest && spec.To == view.Latest
		switch {
		case !dated && (spec.Period != view.Raw || !unbounded):
			continue
		case dated && (begins.Unix() < spec.From || begins.Unix() >= spec.To):
			continue
		case !slices.ContainsFunc(spec.Rows, func(c string) bool { return meets(s, row, c) }):
			continue
		}
		part := "undated"
		if dated {
			month, _ := bucketOf(s.Location(), view.Month, begins)
			part = month.In(s.Location()).Format("2006-01")
		}
		if spec.Period == view.Raw {
			r := refRow{part: part}
			for _, c := range spec.Columns {
				r.values = append(r.values, groupValue(s, row, c))
			}
			result = append(result, r)
			continue
		}
		b, e := bucketOf(s.Location(), spec.Period, begins)
		current, _ := bucketOf(s.Location(), spec.Period, now)
		if !b.Before(current) {
			continue
		}
		if end, ok := instant(s, row, s.End); ok && end.Sub(begins) > e.Sub(b) {
			continue
		}
		key := b.String()
		for _, c := range spec.Columns {
			if strings.HasSuffix(c, "/category") || gridOf(c) != view.Exact {
				v := groupValue(s, row, c)
				key += fmt.Sprintf("|%s %s", v.Type(), v)
			}
		}
		if found[key] == nil {
			found[key] = &group{bucket: b, end: e}
		}
		found[key].rows = append(found[key].rows, row)
	}
	for _, g := range found {
		month, _ := bucketOf(s.Location(), view.Month, g.bucket)
		r := refRow{part: month.In(s.Location()).Format("2006-01")}
		for _, c := range spec.Columns {
			v, err := coarse(s, c, g.bucket, g.end, g.rows)
			if err != nil {
				return "", err
			}
			r.values = append(r.values, v)
		}
		result = append(result, r)
	}
	timeColumn := slices.Index(spec.Columns, s.Time)
	slices.SortFunc(result, func(a, b refRow) int {
		byPart := cmp.Compare(a.part, b.part)
		if spec.Period == view.Year {
			byPart = cmp.Compare(a.part[:4], b.part[:4])
		}
		if timeColumn >= 0 {
			byPart = cmp.Or(byPart, a.values[timeColumn].Compare(b.values[timeColumn]))
		}
		for i := range a.values {
			byPart = cmp.Or(byPart, a.values[i].Compare(b.values[i]))
		}
		return byPart
	})
	var text []byte
	for _, r := range result {
		text = append(out.AppendJSON(text, r.values), '\n')
	}
	return string(text), nil
}

func gridOf(column string) view.Grid {
	_, how, _ := strings.Cut(column, "/")
	return map[string]view.Grid{"100m": view.Hundred, "1km": view.Kilometre, "10km": view.TenKilometres}[how]
}

// groupValue is the value of a row in a column that keeps or groups.
func groupValue(s *record.Schema, row record.Row, column string) record.Value {
	name, _, _ := strings.Cut(column, "/")
	i, _ := s.Index(name)
	if g := gridOf(column); g != view.Exact && !row[i].IsNull() {
		return middle(row[i], g)
	}
	return row[i]
}

// gridPairs are those of section 6.
const gridPairs = `259: 1  632: 2  725: 3  770: 4  796: 5  813: 6  835: 8  842: 9
848: 10  857: 12  865: 15  867: 16  871: 18  874: 20  878: 24  879: 25
882: 30  885: 36  887: 40  888: 45  889: 48  891: 60  892: 72  893: 75
894: 90  895: 120  896: 144  897: 180  898: 300  899: 600  900: 3600`

// middle is the middle of the cell, in decimal degrees worked out as fractions.
func middle(v record.Value, g view.Grid) record.Value {
	lat, lon := v.E7()
	height := map[view.Grid]int64{view.Hundred: 1e4, view.Kilometre: 1e5, view.TenKilometres: 1e6}[g]
	fromSouth := int64(lat) + 90e7
	if lat == 90e7 {
		fromSouth-- // the pole lies in the cells below it
	}
	band := fromSouth / 1e6
	further := max(900-band, band+1-900) // of its edges from the equator, in tenths
	var w int64
	for _, pair := range regexp.MustCompile(`(\d+): (\d+)`).FindAllStringSubmatch(gridPairs, -1) {
		var upTo, tenths int64
		fmt.Sscan(pair[1], &upTo)
		fmt.Sscan(pair[2], &tenths)
		if further <= upTo {
			w = tenths
			break
		}
	}
	fromWest := int64(lon) + 180e7
	if lon == 180e7 {
		fromWest = 0
	}
	width := height * w
	cell, err := record.E7(fromSouth/height*height+height/2-90e7, fromWest/width*width+width/2-180e7)
	if err != nil {
		panic(err)
	}
	return cell
}

// meets says whether a row meets a condition.
func meets(s *record.Schema, row record.Row, condition string) bool {
	if condition == "*" {
		return true
	}
	m := regexp.MustCompile(`^([a-zA-Z0-9]+)(<=|>=|!=|<|>|=)(.*)$`).FindStringSubmatch(condition)
	i, _ := s.Index(m[1])
	if row[i].IsNull() {
		return false
	}
	var order int
	switch s.Fields[i].Type {
	case record.Decimal, record.Integer:
		a, _ := new(big.Rat).SetString(row[i].String())
		b, _ := new(big.Rat).SetString(m[3])
		order = a.Cmp(b)
	case record.Instant:
		t, err := time.Parse(time.RFC3339Nano, m[3])
		if err != nil {
			panic(err)
		}
		order = row[i].Time().Compare(t)
	default:
		order = strings.Compare(row[i].String(), m[3])
	}
	return map[string]bool{"=": order == 0, "!=": order != 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[m[2]]
}

// coarse is the value of a column for the rows of one bucket and group.
func coarse(s *record.Schema, column string, begin, end time.Time, rows []record.Row) (record.Value, error) {
	name, how, _ := strings.Cut(column, "/")
	i, _ := s.Index(name)
	moment := func(t time.Time) record.Value {
		if s.Fields[i].Type == record.Day {
			return record.On(t.In(s.Location()).Date())
		}
		return record.At(t)
	}
	var known []record.Value
	sum, deepest := new(big.Rat), 0
	for _, row := range rows {
		if row[i].IsNull() {
			continue
		}
		known = append(known, row[i])
		if r, ok := new(big.Rat).SetString(row[i].String()); ok {
			sum.Add(sum, r)
		}
		if _, fraction, _ := strings.Cut(row[i].String(), "."); how == "sum" {
			deepest = max(deepest, len(fraction))
		}
	}
	switch {
	case name == s.Time:
		return moment(begin), nil
	case name == s.End:
		return moment(end), nil
	case how == "category" || gridOf(column) != view.Exact:
		return groupValue(s, rows[0], column), nil
	case how == "count":
		return record.Int(int64(len(known))), nil
	case len(known) == 0:
		return record.Null, nil
	case how == "min":
		return slices.MinFunc(known, record.Value.Compare), nil
	case how == "max":
		return slices.MaxFunc(known, record.Value.Compare), nil
	case how == "sum" && s.Fields[i].Type == record.Integer:
		if !sum.Num().IsInt64() {
			return record.Null, fmt.Errorf("%s does not fit", column)
		}
		return record.Int(sum.Num().Int64()), nil
	case how == "mean":
		deepest = 6
		sum.Quo(sum, new(big.Rat).SetInt64(int64(len(known))))
	}
	for ; deepest >= 0; deepest-- {
		if text := halfEven(sum, deepest); len(strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(text), "0")) <= 18 {
			return record.ParseDec(text)
		}
	}
	return record.Null, fmt.Errorf("%s does not fit", column)
}

// halfEven spells a fraction with so many digits behind the point.
func halfEven(r *big.Rat, digits int) string {
	ten := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil))
	scaled := new(big.Rat).Mul(r, ten)
	down := new(big.Int).Div(scaled.Num(), scaled.Denom()) // towards minus infinity
	rest := new(big.Rat).Sub(scaled, new(big.Rat).SetInt(down))
	if c := rest.Cmp(big.NewRat(1, 2)); c > 0 || c == 0 && down.Bit(0) == 1 {
		down.Add(down, big.NewInt(1))
	}
	return new(big.Rat).Quo(new(big.Rat).SetInt(down), ten).FloatString(digits)
}
