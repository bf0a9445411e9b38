// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/pipe"
)

// Whoever is not admitted gets the same bytes, at the same moment, whatever
// they sent and whatever the handler found.
func TestStrangersLearnNothing(t *testing.T) {
	good, err := anyRequest.encode()
	if err != nil {
		t.Fatal(err)
	}
	subscribing := canonical.MustMarshal(requestBody{Version: 1, Invocation: []byte("i"), Proofs: [][]byte{}, Held: []byte{}, Subscribe: true})
	cases := map[string]struct {
		refuse error
		sent   []byte
	}{
		"denied":            {&protocol.Refusal{Code: protocol.Denied, Time: 12}, protocol.AppendFrame(nil, kindRequest, good)},
		"any error":         {errors.New("no such data set"), protocol.AppendFrame(nil, kindRequest, good)},
		"a code of nothing": {&protocol.Refusal{}, protocol.AppendFrame(nil, kindRequest, good)},
		"not canonical":     {nil, protocol.AppendFrame(nil, kindRequest, append(slices.Clone(good), 0))},
		"not CBOR":          {nil, protocol.AppendFrame(nil, kindRequest, []byte("hello"))},
		"empty":             {nil, protocol.AppendFrame(nil, kindRequest, nil)},
		"subscribing":       {nil, protocol.AppendFrame(nil, kindRequest, subscribing)},
		"a want too early":  {nil, protocol.AppendFrame(nil, kindWant, make([]byte, 32))},
		"a reserved frame":  {nil, protocol.AppendFrame(nil, kindReceipt, nil)},
		"an unknown frame":  {nil, protocol.AppendFrame(nil, 200, []byte("x"))},
		"too large":         {nil, []byte{0xff, 0xff, 0xff, 0x7f, 2}},
		"endless length":    {nil, bytes.Repeat([]byte{0xff}, 100)},
		"long length":       {nil, []byte{0x81, 0x00, 2}},
		"zero length":       {nil, []byte{0}},
	}
	for name, c := range cases {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newShelf(20, 10)
			h.refuse = c.refuse
			server, client := ends(t, 0)
			done := serve(t.Context(), server, h, ServerOptions{})
			r := newRaw(t, client)
			if _, _, err := r.next(); err != nil {
				t.Fatal(err)
			}
			_, _ = client.Write(c.sent)
			began := time.Now()
			answer, err := io.ReadAll(r.in)
			if took := time.Since(began); took != protocol.DenialDelay {
				t.Errorf("%s: answered after %s", name, took)
			}
			if want := []byte{4, 0, 0x82, 1, 0}; err != nil || !bytes.Equal(answer, want) {
				t.Errorf("%s: answered %x, %v; want %x", name, answer, err, want)
			}
			if err := <-done; err == nil || h.opened != 0 {
				t.Errorf("%s: %v, opened %d", name, err, h.opened)
			}
		})
	}
}

// The delay counts from the request, however long the handler takes.
func TestDenialWaitsForTheMomentNotForTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := ends(t, 0)
		done := serve(t.Context(), server, slowHandler{}, ServerOptions{})
		began := time.Now()
		_, err := Open(t.Context(), client, anyRequest, ClientOptions{})
		if !errors.Is(err, &protocol.Refusal{Code: protocol.Denied}) || time.Since(began) != protocol.DenialDelay {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		<-done
	})
}

