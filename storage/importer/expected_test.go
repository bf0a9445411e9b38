// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"bufio"
	"context"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// differences are the samples that we read otherwise than the independent
// reading, with the reason. No line of high confidence may be among them but by
// what its own notes allow.
var differences = map[string]string{
	"geo/csv_quoted_headers.csv":                 "the latest instant of a visit is its end, which the line has in its notes",
	"geo/gpxgo_gpx-without-xml-declaration.gpx":  "instants are kept to a microsecond, not to ten nanoseconds",
	"geo/overland_geodata.json":                  "Overland is read, as the notes allow: one point, and one feature without a place is rejected",
	"geo/polarsteps_locations.json":              "Polarsteps is read: the three points of the notes",
	"geo/polarsteps_segments.json":               "Polarsteps is read: the two places of the notes, with arrival and departure",
	"geo/tcx_running.tcx":                        "TCX is read: the one position of the notes",
	"bank-ofx/libofx_ofx-2.1.1-sect-13.12.ofx":   "an investment statement is refused with the one cash movement in it: without the purchases beside it that would be half of the account",
	"bank-csv/gnucash_invoice.csv":               "refused as a file that no importer knows: nothing in it says what it is, a bank statement least of all",
	"bank-csv/oca_sample_statement_en.csv":       "the currency column names the currency of the other amount beside it, as its author says; the other reading (USD -33.50, EUR 1525.00) takes it for the account's",
	"mesinfos/consommation_linky_demiheure.json": "the unit stands nowhere: of the two readings of the line the custom for load curves is taken, watts, and the report says so",
	"bills-pdf/2019_Harmonie_7.50.pdf":           "the page has a second refund, paid a year before the statement: it is rejected with that reason, where the reading passes over it",
}

// mainKinds is what an expected kind is called here; what is not in it goes by
// its own name.
var mainKinds = map[string][]string{
	"bank-transactions": {"bank-operations"},
	"location":          {"positions", "visits"}, // trips say once more what positions do
	"invoice":           {"invoices"},
	"bill-pdf":          {"bills"},
	"bill":              {"bills"},
}

// sample is a line of the independent reading.
type sample struct {
	file, kind, outcome, rows, rejected, first, last, sums, confidence string
}

// samples reads the independent reading; the test that asks is skipped where it
// is not.
func samples(t testing.TB) []sample {
	t.Helper()
	f, err := os.Open(filepath.Join(samplesFolder, "EXPECTED.tsv"))
	if err != nil {
		t.Skip("exports of banks, meters and phones, not ours to copy; each format's own tests beside it make theirs")
	}
	defer f.Close()
	var list []sample
	for in := bufio.NewScanner(f); in.Scan(); {
		c := strings.Split(in.Text(), "\t")
		if strings.HasPrefix(in.Text(), "#") || len(c) < 10 || c[0] == "file" {
			continue
		}
		list = append(list, sample{c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8]})
	}
	return list
}

var samplesFolder = filepath.Join("..", "..", "..", "shared", "data")

// TestExpected holds what we read of every sample against an independent
// reading of it.
func TestExpected(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(s.file, func(t *testing.T) {
			got, faults := s.read(t)
			_, differs := differences[s.file]
			t.Log(got)
			switch {
			case differs && len(faults) == 0:
				t.Error("reads as expected: take it out of differences")
			case differs && s.confidence == "high":
				t.Errorf("a line of high confidence among the differences: %s", faults)
			case !differs && len(faults) > 0:
				t.Errorf("%s confidence: %s", s.confidence, strings.Join(faults, "; "))
			}
		})
	}
}

// read reads the sample and lists what is not as expected.
func (s sample) read(t *testing.T) (got string, faults []string) {
	fault := func(what, got, want string) {
		faults = append(faults, fmt.Sprintf("%s: %s, want %s", what, got, want))
	}
	var reports []*Report
	err := Files(context.Background(), filepath.Join(samplesFolder, filepath.FromSlash(s.file)), Options{}, func(src *Source) error {
		powers := powersOf{}
		r, err := Read(context.Background(), src, &Sink{Take: powers.take})
		powers.into(r)
		reports = append(reports, r)
		return err
	})
	if err != nil || len(reports) != 1 {
		return "", []string{fmt.Sprintf("%d files: %v", len(reports), err)}
	}
	r := reports[0]
	if r.Refused != nil {
		got = fmt.Sprintf("%s refused: %v", r.Format, r.Refused)
		if !strings.HasPrefix(s.outcome, "refuse") || r.Refused.Code == "unknown-format" || r.Refused.Code == "several-formats" {
			fault("outcome", got, s.outcome)
		}
		return got, faults
	}
	k := s.mainKind(r)
	got = fmt.Sprintf("%s: %s rows %d, rejected %d, %s to %s, sums %v, warnings %v", r.Format, k.Kind, k.Rows, r.RejectedRows, k.First, k.Last, k.Sums, r.Warnings)
	if strings.HasPrefix(s.outcome, "refuse") {
		fault("outcome", got, s.outcome)
	}
	if fmt.Sprint(k.Rows) != s.rows {
		fault("rows", fmt.Sprint(k.Rows), s.rows)
	}
	if fmt.Sprint(r.RejectedRows) != s.rejected {
		fault("rejected", fmt.Sprint(r.RejectedRows), s.rejected)
	}
	if first := moment(k, k.First, s.first, false); first != s.first && s.first != "-" {
		fault("first", first, s.first)
	}
	if last := moment(k, k.Last, s.last, true); last != s.last && s.last != "-" {
		fault("last", last, s.last)
	}
	return got, append(faults, s.sumFaults(k)...)
}

