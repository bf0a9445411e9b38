// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"strings"
	"testing"
)

func TestPositionCSV(t *testing.T) {
	asPlaced{
		{"a logger", "time,lat,lon,elevation,accuracy,bearing,speed,satellites,provider,activity,battery\n2024-06-15T10:30:00.000Z,52.5200,13.4050,34.0,8,90,1.5,12,gps,walking,85\n",
			`positions {"time":"2024-06-15T10:30:00Z","place":{"lat":52.52,"lon":13.405},"accuracy":8,"altitude":34,"speed":1.5,"heading":90,"source":"gps","activity":"walking"}`},
		{"directions behind degrees, semicolons, decimal commas, a preamble, Latin-1", "Export du t\xe9l\xe9phone\r\n\r\nLatitude N/S;Longitude E/W;Date;Heure;Altitude (m);Speed (km/h)\r\n45,75S;4,83W;15/06/2024;12:30:00;170,5;36\r\n;;;;;\r\n", `
			positions {"time":"2024-06-15T10:30:00Z","place":{"lat":-45.75,"lon":-4.83},"altitude":170.5,"speed":10}
			rejected 5: no-coordinates`},
		{"times as numbers", "lat\tlng\ttimestamp\n1\t2\t1718444200\n1\t2\t1718444200123\n1\t2\t0\n", `
			positions {"time":"2024-06-15T09:36:40Z","place":{"lat":1,"lon":2}}
			positions {"time":"2024-06-15T09:36:40.123Z","place":{"lat":1,"lon":2}}
			rejected 4: time`},
		{"the order is told by a later date", "lat,lon,time\n1,2,05/06/2024 10:00\n1,2,06/13/2024 10:00\n1,2,05/13/2024\n", `
			positions {"time":"2024-05-06T08:00:00Z","place":{"lat":1,"lon":2}}
			positions {"time":"2024-06-13T08:00:00Z","place":{"lat":1,"lon":2}}
			rejected 4: time`},
		{"an ISO time among others tells nothing", "lat,lon,time\n1,2,05/06/2024 10:00\n1,2,2024-06-06T10:00:00Z\n1,2,06/13/2024 10:00\n", `
			positions {"time":"2024-05-06T08:00:00Z","place":{"lat":1,"lon":2}}
			positions {"time":"2024-06-06T10:00:00Z","place":{"lat":1,"lon":2}}
			positions {"time":"2024-06-13T08:00:00Z","place":{"lat":1,"lon":2}}`},
		{"the order is left open", "lat,lon,time\n1,2,05/06/2024 10:00\n1,2,06/07/2024 10:00\n", "refused: dates-open"},
		{"visits, and positions", "Type,Name,Address,Latitude,Longitude,Start Time,End Time,PlaceId\nVisit,Home,\"1, rue X\",1,2,2024-12-02T11:00:00-08:00,2024-12-02T13:00:00-08:00,abc\nActivity,,,1,2,2024-12-02T11:00:00-08:00,,\n", `
			visits {"start":"2024-12-02T19:00:00Z","end":"2024-12-02T21:00:00Z","place":{"lat":1,"lon":2},"name":"Home","address":"1, rue X","placeId":"abc"}
			positions {"time":"2024-12-02T19:00:00Z","place":{"lat":1,"lon":2}}`},
		{"bad rows", "lat,lon,time,name\n91,2,1718444200,x\n1,200,1718444200,x\n1,2,,x\n1\n1,2,1718444200,=cmd()\n", `
			positions {"time":"2024-06-15T09:36:40Z","place":{"lat":1,"lon":2},"name":"=cmd()"}
			rejected 2: no-coordinates
			rejected 3: no-coordinates
			rejected 4: no-time
			rejected 5: no-coordinates`},
		{"an hour that comes twice, and one that never does", "lat,lon,time\n1,2,2022-10-30 01:30\n1,2,2022-10-30 02:10\n3,4,2022-10-30 02:10\n1,2,2022-10-30 02:50\n1,2,2022-10-30 02:20\n1,2,2022-10-30 03:00\n1,2,2023-03-26 02:30\n", `
			positions {"time":"2022-10-29T23:30:00Z","place":{"lat":1,"lon":2}}
			positions {"time":"2022-10-30T00:10:00Z","place":{"lat":1,"lon":2}}
			positions {"time":"2022-10-30T00:10:00Z","place":{"lat":3,"lon":4}}
			positions {"time":"2022-10-30T00:50:00Z","place":{"lat":1,"lon":2}}
			positions {"time":"2022-10-30T01:20:00Z","place":{"lat":1,"lon":2}}
			positions {"time":"2022-10-30T02:00:00Z","place":{"lat":1,"lon":2}}
			rejected 8: time`},
		{"a quote that never closes", "lat,lon,time\n1,2,\"" + strings.Repeat("x", 3*MaxLine), "refused: line-too-long"},
	}.run(t, "position-csv")
}

func TestPositionCSVZone(t *testing.T) {
	const file = "lat,lon,time\n1,2,2024-06-15 10:30\n"
	want := `positions {"time":"2024-06-15T14:30:00Z","place":{"lat":1,"lon":2}}`
	if got := placed(t, "position-csv", file, Options{Zone: "America/New_York"}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	want = `positions {"time":"2024-06-05T08:00:00Z","place":{"lat":1,"lon":2}}`
	if got := placed(t, "position-csv", "lat,lon,time\n1,2,05/06/2024 10:00\n", Options{Dates: "dmy"}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func FuzzPositionCSV(f *testing.F) {
	f.Add([]byte("Latitude N/S;Longitude E/W;Date;Heure\r\n45,75S;4,83W;15/06/2024;12:30:00\r\n"))
	f.Add([]byte("Type,Latitude,Longitude,Start Time,End Time\nVisit,1,2,2024-12-02T11:00:00-08:00,2024-12-02T13:00:00-08:00\n"))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, "position-csv", b) })
}
