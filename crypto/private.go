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
