// SPDX-License-Identifier: Apache-2.0

package ucan

import "strings"

// splitPattern cuts a pattern at its wildcards into the literal chunks between
// them: one more than there are wildcards. `\*` is a star and `\\` a backslash;
// any other backslash is itself.
func splitPattern(pattern string) []string {
	chunks := make([]string, 0, 2)
	var chunk strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '*':
			chunks = append(chunks, chunk.String())
			chunk.Reset()
			continue
		case pattern[i] == '\\' && i+1 < len(pattern) && (pattern[i+1] == '*' || pattern[i+1] == '\\'):
			i++
		}
		chunk.WriteByte(pattern[i])
	}
	return append(chunks, chunk.String())
}

// matchChunks says whether s is the chunks in their order with anything
// between them, and how many bytes it looked at: in proportion to s and the
// chunks together, whatever they are. The first and last chunk stand at the
// ends; each other is taken where it first occurs, which leaves the most to
// those after it.
func matchChunks(chunks []string, s string) (matches bool, steps int) {
	first, last := chunks[0], chunks[len(chunks)-1]
	if len(chunks) == 1 {
		return s == first, len(first)
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false, len(first) + len(last)
	}
	steps = len(first) + len(last)
	s = s[len(first) : len(s)-len(last)]
	for _, chunk := range chunks[1 : len(chunks)-1] {
		end, n := findChunk(s, chunk)
		steps += n + 1
		if end < 0 {
			return false, steps
		}
		s = s[end:]
	}
	return true, steps
}

// findChunk is where the first occurrence of chunk in s ends, or -1, found by
// Knuth, Morris and Pratt's method: s is never looked at again behind a place.
func findChunk(s, chunk string) (end, steps int) {
	if len(chunk) == 0 {
		return 0, 0
	}
	if len(chunk) > len(s) {
		return -1, 0
	}
	border := borders(chunk)
	matched := 0
	for i := range len(s) {
		for matched > 0 && s[i] != chunk[matched] {
			matched = border[matched-1]
			steps++
		}
		steps++
		if s[i] == chunk[matched] {
			matched++
		}
		if matched == len(chunk) {
			return i + 1, steps + 2*len(chunk)
		}
	}
	return -1, steps + 2*len(chunk)
}

// borders gives, for each prefix of chunk, the length of its longest proper
// prefix that is also its suffix.
func borders(chunk string) []int {
	border := make([]int, len(chunk))
	for i, k := 1, 0; i < len(chunk); i++ {
		for k > 0 && chunk[i] != chunk[k] {
			k = border[k-1]
		}
		if chunk[i] == chunk[k] {
			k++
		}
		border[i] = k
	}
	return border
}