// A client that was admitted and then misbehaves hears which rule it broke.
func TestLyingClients(t *testing.T) {
	h, names := newShelf(21, 100, 200)
	foreign := crypto.NameOf([]byte("foreign"))
	for name, c := range map[string]struct {
		sent []byte
		code protocol.Code
	}{
		"a name outside the grant": {protocol.AppendFrame(nil, kindWant, foreign[:]), protocol.Outside},
		"half a name":              {protocol.AppendFrame(nil, kindWant, make([]byte, 33)), protocol.Malformed},
		"no name":                  {protocol.AppendFrame(nil, kindWant, nil), protocol.Malformed},
		"1,025 names":              {protocol.AppendFrame(nil, kindWant, make([]byte, 1025*32)), protocol.Malformed},
		"a second request":         {protocol.AppendFrame(nil, kindRequest, []byte{0x80}), protocol.Malformed},
		"a server's frame":         {protocol.AppendFrame(nil, kindBlock, []byte{1}), protocol.Malformed},
		"a refusal":                {protocol.AppendFrame(nil, protocol.KindRefused, []byte{0x82, 1, 0}), protocol.Malformed},
		"done with rubbish":        {protocol.AppendFrame(nil, kindDone, []byte{0x83, 0, 0, 0}), protocol.Malformed},
		"endless length":           {bytes.Repeat([]byte{0x80}, 50), protocol.Malformed},
		"zero length":              {[]byte{0}, protocol.Malformed},
		"receipt window":           {protocol.AppendFrame(nil, kindReceiptWindow, nil), protocol.Unsupported},
		"receipt":                  {protocol.AppendFrame(nil, kindReceipt, make([]byte, 100)), protocol.Unsupported},
		"subscribe":                {protocol.AppendFrame(nil, kindSubscribe, nil), protocol.Unsupported},
		"new head":                 {protocol.AppendFrame(nil, kindNewHead, nil), protocol.Unsupported},
	} {
		server, client := ends(t, 0)
		done := serve(t.Context(), server, h, ServerOptions{})
		r := newRaw(t, client)
		r.admitted()
		r.send(kindWant, wantBody(names...)) // what was rightly wanted still comes
		_, _ = client.Write(c.sent)
		for range names {
			if kind, _, err := r.next(); err != nil || kind != kindBlock {
				t.Errorf("%s: kind %d, %v where a block belongs", name, kind, err)
			}
		}
		kind, body, err := r.next()
		if err != nil || kind != protocol.KindRefused {
			t.Errorf("%s: kind %d, %v where a refusal belongs", name, kind, err)
			continue
		}
		if refusal, err := protocol.ParseRefusal(body); err != nil || refusal.Code != c.code {
			t.Errorf("%s: refused with %v, %v; want %v", name, refusal, err, c.code)
		}
		if _, _, err := r.next(); err != io.EOF {
			t.Errorf("%s: after the refusal: %v", name, err)
		}
		if <-done == nil {
			t.Errorf("%s: a good end", name)
		}
	}
}

// A flood of wants that nobody reads costs the server a bounded queue, a
// bounded number of reads, and a bounded time.
func TestFloodOfWants(t *testing.T) {
	h, names := newShelf(22, slices.Repeat([]int{4096}, 8)...)
	synctest.Test(t, func(t *testing.T) {
		server, client := ends(t, 0)
		done := serve(t.Context(), server, h, ServerOptions{})
		r := newRaw(t, client)
		r.admitted()
		flood, sent := wantBody(slices.Repeat(names, MaxWant/8)...), 0
		for ; protocol.WriteFrame(client, kindWant, flood) == nil; sent++ {
		}
		if err := <-done; !errors.Is(err, ErrSlow) {
			t.Errorf("ended with %v", err)
		}
		if h.served > 100 || sent > 8 {
			t.Errorf("%d blocks were read for %d floods", h.served, sent)
		}
	})
}

// A client that goes away without Done is not a good end.
func TestHalfOpenClient(t *testing.T) {
	h, names := newShelf(23, 100)
	server, client := ends(t, 0)
	done := serve(t.Context(), server, h, ServerOptions{})
	r := newRaw(t, client)
	r.admitted()
	r.send(kindWant, wantBody(names...))
	_ = client.CloseWrite()
	if err := <-done; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("ended with %v", err)
	}
}

