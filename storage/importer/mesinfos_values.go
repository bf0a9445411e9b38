// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// How members of the pilot's documents become values. Numbers are often texts,
// and texts may have a C1 control where a program meant a euro sign.

func asText(_ *pilot, b branch) (record.Value, error) {
	if _, isObject := b.v.(map[string]any); isObject && len(b.names()) == 0 {
		return record.Null, nil
	}
	s := strings.ReplaceAll(b.say(), "\u0080", "€")
	if s == "" && b.there() && b.v != "" {
		return record.Null, Why("value", "value", "{}")
	}
	return record.Str(s), nil
}

func asNumber(_ *pilot, b branch) (record.Value, error) { return Number(b.say(), '.') }

func asInteger(_ *pilot, b branch) (record.Value, error) {
	s := strings.TrimSuffix(Plain(b.say()), ".0")
	if s == "" {
		return record.Null, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return record.Null, Why("number", "value", clip(s))
	}
	return record.Int(n), nil
}

func asTruth(_ *pilot, b branch) (record.Value, error) {
	switch strings.ToLower(Plain(b.say())) {
	case "true", "oui", "1":
		return record.Bool(true), nil
	case "false", "non", "0":
		return record.Bool(false), nil
	case "":
		return record.Null, nil
	}
	return record.Null, Why("value", "value", clip(b.say()))
}

// asDay is the day as it is written, whatever time and zone stand behind it.
func asDay(_ *pilot, b branch) (record.Value, error) {
	if Plain(b.say()) == "" && b.v == "" {
		return record.Null, nil
	}
	return Date(b.say(), "dmy")
}

func asInstant(p *pilot, b branch) (record.Value, error) {
	s := Plain(b.say())
	if v, ok := Moment(s, p.zone); ok {
		return v, nil
	}
	if _, err := Date(s, "dmy"); err != nil {
		return record.Null, err
	}
	return record.Null, Why("time", "value", clip(s))
}

// asPlace is of a document with latitude and longitude: both, or neither.
func asPlace(_ *pilot, b branch) (record.Value, error) {
	lat, lon := b.at("latitude"), b.at("longitude")
	if !lat.there() && !lon.there() {
		return record.Null, nil
	}
	field := record.Field{Type: record.Place}
	v, err := field.ParseText(Plain(lat.say()) + "," + Plain(lon.say()))
	if err != nil {
		return record.Null, Why("member-value", "member", "latitude, longitude", "value", clip(lat.say()+", "+lon.say())).Because(err)
	}
	return v, nil
}

func asMeter(_ *pilot, b branch) (record.Value, error) { return shorten(b.say()), nil }

// asPower is a power as "6 kVA", or a number of kilovolt-amperes.
func asPower(p *pilot, b branch) (record.Value, error) {
	s, unit, _ := strings.Cut(Plain(b.say()), " ")
	if unit != "" && !strings.EqualFold(unit, "kVA") {
		return record.Null, Why("unit", "unit", clip(unit))
	}
	return Number(s, '.')
}

func always(s string) func(*pilot, branch) (record.Value, error) {
	return func(*pilot, branch) (record.Value, error) { return record.Str(s), nil }
}

// saidCurrency is what the user says the currency is: no document says it.
func saidCurrency(p *pilot, _ branch) (record.Value, error) { return record.Str(p.src.Currency), nil }

func countOf(_ *pilot, b branch) (record.Value, error) {
	return record.Int(int64(max(1, len(b.list())))), nil
}

// objectSort is what a contract insures.
func objectSort(_ *pilot, b branch) (record.Value, error) {
	for _, sort := range []struct{ member, is string }{{"vehicule", "vehicle"}, {"bateau", "boat"}, {"lieu", "home"}} {
		if b.at(sort.member).there() {
			return record.Str(sort.is), nil
		}
	}
	return record.Null, nil
}

// chipped is the length of a communication, when its unit is the one asked for.
func chipped(unit string) func(*pilot, branch) (record.Value, error) {
	return func(p *pilot, b branch) (record.Value, error) {
		said := b.at("chipType").say()
		switch {
		case !b.at("length").there():
			return record.Null, nil
		case said != "s" && said != "M":
			return record.Null, Why("member-value", "member", "chipType", "value", clip(said))
		case said != unit:
			return record.Null, nil
		}
		read := asNumber
		if unit == "M" {
			read = asInteger
		}
		v, err := read(p, b.at("length"))
		if err != nil {
			return v, Why("member-value", "member", "length", "value", clip(b.at("length").say())).Because(err)
		}
		return v, nil
	}
}

