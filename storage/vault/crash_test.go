// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk/disktest"
)

const childDir = "TRABOULE_TEST_VAULT"

// TestMain becomes the child that is killed, when told to.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
		return
	}
	flag.Set("rapid.checks", "8") // each takes most of a second; -rapid.checks asks for more
	os.Exit(m.Run())
}

// child adds and bumps for ever, and says what was acknowledged.
func child(dir string) {
	v, _, err := Open(filepath.Join(dir, "vault"), crypto.Passphrase([]byte(passphrase)), testOptions())
	if err != nil {
		fmt.Println("error", err)
		return
	}
	src := filepath.Join(dir, "src")
	for i := 0; ; i++ {
		for f := range 30 {
			content := fmt.Sprintf("%d %d %s", i, f, strings.Repeat("x", 5000*f))
			if err := os.WriteFile(filepath.Join(src, fmt.Sprint("f", f)), []byte(content), 0o600); err != nil {
				fmt.Println("error", err)
				return
			}
		}
		r, err := v.Add(bg, "x", src, AddOptions{})
		if err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Println("version", r.Head.Sequence, i)
		g, err := v.BumpGeneration(bg, r.Dataset.DID)
		if err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Println("generation", g)
	}
}

func TestKilledWhileAdding(t *testing.T) {
	for round := range 3 {
		dir := t.TempDir()
		k, _ := newRing(t)
		v, err := Create(filepath.Join(dir, "vault"), k, testOptions())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(v.Close(), os.Mkdir(filepath.Join(dir, "src"), 0o700)); err != nil {
			t.Fatal(err)
		}
		var version, generation uint64
		var last string
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		stop := 5 + round*3 + rand.IntN(4)
		for n := 0; lines.Scan(); n++ {
			var i int
			switch {
			case strings.HasPrefix(lines.Text(), "error"):
				t.Error(lines.Text())
			case strings.HasPrefix(lines.Text(), "version"):
				fmt.Sscanf(lines.Text(), "version %d %d", &version, &i)
				last = fmt.Sprintf("%d 0 ", i)
			default:
				fmt.Sscanf(lines.Text(), "generation %d", &generation)
			}
			if n == stop {
				cmd.Process.Signal(syscall.SIGKILL)
			}
		}
		cmd.Wait()
		v, r := mustOpen(t, filepath.Join(dir, "vault"), testOptions())
		d, err := v.Lookup("x")
		if err != nil {
			t.Fatal(err)
		}
		latest, _ := d.Latest()
		if latest.Sequence < version || d.Generation < generation || r.Suspended != "" {
			t.Errorf("acknowledged %d in generation %d, found %d in %d, suspended %q", version, generation, latest.Sequence, d.Generation, r.Suspended)
		}
		if got := export(t, v, d.DID, ExportOptions{Version: version}); got["f0"].Content != last {
			t.Errorf("acknowledged %q, found %q", last, got["f0"].Content)
		}
		if bad, err := v.Check(bg, nil); err != nil || len(bad) != 0 {
			t.Errorf("%+v, %v", bad, err)
		}
	}
}

// Every creation that stops at its n-th step is either a vault or can be
// begun again.
func TestCreationInterrupted(t *testing.T) {
	secret := crypto.Passphrase([]byte(passphrase))
	for n := 1; n < 200; n++ {
		dir := filepath.Join(t.TempDir(), "vault")
		k, _ := newRing(t)
		opt := testOptions()
		faulty := disktest.Fail(opt.withDefaults().FS, n, syscall.EIO)
		opt.FS = faulty
		v, err := Create(dir, k, opt)
		if err == nil {
			v.Close()
			if _, _, err := Open(dir, secret, testOptions()); err != nil {
				t.Errorf("step %d: created, and then %v", n, err)
			}
			t.Logf("%d steps", n)
			return
		}
		v, _, err = Open(dir, secret, testOptions())
		switch {
		case err == nil:
			v.Close()
		case errors.Is(err, ErrNoVault), errors.Is(err, ErrUnfinished):
			if v, err = Create(dir, k, testOptions()); err != nil {
				t.Fatalf("step %d: created again: %v", n, err)
			}
			v.Close()
		default:
			t.Fatalf("step %d: %v", n, err)
		}
	}
	t.Error("creation never succeeded")
}
