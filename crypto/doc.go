// SPDX-License-Identifier: Apache-2.0

// Package crypto names parties and guards bytes: identities and their
// signatures, the sealing of blocks, the wrapping of keys for a receiver, the
// keyring and the slots that unlock it.
//
// It knows nothing of data sets, grants or networks, and it touches no file:
// it turns bytes into bytes. It is the only package that holds private keys;
// they cannot be printed, logged or copied out but into a recovery kit.
package crypto
