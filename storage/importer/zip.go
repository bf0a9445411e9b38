// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path"
	"strings"
)

// Limits of zips.
const (
	MaxMembers   = 20000
	MaxZipDepth  = 2        // a zip in a zip, and no deeper
	MaxInnerZip  = 64 << 20 // bytes of a zip in a zip, which is held in memory
	MaxZipRatio  = 250      // how much longer the content may be than the zip
	ZipRatioFrom = 16 << 20 // bytes of content from which that is asked
)

func isZip(head []byte) bool { return bytes.HasPrefix(head, []byte("PK\x03\x04")) }

// archive is an open zip.
type archive struct {
	*zip.Reader
	io.Closer
}

// openZip reads the table of a zip and refuses bombs by what it says; what
// the members hold beyond that, archive/zip refuses.
func (s *Source) openZip() (archive, error) {
	if s.depth >= MaxZipDepth {
		return archive{}, Why("zip-too-deep", "limit", itoa(MaxZipDepth))
	}
	at, size, closer, err := s.readerAt()
	if err != nil {
		return archive{}, err
	}
	r, err := zip.NewReader(at, size)
	if err == nil {
		err = sane(r, size)
	}
	if err != nil {
		closer.Close()
		if errors.Is(err, zip.ErrFormat) {
			err = Why("zip-broken").Because(err)
		}
		return archive{}, err
	}
	return archive{r, closer}, nil
}

// readerAt is the file for reading anywhere: of the disk, or held in memory.
func (s *Source) readerAt() (io.ReaderAt, int64, io.Closer, error) {
	if s.depth == 0 {
		r, err := s.Open()
		if err != nil {
			return nil, 0, nil, err
		}
		if f, ok := r.(*metered).ReadCloser.(*os.File); ok {
			return f, s.Head.Size, f, nil
		}
		r.Close()
	}
	b, err := s.Bytes(MaxInnerZip)
	return bytes.NewReader(b), int64(len(b)), io.NopCloser(nil), err
}

func sane(r *zip.Reader, size int64) error {
	if len(r.File) > MaxMembers {
		return Why("zip-too-many", "limit", itoa(MaxMembers))
	}
	var content uint64
	for _, f := range r.File {
		if content += f.UncompressedSize64; content < f.UncompressedSize64 {
			return Why("zip-bomb")
		}
		if content > ZipRatioFrom && content/MaxZipRatio > uint64(size) {
			return Why("zip-bomb")
		}
	}
	return nil
}

// files are the members that are files of somebody.
func (a archive) files() (list []*zip.File) {
	for _, f := range a.File {
		if !strings.HasSuffix(f.Name, "/") && !strings.HasPrefix(f.Name, "__MACOSX/") && !strings.HasPrefix(path.Base(f.Name), ".") {
			list = append(list, f)
		}
	}
	return list
}

func (a archive) names() (list []string) {
	for _, f := range a.files()[:min(1000, len(a.files()))] {
		list = append(list, f.Name)
	}
	return list
}

// member is a member of a zip as a file of its own.
func (s *Source) member(f *zip.File) *Source {
	m := &Source{Options: s.Options, Name: s.Name + "/" + clip(strings.ToValidUTF8(f.Name, "\uFFFD")), depth: s.depth + 1}
	m.Head.Size = int64(f.UncompressedSize64)
	m.open, m.moved = f.Open, s.moved
	if f.Flags&1 != 0 {
		m.refuse = Why("encrypted")
	}
	return m
}

// Zip reads a file that is a zip, as the spreadsheets are, and that is not
// larger than limit.
func (s *Source) Zip(limit int64) (*zip.Reader, error) {
	b, err := s.Bytes(limit)
	if err != nil {
		return nil, err
	}
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, Why("zip-broken").Because(err)
	}
	return r, sane(r, int64(len(b)))
}
