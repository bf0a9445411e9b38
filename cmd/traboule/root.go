// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/traboule/traboule/node/problem"
)

// groups order the help as a person would go about it.
var groups = []string{"begin", "data", "people", "passages", "care", "other"}

func (a *app) root() *cobra.Command {
	root := a.command("traboule", "traboule", nil, func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return a.unknownCommand(cmd, args[0])
		}
		return cmd.Help()
	})
	cobra.EnableCommandSorting = false // the help follows the story, not the alphabet
	root.Args = cobra.ArbitraryArgs
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(a.flagError)
	root.SetUsageTemplate(a.usageTemplate())
	root.SetHelpTemplate("{{.Long}}\n\n" + a.usageTemplate())
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return a.checkFlags() }
	a.persistentFlags(root.PersistentFlags())
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g, Title: a.text("group." + g)})
	}
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("begin", a.initCommand(), a.runCommand(), a.statusCommand())
	add("data", a.addCommand(), a.importCommand(), a.watchCommand(), a.queryCommand(), a.plotCommand(), a.undoCommand(), a.correctCommand(), a.kindsCommand(), a.listCommand(), a.showCommand(), a.openCommand(), a.exportCommand(), a.removeCommand())
	add("people", a.cardCommand(), a.contactCommand())
	add("passages", a.grantCommand(), a.grantsCommand(), a.fetchCommand(), a.revokeCommand(), a.logCommand())
	add("care", a.checkCommand(), a.repairCommand(), a.compactCommand(), a.passphraseCommand(), a.kitCommand(), a.recoverCommand(), a.carCommand(), a.refillCommand())
	add("other", a.completionCommand(), a.versionCommand(), a.exitCodesCommand())
	help := a.helpCommand()
	help.GroupID = "other"
	root.SetHelpCommand(help)
	root.InitDefaultHelpCmd()
	root.SetHelpCommandGroupID("other")
	a.describeHelpFlags(root)
	return root
}

func (a *app) persistentFlags(f *pflag.FlagSet) {
	f.StringVar(&a.home, "home", "", a.text("flag.home"))
	f.StringVar(&a.langFlag, "lang", "", a.text("flag.lang"))
	f.BoolVar(&a.json, "json", a.json, a.text("flag.json"))
	f.StringVar(&a.passphraseFile, "passphrase-file", "", a.text("flag.passphrase-file"))
	f.IntVar(&a.passphraseFD, "passphrase-fd", -1, a.text("flag.passphrase-fd"))
	f.Lookup("json").DefValue, f.Lookup("passphrase-fd").DefValue = "false", "0"
}

// checkFlags refuses what cobra's parser lets pass.
func (a *app) checkFlags() error {
	if a.badLang != "" {
		return problem.New(problem.Usage, "usage.lang", "lang", a.badLang)
	}
	if a.passphraseFile != "" && a.passphraseFD >= 0 {
		return problem.New(problem.Usage, "usage.two-passphrases")
	}
	return nil
}

// describeHelpFlags puts "-h, --help" into the language, on every command.
func (a *app) describeHelpFlags(cmd *cobra.Command) {
	cmd.InitDefaultHelpFlag()
	cmd.Flags().Lookup("help").Usage = a.text("flag.help")
	for _, c := range cmd.Commands() {
		a.describeHelpFlags(c)
	}
}

// usageTemplate is cobra's, in the language, with exit codes.
func (a *app) usageTemplate() string {
	cobra.AddTemplateFunc("exits", a.exitLines)
	cobra.AddTemplateFunc("flags", flagLines)
	t := `{usage}:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} {command}{{else}}{{.UseLine}} {options}{{end}}{{if .HasExample}}

{examples}:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}{{$all := .Commands}}{{if .Groups}}{{range $g := .Groups}}

{{.Title}}:{{range $all}}{{if (and (eq .GroupID $g.ID) (or .IsAvailableCommand (eq .Name "help")))}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{else}}

{commands}:{{range $all}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

{flags}:
{{flags .LocalFlags}}{{end}}{{if .HasAvailableInheritedFlags}}

{global}:
{{flags .InheritedFlags}}{{end}}{{with exits .}}

{exits}:
{{.}}{{end}}
`
	colon := a.text("usage.colon")
	return strings.NewReplacer(
		"{usage}:", a.text("usage.title")+colon, "{command}", a.text("argument.command"), "{options}", "["+a.text("usage.options")+"]",
		"{examples}:", a.text("usage.examples")+colon, "{commands}:", a.text("usage.commands")+colon,
		"{{.Title}}:", "{{.Title}}"+colon,
		"{flags}:", a.text("usage.flags")+colon, "{global}:", a.text("usage.global")+colon,
		"{exits}:", a.text("usage.exits")+colon,
	).Replace(t)
}

