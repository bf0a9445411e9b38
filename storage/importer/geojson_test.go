// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"strings"
	"testing"
)

func TestGeoJSON(t *testing.T) {
	collection := func(features ...string) string {
		return `{"type":"FeatureCollection","features":[` + strings.Join(features, ",\n") + `]}`
	}
	feature := func(geometry, properties string) string {
		return `{"type":"Feature","geometry":` + geometry + `,"properties":` + properties + `}`
	}
	point := `{"type":"Point","coordinates":[4.8,45.7]}`
	asPlaced{
		{"times and measures under many names", collection(
			feature(`{"type":"Point","coordinates":[4.8,45.7,170.5]}`, `{"datetime":"2024-06-15T10:30:00Z","vel":1.5,"acc":8,"bearing":90,"tid":"T1"}`),
			feature(point, `{"when":"2024-06-15 12:31:00","speed_kmh":36,"hdop":12,"cog":95,"deviceId":"phone1","motion":["driving","stationary"]}`),
			feature(point, `{"recorded_at":1718447520,"speed":-1,"precision":5,"height":36.0,"name":"Place Bellecour"}`),
			feature(point, `{"Time_Stamp":"1718447520123","velocity":"0"}`)), `
			positions {"time":"2024-06-15T10:30:00Z","place":{"lat":45.7,"lon":4.8},"accuracy":8,"altitude":170.5,"speed":1.5,"heading":90,"device":"T1"}
			positions {"time":"2024-06-15T10:31:00Z","place":{"lat":45.7,"lon":4.8},"speed":10,"heading":95,"activity":"driving","device":"phone1"}
			positions {"time":"2024-06-15T10:32:00Z","place":{"lat":45.7,"lon":4.8},"accuracy":5,"altitude":36,"name":"Place Bellecour"}
			positions {"time":"2024-06-15T10:32:00.123Z","place":{"lat":45.7,"lon":4.8},"speed":0}`},
		{"coordinates as texts", collection(feature(`{"type":"Point","coordinates":["4.8","45.7"]}`, `{"timestamp":1609459201}`)),
			`positions {"time":"2021-01-01T00:00:01Z","place":{"lat":45.7,"lon":4.8}}`},
		{"lines with times", collection(
			feature(`{"type":"LineString","coordinates":[[4.8,45.7,1],[4.9,45.8]]}`, `{"coordTimes":["2024-06-15T10:30:00Z","2024-06-15T10:31:00Z"],"name":"n"}`),
			feature(`{"type":"MultiLineString","coordinates":[[[4.8,45.7]],[[4.9,45.8]]]}`, `{"coordinateProperties":{"times":[["2024-06-15T10:32:00Z"],["2024-06-15T10:33:00Z"]]}}`),
			feature(`{"type":"LineString","coordinates":[[4.8,45.7,1,1718447640],[4.9,45.8,2,1718447700]]}`, `{}`)), `
			positions {"time":"2024-06-15T10:30:00Z","place":{"lat":45.7,"lon":4.8},"altitude":1,"source":"track","name":"n"}
			positions {"time":"2024-06-15T10:31:00Z","place":{"lat":45.8,"lon":4.9},"source":"track","name":"n"}
			positions {"time":"2024-06-15T10:32:00Z","place":{"lat":45.7,"lon":4.8},"source":"track"}
			positions {"time":"2024-06-15T10:33:00Z","place":{"lat":45.8,"lon":4.9},"source":"track"}
			positions {"time":"2024-06-15T10:34:00Z","place":{"lat":45.7,"lon":4.8},"altitude":1,"source":"track"}
			positions {"time":"2024-06-15T10:35:00Z","place":{"lat":45.8,"lon":4.9},"altitude":2,"source":"track"}`},
		{"a line with one bad time", collection(feature(`{"type":"LineString","coordinates":[[4.8,45.7],[4.9,45.8]]}`, `{"coordTimes":["2024-06-15T10:30:00Z","soon"],"time":"2024-06-15T10:00:00Z"}`)), `
			positions {"time":"2024-06-15T10:30:00Z","place":{"lat":45.7,"lon":4.8},"source":"track"}
			rejected 1: no-time`},
		{"bad ones among good", collection(
			feature(point, `{"time":"2024-06-15T10:30:00Z"}`), feature(point, `{}`), feature(`null`, `{"time":"2024-06-15T10:30:00Z"}`),
			feature(`{"type":"Polygon","coordinates":[[[1,2],[3,4],[1,2]]]}`, `{"time":"2024-06-15T10:30:00Z"}`),
			feature(`{"type":"Point","coordinates":[200,45.7]}`, `{"time":"2024-06-15T10:30:00Z"}`), feature(`{"type":"Point","coordinates":[]}`, `{"time":"2024-06-15T10:30:00Z"}`),
			feature(`{"type":"LineString","coordinates":[[4.8,45.7],[4.9,45.8]]}`, `{"time":"2024-06-15T10:30:00Z"}`),
			feature(`{"type":"LineString","coordinates":[[4.8,45.7],[4.9,45.8]]}`, `{"times":["2024-06-15T10:30:00Z"]}`), "null"), `
			positions {"time":"2024-06-15T10:30:00Z","place":{"lat":45.7,"lon":4.8}}
			rejected 2: no-time
			rejected 3: no-coordinates
			rejected 4: no-coordinates
			rejected 5: no-coordinates
			rejected 6: no-coordinates
			rejected 7: no-time
			rejected 8: no-time
			rejected 9: no-coordinates`},
		{"one feature alone", feature(point, `{"time":"2024-06-15T10:30:00Z"}`), `positions {"time":"2024-06-15T10:30:00Z","place":{"lat":45.7,"lon":4.8}}`},
		{"points of a map", collection(feature(point, `{"name":"Mairie"}`)), "refused: nothing-good"},
		{"a feature without end", `{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"LineString","coordinates":[` + strings.Repeat("[1,2],", 1_000_000), "refused: too-large"},
		{"cut", `{"type":"FeatureCollection","features":[{"type":"Feature","geometry":`, "refused: cut"},
	}.run(t, "geojson")
}

