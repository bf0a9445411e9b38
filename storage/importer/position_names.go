// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"time"

	"github.com/traboule/traboule/storage/record"
)

// whatItIs says what a column of a table, or a property of a feature, holds
// that applications name in many ways: names as [bare] makes them.
var whatItIs = map[string]string{
	"latitude": "lat", "lat": "lat", "latitudens": "lat", "gpslatitude": "lat", "latdeg": "lat", "latitudedegrees": "lat",
	"longitude": "lon", "lon": "lon", "lng": "lon", "long": "lon", "longitudeew": "lon", "gpslongitude": "lon", "londeg": "lon", "longitudedegrees": "lon",

	"time": "time", "timestamp": "time", "datetime": "time", "when": "time", "recordedat": "time", "tst": "time", "timestampms": "time",
	"starttime": "time", "start": "time", "startdate": "time", "begin": "time", "utc": "time", "utctime": "time", "timeutc": "time", "unixtime": "time", "epoch": "time",
	"fixtime": "time", "devicetime": "time", "gpstime": "time", "locationtime": "time", "createdat": "time", "dateheure": "time", "horodatage": "time", "isotime": "time",
	"localtime": "time", "starttimestamp": "time", "timestamputc": "time", "unixtimestamp": "time",
	"date": "date", "utcdate": "date", "dateutc": "date", "jour": "date", "heure": "time",
	"endtime": "end", "end": "end", "enddate": "end", "stop": "end", "endtimestamp": "end", "departed": "end",

	"accuracy": "accuracy", "acc": "accuracy", "horizontalaccuracy": "accuracy", "hacc": "accuracy", "haccuracy": "accuracy", "precision": "accuracy",
	"accuracym": "accuracy", "radius": "accuracy", "accuracymeters": "accuracy",
	"altitude": "altitude", "alt": "altitude", "elevation": "altitude", "ele": "altitude", "height": "altitude", "altitudem": "altitude", "elevationm": "altitude",
	"speed": "speed", "velocity": "speed", "vel": "speed", "speedms": "speed", "speedmps": "speed",
	"speedkmh": "kmh", "speedkph": "kmh", "kmh": "kmh", "kph": "kmh", "velocitykmh": "kmh", "vitesse": "kmh",
	"speedmph": "mph", "mph": "mph", "speedknots": "knots", "speedkn": "knots", "knots": "knots",
	"heading": "heading", "bearing": "heading", "course": "heading", "cog": "heading", "cap": "heading",
	"device": "device", "deviceid": "device", "tid": "device", "trackerid": "device", "devicetag": "device", "devicename": "device",
	"activity": "activity", "motion": "activity", "activitytype": "activity", "mode": "activity",
	"provider": "source", "source": "source", "locationprovider": "source",
	"name": "name", "title": "name", "placename": "name", "nom": "name",
	"address": "address", "adresse": "address", "placeid": "placeId", "type": "type",
}

// factors make metres per second of other speeds.
var factors = map[string]float64{"kmh": 1 / 3.6, "mph": 0.44704, "knots": 1852.0 / 3600}

// named fills a position from one named value; "" says nothing. What is neither
// of these is left alone.
func (d *journal) named(p *position, what, value string, zone *time.Location) {
	if value == "" {
		return
	}
	switch what {
	case "time":
		if v, ok := Moment(value, zone); ok && p.time.IsNull() {
			p.time = v
		}
	case "accuracy":
		p.accuracy = either(p.accuracy, measure(value))
	case "altitude":
		p.altitude = either(p.altitude, measure(value))
	case "speed":
		p.speed = either(p.speed, measure(value))
	case "kmh", "mph", "knots":
		p.speed = either(p.speed, scaled(positive(measure(value)), factors[what]))
	case "heading":
		p.heading = either(p.heading, measure(value))
	case "device":
		p.device = either(p.device, d.label([]byte(value)))
	case "activity":
		p.activity = either(p.activity, d.activity(value))
	case "source":
		p.source = either(p.source, d.word([]byte(value)))
	case "name":
		p.name = either(p.name, record.Str(value))
	}
}

// activity is a word for how somebody moved; a number is none.
func (d *journal) activity(value string) record.Value {
	if _, ok := integer(value); ok {
		return record.Null
	}
	return d.word([]byte(value))
}

// either is the first that is known.
func either(a, b record.Value) record.Value {
	if a.IsNull() {
		return b
	}
	return a
}
