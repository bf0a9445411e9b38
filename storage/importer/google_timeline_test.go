// SPDX-License-Identifier: Apache-2.0

package importer

import "testing"

func TestGoogleSemantic(t *testing.T) {
	asPlaced{
		{"a visit, with one inside it", `{"timelineObjects":[{"placeVisit":{"location":{"latitudeE7":457578137,"longitudeE7":48320114,"placeId":"ChIJ","name":"Gare","address":"1 rue X","semanticType":"TYPE_WORK","sourceInfo":{"deviceTag":-7},"locationConfidence":78.25},
			"duration":{"startTimestamp":"2022-03-04T05:00:00Z","endTimestamp":"2022-03-04T06:00:00Z"},
			"childVisits":[{"location":{"latitudeE7":457578138,"longitudeE7":48320115},"duration":{"startTimestampMs":"1646370600000","endTimestampMs":"1646371600000"}}],
			"simplifiedRawPath":{"points":[{"latE7":457578139,"lngE7":48320116,"accuracyMeters":20,"timestamp":"2022-03-04T05:30:00Z"}]}}}]}`, `
			visits {"start":"2022-03-04T05:00:00Z","end":"2022-03-04T06:00:00Z","place":{"lat":45.7578137,"lon":4.8320114},"name":"Gare","address":"1 rue X","role":"work","placeId":"ChIJ","probability":0.783,"level":0,"device":"-7"}
			visits {"start":"2022-03-04T05:10:00Z","end":"2022-03-04T05:26:40Z","place":{"lat":45.7578138,"lon":4.8320115},"level":1}
			positions {"time":"2022-03-04T05:30:00Z","place":{"lat":45.7578139,"lon":4.8320116},"accuracy":20}`},
		{"the way between", `{"timelineObjects":[{"activitySegment":{"startLocation":{"latitudeE7":10,"longitudeE7":20},"endLocation":{"latitudeE7":40,"longitudeE7":50},
			"duration":{"startTimestamp":"2022-03-04T05:00:00Z","endTimestamp":"2022-03-04T05:30:00Z"},"distance":3853,"activityType":"IN_BUS",
			"waypointPath":{"waypoints":[{"latE7":20,"lngE7":30},{"latE7":30,"lngE7":40}]},
			"parkingEvent":{"location":{"latitudeE7":41,"longitudeE7":51},"timestampMs":"1646371600000"}}}]}`, `
			positions {"time":"2022-03-04T05:00:00Z","place":{"lat":0.000001,"lon":0.000002},"source":"segment","activity":"in bus"}
			positions {"time":"2022-03-04T05:10:00Z","place":{"lat":0.000002,"lon":0.000003},"source":"estimated","activity":"in bus"}
			positions {"time":"2022-03-04T05:20:00Z","place":{"lat":0.000003,"lon":0.000004},"source":"estimated","activity":"in bus"}
			positions {"time":"2022-03-04T05:30:00Z","place":{"lat":0.000004,"lon":0.000005},"source":"segment","activity":"in bus"}
			positions {"time":"2022-03-04T05:26:40Z","place":{"lat":0.0000041,"lon":0.0000051},"source":"parking"}
			trips {"start":"2022-03-04T05:00:00Z","end":"2022-03-04T05:30:00Z","from":{"lat":0.000001,"lon":0.000002},"to":{"lat":0.000004,"lon":0.000005},"distance":3853,"mode":"in bus"}`},
		{"only a raw path, times by size", `{"timelineObjects":[{"activitySegment":{"startLocation":{},"duration":{"startTimestampMs":"1646370000"},"simplifiedRawPath":{"points":[{"latE7":4294967286,"lngE7":20,"timestampMs":1646370000}]}}}]}`,
			`positions {"time":"2022-03-04T05:00:00Z","place":{"lat":-0.000001,"lon":0.000002}}`},
		{"bad ones among good", `{"timelineObjects":[{"placeVisit":{"location":{"name":"x"},"duration":{"startTimestamp":"2022-03-04T05:00:00Z"}}},
			{"placeVisit":{"location":{"latitudeE7":1,"longitudeE7":2}}},{"placeVisit":null},{"other":1},7,
			{"placeVisit":{"centerLatE7":1,"centerLngE7":2,"location":{},"duration":{"startTimestamp":"2022-03-04T05:00:00Z"}}}]}`, `
			visits {"start":"2022-03-04T05:00:00Z","place":{"lat":0.0000001,"lon":0.0000002},"level":0}
			rejected 1: no-coordinates
			rejected 2: no-time`},
		{"start and end alone are no trip", `{"timelineObjects":[{"activitySegment":{"startLocation":{"latitudeE7":10,"longitudeE7":20},"endLocation":{"latitudeE7":40,"longitudeE7":50},"duration":{"startTimestamp":"2022-03-04T05:00:00Z","endTimestamp":"2022-03-04T05:30:00Z"}}}]}`, `
			positions {"time":"2022-03-04T05:00:00Z","place":{"lat":0.000001,"lon":0.000002},"source":"segment"}
			positions {"time":"2022-03-04T05:30:00Z","place":{"lat":0.000004,"lon":0.000005},"source":"segment"}`},
		{"something behind", `{"timelineObjects":[{"placeVisit":{"location":{"latitudeE7":1,"longitudeE7":2},"duration":{"startTimestamp":"2022-03-04T05:00:00Z"}}}]}{}`, "refused: json"},
		{"cut", `{"timelineObjects":[{"placeVisit":{"location":{"latitudeE7":1,"longitudeE7":2},"duration":{"startTimestamp":"2022-03-04T05:00:00Z"}}},`, "refused: cut"},
		{"nothing in it", `{"timelineObjects":[]}`, "refused: nothing-in-it"},
	}.run(t, "google-semantic")
}

