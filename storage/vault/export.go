// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/blocks"
)

// Errors of [Vault.Export].
var (
	ErrFileExists = errors.New("the file exists already")
	ErrNoPath     = errors.New("nothing of that path in this version")
)

// DamagedError is returned by [Vault.Export] for content that is not what was
// stored.
type DamagedError struct {
	Path string // of the file; "" for the list of files
	Err  error
}

// Error names the file and the place of the damage.
func (e *DamagedError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("read the list of files: %v", e.Err)
	}
	return fmt.Sprintf("read %q: %v", e.Path, e.Err)
}

// Unwrap is what the blocks say.
func (e *DamagedError) Unwrap() error { return e.Err }

// damagedAt names what err, of a block, made unreadable; other errors stay.
func damagedAt(path string, err error) error {
	var block *blocks.DamagedError
	if known := new(DamagedError); errors.As(err, &known) || !errors.As(err, &block) {
		return err
	}
	return &DamagedError{path, err}
}

// ExportOptions of [Vault.Export].
type ExportOptions struct {
	Path      string // only this file, or this folder and all below; "" for all
	Version   uint64 // a sequence number; 0 for the latest
	Overwrite bool   // replace files that exist
	Progress  func(Progress)
}

// Export writes the files of a version below the folder to, which is made when
// it is missing, each under its whole path in the data set, with its mode and
// modification time. A file appears whole or not at all. It never writes
// outside of to, not through a symbolic link either, and replaces a file only
// when told to; then nothing of that file is lost before the new one is whole.
// It stops at the first file that is damaged ([DamagedError]).
//
// The folder is the owner's, not the vault's: it is always one of the
// operating system's, whatever disk the vault is on.
func (v *Vault) Export(ctx context.Context, did crypto.DID, to string, opt ExportOptions) error {
	err := v.export(ctx, did, to, opt)
	if errors.Is(err, blocks.ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err = damagedAt("", err); err != nil {
		return fmt.Errorf("export %s: %w", did.Short(), err)
	}
	return nil
}

func (v *Vault) export(ctx context.Context, did crypto.DID, to string, opt ExportOptions) error {
	h, err := v.version(did, opt.Version)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer root.Close()
	x := &exporting{v: v, ctx: ctx, did: did, root: root, opt: opt}
	x.progress = Progress{TotalBytes: int64(h.Counts.Bytes), TotalFiles: int(h.Counts.Files)}
	defer x.abandon()
	want := strings.TrimSuffix(opt.Path, "/")
	err = storage.Walk(ctx, h.Head, v.store.Get, func(e storage.Entry) error {
		if p := string(e.Path); want == "" || p == want || strings.HasPrefix(p, want+"/") {
			return x.entry(e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if want != "" && !x.any {
		return fmt.Errorf("%q: %w", want, ErrNoPath)
	}
	return x.finishFolders()
}

// exporting is one export under way.
type exporting struct {
	v        *Vault
	ctx      context.Context
	did      crypto.DID
	root     *os.Root
	opt      ExportOptions
	progress Progress
	any      bool
	folders  []storage.Entry // whose modes and times are set in the end
	file     *os.File        // the file being written, under its name of the meantime
	temp     string
	sealed   []byte
	plain    []byte
}

func (x *exporting) entry(e storage.Entry) error {
	x.any = true
	if e.Kind == storage.Folder {
		return x.folder(e)
	}
	if e.First == 0 {
		if err := x.begin(e); err != nil {
			return fmt.Errorf("write %q: %w", e.Path, err)
		}
	}
	if err := x.write(e); err != nil {
		return fmt.Errorf("write %q: %w", e.Path, damagedAt(string(e.Path), err))
	}
	if e.Last() {
		if err := x.end(e); err != nil {
			return fmt.Errorf("write %q: %w", e.Path, err)
		}
	}
	return nil
}

func (x *exporting) folder(e storage.Entry) error {
	x.folders = append(x.folders, e)
	if err := x.root.MkdirAll(string(e.Path), 0o700); err != nil {
		return fmt.Errorf("make the folder %q: %w", e.Path, err)
	}
	return nil
}

// begin opens a file beside where it will stand.
func (x *exporting) begin(e storage.Entry) error {
	name := string(e.Path)
	if _, err := x.root.Lstat(name); err == nil && !x.opt.Overwrite {
		return ErrFileExists
	}
	dir := path.Dir(name)
	if err := x.root.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	x.temp = path.Join(dir, ".traboule-"+rand.Text()[:12]+".part")
	var err error
	x.file, err = x.root.OpenFile(x.temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	return err
}

func (x *exporting) write(e storage.Entry) error {
	var err error
	for i, ref := range e.Blocks {
		if err := x.ctx.Err(); err != nil {
			return err
		}
		if x.sealed, err = x.v.store.Get(ref.Name, x.sealed[:0]); err != nil {
			return err
		}
		if x.plain, err = crypto.OpenBlock(x.plain[:0], x.did, ref.Key, x.sealed); err != nil {
			return err
		}
		left := e.Size - (e.First+uint64(i))*crypto.BlockData
		if uint64(len(x.plain)) != min(left, crypto.BlockData) {
			return fmt.Errorf("block %d has %d bytes", e.First+uint64(i), len(x.plain))
		}
		if _, err := x.file.Write(x.plain); err != nil {
			return err
		}
		x.tell(int64(len(x.plain)), 0)
	}
	return nil
}

func (x *exporting) tell(bytes int64, files int) {
	x.progress.Bytes += bytes
	x.progress.Files += files
	if x.opt.Progress != nil {
		x.opt.Progress(x.progress)
	}
}

// end gives a whole file its attributes and its name.
func (x *exporting) end(e storage.Entry) error {
	err := errors.Join(x.file.Chmod(fs.FileMode(e.Mode)), x.v.opt.syncFile(x.file))
	if err := errors.Join(err, x.file.Close()); err != nil {
		return err
	}
	when := time.Unix(0, e.ModTime)
	if err := x.root.Chtimes(x.temp, when, when); err != nil {
		return err
	}
	if err := x.place(string(e.Path)); err != nil {
		return err
	}
	x.file, x.temp = nil, ""
	x.tell(0, 1)
	return nil
}

// place gives the written file its name: never in place of another, unless
// that was asked for.
func (x *exporting) place(name string) error {
	if x.opt.Overwrite {
		return x.root.Rename(x.temp, name)
	}
	err := x.root.Link(x.temp, name)
	if err == nil {
		return x.root.Remove(x.temp)
	}
	if errors.Is(err, fs.ErrExist) {
		return ErrFileExists
	}
	// A file system without links: look first.
	if _, err := x.root.Lstat(name); err == nil {
		return ErrFileExists
	}
	return x.root.Rename(x.temp, name)
}

// abandon leaves no half a file behind.
func (x *exporting) abandon() {
	if x.file != nil {
		x.file.Close()
		x.root.Remove(x.temp)
	}
}

// finishFolders sets modes and times, the deepest first: writing into a folder
// changes its time.
func (x *exporting) finishFolders() error {
	slices.Reverse(x.folders)
	for _, e := range x.folders {
		name, when := string(e.Path), time.Unix(0, e.ModTime)
		err := x.root.Chtimes(name, when, when)
		if err := errors.Join(err, x.root.Chmod(name, fs.FileMode(e.Mode))); err != nil {
			return fmt.Errorf("finish the folder %q: %w", name, err)
		}
	}
	return nil
}
