// SPDX-License-Identifier: Apache-2.0

// Package index answers look-ups quickly and may forget everything: what it
// says can always be found again in the journal and the packs, and nothing is
// decided by it.
//
// It knows badger and is the only package that does. Names in its keys are
// hashed under a key of the vault, values are sealed; a value that does not
// open is absent. It does not know what the values mean. When badger cannot
// open its files, or panics over them, they are wiped and the index starts
// empty.
//
// The way in is [Open].
package index
