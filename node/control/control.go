// SPDX-License-Identifier: Apache-2.0

// Package control carries operations between a command and the running node
// over a Unix socket that only the owner's account may open: HTTP, one POST an
// operation, answered by lines of JSON (progress, then a result or a problem).
//
// It knows no operation: names, requests and results pass through as JSON.
// The ways in are [Serve] and [Dial].
package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/traboule/traboule/node/problem"
)

// Progress is how far a long operation has come. Bytes unless said otherwise;
// a total of 0 is not known yet.
type Progress struct {
	Step      string `json:"step"` // scan, store, connect, pages, blocks, write, check, compact, read, rows: each has a sentence
	Done      int64  `json:"done"`
	Total     int64  `json:"total"`
	Files     int64  `json:"files"`
	FileTotal int64  `json:"file_total"`

	// Part is a piece of an answer that is too long for one: all pieces come,
	// in order, and nothing else is said with them.
	Part []byte `json:"part,omitempty"`
}

// MaxRequest bounds a request, in bytes of JSON.
const MaxRequest = 1 << 20

const (
	socketName = "control.sock"
	// maxSocketPath is what sun_path holds on the narrowest system we build for.
	maxSocketPath = 100
	pathPrefix    = "/v1/"
)

// line is one line of an answer; exactly one field is set.
type line struct {
	Progress *Progress        `json:"progress,omitempty"`
	Result   json.RawMessage  `json:"result,omitempty"`
	Problem  *problem.Problem `json:"problem,omitempty"`
}

// A Handler carries out an operation whose request and result are JSON. It
// calls progress from one goroutine and not after it has returned.
type Handler func(ctx context.Context, operation string, request json.RawMessage, progress func(Progress)) (json.RawMessage, error)

// Listen opens the socket of the node whose home folder is home. The caller
// holds the lock on the vault, so a socket that lies there is a dead one.
func Listen(home string) (net.Listener, error) {
	var listener net.Listener
	err := inSocketDir(home, func(path string) error {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		l, err := net.Listen("unix", path)
		if err != nil {
			return err
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		listener = l
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		return nil, fmt.Errorf("listen for commands in %s: %w", home, err)
	}
	return listener, nil
}

// inSocketDir calls do with a spelling of the socket's path that is short
// enough for a Unix socket: through a temporary link where the home folder's
// own path is too long.
func inSocketDir(home string, do func(path string) error) error {
	path := filepath.Join(home, socketName)
	if len(path) <= maxSocketPath {
		return do(path)
	}
	dir, err := os.MkdirTemp("", "traboule-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	link := filepath.Join(dir, "home")
	absolute, err := filepath.Abs(home)
	if err != nil {
		return err
	}
	if err := os.Symlink(absolute, link); err != nil {
		return err
	}
	return do(filepath.Join(link, socketName))
}

// Serve answers commands on listener until ctx is done and every operation
// under way has returned. It closes listener.
func Serve(ctx context.Context, listener net.Listener, handle Handler) error {
	operations, stop := context.WithCancel(ctx)
	defer stop()
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathPrefix+"{operation}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, handle)
	})
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return operations },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve commands: %w", err)
	case <-ctx.Done():
	}
	stop()
	err := server.Shutdown(context.WithoutCancel(ctx))
	<-ended
	return err
}

func answer(w http.ResponseWriter, r *http.Request, handle Handler) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	var mu sync.Mutex // progress and the last line come from two goroutines
	send := func(l line) {
		mu.Lock()
		defer mu.Unlock()
		json.NewEncoder(w).Encode(l)
		http.NewResponseController(w).Flush()
	}
	request, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxRequest))
	if err != nil {
		send(line{Problem: problem.New(problem.Usage, "bad-request", "operation", r.PathValue("operation")).Because(err)})
		return
	}
	result, err := handle(r.Context(), r.PathValue("operation"), request, throttled(func(p Progress) { send(line{Progress: &p}) }))
	if err != nil {
		send(line{Problem: problem.Of(err)})
		return
	}
	send(line{Result: result})
}

// throttled passes on at most ten reports a second, and every part.
func throttled(send func(Progress)) func(Progress) {
	var last time.Time
	return func(p Progress) {
		if p.Part != nil {
			send(p)
			return
		}
		if now := time.Now(); now.Sub(last) >= 100*time.Millisecond {
			last = now
			send(p)
		}
	}
}

// Client calls the operations of a running node. Many goroutines may use it.
type Client struct {
	http *http.Client
}

// Dial finds the running node whose home folder is home; [os.ErrNotExist] is
// in the error if none answers.
func Dial(ctx context.Context, home string) (*Client, error) {
	dial := func(ctx context.Context) (conn net.Conn, err error) {
		err = inSocketDir(home, func(path string) error {
			conn, err = new(net.Dialer).DialContext(ctx, "unix", path)
			return err
		})
		return conn, err
	}
	first, err := dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("no node answers in %s: %w", home, errors.Join(os.ErrNotExist, err))
	}
	first.Close()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}
	return &Client{http: &http.Client{Transport: transport}}, nil
}

// Close lets go of idle connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Call carries out an operation at the running node. Cancelling ctx
// interrupts it there too. The error is a *problem.Problem.
func (c *Client) Call(ctx context.Context, operation string, request, result any, progress func(Progress)) error {
	body, err := json.Marshal(request)
	if err != nil {
		return problem.Of(err)
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://node"+pathPrefix+operation, bytes.NewReader(body))
	if err != nil {
		return problem.Of(err)
	}
	response, err := c.http.Do(post)
	if err != nil {
		return lost(ctx, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return problem.New(problem.Usage, "unknown-operation", "operation", operation)
	}
	return readAnswer(ctx, response.Body, result, progress)
}

func readAnswer(ctx context.Context, body io.Reader, result any, progress func(Progress)) error {
	lines := json.NewDecoder(bufio.NewReader(body))
	for {
		var l line
		if err := lines.Decode(&l); err != nil {
			return lost(ctx, err)
		}
		switch {
		case l.Problem != nil:
			return l.Problem
		case l.Progress != nil:
			if progress != nil {
				progress(*l.Progress)
			}
		default:
			if err := json.Unmarshal(l.Result, result); err != nil {
				return problem.Of(fmt.Errorf("read the node's answer: %w", err))
			}
			return nil
		}
	}
}

// hangUps are how a node that stops ends a conversation.
var hangUps = []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.ECONNREFUSED, syscall.EPIPE}

// lost says why no answer came.
func lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return problem.New(problem.Interrupted, "interrupted").Because(ctx.Err())
	}
	if slices.ContainsFunc(hangUps, func(e error) bool { return errors.Is(err, e) }) {
		return problem.New(problem.Unexpected, "node-stopped").Because(err)
	}
	return problem.Of(err)
}
