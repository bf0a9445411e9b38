// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/node"
)

// roundsOfOne is how many imports go into the same data sets before they are
// removed and begun anew.
const roundsOfOne = 4

// paper makes the files that a folder is imported from: each time of another
// stretch of time.
type paper struct {
	k     *killing
	round int
}

// folder is three files in the order in which they are read: a statement, one
// that has half of it, and a large table, each with rows of two kinds.
func (p *paper) folder() (dir string, files []string) {
	p.k.Helper()
	p.round++
	dir = p.k.TempDir()
	for i, content := range []string{p.statement(0, 200), p.statement(100, 300), p.positions()} {
		path := filepath.Join(dir, fmt.Sprintf("%d.%s", i, []string{"ofx", "ofx", "csv"}[i]))
		must(p.k.T, os.WriteFile(path, []byte(content), 0o600))
		files = append(files, path)
	}
	return dir, files
}

// statement has movements from one to another, each of them twice: two equal
// payments are two.
func (p *paper) statement(from, to int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nCHARSET:1252\n\n<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>EUR\n"+
		"<BANKACCTFROM><BANKID>30002<ACCTID>%010d<ACCTTYPE>CHECKING</BANKACCTFROM>\n<BANKTRANLIST><DTSTART>20200101<DTEND>20261231\n", p.round%3)
	for i := from; i < to; i++ {
		day := time.Date(2020, 1, 1+i, 0, 0, 0, 0, time.UTC).Format("20060102")
		for range 2 {
			fmt.Fprintf(&b, "<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>%s<TRNAMT>-%d,%02d<NAME>SHOP %d</STMTTRN>\n", day, p.round, i%100, i)
		}
	}
	return b.String() + "</BANKTRANLIST></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>\n"
}

// positions is a table of up to some thousands, with a visit in a hundred.
func (p *paper) positions() string {
	var b strings.Builder
	b.WriteString("Type,Name,Latitude,Longitude,Start Time,End Time\n")
	begin := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, 7*p.round)
	for i := range 500 + p.k.random.IntN(6000) {
		at := begin.Add(time.Duration(i) * time.Minute)
		kind, end := "Activity", ""
		if i%100 == 0 {
			kind, end = "Visit", at.Add(40*time.Second).Format(time.RFC3339)
		}
		fmt.Fprintf(&b, "%s,,45.%05d,4.%05d,%s,%s\n", kind, p.k.random.IntN(1e5), p.k.random.IntN(1e5), at.Format(time.RFC3339), end)
	}
	return b.String()
}

// recordsAt is what the data sets of records at a node hold: of each the digest of
// its rows as an export writes them. One that is listed and empty is a failure.
func recordsAt(t *testing.T, c node.Caller) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, d := range do(t, c, node.List, node.None{}).Datasets {
		if d.Records == nil || d.Records.Rows == 0 || d.Versions == 0 {
			t.Fatalf("the data set %s is listed, with nothing in it: %+v", d.Name, d)
		}
		found[d.Name] = ""
	}
	to := filepath.Join(t.TempDir(), "export")
	for _, d := range do(t, c, node.Export, node.ExportRequest{To: to}).Datasets {
		sum := sha256.New()
		for _, file := range []string{"schema.json", "rows.csv", "rows.jsonl"} {
			content, err := os.ReadFile(filepath.Join(to, d.Folder, file))
			must(t, err)
			fmt.Fprintf(sum, "%d ", len(content))
			sum.Write(content)
		}
		found[d.Name] = fmt.Sprintf("%d rows, %s", d.Rows, hex.EncodeToString(sum.Sum(nil)))
	}
	must(t, os.RemoveAll(to))
	return found
}

