// SPDX-License-Identifier: Apache-2.0

// Package testnet holds the scenarios that need more than one node: real
// processes of the real program, and peers who do not keep to the protocol.
//
// It knows all layers and libp2p, as the only package above node/p2p that
// does. It holds nothing but tests, and nothing imports it. The way in is
// TestScripts, whose pages lie in testdata.
package testnet
