// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"math"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// googleTimeline is Timeline.json as Google Maps exports it on an Android
// phone, and location-history.json as it does on an iPhone: the same, but for
// places written as "48.8°, 2.2°" or "geo:48.8,2.2", numbers as texts, and an
// array without anything around it.
var googleTimeline = Format{
	Name: "google-timeline",
	Fits: func(h Head) Fit {
		o := h.Outline()
		inside := func(path string) bool {
			return o.Has(path+".startTime") && o.Any(path+".visit", path+".activity", path+".timelinePath", path+".timelineMemory")
		}
		switch {
		case inside("semanticSegments[]") || inside("[]") || o.Has("rawSignals[].position.LatLng"):
			return Sure
		case o.Any("semanticSegments", "rawSignals"):
			return Likely
		}
		return No
	},
	Read: func(_ context.Context, src *Source, to *Sink) error {
		out := newJournal(to)
		if src.Head.Outline().Has("[]") {
			return src.eachOf("", out.segment)
		}
		return src.eachOfSome(map[string]func(int, branch) error{"semanticSegments": out.segment, "rawSignals": out.rawSignal})
	},
}

// segment takes a visit, a way, or the points on one.
func (d *journal) segment(line int, b branch) error {
	start, end := momentOf(b, "startTime"), momentOf(b, "endTime")
	switch {
	case b.at("visit").there():
		return d.timelineVisit(line, start, end, b.at("visit"))
	case b.at("activity").there():
		return d.timelineActivity(line, start, end, b.at("activity"))
	}
	for _, p := range b.at("timelinePath").list() {
		point := position{time: momentOf(p, "time"), place: latLon(p.any("point", "latLng").say())}
		if after, ok := minutes(p.at("durationMinutesOffsetFromStartTime").say()); ok && point.time.IsNull() && !start.IsNull() {
			point.time = record.Micros(start.Micros() + after.Microseconds())
		}
		if err := d.timed(line, &point); err != nil {
			return err
		}
	}
	return nil // a memory of a journey has no places
}

// minutes reads a number of minutes, of at most ten years.
func minutes(s string) (time.Duration, bool) {
	v := measure(s)
	n, scale := v.Unscaled()
	f := float64(n) / math.Pow10(scale)
	return time.Duration(f * float64(time.Minute)), !v.IsNull() && math.Abs(f) < 10*366*24*60
}

func (d *journal) timelineVisit(line int, start, end record.Value, b branch) error {
	top := b.at("topCandidate")
	v := visit{
		start: start, end: end, place: where(top.at("placeLocation")), role: d.role(top.at("semanticType").say()),
		placeID: record.Str(top.any("placeId", "placeID").say()), probability: measure(top.at("probability").say()),
	}
	if n, ok := integer(b.at("hierarchyLevel").say()); ok {
		v.level = record.Int(n)
	}
	return d.visit(line, &v)
}

// where is a place that is a text, or an object around one.
func where(b branch) record.Value {
	if inner := b.any("latLng", "LatLng"); inner.there() {
		b = inner
	}
	return latLon(b.say())
}

func (d *journal) timelineActivity(line int, start, end record.Value, b branch) error {
	top := b.at("topCandidate")
	t := trip{
		start: start, end: end, from: where(b.at("start")), to: where(b.at("end")),
		distance: measure(b.at("distanceMeters").say()), mode: d.word([]byte(top.at("type").say())), probability: measure(top.at("probability").say()),
	}
	if t.from.IsNull() && t.to.IsNull() {
		d.to.Reject(line, Why("no-coordinates"))
		return nil
	}
	for _, p := range []position{{time: start, place: t.from}, {time: end, place: t.to}} {
		p.activity, p.source = t.mode, d.word([]byte("segment"))
		if p.place.IsNull() {
			continue
		}
		if err := d.timed(line, &p); err != nil {
			return err
		}
	}
	return d.trip(line, &t)
}

// rawSignal takes what the phone reported in the last weeks; of networks seen
// and movements felt nothing is taken.
func (d *journal) rawSignal(line int, b branch) error {
	p := b.at("position")
	if !p.there() {
		return nil
	}
	return d.timed(line, &position{
		time: momentOf(p, "timestamp"), place: latLon(p.any("LatLng", "latLng").say()), source: d.word([]byte(p.at("source").say())),
		accuracy: measure(p.at("accuracyMeters").say()), altitude: measure(p.at("altitudeMeters").say()), speed: measure(p.at("speedMetersPerSecond").say()),
	})
}

// googleEdits is "Timeline Edits.json" of Google Takeout: what the person put
// right, among it some positions.
var googleEdits = Format{
	Name: "google-edits",
	Fits: func(h Head) Fit {
		switch o := h.Outline(); {
		case o.Any("timelineEdits[].rawSignal", "timelineEdits[].deviceId"):
			return Sure
		case o.Has("timelineEdits"):
			return Likely
		}
		return No
	},
	Read: func(_ context.Context, src *Source, to *Sink) error {
		out := newJournal(to)
		return src.eachOf("timelineEdits", func(line int, b branch) error {
			p := b.at("rawSignal", "signal", "position")
			if !p.there() {
				return nil
			}
			return out.timed(line, &position{
				time: momentOf(p, "timestamp", "timestampMs"), place: placeE7(p.at("point")), accuracy: scaled(measure(p.at("accuracyMm").say()), 0.001),
				altitude: measure(p.at("altitudeMeters").say()), speed: measure(p.at("speedMetersPerSecond").say()),
				source: out.word([]byte("edit")), device: out.label([]byte(b.at("deviceId").say())),
			})
		})
	},
}
