// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/blocks"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/index"
	"github.com/traboule/traboule/storage/journal"
)

// Errors of a vault.
var (
	ErrNoVault    = errors.New("no vault here")
	ErrUnfinished = errors.New("its creation was interrupted: create it again, nothing was in it")
	ErrExists     = errors.New("there is a vault already")
	ErrVaultBusy  = errors.New("another process has the vault open")
	ErrKeyring    = errors.New("both copies of the keyring are damaged: restore from the recovery kit")
	ErrLater      = errors.New("written by a later version of this program")
	ErrSecret     = crypto.ErrWrongSecret
)

// Options of a vault; the zero value is right.
type Options struct {
	FS      disk.FS          // default disk.OS
	Now     func() time.Time // default time.Now
	Rand    io.Reader        // default crypto/rand.Reader
	Keep    int              // versions kept of a data set; default 10
	Workers int              // goroutines that seal while adding; default one per core
	// Witness is a folder outside the vault, on the same machine, where a third
	// copy of the mark is kept: it tells when the whole vault was put back from
	// a backup. Default: none, and such a backup goes unnoticed.
	Witness string
	Growth  int64        // bytes of journal after which a checkpoint is due; default 4 MiB
	History int64        // bytes of journal beyond which the oldest goes, once it was repeated; default 64 MiB
	Reserve int64        // bytes kept free on the disk; default 32 MiB, negative for none
	Argon   crypto.Argon // cost of a passphrase that Restore sets; default that of crypto

	// Birth is called once for each new data set, with the key pair that is
	// its DID. The key signs what it must and is then forgotten; the facts
	// become durable together with the data set. Default: no facts.
	Birth func(birth crypto.Signer) ([]Fact, error)

	// Of tests, which have little and want many; default those of blocks and journal.
	packSize, segmentSize int64
	syncFile              func(*os.File) error // of an export, watched by a test; default (*os.File).Sync
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = disk.OS
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Keep <= 0 {
		o.Keep = 10
	}
	o.Growth = cmp.Or(max(o.Growth, 0), 4<<20)
	o.History = cmp.Or(max(o.History, 0), 64<<20)
	if o.syncFile == nil {
		o.syncFile = (*os.File).Sync
	}
	if o.Workers <= 0 {
		o.Workers = runtime.NumCPU()
	}
	return o
}

func (o Options) blocks() blocks.Options {
	return blocks.Options{Reserve: o.Reserve, PackSize: o.packSize}
}

// Report says what Open found.
type Report struct {
	Healed    []Healing
	Suspended Suspension // why grants are suspended until Confirm; "" when they are not
	Blocks    *blocks.Report
	Dropped   int64 // bytes of a journal entry that was never acknowledged
}

// Vault is an open vault. Many goroutines may call it.
type Vault struct {
	dir   string
	opt   Options
	lock  io.Closer
	ring  *crypto.Keyring
	store *blocks.Store
	log   *journal.Journal
	index *index.Index // nil when not even an empty one could be made, or the disk is not the system's

	adding   turn         // one Add or Writer at a time
	cutting  viewTurns    // one ViewWriter at a time of each view
	landing  sync.RWMutex // shared while blocks come in from others; held by a sweep
	shape    sync.RWMutex // held while blocks of data sets die; shared while a view is cut
	order    sync.Mutex   // versions, views and generations are committed one after another
	pointing sync.Mutex   // one checkpoint at a time
	checking sync.Mutex   // one share of a check at a time
	reading  sync.RWMutex // shared while the journal is read; held while its beginning goes
	commits  sync.RWMutex // shared while a change becomes durable and true; held by a checkpoint
	keys     sync.Mutex   // held until a change of the keyring is on the disk, or taken back
	files    sync.Mutex   // the keyring's and the mark's files
	owed     bool         // the keyring's files lag behind the keyring; files guards it

	kinds sync.Map // of received data sets: crypto.BlockName of a description to string

	mu    sync.RWMutex
	state *state
}