func TestOverland(t *testing.T) {
	asPlaced{
		{"features called as Google's records are", `{"locations":[{"type":"Feature","geometry":{"type":"Point","coordinates":[-122.5,37.5]},"properties":{"timestamp":"2015-10-01T08:00:00-0700","altitude":0,"speed":4,"horizontal_accuracy":30,"vertical_accuracy":-1,"motion":["driving"],"device_id":"","battery_level":0.9}},
			{"type":"Feature","properties":{"timestamp":"2024-07-07T17:46:39Z","action":"will_terminate"}}]}`, `
			positions {"time":"2015-10-01T15:00:00Z","place":{"lat":37.5,"lon":-122.5},"accuracy":30,"altitude":0,"speed":4,"activity":"driving"}
			rejected 2: no-coordinates`},
	}.run(t, "overland")
}

func TestPolarsteps(t *testing.T) {
	asPlaced{
		{"the way", `{"locations":[{"lat":52.5,"lon":13.4,"time":"2024-06-01T10:00:00Z"},{"lat":52.5,"lon":13.4,"time":1717236000.25},{"lat":52.5,"lon":13.4}]}`, `
			positions {"time":"2024-06-01T10:00:00Z","place":{"lat":52.5,"lon":13.4}}
			positions {"time":"2024-06-01T10:00:00.25Z","place":{"lat":52.5,"lon":13.4}}
			rejected 1: no-time`},
		{"places", `[{"id":"x","lat":35.69,"lng":139.83,"lon":139.83,"arrived":"2024-06-01T00:00:00.000+09:00","departed":"2024-06-01T02:00:00.000+09:00","type":"place_visit"}]`,
			`visits {"start":"2024-05-31T15:00:00Z","end":"2024-05-31T17:00:00Z","place":{"lat":35.69,"lon":139.83}}`},
		{"steps", `{"id":1,"name":"Japon","all_steps":[{"display_name":"Tokyo","location":{"lat":35.69,"lon":139.83,"name":"Tōkyō","detail":"Japan"},"start_time":1717236000.0,"end_time":null}]}`,
			`visits {"start":"2024-06-01T10:00:00Z","place":{"lat":35.69,"lon":139.83},"name":"Tokyo","address":"Japan"}`},
	}.run(t, "polarsteps")
}

