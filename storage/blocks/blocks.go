// SPDX-License-Identifier: Apache-2.0

// Package blocks keeps ciphertext blocks in append-only pack files.
//
// It knows a block by its name, the SHA-256 of its bytes, and proves every
// block it hands out against that name: a block comes back right or not at
// all. It does not know what is in a block, to which data set it belongs or
// whether anybody still needs it, and it holds no key.
//
// A pack's entries describe themselves, so that the map from names to places,
// held in memory, can always be made again by a scan; a saved copy of it (the
// file "locations") only makes opening fast. What was put is durable after
// [Store.Sync]; after a failed fsync the store takes nothing more until it is
// opened again, since nobody can tell what the disk holds.
//
// Deleting marks; [Store.Compact] rewrites the packs in which much is dead and
// removes them. Nothing is ever only where it is not yet durable, and what was
// deleted stays so, whatever file is lost meanwhile. [Store.Check] reads all,
// [Store.CheckSome] a share.
//
// The way in is [Open]. The format is in docs/formats.md.
package blocks
