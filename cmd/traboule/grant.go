// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) grantCommand() *cobra.Command {
	var q node.GrantRequest
	var until string
	view := &q.View
	c := a.command("grant NAME", "grant", with(problem.NotFound, problem.Unconfirmed), func(cmd *cobra.Command, args []string) error {
		if q.To == "" {
			return a.missingFlag(cmd, "to")
		}
		var err error
		if q.For, err = parseUntil(until, a.now()); err != nil {
			return problem.New(problem.Usage, "usage.until", "value", until).Because(err)
		}
		q.Name = args[0]
		return do(cmd.Context(), a, node.Grant, q, func(r node.GrantResult) {
			if r.Preview != nil {
				a.showPreview(q, *r.Preview)
				return
			}
			a.showGrant(r)
		})
	})
	f := c.Flags()
	f.StringVar(&q.To, "to", "", a.flag("grant", "to"))
	f.StringArrayVar(&q.Paths, "path", nil, a.flag("grant", "path"))
	f.StringVar(&until, "until", "30d", a.flag("grant", "until"))
	f.StringSliceVar(&view.Columns, "columns", nil, a.flag("view", "columns"))
	f.StringArrayVar(&view.Where, "where", nil, a.flag("view", "where"))
	f.StringVar(&view.From, "from", "", a.flag("view", "from"))
	f.StringVar(&view.To, "through", "", a.flag("grant", "through"))
	f.StringVar(&view.By, "by", "", a.flag("view", "by"))
	f.StringVar(&view.Grid, "grid", "", a.flag("view", "grid"))
	f.BoolVar(&q.Preview, "preview", false, a.flag("grant", "preview"))
	f.StringVar(&q.Purpose, "purpose", "", a.flag("grant", "purpose"))
	return c
}

func (a *app) showGrant(r node.GrantResult) {
	g := r.Grant
	a.say("grant.done", "id", g.ID, "contact", g.Contact, "name", g.Name, "until", g.Until.Format(time.RFC3339), "purpose", a.word("purpose", g.Purpose))
	for _, p := range g.Paths {
		a.say("grant.path", "path", p)
	}
	if g.View != nil {
		a.say("grant.view", "view", a.viewText(*g.View))
	}
	if r.Delivered {
		a.say("grant.delivered", "contact", g.Contact)
		return
	}
	a.say("grant.not-delivered", "contact", g.Contact)
	if r.Link != "" {
		fmt.Fprintln(a.out, r.Link)
	}
}

// viewText says which part of records is meant, and how coarse.
func (a *app) viewText(v node.ViewLine) string {
	list := []string{strings.Join(v.Columns, ", ")}
	if v.By != "" {
		list = append(list, a.word("period", v.By))
	}
	if v.Grid != "" {
		list = append(list, a.text("grant.view-grid", "grid", v.Grid))
	}
	if len(v.Where) > 0 && v.Where[0] != "*" {
		list = append(list, a.text("grant.view-where", "conditions", strings.Join(v.Where, a.text("grant.view-or"))))
	}
	if !v.From.IsZero() {
		list = append(list, a.text("grant.view-from", "from", a.moment(v.From, v.Zone)))
	}
	if !v.Before.IsZero() {
		list = append(list, a.text("grant.view-before", "before", a.moment(v.Before, v.Zone)))
	}
	for i, part := range list {
		list[i] = clean(part)
	}
	return strings.Join(list, " · ")
}

// moment is a time in a zone, and a day if it is the beginning of one.
func (a *app) moment(t time.Time, zone string) string {
	if in, err := time.LoadLocation(zone); err == nil && zone != "" {
		t = t.In(in)
	} else {
		t = t.Local()
	}
	if t.Hour() == 0 && t.Minute() == 0 {
		return a.lang.Date(t)
	}
	return a.lang.Time(t)
}

// showPreview shows what would leave.
func (a *app) showPreview(q node.GrantRequest, p node.ViewPreview) {
	a.say("preview.done", "contact", q.To, "name", q.Name, "rows", strconv.Itoa(p.Rows), "bytes", u(p.Bytes))
	if !p.First.IsZero() {
		a.say("preview.span", "first", a.moment(p.First, p.Zone), "last", a.moment(p.Last, p.Zone))
	}
	s := sheet{columns: p.Columns, zone: p.Zone, begins: p.Begins, by: p.By, rows: p.Sample}
	if p.Rows > len(p.Sample) {
		s.gap = len(p.Sample) / 2
	}
	if p.Rows > 0 {
		a.printSheet(s)
	}
	a.notices(p.Notices)
}

// parseUntil reads how long from now a grant lasts: "30d", "12h", "2w", or
// the last day of it as a date, "2027-03-31".
func parseUntil(text string, now time.Time) (time.Duration, error) {
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		if d := day.AddDate(0, 0, 1).Sub(now); d > 0 {
			return d.Truncate(time.Second), nil
		}
		return 0, fmt.Errorf("read %q: it is over", text)
	}
	units := map[string]time.Duration{"h": time.Hour, "d": 24 * time.Hour, "j": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	if text == "" {
		return 0, fmt.Errorf("read %q: want a number of days, as in 30d", text)
	}
	const most = 10 * 366 * 24 * time.Hour
	unit, ok := units[text[len(text)-1:]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if !ok || err != nil || n == 0 || n > uint64(most/unit) {
		return 0, fmt.Errorf("read %q: want a number of days up to ten years, as in 30d", text)
	}
	return time.Duration(n) * unit, nil
}