// Names in a vault's folder.
const (
	keyringA = "keyring.a"
	keyringB = "keyring.b"
	markA    = "mark.a"
	markB    = "mark.b"
	creating = "creating" // stands while Create works
	packsDir = "packs"
	logDir   = "journal"
	indexDir = "index"
)

// Open unlocks the vault in dir. The errors are [ErrNoVault],
// [ErrUnfinished], [ErrVaultBusy] (naming the process), [ErrSecret],
// [ErrKeyring], or what the journal says of damage ([journal.ErrDamaged]:
// try [Repair]).
func Open(dir string, secret crypto.Secret, opt Options) (*Vault, *Report, error) {
	v, r, err := open(dir, secret, opt.withDefaults())
	if err != nil {
		return nil, nil, fmt.Errorf("open the vault %s: %w", dir, err)
	}
	return v, r, nil
}

func open(dir string, secret crypto.Secret, opt Options) (*Vault, *Report, error) {
	v := &Vault{dir: dir, opt: opt, state: newState(), adding: newTurn()}
	if err := v.there(); err != nil {
		return nil, nil, err
	}
	if err := v.takeLock(); err != nil {
		return nil, nil, err
	}
	report, err := v.start(secret)
	if err != nil {
		v.release()
		return nil, nil, err
	}
	return v, report, nil
}

// there tells whether the folder holds a vault.
func (v *Vault) there() error {
	if v.exists(creating) {
		return ErrUnfinished
	}
	if !v.exists(keyringA) && !v.exists(keyringB) {
		return ErrNoVault
	}
	return nil
}

func (v *Vault) path(name string) string { return filepath.Join(v.dir, name) }

func (v *Vault) exists(name string) bool {
	_, err := v.opt.FS.Stat(v.path(name))
	return err == nil
}

func (v *Vault) takeLock() error {
	lock, err := v.opt.FS.Lock(v.dir)
	if errors.Is(err, disk.ErrLocked) {
		return fmt.Errorf("%w: %w", ErrVaultBusy, err)
	}
	v.lock = lock
	return err
}

// start opens the parts, the keys first.
func (v *Vault) start(secret crypto.Secret) (*Report, error) {
	r := &Report{}
	if err := v.unlock(secret, r); err != nil {
		return nil, err
	}
	mark, doubt := v.readMark(r)
	if err := v.openParts(mark, &doubt, r); err != nil {
		return nil, err
	}
	v.finishRemovals()
	if doubt != "" {
		if err := v.suspend(doubt); err != nil {
			return nil, err
		}
		if err := v.mark(); err != nil {
			return nil, err
		}
	}
	r.Suspended = v.Suspended()
	return r, nil
}

// openParts opens journal, blocks and index. doubt gathers why the journal
// may be an old one.
func (v *Vault) openParts(mark markFile, doubt *Suspension, r *Report) error {
	var err error
	var jr *journal.Report
	jopt := journal.Options{VaultID: v.ring.VaultID(), SegmentSize: v.opt.segmentSize,
		Expect: journal.Mark{Seq: mark.Seq, Chain: mark.Chain}, AcceptOld: true}
	if v.log, jr, err = journal.Open(v.opt.FS, v.path(logDir), jopt, v.replay); err != nil {
		return err
	}
	r.Dropped = jr.Dropped
	switch {
	case *doubt != "":
	case jr.Old:
		*doubt = OldJournal
	case v.state.foreign():
		*doubt = MissingKeys
	}
	if v.store, r.Blocks, err = blocks.Open(v.opt.FS, v.path(packsDir), v.opt.blocks()); err != nil {
		return err
	}
	if v.openIndex() {
		r.Healed = append(r.Healed, Healing{Kind: IndexEmptied})
	}
	return nil
}

