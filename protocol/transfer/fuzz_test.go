// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
)

func FuzzRequest(f *testing.F) {
	good, err := anyRequest.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRequest(data)
		if err != nil {
			return
		}
		again, err := r.encode()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%x reads as %+v and is written %x, %v", data, r, again, err)
		}
	})
}

func FuzzHello(f *testing.F) {
	f.Add([]byte{0x82, 0x81, 1, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if h, err := parseHello(data); err == nil && !slices.Contains(h.Versions, Version) {
			t.Error(h)
		}
		_, _ = parseCount(data)
	})
}

func FuzzWant(f *testing.F) {
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, data []byte) {
		var names []crypto.BlockName
		err := parseWant(data, func(n crypto.BlockName) error { names = append(names, n); return nil })
		if err == nil && !bytes.Equal(wantBody(names...), data) {
			t.Error(cmp.Diff(wantBody(names...), data))
		}
	})
}

func FuzzSection(f *testing.F) {
	data := []byte("ciphertext")
	name := crypto.NameOf(data)
	frame := append(appendBlockHeader(nil, name, len(data)), data...)
	f.Add(frame[2:], name[:])
	f.Fuzz(func(t *testing.T, body, wanted []byte) {
		if len(wanted) != nameSize || len(body) > maxSection {
			return
		}
		got, err := parseSection(body, crypto.BlockName(wanted))
		if err != nil {
			return
		}
		again := append(appendBlockHeader(nil, crypto.BlockName(wanted), len(got)), got...)
		if !bytes.HasSuffix(again, body) || len(again) > len(body)+4 {
			t.Errorf("%x is also written %x", body, again)
		}
	})
}

// FuzzServe is a client that says anything.
func FuzzServe(f *testing.F) {
	h, names := newShelf(30, 10, 20)
	request, err := anyRequest.encode()
	if err != nil {
		f.Fatal(err)
	}
	said := protocol.AppendFrame(nil, kindRequest, request)
	said = protocol.AppendFrame(said, kindWant, wantBody(names...))
	f.Add(protocol.AppendFrame(said, kindDone, []byte{0x82, 2, 0x18, 30}))
	f.Fuzz(func(t *testing.T, said []byte) {
		synctest.Test(t, func(t *testing.T) {
			server, client := ends(t, 0)
			done := serve(t.Context(), server, h, ServerOptions{})
			go func() {
				_, _ = client.Write(said)
				_ = client.CloseWrite()
			}()
			r := newRaw(t, client)
			for {
				if _, _, err := r.next(); err != nil {
					break
				}
			}
			_ = client.Reset()
			<-done
		})
	})
}

// FuzzSession is a server that says anything.
func FuzzSession(f *testing.F) {
	h, names := newShelf(31, 10, 20)
	said := protocol.AppendFrame(nil, kindHello, []byte{0x82, 0x81, 1, 0})
	said = protocol.AppendFrame(said, kindAnswer, nil)
	for _, n := range names {
		said = append(appendBlockHeader(said, n, len(h.blocks[n])), h.blocks[n]...)
	}
	f.Add(protocol.AppendFrame(said, kindEnd, []byte{0x82, 2, 0x18, 30}))
	f.Fuzz(func(t *testing.T, said []byte) {
		synctest.Test(t, func(t *testing.T) {
			server, client := ends(t, 0)
			go func() {
				_, _ = server.Write(said)
				_ = server.CloseWrite()
			}()
			defer server.Reset()
			s, err := Open(t.Context(), client, anyRequest, ClientOptions{})
			if err != nil {
				return
			}
			defer s.Close()
			sink := func(n crypto.BlockName, data []byte) error {
				if crypto.NameOf(data) != n {
					t.Error("a wrong block in the sink")
				}
				return nil
			}
			if s.Fetch(t.Context(), slices.Values(names), sink) == nil {
				_ = s.Done(t.Context())
			}
		})
	})
}
