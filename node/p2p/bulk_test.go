// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"bytes"
	"errors"
	"net"
	"testing"
)

// pen writes down each call of Write, until it breaks.
type pen struct {
	net.Conn
	calls  [][]byte
	broken error
}

func (p *pen) Write(b []byte) (int, error) {
	if p.broken != nil {
		return len(b) / 2, p.broken
	}
	p.calls = append(p.calls, bytes.Clone(b))
	return len(b), nil
}

func write(t *testing.T, g *gathering, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if n, err := g.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("write %q: %d, %v", text, n, err)
		}
	}
}

func TestGatheringWritesOnceAndInOrder(t *testing.T) {
	p := &pen{}
	g := &gathering{Conn: p}
	write(t, g, "hello")
	g.hold()
	write(t, g, "one", "two", "three")
	if len(p.calls) != 1 {
		t.Fatalf("%d calls before release", len(p.calls))
	}
	if err := g.release(); err != nil {
		t.Fatal(err)
	}
	write(t, g, "alert")
	if got := string(bytes.Join(p.calls, []byte("|"))); got != "hello|onetwothree|alert" {
		t.Errorf("written: %s", got)
	}
}

func TestGatheringIsBounded(t *testing.T) {
	p := &pen{}
	g := &gathering{Conn: p}
	g.hold()
	record := make([]byte, 16<<10)
	for range 100 {
		write(t, g, string(record))
		if len(g.waiting) > gatherBytes {
			t.Fatalf("%d bytes wait", len(g.waiting))
		}
	}
	if err := g.release(); err != nil || len(bytes.Join(p.calls, nil)) != 100*len(record) {
		t.Errorf("%d bytes left, %v", len(bytes.Join(p.calls, nil)), err)
	}
}

// After a write that failed records are missing, even if the next would not
// fail (a deadline that was moved): nothing may follow.
func TestGatheringEndsWithItsFirstFailure(t *testing.T) {
	p := &pen{broken: errors.New("timeout")}
	g := &gathering{Conn: p}
	g.hold()
	write(t, g, "lost")
	if err := g.release(); !errors.Is(err, p.broken) {
		t.Fatalf("release: %v", err)
	}
	why := p.broken
	p.broken = nil
	if _, err := g.Write([]byte("after")); !errors.Is(err, why) || len(p.calls) != 0 {
		t.Errorf("written after a failure: %q, %v", p.calls, err)
	}
}
