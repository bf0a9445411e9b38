// SPDX-License-Identifier: Apache-2.0

package pdf

import (
	"bytes"
	"context"
	"encoding/ascii85"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func pageLines(t *testing.T, b []byte) []string {
	t.Helper()
	f, err := Open(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	pages, _, err := f.Lines()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range pages {
		all = append(all, p...)
	}
	return all
}

// Words come as a person reads them, in whatever order and by whatever
// operators they were drawn.
func TestLines(t *testing.T) {
	tests := []struct {
		name, content string
		more          []string
		want          []string
	}{
		{"two columns drawn backwards", "BT /F1 10 Tf 300 700 Td (44,90 \x80) Tj -200 0 Td (Total TTC) Tj 0 -20 Td (Merci) Tj ET", nil, []string{"Total TTC\t44,90 €", "Merci"}},
		{"letters with gaps for spaces", "BT /F1 10 Tf 50 700 Td [(Fac) 10 (ture) -400 (du) -400 (jour)] TJ ET", nil, []string{"Facture du jour"}},
		{"each letter by itself", "BT /F1 10 Tf 1 0 0 1 50 700 Tm (a) Tj 1 0 0 1 55 700 Tm (b) Tj ET", nil, []string{"ab"}},
		{"quote operators and leading", "BT /F1 10 Tf 12 TL 50 700 Td (eins) Tj (zwei) ' 0 0 (drei) \" T* (vier) Tj ET", nil, []string{"eins", "zwei", "drei", "vier"}},
		{"octal and line ends in strings", "BT /F1 10 Tf 50 700 Td (\\351t\\351 \\\npass\\(\\)) Tj ET", nil, []string{"été pass()"}},
		{"scaled by the page, saved and put back", "q .5 0 0 .5 0 0 cm BT /F1 20 Tf 100 1400 Td (klein) Tj ET Q Q BT /F1 10 Tf 50 690 Td (gross) Tj ET", nil, []string{"klein", "gross"}},
		{"drawn twice to look bold", "BT /F1 10 Tf 50 700 Td (ab) Tj ET BT /F1 10 Tf 50.2 700 Td (ab) Tj ET", nil, []string{"ab"}},
		{"two texts that overlap", "BT /F1 10 Tf 50 700 Td (abcdef) Tj ET BT /F1 10 Tf 61 700 Td (ghijkl) Tj ET", nil, []string{"abcdef\tghijkl"}},
		{"upwards at the edge", "BT /F1 10 Tf 0 1 -1 0 20 100 Tm (Rand) Tj ET BT /F1 10 Tf 50 50 Td (Text) Tj ET", nil, []string{"Text", "Rand"}},
		{"an image inside", "BI /W 2 /H 1 ID (((EIx\xFF EI BT /F1 10 Tf 50 700 Td (nach) Tj ET", nil, []string{"nach"}},
		{"never ends", "BT /F1 10 Tf 50 700 Td (ja) Tj <41", nil, []string{"ja"}},
		{"operators without operands", "Tf Tj TJ Tm Td ' \" Do cm q Q BT /F1 10 Tf 50 700 Td (ja) Tj ET", nil, []string{"ja"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, pageLines(t, written(tt.content, tt.more...))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Fonts say what their codes stand for in many ways.
func TestFonts(t *testing.T) {
	cmap := "/CIDInit /ProcSet findresource begin 1 begincodespacerange <0000> <FFFF> endcodespacerange\n" +
		"2 beginbfchar <0001> <0054> <0002> <00660069> endbfchar 2 beginbfrange <0010> <0019> <0030> <0020> <0021> [<20AC> <002C>] endbfrange"
	tests := []struct{ name, font, show, want string }{
		{"names of glyphs", "<</Subtype/Type1/Encoding<</BaseEncoding/WinAnsiEncoding/Differences[1/eacute/Euro/uni00E0/fi/ccedilla]>>>>", "(\\001\\002\\003\\004\\005A)", "é€àfiçA"},
		{"a Macintosh's", "<</Subtype/TrueType/Encoding/MacRomanEncoding>>", "<8E41>", "éA"},
		{"wide, with a map", "<</Subtype/Type0/Encoding/Identity-H/ToUnicode 6 0 R/DescendantFonts[<</DW 500/W[1[600 700] 16 25 550]>>]>>", "<0001000200100019002000210012>", "Tfi09€,2"},
		{"simple, with a map of its own", "<</Subtype/Type1/ToUnicode 7 0 R>>", "(ab)", "xb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := built("", catalogue, onePage, thePage, streamed("", "BT /F1 10 Tf 50 700 Td "+tt.show+" Tj ET"), tt.font,
				deflated("", cmap), streamed("", "1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfchar <61> <0078> endbfchar"))
			if diff := cmp.Diff([]string{tt.want}, pageLines(t, b)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A font may hide what its letters mean: that is told, not guessed.
func TestHiddenLetters(t *testing.T) {
	b := built("", catalogue, onePage, thePage, streamed("", "BT /F1 10 Tf 50 700 Td <00010002> Tj ET"),
		"<</Subtype/Type0/Encoding/Identity-H/DescendantFonts[<<>>]>>")
	f, err := Open(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if _, known, err := f.Lines(); known != 0 || err != nil {
		t.Errorf("%v of the letters are known, %v", known, err)
	}
}

// The same page is read whatever way the file says where its objects lie, or
// fails to.
func TestStructures(t *testing.T) {
	const content = "BT /F1 10 Tf 50 700 Td (da) Tj ET"
	plain := written(content)
	within := built("", catalogue, onePage, "<</Type/Page/Parent 2 0 R/Contents[4 0 R 6 0 R]/Resources 7 0 R>>", streamed("", "BT /F1 10 Tf 50"), helvetica,
		streamed("", " 700 Td (da) Tj ET"), "<</Font<</F1 5 0 R>>>>")
	form := built("", catalogue, onePage, "<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</XObject<</X 6 0 R>>>>>>", streamed("", "q 1 0 0 1 0 100 cm /X Do Q /X Do"), helvetica,
		streamed("/Subtype/Form/Matrix[1 0 0 1 0 -100]/Resources<</Font<</F1 5 0 R>>/XObject<</X 6 0 R>>>>", content+" /X Do"))
	tests := map[string][]byte{
		"table":                    plain,
		"no table":                 append(bytes.Clone(plain[:bytes.Index(plain, []byte("xref"))]), "%%EOF"...),
		"a table that is wrong":    bytes.Replace(plain, []byte("00000 n"), []byte("00000 f"), 2),
		"offsets that are wrong":   bytes.Replace(plain, []byte("%PDF-1.7\n"), []byte("%PDF-1.7\n\n\n\n"), 1),
		"something before":         append([]byte("HTTP/1.1 200 OK\r\n\r\n"), plain...),
		"something behind":         append(bytes.Clone(plain), bytes.Repeat([]byte("\n<!-- -->"), 50)...),
		"version 2":                bytes.Replace(plain, []byte("%PDF-1.7"), []byte("%PDF-2.0"), 1),
		"a length that is wrong":   bytes.Replace(plain, []byte("/Length 33"), []byte("/Length 99"), 1),
		"rows of one PNG filter":   packedFile(12, content),
		"rows of each PNG filter":  packedFile(15, content),
		"packed, and no table":     bytes.Replace(packedFile(12, content), []byte("startxref"), []byte("nix"), 1),
		"contents cut in the word": within,
		"a form that shows itself": form,
		"an indirect length":       built("", catalogue, onePage, thePage, "<</Length 6 0 R>>\nstream\n"+content+"\nendstream", helvetica, "33"),
		"a length that is its own": built("", catalogue, onePage, thePage, "<</Length 4 0 R>>\nstream\n"+content+"\nendstream", helvetica),
		"ASCII85":                  built("", catalogue, onePage, thePage, streamed("/Filter[/ASCII85Decode]", eightyFive(content)), helvetica),
		"hexadecimal":              built("", catalogue, onePage, thePage, streamed("/Filter/AHx", fmt.Sprintf("%x>", content)), helvetica),
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			if got := pageLines(t, b); len(got) == 0 || got[0] != "da" {
				t.Errorf("read %q", got)
			}
		})
	}
}

func eightyFive(s string) string {
	b := make([]byte, ascii85.MaxEncodedLen(len(s)))
	return string(b[:ascii85.Encode(b, []byte(s))]) + "\n~>"
}

// An older word about an object counts less than a newer one, and the newer
// trailer leads to the older by Prev.
func TestUpdates(t *testing.T) {
	b := written("BT /F1 10 Tf 50 700 Td (alt) Tj ET")
	old := bytes.LastIndex(b, []byte("xref\n0"))
	at := len(b)
	b = fmt.Appendf(b, "4 0 obj\n%s\nendobj\n", streamed("", "BT /F1 10 Tf 50 700 Td (neu) Tj ET"))
	table := len(b)
	b = fmt.Appendf(b, "xref\n4 1\n%010d 00000 n \ntrailer\n<</Size 6/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n", at, old, table)
	if got := pageLines(t, b); len(got) != 1 || got[0] != "neu" {
		t.Errorf("read %q", got)
	}
}

func TestAttachments(t *testing.T) {
	file := func(text string) string { return deflated("/Type/EmbeddedFile", text) }
	b := built("", "<</Type/Catalog/Pages 2 0 R/AF[6 0 R 8 0 R]/Names<</EmbeddedFiles<</Kids[3 0 R]>>>>>>",
		"<</Type/Pages/Kids[]/Count 0>>",
		"<</Names[(Bon_de_livraison.pdf) 4 0 R (factur\\055x.xml) 6 0 R]>>",
		"<</Type/Filespec/F(Bon_de_livraison.pdf)/EF<</F 5 0 R>>>>", file("Lieferschein"),
		"<</Type/Filespec/F(factur\\055x.xml)/EF<</F 7 0 R/UF 7 0 R>>>>", file("<invoice/>"),
		"<</Type/Filespec/UF<FEFF00E9002E0074007800740000>/F(x.txt)/EF<</F 9 0 R>>>>", file("beigelegt"))
	f, err := Open(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.Attachments()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range list {
		text, err := a.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a.Name+": "+string(text))
	}
	want := []string{"Bon_de_livraison.pdf: Lieferschein", "factur-x.xml: <invoice/>", "é.txt\x00: beigelegt"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRefused(t *testing.T) {
	tests := []struct {
		name string
		b    []byte
		want error
	}{
		{"empty", nil, ErrNotPDF},
		{"text", []byte("Rechnung"), ErrNotPDF},
		{"only a head", []byte("%PDF-1.4\n"), ErrCut},
		{"cut behind the page", written("")[:400], ErrCut},
		{"only a head and an end", []byte("%PDF-1.4\n%%EOF\n"), ErrDamaged},
		{"no pages", built("", "<</Type/Catalog>>"), ErrDamaged},
		{"encrypted", built("/Encrypt 6 0 R", catalogue, onePage, thePage, "<<>>", helvetica, "<</Filter/Standard/V 5>>"), ErrEncrypted},
		{"encrypted, without a table", []byte("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj trailer<</Root 1 0 R/Encrypt<</V 5>>>> %%EOF"), ErrEncrypted},
		{"too large", make([]byte, MaxSize+1), ErrTooMuch},
	}
	for _, tt := range tests {
		if _, err := Open(t.Context(), tt.b); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := written("BT /F1 10 Tf 50 700 Td " + strings.Repeat("(da) Tj ", 50_000) + "ET")
	f, err := Open(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, _, err := f.Lines(); !errors.Is(err, context.Canceled) {
		t.Errorf("read on: %v", err)
	}
}

// bombs are files that ask for much.
func bombs() map[string]func() []byte {
	zeros := func(mib int) string { return strings.Repeat("\x00", mib<<20) }
	many := func(n int, s string) []byte {
		return append(append([]byte("%PDF-1.4\n"), bytes.Repeat([]byte(s), n)...), "\n%%EOF"...)
	}
	content := func(s string) func() []byte {
		b := built("", catalogue, onePage, thePage, deflated("", s), helvetica)
		return func() []byte { return b }
	}
	manyOf := func(n int, s string) func() []byte { return func() []byte { return many(n, s) } }
	fixed := func(b []byte) func() []byte { return func() []byte { return b } }
	letters := deflated("", "BT /F1 9 Tf ("+strings.Repeat("ab", 500_000)+") Tj ET")
	return map[string]func() []byte{
		"a table that begins far":  fixed([]byte("%PDF-1.4\nxref\n0 1\n0000000000 65535 f \n4000000000 1\n0000000010 00000 n \ntrailer\n<</Size 5000000000/Root 1 0 R>>\nstartxref\n9\n%%EOF\n")),
		"a count without rows":     fixed([]byte("%PDF-1.4\nxref\n0 99999999999\ntrailer<</Root 1 0 R>>\nstartxref\n9\n%%EOF\n")),
		"previous is itself":       fixed([]byte("%PDF-1.4\nxref\ntrailer<</Root 1 0 R/Prev 9>>\nstartxref\n9\n%%EOF\n")),
		"a page within itself":     fixed(built("", catalogue, "<</Type/Pages/Kids[2 0 R 2 0 R 2 0 R]>>")),
		"an object that is itself": fixed(built("", catalogue, "2 0 R")),
		"a length that is its own": fixed(built("", catalogue, onePage, thePage, "<</Length 4 0 R>>\nstream\nBT\nendstream")),
		"columns without end":      fixed(built("", catalogue, onePage, thePage, deflated("/DecodeParms<</Predictor 12/Columns 99999999999>>", "BT"))),
		"40 MiB of nothing":        content(zeros(40)),
		"15 MiB, a thousand times": func() []byte {
			return built("", catalogue, onePage, "<</Contents["+strings.Repeat("4 0 R ", 1000)+"]>>", deflated("", zeros(15)))
		},
		"brackets":                 content(strings.Repeat("[", 1<<20)),
		"brackets in the file":     manyOf(1<<20, "1 0 obj [[["),
		"a string that never ends": content("(" + zeros(15)),
		"hex that never ends":      content("<" + zeros(15)),
		"numbers":                  content(strings.Repeat("1 ", 2<<20)),
		"an array of numbers":      content("[" + strings.Repeat("1 ", 2<<20)),
		"a map that says much": func() []byte {
			cmap := deflated("", "1 begincodespacerange <0000> <FFFF> endcodespacerange "+strings.Repeat("<0000> <FFFF> <0041> ", 60_000)+"endbfrange")
			wide := "<</Subtype/Type0/ToUnicode 6 0 R/DescendantFonts[<</W[" + strings.Repeat("0 65535 1 ", 10_000) + "]>>]>>"
			return built("", catalogue, onePage, thePage, letters, wide, cmap)
		},
		"a file of objects":      manyOf(1<<18, "1 0 obj<</a 1/b 2>>\n"),
		"objects without an end": manyOf(1<<19, "1 0 obj["),
		"streams without an end": manyOf(1<<18, "1 0 obj<<>>stream\n"),
		"trailers":               manyOf(1<<19, "trailer<<"),
		"letters":                func() []byte { return built("", catalogue, onePage, thePage, letters, helvetica) },
		"pages": func() []byte {
			return built("", catalogue, "<</Kids["+strings.Repeat("3 0 R ", 50_000)+"]>>", thePage, letters, helvetica)
		},
		"a form in each form, eight": func() []byte {
			return built("", catalogue, onePage, "<</Contents 4 0 R/Resources<</XObject<</X 4 0 R>>>>>>", streamed("/Subtype/Form", strings.Repeat("/X Do ", 100)))
		},
		"32 MiB of spaces": func() []byte { return many(MaxSize-len("%PDF-1.4\n\n%%EOF"), " ") },
	}
}

// watch is asked now and then whether the work is cancelled, and sees how much
// memory is held then.
type watch struct {
	context.Context
	peak uint64
}

func (w *watch) Err() error {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w.peak = max(w.peak, m.HeapAlloc)
	return w.Context.Err()
}

// No file makes the reading take more than its share of memory or time.
func TestBombs(t *testing.T) {
	for name, bomb := range bombs() {
		t.Run(name, func(t *testing.T) {
			b := bomb()
			runtime.GC()
			w := &watch{Context: t.Context()}
			start := time.Now()
			err := readAll(w, b)
			took := time.Since(start)
			_ = w.Err()
			if w.peak > 256<<20 || took > 10*time.Second {
				t.Errorf("it took %v and %d MiB", took, w.peak>>20)
			}
			t.Logf("%d bytes: %v after %v, with %d MiB held", len(b), err, took.Round(time.Millisecond), w.peak>>20)
		})
	}
}

func readAll(ctx context.Context, b []byte) error {
	f, err := Open(ctx, b)
	if err != nil {
		return err
	}
	list, err := f.Attachments()
	if err != nil {
		return err
	}
	for _, a := range list {
		if _, err := a.Bytes(); err != nil {
			return err
		}
	}
	_, _, err = f.Lines()
	return err
}

func FuzzOpen(f *testing.F) {
	f.Add(written("BT /F1 10 Tf 50 700 Td [(Fac) 10 (ture)] TJ ET"))
	f.Add(packedFile(15, "BT /F1 10 Tf 50 700 Td (da) Tj ET"))
	f.Add(built("", catalogue, onePage, thePage, streamed("", "BT /F1 10 Tf <0001> Tj ET"), "<</Subtype/Type0/ToUnicode 6 0 R/DescendantFonts[<</W[1[600] 2 3 4]>>]>>",
		streamed("", "1 begincodespacerange <0000> <FFFF> endcodespacerange 1 beginbfrange <0000> <00FF> [<0041>] endbfrange")))
	f.Add(built("", "<</Pages 2 0 R/AF[3 0 R]>>", "<<>>", "<</UF<FEFF0041>/EF<</F 4 0 R>>>>", streamed("", "x")))
	f.Add([]byte("%PDF-1.4\nxref\n0 1\n0000000000 65535 f \n4000000000 1\n0000000010 00000 n \ntrailer\n<</Size 5000000000/Root 1 0 R>>\nstartxref\n9\n%%EOF\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := readAll(t.Context(), b)
		for _, known := range []error{nil, ErrNotPDF, ErrEncrypted, ErrCut, ErrDamaged, ErrTooMuch} {
			if errors.Is(err, known) {
				return
			}
		}
		t.Fatalf("an error of no kind: %v", err)
	})
}

// What a page and a font say, without the file around them.
func FuzzContent(f *testing.F) {
	f.Add([]byte("q 1 0 0 1 0 0 cm BT /F1 10 Tf 12 TL 50 700 Td [(Fac) -400 <7475>] TJ (x) ' T* ET Q"), []byte("1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfrange <00> <FF> <0041> endbfrange"))
	f.Add([]byte("BI /W 2 ID xx EI BT /F1 10 Tf 1 0 0 -1 5 5 Tm (a) Tj /X Do ET"), []byte("2 beginbfchar <61> <00660069> <62> <D83DDE00> endbfchar 1 beginbfrange <0000> <0001> [<0041> <0042>] endbfrange"))
	f.Fuzz(func(t *testing.T, content, cmap []byte) {
		b := built("", catalogue, onePage, thePage, streamed("/Subtype/Form", string(content)),
			"<</Subtype/Type0/ToUnicode 6 0 R/DescendantFonts[<</W[1[600] 2 3 4]>>]>>", streamed("", string(cmap)))
		if err := readAll(t.Context(), b); err != nil && !errors.Is(err, ErrTooMuch) {
			t.Fatal(err)
		}
	})
}
