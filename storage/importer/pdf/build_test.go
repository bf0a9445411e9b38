// SPDX-License-Identifier: Apache-2.0

package pdf

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strings"
)

// built makes a PDF file of objects: the first is number 1, the catalogue. The
// trailer's words follow /Root.
func built(trailer string, objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xE2\xE3\xCF\xD3\n")
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
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, trailer, at)
	return b.Bytes()
}

func streamed(dict, data string) string {
	return fmt.Sprintf("<<%s/Length %d>>\nstream\n%s\nendstream", dict, len(data), data)
}

func deflated(dict, data string) string {
	var b bytes.Buffer
	w, _ := zlib.NewWriterLevel(&b, zlib.BestSpeed)
	w.Write([]byte(data))
	w.Close()
	return streamed(dict+"/Filter/FlateDecode", b.String())
}

const (
	catalogue = "<</Type/Catalog/Pages 2 0 R>>"
	onePage   = "<</Type/Pages/Kids[3 0 R]/Count 1>>"
	thePage   = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"
	helvetica = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
)

// written is a page of the operators, with Helvetica as F1.
func written(content string, more ...string) []byte {
	return built("", append([]string{catalogue, onePage, thePage, streamed("", content), helvetica}, more...)...)
}

// packedFile is a file whose objects lie in an object stream and whose
// cross-references are a stream with PNG rows.
func packedFile(predictor int, content string) []byte {
	inside := []string{catalogue, onePage, thePage, helvetica}
	numbers := []int{1, 2, 3, 5}
	var head, body strings.Builder
	for i, o := range inside {
		fmt.Fprintf(&head, "%d %d ", numbers[i], body.Len())
		body.WriteString(o + " ")
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.5\n")
	place := map[int]int{}
	put := func(number int, o string) {
		place[number] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", number, o)
	}
	put(4, deflated("", content))
	put(6, deflated(fmt.Sprintf("/Type/ObjStm/N %d/First %d", len(inside), head.Len()), head.String()+body.String()))
	at := b.Len()
	rows := make([][4]byte, 8)
	for i, number := range numbers {
		rows[number] = [4]byte{2, 0, 6, byte(i)}
	}
	place[7] = at
	for number, offset := range place {
		rows[number] = [4]byte{1, byte(offset >> 8), byte(offset), 0}
	}
	var table []byte
	above := [4]byte{}
	for i, row := range rows {
		kind := byte(predictor - 10)
		if predictor == 15 { // each row its own
			kind = byte(i % 5)
		}
		table = append(table, kind)
		for j := range row {
			var left, corner byte
			if j > 0 {
				left, corner = row[j-1], above[j-1]
			}
			guess := [5]byte{0, left, above[j], byte((int(left) + int(above[j])) / 2), byte(paeth(int(left), int(above[j]), int(corner)))}
			table = append(table, row[j]-guess[kind])
		}
		above = row
	}
	dict := fmt.Sprintf("/Type/XRef/Size 8/Root 1 0 R/W[1 2 1]/DecodeParms<</Predictor %d/Columns 4>>", predictor)
	fmt.Fprintf(&b, "7 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF", deflated(dict, string(table)), at)
	return b.Bytes()
}
