// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"io"
	"runtime"
	"strings"
	"testing"
)

func TestGPX(t *testing.T) {
	asPlaced{
		{"a track, a route and a waypoint", `<?xml version="1.0" encoding="UTF-8"?>
			<gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1" xmlns:e="urn:e"><metadata><time>2024-01-01T00:00:00Z</time></metadata>
			<wpt lat="37.5" lon="-122.25"><ele>3.4</ele><time>2016-06-17T23:41:03Z</time><name>Fourvière</name><extensions><e:TrackPointExtension><e:hr>171</e:hr></e:TrackPointExtension></extensions></wpt>
			<rte><rtept lat="10" lon="20"/></rte>
			<trk><name>n</name><trkseg>
			<trkpt lat="10.758321212464024" lon="106.64"><ele>17.634344</ele><time>2024-11-03T16:30:11.331+07:00</time><extensions><e:TPX><e:speed>2.8</e:speed><e:course>90</e:course></e:TPX></extensions></trkpt>
			<trkpt lat="10.1" lon="-20.2"><time>2013-01-01T12:00:04</time></trkpt></trkseg><trkseg></trkseg></trk></gpx>`, `
			positions {"time":"2016-06-17T23:41:03Z","place":{"lat":37.5,"lon":-122.25},"altitude":3.4,"source":"waypoint","name":"Fourvière"}
			positions {"place":{"lat":10,"lon":20},"source":"route"}
			positions {"time":"2024-11-03T09:30:11.331Z","place":{"lat":10.7583212,"lon":106.64},"altitude":17.634,"speed":2.8,"heading":90,"source":"track"}
			positions {"time":"2013-01-01T12:00:04Z","place":{"lat":10.1,"lon":-20.2},"source":"track"}`},
		{"no declaration, no namespace, no version", `<gpx><trk><trkseg><trkpt lat="1" lon="2"/></trkseg></trk></gpx>`, `positions {"place":{"lat":1,"lon":2},"source":"track"}`},
		{"Latin-1, GPX 1.0, behind an empty line", "\n<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<gpx version=\"1.0\"><wpt lat=\"1\" lon=\"2\"><name>H\xf4tel de l'\xc9glise</name><speed>1</speed></wpt></gpx>",
			`positions {"place":{"lat":1,"lon":2},"speed":1,"source":"waypoint","name":"Hôtel de l'Église"}`},
		{"bad rows", `<gpx><trk><trkseg>
			<trkpt lat="1"/><trkpt lat="91" lon="2"/>
			<trkpt lat="1" lon="2"><time>31 September</time></trkpt>
			<trkpt lat="1" lon="2"><time></time></trkpt></trkseg></trk></gpx>`, `
			positions {"place":{"lat":1,"lon":2},"source":"track"}
			rejected 2: no-coordinates
			rejected 2: no-coordinates
			rejected 3: time`},
		{"nothing in it", `<gpx version="1.1"></gpx>`, "refused: nothing-in-it"},
		{"cut", `<gpx><trk><trkseg><trkpt lat="1" lon="2"></trkpt><trkpt lat="1"`, "refused: cut"},
		{"entities", `<!DOCTYPE gpx [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><gpx><wpt lat="1" lon="2"><name>&b;</name></wpt></gpx>`, "refused: xml-entities"},
		{"endless point", `<gpx><wpt lat="1" lon="2">` + strings.Repeat("<a></a>", 100_000), "refused: too-large"},
		{"deep", `<gpx><wpt lat="1" lon="2">` + strings.Repeat("<a>", 1000), "refused: too-deep"},
	}.run(t, "gpx")
}

// TestGPXInLittleMemory: a track of any length is read point by point.
func TestGPXInLittleMemory(t *testing.T) {
	const point = `<trkpt lat="1.5" lon="2.5"><ele>100</ele><time>2024-11-03T16:30:11Z</time></trkpt>`
	const n = 50_000
	open := func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("<gpx><trk><trkseg>"), io.LimitReader(repeat(point), int64(n*len(point))), strings.NewReader("</trkseg></trk></gpx>"))), nil
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r, err := Read(context.Background(), Stream("x", -1, open, Options{}), &Sink{})
	runtime.ReadMemStats(&after)
	if err != nil || r.Refused != nil || r.Kinds[0].Rows != n {
		t.Fatalf("%+v, %v", r, err)
	}
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 32<<20 {
		t.Errorf("%d points took %d MiB more", n, grown>>20)
	}
}

func TestTCX(t *testing.T) {
	asPlaced{
		{"a run", `<TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2"><Activities><Activity Sport="Running"><Id>2024-06-15T11:00:00Z</Id><Lap StartTime="2024-06-15T11:00:00Z"><Track>
			<Trackpoint><Time>2024-06-15T11:00:01Z</Time><Position><LatitudeDegrees>52.52</LatitudeDegrees><LongitudeDegrees>13.405</LongitudeDegrees></Position><AltitudeMeters>34.2</AltitudeMeters><HeartRateBpm><Value>130</Value></HeartRateBpm><Extensions><TPX><Speed>2.5</Speed></TPX></Extensions></Trackpoint>
			<Trackpoint><Time>2024-06-15T11:00:02Z</Time><HeartRateBpm><Value>135</Value></HeartRateBpm></Trackpoint></Track></Lap></Activity>
			<Activity Sport="Other"><Trackpoint><Time>2024-06-15T12:00:01Z</Time><Position><LatitudeDegrees>52.52</LatitudeDegrees><LongitudeDegrees>13.405</LongitudeDegrees></Position></Trackpoint></Activity></Activities></TrainingCenterDatabase>`, `
			positions {"time":"2024-06-15T11:00:01Z","place":{"lat":52.52,"lon":13.405},"altitude":34.2,"speed":2.5,"source":"track","activity":"running"}
			positions {"time":"2024-06-15T12:00:01Z","place":{"lat":52.52,"lon":13.405},"source":"track"}
			rejected 3: no-coordinates`},
		{"on a treadmill", `<TrainingCenterDatabase><Activities><Activity Sport="Other"><Lap><Track><Trackpoint><Time>2024-06-15T11:00:01Z</Time></Trackpoint></Track></Lap></Activity></Activities></TrainingCenterDatabase>`, "refused: nothing-good"},
	}.run(t, "tcx")
}

func FuzzGPX(f *testing.F) {
	f.Add([]byte(`<gpx><trk><trkseg><trkpt lat="1" lon="2"><ele>1</ele><time>2024-11-03T16:30:11.331+07:00</time><extensions><speed>2.8</speed></extensions></trkpt></trkseg></trk></gpx>`))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, "gpx", b) })
}

func FuzzTCX(f *testing.F) {
	f.Add([]byte(`<TrainingCenterDatabase><Activity Sport="Running"><Trackpoint><Time>2024-06-15T11:00:01Z</Time><Position><LatitudeDegrees>52.52</LatitudeDegrees><LongitudeDegrees>13.405</LongitudeDegrees></Position></Trackpoint></Activity></TrainingCenterDatabase>`))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, "tcx", b) })
}
