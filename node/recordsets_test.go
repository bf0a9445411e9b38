// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"testing"
)

// The objects that were read last are kept in bounded room; what nobody asks
// for between two rests goes.
func TestObjectCache(t *testing.T) {
	var s recordSets
	key := func(i int) objectKey { return objectKey{path: fmt.Sprint(i)} }
	for i := range 100 {
		s.bytes.put(key(i), make([]byte, 1<<20))
		s.bytes.get(key(0))
	}
	if s.bytes.size > mostCached || len(s.bytes.held) != s.bytes.order.Len() {
		t.Errorf("%d bytes are kept, in %d and %d places", s.bytes.size, len(s.bytes.held), s.bytes.order.Len())
	}
	if _, ok := s.bytes.get(key(0)); !ok {
		t.Error("what was used again and again is gone")
	}
	if _, ok := s.bytes.get(key(1)); ok {
		t.Error("what was not used again is still there")
	}
	s.bytes.put(key(1000), make([]byte, mostOfObject+1))
	if _, ok := s.bytes.get(key(1000)); ok {
		t.Error("a large one takes the room of all others")
	}
	s.asked = true
	s.rest()
	if len(s.bytes.held) == 0 {
		t.Error("what was asked for since is gone at the first rest")
	}
	s.rest()
	if len(s.bytes.held) != 0 || s.bytes.size != 0 {
		t.Error("an idle node keeps it")
	}
}
