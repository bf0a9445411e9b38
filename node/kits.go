// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/vault"
)

const (
	// kitDelay lets changes that come together go into one kit.
	kitDelay = 2 * time.Second
	// kitRetry is how long a place where a kit could not be written is left alone.
	kitRetry = 10 * time.Minute
)

// kits keeps the recovery kit up to date where the owner keeps it:
//
//	change ──► due ──(kitDelay)──► renewKits ──► each place where a kit lies
//
// A place that is away, such as a stick that is not plugged in, waits. A kit is
// only ever written over an older kit of this vault, so that an empty folder
// where the stick goes gets none.
type kits struct {
	due     chan struct{}
	writing sync.Mutex // one kit at a time

	mu      sync.Mutex
	trouble map[string]kitTrouble // by path
}

type kitTrouble struct {
	at  time.Time
	why error
}

func newKits() kits {
	return kits{due: make(chan struct{}, 1), trouble: map[string]kitTrouble{}}
}

// touch says that something may have changed that a kit should hold.
func (k *kits) touch() {
	select {
	case k.due <- struct{}{}:
	default:
	}
}

// note remembers how the last try at a place went.
func (k *kits) note(path string, at time.Time, why error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if why == nil {
		delete(k.trouble, path)
		return
	}
	k.trouble[path] = kitTrouble{at, why}
}

func (k *kits) troubleAt(path string) kitTrouble {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.trouble[path]
}

// kitPlace is where a kit is kept, as the journal says.
type kitPlace struct {
	path    string
	seq     uint64 // the last entry of the journal that is in it
	written time.Time
}

func (b *book) applyKitWritten(f kitWritten, rec vault.Recorded) error {
	// In a journal that was made from a kit, places count anew.
	b.kits[f.Path] = kitPlace{path: f.Path, seq: min(f.Seq, rec.Seq), written: time.Unix(rec.Time, 0)}
	return nil
}

func (b *book) applyKitForgotten(f kitForgotten, _ vault.Recorded) error {
	delete(b.kits, f.Path)
	return nil
}

func (b *book) kitList() []kitPlace {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.SortedFunc(maps.Values(b.kits), func(x, y kitPlace) int { return strings.Compare(x.path, y.path) })
}

// lastChange is the place in the journal of the last entry that a kit should
// hold.
func (n *Node) lastChange() uint64 {
	n.book.mu.Lock()
	defer n.book.mu.Unlock()
	return max(n.book.changed, n.vault.Changed())
}

// keepKits renews the kits a little after each change, until ctx is done.
func (n *Node) keepKits(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.kits.due:
		}
		settled := time.NewTimer(kitDelay)
		select {
		case <-ctx.Done():
			settled.Stop()
			return nil // Close does it
		case <-settled.C:
		}
		n.renewKits(ctx)
	}
}

// renewKits writes the kit anew at each place whose kit is older than the last
// change, if one lies there now. Suspended grants wait for the owner, and so do
// kits: a vault that came from an old kit must not replace a newer one.
func (n *Node) renewKits(ctx context.Context) {
	if n.vault.Suspended() != "" {
		return
	}
	last := n.lastChange()
	for _, place := range n.book.kitList() {
		resting := n.now().Sub(n.kits.troubleAt(place.path).at) < kitRetry
		if place.seq >= last || resting || ctx.Err() != nil {
			continue
		}
		if err := n.renewKit(ctx, place.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			n.opt.Log.Warn("a recovery kit is not renewed", "error", err)
		}
	}
}

// renewKit replaces the kit that lies at a place. It is fs.ErrNotExist if none
// does.
func (n *Node) renewKit(ctx context.Context, path string) error {
	err := n.mayReplace(path)
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		_, err = n.keepKit(ctx, path)
	}
	n.kits.note(path, n.now(), err)
	return err
}

