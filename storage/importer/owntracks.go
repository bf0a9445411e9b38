// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"io"
	"strings"
	"time"
)

// ownTracksRec is a month of the OwnTracks Recorder: in each line a time, what
// it is, and the message as JSON, with tabs between. Only messages of the type
// "location" are positions; regions entered and left, places to watch and last
// wills are not.
var ownTracksRec = Format{
	Name: "owntracks-rec",
	Fits: func(h Head) Fit {
		line, _, _ := strings.Cut(strings.TrimLeft(h.Text, "\r\n"), "\n")
		if when, message, ok := recLine(line); ok && when != "" && strings.Contains(message, `"_type"`) {
			return Sure
		}
		return No
	},
	Read: func(_ context.Context, src *Source, to *Sink) error {
		out := newJournal(to)
		return src.Lines(func(number int, line string) error {
			if strings.TrimSpace(line) == "" {
				return nil
			}
			when, message, ok := recLine(line)
			if !ok {
				to.Reject(number, Why("owntracks-line"))
				return nil
			}
			b, err := readJSON(io.NopCloser(strings.NewReader(message)), len(message)).whole(maxPoint)
			if err != nil {
				to.Reject(number, Why("owntracks-line").Because(err))
				return nil
			}
			return out.ownTracks(number, when, b)
		})
	},
}

// recLine takes a line of the recorder apart.
func recLine(line string) (when, message string, ok bool) {
	parts := strings.SplitN(strings.TrimRight(line, "\r"), "\t", 3)
	if len(parts) != 3 || !strings.HasPrefix(strings.TrimSpace(parts[2]), "{") {
		return "", "", false
	}
	_, ok = Moment(parts[0], time.UTC)
	return parts[0], parts[2], ok
}

// ownTracksJSON is what the recorder's interface answers, and single messages,
// alone or in an array.
var ownTracksJSON = Format{
	Name: "owntracks-json",
	Fits: func(h Head) Fit {
		o := h.Outline()
		for _, path := range []string{"", "[]", "data[]", "locations[]"} {
			if o.Has(strings.TrimPrefix(path+"._type", "."), strings.TrimPrefix(path+".tst", ".")) {
				return Sure
			}
		}
		return No
	},
	Read: func(_ context.Context, src *Source, to *Sink) error {
		out := newJournal(to)
		each := func(line int, b branch) error { return out.ownTracks(line, "", b) }
		switch o := src.Head.Outline(); {
		case o.Has("[]"):
			return src.eachOf("", each)
		case o.Has("data[]"):
			return src.eachOf("data", each)
		case o.Has("locations[]"):
			return src.eachOf("locations", each)
		}
		b, err := src.theTree(maxPoint)
		if err != nil {
			return err
		}
		return each(1, b)
	},
}

// ownTracks takes a message; when is the time of its line, for one that names
// none itself.
func (d *journal) ownTracks(line int, when string, b branch) error {
	switch b.at("_type").say() {
	case "location":
	case "encrypted":
		d.to.Reject(line, Why("encrypted"))
		return nil
	default:
		return nil
	}
	p := position{
		place: degrees(b.at("lat").say(), b.at("lon").say()), accuracy: measure(b.at("acc").say()), altitude: measure(b.at("alt").say()),
		speed: scaled(positive(measure(b.at("vel").say())), factors["kmh"]), heading: measure(b.at("cog").say()),
		source: d.word([]byte(b.at("source").say())), device: d.label([]byte(b.at("tid").say())),
	}
	if moving := b.at("motionactivities").list(); len(moving) > 0 {
		p.activity = d.word([]byte(moving[0].say()))
	}
	p.time = momentOf(b, "tst")
	if v, ok := Moment(when, time.UTC); ok && p.time.IsNull() {
		p.time = v
	}
	return d.timed(line, &p)
}
