// SPDX-License-Identifier: Apache-2.0

package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/traboule/traboule/node/control"
	"github.com/traboule/traboule/node/problem"
)

// serve answers commands in a home folder until the test ends.
func serve(t *testing.T, home string, handle control.Handler) (stop func()) {
	t.Helper()
	listener, err := control.Listen(home)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- control.Serve(ctx, listener, handle) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve ended with %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func dial(t *testing.T, home string) *control.Client {
	t.Helper()
	client, err := control.Dial(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

type greeting struct {
	Words string `json:"words"`
}

// echo answers with its request, under the operation's name.
func echo(_ context.Context, operation string, request json.RawMessage, _ func(control.Progress)) (json.RawMessage, error) {
	if operation != "echo" {
		return nil, problem.New(problem.Usage, "unknown-operation", "operation", operation)
	}
	return request, nil
}

func wantProblem(t *testing.T, err error, kind problem.Kind, key string) {
	t.Helper()
	found := (*problem.Problem)(nil)
	if !errors.As(err, &found) || found.Kind != kind || found.Key != key {
		t.Errorf("it failed with %v, want %s", err, key)
	}
}

func TestCall(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	serve(t, home, echo)
	client := dial(t, home)
	var got greeting
	if err := client.Call(t.Context(), "echo", greeting{"bonjour, Zoë\n"}, &got, nil); err != nil || got.Words != "bonjour, Zoë\n" {
		t.Errorf("it answered %+v, %v", got, err)
	}
	for _, operation := range []string{"nothing", "", "a/b", "..", "echo%2f", "écho"} {
		wantProblem(t, client.Call(t.Context(), operation, greeting{}, &got, nil), problem.Usage, "unknown-operation")
	}
	var number int
	if err := client.Call(t.Context(), "echo", greeting{"x"}, &number, nil); problem.Of(err) == nil || problem.Of(err).Kind != problem.Unexpected {
		t.Errorf("an answer of another type: %v", err)
	}
	if err := client.Call(t.Context(), "echo", make(chan int), &got, nil); err == nil {
		t.Error("a channel was sent as JSON")
	}
}

// TestHandlersProblem: what went wrong there is what is said here.
func TestHandlersProblem(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	serve(t, home, func(_ context.Context, operation string, _ json.RawMessage, _ func(control.Progress)) (json.RawMessage, error) {
		if operation == "known" {
			return nil, problem.New(problem.NotFound, "contact.none", "name", "bob").Because(io.EOF)
		}
		return nil, io.ErrNoProgress
	})
	client := dial(t, home)
	err := client.Call(t.Context(), "known", nil, nil, nil)
	wantProblem(t, err, problem.NotFound, "contact.none")
	if p := problem.Of(err); p.Args["name"] != "bob" || p.Detail != "EOF" {
		t.Errorf("it came as %+v", p)
	}
	wantProblem(t, client.Call(t.Context(), "other", nil, nil, nil), problem.Unexpected, "unexpected")
}

func TestProgress(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	const reports = 100000
	serve(t, home, func(_ context.Context, _ string, request json.RawMessage, progress func(control.Progress)) (json.RawMessage, error) {
		for i := range int64(reports) {
			progress(control.Progress{Step: "store", Done: i, Total: reports, Files: 1, FileTotal: 2})
		}
		return request, nil
	})
	client := dial(t, home)
	var seen []control.Progress
	var got greeting
	if err := client.Call(t.Context(), "long", greeting{"done"}, &got, func(p control.Progress) { seen = append(seen, p) }); err != nil {
		t.Fatal(err)
	}
	if len(seen) == 0 || !reflect.DeepEqual(seen[0], control.Progress{Step: "store", Total: reports, Files: 1, FileTotal: 2}) {
		t.Errorf("progress came as %+v", seen)
	}
	if len(seen) > 200 {
		t.Errorf("%d reports came through", len(seen))
	}
	if got.Words != "done" {
		t.Errorf("the result is %+v", got)
	}
	if err := client.Call(t.Context(), "long", greeting{"again"}, &got, nil); err != nil || got.Words != "again" {
		t.Errorf("without anybody to tell: %+v, %v", got, err)
	}
}

// TestCancel: who goes away interrupts what they asked for.
func TestCancel(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	began, interrupted := make(chan struct{}), make(chan error, 1)
	serve(t, home, func(ctx context.Context, _ string, _ json.RawMessage, _ func(control.Progress)) (json.RawMessage, error) {
		close(began)
		<-ctx.Done()
		interrupted <- ctx.Err()
		return nil, ctx.Err()
	})
	client := dial(t, home)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	wantProblem(t, client.Call(ctx, "long", nil, nil, nil), problem.Interrupted, "interrupted")
	select {
	case <-interrupted:
	case <-time.After(10 * time.Second):
		t.Error("the operation goes on")
	}
}

// TestStop: Serve interrupts what is under way and waits for it; the client
// hears that the node has stopped, or what the operation said of it.
func TestStop(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	began := make(chan struct{})
	returned := false
	stop := serve(t, home, func(ctx context.Context, _ string, _ json.RawMessage, _ func(control.Progress)) (json.RawMessage, error) {
		close(began)
		<-ctx.Done()
		returned = true
		return nil, problem.New(problem.Interrupted, "interrupted")
	})
	client := dial(t, home)
	failed := make(chan error, 1)
	go func() { failed <- client.Call(context.Background(), "long", nil, nil, nil) }()
	<-began
	stop()
	if !returned {
		t.Error("serve returned before the operation had")
	}
	wantProblem(t, <-failed, problem.Interrupted, "interrupted")
	if _, err := control.Dial(t.Context(), home); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the end: %v", err)
	}
	err := client.Call(t.Context(), "late", nil, nil, nil)
	if p := problem.Of(err); p == nil {
		t.Error("a node that has stopped answers")
	}
}

// TestStaleSocket: the socket of a node that was killed does not hold up the
// next one, and before that nobody answers on it.
func TestStaleSocket(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if _, err := control.Dial(t.Context(), home); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("with no socket at all: %v", err)
	}
	dead, err := control.Listen(home)
	if err != nil {
		t.Fatal(err)
	}
	dead.Close() // the file stays, as after a kill
	socket := filepath.Join(home, "control.sock")
	if _, err := os.Lstat(socket); err != nil {
		t.Fatalf("this test wants a stale socket: %v", err)
	}
	if _, err := control.Dial(t.Context(), home); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("with a stale socket: %v", err)
	}
	serve(t, home, echo)
	var got greeting
	if err := dial(t, home).Call(t.Context(), "echo", greeting{"x"}, &got, nil); err != nil || got.Words != "x" {
		t.Errorf("it answered %+v, %v", got, err)
	}
}

