// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"bytes"
	"context"
	"encoding/xml"
	"path"
	"slices"
	"strings"
)

// notRead is a format that is recognised and refused by its name, so that nobody
// wonders: says is what people call it.
func notRead(name, says string, is func(h Head) bool) Format {
	return Format{
		Name: name,
		Fits: func(h Head) Fit {
			if is(h) {
				return Sure
			}
			return No
		},
		Read: func(context.Context, *Source, *Sink) error { return Why("not-supported", "what", says) },
	}
}

// What people try, and what holds no records that we read.
var (
	kml = notRead("kml", "KML", func(h Head) bool { return h.root().Local == "kml" })
	kmz = notRead("kmz", "KMZ", func(h Head) bool {
		return slices.ContainsFunc(h.Members, func(m string) bool { return strings.EqualFold(path.Ext(m), ".kml") })
	})
	gtfs = notRead("gtfs", "GTFS", isGTFS)
	ubl  = notRead("ubl", "UBL", func(h Head) bool {
		return strings.HasPrefix(h.root().Space, "urn:oasis:names:specification:ubl:schema:xsd:")
	})
	greenButton    = notRead("green-button", "Green Button", isGreenButton)
	appleHealth    = notRead("apple-health", "Apple Health", func(h Head) bool { return h.root().Local == "HealthData" })
	fit            = notRead("fit", "Garmin FIT", func(h Head) bool { return len(h.Bytes) >= 12 && string(h.Bytes[8:12]) == ".FIT" })
	nmea           = notRead("nmea", "NMEA 0183", isNMEA)
	openStreetMap  = notRead("openstreetmap", "OpenStreetMap", func(h Head) bool { return h.root().Local == "osm" })
	iCalendar      = notRead("icalendar", "iCalendar", func(h Head) bool { return starts(h.Text, "BEGIN:VCALENDAR") })
	vCard          = notRead("vcard", "vCard", func(h Head) bool { return starts(h.Text, "BEGIN:VCARD") })
	mbox           = notRead("mbox", "mbox", func(h Head) bool { return starts(h.Text, "From ") && strings.Contains(h.Text, "\nSubject:") })
	topoJSON       = notRead("topojson", "TopoJSON", func(h Head) bool { return h.Outline()["type"] == "Topology" })
	googleActivity = notRead("google-activity", "Google My Activity", func(h Head) bool { return h.Outline().Has("[].header", "[].title", "[].time") })
)

// googleSettings is Settings.json of Google Takeout: devices and switches, and
// not one place.
var googleSettings = Format{
	Name: "google-settings",
	Fits: func(h Head) Fit {
		if o := h.Outline(); o.Has("deviceSettings") && o.Any("gaiaId", "hasReportedLocations", "hasSetRetention", "deviceSettings[].deviceTag") || o.Has("hasReportedLocations") {
			return Sure
		}
		return No
	},
	Read: func(context.Context, *Source, *Sink) error { return Why("google-settings") },
}

// googleEncrypted is the text that Google Takeout puts in the place of positions
// which it has encrypted only: they come from the phone itself.
var googleEncrypted = Format{
	Name: "google-encrypted",
	Fits: func(h Head) Fit {
		text := strings.ToLower(h.Text)
		if !h.Whole || len(text) > 4000 || !strings.Contains(text, "google") {
			return No
		}
		encrypted := strings.Contains(text, "encrypted") || strings.Contains(text, "chiffré") || strings.Contains(text, "verschlüsselt") || strings.Contains(text, "cifrad")
		timeline := strings.Contains(text, "timeline") || strings.Contains(text, "trajets") || strings.Contains(text, "zeitachse") || strings.Contains(text, "cronología")
		switch {
		case !encrypted || !timeline || strings.ContainsAny(text[:1], "{[<"):
			return No
		case strings.Contains(text, "backup") || strings.Contains(text, "sauvegarde"):
			return Sure
		}
		return Likely
	},
	Read: func(context.Context, *Source, *Sink) error { return Why("google-encrypted") },
}

func starts(text, with string) bool {
	return strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), with)
}

// isGTFS knows a public timetable as a zip, and each of its tables.
func isGTFS(h Head) bool {
	tables := 0
	for _, m := range h.Members {
		if slices.Contains([]string{"agency.txt", "stops.txt", "routes.txt", "trips.txt", "stop_times.txt", "calendar.txt"}, path.Base(m)) {
			tables++
		}
	}
	line, _, _ := strings.Cut(h.Text, "\n")
	columns := strings.FieldsFunc(strings.ToLower(line), func(r rune) bool { return r == ',' || r == '"' || r == '\r' || r == ' ' })
	both := func(a, b string) bool { return slices.Contains(columns, a) && slices.Contains(columns, b) }
	return tables >= 3 || both("stop_id", "stop_lat") || both("trip_id", "stop_sequence") || both("trip_id", "route_id") || both("agency_name", "agency_timezone")
}

// isGreenButton knows the feed of readings that meters of North America give.
func isGreenButton(h Head) bool {
	root := h.root()
	if strings.HasPrefix(root.Space, "http://naesb.org/espi") {
		return true
	}
	return root == xml.Name{Space: "http://www.w3.org/2005/Atom", Local: "feed"} && bytes.Contains(h.Bytes, []byte("http://naesb.org/espi"))
}

// isNMEA knows the sentences of a satellite receiver.
func isNMEA(h Head) bool {
	text := strings.TrimLeft(h.Text, " \r\n")
	return len(text) > 6 && text[0] == '$' && strings.ContainsRune("GBP", rune(text[1])) && strings.Contains(text[:min(len(text), 100)], ",")
}
