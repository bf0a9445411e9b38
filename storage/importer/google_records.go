// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// googleRecords is Records.json (once "Location History.json") of Google
// Takeout: each position that a phone reported, as one array that may be
// hundreds of megabytes long.
var googleRecords = Format{
	Name: "google-records",
	Fits: func(h Head) Fit {
		o := h.Outline()
		if o.Has("locations[].latitudeE7") || o.Has("locations[].latE7") {
			return Sure
		}
		switch {
		case o.Any("locations[].timestampMs", "locations[].deviceTag"):
			return Likely
		case o.Has("locations") && len(o) == 2: // and the path of the object itself
			return Maybe
		}
		return No
	},
	Read: func(_ context.Context, src *Source, to *Sink) error {
		j, err := src.JSON()
		if err != nil {
			return err
		}
		defer j.Close()
		r := recordsReader{j: j, out: newJournal(to)}
		r.member, r.guesses, r.part, r.round, r.guess = r.readMember, r.readGuesses, r.readPart, r.readRound, r.readGuess
		err = j.Object(func(name string) error {
			if name != "locations" {
				return nil
			}
			return j.Array(r.location)
		})
		if err == nil {
			err = j.Finish()
		}
		return err
	},
}

// recordsReader reads the array piece by piece, and makes no garbage: there are
// millions of positions.
type recordsReader struct {
	j   *JSON
	out *journal

	p        position
	lat, lon int64
	has      [2]bool // lat, lon

	kind   record.Value // a guess of what the person did,
	chance int64        // and how likely it is, in hundredths
	best   int64        // the likeliest before

	// The methods that read, bound once.
	member, guesses, part func(string) error
	round, guess          func(int) error
}

func (r *recordsReader) location(int) error {
	r.p, r.has, r.best = position{}, [2]bool{}, -1
	line := r.j.lineOfNext()
	if err := r.j.Object(r.member); err != nil {
		return err
	}
	if r.has == [2]bool{true, true} {
		if r.p.place = e7(r.lat, r.lon); r.p.place.IsNull() {
			r.out.to.Reject(line, Why("not-a-place"))
			return nil
		}
	}
	return r.out.timed(line, &r.p)
}

// readMember reads one member of a position.
func (r *recordsReader) readMember(name string) error {
	switch name {
	case "activity", "activitys":
		return r.j.Array(r.round)
	case "latitudeE7", "latE7", "longitudeE7", "lngE7", "timestamp", "timestampMs", "accuracy", "altitude", "velocity", "heading", "source", "deviceTag":
	default:
		return nil
	}
	b, err := r.j.scalar()
	if err != nil || b == nil {
		return err
	}
	switch name {
	case "latitudeE7", "latE7":
		r.lat, r.has[0] = integer(b)
	case "longitudeE7", "lngE7":
		r.lon, r.has[1] = integer(b)
	case "timestamp", "timestampMs":
		if t, ok := Moment(b, time.UTC); ok {
			r.p.time = t
		}
	case "accuracy":
		r.p.accuracy = measure(b)
	case "altitude":
		r.p.altitude = measure(b)
	case "velocity":
		r.p.speed = measure(b)
	case "heading":
		r.p.heading = measure(b)
	case "source":
		r.p.source = r.out.word(b)
	case "deviceTag":
		r.p.device = r.out.label(b)
	}
	return nil
}

// readRound reads a round of guesses of what the person did. There may be some
// from before and after: the first counts.
func (r *recordsReader) readRound(i int) error {
	if i > 0 {
		return nil
	}
	return r.j.Object(r.guesses)
}

func (r *recordsReader) readGuesses(name string) error {
	if name != "activity" && name != "activities" {
		return nil
	}
	return r.j.Array(r.guess)
}

// readGuess reads one guess; the likeliest stays.
func (r *recordsReader) readGuess(int) error {
	r.kind, r.chance = record.Null, 0
	err := r.j.Object(r.part)
	if r.chance > r.best {
		r.p.activity, r.best = r.kind, r.chance
	}
	return err
}

func (r *recordsReader) readPart(name string) error {
	if name != "type" && name != "confidence" {
		return nil
	}
	b, err := r.j.scalar()
	if name == "type" {
		r.kind = r.out.word(b)
	} else {
		r.chance, _ = integer(b)
	}
	return err
}
