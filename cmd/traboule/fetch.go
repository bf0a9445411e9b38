// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) fetchCommand() *cobra.Command {
	var rate string
	c := a.command("fetch GRANT", "fetch", with(problem.NeedsRun, problem.NotFound, problem.Refused, problem.Unreachable, problem.Invalid, problem.WrongClock, problem.DiskFull, problem.Misbehaviour), func(cmd *cobra.Command, args []string) error {
		q := node.FetchRequest{Grant: args[0]}
		var err error
		if q.LimitRate, err = parseRate(rate); err != nil {
			return problem.New(problem.Usage, "usage.rate", "value", rate).Because(err)
		}
		return do(cmd.Context(), a, node.Fetch, q, a.showFetch)
	})
	c.Flags().StringVar(&rate, "limit-rate", "", a.flag("fetch", "limit-rate"))
	return c
}

func (a *app) showFetch(r node.FetchResult) {
	key := "fetch.done"
	if r.Unchanged {
		key = "fetch.unchanged"
	}
	if r.Records && r.Unchanged {
		a.say(key, "name", r.Name, "from", r.From, "version", u(r.Version), "files", "", "bytes", "")
		a.say("fetch.next-rows", "name", r.Name)
		return
	}
	if r.Records {
		a.say("fetch.done-rows", "name", r.Name, "from", r.From, "version", u(r.Version), "rows", u(r.Rows))
		a.say("fetch.next-rows", "name", r.Name)
		return
	}
	a.say(key, "name", r.Name, "from", r.From, "version", u(r.Version), "files", u(r.Files), "bytes", u(r.Bytes))
	if !r.Unchanged {
		a.say("fetch.difference", "blocks", u(r.Blocks), "bytes", u(r.NewBytes), "had", u(r.HadBlocks), "span", strconv.FormatInt(r.Millis, 10)+"ms")
	}
	a.say("fetch.next", "name", r.Name)
}

// parseRate reads bytes per second: "500k", "2M", "1500000"; empty means no
// limit. k, M and G are decimal, as in all sizes that we print.
func parseRate(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	units := map[byte]int64{'k': 1e3, 'K': 1e3, 'm': 1e6, 'M': 1e6, 'g': 1e9, 'G': 1e9}
	digits, unit := text, int64(1)
	if m, ok := units[text[len(text)-1]]; ok {
		digits, unit = text[:len(text)-1], m
	}
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("read rate %q: want bytes per second, as in 500k or 2M", text)
	}
	return n * unit, nil
}
