// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"

	"github.com/traboule/traboule/storage"
)

// AddOptions of [Vault.Add].
type AddOptions struct {
	DryRun   bool           // write nothing, only say what would happen
	Replace  bool           // the source may be another than before
	Progress func(Progress) // called from one goroutine; must be quick
}

// Progress says how far a long operation has come.
type Progress struct {
	Bytes, TotalBytes int64
	Files, TotalFiles int
}

// Skip is something that a version does not mirror.
type Skip struct {
	Path string
	Why  string // "symbolic link", "socket", "permission denied" …
}

// AddResult says what Add did or, in a dry run, would do.
type AddResult struct {
	Dataset   Dataset // zero DID in a dry run of a new data set
	New       bool    // the data set did not exist before
	Unchanged bool    // nothing differs, so no version was made
	Head      storage.Head
	Added     int // files and folders
	Changed   int
	Removed   int
	Skipped   []Skip
	Dropped   int   // old versions that are no longer kept
	NewBytes  int64 // plaintext bytes that were not stored before
}

// Add mirrors the file or folder at path as the next version of the data set
// of this name, and makes the data set when it is new.
func (v *Vault) Add(ctx context.Context, name, path string, opt AddOptions) (AddResult, error) {
	return AddResult{}, errors.ErrUnsupported
}
