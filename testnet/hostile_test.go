// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/offer"
	"github.com/traboule/traboule/protocol/transfer"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// What holds whatever strangers do.
const (
	mostMemory   = 256 << 20 // bytes
	mostLines    = 60        // in a minute
	mostSlowdown = 2
)

// script says how long the play is.
type script struct {
	rounds int           // each of a calm and a disturbed part
	rank   int           // the percentile that is compared: few deliveries have no 99th
	part   time.Duration // how long a part is
	pace   time.Duration // from one delivery to the next
	tries  int           // how often a misbehaviour may be tried before it counts
	grain  time.Duration // more than the slowdown: for parts too short to measure well
}

// TestHostile: a node goes on serving honest peers whatever others do, in
// bounded memory, with bounded words, and writes nothing for strangers.
func TestHostile(t *testing.T) {
	play := script{rounds: disktest.Runs(t, 1, 5), rank: 50, part: 80 * time.Millisecond, pace: 2 * time.Millisecond, tries: 5, grain: 10 * time.Millisecond}
	if play.rounds > 1 {
		play.rank, play.part, play.pace, play.tries, play.grain = 99, 3*time.Second, 20*time.Millisecond, 3, 0
	}
	s := newSiege(t)
	s.warmUp(t)
	for _, m := range misbehaviours {
		t.Run(m.name, func(t *testing.T) {
			for try := 1; ; try++ {
				found := s.endure(t, m, play)
				t.Log(found)
				why := found.wrong()
				if why == "" {
					return
				}
				if try == play.tries {
					t.Fatal(why)
				}
				t.Logf("again, since the machine may have been at something else: %s", why)
			}
		})
	}
	said, last := s.said.total()
	if minutes := time.Since(s.began).Minutes(); float64(said) > mostLines*max(1, minutes) {
		t.Errorf("%d lines in %.1f minutes, the last: %s", said, minutes, last)
	}
	t.Logf("lines that the node printed: %d; requests of strangers that it refused: %d", said, s.node.status(t).Strangers)
}

// siege is a node, honest peers that it serves, and those who would rather it
// did not.
type siege struct {
	node   *watched
	honest *honest
	mob    *mob
	said   *lines
	began  time.Time
}

func newSiege(t *testing.T) *siege {
	t.Helper()
	dir, bin := makeHome(t), build(t)
	giver := openHome(t, dir, nil)
	source := filepath.Join(t.TempDir(), "source")
	write(t, source, seeded(11), map[string]int{"a": 900, "b": 3000, "c/d": 8000})
	do(t, giver, node.Add, node.AddRequest{Path: source, Name: "diary"})
	large := filepath.Join(t.TempDir(), "large")
	write(t, large, seeded(12), map[string]int{"film": 12 << 20})
	do(t, giver, node.Add, node.AddRequest{Path: large, Name: "films"})

	h := &honest{}
	for i := range 4 {
		name := fmt.Sprint("Camille ", i)
		g := newGuest(t, giver, name)
		for range disktest.Runs(t, 2, 6) { // each is good for 3,600 openings in an hour
			link := do(t, giver, node.Grant, node.GrantRequest{Name: "diary", To: name}).Link
			h.readers = append(h.readers, reader{g, g.chain(t, link)})
		}
	}
	mallory := openHome(t, makeHome(t), nil)
	introduce(t, giver, mallory, "the giver", "Mallory")
	mallory.stop()
	link := do(t, giver, node.Grant, node.GrantRequest{Name: "films", To: "Mallory"}).Link
	giver.stop()

	s := &siege{honest: h, said: &lines{}, began: time.Now()}
	p := startProcessTelling(t, bin, dir, passphrase, s.said, "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1")
	for _, r := range h.readers {
		r.guest.server = &home{info: p.info}
	}
	s.node = watch(t, p.cmd.Process.Pid, dir)
	offered, err := offer.ParseLink(link)
	if err != nil {
		t.Fatal(err)
	}
	s.mob = gather(t, plan{
		Node: crypto.DID(p.info.Node), Addresses: p.info.Addresses,
		Contact: mallory.dir, Chain: offered.Chain, Seen: h.overheard(t),
	})
	return s
}

// honest are peers who read what they were granted, again and again.
type honest struct {
	readers []reader
	turn    int
}

type reader struct {
	guest *guest
	chain grant.Chain
}

// deliver is one small delivery, from the question to the last block, over a
// connection that is open.
func (h *honest) deliver(t *testing.T) time.Duration {
	t.Helper()
	r := h.readers[h.turn%len(h.readers)]
	h.turn++
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	reading, err := r.guest.open(ctx, r.chain)
	if err != nil {
		t.Fatalf("an honest peer is not served: %v", err)
	}
	got := 0
	err = reading.Fetch(ctx, slices.Values(reading.names), func(crypto.BlockName, []byte) error { got++; return nil })
	if err != nil || got == 0 {
		t.Fatalf("an honest peer gets %d blocks: %v", got, err)
	}
	if err := reading.Done(ctx); err != nil {
		t.Fatalf("an honest peer is not bidden farewell: %v", err)
	}
	return time.Since(began)
}

// during takes one delivery after the other for so long.
func (h *honest) during(t *testing.T, long, pace time.Duration) (took []time.Duration) {
	t.Helper()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for end := time.Now().Add(long); time.Now().Before(end); <-tick.C {
		took = append(took, h.deliver(t))
	}
	return took
}

// comeAnew drops a connection and makes another.
func (h *honest) comeAnew(t *testing.T) {
	t.Helper()
	r := h.readers[h.turn%len(h.readers)]
	if err := r.guest.host.ClosePeer(crypto.DID(r.guest.server.info.Node)); err != nil {
		t.Fatal(err)
	}
	h.deliver(t)
}