// killImporting: of each file all rows are there, of every kind, or none; no
// data set is there that is empty; and the same import again ends with what one
// has that nothing disturbed.
func killImporting(k *killing) {
	k.prepare()
	calm := openHome(k.T, makeHome(k.T), nil)
	source := &paper{k: k}
	states, last := []map[string]string{{}}, 0 // after each file, undisturbed, and which the killed node was at
	cuts := map[int]int{}
	for i := range k.kills {
		if i%roundsOfOne == 0 {
			removeAll(k.T, calm)
			removeAll(k.T, k.Client)
			states, last = []map[string]string{{}}, 0
		}
		dir, files := source.folder()
		states = states[last:]
		for _, file := range files {
			do(k.T, calm, node.Import, node.ImportRequest{Paths: []string{file}})
			states = append(states, recordsAt(k.T, calm))
		}
		last = len(files)
		request := node.ImportRequest{Paths: []string{dir}}
		acknowledged := k.killDuring(perform(k.Client, node.Import, request))
		at := k.among(states, acknowledged)
		cuts[at]++
		again := do(k.T, k.Client, node.Import, request)
		k.among(states[last:], true)
		k.wantNew(again, at)
		k.sound()
		must(k.T, os.RemoveAll(dir))
	}
	k.Logf("of three files, so many were there after so many of the kills: %v", cuts)
}

// among says after how many of the files a node was as the killed one is; if
// all was acknowledged it is after the last.
func (k *killing) among(states []map[string]string, acknowledged bool) int {
	k.Helper()
	found, last := recordsAt(k.T, k.Client), len(states)-1
	for i, state := range states {
		if cmp.Equal(found, state) && (i == last || !acknowledged) {
			return i
		}
	}
	k.Fatalf("after an import (acknowledged: %v) there is what no number of whole files gives; against all of them (-want +found):\n%.2000s", acknowledged, cmp.Diff(states[last], found))
	return 0
}

// wantNew fails if an import found new rows in files that were there whole, or
// none in one that was not.
func (k *killing) wantNew(r node.ImportResult, there int) {
	k.Helper()
	if r.Stopped != nil || len(r.Files) != 3 {
		k.Fatalf("the same import again: %+v", r)
	}
	for i, f := range r.Files {
		changed := 0
		for _, kind := range f.Kinds {
			changed += kind.New + kind.Corrected
		}
		if f.Refused != nil || f.RejectedRows > 0 || (changed > 0) != (i >= there) {
			k.Fatalf("the same import again, with %d files there: %d rows of %s are new or others (%+v)", there, changed, f.File, f)
		}
	}
}

func removeAll(t *testing.T, c node.Caller) {
	t.Helper()
	for _, d := range do(t, c, node.List, node.None{}).Datasets {
		do(t, c, node.Remove, node.NameRequest{Name: d.Name})
	}
}

// sharing is a giver with a meter, of which somebody else gets a view.
type sharing struct {
	k      *killing
	view   node.QueryRequest
	days   int // that a round has more of
	rounds int
}

// readings imports some days of half-hours more, the last of which the file
// before had with other values.
func (s *sharing) readings(giver node.Caller) {
	s.k.Helper()
	var b strings.Builder
	b.WriteString("direction,start,end,energy\n")
	begin := time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, s.rounds*(s.days-1))
	s.rounds++
	for i := range 48 * s.days {
		at := begin.Add(time.Duration(i) * 30 * time.Minute)
		fmt.Fprintf(&b, "consumption,%s,%s,0.%03d\n", at.Format(time.RFC3339), at.Add(30*time.Minute).Format(time.RFC3339), s.k.random.IntN(1000))
	}
	path := filepath.Join(s.k.TempDir(), "meter.csv")
	must(s.k.T, os.WriteFile(path, []byte(b.String()), 0o600))
	r := do(s.k.T, giver, node.Import, node.ImportRequest{Paths: []string{path}, As: "electricity-load-curve", Into: "meter"})
	if r.Files[0].Refused != nil || r.Files[0].RejectedRows > 0 {
		s.k.Fatalf("%+v", r.Files[0])
	}
}

// grant gives the view anew, by which it is of what is there now, and says what
// the giver is shown of it.
func (s *sharing) grant(giver node.Caller) (given node.GrantResult, shown *node.ViewPreview, rows []string) {
	s.k.Helper()
	ask := node.GrantRequest{Name: "meter", To: "Camille", View: s.view}
	given = do(s.k.T, giver, node.Grant, ask)
	ask.Preview = true
	return given, do(s.k.T, giver, node.Grant, ask).Preview, s.rows(giver, s.view)
}

