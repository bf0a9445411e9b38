// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"fmt"
	"strings"
)

// Scope says whose key seals a journal body: that of the node itself, of a
// data set of ours, of a contact, or of a data set that we received. To erase
// one of these is to destroy its scope's keys.
type Scope string

// NodeScope is the scope of what concerns nobody in particular. It always
// exists and cannot be erased.
const NodeScope Scope = "node"

const (
	datasetPrefix  = "dataset/"
	contactPrefix  = "contact/"
	receivedPrefix = "received/"
)

// DatasetScope is the scope of one of our own data sets.
func DatasetScope(did DID) Scope { return Scope(datasetPrefix + did) }

// ContactScope is the scope of what concerns one contact, by owner DID.
func ContactScope(did DID) Scope { return Scope(contactPrefix + did) }

// ReceivedScope is the scope of a data set of somebody else that we received.
func ReceivedScope(did DID) Scope { return Scope(receivedPrefix + did) }

// check refuses what none of the functions above can have made.
func (s Scope) check() error {
	if s == NodeScope {
		return nil
	}
	for _, prefix := range []string{datasetPrefix, contactPrefix, receivedPrefix} {
		if did, ok := strings.CutPrefix(string(s), prefix); ok {
			if _, err := ParseDID(did); err != nil {
				return fmt.Errorf("scope of %s: %w", strings.TrimSuffix(prefix, "/"), err)
			}
			return nil
		}
	}
	return ErrUnknownScope
}
