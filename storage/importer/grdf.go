// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// grdfJSON reads what the customer's account at GRDF answers: for each meter a
// list of readings, of single gas days ("informatives") or of billing periods
// ("publiées"), which lie over the days and are another kind. Their times have
// an offset of 0 all year, which is not so: the gas day counts. The difference
// of the readings may be one off the volume. What is marked as absent is no data,
// whatever figures it carries.
var grdfJSON = Format{Name: "grdf-json", Read: readGRDFJSON, Fits: func(h Head) Fit {
	has := func(s string) bool { return strings.Contains(h.Text, `"`+s+`"`) }
	switch {
	case !startsJSON(h):
		return No
	case has("journeeGaziere"), has("releves") && (has("idPce") || has("dateDebutReleve")):
		return Sure
	}
	return No
}}

// gasRows are where what was read of gas goes.
type gasRows struct {
	to            *Sink
	zone          *time.Location
	days, periods *Rows
}

func newGasRows(to *Sink, zone *time.Location) *gasRows {
	return &gasRows{
		to: to, zone: zone,
		days:    to.Rows("gas-daily", "meter", "day", "start", "end", "volume", "energy", "coefficient", "indexStart", "indexEnd", "temperature", "quality"),
		periods: to.Rows("gas-period", "meter", "nature", "start", "end", "volume", "energy", "coefficient", "indexStart", "indexEnd", "quality"),
	}
}

// gasReading is one reading of gas, its figures as they are spelt.
type gasReading struct {
	line                                          int
	meter                                         record.Value
	start, end                                    record.Value // days; the end is the first day after
	volume, energy, coefficient, from, to, degree string
	quality, nature                               string
	period                                        bool // not a single gas day
}

// at is six in the morning of a day, when a gas day begins.
func (g *gasRows) at(day record.Value) record.Value {
	y, m, d := day.Time().Date()
	return record.At(time.Date(y, m, d, 6, 0, 0, 0, g.zone))
}

func (g *gasRows) add(r gasReading) error {
	if strings.Contains(Fold(r.quality), "absence") {
		g.to.Reject(r.line, Why("no-data", "value", clip(r.quality)))
		return nil
	}
	var v [6]record.Value
	for i, s := range []string{r.volume, r.energy, r.coefficient, r.from, r.to, r.degree} {
		var err error
		if v[i], err = Number(s, 0); err != nil {
			g.to.Reject(r.line, err)
			return nil
		}
	}
	if v[0].IsNull() && v[1].IsNull() {
		g.to.Reject(r.line, Why("no-value"))
		return nil
	}
	if r.end.Days() <= r.start.Days() {
		g.to.Reject(r.line, Why("ends-first"))
		return nil
	}
	quality := record.Str(r.quality)
	if r.period {
		return g.periods.Add(r.line, r.meter, record.Str(r.nature), g.at(r.start), g.at(r.end), v[0], v[1], v[2], v[3], v[4], quality)
	}
	return g.days.Add(r.line, r.meter, r.start, g.at(r.start), g.at(r.end), v[0], v[1], v[2], v[3], v[4], v[5], quality)
}

func readGRDFJSON(_ context.Context, s *Source, to *Sink) error {
	zone, err := s.Location()
	if err != nil {
		return err
	}
	j, err := s.JSON()
	if err != nil {
		return err
	}
	defer j.Close()
	g := newGasRows(to, zone)
	if err := g.meter(j, "", 0); err != nil {
		return err
	}
	return j.Finish()
}

// meter reads an object that has readings, or objects that have.
func (g *gasRows) meter(j *JSON, id string, depth int) error {
	c, err := j.space()
	if err != nil {
		return j.cut(err)
	}
	if c != '{' || depth > 3 {
		return j.Skip() // not ours
	}
	return j.Object(func(name string) error {
		switch name {
		case "releves":
			return j.Array(func(int) error {
				tree, err := j.Tree(HeadSize)
				if err != nil {
					return err
				}
				return g.releve(j.Line(), id, tree)
			})
		case "idPce":
			s, _, err := j.Scalar()
			id = s
			return err
		}
		inner := id
		if depth == 0 {
			inner = name
		}
		return g.meter(j, inner, depth+1)
	})
}

// releve reads one reading.
func (g *gasRows) releve(line int, id string, tree any) error {
	m, ok := tree.(map[string]any)
	if !ok {
		g.to.Reject(line, Why("no-value"))
		return nil
	}
	say := func(name string) string { return branch{m[name]}.say() }
	r := gasReading{
		line: line, meter: shorten(id), volume: say("volumeBrutConsomme"), energy: say("energieConsomme"), coefficient: say("coeffConversion"),
		from: say("indexDebut"), to: say("indexFin"), degree: say("temperature"), quality: say("qualificationReleve"), nature: say("natureReleve"),
	}
	if r.volume == "" {
		r.volume = say("volumeConverti")
	}
	var err error
	if day := say("journeeGaziere"); day != "" {
		r.start, err = Date(day, "ymd")
		r.end = record.Days(r.start.Days() + 1)
	} else if r.start, err = Date(say("dateDebutReleve"), "ymd"); err == nil {
		r.end, err = Date(say("dateFinReleve"), "ymd")
		r.period = true
	}
	if err != nil {
		g.to.Reject(line, err)
		return nil
	}
	return g.add(r)
}

