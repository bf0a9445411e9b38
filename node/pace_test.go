// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/protocol"
)

// TestPace: a grant opens so many times a minute and in so many shapes, and no
// other grant pays for it.
func TestPace(t *testing.T) {
	one, other := cid.MustParse("bafyreigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"),
		cid.MustParse("bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e")
	at := time.Unix(1_800_000_000, 0)
	var p pace
	for i := range openingsPerMinute {
		if r := p.allow(one, []string{""}, at); r != nil {
			t.Fatalf("opening %d: %v", i, r)
		}
	}
	r := p.allow(one, []string{""}, at)
	if r == nil || r.Code != protocol.Busy || r.Time <= at.Unix() || r.Time > at.Unix()+60 {
		t.Errorf("one too many: %v", r)
	}
	if r := p.allow(other, []string{""}, at); r != nil {
		t.Errorf("another grant: %v", r)
	}
	if r := p.allow(one, []string{""}, at.Add(time.Minute)); r != nil {
		t.Errorf("a minute later: %v", r)
	}
	for i := range viewsPerGrant {
		p.allow(other, []string{fmt.Sprint(i, "/")}, at)
	}
	if r := p.allow(other, []string{"new/"}, at); r == nil || r.Code != protocol.Limit {
		t.Errorf("one shape too many: %v", r)
	}
	if r := p.allow(other, []string{""}, at); r != nil {
		t.Errorf("a shape that is known: %v", r)
	}
	for minute := range openingsPerHour/openingsPerMinute - 1 { // beside those above
		for range openingsPerMinute {
			p.allow(one, []string{""}, at.Add(time.Duration(minute+2)*time.Minute))
		}
	}
	late := at.Add(20 * time.Minute)
	if r := p.allow(one, []string{""}, late); r == nil || r.Code != protocol.Busy || r.Time <= late.Unix()+60 || r.Time%3600 != 0 {
		t.Errorf("one too many in an hour: %v", r)
	}
	if r := p.allow(one, []string{""}, at.Add(time.Hour)); r != nil {
		t.Errorf("an hour later: %v", r)
	}
	p.forget(func(leaf cid.Cid) bool { return leaf == other })
	if len(p.grants) != 1 || p.grants[one] == nil {
		t.Errorf("%d grants are counted, want the one that is not over", len(p.grants))
	}
}
