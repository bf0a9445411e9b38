// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"encoding/json"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/protocol"
)

var update = flag.Bool("update", false, "write the vectors anew")

// frameVector is one row of spec/vectors/frames.json.
type frameVector struct {
	Name  string `json:"name"`
	Bytes string `json:"bytes"` // hex, of the whole stream
	Limit int    `json:"limit"` // of a body
	Kind  *int   `json:"kind,omitempty"`
	Body  string `json:"body,omitempty"`  // hex
	Error string `json:"error,omitempty"` // end, cut, bad, large
}

func frameVectors() []frameVector {
	good := func(name string, kind protocol.Kind, body []byte) frameVector {
		k := int(kind)
		return frameVector{Name: name, Bytes: hex.EncodeToString(protocol.AppendFrame(nil, kind, body)), Limit: 300, Kind: &k, Body: hex.EncodeToString(body)}
	}
	bad := func(name, bytes, why string) frameVector {
		return frameVector{Name: name, Bytes: bytes, Limit: 300, Error: why}
	}
	return []frameVector{
		good("empty body", 1, nil),
		good("a stranger's refusal", 0, (&protocol.Refusal{Code: protocol.Denied}).Encode()),
		good("expired, with its time", 0, (&protocol.Refusal{Code: protocol.Expired, Time: 1767225600}).Encode()),
		good("one length byte, its most", 7, bytes.Repeat([]byte{0xaa}, 126)),
		good("two length bytes, their least", 7, bytes.Repeat([]byte{0xaa}, 127)),
		good("as long as the limit", 255, bytes.Repeat([]byte{0x55}, 300)),
		bad("end before a frame", "", "end"),
		bad("cut in the length", "80", "cut"),
		bad("cut after the length", "05", "cut"),
		bad("cut in the body", "05010203", "cut"),
		bad("one more than the limit", "ae02"+"01"+strings.Repeat("00", 301), "large"),
		bad("2^28-1 bytes", "ffffff7f01", "large"),
		bad("length zero", "00", "bad"),
		bad("length zero in two bytes", "8000", "bad"),
		bad("length one in two bytes", "810001", "bad"),
		bad("length of five bytes", "8080808001", "bad"),
		bad("endless length", strings.Repeat("ff", 64), "bad"),
	}
}

func why(err error) string {
	switch {
	case err == nil:
		return ""
	case err == io.EOF:
		return "end"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "cut"
	case errors.Is(err, protocol.ErrFrameTooLarge):
		return "large"
	case errors.Is(err, protocol.ErrBadFrame):
		return "bad"
	}
	return fmt.Sprint(err)
}

func TestFrameVectors(t *testing.T) {
	want := frameVectors()
	compareVectors(t, "spec/vectors/frames.json", want)
	for _, v := range want {
		data, err := hex.DecodeString(v.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		kind, body, err := protocol.ReadFrame(bufio.NewReader(bytes.NewReader(data)), v.Limit, nil)
		if why(err) != v.Error {
			t.Errorf("%s: %v, want %q", v.Name, err, v.Error)
		}
		if err == nil && (int(kind) != *v.Kind || hex.EncodeToString(body) != v.Body) {
			t.Errorf("%s: kind %d, body %x", v.Name, kind, body)
		}
	}
}

// compareVectors compares a file with what the program makes now.
func compareVectors(t *testing.T, file string, vectors any) {
	t.Helper()
	now, err := json.MarshalIndent(vectors, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	now = append(now, '\n')
	if *update {
		if err := os.WriteFile(file, now, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(stored), string(now)); diff != "" {
		t.Errorf("%s (-stored +now):\n%s", file, diff)
	}
}

func TestReadFrameUsesTheBuffer(t *testing.T) {
	buf := make([]byte, 10)
	_, body, err := protocol.ReadFrame(bufio.NewReader(bytes.NewReader(protocol.AppendFrame(nil, 1, []byte("ten bytes!")))), 10, buf)
	if err != nil || &body[0] != &buf[0] {
		t.Errorf("%v; the buffer was not used", err)
	}
}

// A length alone makes nobody set memory aside: what is read into is never more
// than twice what came, and a little.
func TestReadFrameTakesMemoryAsBytesCome(t *testing.T) {
	const limit = 256 << 10
	for _, size := range []int{0, 1, 16<<10 - 1, 16 << 10, 16<<10 + 1, 100_000, limit} {
		want := bytes.Repeat([]byte("body"), size/4+1)[:size]
		for _, buf := range [][]byte{nil, make([]byte, 20<<10)} {
			in := &greedy{from: protocol.AppendFrame(nil, 1, want)}
			_, body, err := protocol.ReadFrame(bufio.NewReader(in), limit, buf)
			if err != nil || !bytes.Equal(body, want) {
				t.Errorf("%d bytes: got %d, %v", size, len(body), err)
			}
			if in.worst > 40<<10 {
				t.Errorf("%d bytes: room for %d more than twice what had come", size, in.worst)
			}
		}
	}
}

// greedy gives what it is asked for, and notes by how much the room exceeded
// twice what came before.
type greedy struct {
	from  []byte
	given int
	worst int
}

func (g *greedy) Read(room []byte) (int, error) {
	g.worst = max(g.worst, len(room)-2*g.given)
	if len(g.from) == g.given {
		return 0, io.EOF
	}
	n := copy(room, g.from[g.given:])
	g.given += n
	return n, nil
}

func FuzzReadFrame(f *testing.F) {
	f.Add(protocol.AppendFrame(nil, 3, []byte("body")))
	f.Fuzz(func(t *testing.T, data []byte) {
		kind, body, err := protocol.ReadFrame(bufio.NewReader(bytes.NewReader(data)), 1000, nil)
		if err == nil && !bytes.HasPrefix(data, protocol.AppendFrame(nil, kind, body)) {
			t.Errorf("%x is also written %x", data, protocol.AppendFrame(nil, kind, body))
		}
	})
}

func FuzzRefusal(f *testing.F) {
	f.Add([]byte{0x82, 1, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := protocol.ParseRefusal(data); err == nil && !bytes.Equal(r.Encode(), data) {
			t.Errorf("%x is also written %x", data, r.Encode())
		}
	})
}