// rows are those of the meter at a node, nil if it is not there.
func (s *sharing) rows(c node.Caller, q node.QueryRequest) (rows []string) {
	s.k.Helper()
	there := false
	for _, d := range do(s.k.T, c, node.List, node.None{}).Datasets {
		there = there || d.Name == "meter" && d.Records != nil
		if d.Versions == 0 {
			s.k.Fatalf("%s is listed, with nothing in it", d.Name)
		}
	}
	if !there {
		return nil
	}
	q.Name, q.Format = "meter", "jsonl"
	var b bytes.Buffer
	_, err := node.Query.Do(s.k.Context(), c, q, func(p node.Progress) { b.Write(p.Part) })
	must(s.k.T, err)
	for line := range strings.Lines(b.String()) {
		rows = append(rows, line)
	}
	return rows
}

// received fails unless the grantee has what it was to get or, when nothing was
// acknowledged, what it had before.
func (s *sharing) received(taker node.Caller, want, before []string, acknowledged bool) []string {
	s.k.Helper()
	found := s.rows(taker, node.QueryRequest{})
	if !cmp.Equal(found, want) && (acknowledged || !cmp.Equal(found, before)) {
		s.k.Fatalf("the grantee (acknowledged: %v) has %d rows, of which it was to have %d and had %d (-want +found):\n%.2000s",
			acknowledged, len(found), len(want), len(before), cmp.Diff(want, found))
	}
	return found
}

// fetched fetches undisturbed: what comes, if it is not there yet, is what the
// preview shows.
func (s *sharing) fetched(taker node.Caller, link string, shown *node.ViewPreview) {
	s.k.Helper()
	r := do(s.k.T, taker, node.Fetch, node.FetchRequest{Grant: link})
	if !r.Unchanged && (r.Content != shown.Content || int(r.Rows) != shown.Rows) {
		told, _ := json.Marshal(r) // of texts and numbers
		s.k.Fatalf("the preview shows %d rows, %s, and what is fetched is %s", shown.Rows, shown.Content, told)
	}
}

// killViewGiver: days of a meter come whole, and are those of the preview, and
// the giver knows of each time that they were handed out.
func killViewGiver(k *killing) {
	k.prepare()
	taker := k.neighbour()
	s := &sharing{k: k, view: node.QueryRequest{Columns: []string{"start", "energy/sum"}, By: "day"}, days: 20}
	var before []string
	for range k.kills {
		s.readings(k.Client)
		given, shown, want := s.grant(k.Client)
		acknowledged := k.killDuring(perform(taker, node.Fetch, node.FetchRequest{Grant: given.Link}))
		s.received(taker, want, before, acknowledged)
		s.fetched(taker, given.Link, shown)
		before = s.received(taker, want, nil, true)
		if line := grantOf(k, given.Grant.ID); line.Deliveries == 0 || int(line.Rows) != shown.Rows {
			k.Fatalf("%d rows were handed out, and the giver knows of %d", shown.Rows, line.Rows)
		}
	}
	k.sound()
}

// killViewTaker: rows as they are come whole, and what has come stays.
func killViewTaker(k *killing) {
	k.prepare()
	giver := openHome(k.T, makeHome(k.T), nil)
	introduce(k.T, giver, k.Client, "Alice", "Camille")
	s := &sharing{k: k, view: node.QueryRequest{Columns: []string{"start", "end", "energy"}}, days: 4}
	var before []string
	for range k.kills {
		s.readings(giver)
		given, shown, want := s.grant(giver)
		acknowledged := k.killDuring(perform(k.Client, node.Fetch, node.FetchRequest{Grant: given.Link}))
		s.received(k.Client, want, before, acknowledged)
		s.fetched(k.Client, given.Link, shown)
		before = s.received(k.Client, want, nil, true)
		k.sound()
	}
}
