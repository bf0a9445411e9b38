// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"encoding/xml"
	"time"
)

// tcx is Garmin's Training Center XML: the points of a run or a ride that have a
// position. Heart rates are health data, and left out.
var tcx = Format{
	Name: "tcx",
	Fits: func(h Head) Fit {
		if h.root().Local == "TrainingCenterDatabase" {
			return Sure
		}
		return No
	},
	Read: func(_ context.Context, src *Source, to *Sink) error {
		out, sport := newJournal(to), ""
		return src.eachElement([]string{"Activity", "Course", "Trackpoint"}, func(x *XML, start xml.StartElement) error {
			if start.Name.Local != "Trackpoint" {
				sport = attr(start, "Sport")
				return nil
			}
			e, err := x.Tree(start, maxPoint)
			if err != nil {
				return err
			}
			return out.tcxPoint(e, sport)
		})
	},
}

func (d *journal) tcxPoint(e *Element, sport string) error {
	p := position{
		place:    degrees(e.Say("Position", "LatitudeDegrees"), e.Say("Position", "LongitudeDegrees")),
		altitude: measure(e.Say("AltitudeMeters")), speed: measure(e.Say("Extensions", "TPX", "Speed")),
		source: d.word([]byte("track")),
	}
	if sport != "Other" {
		p.activity = d.word([]byte(sport))
	}
	if v, ok := Moment(e.Say("Time"), time.UTC); ok {
		p.time = v
	}
	return d.timed(e.Line, &p)
}