func TestGoogleTimeline(t *testing.T) {
	asPlaced{
		{"Android", `{"semanticSegments":[
			{"startTime":"2022-03-04T06:00:00.000+01:00","endTime":"2022-03-04T08:00:00.000+01:00","timelinePath":[{"point":"48.833657°, 2.256223°","time":"2022-03-04T06:12:00.000+01:00"},{"point":"nowhere","time":"2022-03-04T06:13:00.000+01:00"}]},
			{"startTime":"2022-03-04T06:00:00.000+01:00","endTime":"2022-03-04T07:00:00.000+01:00","visit":{"hierarchyLevel":0,"probability":0.9,"topCandidate":{"placeId":"ChIJ","semanticType":"INFERRED_HOME","probability":0.81234,"placeLocation":{"latLng":"48.8°, -2.2°"}}}},
			{"startTime":"2022-03-04T07:00:00.000+01:00","endTime":"2022-03-04T07:10:00.000+01:00","activity":{"start":{"latLng":"48.8°, -2.2°"},"end":{"latLng":"48.9°, -2.3°"},"distanceMeters":1200.5,"topCandidate":{"type":"UNKNOWN_ACTIVITY_TYPE","probability":0.0}}},
			{"startTime":"2022-03-04T07:00:00.000+01:00","endTime":"2022-03-09T07:10:00.000+01:00","timelineMemory":{"trip":{"distanceFromOriginKms":5}}}],
			"rawSignals":[{"position":{"LatLng":"48.8°, 2.2°","accuracyMeters":13,"altitudeMeters":77.80000305175781,"source":"GPS","timestamp":"2025-03-04T06:00:00.000+01:00","speedMetersPerSecond":0.5}},{"wifiScan":{"deliveryTime":"x"}},{"activityRecord":{"timestamp":"y"}}],
			"userLocationProfile":{"frequentPlaces":[{"placeId":"z"}]}}`, `
			positions {"time":"2022-03-04T05:12:00Z","place":{"lat":48.833657,"lon":2.256223}}
			visits {"start":"2022-03-04T05:00:00Z","end":"2022-03-04T06:00:00Z","place":{"lat":48.8,"lon":-2.2},"role":"home","placeId":"ChIJ","probability":0.812,"level":0}
			positions {"time":"2022-03-04T06:00:00Z","place":{"lat":48.8,"lon":-2.2},"source":"segment"}
			positions {"time":"2022-03-04T06:10:00Z","place":{"lat":48.9,"lon":-2.3},"source":"segment"}
			trips {"start":"2022-03-04T06:00:00Z","end":"2022-03-04T06:10:00Z","from":{"lat":48.8,"lon":-2.2},"to":{"lat":48.9,"lon":-2.3},"distance":1200.5,"probability":0}
			positions {"time":"2025-03-04T05:00:00Z","place":{"lat":48.8,"lon":2.2},"accuracy":13,"altitude":77.8,"speed":0.5,"source":"gps"}
			rejected 2: no-coordinates`},
		{"iPhone", `[{"endTime":"2022-03-04T07:00:00.000Z","startTime":"2022-03-04T05:00:00.000Z","timelinePath":[{"point":"geo:48.8,2.2","durationMinutesOffsetFromStartTime":"49"}]},
			{"endTime":"2022-03-04T08:00:00.000Z","startTime":"2022-03-04T07:00:00.000Z","activity":{"start":"geo:48.8,2.2","end":"geo:48.9,2.3","distanceMeters":"13984.000000","topCandidate":{"type":"in passenger vehicle","probability":"0.5"}}},
			{"endTime":"2022-03-04T09:00:00.000Z","startTime":"2022-03-04T08:00:00.000Z","visit":{"hierarchyLevel":"1","topCandidate":{"probability":"0.46","semanticType":"Unknown","placeID":"ChIJ","placeLocation":"geo:48.9,2.3"}}},
			{"endTime":"2022-03-04T09:00:00.000Z","startTime":"2022-03-04T08:00:00.000Z","activity":{"distanceMeters":"1"}}]`, `
			positions {"time":"2022-03-04T05:49:00Z","place":{"lat":48.8,"lon":2.2}}
			positions {"time":"2022-03-04T07:00:00Z","place":{"lat":48.8,"lon":2.2},"source":"segment","activity":"in passenger vehicle"}
			positions {"time":"2022-03-04T08:00:00Z","place":{"lat":48.9,"lon":2.3},"source":"segment","activity":"in passenger vehicle"}
			trips {"start":"2022-03-04T07:00:00Z","end":"2022-03-04T08:00:00Z","from":{"lat":48.8,"lon":2.2},"to":{"lat":48.9,"lon":2.3},"distance":13984,"mode":"in passenger vehicle","probability":0.5}
			visits {"start":"2022-03-04T08:00:00Z","end":"2022-03-04T09:00:00Z","place":{"lat":48.9,"lon":2.3},"placeId":"ChIJ","probability":0.46,"level":1}
			rejected 4: no-coordinates`},
		{"raw signals alone", `{"semanticSegments":[],"rawSignals":[{"position":{"LatLng":"48.8°, 2.2°","timestamp":"2025-03-04T06:00:00.000+01:00"}}]}`,
			`positions {"time":"2025-03-04T05:00:00Z","place":{"lat":48.8,"lon":2.2}}`},
		{"an offset that no path has", `[{"startTime":"2022-03-04T05:00:00.000Z","endTime":"2022-03-04T05:00:00.000Z","timelinePath":[{"point":"geo:48.8,2.2","durationMinutesOffsetFromStartTime":"99999999999"}]}]`, "refused: nothing-good"},
	}.run(t, "google-timeline")
}

