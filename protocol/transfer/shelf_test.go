// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/pipe"
)

// shelf is a handler whose passage holds blocks in memory.
type shelf struct {
	head   []byte
	blocks map[crypto.BlockName][]byte
	fail   map[crypto.BlockName]error // instead of a block
	refuse error

	request        Request
	served         int
	opened, closed int
	onBlock        func(n int)
}

func (h *shelf) Open(_ context.Context, _ crypto.DID, r Request) (Passage, error) {
	h.request = r
	if h.refuse != nil {
		return nil, h.refuse
	}
	h.opened++
	return h, nil
}

func (h *shelf) Head() []byte { return h.head }
func (h *shelf) Close()       { h.closed++ }

func (h *shelf) Block(_ context.Context, name crypto.BlockName, dst []byte) ([]byte, error) {
	h.served++
	if h.onBlock != nil {
		h.onBlock(h.served)
	}
	if err := h.fail[name]; err != nil {
		return nil, err
	}
	data, ok := h.blocks[name]
	if !ok {
		return nil, ErrNotGranted
	}
	return append(dst, data...), nil
}

// newShelf makes one block of each size, and says in which order.
func newShelf(seed uint64, sizes ...int) (*shelf, []crypto.BlockName) {
	random := rand.NewChaCha8([32]byte{byte(seed)})
	h := &shelf{head: []byte("a sealed head"), blocks: map[crypto.BlockName][]byte{}}
	var names []crypto.BlockName
	for _, size := range sizes {
		data := make([]byte, size)
		_, _ = random.Read(data)
		name := crypto.NameOf(data)
		h.blocks[name] = data
		names = append(names, name)
	}
	return h, names
}

// many is n sizes between 1 and most.
func many(n, most int) []int {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = 1 + random.IntN(most)
	}
	return sizes
}

func did(t testing.TB, seed byte) crypto.DID {
	t.Helper()
	id, err := crypto.NewIdentity(bytes.NewReader(bytes.Repeat([]byte{seed}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return id.DID()
}

// ends is a pipe from a server (node 1) to a client (node 2).
func ends(t testing.TB, buffer int) (server, client *pipe.End) {
	return pipe.New(did(t, 1), did(t, 2), buffer)
}

// serve runs Serve until the test is over; its error comes from the channel.
func serve(ctx context.Context, s protocol.Stream, h Handler, opt ServerOptions) <-chan error {
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, s, h, opt) }()
	return done
}

var anyRequest = Request{Invocation: []byte("invocation"), Proofs: [][]byte{[]byte("proof")}}

// keep is a sink that copies into a map, and complains of repetitions.
func keep(t testing.TB, to map[crypto.BlockName][]byte) func(crypto.BlockName, []byte) error {
	return func(name crypto.BlockName, data []byte) error {
		if _, ok := to[name]; ok {
			t.Errorf("block %s was kept already", name)
		}
		to[name] = bytes.Clone(data)
		return nil
	}
}

// lacking is which of names are not in have.
func lacking(names []crypto.BlockName, have map[crypto.BlockName][]byte) []crypto.BlockName {
	return slices.DeleteFunc(slices.Clone(names), func(n crypto.BlockName) bool { return have[n] != nil })
}

// raw is a peer that keeps to no protocol.
type raw struct {
	t  testing.TB
	s  *pipe.End
	in *bufio.Reader
}

func newRaw(t testing.TB, s *pipe.End) *raw { return &raw{t, s, bufio.NewReader(s)} }

func (r *raw) send(kind protocol.Kind, body []byte) { _ = protocol.WriteFrame(r.s, kind, body) }

// next is the next frame's kind and body.
func (r *raw) next() (protocol.Kind, []byte, error) {
	return protocol.ReadFrame(r.in, maxServer, nil)
}

// admitted says what an honest client says first, up to the answer.
func (r *raw) admitted() {
	r.t.Helper()
	if kind, _, err := r.next(); err != nil || kind != kindHello {
		r.t.Fatalf("hello: kind %d, %v", kind, err)
	}
	body, err := anyRequest.encode()
	if err != nil {
		r.t.Fatal(err)
	}
	r.send(kindRequest, body)
	if kind, _, err := r.next(); err != nil || kind != kindAnswer {
		r.t.Fatalf("answer: kind %d, %v", kind, err)
	}
}

// wantBody is a Want's body.
func wantBody(names ...crypto.BlockName) []byte {
	var body []byte
	for _, n := range names {
		body = append(body, n[:]...)
	}
	return body
}

// slowHandler takes its time to say no.
type slowHandler struct{}

func (slowHandler) Open(ctx context.Context, _ crypto.DID, _ Request) (Passage, error) {
	timer := time.NewTimer(protocol.DenialDelay / 3)
	defer timer.Stop()
	<-timer.C
	return nil, errors.New("no")
}