// mayReplace tells whether what lies at a place is an older kit of this vault.
func (n *Node) mayReplace(path string) error {
	before, err := disk.ReadPlain(n.files(), path, crypto.MaxKit)
	if errors.Is(err, disk.ErrNoFile) {
		err = fmt.Errorf("%w: %w", crypto.ErrNoKit, err)
	}
	if err == nil {
		err = n.keys.MayReplaceKit(before)
	}
	if err != nil {
		return fmt.Errorf("renew the kit %s: %w", path, err)
	}
	return nil
}

// keepKit writes the kit and remembers that it lies there.
func (n *Node) keepKit(ctx context.Context, path string) (bytes int64, err error) {
	seq := n.vault.Entries() // what comes while it is written may or may not be in it
	if bytes, err = n.writeKit(path); err != nil {
		return 0, err
	}
	return bytes, n.record(ctx, fact(factKitWritten, crypto.NodeScope, kitWritten{Path: path, Seq: seq}))
}

// writeKit puts the kit into a file, whole or not at all.
func (n *Node) writeKit(path string) (int64, error) {
	n.kits.writing.Lock()
	defer n.kits.writing.Unlock()
	var kit bytes.Buffer
	if err := n.sealKit(&kit); err != nil {
		return 0, err
	}
	if err := disk.WriteFileAtomic(n.files(), path, kit.Bytes(), 0o600); err != nil {
		return 0, about(err, "path", path)
	}
	return int64(kit.Len()), nil
}

// kit writes the recovery kit to a new file and keeps it up to date there,
// renews it where it is kept, or forgets a place.
func (n *Node) kit(ctx context.Context, q KitRequest, _ func(Progress)) (KitResult, error) {
	r := KitResult{To: q.To}
	var err error
	switch {
	case q.Forget:
		err = n.forgetKit(ctx, q.To)
	case q.To == "":
		err = n.renewAll(ctx)
	default:
		r.Bytes, err = n.newKit(ctx, q.To, q.Once)
	}
	r.Kept = n.kitPlaces()
	return r, err
}

// newKit writes a kit to a file that is not there yet, or where one is kept.
// When it fails no new file stays, so that it can be tried again.
func (n *Node) newKit(ctx context.Context, path string, once bool) (bytes int64, err error) {
	_, err = n.files().Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case err == nil && !n.keptAt(path):
		return 0, problem.New(problem.Exists, "file.exists", "path", path)
	case err == nil:
		err = n.mayReplace(path)
	case fresh:
		err = nil
	}
	if err != nil {
		return 0, aboutPlace(err, path)
	}
	if once {
		bytes, err = n.saveKit(ctx, path)
	} else {
		bytes, err = n.keepKit(ctx, path)
		n.kits.note(path, n.now(), err)
	}
	if err != nil && fresh {
		_ = n.files().Remove(path)
	}
	return bytes, err
}

// saveKit writes the kit and remembers what is in it, not where it lies.
func (n *Node) saveKit(ctx context.Context, path string) (int64, error) {
	bytes, err := n.writeKit(path)
	if err != nil {
		return 0, err
	}
	return bytes, n.record(ctx, fact(factKitSaved, crypto.NodeScope, kitSaved{Scopes: n.scopesDigest()}))
}

func (n *Node) keptAt(path string) bool {
	return slices.ContainsFunc(n.book.kitList(), func(p kitPlace) bool { return p.path == path })
}

func (n *Node) forgetKit(ctx context.Context, path string) error {
	if !n.keptAt(path) {
		return problem.New(problem.NotFound, "kit.not-kept", "path", path)
	}
	n.kits.note(path, n.now(), nil)
	return n.record(ctx, fact(factKitForgotten, crypto.NodeScope, kitForgotten{Path: path}))
}

// renewAll renews the kit at every place where one lies, whatever became of the
// last try. A place that is away is no error, unless all are.
func (n *Node) renewAll(ctx context.Context) error {
	list := n.book.kitList()
	if len(list) == 0 {
		return problem.New(problem.Usage, "kit.nowhere")
	}
	renewed := 0
	var failed error
	for _, place := range list {
		switch err := n.renewKit(ctx, place.path); {
		case err == nil:
			renewed++
		case failed == nil || errors.Is(failed, fs.ErrNotExist):
			failed = aboutPlace(err, place.path)
		}
	}
	if renewed > 0 && errors.Is(failed, fs.ErrNotExist) {
		return nil
	}
	return failed
}

