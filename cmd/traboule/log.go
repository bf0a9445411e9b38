// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"time"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/messages"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) logCommand() *cobra.Command {
	var q node.LogRequest
	var since string
	c := a.command("log", "log", with(problem.NotFound), func(cmd *cobra.Command, _ []string) error {
		if since != "" {
			at, err := time.ParseInLocation(time.DateOnly, since, time.Local)
			if err != nil {
				return problem.New(problem.Usage, "usage.since", "value", since).Because(err)
			}
			q.Since = at
		}
		return do(cmd.Context(), a, node.Log, q, a.showLog)
	})
	c.Flags().StringVar(&since, "since", "", a.flag("log", "since"))
	c.Flags().StringVar(&q.Name, "name", "", a.flag("log", "name"))
	return c
}

func (a *app) showLog(r node.LogResult) {
	if len(r.Lines) == 0 {
		a.say("log.empty")
		return
	}
	t := table{}
	for _, l := range r.Lines {
		t.row(l.Time.Local().Format("2006-01-02 15:04:05"), a.event(l))
	}
	t.print(a.out)
}

// event is the sentence of a log line: event.NAME of the catalogue, which may
// name the line's contact, data set, grant and further values.
func (a *app) event(l node.LogLine) string {
	if l.Erased {
		return a.text("event.erased")
	}
	args := map[string]string{"contact": l.Contact, "name": l.Name, "grant": l.Grant}
	maps.Copy(args, l.Args)
	if why, ok := args["purpose"]; ok {
		args["purpose"] = a.word("purpose", why)
	}
	if why, ok := args["reason"]; ok {
		args["reason"] = a.word("refusal", why)
	}
	if key := "event." + l.Event; messages.Has(key) {
		return a.textOf(key, args)
	}
	return fmt.Sprint(clean(l.Event), " ", clean(l.Contact), " ", clean(l.Name), " ", clean(l.Grant))
}
