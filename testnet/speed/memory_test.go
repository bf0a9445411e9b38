// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/control"
	"github.com/traboule/traboule/storage/vault"
)

// process is a real node, as `traboule run` starts it.
type process struct {
	*control.Client
	pid int
	end func()
}

// program builds the real thing. It is on the disk before it runs: what waits to
// be written there counts as changed memory of whoever runs it.
func program(b *testing.B) string {
	b.Helper()
	bin := filepath.Join(b.TempDir(), "traboule")
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/traboule").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	f, err := os.Open(bin)
	must(b, err)
	defer f.Close()
	must(b, f.Sync())
	return bin
}

// launch runs the node in home, made with full key derivation if need be.
func launch(b *testing.B, bin, home string) *process {
	b.Helper()
	secret := home + ".secret"
	if _, err := os.Stat(home); err != nil {
		must(b, os.WriteFile(secret, passphrase, 0o600))
		_, err := node.Create(b.Context(), node.CreateOptions{Home: home, Passphrase: passphrase})
		must(b, err)
	}
	cmd := exec.Command(bin, "run", "--home", home, "--passphrase-file", secret, "--listen", loopback)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("the node did not start: %q, %v: %s", line, err, &said)
	}
	client, err := control.Dial(b.Context(), home)
	must(b, err)
	return &process{Client: client, pid: cmd.Process.Pid, end: func() {
		client.Close()
		must(b, cmd.Process.Signal(syscall.SIGINT))
		_ = cmd.Wait()
	}}
}

// peak is the most private memory, in MiB, that the process has at any moment
// while f runs.
func (p *process) peak(b *testing.B, f func()) (mib float64) {
	b.Helper()
	stop, most := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		var top int64
		for {
			top = max(top, private(p.pid))
			select {
			case <-stop:
				most <- top
				return
			case <-tick.C:
			}
		}
	}()
	f()
	close(stop)
	return float64(<-most) / (1 << 20)
}

// private is the memory of a process that it shares with nobody and that is
// not the unchanged content of a file.
func private(pid int) (total int64) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(data) {
		if fields := strings.Fields(string(line)); len(fields) == 3 && fields[0] == "Private_Dirty:" {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			total += kib << 10
		}
	}
	return total
}

// call carries out an operation of a running process that must succeed.
func call[Q, R any](b *testing.B, o node.Operation[Q, R], p *process, request Q) R {
	b.Helper()
	r, err := o.Do(b.Context(), p, request, nil)
	must(b, err)
	return r
}

// BenchmarkMemory watches real processes: adding D1, adding D2, and serving and
// fetching both after a start with the full key derivation.
func BenchmarkMemory(b *testing.B) {
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		b.Skip("this system does not tell a process's private memory:", err)
	}
	bin := program(b)
	big, _ := work(b, "D1")
	small, _ := work(b, "D2")
	for b.Loop() {
		dir := b.TempDir()
		giver, taker := launch(b, bin, filepath.Join(dir, "giver")), launch(b, bin, filepath.Join(dir, "taker"))
		add := giver.peak(b, func() { call(b, node.Add, giver, node.AddRequest{Path: big, Name: "x"}) })
		add = max(add, giver.peak(b, func() { call(b, node.Add, giver, node.AddRequest{Path: small, Name: "y"}) }))
		call(b, node.Card, giver, node.CardRequest{Name: "giver"})
		link := call(b, node.Card, taker, node.CardRequest{Name: "taker"}).Link
		call(b, node.ContactAdd, giver, node.ContactAddRequest{Link: link, Name: "taker"})
		giver.end()
		giver = launch(b, bin, filepath.Join(dir, "giver"))
		var serve, fetch float64
		for _, name := range []string{"x", "y"} {
			grant := call(b, node.Grant, giver, node.GrantRequest{Name: name, To: "taker"})
			serve = max(serve, giver.peak(b, func() {
				fetch = max(fetch, taker.peak(b, func() { call(b, node.Fetch, taker, node.FetchRequest{Grant: grant.Link}) }))
			}))
		}
		giver.end()
		taker.end()
		b.ReportMetric(add, "add-MiB")
		b.ReportMetric(fetch, "fetch-MiB")
		b.ReportMetric(serve, "serve-MiB")
	}
}

const manyEntries = 50_000

// BenchmarkReady opens, until peers and commands are answered, a home of 20,000
// blocks, and one whose journal tells of 50,000 deliveries: with a keyfile,
// which needs no slow derivation.
func BenchmarkReady(b *testing.B) {
	for _, name := range []string{"blocks", "journal"} {
		b.Run(name, func(b *testing.B) {
			home := filepath.Join(b.TempDir(), "home")
			keyfile := bytes.Repeat([]byte("a keyfile for a benchmark, long "), 2)
			_, err := node.Create(b.Context(), node.CreateOptions{Home: home, Passphrase: passphrase, Keyfile: keyfile, Weak: true})
			must(b, err)
			options := node.Options{Home: home, Secret: node.Secret{Keyfile: keyfile}, Listen: []string{loopback}}
			if name == "blocks" {
				src, _ := work(b, "D2")
				n, err := node.OpenHome(b.Context(), options)
				must(b, err)
				do(b, node.Add, n, node.AddRequest{Path: src, Name: "x"})
				must(b, n.Close())
			} else {
				deliverOften(b, home)
			}
			var took time.Duration
			for b.Loop() {
				took += untilReady(b, options)
			}
			b.ReportMetric(took.Seconds()/float64(b.N), "s")
		})
	}
}

func untilReady(b *testing.B, options node.Options) (took time.Duration) {
	b.Helper()
	syscall.Sync()
	began := time.Now()
	n, err := node.OpenHome(b.Context(), options)
	must(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	must(b, n.Run(ctx, func(node.RunInfo) { took = time.Since(began); cancel() }))
	must(b, n.Close())
	return took
}

// deliverOften makes one delivery and repeats its entry in the journal.
func deliverOften(b *testing.B, home string) {
	b.Helper()
	giver, stop := open(b, home)
	taker, leave := start(b, filepath.Join(b.TempDir(), "taker"))
	acquaint(b, giver, taker)
	do(b, node.Add, giver, node.AddRequest{Path: "doc.go", Name: "x"})
	do(b, node.Fetch, taker, node.FetchRequest{Grant: do(b, node.Grant, giver, node.GrantRequest{Name: "x", To: "taker"}).Link})
	leave()
	stop()
	v, _, err := vault.Open(home, crypto.Passphrase(passphrase), vault.Options{})
	must(b, err)
	var delivery vault.Fact // the one fact that has a public part and a sealed one
	must(b, v.Facts(func(r vault.Recorded) error {
		if len(r.Public) > 0 && len(r.Body) > 0 {
			delivery = r.Fact
		}
		return nil
	}))
	for range manyEntries / 500 {
		_, err := v.Record(b.Context(), slices.Repeat([]vault.Fact{delivery}, 500)...)
		must(b, err)
	}
	must(b, v.Close())
}