// openIndex leaves the vault without one where none can be made: it is then
// only slower. The index's library opens files by their names in the operating
// system.
func (v *Vault) openIndex() (wiped bool) {
	if !v.opt.FS.Native() {
		return false
	}
	var err error
	if v.index, wiped, err = index.Open(v.path(indexDir), v.ring); err != nil {
		v.index = nil
	}
	return wiped
}

// Close ends all and lets another process open the vault. Calls that are
// under way must have returned.
func (v *Vault) Close() error {
	return errors.Join(v.catchUp(), v.release())
}

// release closes what is open, the lock last.
func (v *Vault) release() error {
	err := v.index.Close()
	if v.store != nil {
		err = errors.Join(err, v.store.Close())
	}
	if v.log != nil {
		err = errors.Join(err, v.log.Close())
	}
	if v.lock != nil {
		err = errors.Join(err, v.lock.Close())
	}
	return err
}

// Keyring is the vault's keys. After changing them call SaveKeyring.
func (v *Vault) Keyring() *crypto.Keyring { return v.ring }

// Blocks is the ciphertext, for transfer.
func (v *Vault) Blocks() *blocks.Store { return v.store }

// Dir is the vault's folder.
func (v *Vault) Dir() string { return v.dir }

// Incarnation is the high half of every new sequence number.
func (v *Vault) Incarnation() uint32 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.state.incarnation
}

// nextLife is the incarnation that begins now: later than the one before, and
// than any that began earlier in another copy of the vault. Two that are put
// back one after the other from one backup, or from one kit, must not sign two
// versions with one number: so it is the time, in Unix seconds, unless a clock
// that stands wrong makes that the smaller one.
func nextLife(before uint32, now time.Time) uint32 {
	if at := now.Unix(); at > int64(before) && at <= math.MaxUint32 {
		return uint32(at)
	}
	return before + 1
}

// Suspended says why no grant may be honoured until Confirm, or "".
func (v *Vault) Suspended() Suspension {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.state.suspended
}

// Confirm ends the suspension: the owner has looked at the grants.
func (v *Vault) Confirm(ctx context.Context) error {
	if v.Suspended() == "" {
		return nil
	}
	if _, err := v.commit(ctx, change{kind: kindConfirmed}); err != nil {
		return fmt.Errorf("confirm the grants: %w", err)
	}
	return v.mark()
}

// suspendFor suspends, or says better why the grants are suspended already:
// Open only sees that the journal is shorter than it was.
func (v *Vault) suspendFor(why Suspension) error {
	if v.Suspended() == "" {
		return v.suspend(why)
	}
	_, err := v.commit(context.Background(), change{kind: kindSuspended, scope: crypto.NodeScope, body: encode(suspendedBody{why})})
	if err != nil {
		return fmt.Errorf("suspend the grants (%s): %w", why, err)
	}
	return nil
}

// suspend records why, and that all that is signed from now on is newer than
// anything signed before, in whatever copy of the vault. What the vault may
// lack, a kit may have: its own are of another line from now on.
func (v *Vault) suspend(why Suspension) error {
	if err := v.branch(); err != nil {
		return fmt.Errorf("suspend the grants (%s): %w", why, err)
	}
	changes := []change{
		{kind: kindIncarnation, public: encode(incarnationBody{nextLife(v.Incarnation(), v.opt.Now())})},
		{kind: kindSuspended, scope: crypto.NodeScope, body: encode(suspendedBody{why})},
	}
	for tag := range v.state.unknown { // said once
		changes = append(changes, change{kind: kindLost, tag: tag})
	}
	if _, err := v.commit(context.Background(), changes...); err != nil {
		return fmt.Errorf("suspend the grants (%s): %w", why, err)
	}
	return nil
}

func (v *Vault) branch() error {
	v.keys.Lock()
	defer v.keys.Unlock()
	if err := v.ring.Branch(v.Entries(), v.opt.Rand); err != nil {
		return err
	}
	return v.SaveKeyring()
}