func TestGoogleEdits(t *testing.T) {
	asPlaced{
		{"a position put right", `{"timelineEdits":[{"deviceId":"-1","rawSignal":{"signal":{"position":{"point":{"latE7":355831402,"lngE7":-1193393903},"accuracyMm":12500,"timestamp":"2025-08-15T14:32:18.000Z"}}}},{"deviceId":"-1","placeAggregates":{}}]}`,
			`positions {"time":"2025-08-15T14:32:18Z","place":{"lat":35.5831402,"lon":-119.3393903},"accuracy":12.5,"source":"edit","device":"-1"}`},
		{"none", `{"timelineEdits":[{"deviceId":"-1","placeAggregates":{}}]}`, "refused: nothing-in-it"},
	}.run(t, "google-edits")
}

func FuzzGoogleSemantic(f *testing.F) {
	f.Add([]byte(`{"timelineObjects":[{"activitySegment":{"startLocation":{"latitudeE7":10,"longitudeE7":20},"duration":{"startTimestampMs":"1646370000"},"waypointPath":{"waypoints":[{"latE7":20,"lngE7":30}]}}},{"placeVisit":{"location":{"latitudeE7":1,"longitudeE7":2}}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, "google-semantic", b) })
}

func FuzzGoogleTimeline(f *testing.F) {
	f.Add([]byte(`{"semanticSegments":[{"startTime":"2022-03-04T06:00:00.000+01:00","timelinePath":[{"point":"48.8°, 2.2°","durationMinutesOffsetFromStartTime":"49"}]},{"visit":{"topCandidate":{"placeLocation":"geo:1,2"}}}],"rawSignals":[]}`))
	f.Add([]byte(`[{"activity":{"start":"geo:48.8,2.2","distanceMeters":"1"}}]`))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, "google-timeline", b) })
}

func FuzzGoogleEdits(f *testing.F) {
	f.Add([]byte(`{"timelineEdits":[{"rawSignal":{"signal":{"position":{"point":{"latE7":1,"lngE7":2},"accuracyMm":12500,"timestamp":"2025-08-15T14:32:18.000Z"}}}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, "google-edits", b) })
}