// flagLines describes flags, one a line. (pflag's own list writes
// "[=true|false]" after every switch.)
func flagLines(f *pflag.FlagSet) string {
	t := table{}
	f.VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden {
			return
		}
		value, text := pflag.UnquoteUsage(flag)
		name := "    --" + flag.Name
		if flag.Shorthand != "" {
			name = "-" + flag.Shorthand + ", --" + flag.Name
		}
		if flag.Value.Type() != "bool" {
			name += " " + value
		}
		t.row("  "+name, text)
	})
	var b strings.Builder
	t.print(&b)
	return strings.TrimRight(b.String(), "\n")
}

// flagError puts the parser's errors into the language.
func (a *app) flagError(cmd *cobra.Command, err error) error {
	help := cmd.CommandPath() + " --help"
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	var syntax *pflag.InvalidSyntaxError
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case errors.As(err, &unknown):
		return problem.New(problem.Usage, "usage.unknown-flag", "flag", dashes(unknown.GetSpecifiedName()), "help", help)
	case errors.As(err, &missing):
		return problem.New(problem.Usage, "usage.flag-without-value", "flag", "--"+missing.GetFlag().Name, "help", help)
	case errors.As(err, &invalid):
		return problem.New(problem.Usage, "usage.flag-value", "flag", "--"+invalid.GetFlag().Name, "value", invalid.GetValue(), "help", help)
	case errors.As(err, &syntax):
		return problem.New(problem.Usage, "usage.unknown-flag", "flag", syntax.GetSpecifiedFlag(), "help", help)
	}
	return problem.New(problem.Usage, "usage.bad-flags", "help", help).Because(err)
}

func dashes(flag string) string {
	if len(flag) == 1 {
		return "-" + flag
	}
	return "--" + flag
}

func (a *app) unknownCommand(cmd *cobra.Command, name string) error {
	cmd.SuggestionsMinimumDistance = max(1, min(2, len(name)/2))
	help := cmd.CommandPath() + " --help"
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return problem.New(problem.Usage, "usage.unknown-command-near", "command", name, "near", cmd.CommandPath()+" "+near[0], "help", help)
	}
	return problem.New(problem.Usage, "usage.unknown-command", "command", name, "help", help)
}

// exactly wants as many arguments as the usage line names: "open NAME" wants
// one, "kit [FILE]" one or none, "import FILE…" one or more.
func (a *app) exactly(use string) cobra.PositionalArgs {
	want, optional, more := 0, 0, false
	for _, word := range strings.Fields(use)[1:] {
		word, several := strings.CutSuffix(strings.TrimSuffix(word, "]"), "…")
		more = more || several
		switch {
		case word != strings.ToUpper(word):
		case word[0] == '[':
			optional++
		default:
			want++
		}
	}
	return func(cmd *cobra.Command, args []string) error {
		if want <= len(args) && (len(args) <= want+optional || more) {
			return nil
		}
		key := "usage.arguments"
		if optional > 0 && len(args) > want {
			key, want = "usage.arguments-at-most", want+optional
		}
		return problem.New(problem.Usage, key, "command", cmd.CommandPath(),
			"want", strconv.Itoa(want), "got", strconv.Itoa(len(args)), "usage", cmd.UseLine())
	}
}

// parentOnly is the body of a command that only has subcommands.
func (a *app) parentOnly(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return a.unknownCommand(cmd, args[0])
	}
	return cmd.Help()
}

func (a *app) helpCommand() *cobra.Command {
	c := a.command("help [COMMAND]", "help", nil, nil)
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(cmd *cobra.Command, args []string) error {
		found, rest, err := cmd.Root().Find(args)
		if err != nil || len(rest) > 0 {
			return a.unknownCommand(cmd.Root(), strings.Join(args, " "))
		}
		if found.Annotations["name"] == "exit-codes" {
			return found.RunE(found, nil)
		}
		return found.Help()
	}
	return c
}
