// SPDX-License-Identifier: Apache-2.0

package index

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/traboule/traboule/storage/disk"
)

// MaxValue is the longest value in bytes, once sealed.
const MaxValue = 4 << 10

// sealing adds a nonce and a tag to a value.
const sealing = 64

// ErrValue is returned for a value that the index does not take.
var ErrValue = errors.New("empty or too long for the index")

// Keys hides names and seals values: a vault's keyring.
type Keys interface {
	IndexName(parts ...[]byte) []byte
	SealIndex(key, value []byte) []byte
	OpenIndex(key, sealed []byte) ([]byte, error)
}

// Entry is one value to put: in a table (such as one data set's files) by a
// name.
type Entry struct {
	Name  []byte
	Value []byte
}

// Index is an open index. Many goroutines may call it. A nil Index knows
// nothing and forgets all that it is told.
type Index struct {
	dir  string
	keys Keys

	free func(dir string) (uint64, error) // room on the disk, in bytes

	used atomic.Bool // since the last Rest

	mu      sync.RWMutex // held for reading while badger works
	db      *badger.DB   // nil after a failure or Close, and at rest
	resting bool         // the next who needs it opens it
}

// For a Raspberry Pi: a few megabytes of memory, and every commit on the disk.
const (
	memTable = 8 << 20
	cache    = 8 << 20
	valueLog = 16 << 20
	maxBatch = memTable * 15 / 100
)

func badgerOptions(dir string) badger.Options {
	return badger.DefaultOptions(dir).
		WithMemTableSize(memTable).
		WithNumMemtables(2).
		WithNumLevelZeroTables(2).
		WithNumLevelZeroTablesStall(6).
		WithNumCompactors(2).
		WithBlockCacheSize(cache).
		WithIndexCacheSize(cache).
		WithValueLogFileSize(valueLog).
		WithMetricsEnabled(false).
		WithSyncWrites(true).
		WithChecksumVerificationMode(options.OnTableRead).
		WithLogger(nil)
}

// Open opens the index in dir. wiped says that there was something that could
// not be opened, so that the index starts empty. An error means that not even
// an empty one could be made, as on a disk that is all but full ([ErrNoRoom]).
func Open(dir string, keys Keys) (x *Index, wiped bool, err error) {
	return openOn(dir, keys, disk.OS.FreeBytes)
}

func openOn(dir string, keys Keys, free func(dir string) (uint64, error)) (x *Index, wiped bool, err error) {
	db, wiped, err := openOrWipe(dir, free)
	if err != nil {
		return nil, wiped, err
	}
	return &Index{dir: dir, keys: keys, free: free, db: db}, wiped, nil
}

func openOrWipe(dir string, free func(dir string) (uint64, error)) (db *badger.DB, wiped bool, err error) {
	if !roomy(filepath.Dir(dir), free) {
		_, err := os.Stat(dir)
		return nil, err == nil, errors.Join(ErrNoRoom, os.RemoveAll(dir))
	}
	if crashedBefore(dir) {
		wiped = true
		if err := os.RemoveAll(dir); err != nil {
			return nil, wiped, fmt.Errorf("wipe the index: %w", err)
		}
	}
	db, err = open(dir)
	if err != nil {
		wiped = true
		if err := os.RemoveAll(dir); err != nil {
			return nil, wiped, fmt.Errorf("wipe the index: %w", err)
		}
		db, err = open(dir)
	}
	if err != nil {
		return nil, wiped, fmt.Errorf("open the index: %w", err)
	}
	return db, wiped, nil
}

// The file that stands while badger opens. Its panics in goroutines of its own
// cannot be recovered and end the process; the next start finds the file and
// wipes what caused them.
func opening(dir string) string { return filepath.Join(dir, "opening") }

func crashedBefore(dir string) bool {
	_, err := os.Stat(opening(dir))
	return err == nil
}

func open(dir string) (db *badger.DB, err error) {
	defer recovered(&err)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := verify(dir); err != nil {
		return nil, err
	}
	if err := os.WriteFile(opening(dir), nil, 0o600); err != nil {
		return nil, err
	}
	if db, err = badger.Open(badgerOptions(dir)); err != nil {
		return nil, err
	}
	return db, os.Remove(opening(dir))
}

// recovered turns a panic of badger's over damaged files into an error.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("badger panicked: %v", r)
	}
}

// key is the table's hash and then the name's, so that a table can be listed.
func (x *Index) key(table string, name []byte) []byte {
	return append(x.tableKey(table), x.keys.IndexName([]byte(table), name)...)
}

func (x *Index) tableKey(table string) []byte {
	return append([]byte(nil), x.keys.IndexName([]byte(table))...)
}

// Get returns a value, or false when it is absent or damaged.
func (x *Index) Get(table string, name []byte) (value []byte, ok bool) {
	if x == nil {
		return nil, false
	}
	k := x.key(table, name)
	err := x.with(func(db *badger.DB) error {
		return db.View(func(txn *badger.Txn) error {
			item, err := txn.Get(k)
			if err != nil {
				return err
			}
			return item.Value(func(sealed []byte) error {
				value, err = x.keys.OpenIndex(k, sealed)
				return err
			})
		})
	})
	return value, err == nil && len(value) > 0
}

