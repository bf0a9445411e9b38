// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/traboule/traboule/node"
)

const (
	contacts = 20
	settled  = 10 * time.Second // its index rests by then
)

// idleHome is a home with D2 and 20 contacts, all of them away. A quarter have
// never got their grant, and a quarter do not know yet that it is over.
func idleHome(b *testing.B) string {
	b.Helper()
	src, _ := work(b, "D2")
	home := filepath.Join(works, "idle")
	if _, err := os.Stat(home); err == nil {
		return home
	}
	must(b, os.WriteFile(home+".secret", passphrase, 0o600))
	giver, stop := start(b, home)
	defer stop()
	do(b, node.Add, giver, node.AddRequest{Path: src, Name: "x"})
	do(b, node.Card, giver, node.CardRequest{Name: "giver"})
	for i := range contacts {
		name := fmt.Sprintf("taker %d", i)
		taker, leave := start(b, filepath.Join(b.TempDir(), "taker"))
		link := do(b, node.Card, taker, node.CardRequest{Name: name}).Link
		do(b, node.ContactAdd, giver, node.ContactAddRequest{Link: link, Name: name})
		var known node.GrantResult
		if i%4 != 0 {
			known = do(b, node.Grant, giver, node.GrantRequest{Name: "x", To: name})
		}
		leave()
		switch i % 4 {
		case 0:
			do(b, node.Grant, giver, node.GrantRequest{Name: "x", To: name})
		case 1:
			do(b, node.Revoke, giver, node.NameRequest{Name: known.Grant.ID})
		}
	}
	return home
}

// BenchmarkIdle watches a real process that has nothing to do, from ten seconds
// after its start, when it has come to rest, for 12 seconds or for as long as
// TRABOULE_BENCH_IDLE says (10m and more tell also what it writes in a day: the
// clock's mark is due every 5 minutes).
func BenchmarkIdle(b *testing.B) {
	if _, err := os.Stat("/proc/self/io"); err != nil {
		b.Skip("this system does not tell what a process does:", err)
	}
	bin, home := program(b), idleHome(b)
	long := 12 * time.Second
	if text := os.Getenv("TRABOULE_BENCH_IDLE"); text != "" {
		var err error
		long, err = time.ParseDuration(text)
		must(b, err)
	}
	var used time.Duration
	var wrote int64
	var memory float64
	for b.Loop() {
		p := launch(b, bin, home)
		<-time.After(settled)
		used -= p.used(b)
		wrote -= p.wrote(b)
		memory += p.peak(b, func() { <-time.After(long) })
		used += p.used(b)
		wrote += p.wrote(b)
		p.end()
	}
	b.ReportMetric(100*used.Seconds()/long.Seconds()/float64(b.N), "cpu-%")
	if long >= 10*time.Minute {
		b.ReportMetric(float64(wrote)/float64(b.N)/1e6*(24*time.Hour).Seconds()/long.Seconds(), "written-MB/day")
	}
	b.ReportMetric(memory/float64(b.N), "idle-MiB")
}

// used is what the process has used of the processors so far.
func (p *process) used(b *testing.B) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	must(b, err)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	must(b, err)
	system, err := strconv.Atoi(fields[12])
	must(b, err)
	return time.Duration(user+system) * (time.Second / 100) // USER_HZ
}

// wrote is what the process has sent to the disk so far.
func (p *process) wrote(b *testing.B) int64 {
	b.Helper()
	counts, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", p.pid))
	must(b, err)
	for line := range strings.Lines(string(counts)) {
		if n, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			bytes, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			must(b, err)
			return bytes
		}
	}
	b.Fatal("the system does not tell what a process writes")
	return 0
}
