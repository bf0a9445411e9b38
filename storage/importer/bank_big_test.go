// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// camtBegins is how a statement begins.
var camtBegins = strings.SplitAfter(camtOf(camtStmt()), "</GrpHdr>")[0]

// endless is a beginning, and then one text again and again, up to a size.
func endless(start, again string, size int64) *Source {
	open := func() (io.ReadCloser, error) {
		r := io.MultiReader(strings.NewReader(start), &repeating{s: again})
		return io.NopCloser(io.LimitReader(r, size)), nil
	}
	return Stream("big", -1, open, Options{Dates: "dmy"})
}

func TestTooLargeStatements(t *testing.T) {
	for _, start := range []string{ofxOf(""), camtBegins, "!Type:Bank\n", "Date;Label;Amount\n"} {
		src := endless(start, "\n", 1<<30)
		src.Head.Size = 1 << 30
		if r, err := Read(t.Context(), src, &Sink{}); err != nil || r.Refused == nil || r.Refused.Code != "too-large" {
			t.Errorf("%.20q: %v, refused %v", start, err, r.Refused)
		}
	}
}

// Whatever a file without end holds, it is refused within seconds and in
// little memory.
func TestBankFilesWithoutEnd(t *testing.T) {
	for name, c := range map[string]struct{ start, again, code string }{
		"a name":       {"<OFX><STMTTRN><NAME>", "x", "no-account"},
		"a tag":        {"<OFX><STMTRS><", "x", "line-too-long"},
		"a comment":    {"<OFX><STMTRS><!--", "- ", "line-too-long"},
		"a leaf":       {ofxOf("")[:200] + "<STMTTRN><NAME>", "x", "line-too-long"},
		"an element":   {camtBegins + "<Stmt><Ntry><Amt>", "9", "line-too-long"},
		"elements":     {camtBegins + "<Stmt><Ntry>", "<a>b</a>", "too-large"},
		"depth":        {camtBegins, "<Stmt>", "too-deep"},
		"a line":       {"!Type:Bank\nD1/1/26\nT", "1", "line-too-long"},
		"a value":      {"Date;Libellé;Montant\n13/01/2026;\"", "x", "line-too-long"},
		"many columns": {"Date;Libellé;Montant\n", ";", "line-too-long"},
	} {
		t.Run(name, func(t *testing.T) {
			size := int64(maxStatement)
			began := time.Now()
			var peak, m runtime.MemStats
			src := endless(c.start, c.again, size)
			src.Progress = func(_ string, read, _ int64) {
				if read%(16<<20) < 4096 {
					runtime.ReadMemStats(&m)
					peak.HeapAlloc = max(peak.HeapAlloc, m.HeapAlloc)
				}
			}
			r, err := Read(context.Background(), src, &Sink{})
			if err != nil || r.Refused == nil || r.Refused.Code != c.code {
				t.Errorf("%v, refused %v, want %s", err, r.Refused, c.code)
			}
			if peak.HeapAlloc > 128<<20 {
				t.Errorf("%d MiB", peak.HeapAlloc>>20)
			}
			t.Logf("%d MiB refused after %v, heap up to %d MiB", size>>20, time.Since(began).Round(time.Millisecond), peak.HeapAlloc>>20)
		})
	}
}

// BenchmarkBankFormats reads a statement of ten years.
func BenchmarkBankFormats(b *testing.B) {
	list := make([]payment, 15_000)
	for i := range list {
		list[i] = payment{1 + i%31, 100 + i, "CARTE 12/01 SHOP"}
	}
	for format, write := range writers {
		in := []byte(write(list))
		b.Run(format, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				rows := 0
				r, err := Read(context.Background(), Content("x", in, Options{Dates: "dmy"}), &Sink{Take: func(*record.Schema, record.Row) error { rows++; return nil }})
				if err != nil || r.Refused != nil || rows < len(list) {
					b.Fatal(err, r.Refused, rows)
				}
			}
			b.ReportMetric(float64(len(list))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
