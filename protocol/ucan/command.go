// SPDX-License-Identifier: Apache-2.0

package ucan

import (
	"errors"
	"fmt"
	"strings"
)

// Command names what is delegated or asked for, as a path of segments:
// "/dataset/read". "/" covers everything.
type Command string

const maxCommand = 256 // bytes

// ParseCommand accepts "/" and paths of one or more segments, each of
// a-z 0-9 - _ and inner dots: no capitals, no percent signs, no empty segment,
// no "." or "..", no slash at the end, nothing beyond ASCII (where two texts
// may look alike).
func ParseCommand(s string) (Command, error) {
	if s == "/" {
		return "/", nil
	}
	if len(s) > maxCommand {
		return "", fmt.Errorf("parse command: %d bytes, at most %d", len(s), maxCommand)
	}
	if !strings.HasPrefix(s, "/") {
		return "", fmt.Errorf("parse command %q: it does not begin with a slash", s)
	}
	for segment := range strings.SplitSeq(s[1:], "/") {
		if err := checkSegment(segment); err != nil {
			return "", fmt.Errorf("parse command %q: %w", s, err)
		}
	}
	return Command(s), nil
}

func checkSegment(segment string) error {
	switch segment {
	case "":
		return errors.New("an empty segment")
	case ".", "..":
		return errors.New("a segment of dots")
	}
	for _, r := range segment {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_.", r) {
			return fmt.Errorf("character %q in a segment", r)
		}
	}
	return nil
}

// Covers says whether child is c or lies under it, segment by segment: "/a"
// covers "/a/b" and not "/ab".
func (c Command) Covers(child Command) bool {
	if c == "/" || c == child {
		return c != "" && child != ""
	}
	return c != "" && strings.HasPrefix(string(child), string(c)+"/")
}
