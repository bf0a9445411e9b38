// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) kitCommand() *cobra.Command {
	var q node.KitRequest
	c := a.command("kit [FILE]", "kit", with(problem.Exists, problem.NotFound, problem.DiskFull), func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			q.To = args[0]
		}
		if q.Once && q.Forget || q.To == "" && (q.Once || q.Forget) {
			return problem.New(problem.Usage, "usage.kit")
		}
		if q.To != "" {
			var err error
			if q.To, err = absolute(q.To); err != nil {
				return err
			}
		}
		return do(cmd.Context(), a, node.Kit, q, func(r node.KitResult) { a.showKit(q, r) })
	})
	f := c.Flags()
	f.StringVar(&q.To, "to", "", "")
	f.Lookup("to").Hidden = true // as it was called before
	f.BoolVar(&q.Once, "once", false, a.flag("kit", "once"))
	f.BoolVar(&q.Forget, "forget", false, a.flag("kit", "forget"))
	return c
}

func (a *app) showKit(q node.KitRequest, r node.KitResult) {
	switch {
	case q.Forget:
		a.say("kit.forgotten", "to", r.To)
		return
	case q.To == "":
		a.showKitPlaces(r.Kept)
		return
	}
	a.say("kit.done", "to", r.To, "bytes", strconv.FormatInt(r.Bytes, 10))
	if !q.Once {
		a.say("kit.kept")
	}
}

func (a *app) showKitPlaces(places []node.KitPlace) {
	for _, p := range places {
		switch {
		case !p.There:
			a.say("kit.place-away", "path", p.Path)
		case p.Trouble != "":
			a.say("kit.place-failed", "path", p.Path)
		default:
			a.say("kit.place", "path", p.Path)
		}
	}
}