func TestSocketIsPrivate(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	serve(t, home, echo)
	info, err := os.Lstat(filepath.Join(home, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Type() != os.ModeSocket || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v", info.Mode())
	}
}

// TestLongHome: a folder whose path is longer than a socket's may be.
func TestLongHome(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	home := filepath.Join(t.TempDir(), strings.Repeat("long/", 60), strings.Repeat("x", 100))
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	serve(t, home, echo)
	info, err := os.Lstat(filepath.Join(home, "control.sock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v", info, err)
	}
	var got greeting
	if err := dial(t, home).Call(t.Context(), "echo", greeting{"x"}, &got, nil); err != nil || got.Words != "x" {
		t.Errorf("it answered %+v, %v", got, err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := control.Listen(filepath.Join(home, "nowhere")); err == nil {
		t.Error("it listens in a folder that is not there")
	}
}

func TestOversizedRequest(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	asked := make(chan int, 2)
	serve(t, home, func(_ context.Context, _ string, request json.RawMessage, _ func(control.Progress)) (json.RawMessage, error) {
		asked <- len(request)
		return json.RawMessage("{}"), nil
	})
	client := dial(t, home)
	frame := len(`{"words":""}`)
	largest := greeting{strings.Repeat("x", control.MaxRequest-frame)}
	if err := client.Call(t.Context(), "any", largest, &greeting{}, nil); err != nil || <-asked != control.MaxRequest {
		t.Errorf("a request of just the limit: %v", err)
	}
	wantProblem(t, client.Call(t.Context(), "any", greeting{largest.Words + "x"}, &greeting{}, nil), problem.Usage, "bad-request")
	if len(asked) != 0 {
		t.Error("a request over the limit reached the handler")
	}
}

// raw posts bytes that no client of ours would send.
func raw(t *testing.T, home, method, path, body string) (status int, answer string) {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(home, "control.sock"))
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://node"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

func TestWhatIsNoOperation(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	serve(t, home, func(_ context.Context, _ string, request json.RawMessage, _ func(control.Progress)) (json.RawMessage, error) {
		var q greeting
		if err := json.Unmarshal(request, &q); err != nil {
			return nil, problem.New(problem.Usage, "bad-request").Because(err)
		}
		return request, nil
	})
	for _, tt := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/v1/any", `{"words":"x"}`, http.StatusOK, `"result"`},
		{"POST", "/v1/any", `{"words":`, http.StatusOK, `"bad-request"`},
		{"POST", "/v1/any", ``, http.StatusOK, `"bad-request"`},
		{"POST", "/v1/any", "\x00\xff", http.StatusOK, `"bad-request"`},
		{"GET", "/v1/any", ``, http.StatusMethodNotAllowed, ""},
		{"POST", "/v1/", `{}`, http.StatusNotFound, ""},
		{"POST", "/v2/any", `{}`, http.StatusNotFound, ""},
		{"POST", "/", `{}`, http.StatusNotFound, ""},
	} {
		status, answer := raw(t, home, tt.method, tt.path, tt.body)
		if status != tt.status || !strings.Contains(answer, tt.want) {
			t.Errorf("%s %s %q: %d %q", tt.method, tt.path, tt.body, status, answer)
		}
	}
}

// Parts all come, in order, however fast.
func TestParts(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	const parts = 500
	serve(t, home, func(_ context.Context, _ string, _ json.RawMessage, progress func(control.Progress)) (json.RawMessage, error) {
		for i := range parts {
			progress(control.Progress{Part: []byte{byte(i), byte(i >> 8)}})
		}
		return json.RawMessage(`{}`), nil
	})
	var got []int
	err := dial(t, home).Call(t.Context(), "parts", struct{}{}, &struct{}{}, func(p control.Progress) {
		if len(p.Part) == 2 {
			got = append(got, int(p.Part[0])|int(p.Part[1])<<8)
		}
	})
	if err != nil || len(got) != parts || !slices.IsSorted(got) {
		t.Errorf("%d of %d parts came, in order %v: %v", len(got), parts, slices.IsSorted(got), err)
	}
}