// aboutPlace says what is wrong with the place of a kit.
func aboutPlace(err error, path string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return problem.New(problem.NotFound, "kit.away", "path", path).Because(err)
	}
	return about(err, "path", path)
}

// kitPlaces is where kits are kept, and how they stand.
func (n *Node) kitPlaces() []KitPlace {
	list, last := []KitPlace{}, n.lastChange()
	for _, p := range n.book.kitList() {
		info, err := n.files().Stat(p.path)
		place := KitPlace{Path: p.path, Written: p.written, There: err == nil && info.Mode().IsRegular()}
		if p.seq < last {
			place.Behind, _ = n.vault.ChangesSince(p.seq, countsAsChange) // a damaged journal is told elsewhere
		}
		if why := n.whyBehind(place); why != nil {
			place.Trouble, place.why = troubleOf(why), why.Error()
		}
		list = append(list, place)
	}
	return list
}

// whyBehind is what keeps a kit from being renewed, if that is known: from the
// last try, or, as that may have been another process's, from what lies there.
func (n *Node) whyBehind(p KitPlace) error {
	if why := n.kits.troubleAt(p.Path).why; why != nil || p.Behind == 0 {
		return why
	}
	if why := n.mayReplace(p.Path); !errors.Is(why, fs.ErrNotExist) {
		return why
	}
	return nil
}

// countsAsChange leaves out what comes with a change of another kind.
func countsAsChange(kind uint16) bool { return missedByKit(kind) && kind != factUpperLinks }

// troubleOf is why a kit could not be renewed, in one word.
func troubleOf(err error) string {
	switch {
	case disk.IsFull(err):
		return "disk-full"
	case errors.Is(err, crypto.ErrNoKit):
		return "not-ours"
	case errors.Is(err, crypto.ErrNewerKit):
		return "newer"
	}
	return "failed"
}

// kitWarnings says what an owner should know of the recovery kits.
func (n *Node) kitWarnings(r StatusResult) []Notice {
	var list []Notice
	for _, p := range r.Kits {
		args := map[string]string{"path": p.Path, "n": strconv.Itoa(p.Behind)}
		switch {
		case p.Trouble != "":
			args["why"] = p.why
			list = append(list, Notice{Key: "kit-trouble." + p.Trouble, Args: args})
		case p.Behind > 0 && !p.There:
			list = append(list, Notice{Key: "warn-kit-behind", Args: args})
		case p.Behind > 0:
			list = append(list, Notice{Key: "warn-kit-late", Args: args})
		}
	}
	if len(r.Kits) > 0 || r.Datasets == 0 {
		return list
	}
	switch saved := n.book.kitSaved(); {
	case saved == nil:
		list = append(list, Notice{Key: "warn-no-kit"})
	case saved.Scopes != n.scopesDigest():
		list = append(list, Notice{Key: "warn-old-kit"})
	}
	return list
}

// eraseFromKits renews the kits at once after something was erased, and says
// which of them, and that any other, still opens it.
func (n *Node) eraseFromKits(ctx context.Context) []Notice {
	var list []Notice
	for _, place := range n.book.kitList() {
		key, args := "removed-kit-renewed", map[string]string{"path": place.path}
		switch err := n.renewKit(ctx, place.path); {
		case errors.Is(err, fs.ErrNotExist):
			key = "removed-kit-left.away"
		case err != nil:
			key, args["why"] = "removed-kit-left."+troubleOf(err), err.Error()
		}
		list = append(list, Notice{Key: key, Args: args})
	}
	return append(list, Notice{Key: "removed-kit"})
}

// scopesDigest tells whether anything has got keys, or lost them, since.
func (n *Node) scopesDigest() [32]byte {
	hash := sha256.New()
	for _, scope := range n.keys.Scopes() {
		fmt.Fprintf(hash, "%s\n", scope)
	}
	return [32]byte(hash.Sum(nil))
}
