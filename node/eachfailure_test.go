// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage/blocks"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
	"github.com/traboule/traboule/storage/journal"
	"github.com/traboule/traboule/storage/vault"
)

// strained is two neighbours of whom one's disk is going to fail.
type strained struct {
	t          *testing.T
	alice, bob *person
	disk       *disktest.Disk
	faulty     *disktest.Faulty
	which      int // whose disk: 0 the giver's, 1 the grantee's
	id         string
	told       error // what the owner was told of the failure
	revoked    bool  // a revocation was acknowledged
	removed    bool  // a removal was
	added      tree  // what is acknowledged of the data set, and
	trying     tree  // what was tried
	meter      meter // of the giver's, if a view of it is given,
	view       string
	seen       []string // and what the grantee had of it before
}

// chores are what a node does for its owner, or by itself, each with a disk
// that fails in the middle.
var chores = map[string]struct {
	who int
	do  func(s *strained) error
}{
	"add": {0, func(s *strained) error {
		s.trying = tree{"a": noise(5000), "b": "2"}
		err := s.tryAdd(s.trying)
		if err == nil {
			s.added = s.trying
		}
		return err
	}},
	"grant": {0, func(s *strained) error { return try(s.alice, Grant, GrantRequest{Name: "notes", To: "bob"}) }},
	"revoke": {0, func(s *strained) error {
		err := try(s.alice, Revoke, NameRequest{Name: s.id})
		s.revoked = err == nil
		return err
	}},
	"remove": {0, func(s *strained) error {
		err := try(s.alice, Remove, NameRequest{Name: "other"})
		s.removed = err == nil
		return err
	}},
	"deliver": {0, func(s *strained) error { return try(s.bob, Fetch, FetchRequest{Grant: s.id}) }},
	"fetch":   {1, func(s *strained) error { return try(s.bob, Fetch, FetchRequest{Grant: s.id}) }},
	"kit": {0, func(s *strained) error {
		return try(s.alice, Kit, KitRequest{To: filepath.Join(filepath.Dir(s.alice.home), "kit")})
	}},
	"keep house": {0, func(s *strained) error {
		s.alice.clock.advance(time.Hour)
		d, err := s.alice.digest()
		return errors.Join(s.alice.housekeeping(s.t.Context()), err, s.alice.vault.Checkpoint(s.t.Context(), d))
	}},
	"compact":      {0, func(s *strained) error { return try(s.alice, Compact, CompactRequest{Waste: true}) }},
	"cut a view":   {0, (*strained).fetchView},
	"fetch a view": {1, (*strained).fetchView},
}

func try[Q, R any](p *person, op Operation[Q, R], q Q) error {
	_, err := op.Do(p.t.Context(), p.Node, q, nil)
	return err
}

func newStrained(t *testing.T, chore string, cause error) *strained {
	t.Helper()
	which := chores[chore].who
	s := &strained{t: t, which: which, disk: disktest.NewDisk(), added: tree{"a": "1", "b": "2"}}
	s.faulty = disktest.Fail(s.disk, 0, cause)
	c := novemberClock()
	below := [2]disk.FS{disktest.NewDisk(), disktest.NewDisk()}
	below[which] = s.faulty
	s.alice, s.bob = newPersonOn(t, "alice", c, below[0]), newPersonOn(t, "bob", c, below[1])
	meet(s.alice, s.bob)
	s.alice.add("notes", s.added)
	s.alice.add("other", tree{"c": "3"})
	s.id = s.alice.give("notes", s.bob).Grant.ID
	if strings.HasSuffix(chore, " a view") {
		s.withView()
	}
	return s
}

func (s *strained) tryAdd(files tree) error {
	dir := filepath.Join(filepath.Dir(s.alice.home), "source of notes")
	for name, content := range files {
		disktest.Write(s.t, disk.OS, filepath.Join(dir, name), []byte(content))
	}
	return try(s.alice, Add, AddRequest{Path: dir, Name: "notes"})
}

func (s *strained) victim() *person { return [2]*person{s.alice, s.bob}[s.which] }

