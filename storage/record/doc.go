// SPDX-License-Identifier: Apache-2.0

// Package record says what a data set of records is: rows of typed values under
// a [Schema], kept as a log of operations over rows that never change.
//
// A [Schema] is a JSON Schema (2020-12) document with annotations: what the data
// are called in French and English, who holds them, how often they are renewed,
// which field tells when, which fields tell two rows apart. A [Value] is exact:
// money and quantities are decimals, instants are UTC, a day is a day.
//
// Rows lie in segments ([OpenSegment], [EncodeSegment]): Parquet files of which
// only the columns asked for are decoded, into a [Batch]. The log says what was
// imported, edited, deleted and undone, and so which rows count. A [Set] is one
// state of it all, and never changes: [Set.Import], [Set.Edit], [Set.Delete],
// [Set.Undo] and [Set.Compact] write objects and lead to the next. The rules are
// those of protocol/spec/records.md.
//
// It knows no file format (storage/importer does), no catalogue of kinds
// (storage/catalogue), no disk and no vault: segments come from and go to an
// object store that its user hands in. It decides nothing about who may read.
//
// The way in is [ParseSchema] for what rows are like, [Create] and [Open] for
// a data set, [Set.Scan] for its rows.
package record
