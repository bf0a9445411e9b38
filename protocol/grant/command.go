// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"fmt"

	"github.com/traboule/traboule/protocol/ucan"
)

// The commands of this version. What each asks for is in [Commands].
const (
	CommandList      ucan.Command = "/dataset/list"
	CommandRead      ucan.Command = "/dataset/read"
	CommandSubscribe ucan.Command = "/dataset/subscribe"
	CommandChain     ucan.Command = "/grant/chain"

	// CommandAll covers every command. Only the two upper links of a chain
	// carry it.
	CommandAll ucan.Command = "/"
)

// ArgumentKind is the type of an argument.
type ArgumentKind uint8

// The kinds of argument, and in brackets how a policy may speak of them.
const (
	Text    ArgumentKind = 1 + iota // a text (==, like)
	Texts                           // a list of texts (all)
	Integer                         // an integer (==, <, <=, >, >=)
	Bytes                           // a byte string (no policy)
	Link                            // a CID (no policy)
)

// String is the kind's name in protocol/spec/tokens.md.
func (k ArgumentKind) String() string {
	names := [...]string{Text: "text", Texts: "texts", Integer: "integer", Bytes: "bytes", Link: "link"}
	if int(k) >= len(names) || k == 0 {
		return fmt.Sprintf("ArgumentKind(%d)", uint8(k))
	}
	return names[k]
}

// Argument is one argument of a command. Every argument is always present, and
// one that is not in the table is refused.
type Argument struct {
	Name string
	Kind ArgumentKind
}

// Schema is what one command means to the profile.
type Schema struct {
	Command   ucan.Command
	Arguments []Argument
	Grantable bool // may be delegated to third parties
}

var viewArguments = []Argument{
	{"columns", Texts}, {"rows", Texts}, {"paths", Texts},
	{"from", Integer}, {"to", Integer}, {"period", Integer}, {"grid", Integer},
	{"purpose", Text}, {"seq", Integer}, {"hpke", Bytes},
}

// Commands is the table of all commands that this version answers. The names
// /dataset/compute, /dataset/deposit, /dataset/replicate, /grant/request and
// /grant/erase are kept for later ones and refused until then.
var Commands = []Schema{
	{Command: CommandList, Arguments: []Argument{{"purpose", Text}}, Grantable: true},
	{Command: CommandRead, Arguments: viewArguments, Grantable: true},
	{Command: CommandSubscribe, Arguments: viewArguments, Grantable: true},
	{Command: CommandChain, Arguments: []Argument{{"grant", Link}}},
}

// SchemaOf finds a command in [Commands].
func SchemaOf(c ucan.Command) (Schema, bool) {
	for _, s := range Commands {
		if s.Command == c {
			return s, true
		}
	}
	return Schema{}, false
}

// argument finds an argument's kind, or 0.
func (s Schema) argument(name string) ArgumentKind {
	for _, a := range s.Arguments {
		if a.Name == name {
			return a.Kind
		}
	}
	return 0
}

// policyKind is the kind of the argument that a policy under command c calls by
// name, or 0 if c has no such argument. Under "/" a policy may speak of any.
func policyKind(c ucan.Command, name string) ArgumentKind {
	for _, s := range Commands {
		if s.Command == c || c == CommandAll && s.Grantable {
			if kind := s.argument(name); kind != 0 {
				return kind
			}
		}
	}
	return 0
}

// checkArguments refuses a missing, an unknown, and a mistyped argument.
func (s Schema) checkArguments(args ucan.Map) error {
	for _, e := range args {
		kind := s.argument(e.Key)
		if kind == 0 {
			return outside(Arguments, RuleArgument, "unknown argument %q of %s", e.Key, s.Command)
		}
		if !kind.holds(e.Value) {
			return outside(Arguments, RuleArgument, "argument %q of %s is no %s", e.Key, s.Command, kind)
		}
	}
	for _, a := range s.Arguments {
		if _, ok := args.Get(a.Name); !ok {
			return outside(Arguments, RuleArgument, "argument %q of %s is missing", a.Name, s.Command)
		}
	}
	return nil
}

func (k ArgumentKind) holds(v ucan.Value) bool {
	want := map[ArgumentKind]ucan.ValueKind{
		Text: ucan.KindString, Integer: ucan.KindInt, Bytes: ucan.KindBytes, Link: ucan.KindLink, Texts: ucan.KindList,
	}
	if v.Kind() != want[k] {
		return false
	}
	if k != Texts {
		return true
	}
	for item := range v.Items() {
		if item.Kind() != ucan.KindString {
			return false
		}
	}
	return true
}