// TestEachFailureOfTheNode lets each change of a node's disk fail in turn,
// while it does each of its chores over real connections. What the owner is
// told is a sentence; nothing acknowledged is lost, what was said to be
// revoked is refused by the next start too, and the same chore works next
// time, without a restart.
func TestEachFailureOfTheNode(t *testing.T) {
	seed := disktest.Seed(t)
	before := runtime.NumGoroutine()
	for _, name := range slices.Sorted(maps.Keys(chores)) {
		t.Run(name, func(t *testing.T) {
			stride := disktest.Runs(t, 12, 1) // 1 is every failure there can be
			runs, quiet := 0, 0
			for i, cause := range []error{syscall.EIO, syscall.ENOSPC} {
				if stride > 1 && i != int(seed%2) {
					continue
				}
				for n := 1 + int(seed%uint64(min(stride, 8))); ; n += stride {
					s := newStrained(t, name, cause)
					hit := s.fail(name, n)
					if hit == "" {
						break
					}
					runs++
					if s.told == nil {
						quiet++
					}
					if t.Failed() {
						t.Fatalf("%v at change %d, %s, TRABOULE_SEED=%d", cause, n, hit, seed)
					}
				}
			}
			t.Logf("seed %d: %d failures, %d of them noticed by nobody; 0 acknowledged lost", seed, runs, quiet)
		})
	}
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before+5; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, before %d", runtime.NumGoroutine(), before)
		}
	}
}

// fail does a chore with the n-th change failing, says which that was, and
// sees what is left.
func (s *strained) fail(chore string, n int) (hit string) {
	s.t.Helper()
	defer s.bob.close()
	defer s.alice.close()
	if chore == "compact" { // something, that is
		do(s.alice, Remove, NameRequest{Name: "other"})
		s.removed = true
	}
	s.faulty.Arm(n)
	s.told = chores[chore].do(s)
	hit = s.faulty.Hit()
	s.faulty.Mend()
	if hit == "" {
		if s.told != nil {
			s.t.Fatalf("%s without a failure: %v", chore, s.told)
		}
		return ""
	}
	if s.told != nil && chore != "keep house" {
		s.sentence()
	}
	s.again(chore)
	s.afterwards()
	return hit
}

// sentence wants an error that a person can act on.
func (s *strained) sentence() {
	s.t.Helper()
	p := (*problem.Problem)(nil)
	if !errors.As(s.told, &p) || p.Key == "" || p.Kind == problem.Unexpected {
		s.t.Errorf("what is told is no sentence: %#v: %v", p, s.told)
	}
}

// again does what failed, or was done and is told so.
func (s *strained) again(chore string) {
	s.t.Helper()
	err := chores[chore].do(s)
	p := (*problem.Problem)(nil)
	errors.As(err, &p)
	switch {
	case err == nil:
	case errors.Is(err, blocks.ErrBroken), errors.Is(err, journal.ErrBroken): // it says to start again, which is next
	case chore == "revoke" && p != nil && p.Key == "grant.revoked-already": // also when what failed came after
		s.revoked = true
	case chore == "cut a view" && errors.Is(s.alice.vault.Blocks().Sync(), blocks.ErrBroken): // the giver's log says it
	case chore == "remove" && p != nil && p.Kind == problem.NotFound:
		s.removed = true
	default:
		s.t.Errorf("%s, tried again: %v (after %v)", chore, err, s.told)
	}
}

// afterwards starts the node again, and compares.
func (s *strained) afterwards() {
	s.t.Helper()
	v := s.victim()
	v.stop()
	if err := v.Node.Close(); err != nil && !errors.Is(err, blocks.ErrBroken) && !errors.Is(err, journal.ErrBroken) {
		s.t.Errorf("close: %v", err)
	}
	v.open()
	v.start()
	if why := v.vault.Suspended(); why != vault.Suspension("") {
		s.t.Errorf("the grants are suspended: %s", why)
	}
	got := s.alice.opened("notes")
	if !maps.Equal(got, s.added) {
		s.t.Errorf("the data set is not what was acknowledged")
	}
	if _, err := s.alice.vault.Lookup("other"); (err != nil) != s.removed {
		s.t.Errorf("removed: %v, and: %v", s.removed, err)
	}
	if s.revoked {
		ctx, cancel := context.WithTimeout(s.t.Context(), patience)
		defer cancel()
		if _, err := Fetch.Do(ctx, s.bob.Node, FetchRequest{Grant: s.id}, nil); err == nil {
			s.t.Errorf("what was revoked is honoured")
		}
		if state := s.alice.given(s.id).State; state != "revoked" {
			s.t.Errorf("the grant was revoked and is %s", state)
		}
	} else if err := try(s.bob, Fetch, FetchRequest{Grant: s.id}); err != nil {
		s.t.Errorf("the live grant is refused: %v", err)
	}
	if s.meter.person != nil {
		s.wantView()
	}
	s.alice.sound()
	s.bob.sound()
}
