// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/access"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/ucan"
)

// refusal is one line of the list of what must be refused: by which layer, and
// what the peer hears.
type refusal struct {
	name  string
	layer access.Layer
	code  protocol.Code
	make  func(w *world) *attempt
}

const (
	byUCAN    = access.LayerUCAN
	byProfile = access.LayerProfile
	byGate    = access.LayerGate
	denied    = protocol.Denied
)

// asking is a case that bends a good invocation.
func asking(bend func(w *world, a *attempt)) func(*world) *attempt {
	return func(w *world) *attempt {
		a := w.ask(w.chain)
		bend(w, a)
		return a
	}
}

// linked is a case that bends one link of a good chain.
func linked(links, i int, bend func(w *world, c *ucan.DelegationClaims)) func(*world) *attempt {
	return func(w *world) *attempt {
		return w.ask(w.bend(w.grow(w.terms, links), i, func(c *ucan.DelegationClaims) { bend(w, c) }))
	}
}

// claiming is a case that signs a claim that no library would.
func claiming(key string, v func(w *world) ucan.Value) func(*world) *attempt {
	return asking(func(w *world, a *attempt) {
		a.raw = func(m ucan.Map) ucan.Map { return with(m, key, v(w)) }
	})
}

func commanding(cmd string) func(*world) *attempt {
	return claiming("cmd", func(*world) ucan.Value { return ucan.String(cmd) })
}

func cutting(cut func(w *world, token []byte) []byte) func(*world) *attempt {
	return asking(func(w *world, a *attempt) { a.cut = func(b []byte) []byte { return cut(w, b) } })
}

func pathed(path string) func(*world) *attempt {
	return asking(func(_ *world, a *attempt) { a.args.Paths = []string{path} })
}

func limited(policy ...ucan.Statement) func(*world) *attempt {
	return linked(4, 3, func(_ *world, c *ucan.DelegationClaims) { c.Policy = policy })
}

func field(name string) ucan.Selector { return ucan.Selector{{Kind: ucan.Field, Name: name}} }

func optional(name string) ucan.Selector {
	return ucan.Selector{{Kind: ucan.Field, Name: name, Optional: true}}
}

func all(list string, inner ucan.Statement) ucan.Statement {
	return ucan.Statement{Op: ucan.OpAll, Selector: field(list), Args: []ucan.Statement{inner}}
}

func like(pattern string) ucan.Statement { return ucan.Statement{Op: ucan.OpLike, Pattern: pattern} }

// The whole list, through the gate. go test -run TestRefusals -v shows it.
func TestRefusals(t *testing.T) {
	for _, r := range refusals() {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(t)
			a := r.make(w)
			decision, denial := a.check()
			if decision != nil || denial == nil {
				t.Fatal("admitted")
			}
			if denial.Layer != r.layer || denial.Code != r.code {
				t.Errorf("refused by %s with %v (%v), want %s with %v", denial.Layer, denial.Code, denial.Reason, r.layer, r.code)
			}
			if denial.Code != denied && !denial.Audience {
				t.Errorf("a stranger hears %v", denial.Code)
			}
			t.Logf("%s → %s: %v", r.name, denial.Layer, denial.Code)
		})
	}
	for _, r := range otherRefusals {
		t.Run(r.name, func(t *testing.T) {
			if err := r.try(newWorld(t)); err == nil {
				t.Error("not refused")
			} else {
				t.Logf("%s → %s: %v", r.name, r.layer, err)
			}
		})
	}
}

// otherRefusals are those of the list that are not about an invocation.
var otherRefusals = []struct {
	name  string
	layer access.Layer
	try   func(w *world) error
}{
	{"a reused seq", byGate, func(w *world) error {
		return w.useTwice(1, 1, "head 1", "head 2")
	}},
	{"a use more than the bound", byGate, func(w *world) error {
		if err := w.useTwice(2, 2, "head 1", "head 2"); err != nil {
			w.t.Fatal(err)
		}
		return w.use(w.ask(w.chain), 2, "head 3")
	}},
	{"a stale status, to readers", byGate, func(w *world) error {
		var l access.Leases
		if err := l.Accept(access.Status{Dataset: w.dataset.DID(), Seq: 1, Issued: start}, start); err != nil {
			w.t.Fatal(err)
		}
		if err := l.Check(w.dataset.DID(), access.ReaderLease, start.Add(time.Hour)); err != nil {
			w.t.Fatal(err)
		}
		return l.Check(w.dataset.DID(), access.ReaderLease, start.Add(time.Hour+time.Second))
	}},
	{"a stale status, to replicas", byGate, func(w *world) error {
		var l access.Leases
		if err := l.Accept(access.Status{Dataset: w.dataset.DID(), Seq: 1, Issued: start}, start); err != nil {
			w.t.Fatal(err)
		}
		return l.Check(w.dataset.DID(), access.ReplicaLease, start.Add(24*time.Hour+time.Second))
	}},
	{"no status", byGate, func(w *world) error {
		return new(access.Leases).Check(w.dataset.DID(), access.ReplicaLease, start)
	}},
	{"a status going back", byGate, func(w *world) error {
		var l access.Leases
		if err := l.Accept(access.Status{Dataset: w.dataset.DID(), Seq: 2, Issued: start}, start); err != nil {
			w.t.Fatal(err)
		}
		return l.Accept(access.Status{Dataset: w.dataset.DID(), Seq: 1, Issued: start.Add(time.Minute)}, start.Add(time.Minute))
	}},
	{"a status from the future", byGate, func(w *world) error {
		return new(access.Leases).Accept(access.Status{Dataset: w.dataset.DID(), Seq: 1, Issued: start.Add(time.Hour)}, start)
	}},
	{"a wrapped key replayed to another grantee", "crypto", func(w *world) error {
		one, other := must[*crypto.Keyring](w.t)(crypto.NewKeyring(seeded("one"))), must[*crypto.Keyring](w.t)(crypto.NewKeyring(seeded("other")))
		sealed := must[[]byte](w.t)(crypto.SealTo(one.Receive().Public(), []byte("for one"), []byte("head")))
		if _, err := one.Receive().Open([]byte("for one"), sealed); err != nil {
			w.t.Fatal(err)
		}
		if _, err := one.Receive().Open([]byte("for other"), sealed); err == nil {
			w.t.Error("opened for another audience")
		}
		_, err := other.Receive().Open([]byte("for one"), sealed)
		return err
	}},
}

// seeded is a reader of bytes made from a name.
func seeded(name string) *bytes.Reader {
	var b []byte
	for i := range 1024 {
		b = append(b, name...)
		b = binary.BigEndian.AppendUint64(b, uint64(i))
	}
	return bytes.NewReader(b)
}

func (w *world) useTwice(seq1, seq2 int64, head1, head2 string) error {
	return errors.Join(w.use(w.ask(w.chain), seq1, head1), w.use(w.ask(w.chain), seq2, head2))
}

func (w *world) use(a *attempt, seq int64, head string) error {
	w.t.Helper()
	a.args.Seq = seq
	if _, denial := w.gate.Use(w.admit(a), digest(head)); denial != nil {
		if denial.Code != protocol.Limit || !denial.Audience {
			w.t.Errorf("a spent bound says %v", denial)
		}
		return denial
	}
	return nil
}

func digest(head string) (d [32]byte) {
	copy(d[:], head)
	return d
}
