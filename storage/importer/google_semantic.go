// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// maxSegment is how large one visit, trip or feature may be, in bytes of memory.
const maxSegment = 48 << 20

// googleSemantic is a month of the Semantic Location History of Google Takeout:
// visits and the ways between them.
var googleSemantic = Format{
	Name: "google-semantic",
	Fits: func(h Head) Fit {
		switch o := h.Outline(); {
		case o.Any("timelineObjects[].placeVisit", "timelineObjects[].activitySegment"):
			return Sure
		case o.Has("timelineObjects"):
			return Likely
		}
		return No
	},
	Read: func(_ context.Context, src *Source, to *Sink) error {
		out := newJournal(to)
		return src.eachOf("timelineObjects", func(line int, b branch) error {
			switch {
			case b.at("placeVisit").there():
				return out.placeVisit(line, b.at("placeVisit"), 0)
			case b.at("activitySegment").there():
				return out.activitySegment(line, b.at("activitySegment"))
			}
			return nil
		})
	},
}

// placeVisit takes a visit, what it was made of and what lies inside it.
func (d *journal) placeVisit(line int, b branch, level int64) error {
	at := b.at("location")
	v := visit{
		start: momentOf(b.at("duration"), "startTimestamp", "startTimestampMs"), end: momentOf(b.at("duration"), "endTimestamp", "endTimestampMs"),
		place: placeE7(at), name: record.Str(at.at("name").say()), address: record.Str(at.at("address").say()),
		role: d.role(at.at("semanticType").say()), placeID: record.Str(at.at("placeId").say()),
		probability: scaled(measure(at.at("locationConfidence").say()), 0.01), level: record.Int(level),
		device: d.label([]byte(at.at("sourceInfo", "deviceTag").say())),
	}
	if v.place.IsNull() {
		v.place = placeE7(b)
	}
	if err := d.visit(line, &v); err != nil {
		return err
	}
	for _, child := range b.at("childVisits").list() {
		if err := d.placeVisit(line, child, level+1); err != nil {
			return err
		}
	}
	return d.rawPath(line, b, record.Null)
}

// role is what a place is to the person: TYPE_HOME and INFERRED_HOME are "home".
func (d *journal) role(s string) record.Value {
	for _, prefix := range []string{"TYPE_", "INFERRED_", "Inferred "} {
		s = strings.TrimPrefix(s, prefix)
	}
	return d.word([]byte(s))
}

// activitySegment takes the way from one visit to the next.
func (d *journal) activitySegment(line int, b branch) error {
	start, end := momentOf(b.at("duration"), "startTimestamp", "startTimestampMs"), momentOf(b.at("duration"), "endTimestamp", "endTimestampMs")
	mode := d.word([]byte(b.at("activityType").say()))
	if mode.IsNull() {
		mode = travelMode(b.at("waypointPath", "travelMode").say())
	}
	path := d.path(b, start, end)
	for i := range path {
		path[i].activity = mode
		if err := d.timed(line, &path[i]); err != nil {
			return err
		}
	}
	parked := b.at("parkingEvent")
	if place := placeE7(parked.at("location")); !place.IsNull() {
		p := position{time: momentOf(parked, "timestamp", "timestampMs"), place: place, source: d.word([]byte("parking"))}
		if err := d.timed(line, &p); err != nil {
			return err
		}
	}
	if len(path) == 0 {
		if len(b.at("simplifiedRawPath", "points").list()) == 0 {
			d.to.Reject(line, Why("no-coordinates"))
			return nil
		}
		return d.rawPath(line, b, mode)
	}
	distance := measure(b.any("distance").say())
	if distance.IsNull() {
		distance = measure(b.at("waypointPath", "distanceMeters").say())
	}
	t := trip{start: start, end: end, from: path[0].place, to: path[len(path)-1].place, distance: distance, mode: mode}
	if err := d.trip(line, &t); err != nil {
		return err
	}
	return d.rawPath(line, b, mode)
}

// path is where a segment began, the points on its way and where it ended. The
// points have no times of their own: they are spread evenly over the segment,
// and their source says so.
func (d *journal) path(b branch, start, end record.Value) []position {
	var path []position
	add := func(place branch, source string) {
		if v := placeE7(place); !v.IsNull() {
			path = append(path, position{time: start, place: v, source: d.word([]byte(source)), device: d.label([]byte(place.at("sourceInfo", "deviceTag").say()))})
		}
	}
	add(b.at("startLocation"), "segment")
	for _, w := range b.at("waypointPath", "waypoints").list() {
		add(w, "estimated")
	}
	add(b.at("endLocation"), "segment")
	if n := int64(len(path) - 1); n > 0 && !start.IsNull() && end.Micros() > start.Micros() {
		for i := range path {
			path[i].time = record.Micros(start.Micros() + (end.Micros()-start.Micros())/n*int64(i))
		}
		path[n].time = end
	}
	return path
}

// rawPath takes the points of a path that have times of their own.
func (d *journal) rawPath(line int, b branch, mode record.Value) error {
	for _, w := range b.at("simplifiedRawPath", "points").list() {
		p := position{
			time: momentOf(w, "timestamp", "timestampMs"), place: placeE7(w),
			accuracy: measure(w.at("accuracyMeters").say()), activity: mode,
		}
		if err := d.timed(line, &p); err != nil {
			return err
		}
	}
	return nil
}

// travelMode puts the few words for how a path was travelled as activities are.
func travelMode(s string) record.Value {
	return record.Str(map[string]string{"WALK": "walking", "RUN": "running", "BICYCLE": "cycling", "DRIVE": "in vehicle", "TRANSIT": "in transit"}[s])
}

// momentOf is the first of some members that says when.
func momentOf(b branch, names ...string) record.Value {
	for _, name := range names {
		if v, ok := Moment(b.at(name).say(), time.UTC); ok {
			return v
		}
	}
	return record.Null
}

// placeE7 is a place in units of 1e-7 degrees, under any of its names.
func placeE7(b branch) record.Value {
	lat, ok1 := integer(b.any("latitudeE7", "latE7", "centerLatE7").say())
	lon, ok2 := integer(b.any("longitudeE7", "lngE7", "centerLngE7").say())
	if !ok1 || !ok2 || lat > math.MaxUint32 || lon > math.MaxUint32 {
		return record.Null
	}
	return e7(lat, lon)
}
