// SPDX-License-Identifier: Apache-2.0

// Package importer reads what people can download from banks, meters, phones
// and shops, and makes records of it: one file for each format, which holds one
// [Format] and the one function that reads it.
//
// A format is recognised by content, never by a file's name. What a file says
// is believed in nothing: each row is checked against the description of its
// kind (storage/catalogue), a bad one is rejected with its line and the reason,
// the rest is kept; a file that is not what it seems to be is refused as a whole.
// Whatever the bytes are, memory stays bounded, and no temporary file is written.
//
// It does not know what is in the vault already: rows that came before are the
// business of storage/record. It keeps nothing and starts no goroutine.
//
// The way in is [Read] for a file; a new format is added to [Formats].
package importer
