// SPDX-License-Identifier: Apache-2.0

package ucan

// What the tests forge tokens with, and what they count.
const (
	TagDelegation = tagDelegation
	TagInvocation = tagInvocation
	Varsig        = varsig
	MaxSteps      = maxSteps
)

// Seal signs any claims under any tag.
var Seal = seal

// Steps is how many steps p's evaluation takes, and its verdict.
func Steps(p Policy, args Value) (int, error) {
	m := matcher{left: maxSteps}
	err := m.match(p, args)
	return maxSteps - m.left, err
}

// LikeSteps is Steps of one pattern on one text.
func LikeSteps(pattern, s string) (bool, int) { return matchChunks(splitPattern(pattern), s) }

// Resolve follows a selector.
func Resolve(s Selector, v Value) (Value, bool) {
	m := matcher{left: maxSteps}
	return m.resolve(s, v)
}
