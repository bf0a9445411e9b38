// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// took reads a text and spells what comes out: "kind: field=value …" for each
// row, "rejected line: code", "warned: code", or "refused: code".
func took(t testing.TB, in string, o Options, fields ...string) (list []string) {
	t.Helper()
	r, rows := take(t, in, o)
	for _, x := range rows {
		line := x.kind.Kind
		for i, f := range x.kind.Fields {
			if !x.row[i].IsNull() && (len(fields) == 0 || slices.Contains(fields, f.Name)) {
				line += fmt.Sprintf(" %s=%s", f.Name, x.row[i])
			}
		}
		list = append(list, line)
	}
	for _, x := range r.Rejected {
		list = append(list, fmt.Sprintf("rejected %d: %s", x.Line, x.Reason.Code))
	}
	for _, w := range r.Warnings {
		list = append(list, "warned: "+w.Reason.Code)
	}
	if r.Refused != nil {
		list = append(list, "refused: "+r.Refused.Code)
	}
	return list
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// onPaper is a PDF file that shows the lines, columns parted by tabs, from
// above; catalogue is put into its catalogue.
func onPaper(catalogue string, lines []string, more ...string) string {
	latin := strings.NewReplacer("€", "\x80", "é", "\xE9", "É", "\xC9", "è", "\xE8", "à", "\xE0", "û", "\xFB", "°", "\xB0", "ô", "\xF4", "(", "\\(", ")", "\\)")
	var content strings.Builder
	for i, line := range lines {
		for j, column := range strings.Split(line, "\t") {
			fmt.Fprintf(&content, "BT /F1 10 Tf %d %d Td (%s) Tj ET\n", 40+300*j, 780-14*i, latin.Replace(column))
		}
	}
	objects := append([]string{
		"<</Type/Catalog/Pages 2 0 R" + catalogue + ">>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>", packedStream("", content.String()),
		"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
	}, more...)
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, at)
	return b.String()
}

func packedStream(dict, data string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	w.Write([]byte(data))
	w.Close()
	return fmt.Sprintf("<<%s/Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream", dict, b.Len(), b.String())
}
