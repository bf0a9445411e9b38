// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// Options are what the user says about files that leave something open.
type Options struct {
	Dates    string // "dmy", "mdy" or "ymd"; "" for not said
	Currency string // ISO 4217, of amounts whose file names none; "" for not said
	Account  string // of statements that name none; "" for not said
	Zone     string // IANA, of times without an offset; "" for Europe/Paris
	As       string // the format it is read as, by name; "" for the one that fits
	Map      *Mapping

	// Kind is what the rows of a table are whose headings name its fields; nil
	// for not said.
	Kind *record.Schema

	// Progress, when not nil, is told how many bytes of a file have been read,
	// of how many (-1 when not known). It is called often and must be quick.
	Progress func(file string, read, total int64)
}

// Location is the zone of times without an offset.
func (o Options) Location() (*time.Location, error) {
	if o.Zone == "" {
		o.Zone = "Europe/Paris"
	}
	l, err := time.LoadLocation(o.Zone)
	if err != nil {
		return nil, Why("zone", "zone", clip(o.Zone)).Because(err)
	}
	return l, nil
}

// HeadSize is how much of a file [Format.Fits] sees, in bytes.
const HeadSize = 64 << 10

// Head is how a file begins.
type Head struct {
	Bytes   []byte   // as they lie, at most HeadSize
	Text    string   // decoded to UTF-8 without a byte order mark; "" for what is no text
	Members []string // of a zip: the names of what is in it, at most 1,000
	Size    int64    // of the whole file; -1 when not known
	Whole   bool     // Bytes are all of it

	noted *noted // what several formats ask for, found out once; nil keeps nothing
}

// noted is what has been found out about how a file begins.
type noted struct {
	outline Outline
	root    *xml.Name
}

// Source is one file being read: a file of the disk, or a member of a zip. It
// is for one goroutine.
type Source struct {
	Options
	Name string // the path as people know it, "takeout.zip/Records.json"; may be told to them, never trusted, never stored
	Head Head

	ctx    context.Context // of the reading under way
	to     *Sink           // of the reading under way
	open   func() (io.ReadCloser, error)
	refuse *Reason     // why it is not even opened
	moved  func() bool // whether the file of the disk is another by now; nil if it cannot be
	depth  int         // how many zips it lies in
	whole  []byte      // a member of a zip that is a zip itself
}

// File is a file of the disk.
func File(path string, o Options) *Source {
	open := func() (io.ReadCloser, error) { return os.Open(path) }
	s := &Source{Options: o, Name: filepath.Base(path), open: open, Head: Head{Size: -1}}
	if at, err := os.Stat(path); err == nil {
		s.Head.Size = at.Size()
		s.moved = func() bool {
			now, err := os.Stat(path)
			return err == nil && (now.Size() != at.Size() || !now.ModTime().Equal(at.ModTime()) || !os.SameFile(at, now))
		}
		if !at.Mode().IsRegular() {
			s.refuse = Why("not-a-file")
		}
	}
	return s
}

// Content is a file that is in memory already.
func Content(name string, b []byte, o Options) *Source {
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	return &Source{Options: o, Name: name, open: open, Head: Head{Size: int64(len(b))}}
}

// Stream is a file that open gives from its beginning, each time it is called,
// and that is so many bytes long; -1 when not known.
func Stream(name string, size int64, open func() (io.ReadCloser, error), o Options) *Source {
	return &Source{Options: o, Name: name, open: open, Head: Head{Size: size}}
}

// Open reads the file from its beginning, as the bytes lie, until the reading
// is cancelled.
func (s *Source) Open() (io.ReadCloser, error) {
	if s.refuse != nil {
		return nil, s.refuse
	}
	r, err := s.open()
	if err != nil {
		return nil, Why("open").Because(err)
	}
	return &metered{ReadCloser: r, s: s}, nil
}

// Bytes are the whole file, which is refused when it is larger than limit.
func (s *Source) Bytes(limit int64) ([]byte, error) {
	if s.whole != nil {
		return s.whole, nil
	}
	if s.Head.Size > limit {
		return nil, tooLarge(limit)
	}
	r, err := s.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, tooLarge(limit)
	}
	return b, nil
}

func tooLarge(limit int64) *Reason {
	return Why("too-large", "limit", itoa(limit))
}

// metered tells how far the reading is, and ends it when it is cancelled.
type metered struct {
	io.ReadCloser
	s    *Source
	read int64
}

func (m *metered) Read(p []byte) (int, error) {
	if m.s.ctx != nil {
		if err := m.s.ctx.Err(); err != nil {
			return 0, err
		}
	}
	if m.s.to != nil && m.s.to.hopeless() {
		return 0, m.s.to.nothingGood()
	}
	n, err := m.ReadCloser.Read(p)
	m.read += int64(n)
	if m.s.Progress != nil && n > 0 {
		m.s.Progress(m.s.Name, m.read, m.s.Head.Size)
	}
	if err != nil && err != io.EOF {
		err = Why("cut").Because(err)
	}
	return n, err
}

// look reads the beginning of the file into its Head.
func (s *Source) look() error {
	r, err := s.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	b := make([]byte, HeadSize)
	n, err := io.ReadFull(r, b)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	s.Head.Bytes, s.Head.Whole = b[:n], err != nil
	if s.Head.Whole {
		s.Head.Size = int64(n)
	}
	s.Head.Text, s.Head.noted = s.Head.text(), &noted{}
	return nil
}
