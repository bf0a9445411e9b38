// SPDX-License-Identifier: Apache-2.0

// Package storage says how data sets are written down: heads, the manifests
// that they name, and what a place for data must do.
//
// A [Head] is the signed name of one version: against roll-back, omission and
// re-ordering. It names the root page of a manifest, a tree of sealed pages
// that lists every file with its blocks and their keys. Page boundaries depend
// on a keyed hash of the paths, so that a small change costs a few pages
// whatever the size of the data set. The normative description is
// protocol/spec/blocks.md.
//
// It knows nothing of disks, journals, grants or networks: pages go to a put
// function and come from a [PageSource]. It does not decide who may read, and
// it never trusts a page: sizes, order, depth and counts are all checked.
//
// The ways in are [NewBuilder] and [Walk]; a receiver that still lacks pages
// uses [NewTracker].
package storage
