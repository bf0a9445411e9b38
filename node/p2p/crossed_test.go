// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"sync"
	"testing"
)

// TestCrossedDials: two who dial each other at the same moment both get
// through. From the ports that they listen on, TCP may make one connection of
// the two dials, with two clients and no server.
func TestCrossedDials(t *testing.T) {
	met := 0
	for range 100 {
		a, b := newEchoHost(t, onTCP), newEchoHost(t, onTCP)
		var both sync.WaitGroup
		start := make(chan struct{})
		for _, pair := range [][2]*Host{{a, b}, {b, a}} {
			both.Go(func() {
				<-start
				s, err := pair[0].Dial(testContext(t), pair[1].DID(), pair[1].Addrs(), echo)
				if err != nil {
					t.Errorf("dial: %v", err)
					return
				}
				_ = s.Close()
			})
		}
		close(start)
		both.Wait()
		if len(a.libp2p.Network().ConnsToPeer(b.libp2p.ID())) > 0 {
			met++
		}
	}
	if met == 0 {
		t.Error("nobody met anybody: nothing was shown")
	}
}
