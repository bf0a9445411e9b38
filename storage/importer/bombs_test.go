// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What no file may cost, whatever its bytes are.
const (
	mostMemory = 256.0 // MiB, of the whole process
	mostTime   = 10 * time.Second
)

// bomb is a file that is made to do harm, of size bytes: a beginning, then the
// same for ever.
type bomb struct{ name, start, again string }

const gigabyte = 1 << 30

var bombs = []bomb{
	{"one line", "x", "x"},
	{"one line of separators", "Date;Montant\n", ";"},
	{"a quote that never closes", "Date;Libelle;Montant\n01/02/2026;\"", "x\n"},
	{"a JSON text", `{"locations":[{"timestamp":"`, "x"},
	{"a JSON number", `[{"value":`, "1"},
	{"deep JSON", "", "["},
	{"deep JSON objects", "", `{"a":`},
	{"an XML attribute", `<?xml version="1.0"?><gpx><trk><trkseg><trkpt lat="`, "1"},
	{"an XML text", `<?xml version="1.0"?><Document><BkToCstmrStmt><Stmt><Ntry><Amt>`, "1"},
	{"deep XML", `<?xml version="1.0"?>`, "<a>"},
	{"an XML comment", `<?xml version="1.0"?><gpx><!--`, "x<"},
	{"XML entities", `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><gpx>&b;`, "&b;"},
	{"an OFX leaf", "OFXHEADER:100\n\n<OFX><STMTTRN><NAME>", "x"},
	{"deep OFX", "OFXHEADER:100\n\n<OFX>", "<A>"},
	{"a QIF line", "!Type:Bank\nD", "x"},
	{"NUL", "", "\x00"},
	{"a NUL after text", "Date;Montant\n" + strings.Repeat("01/02/2026;1\n", 6000), "\x00"},
	{"a PDF", "%PDF-1.7\n", "1 0 obj\n"},
}

// long are those that go on without anything being wrong in them: what they
// cost is theirs, but not in memory.
var long = []bomb{
	{"lines", "", "x\n"},
	{"rows", "Date;Libelle;Montant\n", "01/02/2026;x;y\n"},
	{"JSON elements", `{"locations":[{}`, `,{"x":[1]}`},
	{"JSON array", `[{}`, `,{"x":[1]}`},
	{"XML elements", `<gpx><trk><trkseg>`, `<trkpt lat="x"/>`},
	{"statements", `<Document><BkToCstmrStmt>`, `<Stmt><Ntry/></Stmt>`},
	{"OFX elements", "OFXHEADER:100\n\n<OFX><BANKTRANLIST>", "<STMTTRN>\n"},
	{"QIF records", "!Type:Bank\n", "Dx\n^\n"},
}

func (b bomb) source(size int64, as string) *Source {
	open := func() (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(io.MultiReader(strings.NewReader(b.start), repeat(b.again)), size)), nil
	}
	return Stream(b.name, size, open, Options{As: as})
}

// TestBombs: no format, asked for by name, takes more than 256 MiB or 10 s of
// a file of a gigabyte that is made to do harm, and each is refused. It runs in
// a process of its own, whose peak it can tell.
func TestBombs(t *testing.T) {
	if os.Getenv("TRABOULE_BOMBS") == "" {
		self := exec.Command(os.Args[0], "-test.run=^TestBombs$", "-test.v")
		self.Env = append(os.Environ(), "TRABOULE_BOMBS=1")
		out, err := self.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "peak") {
				t.Log(strings.TrimSpace(line))
			}
		}
		return
	}
	for _, b := range bombs {
		took := bombAll(t, b, gigabyte, true)
		t.Logf("%s: peak %.0f MiB, the slowest %v", b.name, memory(t), took.Round(time.Millisecond))
	}
	size := int64(128 << 10)
	if os.Getenv("TRABOULE_SOAK") != "" {
		size = 64 << 20
	}
	for _, b := range long {
		took := bombAll(t, b, size, false)
		t.Logf("%d KiB of %s: peak %.0f MiB, the slowest %v", size>>10, b.name, memory(t), took.Round(time.Millisecond))
	}
}

