// SPDX-License-Identifier: Apache-2.0

// Package vault opens, locks and repairs the stores of one owner, and is the
// only door to their plaintext.
//
// A vault is a folder: "lock" (one process at a time), "keyring.a" and
// "keyring.b" (the keys, twice), "mark.a" and "mark.b" (how far the journal
// had come), "waste" (since when blocks are of no use), "checked" (how far the
// check in the background is), packs/, journal/ and index/; "creating" while it
// is made, and what [Repair] sets aside. It knows data sets of files, which
// mirror a folder ([Vault.Add]), and of records, which are objects that a caller
// hands over ([Vault.Put], [Vault.Begin]); their versions and generations; views
// of them, of paths ([Vault.ViewHead]) and with objects of their own
// ([Vault.BeginView]); data sets received from others; and the order in which
// things become durable: blocks, then journal, then memory, then index.
//
// It does not know grants, contacts or networks: what the node has to remember
// about these are facts, opaque kinds from [FirstFact] on. It does not decide
// who may read; it starts no goroutine that outlives a call; and it writes no
// plaintext but what [Vault.Export] is asked for.
//
// The ways in are [Create], [Open], [Restore] and [Repair].
package vault
