// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"fmt"
	"testing"
)

// TestKnown: what people try is refused by its name.
func TestKnown(t *testing.T) {
	for want, content := range map[string]string{
		"not-supported map[what:KML]":                "\ufeff<?xml version=\"1.0\"?>\n<!-- x --><kml xmlns=\"http://www.opengis.net/kml/2.2\"><Document/></kml>",
		"not-supported map[what:KMZ]":                zipped(t, "doc.kml", "<kml/>", "images/a.png", "x"),
		"not-supported map[what:GTFS]":               zipped(t, "feed/agency.txt", "agency_id", "feed/stops.txt", "stop_id", "feed/trips.txt", "trip_id"),
		"not-supported map[what:UBL]":                `<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"><ID>1</ID></Invoice>`,
		"not-supported map[what:Green Button]":       `<feed xmlns="http://www.w3.org/2005/Atom"><entry><content><IntervalBlock xmlns="http://naesb.org/espi"/></content></entry></feed>`,
		"not-supported map[what:Apple Health]":       `<?xml version="1.0"?><!DOCTYPE HealthData [<!ELEMENT HealthData ANY>]><HealthData locale="fr_FR"/>`,
		"not-supported map[what:Garmin FIT]":         "\x0e\x10\x43\x08\x78\x00\x00\x00.FIT\x00\x00",
		"not-supported map[what:NMEA 0183]":          "$GPGGA,092725.00,4717.11399,N,00833.91590,E,1,08,1.01,499.6,M,48.0,M,,*5B\r\n",
		"not-supported map[what:OpenStreetMap]":      `<osm version="0.6"><node id="1" lat="1" lon="2"/></osm>`,
		"not-supported map[what:iCalendar]":          "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n",
		"not-supported map[what:vCard]":              "BEGIN:VCARD\r\nVERSION:4.0\r\n",
		"not-supported map[what:mbox]":               "From a@b Thu Jan  1 00:00:00 1970\nSubject: x\n\nlat,lon,time\n",
		"not-supported map[what:TopoJSON]":           `{"type":"Topology","objects":{}}`,
		"not-supported map[what:Google My Activity]": `[{"header":"Maps","title":"Used Maps","time":"2024-06-15T10:30:00Z","products":["Maps"]}]`,
		"google-settings":                            `{"gaiaId":"1","hasReportedLocations":true,"deviceSettings":[{"deviceTag":-1}]}`,
		"google-encrypted":                           "You have encrypted Timeline backups stored on Google servers.\n",
	} {
		r, err := Read(context.Background(), Content("x", []byte(content), Options{}), &Sink{})
		if err != nil || r.Refused == nil || fmt.Sprint(r.Refused) != want {
			t.Errorf("%.40q: %v, %v; want %s", content, r.Refused, err, want)
		}
	}
	for _, table := range []string{"stop_id,stop_name,stop_lat,stop_lon\n", "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n", "\"route_id\",\"service_id\",\"trip_id\"\r\n"} {
		if r, err := readContent(t, table, Options{}); err != nil || r.Format != "gtfs" {
			t.Errorf("%q: %q, %v", table, r.Format, r.Refused)
		}
	}
}

// TestNotKnown: what only looks like one of them is not taken for it.
func TestNotKnown(t *testing.T) {
	for _, content := range []string{
		`{"type":"report","features":3}`, `{"locations":[{"name":"Lyon"}]}`, `{"timeline":[]}`, `[{"startTime":"2024-06-15T10:30:00Z","title":"x"}]`, `[{"lat":1,"lon":2}]`,
		"<gpxx/>", "<Invoice/>", "lat,lon,name\n1,2,x\n", "time,name\n", "From here to there\n", "Google encrypted nothing", "2024-03-01T18:40:10Z\t*\t{\"type\":1}\n", "$5,00\n",
	} {
		if r, err := readContent(t, content, Options{}); err != nil || r.Format != "" {
			t.Errorf("%q is taken for %s", content, r.Format)
		}
	}
}

func FuzzOutline(f *testing.F) {
	f.Add(`{"a":[{"b":1},[[["c"]]]],"d":null`)
	f.Add("<a><b>")
	f.Fuzz(func(t *testing.T, s string) {
		h := Head{Text: s}
		if o := h.Outline(); len(o) > outlinePaths+1 {
			t.Fatalf("%d paths", len(o))
		}
		h.root()
	})
}