// grdfSheet reads the spreadsheets of the same account, by day, week, month or
// year. Their first column is empty, and some lines of words come first.
var grdfSheet = Format{Name: "grdf-xlsx", Read: readGRDFSheet, Fits: func(h Head) Fit {
	if isSheet(h) {
		return Likely
	}
	return No
}}

// grdfColumns are what the columns of a sheet are, by how their headings begin
// when folded.
var grdfColumns = []struct{ start, is string }{
	{"index de debut", "from"}, {"index de fin", "to"}, {"volume", "volume"}, {"energie", "energy"}, {"consommation (kwh)", "energy"},
	{"coefficient", "coefficient"}, {"temperature", "degree"}, {"qualification", "quality"},
	{"date de releve", "date"}, {"journee gaziere", "date"}, {"periode", "date"}, {"semaine", "date"}, {"mois", "date"}, {"annee", "date"}, {"releves par", "date"},
}

func readGRDFSheet(_ context.Context, s *Source, to *Sink) error {
	zone, err := s.Location()
	if err != nil {
		return err
	}
	g := newGasRows(to, zone)
	var columns map[string]int
	seen := ""
	err = s.Sheet(func(n int, cells []string) error {
		if columns == nil {
			if seen == "" {
				seen = strings.Join(strings.Fields(strings.Join(cells, " ")), " ")
			}
			columns = grdfHeading(cells)
			return nil
		}
		return g.sheetRow(n, columns, cells)
	})
	if err == nil && columns == nil {
		return Why("unknown-table", "seen", clip(seen))
	}
	return err
}

// grdfHeading finds the columns in the line of headings; nil for another line.
func grdfHeading(cells []string) map[string]int {
	found := map[string]int{}
	for i, cell := range cells {
		for _, c := range grdfColumns {
			if _, is := found[c.is]; !is && strings.HasPrefix(Fold(cell), c.start) {
				found[c.is] = i
				break
			}
		}
	}
	_, volume := found["volume"]
	_, energy := found["energy"]
	if _, date := found["date"]; !date || !volume && !energy {
		return nil
	}
	return found
}

func (g *gasRows) sheetRow(n int, columns map[string]int, cells []string) error {
	say := func(name string) string {
		if i, ok := columns[name]; ok {
			return Plain(valueAt(cells, i))
		}
		return ""
	}
	if say("date") == "" && say("volume") == "" && say("energy") == "" {
		return nil
	}
	r := gasReading{line: n, volume: say("volume"), energy: say("energy"), coefficient: say("coefficient"), from: say("from"), to: say("to"), degree: say("degree"), quality: say("quality")}
	var err error
	if r.start, r.end, r.nature, err = gasSpan(say("date")); err != nil {
		g.to.Reject(n, err)
		return nil
	}
	r.period = r.nature != ""
	return g.add(r)
}

var (
	fromTo    = regexp.MustCompile(`(?i)^du (\d{1,2}/\d{1,2}/\d{4}) au (\d{1,2}/\d{1,2}/\d{4})$`)
	monthYear = regexp.MustCompile(`^(\pL+)\.? (\d{4})$`)
	yearAlone = regexp.MustCompile(`^(\d{4})$`)
)

// gasSpan reads the days that a row is about: "24/11/2020", "Du 18/11/2019 au
// 24/11/2019", "Novembre 2020", "2020". nature is "" for a single day.
func gasSpan(s string) (start, end record.Value, nature string, err error) {
	if m := fromTo.FindStringSubmatch(s); m != nil {
		if start, err = Date(m[1], "dmy"); err == nil {
			end, err = Date(m[2], "dmy")
		}
		return start, record.Days(end.Days() + 1), "semaine", err
	}
	if m := monthYear.FindStringSubmatch(s); m != nil {
		if month, ok := Month(m[1]); ok {
			return record.On(num(m[2]), time.Month(month), 1), record.On(num(m[2]), time.Month(month+1), 1), "mois", nil
		}
	}
	if m := yearAlone.FindStringSubmatch(s); m != nil {
		return record.On(num(m[1]), 1, 1), record.On(num(m[1])+1, 1, 1), "année", nil
	}
	start, err = Date(s, "dmy")
	return start, record.Days(start.Days() + 1), "", err
}

var dayNumbers = regexp.MustCompile(`^\s*\{\s*"\d{4}-\d\d-\d\d"\s*:\s*-?[\d."n]`)

// daysJSON refuses days with a number each, as GRDF answers for temperatures: the
// file says neither what they measure nor where.
var daysJSON = Format{
	Name: "days-json",
	Fits: func(h Head) Fit {
		if dayNumbers.MatchString(h.Text) {
			return Likely
		}
		return No
	},
	Read: func(context.Context, *Source, *Sink) error { return Why("days-without-meaning") },
}
