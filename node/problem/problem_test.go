// SPDX-License-Identifier: Apache-2.0

package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/traboule/traboule/node/problem"
)

func TestOf(t *testing.T) {
	t.Parallel()
	p := problem.New(problem.NotFound, "contact.none", "name", "bob")
	if problem.Of(nil) != nil {
		t.Error("no error is a problem")
	}
	if got := problem.Of(p); got != p {
		t.Errorf("a problem became %v", got)
	}
	if got := problem.Of(fmt.Errorf("list: %w", errors.Join(io.EOF, fmt.Errorf("find: %w", p)))); got != p {
		t.Errorf("a wrapped problem became %v", got)
	}
	got := problem.Of(fmt.Errorf("read: %w", io.EOF))
	if got.Kind != problem.Unexpected || got.Key != "unexpected" || got.Detail != "read: EOF" || !errors.Is(got, io.EOF) {
		t.Errorf("any error became %+v", got)
	}
	var none *problem.Problem
	if errors.As(io.EOF, &none) {
		t.Error("an end of file is a problem")
	}
}

// TestBecause: the cause is found, and the problem it was said of is not
// changed: two goroutines may say why of the same one.
func TestBecause(t *testing.T) {
	t.Parallel()
	p := problem.New(problem.Exists, "file.exists", "path", "/a")
	why := p.Because(fs.ErrExist)
	if p.Detail != "" || errors.Is(p, fs.ErrExist) {
		t.Errorf("the first problem changed: %+v", p)
	}
	if !errors.Is(why, fs.ErrExist) || why.Detail != fs.ErrExist.Error() || why.Key != p.Key || why.Kind != p.Kind {
		t.Errorf("it became %+v", why)
	}
	if bare := p.Because(nil); bare.Detail != "" || bare.Unwrap() != nil {
		t.Errorf("because of nothing it became %+v", bare)
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		p    *problem.Problem
		want string
	}{
		{problem.New(problem.Usage, "link.own"), "link.own"},
		{problem.New(problem.Usage, "x", "b", "2", "a", "1\n"), `x a="1\n" b="2"`},
		{problem.New(problem.Usage, "x", "a", "1").Because(io.EOF), `x a="1": EOF`},
		{problem.New(problem.Usage, "x", "a"), "x"}, // a name without its value
	} {
		if got := tt.p.Error(); got != tt.want {
			t.Errorf("%+v says %q, want %q", tt.p, got, tt.want)
		}
	}
}

// TestJSON: a problem reaches another process whole, but for its cause.
func TestJSON(t *testing.T) {
	t.Parallel()
	for _, p := range []*problem.Problem{
		problem.New(problem.Refused, "refused.expired", "contact", "Zoë", "time", "2026-03-01T00:00:00Z").Because(io.ErrUnexpectedEOF),
		problem.New(problem.Busy, "vault.busy"),
	} {
		data, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var back problem.Problem
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*p, back, cmpopts.IgnoreUnexported(problem.Problem{})); diff != "" {
			t.Errorf("%s (-sent +came):\n%s", data, diff)
		}
		if back.Unwrap() != nil || back.Error() != p.Error() {
			t.Errorf("it says %q there and %q here", back.Error(), p.Error())
		}
	}
}
