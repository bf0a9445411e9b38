// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/pipe"
)

var _ protocol.Stream = (*pipe.End)(nil)

func ends(t testing.TB) (a, b *pipe.End) {
	t.Helper()
	var dids [2]crypto.DID
	for i := range dids {
		id, err := crypto.NewIdentity(bytes.NewReader(bytes.Repeat([]byte{byte(i + 1)}, 32)))
		if err != nil {
			t.Fatal(err)
		}
		dids[i] = id.DID()
	}
	return pipe.New(dids[0], dids[1], 0)
}

// Only a Refusal with a reason tells anything; all else is one answer.
func TestWhatTravels(t *testing.T) {
	expired := &protocol.Refusal{Code: protocol.Expired, Time: 5}
	for _, c := range []struct {
		err  error
		want protocol.Refusal
	}{
		{errors.New("no such data set"), protocol.Refusal{Code: protocol.Denied}},
		{&protocol.Refusal{Code: protocol.Denied, Time: 77}, protocol.Refusal{Code: protocol.Denied}},
		{&protocol.Refusal{}, protocol.Refusal{Code: protocol.Denied}},
		{context.Canceled, protocol.Refusal{Code: protocol.Denied}},
		{fmt.Errorf("check: %w", expired), *expired},
	} {
		if got := protocol.AsRefusal(c.err); *got != c.want {
			t.Errorf("%v travels as %v", c.err, got)
		}
	}
	if !errors.Is(fmt.Errorf("x: %w", expired), &protocol.Refusal{Code: protocol.Expired}) || errors.Is(expired, &protocol.Refusal{Code: protocol.Revoked}) {
		t.Error("a refusal is not found by its code")
	}
}

func TestRefusalsThatAreNone(t *testing.T) {
	for _, body := range []string{"", "\x82\x00\x00", "\x82\x01\x01", "\x82\x02\x20", "\x81\x01", "\x83\x01\x00\x00", "\x82\x18\x01\x00", "\x82\xf6\x00", "\x82\x01\x00\x00", "\x82\x1a\x00\x01\x00\x00\x00"} {
		if r, err := protocol.ParseRefusal([]byte(body)); err == nil {
			t.Errorf("%x reads as %v", body, r)
		}
	}
	later, err := protocol.ParseRefusal([]byte("\x82\x19\x03\xe8\x00"))
	if err != nil || later.Code != 1000 || later.Code.String() != "code 1000" {
		t.Errorf("a code of a later version: %v, %v", later, err)
	}
}

func TestRefuseWaitsOnlyForStrangers(t *testing.T) {
	for _, c := range []struct {
		err  error
		want time.Duration
	}{
		{errors.New("any"), protocol.DenialDelay},
		{&protocol.Refusal{Code: protocol.Revoked}, 200 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			server, client := ends(t)
			asked := time.Now()
			go func() {
				time.Sleep(200 * time.Millisecond) // fake clock: the handler at work
				_ = protocol.Refuse(t.Context(), server, asked, 0, c.err)
			}()
			answer, err := io.ReadAll(client)
			if err != nil || len(answer) == 0 || time.Since(asked) != c.want {
				t.Errorf("%v: %x, %v after %s", c.err, answer, err, time.Since(asked))
			}
		})
	}
}

func TestRefuseStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := ends(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := protocol.Refuse(ctx, server, time.Now(), 0, io.EOF); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if answer, err := io.ReadAll(client); !errors.Is(err, pipe.ErrReset) || len(answer) > 0 {
			t.Errorf("heard %x, %v", answer, err)
		}
	})
}

func TestWatchDropsAStreamThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, _ := ends(t)
		w := protocol.NewWatch(t.Context(), server)
		defer w.Close()
		slow := errors.New("slow")
		began := time.Now()
		done := w.Within(time.Second, slow)
		_, err := server.Read(make([]byte, 1))
		if !errors.Is(w.Reason(err), slow) || time.Since(began) != time.Second || done() {
			t.Errorf("%v after %s", w.Reason(err), time.Since(began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		server, client := ends(t)
		w := protocol.NewWatch(t.Context(), server)
		w.Within(time.Second, io.EOF)()
		w.Close()
		time.Sleep(time.Hour)
		if _, err := client.Write([]byte("x")); err != nil {
			t.Errorf("a watch that was closed dropped the stream: %v", err)
		}
	})
}

func TestPipeKeepsItsPromises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := ends(t)
		if a.Peer() == b.Peer() {
			t.Error("an end is its own peer")
		}
		_ = a.SetDeadline(time.Now().Add(time.Minute))
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("deadline: %v", err)
		}
		_ = a.SetDeadline(time.Time{})
		_, _ = a.Write([]byte("half"))
		_ = a.CloseWrite()
		if got, err := io.ReadAll(b); string(got) != "half" || err != nil {
			t.Errorf("half-closed: %q, %v", got, err)
		}
		if _, err := b.Write([]byte("other half")); err != nil {
			t.Error(err)
		}
		_ = b.Close()
		if got, err := io.ReadAll(a); string(got) != "other half" || err != nil {
			t.Errorf("closed: %q, %v", got, err)
		}
		a, b = ends(t)
		a.CutAfter(3)
		_, _ = a.Write([]byte("12345"))
		if got, err := io.ReadAll(b); string(got) != "123" || !errors.Is(err, pipe.ErrReset) {
			t.Errorf("cut: %q, %v", got, err)
		}
		if _, err := b.Write([]byte("x")); !errors.Is(err, pipe.ErrReset) {
			t.Errorf("write after the cut: %v", err)
		}
	})
}