// inWords writes what is in an object or a list as one text: names and values, in
// the order of the names; elements apart.
func inWords(between string) func(*pilot, branch) (record.Value, error) {
	return func(_ *pilot, b branch) (record.Value, error) {
		var parts []string
		for _, e := range b.list() {
			parts = append(parts, strings.Join(spellOut(e), " "))
		}
		if len(b.names()) > 0 {
			for _, name := range members(b) {
				parts = append(parts, name+" "+strings.Join(spellOut(b.at(name)), " "))
			}
		}
		return record.Str(strings.Join(parts, between)), nil
	}
}

// spellOut are the scalars in a value, those of an object in an order that reads
// well: date and name first, then the others by name, with the name of what
// belongs to registers.
func spellOut(b branch) []string {
	var words []string
	for _, name := range orderedMembers(b) {
		inner := b.at(name)
		switch {
		case inner.say() != "":
			words = append(words, inner.say())
		case len(inner.names()) > 0:
			for _, register := range members(inner) {
				words = append(words, register+" "+inner.at(register).say())
			}
		}
	}
	if s := b.say(); s != "" {
		words = append(words, s)
	}
	return words
}

func orderedMembers(b branch) []string {
	rank := func(name string) int {
		i := slices.Index([]string{"date", "name", "nom", "type", "status", "activ"}, name)
		if i < 0 {
			return 99
		}
		return i
	}
	names := members(b)
	slices.SortStableFunc(names, func(a, c string) int { return rank(a) - rank(c) })
	return slices.DeleteFunc(names, func(name string) bool { return name == "valuesAvailable" || name == "valueAvailable" })
}

// bankDetail reads a member of the bank details, which are JSON in a text, with
// the line breaks in it that JSON does not allow.
func bankDetail(path ...string) func(*pilot, branch) (record.Value, error) {
	return func(p *pilot, b branch) (record.Value, error) {
		v := b.v
		if text, isText := b.v.(string); isText {
			if text == "" {
				return record.Null, nil
			}
			text = strings.NewReplacer("\n", ", ", "\r", "", "\t", " ").Replace(text)
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				return record.Null, Why("value", "value", clip(text)).Because(err)
			}
		}
		inner := branch{v}.at(path...)
		if !inner.there() {
			return record.Null, nil
		}
		return asText(p, inner)
	}
}

// listed writes the values of a list or a single one, one a line; of an object
// its identifier.
func listed(_ *pilot, b branch) (record.Value, error) {
	list := b.list()
	if _, isList := b.v.([]any); !isList {
		list = []branch{b}
	}
	var lines []string
	for _, e := range list {
		if s := e.say(); s != "" {
			lines = append(lines, s)
		} else if s := e.at("@id").say(); s != "" {
			lines = append(lines, s)
		}
	}
	return record.Str(strings.Join(lines, "\n")), nil
}

// periodEdge is when a period of a statement begins or ends. Days begin at
// midnight, or at six for gas. Periods that a person read a meter for, and the
// months of gas meters, name their last day; estimates name the day behind it.
func periodEdge(name string, last bool) func(*pilot, branch) (record.Value, error) {
	return func(p *pilot, doc branch) (record.Value, error) {
		b := doc.at(name)
		s := Plain(b.say())
		wall, err := Wall(s, "ymd")
		if v, ok := Moment(s, p.zone); ok && err != nil { // with an offset
			wall, err = v.Time().In(p.zone), nil
		}
		if err != nil {
			return record.Null, wrongMember(name, b, err)
		}
		if last {
			wall = wall.AddDate(0, 0, 1)
		}
		return record.At(time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, p.zone)), nil
	}
}

// joined are some members of an object, with a space between.
func joined(names ...string) func(*pilot, branch) (record.Value, error) {
	return func(_ *pilot, b branch) (record.Value, error) {
		var words []string
		for _, name := range names {
			words = append(words, strings.Fields(b.at(name).say())...)
		}
		return record.Str(strings.Join(words, " ")), nil
	}
}

// memberOf is the member number of the first contract of a list.
func memberOf(p *pilot, b branch) (record.Value, error) {
	if list := b.list(); len(list) > 0 {
		b = list[0]
	}
	return asText(p, b.at("societaire"))
}

// ownReadings are what a contract says of readings that the person sends.
func ownReadings(_ *pilot, b branch) (record.Value, error) {
	var words []string
	for _, name := range members(b) {
		if s := b.at(name).say(); s != "" && name != "prochaineReleve" && name != "prochainReleve" && name != "prochaineDateFermetureReelle" {
			words = append(words, name+" "+s)
		}
	}
	return record.Str(strings.Join(words, "; ")), nil
}