// bombAll reads a bomb by each format, and tells how long the slowest took.
func bombAll(t *testing.T, b bomb, size int64, must bool) (slowest time.Duration) {
	names := []string{""}
	for _, f := range Formats {
		names = append(names, f.Name)
	}
	for _, name := range names {
		begun := time.Now()
		r, err := Read(context.Background(), b.source(size, name), &Sink{})
		took := time.Since(begun)
		slowest = max(slowest, took)
		switch {
		case err != nil:
			t.Errorf("%s as %q: %v", b.name, name, err)
		case r.Refused == nil && must:
			t.Errorf("%s as %q: taken", b.name, name)
		case r.Refused != nil && r.Refused.Code == "importer-failed":
			t.Errorf("%s as %q: %v", b.name, name, r.Refused)
		case must && took > mostTime:
			t.Errorf("%s as %q: %v", b.name, name, took)
		}
		if m := memory(t); m > mostMemory {
			t.Fatalf("%s as %q: %.0f MiB", b.name, name, m)
		}
	}
	return slowest
}

func memory(t *testing.T) float64 {
	t.Helper()
	m, ok := peakMemory()
	if !ok {
		t.Skip("only Linux tells a process how much memory it had at most")
	}
	return m
}

// TestBadInput: each bad file is refused for its own reason.
func TestBadInput(t *testing.T) {
	statement := "Date;Libellé;Montant\n01/02/2026;Boulangerie;-1,20\n"
	for name, tt := range map[string]struct{ in, want string }{
		"nothing":                    {"", "empty"},
		"a picture":                  {"\x89PNG\r\n\x1a\n\x00\x00", "unknown-format"},
		"a page of a login":          {"<!DOCTYPE html><html><body>Connectez-vous</body></html>", "unknown-format"},
		"a truncated zip":            {zipped(t, "a.csv", statement)[:60], "zip-broken"},
		"an old spreadsheet":         {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "unknown-format"},
		"another language":           {"Fecha;Concepto;Importe;Saldo\n13/01/2026;COMPRA;-1,20;10,00\n", "unknown-format"},
		"a spreadsheet of something": {sheetOf(t, `<row r="1"><c r="A1" t="inlineStr"><is><t>Nom</t></is></c></row>`), "unknown-table"},
	} {
		r, err := readContent(t, tt.in, Options{})
		if err != nil || r.Refused == nil || r.Refused.Code != tt.want {
			t.Errorf("%s: %v, %v, want %s", name, r.Refused, err, tt.want)
		}
	}
}

// TestZipBombs: zips that unfold to more than they can hold, of whatever make.
func TestZipBombs(t *testing.T) {
	zeros := strings.Repeat("0", 32<<20)
	var many []string
	for i := range MaxMembers + 1 {
		many = append(many, fmt.Sprint(i), "")
	}
	for name, in := range map[string]string{
		"zeros":           zipped(t, "a", zeros),
		"a few of them":   zipped(t, "a", zeros[:20<<20], "b", zeros[:20<<20]),
		"in a zip":        zipped(t, "inner.zip", zipped(t, "a", zeros)),
		"in a zip twice":  zipped(t, "o.zip", zipped(t, "i.zip", zipped(t, "a", "x"))),
		"many":            zipped(t, many...),
		"lies about size": lying(zipped(t, "a.csv", zeros)),
		"as a sheet":      zipped(t, "xl/workbook.xml", zeros),
	} {
		path := filepath.Join(t.TempDir(), "bomb.zip")
		if err := os.WriteFile(path, []byte(in), 0o600); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		for _, got := range outcomes(t, path) {
			if !slices.ContainsFunc([]string{": zip-bomb", ": zip-too-deep", ": zip-too-many", ": zip-broken", ": unreadable", ": cut"}, func(s string) bool { return strings.HasSuffix(got, s) }) {
				t.Errorf("%s: %s", name, got)
			}
		}
		if took := time.Since(begun); took > mostTime {
			t.Errorf("%s: %v", name, took)
		}
	}
}

// lying says in the zip's tables that the content is a byte long.
func lying(z string) string {
	b := []byte(z)
	for i := range b {
		switch string(b[i:min(i+4, len(b))]) {
		case "PK\x01\x02":
			copy(b[i+24:], []byte{1, 0, 0, 0})
		case "PK\x03\x04":
			copy(b[i+22:], []byte{1, 0, 0, 0})
		}
	}
	return string(b)
}