// What a lying server sends in the place of blocks. No block that is not what
// its name says reaches the sink, and Fetch ends.
func TestLyingServers(t *testing.T) {
	h, names := newShelf(24, 100, 200, 300)
	block := func(name crypto.BlockName, data []byte) []byte {
		return append(appendBlockHeader(nil, name, len(data)), data...)
	}
	first := block(names[0], h.blocks[names[0]])
	section := func(body []byte) []byte { return protocol.AppendFrame(nil, kindBlock, body) }
	flipped := bytes.Clone(first)
	flipped[len(flipped)-1] ^= 1
	foreignCodec := bytes.Clone(first)
	foreignCodec[bytes.Index(first, cidStart[:])+1] = 0x70
	never := errors.New("any error")
	for name, c := range map[string]struct {
		sent []byte
		want error
	}{
		"wrong bytes":           {flipped, ErrLied},
		"another block's bytes": {block(names[0], h.blocks[names[1]]), ErrLied},
		"wrong order":           {block(names[1], h.blocks[names[1]]), ErrLied},
		"the same block again":  {append(bytes.Clone(first), first...), ErrLied},
		"another codec":         {foreignCodec, ErrLied},
		"an empty block":        {block(names[0], nil), ErrLied},
		"a large block":         {block(names[0], make([]byte, crypto.MaxBlock+1)), ErrLied},
		"a section too short":   {section([]byte{36, 1, 0x55}), ErrLied},
		"an empty section":      {section(nil), ErrLied},
		"a length not shortest": {section(append([]byte{0x88, 0x81, 0x00}, first[4:]...)), ErrLied},
		"an endless varint":     {bytes.Repeat([]byte{0xff}, 64), ErrLied},
		"an oversized frame":    {[]byte{0xff, 0xff, 0xff, 0x7f, byte(kindBlock)}, ErrLied},
		"zero length":           {[]byte{0}, ErrLied},
		"missing another":       {protocol.AppendFrame(nil, kindMissing, names[2][:]), ErrLied},
		"missing nothing":       {protocol.AppendFrame(nil, kindMissing, nil), ErrLied},
		"end too early":         {protocol.AppendFrame(nil, kindEnd, []byte{0x82, 0, 0}), ErrLied},
		"a second hello":        {protocol.AppendFrame(nil, kindHello, []byte{0x82, 0x81, 1, 0}), ErrLied},
		"a second answer":       {protocol.AppendFrame(nil, kindAnswer, []byte("head")), ErrLied},
		"a reserved frame":      {protocol.AppendFrame(nil, kindNewHead, nil), ErrLied},
		"an unknown frame":      {protocol.AppendFrame(nil, 99, nil), ErrLied},
		"a refusal of nothing":  {protocol.AppendFrame(nil, protocol.KindRefused, []byte{0x82, 0, 0}), ErrLied},
		"a talking denial":      {protocol.AppendFrame(nil, protocol.KindRefused, []byte{0x82, 1, 1}), ErrLied},
		"a large refusal":       {protocol.AppendFrame(nil, protocol.KindRefused, make([]byte, 1000)), ErrLied},
		"truncated":             {first[:50], io.ErrUnexpectedEOF},
		"nothing":               {nil, io.ErrUnexpectedEOF},
	} {
		if c.want == nil {
			c.want = never
		}
		server, client := ends(t, 1<<21)
		go lie(t, server, c.sent)
		s, err := Open(t.Context(), client, anyRequest, ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Fetch(t.Context(), slices.Values(names), func(n crypto.BlockName, data []byte) error {
			if crypto.NameOf(data) != n {
				t.Errorf("%s: the sink got a wrong block", name)
			}
			return nil
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", name, err, c.want)
		}
		if s.Done(t.Context()) == nil {
			t.Errorf("%s: a good end", name)
		}
	}
}

// lie greets and answers as it should, waits for a want and sends rubbish.
func lie(t *testing.T, server *pipe.End, rubbish []byte) {
	r := newRaw(t, server)
	r.send(kindHello, []byte{0x82, 0x81, 1, 0})
	_, _, _ = r.next()
	r.send(kindAnswer, []byte("head"))
	_, _, _ = r.next()
	_, _ = server.Write(rubbish)
	_ = server.CloseWrite()
}

// What a lying server sends before there is a session.
func TestLyingGreetings(t *testing.T) {
	hello := protocol.AppendFrame(nil, kindHello, []byte{0x82, 0x81, 1, 0})
	for name, c := range map[string]struct {
		sent []byte
		want error
	}{
		"answer first":      {protocol.AppendFrame(nil, kindAnswer, nil), ErrLied},
		"no versions":       {protocol.AppendFrame(nil, kindHello, []byte{0x82, 0x80, 0}), ErrLied},
		"null versions":     {protocol.AppendFrame(nil, kindHello, []byte{0x82, 0xf6, 0}), ErrLied},
		"another version":   {protocol.AppendFrame(nil, kindHello, []byte{0x82, 0x81, 2, 0}), &protocol.Refusal{Code: protocol.Unsupported}},
		"before 1970":       {protocol.AppendFrame(nil, kindHello, []byte{0x82, 0x81, 1, 0x20}), ErrLied},
		"a large hello":     {protocol.AppendFrame(nil, kindHello, make([]byte, 100)), protocol.ErrFrameTooLarge},
		"a large head":      {append(bytes.Clone(hello), protocol.AppendFrame(nil, kindAnswer, make([]byte, MaxHead+1))...), protocol.ErrFrameTooLarge},
		"hello twice":       {append(bytes.Clone(hello), hello...), ErrLied},
		"end after hello":   {hello, io.ErrUnexpectedEOF},
		"nothing":           {nil, io.ErrUnexpectedEOF},
		"rubbish":           {[]byte{0}, protocol.ErrBadFrame},
		"refused at hello":  {protocol.AppendFrame(nil, 0, []byte{0x82, 8, 0}), &protocol.Refusal{Code: protocol.Busy}},
		"refused at answer": {append(bytes.Clone(hello), protocol.AppendFrame(nil, 0, []byte{0x82, 10, 0})...), &protocol.Refusal{Code: protocol.Gone}},
	} {
		server, client := ends(t, 0)
		_, _ = server.Write(c.sent)
		_ = server.CloseWrite()
		if _, err := Open(t.Context(), client, anyRequest, ClientOptions{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", name, err, c.want)
		}
	}
}

// A server that lies about what it sent is found out at the end.
func TestLyingEnd(t *testing.T) {
	server, client := ends(t, 0)
	go func() {
		lie(t, server, protocol.AppendFrame(nil, kindEnd, []byte{0x82, 1, 1}))
	}()
	s, err := Open(t.Context(), client, anyRequest, ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Done(t.Context()); !errors.Is(err, ErrLied) {
		t.Errorf("got %v", err)
	}
}

// A server that goes on for ever is dropped when its last wanted block came.
func TestNeverEndingServer(t *testing.T) {
	h, names := newShelf(25, 100)
	server, client := ends(t, 0)
	stopped := make(chan error, 1)
	go func() {
		r := newRaw(t, server)
		r.send(kindHello, []byte{0x82, 0x81, 1, 0})
		r.send(kindAnswer, nil)
		frame := append(appendBlockHeader(nil, names[0], 100), h.blocks[names[0]]...)
		for {
			if _, err := server.Write(frame); err != nil {
				stopped <- err
				return
			}
		}
	}()
	s, err := Open(t.Context(), client, anyRequest, ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Fetch(t.Context(), slices.Values(names), func(crypto.BlockName, []byte) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.Done(t.Context()); !errors.Is(err, ErrLied) {
		t.Errorf("done: %v", err)
	}
	if err := <-stopped; !errors.Is(err, pipe.ErrReset) {
		t.Errorf("the server was stopped by %v", err)
	}
}

// A handler that gives a head or a block that cannot be is our own fault.
func TestFaultyHandlers(t *testing.T) {
	h, names := newShelf(26, crypto.MaxBlock+1)
	large := &shelf{head: make([]byte, MaxHead+1)}
	for _, handler := range []*shelf{h, large} {
		server, client := ends(t, 0)
		done := serve(t.Context(), server, handler, ServerOptions{})
		s, err := Open(t.Context(), client, anyRequest, ClientOptions{})
		if err == nil {
			err = s.Fetch(t.Context(), slices.Values(names), func(crypto.BlockName, []byte) error { return nil })
		}
		if !errors.Is(err, &protocol.Refusal{Code: protocol.Failed}) {
			t.Errorf("got %v", err)
		}
		if err := <-done; err == nil || handler.closed != 1 {
			t.Error(fmt.Errorf("%w; closed %d", err, handler.closed))
		}
	}
}