// Put stores values, durably, in as many transactions as it takes.
func (x *Index) Put(table string, entries ...Entry) error {
	if x == nil {
		return nil
	}
	for _, e := range entries {
		if len(e.Value) == 0 || len(e.Value) > MaxValue-sealing {
			return fmt.Errorf("put %d bytes: %w", len(e.Value), ErrValue)
		}
	}
	return x.write(func(db *badger.DB) error {
		return inBatches(db, entries, func(txn *badger.Txn, e Entry) (int, error) {
			k := x.key(table, e.Name)
			sealed := x.keys.SealIndex(k, e.Value)
			return len(k) + len(sealed), txn.Set(k, sealed)
		})
	})
}

// Delete forgets names.
func (x *Index) Delete(table string, names ...[]byte) error {
	if x == nil {
		return nil
	}
	return x.write(func(db *badger.DB) error {
		return inBatches(db, names, func(txn *badger.Txn, name []byte) (int, error) {
			k := x.key(table, name)
			return len(k), txn.Delete(k)
		})
	})
}

// Drop forgets a whole table.
func (x *Index) Drop(table string) error {
	if x == nil {
		return nil
	}
	return x.write(func(db *badger.DB) error {
		keys, err := list(db, x.tableKey(table))
		if err != nil {
			return err
		}
		return inBatches(db, keys, func(txn *badger.Txn, k []byte) (int, error) {
			return len(k), txn.Delete(k)
		})
	})
}

func list(db *badger.DB, prefix []byte) (keys [][]byte, err error) {
	err = db.View(func(txn *badger.Txn) error {
		opt := badger.DefaultIteratorOptions
		opt.Prefix, opt.PrefetchValues = prefix, false
		it := txn.NewIterator(opt)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			keys = append(keys, it.Item().KeyCopy(nil))
		}
		return nil
	})
	return keys, err
}

// inBatches keeps every transaction under its share of the memory table.
func inBatches[T any](db *badger.DB, items []T, set func(*badger.Txn, T) (int, error)) error {
	for len(items) > 0 {
		n := 0
		err := db.Update(func(txn *badger.Txn) error {
			// Badger adds some bytes to each; count them generously.
			for size := 0; n < len(items) && size < maxBatch-MaxValue && n < 4096; n++ {
				s, err := set(txn, items[n])
				if err != nil {
					return err
				}
				size += s + 64
			}
			return nil
		})
		if err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

var errClosed = errors.New("the index is closed")

// with runs fn on the database, if there is one.
func (x *Index) with(fn func(*badger.DB) error) (err error) {
	x.used.Store(true)
	x.wake()
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.db == nil {
		return errClosed
	}
	defer recovered(&err)
	return fn(x.db)
}

// Rest closes the files if nobody has needed the index since the last call of
// Rest; whoever needs it next opens them again. An open badger wakes up 40
// times a second and holds megabytes, for an index that an idle node never asks.
func (x *Index) Rest() error {
	if x == nil || x.used.Swap(false) || !roomy(x.dir, x.free) {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.db == nil {
		return nil
	}
	x.resting = true
	return x.shut()
}

// wake opens what rests. If that fails the index is as good as closed.
func (x *Index) wake() {
	x.mu.RLock()
	resting := x.resting
	x.mu.RUnlock()
	if !resting {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.resting {
		x.resting = false
		x.db, _, _ = openOrWipe(x.dir, x.free)
	}
}

// Wipe forgets everything and starts anew.
func (x *Index) Wipe() error {
	if x == nil {
		return nil
	}
	if !roomy(x.dir, x.free) {
		return x.giveUp()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.resting = false
	if x.db != nil {
		closeQuietly(x.db)
		x.db = nil
	}
	if err := os.RemoveAll(x.dir); err != nil {
		return fmt.Errorf("wipe the index: %w", err)
	}
	db, err := open(x.dir)
	if err != nil {
		return fmt.Errorf("wipe the index: %w", err)
	}
	x.db = db
	return nil
}

func closeQuietly(db *badger.DB) (err error) {
	defer recovered(&err)
	return db.Close()
}

// Close flushes and closes.
func (x *Index) Close() error {
	if x == nil {
		return nil
	}
	if !roomy(x.dir, x.free) {
		if err := x.giveUp(); !errors.Is(err, ErrNoRoom) && !errors.Is(err, errClosed) {
			return err
		}
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.resting = false
	if x.db == nil {
		return nil
	}
	return x.shut()
}

// shut closes badger and vouches for its files.
func (x *Index) shut() error {
	db := x.db
	x.db = nil
	err := closeQuietly(db)
	if err == nil {
		err = vouch(x.dir)
	}
	if err != nil {
		return fmt.Errorf("close the index: %w", err)
	}
	return nil
}
