// SPDX-License-Identifier: Apache-2.0

// Package foreign asks others what they make of what we write, and we of what
// they write: the JavaScript libraries of UCAN and of IPFS, DuckDB and another
// reader of Parquet, and a second reader in Python that was written from the
// pages of protocol/spec alone.
//
// It knows the node by its operations, its tokens by protocol/ucan and its
// files by storage. It does not know how the others work: js and python are
// programs of their own, asked by standard input and output.
//
// The way in are the tests; setup installs what they need, in the folder for
// caches of whoever runs them. Where that cannot be, a test is skipped with
// its reason, and with CI=true it fails.
package foreign
