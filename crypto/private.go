// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"fmt"
	"log/slog"
)

const redacted = "[secret]"

// private is embedded in every type that holds a key: by whatever way such a
// value is printed, logged or marshalled, what comes out is "[secret]".
type private struct{}

// hidden holds a key in a struct that may be copied by value into an
// unexported field of somebody's struct, where fmt calls no methods and, for
// %s, even follows a pointer. It does not look into functions.
type hidden[T any] func() T

func hide[T any](v T) hidden[T] { return func() T { return v } }

// Format prints "[secret]" under every verb.
func (private) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// String returns "[secret]".
func (private) String() string { return redacted }

// GoString returns "[secret]".
func (private) GoString() string { return redacted }

// MarshalJSON returns "[secret]" as a JSON string.
func (private) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue is "[secret]" in a log.
func (private) LogValue() slog.Value { return slog.StringValue(redacted) }
