// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) contactCommand() *cobra.Command {
	c := a.command("contact", "contact", nil, a.parentOnly)
	c.Args = cobra.ArbitraryArgs
	c.AddCommand(a.contactAddCommand(), a.contactListCommand(), a.contactConfirmCommand(), a.contactRemoveCommand())
	return c
}

func (a *app) contactAddCommand() *cobra.Command {
	var q node.ContactAddRequest
	c := a.command("add LINK", "contact-add", with(problem.NeedsRun, problem.Unreachable, problem.Invalid, problem.Refused, problem.Exists, problem.WrongClock), func(cmd *cobra.Command, args []string) error {
		q.Link = args[0]
		return do(cmd.Context(), a, node.ContactAdd, q, func(r node.Contact) {
			a.say("contact.added", "name", r.Name, "fingerprint", r.Fingerprint)
			if !r.Confirmed {
				a.say("contact.to-confirm", "name", r.Name)
			}
		})
	})
	c.Flags().StringVar(&q.Name, "name", "", a.flag("contact-add", "name"))
	return c
}

func (a *app) contactListCommand() *cobra.Command {
	return a.command("list", "contact-list", with(), func(cmd *cobra.Command, _ []string) error {
		return do(cmd.Context(), a, node.ContactList, node.None{}, a.showContacts)
	})
}

func (a *app) showContacts(r node.ContactListResult) {
	if len(r.Contacts) == 0 {
		a.say("contact.empty")
		return
	}
	t := table{}
	t.row(a.text("column.name"), a.text("column.kind"), a.text("column.fingerprint"), a.text("column.confirmed"))
	for _, c := range r.Contacts {
		confirmed := a.text("word.no")
		if c.Confirmed {
			confirmed = a.text("word.yes")
		}
		t.row(clean(c.Name), a.word("kind", c.Kind), clean(c.Fingerprint), confirmed)
	}
	t.print(a.out)
}

func (a *app) contactConfirmCommand() *cobra.Command {
	return a.command("confirm NAME", "contact-confirm", with(problem.NotFound), func(cmd *cobra.Command, args []string) error {
		return do(cmd.Context(), a, node.ContactConfirm, node.NameRequest{Name: args[0]}, func(r node.Contact) {
			a.say("contact.confirmed", "name", r.Name, "fingerprint", r.Fingerprint)
		})
	})
}

func (a *app) contactRemoveCommand() *cobra.Command {
	var yes bool
	c := a.command("remove NAME", "contact-remove", with(problem.NotFound, problem.Unconfirmed), func(cmd *cobra.Command, args []string) error {
		if err := a.sure(yes, "ask.contact-remove", args[0]); err != nil {
			return err
		}
		return do(cmd.Context(), a, node.ContactRemove, node.NameRequest{Name: args[0]}, func(r node.ContactRemoveResult) {
			a.say("contact.removed", "name", r.Name)
			if r.Revoked > 0 {
				a.say("remove.revoked", "n", strconv.Itoa(r.Revoked))
			}
			a.notices(r.Notices)
		})
	})
	c.Flags().BoolVarP(&yes, "yes", "y", false, a.flag("contact-remove", "yes"))
	return c
}
