// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"encoding/xml"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// gpx is GPX 1.0 and 1.1: the points of tracks, which were walked; of routes,
// which were planned; and waypoints. Many have no time, and are taken without
// one. Heart rates and the like in extensions are health data, and left out.
var gpx = Format{
	Name: "gpx",
	Fits: func(h Head) Fit {
		if h.root().Local == "gpx" {
			return Sure
		}
		return No
	},
	Read: func(_ context.Context, src *Source, to *Sink) error {
		out := newJournal(to)
		return src.eachElement([]string{"trkpt", "rtept", "wpt"}, func(x *XML, start xml.StartElement) error {
			e, err := x.Tree(start, maxPoint)
			if err != nil {
				return err
			}
			return out.gpxPoint(e)
		})
	},
}

// maxPoint is how large one point of a track may be, in bytes of memory.
const maxPoint = 1 << 20

// gpxSources are what the three kinds of points are.
var gpxSources = map[string]string{"trkpt": "track", "rtept": "route", "wpt": "waypoint"}

func (d *journal) gpxPoint(e *Element) error {
	p := position{place: degrees(e.Attr["lat"], e.Attr["lon"]), source: d.word([]byte(gpxSources[e.Name]))}
	if e.Name != "trkpt" {
		p.name = record.Str(e.Say("name"))
	}
	d.measured(&p, e, 0)
	if when := e.Say("time"); when != "" && p.time.IsNull() {
		d.to.Reject(e.Line, Why("time", "value", clip(when)))
		return nil
	}
	return d.position(e.Line, &p)
}

// measured takes what an element and those in it say about a position.
func (d *journal) measured(p *position, e *Element, depth int) {
	for _, k := range e.Kids {
		switch what := whatItIs[strings.ToLower(k.Name)]; what {
		case "time", "altitude", "speed", "heading", "accuracy":
			d.named(p, what, k.Text, time.UTC) // GPX says UTC
		}
		if depth < 4 {
			d.measured(p, k, depth+1)
		}
	}
}