// overheard is what honest peers said, as bytes.
func (h *honest) overheard(t *testing.T) (requests [][]byte) {
	t.Helper()
	for _, r := range h.readers {
		self := peer{node: r.guest.keys.Node(), receive: r.guest.keys.Receive().Public()}
		server := crypto.DID(r.guest.server.info.Node)
		said, err := self.invoke(r.chain, server)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := r.guest.host.Dial(t.Context(), server, r.guest.server.info.Addresses, transfer.ProtocolID)
		if err != nil {
			t.Fatal(err)
		}
		session, err := transfer.Open(t.Context(), stream, said, transfer.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_ = session.Close()
		requests = append(requests, request(said.Invocation, said.Proofs))
	}
	return requests
}

// findings is what became of one misbehaviour.
type findings struct {
	name            string
	rank            int
	grain           time.Duration
	did             deeds
	calm, disturbed time.Duration // that percentile; of several rounds the median
	samples         int           // of each
	peak            int64         // bytes
	nodeCPU         time.Duration // while disturbed
	took            time.Duration // the disturbed parts
	idle, written   int64         // bytes, as long idle as besieged by strangers alone
	changed         []string      // files, while besieged by strangers alone
}

func (f findings) String() string {
	return fmt.Sprintf("%-32s %5d acts (%d no place) %9d B | p%d of %d: calm %s, disturbed %s (%.2f) | peak %d MiB | node %d %% of a CPU | disk idle %d, besieged %d",
		f.name, f.did.Acts, f.did.Refused, f.did.Bytes, f.rank, f.samples, f.calm.Round(10*time.Microsecond), f.disturbed.Round(10*time.Microsecond),
		f.disturbed.Seconds()/f.calm.Seconds(), f.peak>>20, 100*f.nodeCPU/max(1, f.took), f.idle, f.written)
}

// wrong says which promise was broken.
func (f findings) wrong() string {
	switch {
	case f.did.Acts < 3:
		return fmt.Sprintf("%d acts are no misbehaviour", f.did.Acts)
	case f.did.Refused == f.did.Acts:
		return "all of it was turned away at the door: nothing was tried"
	case f.disturbed > mostSlowdown*f.calm+f.grain:
		return fmt.Sprintf("honest peers wait %s in place of %s", f.disturbed, f.calm)
	case f.peak > mostMemory:
		return fmt.Sprintf("%d MiB of memory", f.peak>>20)
	case f.written > f.idle:
		return fmt.Sprintf("%d bytes were written, and %d without strangers", f.written, f.idle)
	case len(f.changed) > 0:
		return fmt.Sprintf("these files changed: %q", f.changed)
	}
	return ""
}

// endure lets somebody misbehave, and looks on.
func (s *siege) endure(t *testing.T, m misbehaviour, play script) findings {
	t.Helper()
	before := s.node.status(t).Load
	s.node.peakSince(t)
	f := findings{name: m.name, rank: play.rank, grain: play.grain}
	var calm, disturbed []time.Duration
	for range play.rounds {
		quiet := s.honest.during(t, play.part, play.pace)
		calm = append(calm, percentile(quiet, play.rank))
		f.samples += len(quiet)
		if !m.contact && play.rounds > 1 {
			idle, _ := s.rest(t, play.part)
			f.idle += idle
		}
		s.mob.say(t, m.name)
		if !m.contact {
			written, changed := s.rest(t, play.part)
			f.written, f.changed = f.written+written, append(f.changed, changed...)
		}
		used, began := s.node.cpu(t), time.Now()
		disturbed = append(disturbed, percentile(s.honest.during(t, play.part, play.pace), play.rank))
		s.honest.comeAnew(t)
		f.nodeCPU += s.node.cpu(t) - used
		f.took += time.Since(began)
		s.mob.say(t, "end")
		did := s.mob.hear(t)
		f.did = deeds{f.did.Acts + did.Acts, f.did.Refused + did.Refused, f.did.Bytes + did.Bytes}
		s.recovered(t, before)
	}
	f.calm, f.disturbed, f.peak = percentile(calm, 50), percentile(disturbed, 50), s.node.peakSince(t)
	return f
}

// rest waits, and says what the node wrote meanwhile.
func (s *siege) rest(t *testing.T, long time.Duration) (written int64, changed []string) {
	t.Helper()
	before, files := s.node.written(t), s.node.files(t)
	<-time.After(long)
	for name, now := range s.node.files(t) {
		if files[name] != now {
			changed = append(changed, name)
		}
	}
	return s.node.written(t) - before, changed
}

// warmUp makes sure that what a delivery writes is seen, or nothing that is
// not seen later would mean anything.
func (s *siege) warmUp(t *testing.T) {
	t.Helper()
	before, files := s.node.written(t), s.node.files(t)
	for range 40 {
		s.honest.deliver(t)
	}
	if maps.Equal(files, s.node.files(t)) {
		t.Fatal("40 deliveries were journaled, and no file has changed")
	}
	if s.node.written(t) == before {
		t.Log("the system does not tell here what a process writes: the files alone are looked at")
	}
}

// recovered waits until the node has let go of what it had for them.
func (s *siege) recovered(t *testing.T, before *node.Load) {
	t.Helper()
	const slack = 12 // what honest peers have at the time, and timers
	var now *node.Load
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		now = s.node.status(t).Load
		if now.Goroutines <= before.Goroutines+slack && now.Files <= before.Files+slack {
			return
		}
	}
	t.Errorf("there were %d goroutines and %d files, and are %d and %d long after", before.Goroutines, before.Files, now.Goroutines, now.Files)
}

// percentile is the p-th of some times, by nearest rank.
func percentile(times []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}
