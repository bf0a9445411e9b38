// SPDX-License-Identifier: Apache-2.0

// Package journal keeps the truth of a vault: one append-only log of every
// change of state, chained by hash and fsynced before anything is
// acknowledged.
//
// It knows the order of entries, and for each a time, a kind, a scope tag, a
// public part and a body. It does not know what they mean, and holds no key:
// bodies come sealed, the chain runs over the sealed bytes, so that it still
// verifies when the key of a body has been destroyed.
//
// One commit is one frame, one write and one fsync, shared by all who wait.
// So at most the last frame of the last segment can be unfinished, and only a
// frame that is short, or that ends in space never written, is taken for
// unfinished and dropped. Everything else that does not verify is damage, and
// [Open] refuses: dropping it could un-happen a revocation.
//
// The way in is [Open]. The format is in docs/formats.md.
package journal
