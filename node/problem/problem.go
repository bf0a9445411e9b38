// SPDX-License-Identifier: Apache-2.0

// Package problem says what went wrong in a form that a person can be told in
// their own language and a script can act on: a kind, the key of a sentence in
// the catalogue, and the values that the sentence names.
//
// It knows no language (node/messages does) and no cause but the one it
// wraps. The way in is [New].
package problem

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind is what a script needs to know: each has one documented exit status.
type Kind string

// The kinds. They are only ever added to.
const (
	Unexpected   Kind = "unexpected"
	Usage        Kind = "usage"        // the request itself is wrong
	NoVault      Kind = "no-vault"     // there is no vault here
	WrongSecret  Kind = "wrong-secret" // passphrase, key file or words do not open it
	Busy         Kind = "busy"         // another process has the vault
	NeedsRun     Kind = "needs-run"    // only a running node can do this
	NotFound     Kind = "not-found"    // no such data set, contact, grant or file
	Exists       Kind = "exists"       // the name is taken, the file is there
	Refused      Kind = "refused"      // the other side refuses
	Unreachable  Kind = "unreachable"  // nobody answers, or somebody else
	Damaged      Kind = "damaged"      // a file is not what was written
	DiskFull     Kind = "disk-full"    //
	WrongClock   Kind = "wrong-clock"  // ours or theirs
	Changed      Kind = "changed"      // what was read changed meanwhile
	Invalid      Kind = "invalid"      // a card, link, grant, file or name that is altered, expired, unsuitable or for somebody else
	Unconfirmed  Kind = "unconfirmed"  // waits for the owner's word
	Interrupted  Kind = "interrupted"  // stopped half-way; can be resumed
	Misbehaviour Kind = "misbehaviour" // the other side breaks the protocol
)

// Problem is an error that a person can be told.
type Problem struct {
	Kind Kind `json:"kind"`
	// Key names the sentence in the catalogue.
	Key string `json:"key"`
	// Args are the values that the sentence names.
	Args map[string]string `json:"args,omitempty"`
	// Detail is the cause in English, for a log or a report; may be empty.
	Detail string `json:"detail,omitempty"`

	cause error
}

// New makes a problem; args are pairs of name and value, as the sentence
// under key names them.
func New(kind Kind, key string, args ...string) *Problem {
	p := &Problem{Kind: kind, Key: key}
	for i := 0; i+1 < len(args); i += 2 {
		if p.Args == nil {
			p.Args = map[string]string{}
		}
		p.Args[args[i]] = args[i+1]
	}
	return p
}

// Because returns p with its cause, which [errors.Is] then finds.
func (p *Problem) Because(cause error) *Problem {
	q := *p
	q.cause = cause
	if cause != nil {
		q.Detail = cause.Error()
	}
	return &q
}

// Error is the key, the values and the cause: for logs. What a person reads
// comes from the catalogue.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Key)
	for _, name := range p.names() {
		fmt.Fprintf(&b, " %s=%q", name, p.Args[name])
	}
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	return b.String()
}

// Unwrap is the cause, where the problem arose in this process.
func (p *Problem) Unwrap() error { return p.cause }

func (p *Problem) names() []string {
	names := make([]string, 0, len(p.Args))
	for name := range p.Args {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Of finds the problem in err, or wraps err as an unexpected one; nil stays nil.
func Of(err error) *Problem {
	if err == nil {
		return nil
	}
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return New(Unexpected, "unexpected").Because(err)
}
