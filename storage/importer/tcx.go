// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
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
		x, err := src.XML()
		if err != nil {
			return err
		}
		defer x.Close()
		out := newJournal(to)
		sport := ""
		for {
			start, err := x.Start("Activity", "Course", "Trackpoint")
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if start.Name.Local != "Trackpoint" {
				sport = attribute(start, "Sport")
				continue
			}
			e, err := x.Tree(start, maxPoint)
			if err != nil {
				return err
			}
			if err := out.tcxPoint(e, sport); err != nil {
				return err
			}
		}
	},
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
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
