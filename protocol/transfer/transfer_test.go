// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/time/rate"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/pipe"
)

func TestFetchBringsWhatIsWanted(t *testing.T) {
	sizes := append(many(3000, 4000), crypto.MaxBlock, 1, crypto.MaxBlock, 65536, crypto.MaxBlock-1)
	for _, buffer := range []int{1, 1 << 20} {
		if buffer == 1 {
			sizes = append(many(200, 300), 70000)
		}
		h, names := newShelf(1, sizes...)
		synctest.Test(t, func(t *testing.T) {
			server, client := ends(t, buffer)
			done := serve(t.Context(), server, h, ServerOptions{Now: func() time.Time { return time.Now().Add(90 * time.Second) }})
			request := Request{Invocation: []byte("i"), Proofs: [][]byte{[]byte("p"), []byte("q")}, Held: make([]byte, 32)}
			c, err := Open(t.Context(), client, request, ClientOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if c.Skew() != 90*time.Second || string(c.Head()) != "a sealed head" {
				t.Errorf("skew %s, head %q", c.Skew(), c.Head())
			}
			got, half := map[crypto.BlockName][]byte{}, len(names)/2
			for _, part := range [][]crypto.BlockName{names[:half], names[half:], nil} {
				if err := c.Fetch(t.Context(), slices.Values(part), keep(t, got)); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Done(t.Context()); err != nil {
				t.Error(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if !maps.EqualFunc(h.blocks, got, bytes.Equal) {
				t.Error("what came is not what was wanted")
			}
			if diff := cmp.Diff(request, h.request); diff != "" {
				t.Error(diff)
			}
			if h.opened != 1 || h.closed != 1 {
				t.Errorf("opened %d, closed %d", h.opened, h.closed)
			}
			if c.Close() != nil || c.Fetch(t.Context(), slices.Values(names), keep(t, got)) == nil {
				t.Error("a session that is over does something")
			}
		})
	}
}

// deafened is a stream whose peer has stopped reading, as QUIC tells it: Close
// fails, though all has arrived.
type deafened struct{ protocol.Stream }

func (d deafened) Close() error {
	_ = d.Stream.Close()
	return errors.New("close called for canceled stream")
}

// TestDoneIsDone: once both sides have agreed on the end, the way in which the
// stream goes is no failure of the transfer.
func TestDoneIsDone(t *testing.T) {
	h, names := newShelf(1, 100)
	synctest.Test(t, func(t *testing.T) {
		server, client := ends(t, 1<<20)
		done := serve(t.Context(), server, h, ServerOptions{})
		c, err := Open(t.Context(), deafened{client}, Request{Invocation: []byte("i")}, ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Fetch(t.Context(), slices.Values(names), keep(t, map[crypto.BlockName][]byte{})); err != nil {
			t.Fatal(err)
		}
		if err := c.Done(t.Context()); err != nil {
			t.Errorf("all came, both sides say so, and the transfer ends with %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestBlocksComeInTheOrderOfTheirNames(t *testing.T) {
	h, names := newShelf(2, many(700, 100)...)
	names = append(names, names[0], names[0]) // wanting twice is allowed
	server, client := ends(t, 0)
	done := serve(t.Context(), server, h, ServerOptions{})
	c, err := Open(t.Context(), client, anyRequest, ClientOptions{Ahead: 1})
	if err != nil {
		t.Fatal(err)
	}
	var got []crypto.BlockName
	err = c.Fetch(t.Context(), slices.Values(names), func(n crypto.BlockName, _ []byte) error { got = append(got, n); return nil })
	if err != nil || !slices.Equal(got, names) {
		t.Errorf("%v, %d of %d in order", err, len(got), len(names))
	}
	if err := errors.Join(c.Done(t.Context()), <-done); err != nil {
		t.Error(err)
	}
}

// A cut anywhere costs nothing but the blocks that were on their way: the
// client wants only what it lacks, and ends with the same blocks.
func TestCutAnywhereThenResumed(t *testing.T) {
	h, names := newShelf(3, many(400, 3000)...)
	var total int64
	for _, b := range h.blocks {
		total += int64(len(b)) + 41
	}
	random := rand.New(rand.NewPCG(7, 7))
	cuts := 200
	for i := range cuts {
		at := random.Int64N(total + 60)
		if i < 60 {
			at = int64(i) // every byte of hello and answer
		}
		synctest.Test(t, func(t *testing.T) {
			got := map[crypto.BlockName][]byte{}
			cut := fetchAll(t, h, names, got, at)
			if cut == nil && at < total {
				t.Fatalf("cut after %d bytes: no error", at)
			}
			durable := len(got)
			h.served = 0
			if err := fetchAll(t, h, names, got, -1); err != nil {
				t.Fatalf("resumed after %d bytes: %v", at, err)
			}
			if h.served != len(names)-durable {
				t.Errorf("cut after %d bytes: %d blocks came again", at, h.served-(len(names)-durable))
			}
			if !maps.EqualFunc(h.blocks, got, bytes.Equal) {
				t.Errorf("cut after %d bytes: another result", at)
			}
		})
	}
}

// fetchAll fetches into got what it lacks, over a pipe that is cut after so
// many bytes from the server.
func fetchAll(t *testing.T, h *shelf, names []crypto.BlockName, got map[crypto.BlockName][]byte, cut int64) error {
	server, client := ends(t, 0)
	if cut >= 0 {
		server.CutAfter(cut)
	}
	done := serve(t.Context(), server, h, ServerOptions{})
	defer func() { <-done }()
	c, err := Open(t.Context(), client, anyRequest, ClientOptions{})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Fetch(t.Context(), slices.Values(lacking(names, got)), keep(t, got)); err != nil {
		return err
	}
	return c.Done(t.Context())
}

func TestMissingBlocksAreNamedAndTheSessionGoesOn(t *testing.T) {
	h, names := newShelf(4, many(10, 100)...)
	h.fail = map[crypto.BlockName]error{names[3]: ErrMissing, names[9]: ErrMissing}
	server, client := ends(t, 0)
	done := serve(t.Context(), server, h, ServerOptions{})
	c, err := Open(t.Context(), client, anyRequest, ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[crypto.BlockName][]byte{}
	err = c.Fetch(t.Context(), slices.Values(names), keep(t, got))
	var missing *MissingError
	if !errors.Is(err, ErrMissing) || !errors.As(err, &missing) || !slices.Equal(missing.Names, []crypto.BlockName{names[3], names[9]}) {
		t.Errorf("missing: %v", err)
	}
	if len(got) != 8 {
		t.Errorf("%d blocks came, want the other 8", len(got))
	}
	if err := errors.Join(c.Done(t.Context()), <-done); err != nil {
		t.Error(err)
	}
}

// What ends a passage with a reason, and what the client hears.
func TestReasonsTravel(t *testing.T) {
	h, names := newShelf(5, 100, 100, 100)
	for _, c := range []struct {
		why  error
		code protocol.Code
	}{
		{ErrNotGranted, protocol.Outside},
		{&protocol.Refusal{Code: protocol.Expired, Time: 1767225600}, protocol.Expired},
		{errors.New("disk on fire"), protocol.Failed},
	} {
		h.fail = map[crypto.BlockName]error{names[1]: c.why}
		got := map[crypto.BlockName][]byte{}
		server, client := ends(t, 0)
		done := serve(t.Context(), server, h, ServerOptions{})
		s, err := Open(t.Context(), client, anyRequest, ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Fetch(t.Context(), slices.Values(names), keep(t, got))
		var refusal *protocol.Refusal
		if !errors.As(err, &refusal) || refusal.Code != c.code {
			t.Errorf("%v: the client heard %v", c.why, err)
		}
		if err := <-done; !errors.Is(err, c.why) {
			t.Errorf("%v: the server's log says %v", c.why, err)
		}
		if len(got) != 1 {
			t.Errorf("%v: %d blocks came before it", c.why, len(got))
		}
	}
	h.refuse = &protocol.Refusal{Code: protocol.Revoked}
	synctest.Test(t, func(t *testing.T) {
		server, client := ends(t, 0)
		done := serve(t.Context(), server, h, ServerOptions{})
		began := time.Now()
		if _, err := Open(t.Context(), client, anyRequest, ClientOptions{}); !errors.Is(err, h.refuse) {
			t.Errorf("heard %v", err)
		}
		if time.Since(began) != 0 {
			t.Error("a reason for those who may hear it was delayed")
		}
		<-done
	})
}

// Revocation: the context ends in the middle; after Serve returned not one
// byte more is written, and none that waited is delivered.
func TestCancelledServerWritesNothingMore(t *testing.T) {
	h, names := newShelf(6, many(3000, 4000)...)
	synctest.Test(t, func(t *testing.T) {
		server, client := ends(t, 8<<10)
		counted := &countingStream{End: server}
		ctx, cancel := context.WithCancelCause(t.Context())
		revoked := errors.New("revoked")
		h.onBlock = func(n int) {
			if n == 500 {
				cancel(revoked)
			}
		}
		done := make(chan error, 1)
		var atReturn int64
		go func() {
			err := Serve(ctx, counted, h, ServerOptions{})
			atReturn = counted.written
			done <- err
		}()
		c, err := Open(t.Context(), client, anyRequest, ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[crypto.BlockName][]byte{}
		if err := c.Fetch(t.Context(), slices.Values(names), keep(t, got)); !errors.Is(err, pipe.ErrReset) {
			t.Errorf("the client saw %v, not a reset", err)
		}
		if err := <-done; !errors.Is(err, revoked) {
			t.Errorf("the server says %v", err)
		}
		delivered := server.Delivered()
		time.Sleep(time.Hour) // fake clock: whatever could still come, would
		synctest.Wait()
		if counted.written != atReturn || server.Delivered() != delivered {
			t.Errorf("%d bytes were written after Serve returned, %d delivered", counted.written-atReturn, server.Delivered()-delivered)
		}
		if len(got) == 0 || len(got) > 500 || h.served != 500 {
			t.Errorf("%d blocks came, %d were read", len(got), h.served)
		}
	})
}

type countingStream struct {
	*pipe.End
	written int64
}

func (c *countingStream) Write(p []byte) (int, error) {
	n, err := c.End.Write(p)
	c.written += int64(n)
	return n, err
}

func TestClientCancels(t *testing.T) {
	h, names := newShelf(7, many(500, 4000)...)
	synctest.Test(t, func(t *testing.T) {
		server, client := ends(t, 0)
		done := serve(t.Context(), server, h, ServerOptions{})
		c, err := Open(t.Context(), client, anyRequest, ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		sunk := 0
		err = c.Fetch(ctx, slices.Values(names), func(crypto.BlockName, []byte) error {
			if sunk++; sunk == 5 {
				cancel()
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) || sunk > 6 {
			t.Errorf("%v after %d blocks", err, sunk)
		}
		if err := c.Done(t.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("done after a cut: %v", err)
		}
		if <-done == nil {
			t.Error("the server took a cut for an end")
		}
	})
}

func TestSinkErrorEndsFetch(t *testing.T) {
	h, names := newShelf(8, many(50, 400)...)
	server, client := ends(t, 0)
	done := serve(t.Context(), server, h, ServerOptions{})
	c, err := Open(t.Context(), client, anyRequest, ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	if err := c.Fetch(t.Context(), slices.Values(names), func(crypto.BlockName, []byte) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	<-done
}

func TestRateLimitAtTheReceiver(t *testing.T) {
	h, names := newShelf(9, slices.Repeat([]int{64 << 10}, 64)...)
	synctest.Test(t, func(t *testing.T) {
		server, client := ends(t, 0)
		done := serve(t.Context(), server, h, ServerOptions{})
		began := time.Now()
		// so slow that one block takes longer than anybody is patient
		limit := rate.NewLimiter(16<<10, 16<<10)
		c, err := Open(t.Context(), client, anyRequest, ClientOptions{Rate: limit, Idle: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Fetch(t.Context(), slices.Values(names), keep(t, map[crypto.BlockName][]byte{})); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 250*time.Second || took > 270*time.Second {
			t.Errorf("4 MiB at 16 KiB/s took %s", took)
		}
		if err := errors.Join(c.Done(t.Context()), <-done); err != nil {
			t.Error(err)
		}
	})
}

func TestPatienceEnds(t *testing.T) {
	h, names := newShelf(10, slices.Repeat([]int{1 << 20}, 4)...)
	for name, play := range map[string]func(t *testing.T, client *pipe.End){
		"silent from the start": func(t *testing.T, client *pipe.End) {},
		"silent inside a request": func(t *testing.T, client *pipe.End) {
			_, _ = client.Write([]byte{200, 1, byte(kindRequest), 1, 2, 3})
		},
		"silent after the answer": func(t *testing.T, client *pipe.End) { newRaw(t, client).admitted() },
		"wants and does not read": func(t *testing.T, client *pipe.End) {
			r := newRaw(t, client)
			r.admitted()
			r.send(kindWant, wantBody(names...))
		},
		"wants and reads a byte a minute": func(t *testing.T, client *pipe.End) {
			r := newRaw(t, client)
			r.admitted()
			r.send(kindWant, wantBody(names...))
			for {
				if _, err := client.Read(make([]byte, 1)); err != nil {
					return
				}
				time.Sleep(time.Minute)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, client := ends(t, 0)
				done := serve(t.Context(), server, h, ServerOptions{})
				began := time.Now()
				play(t, client)
				if err := <-done; !errors.Is(err, ErrSlow) {
					t.Errorf("the server ended with %v", err)
				}
				if took := time.Since(began); took > 61*time.Second {
					t.Errorf("it was patient for %s", took)
				}
			})
		})
	}
}

func TestClientPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := ends(t, 0)
		began := time.Now()
		if _, err := Open(t.Context(), client, anyRequest, ClientOptions{}); !errors.Is(err, ErrSlow) || time.Since(began) != 2*time.Minute {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestRequestsThatAreNone(t *testing.T) {
	for name, r := range map[string]Request{
		"no invocation":   {},
		"large":           {Invocation: make([]byte, MaxToken+1)},
		"seven proofs":    {Invocation: []byte("i"), Proofs: slices.Repeat([][]byte{{1}}, 7)},
		"an empty proof":  {Invocation: []byte("i"), Proofs: [][]byte{{}}},
		"a large proof":   {Invocation: []byte("i"), Proofs: [][]byte{make([]byte, MaxToken+1)}},
		"a short digest":  {Invocation: []byte("i"), Held: make([]byte, 31)},
		"a longer digest": {Invocation: []byte("i"), Held: make([]byte, 33)},
	} {
		if _, err := r.encode(); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
	largest := Request{Invocation: make([]byte, MaxToken), Proofs: slices.Repeat([][]byte{make([]byte, MaxToken)}, MaxProofs), Held: make([]byte, 32)}
	if b, err := largest.encode(); err != nil || len(b) > maxRequest {
		t.Errorf("the largest request has %d bytes of %d: %v", len(b), maxRequest, err)
	}
}

var _ io.Closer = (*Session)(nil)
