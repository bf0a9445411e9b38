// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"io"
)

// Options are what the user says about files that leave something open.
type Options struct {
	Dates    string // "dmy", "mdy" or "ymd"; "" for not said
	Currency string // ISO 4217, of amounts whose file names none; "" for not said
	Account  string // of statements that name none; "" for not said
	Zone     string // IANA, of times without an offset; "" for Europe/Paris
	As       string // the kind it is read as; "" for what the importer knows
	Map      *Mapping
}

// HeadSize is how much of a file [Format.Fits] sees, in bytes.
const HeadSize = 64 << 10

// Head is how a file begins.
type Head struct {
	Bytes []byte // as they lie, at most HeadSize
	Text  string // decoded to UTF-8 without a byte order mark; "" for what is no text
	Size  int64  // of the whole file; -1 when not known
	Whole bool   // Bytes are all of it
}

// Source is one file being read: a file of the disk, or a member of a zip.
type Source struct {
	Options
	Name string // without folders; may be told to people, never trusted, never stored
	Head Head

	open func() (io.ReadCloser, error)
}

// Open reads the file from its beginning, as the bytes lie.
func (s *Source) Open() (io.ReadCloser, error) { return s.open() }

// Mapping says which column of an unknown CSV file is what.
type Mapping struct{}
