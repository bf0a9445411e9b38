// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"

	"github.com/traboule/traboule/storage/record"
)

// polarsteps is the export of the travel diary Polarsteps: locations.json with
// the way of a journey, trip.json with its steps, and lists of places with
// arrival and departure.
var polarsteps = Format{
	Name: "polarsteps",
	Fits: func(h Head) Fit {
		o := h.Outline()
		switch {
		case o.Has("locations[].lat", "locations[].lon", "locations[].time") && !o.Has("locations[]._type"):
			return Sure
		case o.Has("all_steps[].location"):
			return Sure
		case o.Has("[].lat", "[].lon", "[].arrived", "[].departed"):
			return Sure
		}
		return No
	},
	Read: func(_ context.Context, src *Source, to *Sink) error {
		out := newJournal(to)
		switch o := src.Head.Outline(); {
		case o.Has("[]"):
			return src.eachOf("", out.polarstepsPlace)
		case o.Has("all_steps"):
			return src.eachOf("all_steps", out.polarstepsStep)
		}
		return src.eachOf("locations", func(line int, b branch) error {
			return out.timed(line, &position{time: momentOf(b, "time"), place: degrees(b.at("lat").say(), b.at("lon").say())})
		})
	},
}

func (d *journal) polarstepsPlace(line int, b branch) error {
	return d.visit(line, &visit{
		start: momentOf(b, "arrived", "timestamp", "time"), end: momentOf(b, "departed"), name: record.Str(b.at("name").say()),
		place: degrees(b.at("lat").say(), b.any("lon", "lng").say()),
	})
}

func (d *journal) polarstepsStep(line int, b branch) error {
	at := b.at("location")
	return d.visit(line, &visit{
		start: momentOf(b, "start_time"), end: momentOf(b, "end_time"), name: record.Str(either(record.Str(b.any("display_name", "name").say()), record.Str(at.at("name").say())).String()),
		place: degrees(at.at("lat").say(), at.any("lon", "lng").say()), address: record.Str(at.at("detail").say()),
	})
}
