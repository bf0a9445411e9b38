// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/control"
)

// watched is a process of ours as the system sees it.
type watched struct {
	pid  int
	home string

	mu     sync.Mutex
	peak   int64 // most resident memory seen, bytes
	stop   chan struct{}
	gone   sync.WaitGroup
	failed error
}

// watch samples the memory of a process until the test ends.
func watch(t *testing.T, pid int, home string) *watched {
	t.Helper()
	w := &watched{pid: pid, home: home, stop: make(chan struct{})}
	w.gone.Go(w.sample)
	t.Cleanup(func() {
		close(w.stop)
		w.gone.Wait()
	})
	return w
}

func (w *watched) sample() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		memory, err := w.memory()
		w.mu.Lock()
		w.peak, w.failed = max(w.peak, memory), err
		w.mu.Unlock()
		select {
		case <-tick.C:
		case <-w.stop:
			return
		}
	}
}

// peakSince is the most memory since it was asked last.
func (w *watched) peakSince(t *testing.T) int64 {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		t.Fatal(w.failed)
	}
	peak := w.peak
	w.peak = 0
	return peak
}

// memory is the resident set, in bytes.
func (w *watched) memory() (int64, error) {
	fields, err := w.read("statm")
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseInt(strings.Fields(fields)[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

func (w *watched) read(name string) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", w.pid, name))
	return string(text), err
}

// cpu is the processor time that was used, to 10 ms.
func (w *watched) cpu(t *testing.T) time.Duration {
	t.Helper()
	text, err := w.read("stat")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:]) // from the third on
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err1 != nil || err2 != nil {
		t.Fatal(text)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// written is how many bytes the process had written to storage. Who is not
// allowed to see that (the node lets no other user look) has the files alone.
func (w *watched) written(t *testing.T) (bytes int64) {
	t.Helper()
	text, err := w.read("io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			if bytes, err = strconv.ParseInt(strings.TrimSpace(value), 10, 64); err != nil {
				t.Fatal(err)
			}
			return bytes
		}
	}
	return 0
}

// files is how each file that the node keeps looks: size and time of change.
func (w *watched) files(t *testing.T) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for _, root := range []string{w.home, os.Getenv("XDG_STATE_HOME")} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil {
				seen[path] = fmt.Sprint(info.Size(), " ", info.ModTime().UnixNano())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return seen
}

// status asks the node itself.
func (w *watched) status(t *testing.T) node.StatusResult {
	t.Helper()
	client, err := control.Dial(t.Context(), w.home)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	return do(t, client, node.Status, node.None{})
}

// lines counts what a process prints.
type lines struct {
	mu    sync.Mutex
	count int
	last  []byte
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count += bytes.Count(b, []byte("\n"))
	l.last = append(l.last[:0], b...)
	return len(b), nil
}

func (l *lines) total() (int, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count, string(l.last)
}