func TestOwnTracks(t *testing.T) {
	asPlaced{
		{"lines of a recorder", "2024-03-01T09:05:00Z\t*                 \t{\"_type\":\"location\",\"tid\":\"RO\",\"alt\":36,\"lon\":13.332,\"vel\":36,\"acc\":10,\"cog\":98,\"tst\":1709283789,\"lat\":52.225,\"motionactivities\":[\"cycling\"],\"SSID\":\"Home\"}\n" +
			"2024-03-01T18:40:08Z\tlwt               \t{\"_type\":\"lwt\",\"tst\":1717459208}\n2024-03-01T18:40:09Z\tevent\t{\"_type\":\"transition\",\"lat\":1,\"lon\":2,\"tst\":1717459208}\n\n" +
			"2024-03-01T18:40:10Z\t*\t{\"_type\":\"location\",\"lat\":1,\"lon\":2}\nwhat is this\n2024-03-01T18:40:11Z\t*\t{\"_type\":\"location\",\n2024-03-01T18:40:12Z\t*\t{\"_type\":\"location\",\"tst\":1709283789}\n2024-03-01T18:40:13Z\t*\t{\"_type\":\"encrypted\",\"data\":\"x\"}\n", `
			positions {"time":"2024-03-01T09:03:09Z","place":{"lat":52.225,"lon":13.332},"accuracy":10,"altitude":36,"speed":10,"heading":98,"activity":"cycling","device":"RO"}
			positions {"time":"2024-03-01T18:40:10Z","place":{"lat":1,"lon":2}}
			rejected 6: owntracks-line
			rejected 7: owntracks-line
			rejected 8: no-coordinates
			rejected 9: encrypted`},
	}.run(t, "owntracks-rec")
	const message = `{"_type":"location","lat":1,"lon":2,"tst":1709283789}`
	want := `positions {"time":"2024-03-01T09:03:09Z","place":{"lat":1,"lon":2}}`
	asPlaced{
		{"alone", message, want}, {"in an array", "[" + message + "]", want},
		{"an answer", `{"count":1,"data":[` + message + `],"status":200}`, want}, {"as locations", `{"locations":[` + message + `]}`, want},
	}.run(t, "owntracks-json")
}

func FuzzGeoJSON(f *testing.F) {
	f.Add([]byte(`{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"LineString","coordinates":[[4.8,45.7,1,1718447640],["4.9","45.8"]]},"properties":{"coordTimes":["2024-06-15T10:30:00Z"],"speed_kmh":3}}]}`))
	f.Add([]byte(`{"type":"Feature","geometry":{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2]}]},"properties":{"date":"2024-06-15T10:30:00Z"}}`))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, "geojson", b); fuzzFormat(t, "overland", b) })
}

func FuzzPolarsteps(f *testing.F) {
	f.Add([]byte(`{"locations":[{"lat":52.5,"lon":13.4,"time":1717236000.25}]}`))
	f.Add([]byte(`[{"lat":35.69,"lng":139.83,"arrived":"2024-06-01T00:00:00.000+09:00","departed":"2024-06-01T02:00:00.000+09:00"}]`))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, "polarsteps", b) })
}

func FuzzOwnTracks(f *testing.F) {
	f.Add([]byte("2024-03-01T18:40:10Z\t*\t{\"_type\":\"location\",\"lat\":1,\"lon\":2}\n"))
	f.Add([]byte(`{"data":[{"_type":"location","lat":1,"lon":2,"tst":1709283789}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzFormat(t, "owntracks-rec", b)
		fuzzFormat(t, "owntracks-json", b)
	})
}
