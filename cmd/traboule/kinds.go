// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) kindsCommand() *cobra.Command {
	return a.command("kinds [KIND]", "kinds", with(problem.NotFound), func(_ *cobra.Command, args []string) error {
		kinds := node.Kinds()
		if len(args) == 0 {
			return a.show(map[string]any{"kinds": kinds}, func() { a.listKinds(kinds) })
		}
		i := slices.IndexFunc(kinds, func(k node.KindInfo) bool { return k.Kind == args[0] })
		if i < 0 {
			return problem.New(problem.NotFound, "records.no-kind", "kind", args[0])
		}
		return a.show(kinds[i], func() { a.showKindInfo(kinds[i]) })
	})
}

func (a *app) listKinds(kinds []node.KindInfo) {
	t := table{}
	for _, k := range kinds {
		t.row(k.Kind, clean(k.Holder), a.title(k.Title))
	}
	t.print(a.out)
}

func (a *app) showKindInfo(k node.KindInfo) {
	fmt.Fprintln(a.out, a.title(k.Title))
	fmt.Fprintln(a.out, wrap(a.title(k.About)))
	fmt.Fprintln(a.out)
	a.showFields(k.Columns)
}
