// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/traboule/traboule/crypto"
)

const (
	passphrase = "a passphrase for tests"
	// patience is how long a page waits for something that must happen.
	patience = 30 * time.Second
)

// page is the state of one page. Its commands run one after another.
type page struct {
	nodes  map[string]*process
	peers  map[string]*peer
	passed map[string][][]byte // chains that peers made for themselves, by grant link
}

type pageKey struct{}

func pageOf(ts *testscript.TestScript) *page { return ts.Value(pageKey{}).(*page) }

// end stops what the page left running.
func (p *page) end() {
	for _, n := range p.nodes {
		n.end(os.Kill)
	}
	for _, peer := range p.peers {
		_ = peer.host.Close()
	}
}

// process is a node, running or not.
type process struct {
	name  string
	home  string
	did   crypto.DID
	port  int
	shift string // of its clock
	cmd   *exec.Cmd
}

func (n *process) end(signal os.Signal) error {
	if n.cmd == nil {
		return nil
	}
	cmd := n.cmd
	n.cmd = nil
	if err := cmd.Process.Signal(signal); err != nil {
		return err
	}
	return cmd.Wait()
}

func (n *process) address() string { return fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", n.port) }

func nodeNamed(ts *testscript.TestScript, name string) *process {
	n, ok := pageOf(ts).nodes[name]
	if !ok {
		ts.Fatalf("there is no node %s on this page", name)
	}
	return n
}

func usage(ts *testscript.TestScript, right bool, text string) {
	if !right {
		ts.Fatalf("usage: %s", text)
	}
}

// ports gives every node of the run a port of its own, the same at each start.
var ports = struct {
	sync.Mutex
	taken map[int]bool
}{taken: map[int]bool{}}

func freePort() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return 0, err
		}
		if !ports.taken[port] {
			ports.taken[port] = true
			return port, nil
		}
	}
}

// makeNode takes a folder that is there already (a copy) as it is.
func makeNode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "node NAME")
	n := &process{name: args[0], home: ts.MkAbs(args[0])}
	var err error
	n.port, err = freePort()
	ts.Check(err)
	pageOf(ts).nodes[n.name] = n
	command := []string{"init", "--words-file", n.home + ".words", "--weak-for-tests"}
	if _, err := os.Stat(n.home); err == nil {
		command = []string{"status"}
	}
	ts.Check(n.run(ts, append(command, "--json")...))
	var made struct{ Node string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &made))
	n.did = crypto.DID(made.Node)
}

// run carries out one command line on the node.
func (n *process) run(ts *testscript.TestScript, args ...string) error {
	ts.Setenv(clockVariable, n.shift)
	defer ts.Setenv(clockVariable, "")
	line := append([]string{"--home", n.home}, args...)
	if n.cmd == nil && !strings.Contains(strings.Join(args, " "), "--passphrase-file") {
		line = append(line, "--passphrase-file", ts.MkAbs("secret"))
	}
	return ts.Exec("traboule", line...)
}

func startNode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "start NAME")
	n := nodeNamed(ts, args[0])
	if n.cmd != nil {
		ts.Fatalf("%s runs already", n.name)
	}
	bin, _, _ := strings.Cut(ts.Getenv("PATH"), string(filepath.ListSeparator))
	cmd := exec.Command(filepath.Join(bin, "traboule"), "run", "--home", n.home, "--passphrase-file", ts.MkAbs("secret"),
		"--listen", n.address(), "--listen", fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1", n.port))
	cmd.Env = append(os.Environ(), "LC_ALL=C", clockVariable+"="+n.shift)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, "on the network") {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		ts.Fatalf("%s does not start: %q, %v\n%s", n.name, line, err, stderr.String())
	}
	n.cmd = cmd
}

func quitNode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "quit NAME")
	ts.Check(nodeNamed(ts, args[0]).end(os.Interrupt))
}

func crashNode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "crash NAME")
	if err := nodeNamed(ts, args[0]).end(os.Kill); !errors.As(err, new(*exec.ExitError)) {
		ts.Fatalf("%s did not die: %v", args[0], err)
	}
}

// moveTo puts a node at the address of another.
func moveTo(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "move NAME OTHER")
	nodeNamed(ts, args[0]).port = nodeNamed(ts, args[1]).port
}

func setClock(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "clock NAME SHIFT")
	if _, err := time.ParseDuration(args[1]); err != nil {
		ts.Fatalf("%v", err)
	}
	nodeNamed(ts, args[0]).shift = args[1]
}

func as(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "as NAME COMMAND…")
	ts.Check(nodeNamed(ts, args[0]).run(ts, args[1:]...))
}

func fails(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 3, "fails CODE NAME COMMAND…")
	err := nodeNamed(ts, args[1]).run(ts, args[2:]...)
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) || strconv.Itoa(exit.ExitCode()) != args[0] {
		ts.Fatalf("%v: %v, want exit code %s", args[2:], err, args[0])
	}
}

func until(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 3, "until NAME PATTERN COMMAND…")
	n, pattern := nodeNamed(ts, args[0]), regexp.MustCompile("(?m)"+args[1])
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		ts.Check(n.run(ts, args[2:]...))
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("%v never said %s", args[2:], args[1])
}

func meet(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "meet A B")
	a, b := nodeNamed(ts, args[0]), nodeNamed(ts, args[1])
	ts.Check(b.run(ts, "card", "--name", b.name)) // what B's card will say
	ts.Check(a.run(ts, "card", "--name", a.name, "--json"))
	var card struct{ Link string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &card))
	ts.Check(b.run(ts, "contact", "add", card.Link, "--name", a.name))
	ts.Check(a.run(ts, "contact", "confirm", b.name))
}

func setVar(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 3, "var NAME FILE PATTERN")
	found := regexp.MustCompile("(?m)" + args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if len(found) != 2 {
		ts.Fatalf("%s: nothing fits %s", args[1], args[2])
	}
	ts.Setenv(args[0], found[1])
}

func damage(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "damage FILE OFFSET")
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("there is no %s", args[0])
	}
	data, err := os.ReadFile(found[0])
	ts.Check(err)
	if at < 0 {
		at += len(data)
	}
	data[at] ^= 0x40
	ts.Check(os.WriteFile(found[0], data, 0o600))
}

// entry is what must be the same of a file or folder after its journey.
type entry struct {
	Mode    fs.FileMode
	Changed time.Time
	Content string
}

func same(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "same TREE TREE")
	before, err := listing(ts.MkAbs(args[0]))
	ts.Check(err)
	after, err := listing(ts.MkAbs(args[1]))
	ts.Check(err)
	if len(before) == 0 {
		ts.Fatalf("%s is empty: that proves nothing", args[0])
	}
	if diff := cmp.Diff(before, after); diff != "" {
		ts.Fatalf("%s and %s differ (-before +after):\n%s", args[0], args[1], diff)
	}
}

func listing(root string) (map[string]entry, error) {
	list := map[string]entry{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		e := entry{Mode: info.Mode(), Changed: info.ModTime()}
		if d.IsDir() {
			e.Changed = time.Time{} // compared for files
		} else {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			e.Content = string(data)
		}
		name, err := filepath.Rel(root, path)
		list[name] = e
		return err
	})
	return list, err
}
