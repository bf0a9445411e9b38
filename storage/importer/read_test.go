// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/traboule/traboule/storage/record"
)

// with makes formats the only ones while a test runs.
func with(t *testing.T, formats ...Format) {
	all := Formats
	Formats = formats
	t.Cleanup(func() { Formats = all })
}

// starting is a format of files that start so.
func starting(name, start string, fit Fit, read func(context.Context, *Source, *Sink) error) Format {
	return Format{Name: name, Read: read, Fits: func(h Head) Fit {
		if strings.HasPrefix(h.Text, start) {
			return fit
		}
		return No
	}}
}

// watts reads a number a line, each the watts of an hour.
func watts(_ context.Context, s *Source, to *Sink) error {
	rows := to.Rows("electricity-load-curve", "start", "end", "power", "energy")
	return s.Lines(func(n int, line string) error {
		if n == 1 {
			return nil
		}
		v, err := Number(line, 0)
		if err != nil {
			to.Reject(n, err)
			return nil
		}
		kwh, _ := v.Unscaled()
		if kwh < 0 {
			return Why("cut")
		}
		return rows.Add(n, record.Micros(int64(n)*3600e6), record.Micros(int64(n+1)*3600e6), v, record.Dec(kwh, 3))
	})
}

func readContent(t *testing.T, in string, o Options) (*Report, error) {
	t.Helper()
	return Read(context.Background(), Content("x", []byte(in), o), &Sink{})
}

func TestRead(t *testing.T) {
	with(t, starting("watts", "W", Sure, watts), starting("w", "Wo", Likely, watts), starting("a", "tie", Maybe, watts), starting("b", "tie", Maybe, watts),
		starting("bad", "bad", Sure, func(context.Context, *Source, *Sink) error { panic("a fault") }))
	r, err := readContent(t, "Wo\n250\nx\n1\n", Options{})
	if err != nil || r.Refused != nil {
		t.Fatal(err, r.Refused)
	}
	k := r.Kinds[0]
	got := fmt.Sprintln(r.Format, k.Rows, k.First, k.Last, k.Sums, r.RejectedRows, r.Rejected[0].Line, r.Rejected[0].Reason.Code)
	if want := "watts 2 1970-01-01T02:00:00Z 1970-01-01T05:00:00Z [{energy KWH  0.251 2}] 1 3 number\n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for in, want := range map[string]string{
		"tie": "several-formats", "": "empty", "{\"a\":1}": "unknown-format", "W\nx": "nothing-good", "W\n": "nothing-in-it", "W\n1\n-2": "cut", "bad": "importer-failed",
	} {
		if r, err := readContent(t, in, Options{}); err != nil || r.Refused == nil || r.Refused.Code != want {
			t.Errorf("%q: %+v, %v, want %s", in, r, err, want)
		}
	}
	if r, _ := readContent(t, "tie\n5", Options{As: "b"}); r.Refused != nil || r.Format != "b" {
		t.Errorf("as b: %+v", r)
	}
	if r, _ := readContent(t, "%PDF-1.7", Options{}); r.Refused.Args["seen"] != "PDF" {
		t.Errorf("a PDF looks like %v", r.Refused)
	}
}

