// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/messages"
	"github.com/traboule/traboule/node/problem"
)

// app is one run of the command line: what surrounds it and what the flags
// that every command has say.
type app struct {
	world
	lang    messages.Lang
	badLang string // a language that was asked for and is not spoken
	json    bool
	told    bool // a script has its document: what follows is only an exit code

	home           string
	langFlag       string
	passphraseFile string
	passphraseFD   int

	interrupted <-chan struct{}

	words  string // the recovery words, where they are to open the vault
	secret []byte // the passphrase, once read: standard input gives it only once
}

// newApp looks for --lang and --json before cobra parses anything, since
// help and the errors of parsing must already speak the right language.
func newApp(args []string, w world) *app {
	a := &app{world: w, passphraseFD: -1}
	wanted := ""
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if value, ok := strings.CutPrefix(arg, "--lang="); ok {
			wanted = value
		}
		if arg == "--lang" && i+1 < len(args) {
			wanted = args[i+1]
		}
		a.json = a.json || arg == "--json" || arg == "--json=true"
	}
	lang, err := messages.Choose(wanted, w.getenv)
	a.lang = lang
	if err != nil {
		a.badLang = wanted
		if wanted == "" {
			a.badLang = w.getenv("TRABOULE_LANG")
		}
	}
	return a
}

// text is a sentence of the catalogue, its values made harmless to a
// terminal. Args are pairs of name and value.
func (a *app) text(key string, args ...string) string {
	values := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		values[args[i]] = args[i+1]
	}
	return a.textOf(key, values)
}

func (a *app) textOf(key string, args map[string]string) string {
	harmless := make(map[string]string, len(args))
	for name, value := range args {
		harmless[name] = clean(value)
	}
	return a.lang.Text(key, harmless)
}

// say prints a sentence on standard output, as part of the answer.
func (a *app) say(key string, args ...string) {
	fmt.Fprintln(a.out, a.text(key, args...))
}

// tell prints a sentence on standard error: beside the answer, and nothing
// at all for a script that reads JSON.
func (a *app) tell(key string, args ...string) {
	if !a.json {
		fmt.Fprintln(a.err, a.text(key, args...))
	}
}

func (a *app) notices(notices []node.Notice) {
	for _, n := range notices {
		args := maps.Clone(n.Args)
		if by, ok := args["period"]; ok {
			args["period"] = a.word("period", by)
		}
		fmt.Fprintln(a.out, a.textOf(n.Key, args))
	}
}

// show prints a result: as one JSON document, or as people read it. What
// follows is a talk with the person, which a script does not have.
func (a *app) show(result any, human func(), follow ...func() error) error {
	if a.json {
		return a.showJSON(result)
	}
	human()
	for _, f := range follow {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) showJSON(document any) error {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(document); err != nil {
		return err
	}
	_, err := a.out.Write(escape(out.Bytes()))
	return err
}

// escape writes as \uXXXX what could speak to a terminal, but for ends of
// lines. In a JSON document such characters stand in texts only, where the
// escape means the same.
func escape(document []byte) []byte {
	escaped := make([]byte, 0, len(document))
	for _, r := range string(document) {
		switch {
		case r == '\n' || r == '\t' || harmless(r):
			escaped = utf8.AppendRune(escaped, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
	}
	return escaped
}

// do carries an operation out, with progress on a terminal, and prints its
// result.
func do[Q, R any](ctx context.Context, a *app, op node.Operation[Q, R], request Q, human func(R)) error {
	result, err := ask(ctx, a, op, request)
	if err != nil {
		return err
	}
	return a.show(result, func() { human(result) })
}

// ask carries an operation out, with progress on a terminal.
func ask[Q, R any](ctx context.Context, a *app, op node.Operation[Q, R], request Q) (result R, err error) {
	c, err := a.open(ctx)
	if err != nil {
		return result, err
	}
	p := a.newProgress()
	result, err = op.Do(ctx, c, request, p.report)
	p.clear()
	if closing := c.close(); err == nil {
		err = closing
	}
	return result, err
}

// homeDir is where the vault lies: --home, else TRABOULE_HOME, else the data
// folder of the XDG base directories.
func (a *app) homeDir() (string, error) {
	home := a.home
	if home == "" {
		home = a.getenv("TRABOULE_HOME")
	}
	if home == "" {
		data := a.getenv("XDG_DATA_HOME")
		if !filepath.IsAbs(data) { // the specification says: ignore it then
			user, err := os.UserHomeDir()
			if err != nil {
				return "", problem.New(problem.Usage, "home.unknown").Because(err)
			}
			data = filepath.Join(user, ".local", "share")
		}
		home = filepath.Join(data, "traboule")
	}
	return absolute(home)
}

// absolute turns a path as the person wrote it into one that a node in
// another folder understands.
func absolute(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", problem.New(problem.Unexpected, "path.unknown", "path", path).Because(err)
	}
	return abs, nil
}

// argument is what an argument is called in a usage line.
var argument = regexp.MustCompile(`[A-Z]+`)

// usage puts the arguments of a usage line into the language: "open NAME" is
// "open NOM" in French.
func (a *app) usage(use string) string {
	return argument.ReplaceAllStringFunc(use, func(word string) string { return a.text("argument." + strings.ToLower(word)) })
}

// command is what all commands share: the name leads to its texts, help.NAME
// and example.NAME, and exits are the kinds of problem that it may well meet.
func (a *app) command(use, name string, exits []problem.Kind, run func(cmd *cobra.Command, args []string) error) *cobra.Command {
	short, long, _ := strings.Cut(a.text("help."+name), "\n")
	return &cobra.Command{
		Use:         a.usage(use),
		Short:       short,
		Long:        wrap(strings.TrimSpace(short + "\n" + long)),
		Example:     a.text("example." + name),
		RunE:        run,
		Args:        a.exactly(use),
		Annotations: map[string]string{"name": name, "exits": exitList(exits)},

		DisableFlagsInUseLine: true,
	}
}

// flag is the description of a command's own flag.
func (a *app) flag(command, flag string) string { return a.text("flag." + command + "." + flag) }
