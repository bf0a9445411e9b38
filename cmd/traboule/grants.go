// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/messages"
)

func (a *app) grantsCommand() *cobra.Command {
	var confirm bool
	c := a.command("grants", "grants", with(), func(cmd *cobra.Command, _ []string) error {
		if confirm {
			return do(cmd.Context(), a, node.GrantsConfirm, node.None{}, func(r node.GrantsConfirmResult) {
				a.say("grants.confirmed", "n", strconv.Itoa(r.Confirmed))
			})
		}
		return do(cmd.Context(), a, node.Grants, node.None{}, a.showGrants)
	})
	c.Flags().BoolVar(&confirm, "confirm", false, a.flag("grants", "confirm"))
	return c
}

func (a *app) showGrants(r node.GrantsResult) {
	a.suspended(r.SuspendedBy)
	a.showGrantTable("grants.given", r.Given)
	fmt.Fprintln(a.out)
	a.showGrantTable("grants.received", r.Received)
}

func (a *app) showGrantTable(title string, grants []node.GrantLine) {
	a.say(title, "n", strconv.Itoa(len(grants)))
	if len(grants) == 0 {
		return
	}
	t := table{}
	t.row(a.text("column.grant"), a.text("column.contact"), a.text("column.data"), a.text("column.state"), a.text("column.until"), a.text("column.delivered"))
	for _, g := range grants {
		t.row(clean(g.ID), clean(g.Contact), a.data(g), a.word("state", g.State), a.lang.Date(g.Until.Local()), a.delivered(g))
	}
	t.print(a.out)
}

// suspended says why grants are suspended, if they are, and the way out.
func (a *app) suspended(why string) {
	switch {
	case why == "":
	case messages.Has("suspended." + why):
		a.say("suspended." + why)
	default:
		a.say("status.suspended")
	}
}

// data is the data set, and which part of it.
func (a *app) data(g node.GrantLine) string {
	data := clean(g.Name)
	if g.View != nil {
		data += " (" + a.viewText(*g.View) + ")"
	}
	for _, p := range g.Paths {
		data += " " + clean(p)
	}
	return data
}

func (a *app) delivered(g node.GrantLine) string {
	if g.Deliveries == 0 {
		return a.text("grants.nothing")
	}
	if g.View != nil {
		return a.text("grants.delivered-rows", "n", strconv.Itoa(g.Deliveries), "rows", u(g.Rows), "time", g.LastTime.Format(time.RFC3339))
	}
	return a.text("grants.delivered", "n", strconv.Itoa(g.Deliveries), "files", u(g.Files), "bytes", u(g.Bytes), "time", g.LastTime.Format(time.RFC3339))
}

// word is one of a closed list of words that the node uses; one of a newer
// node stays as it is.
func (a *app) word(family, word string) string {
	if key := family + "." + strings.ReplaceAll(word, " ", "-"); messages.Has(key) {
		return a.text(key)
	}
	return clean(word)
}
