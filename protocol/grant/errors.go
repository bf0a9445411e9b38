// SPDX-License-Identifier: Apache-2.0

package grant

import "fmt"

// Rule names the part of the profile that something lies outside of. The names
// are those of protocol/spec/tokens.md and of its vectors.
type Rule string

// The rules of the profile.
const (
	RuleLinks     Rule = "links"     // number, order and repetition of delegations
	RuleRole      Rule = "role"      // who may issue what at which place
	RuleSubject   Rule = "subject"   // one subject, which is the root's issuer
	RuleCommand   Rule = "command"   // which commands may be delegated
	RuleExpiry    Rule = "expiry"    // which delegations must end, and when
	RuleSelector  Rule = "selector"  // what a policy may speak of
	RuleOperator  Rule = "operator"  // how it may compare
	RuleOperand   Rule = "operand"   // with what
	RuleSize      Rule = "size"      // statements, levels, lengths
	RuleMeaning   Rule = "meaning"   // a policy that says no grant
	RuleArgument  Rule = "argument"  // the closed argument schemas
	RulePath      Rule = "path"      // the spelling of paths
	RuleHPKE      Rule = "hpke"      // the invoker's receive key
	RuleIntervals Rule = "intervals" // time spans and ranks
)

// Places of a [ProfileError] that are no link of a chain.
const (
	Arguments = -1 // the arguments of an invocation
	Claims    = -2 // a grant before it is signed
)

// ProfileError says what lies outside the profile: valid UCAN perhaps, but not
// a grant that this program makes or honours.
type ProfileError struct {
	Link int // index in the chain, root first, or Arguments, or Claims
	Rule Rule
	Why  string
}

// Error says where and why.
func (e *ProfileError) Error() string {
	where := "compile the grant"
	switch {
	case e.Link == Arguments:
		where = "check the arguments"
	case e.Link >= 0:
		where = fmt.Sprintf("check link %d (%s)", e.Link, roleName(e.Link))
	}
	return fmt.Sprintf("%s: outside the profile (%s): %s", where, e.Rule, e.Why)
}

func outside(link int, rule Rule, format string, args ...any) error {
	return &ProfileError{Link: link, Rule: rule, Why: fmt.Sprintf(format, args...)}
}
