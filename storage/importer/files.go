// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Files visits the files that a path of the disk leads to: the file, or all
// files of a folder and of those in it, in the order of their names; of a zip
// that no format reads as a whole, its members. What lies in folders with a dot
// before their names is left out, and so are links (that which path itself is, is
// followed). It ends with the first error of visit, or when ctx is done.
//
// A file that cannot be opened, or a zip that is a bomb, is visited too:
// [Read] then says why.
func Files(ctx context.Context, path string, o Options, visit func(*Source) error) error {
	at, err := os.Stat(path)
	if err != nil {
		return Why("open").Because(err)
	}
	if !at.IsDir() {
		return unpack(ctx, File(path, o), visit)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return Why("open").Because(err)
	}
	return filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		hidden := name != path && strings.HasPrefix(d.Name(), ".")
		switch {
		case hidden && d.IsDir():
			return fs.SkipDir
		case err != nil:
			return visit(refused(below(path, name), Why("open").Because(err)))
		case hidden || !d.Type().IsRegular():
			return nil
		}
		s := File(name, o)
		s.Name = below(path, name)
		return unpack(ctx, s, visit)
	})
}

// below is the name of a file below a folder.
func below(folder, name string) string {
	if rel, err := filepath.Rel(folder, name); err == nil {
		return filepath.ToSlash(rel)
	}
	return filepath.Base(name)
}

var longNumber = regexp.MustCompile(`\pN[\pN._ -]{3,}\pN`)

// KeptName is the name of a file as it may be kept: without folders, and
// without long numbers, which are those of meters, accounts and postcodes.
func KeptName(name string) string {
	return clip(longNumber.ReplaceAllString(path.Base(filepath.ToSlash(name)), "…"))
}

func refused(name string, why *Reason) *Source {
	return &Source{Name: name, refuse: why, Head: Head{Size: -1}}
}

// unpack visits a file, or the members of a zip that holds files.
func unpack(ctx context.Context, s *Source, visit func(*Source) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.ctx = ctx
	if s.refuse != nil || s.look() != nil || !isZip(s.Head.Bytes) {
		return visit(s)
	}
	z, err := s.openZip()
	if err != nil {
		s.refuse = asReason(err)
		return visit(s)
	}
	defer z.Close()
	s.Head.Members = z.names()
	if _, why := s.recognise(); why == nil || why.Code != "unknown-format" {
		return visit(s)
	}
	for _, m := range z.files() {
		if err := unpack(ctx, s.member(m), visit); err != nil {
			return err
		}
	}
	return nil
}
