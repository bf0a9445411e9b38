// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// geoJSON is RFC 7946 as tracking applications write it: features that are
// points with a time, under any of its names, or lines with a time for each of
// their points. Coordinates may be texts. What says no time is no position of
// anybody's.
var geoJSON = Format{
	Name: "geojson",
	Fits: func(h Head) Fit {
		switch o := h.Outline(); {
		case o["type"] == "FeatureCollection", o["type"] == "Feature" && o.Has("geometry"):
			return Sure
		case o["features[].type"] == "Feature":
			return Likely
		}
		return No
	},
	Read: func(_ context.Context, src *Source, to *Sink) error {
		zone, err := src.Location()
		if err != nil {
			return err
		}
		out := newJournal(to)
		f := features{out, zone}
		if src.Head.Outline()["type"] != "Feature" {
			return src.eachOf("features", f.feature)
		}
		b, err := src.theTree(maxSegment)
		if err != nil {
			return err
		}
		return f.feature(1, b)
	},
}

// overland is what the application Overland sends: GeoJSON features in an array
// called like that of Google's records.
var overland = Format{
	Name: "overland",
	Fits: func(h Head) Fit {
		if o := h.Outline(); o["locations[].type"] == "Feature" {
			return Sure
		}
		return No
	},
	Read: func(_ context.Context, src *Source, to *Sink) error {
		out := newJournal(to)
		f := features{out, time.UTC}
		return src.eachOf("locations", f.feature)
	},
}

// features reads features.
type features struct {
	*journal
	zone *time.Location // of times without an offset
}

// feature takes the points of one feature.
func (f features) feature(line int, b branch) error {
	p := f.properties(b.at("properties"))
	return f.geometry(line, p, b.at("geometry"), lineTimes(b.at("properties")))
}

// properties are what a feature says of all its points.
func (f features) properties(b branch) position {
	var p position
	for _, name := range slices.Sorted(maps.Keys(b.names())) {
		value := b.at(name)
		if list := value.list(); len(list) > 0 && whatItIs[bare(name)] == "activity" {
			value = list[0]
		}
		f.named(&p, whatItIs[bare(name)], value.say(), f.zone)
	}
	if p.time.IsNull() {
		f.named(&p, "time", b.at("date").say(), f.zone)
	}
	return p
}

// lineTimes are the times of the points of a line: a list, or for several lines
// a list of lists.
func lineTimes(b branch) branch {
	if inner := b.at("coordinateProperties"); inner.there() {
		b = inner
	}
	return b.any("coordTimes", "times", "timestamps", "coordinateTimes", "time", "timestamp")
}

// geometry takes the points of a geometry, all like p but for place and time.
func (f features) geometry(line int, p position, g, times branch) error {
	at := g.at("coordinates")
	switch g.at("type").say() {
	case "Point":
		return f.point(line, p, at)
	case "MultiPoint", "LineString":
		return f.line(line, p, at, times)
	case "MultiLineString":
		perLine := times.list()
		for i, inner := range at.list() {
			var own branch
			if i < len(perLine) {
				own = perLine[i]
			}
			if err := f.line(line, p, inner, own); err != nil {
				return err
			}
		}
		return nil
	case "GeometryCollection":
		for _, inner := range g.at("geometries").list() {
			if inner.at("type").say() == "GeometryCollection" {
				continue // which RFC 7946 advises against, and nobody writes
			}
			if err := f.geometry(line, p, inner, times); err != nil {
				return err
			}
		}
		return nil
	}
	f.to.Reject(line, Why("no-coordinates"))
	return nil
}

// line takes the points of a line, each with a time of its own. One without is
// rejected as a whole: it is a shape, not where somebody was.
func (f features) line(line int, p position, points, times branch) error {
	list, when := points.list(), times.list()
	if len(when) != len(list) && !inCoordinates(list) {
		f.to.Reject(line, Why("no-time"))
		return nil
	}
	p.source = either(p.source, f.word([]byte("track")))
	for i, at := range list {
		own := p
		own.time = record.Null
		if len(when) == len(list) {
			f.named(&own, "time", when[i].say(), f.zone)
		}
		if err := f.point(line, own, at); err != nil {
			return err
		}
	}
	return nil
}

// inCoordinates says whether the points have a fourth coordinate, which some
// take for the time.
func inCoordinates(points []branch) bool {
	return len(points) > 0 && len(points[0].list()) == 4
}

// point takes one point: longitude, latitude, perhaps a height and a time.
func (f features) point(line int, p position, at branch) error {
	c := at.list()
	if len(c) >= 2 {
		p.place = degrees(c[1].say(), c[0].say())
	}
	if len(c) >= 3 {
		p.altitude = either(measure(c[2].say()), p.altitude)
	}
	if len(c) >= 4 {
		f.named(&p, "time", c[3].say(), f.zone)
	}
	return f.timed(line, &p)
}
