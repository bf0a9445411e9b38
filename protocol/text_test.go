// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/traboule/traboule/protocol"
)

func TestEveryChangedCharacterOfALinkIsRefused(t *testing.T) {
	for size := range 5 { // every length of the last group of base64
		data := bytes.Repeat([]byte{0xf0}, size)
		text := protocol.EncodeText("p:", data)
		if got, err := protocol.DecodeText("p:", text, 4); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%s: %x, %v", text, got, err)
		}
		for i := range len(text) {
			for c := range 256 {
				changed := []byte(text)
				changed[i] = byte(c)
				if _, err := protocol.DecodeText("p:", string(changed), 4); err == nil && string(changed) != text {
					t.Errorf("%q is read as %q", changed, text)
				}
			}
		}
		for _, other := range []string{text + "=", text + "\n", " " + text, text[:len(text)-1], text + "A", text[:3] + "\r\n" + text[3:], "P:" + text[2:], text[2:], ""} {
			if _, err := protocol.DecodeText("p:", other, 4); err == nil {
				t.Errorf("%q is read as %q", other, text)
			}
		}
		if _, err := protocol.DecodeText("q:", "q:"+text[2:], 4); err == nil {
			t.Error("a link of one sort is read as another")
		}
	}
	if _, err := protocol.DecodeText("p:", protocol.EncodeText("p:", make([]byte, 5)), 4); err == nil {
		t.Error("a link beyond the limit is read")
	}
}

func TestNamesToShow(t *testing.T) {
	for name, good := range map[string]bool{
		"": true, "Zoé Dupont": true, "日本": true, "O'Neill & fils": true, strings.Repeat("é", 64): true, strings.Repeat("é", 65): false,
		" a": false, "a ": false, "a\nb": false, "a\tb": false, "a\x00b": false, "a\u202eb": false, "a\u200bb": false, "a\u00a0b": false, "a\u2028b": false,
		"\xff": false, "a\ufffdb": false, "a\u2066b": false, "a\x7f": false,
	} {
		if err := protocol.CheckName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	good := "/ip4/192.0.2.1/tcp/4001"
	long := "/" + strings.Repeat("a", protocol.MaxAddress-1)
	for _, c := range []struct {
		list []string
		good bool
	}{
		{nil, true}, {[]string{good, long}, true}, {slices.Repeat([]string{good}, 16), true}, {slices.Repeat([]string{good}, 17), false},
		{[]string{long + "a"}, false}, {[]string{""}, false}, {[]string{"ip4"}, false}, {[]string{"/a b"}, false}, {[]string{"/é"}, false}, {[]string{"/a\n"}, false},
	} {
		if err := protocol.CheckAddresses(c.list); (err == nil) != c.good {
			t.Errorf("%q: %v", c.list, err)
		}
	}
}

func FuzzDecodeText(f *testing.F) {
	f.Add(protocol.EncodeText("p:", []byte("data")))
	f.Fuzz(func(t *testing.T, text string) {
		if data, err := protocol.DecodeText("p:", text, 100); err == nil && protocol.EncodeText("p:", data) != text {
			t.Errorf("%q is also written %q", text, protocol.EncodeText("p:", data))
		}
		_ = protocol.CheckName(text)
		_ = protocol.CheckAddresses([]string{text})
	})
}