// mainKind is the report of the kind that the line is about; of several, one for
// all.
func (s sample) mainKind(r *Report) KindReport {
	kind, _, _ := strings.Cut(s.kind, " ")
	var main KindReport
	for _, k := range r.Kinds {
		switch {
		case k.Kind != kind && !slices.Contains(mainKinds[kind], k.Kind):
		case main.Schema == nil:
			main = k
		default:
			main.Rows += k.Rows
			main.Filled["place"] += k.Filled["place"]
			if k.First.Compare(main.First) < 0 {
				main.First = k.First
			}
			if k.Last.Compare(main.Last) > 0 {
				main.Last = k.Last
			}
		}
	}
	return main
}

// powersOf are the powers of contracts, which no report adds up.
type powersOf map[string]*big.Rat

func (p powersOf) take(kind *record.Schema, row record.Row) error {
	for i, f := range kind.Fields {
		if f.Unit == "KVA" && !row[i].IsNull() {
			if v, ok := new(big.Rat).SetString(row[i].String()); ok && p[kind.Kind] == nil {
				p[kind.Kind] = v
			} else if ok {
				p[kind.Kind].Add(p[kind.Kind], v)
			}
		}
	}
	return nil
}

func (p powersOf) into(r *Report) {
	for i, k := range r.Kinds {
		if v := p[k.Kind]; v != nil {
			r.Kinds[i].Sums = append(k.Sums, Total{Field: "power of all", Unit: "KVA", Sum: v.FloatString(3)})
		}
	}
}

// moment spells a value as the line does: of a day its beginning or its end,
// where the line has an instant.
func moment(k KindReport, v record.Value, want string, end bool) string {
	switch {
	case v.Type() == record.Day && strings.Contains(want, "T"):
		y, m, d := v.Time().Date()
		if end {
			d++
		}
		return time.Date(y, m, d, 0, 0, 0, 0, k.Schema.Location()).UTC().Format(time.RFC3339)
	case v.Type() == record.Instant && !strings.Contains(want, "T") && want != "-":
		return v.Time().In(k.Schema.Location()).Format(time.DateOnly)
	case v.Type() == record.Instant && !strings.Contains(want, "."):
		return v.Time().Truncate(time.Second).Format(time.RFC3339)
	}
	return v.String()
}

var (
	withUnit     = regexp.MustCompile(`^(-?[\d.]+) (kWh|m3|kVA|points?)\b`)
	withCurrency = regexp.MustCompile(`^(?:(grand|due) )?(?:([A-Z]{3}) )?(-?\d+(?:\.\d+)?)(?: \(currency not stated\)| refund.*)?$`)
)

// sumFaults holds the figures that the line names against the sums of the
// fields.
func (s sample) sumFaults(k KindReport) (faults []string) {
	for part := range strings.SplitSeq(s.sums, ";") {
		part = strings.TrimSpace(part)
		var want string
		var sums []string
		if m := withUnit.FindStringSubmatch(part); m != nil {
			want = m[1]
			sums = k.inUnit(m[2])
		} else if m := withCurrency.FindStringSubmatch(part); m != nil {
			want = m[3]
			sums = k.inCurrency(m[1], m[2])
		} else {
			continue
		}
		w, _ := new(big.Rat).SetString(want)
		if !slices.ContainsFunc(sums, func(sum string) bool { g, ok := new(big.Rat).SetString(sum); return ok && near(g, w, want) }) {
			faults = append(faults, fmt.Sprintf("sum %q: %v", part, sums))
		}
	}
	return faults
}

// near: the line may be rounded to the digits it shows.
func near(got, want *big.Rat, spelt string) bool {
	_, fraction, _ := strings.Cut(spelt, ".")
	half := new(big.Rat).SetFrac64(1, 2)
	for range fraction {
		half.Quo(half, big.NewRat(10, 1))
	}
	diff := new(big.Rat).Sub(got, want)
	return diff.Abs(diff).Cmp(half) <= 0
}

var unitCodes = map[string]string{"kWh": "KWH", "m3": "MTQ", "kVA": "KVA"}

func (k KindReport) inUnit(unit string) (sums []string) {
	if strings.HasPrefix(unit, "point") {
		return []string{fmt.Sprint(k.Filled["place"])}
	}
	for _, total := range k.Sums {
		if total.Unit == unitCodes[unit] {
			sums = append(sums, total.Sum)
		}
	}
	return sums
}

// inCurrency are the sums of amounts; a line that says grand or due names the
// field.
func (k KindReport) inCurrency(which, currency string) (sums []string) {
	fields := map[string][]string{"grand": {"grandTotal"}, "due": {"amountDue"}, "": {"amount", "price"}}[which]
	for _, total := range k.Sums {
		if slices.Contains(fields, total.Field) && total.Currency == currency {
			sums = append(sums, total.Sum)
		}
	}
	return sums
}
