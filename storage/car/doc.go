// SPDX-License-Identifier: Apache-2.0

// Package car writes sealed blocks into a CAR file, as the IPFS libraries read
// one, and finds blocks in such files.
//
// It knows names and bytes: the root is a UnixFS folder with two files, "head"
// and "blocks"; the leaves of "blocks" are the sealed blocks themselves, under
// their own names, so that whoever pins the file keeps our blocks. It does not
// know what is in a block or in a head, which blocks anybody needs, or where
// they are kept. What it reads is a stranger's: every section is bounded and
// hashed before anything of the file is believed.
//
// The ways in are [Write] and [Open]. The format is protocol/spec/car.md.
package car
