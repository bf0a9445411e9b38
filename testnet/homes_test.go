// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/p2p"
)

// home is a whole node in this process.
type home struct {
	*node.Node
	dir  string
	info node.RunInfo
	stop func()
}

// makeHome makes a node in a folder of its own.
func makeHome(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	_, err := node.Create(t.Context(), node.CreateOptions{Home: dir, Passphrase: []byte(passphrase), Weak: true})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// openHome opens a node and puts it on the loopback network until stop, or the
// end of the test.
func openHome(t *testing.T, dir string, network func(*p2p.Options)) *home {
	t.Helper()
	return openWith(t, node.Options{Home: dir, Secret: node.Secret{Passphrase: []byte(passphrase)}, Network: network})
}

func openWith(t *testing.T, opt node.Options) *home {
	t.Helper()
	opt.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	n, err := node.OpenHome(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan node.RunInfo, 1), make(chan error, 1)
	go func() { ended <- n.Run(ctx, func(i node.RunInfo) { ready <- i }) }()
	h := &home{Node: n, dir: opt.Home}
	select {
	case h.info = <-ready:
	case err := <-ended:
		cancel()
		t.Fatalf("the node does not run: %v", errors.Join(err, n.Close()))
	}
	stopped := false
	h.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-ended, n.Close()); err != nil {
			t.Errorf("stop a node: %v", err)
		}
	}
	t.Cleanup(h.stop)
	return h
}

// do carries out an operation that must succeed.
func do[Q, R any](t *testing.T, c node.Caller, o node.Operation[Q, R], request Q) R {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := o.Do(ctx, c, request, nil)
	if err != nil {
		t.Fatalf("%s: %v", o.Name, err)
	}
	return r
}

// introduce makes contacts of two nodes; a calls b by the name nameOfB.
func introduce(t *testing.T, a, b node.Caller, nameOfA, nameOfB string) {
	t.Helper()
	do(t, b, node.Card, node.CardRequest{Name: nameOfB})
	link := do(t, a, node.Card, node.CardRequest{Name: nameOfA}).Link
	do(t, b, node.ContactAdd, node.ContactAddRequest{Link: link, Name: nameOfA})
	do(t, a, node.ContactConfirm, node.NameRequest{Name: nameOfB})
}

// write makes files: path and how many random bytes.
func write(t *testing.T, root string, random *rand.ChaCha8, sizes map[string]int) {
	t.Helper()
	for path, size := range sizes {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		data := make([]byte, size)
		random.Read(data) // never fails
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func seeded(n uint64) *rand.ChaCha8 {
	seed := [32]byte{byte(n), byte(n >> 8), 't', 'r'}
	return rand.NewChaCha8(seed)
}

// within waits for something that must happen.
func within[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	select {
	case v := <-c:
		return v
	case <-deadline.C:
		t.Fatalf("%s: not within %v", what, patience)
		panic("not reached")
	}
}

// running is a whole node as a process of its own.
type running struct {
	cmd    *exec.Cmd
	info   node.RunInfo
	stderr *bytes.Buffer // to be read when it has ended
}

// startProcess puts the node in a folder on the loopback network as a process
// of the program in bin, and waits until it is there.
func startProcess(t *testing.T, bin, dir string) *running {
	t.Helper()
	return startProcessAs(t, bin, dir, passphrase)
}

func startProcessAs(t *testing.T, bin, dir, passphrase string) *running {
	t.Helper()
	return startProcessAt(t, bin, dir, passphrase, "/ip4/127.0.0.1/tcp/0")
}

func startProcessAt(t *testing.T, bin, dir, passphrase, listen string) *running {
	t.Helper()
	return startProcessTelling(t, bin, dir, passphrase, nil, listen)
}

// startProcessTelling also gives what the process says on standard error to
// tell, and listens where it is told to.
func startProcessTelling(t *testing.T, bin, dir, passphrase string, tell io.Writer, listen ...string) *running {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(passphrase+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &running{stderr: &bytes.Buffer{}}
	p.cmd = exec.Command(filepath.Join(bin, "traboule"), "run", "--json", "--home", dir, "--passphrase-file", secret)
	for _, address := range listen {
		p.cmd.Args = append(p.cmd.Args, "--listen", address)
	}
	p.cmd.Stderr = p.stderr
	if tell != nil {
		p.cmd.Stderr = io.MultiWriter(p.stderr, tell)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // an error says that it has ended already
		_ = p.cmd.Wait()
	})
	if err := json.NewDecoder(out).Decode(&p.info); err != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		t.Fatalf("the process does not run: %v\n%s", err, p.stderr)
	}
	return p
}

// kill ends the process as a power cut would.
func (p *running) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); !errors.As(err, new(*exec.ExitError)) {
		t.Fatalf("the process was not killed: %v", err)
	}
}

// copyVault copies what a vault has on disk now, as if it were another disk.
func copyVault(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		case !d.Type().IsRegular(): // the socket for commands
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, 0o600)
	})
}