// The sink's error ends the reading and is no refusal; neither is the end of
// ctx.
func TestReadEnds(t *testing.T) {
	with(t, starting("watts", "W", Sure, watts))
	full := errors.New("disk full")
	_, err := Read(context.Background(), Content("x", []byte("W\n1"), Options{}), &Sink{Take: func(*record.Schema, record.Row) error { return full }})
	if !errors.Is(err, full) {
		t.Errorf("the sink's error becomes %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var told []int64
	o := Options{Progress: func(_ string, read, total int64) {
		if told = append(told, read, total); read > 1<<20 {
			cancel()
		}
	}}
	long := strings.Repeat("1\n", 4<<20)
	_, err = Read(ctx, Content("x", []byte("W\n"+long), o), &Sink{})
	if !errors.Is(err, context.Canceled) || len(told) == 0 || told[len(told)-1] != 8<<20+2 {
		t.Errorf("cancelled: %v, told %v", err, told)
	}
}

// TestReadOfMoving: a file that grows, or that another takes the place of, while
// it is read is refused, also in a zip; one that is only gone by then is not.
func TestReadOfMoving(t *testing.T) {
	table := "Date;Libellé;Montant\n13/11/2026;CAFÉ;-2,50\n13/11/2026;LOYER;-7"
	grow := func(path string) error {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString("50,00\n")
		return errors.Join(err, f.Close())
	}
	replace := func(path string) error {
		return errors.Join(os.WriteFile(path+".new", []byte(table), 0o600), os.Rename(path+".new", path))
	}
	for _, c := range []struct {
		name, content, want string
		meanwhile           func(path string) error
	}{
		{"nothing", table, "", func(string) error { return nil }}, {"gone", table, "", os.Remove},
		{"grown", table, "changing", grow}, {"replaced", table, "changing", replace}, {"zip", zipped(t, "a.csv", table), "changing", grow},
	} {
		path := filepath.Join(t.TempDir(), "a")
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Files(context.Background(), path, Options{}, func(s *Source) error {
			taken := 0
			r, err := Read(context.Background(), s, &Sink{Take: func(*record.Schema, record.Row) error {
				if taken++; taken == 2 {
					return c.meanwhile(path)
				}
				return nil
			}})
			if got := ""; err == nil {
				if r.Refused != nil {
					got = r.Refused.Code
				}
				if got != c.want || taken != 2 {
					t.Errorf("%s: %d rows, refused for %q, want %q", c.name, taken, got, c.want)
				}
			}
			return err
		})
		if err != nil {
			t.Error(c.name, err)
		}
	}
}

func zipped(t testing.TB, files ...string) string { return packed(t, zip.Deflate, files...) }

// packed is a zip of names and contents in turn.
func packed(t testing.TB, method uint16, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: files[i], Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// outcomes reads all files at a path: their names with the rows, or the reason.
func outcomes(t *testing.T, path string) (list []string) {
	t.Helper()
	err := Files(context.Background(), path, Options{}, func(s *Source) error {
		r, err := Read(context.Background(), s, &Sink{})
		switch {
		case err != nil:
			return err
		case r.Refused != nil:
			list = append(list, r.File+": "+r.Refused.Code)
		default:
			list = append(list, fmt.Sprintf("%s: %d rows", r.File, r.Kinds[0].Rows))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return list
}

func TestFiles(t *testing.T) {
	with(t, starting("watts", "W", Sure, watts), Format{Name: "sheet", Read: watts, Fits: func(h Head) Fit {
		if len(h.Members) > 0 && h.Members[0] == "sheet" {
			return Sure
		}
		return No
	}})
	inner := zipped(t, "w", "W\n1\n2")
	encrypted := []byte(zipped(t, "secret", "W\n1"))
	for i := range encrypted {
		if string(encrypted[i:min(i+4, len(encrypted))]) == "PK\x01\x02" {
			encrypted[i+8] |= 1
		}
	}
	dir := t.TempDir()
	for name, in := range map[string]string{
		"b.txt": "W\n1", "a/z.csv": "W\n1\n2", ".hidden": "W\n1", ".git/x": "W\n1", "c.zip": zipped(t, "one", "W\n1", "__MACOSX/one", "x", "d/", "", "d/two", "?"),
		"d.zip": zipped(t, "i.zip", inner), "e.zip": zipped(t, "i.zip", zipped(t, "j.zip", inner)), "f.zip": string(encrypted), "g.zip": inner[:20],
		"h.zip": zipped(t, "zeros", strings.Repeat("\x00", 64<<20)), "i.zip": zipped(t, "sheet", "1"),
	} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(in), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "a"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a/z.csv: 2 rows", "b.txt: 1 rows", "c.zip/one: 1 rows", "c.zip/d/two: unknown-format", "d.zip/i.zip/w: 2 rows", "e.zip/i.zip/j.zip: zip-too-deep",
		"f.zip/secret: encrypted", "g.zip: zip-broken", "h.zip: zip-bomb", "i.zip: nul",
	}
	if diff := cmp.Diff(want, outcomes(t, dir)); diff != "" {
		t.Error(diff)
	}
	for path, want := range map[string]string{"link": "z.csv: 2 rows", "link/z.csv": "z.csv: 2 rows"} {
		if diff := cmp.Diff([]string{want}, outcomes(t, filepath.Join(dir, path))); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	if got := outcomes(t, filepath.Join(dir, "b.txt")); len(got) != 1 || got[0] != "b.txt: 1 rows" {
		t.Error(got)
	}
}

// FuzzRead: whatever the bytes are, they are read or refused, and never by a
// fault of ours.
func FuzzRead(f *testing.F) {
	f.Add([]byte(zipped(f, "a", "b")))
	f.Add([]byte("a;b\n1;2\n"))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzed(t, b, Options{}) })
}
