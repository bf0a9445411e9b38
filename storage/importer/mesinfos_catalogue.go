// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"strings"

	"github.com/traboule/traboule/storage/record"
)

// mesinfosCatalogue reads the pilot's catalogue: descriptions of data sets and of
// their properties as linked data, by identifier, or a list of identifiers. What
// refers to other descriptions becomes a text of their identifiers.
var mesinfosCatalogue = Format{Name: "mesinfos-catalogue", Fits: fitsMesinfosCatalogue, Read: readMesinfosCatalogue}

func fitsMesinfosCatalogue(h Head) Fit {
	if !startsJSON(h) || !strings.Contains(h.Text, `"@context"`) {
		return No
	}
	if strings.Contains(h.Text, `"schema:itemListElement"`) || strings.Contains(h.Text, `"cozyDoctypeName"`) || strings.Contains(h.Text, `"hasProperty"`) {
		return Sure
	}
	return No
}

var catalogueForm = pilotForm{kind: "catalogue", cells: allOf(texts(
	"id", "@id", "label", "label", "description", "description", "help", "help", "holder", "sourceDataController", "typology", "typology", "availability", "availability",
	"docType", "cozyDoctypeName", "name", "propName", "nature", "kind", "syntheticSet", "syntheticSet", "selector", "cozySelector", "index", "cozyIndex", "example", "exampleValue",
), one(
	gets("updateFrequency", asDuration, "updateFrequency"), gets("updateLatency", asDuration, "updateLatency"),
	gets("type", listed, "@type"), gets("values", listed, "values"), gets("properties", listed, "hasProperty"), gets("optional", listed, "hasOptionalProperty"),
	gets("items", listed, "items"), gets("sameAs", listed, "sameAs"), gets("generatedBy", listed, "generatedBy"), gets("usedBy", listed, "usedBy"),
))}

// asDuration is a promise to update. One that is no duration of ISO 8601 is told
// and left out.
func asDuration(p *pilot, b branch) (record.Value, error) {
	if _, err := record.ParsePeriod(b.say()); err != nil {
		p.to.Warn(Why("promise", "value", clip(b.say())))
		return record.Null, nil
	}
	return record.Str(b.say()), nil
}

func readMesinfosCatalogue(_ context.Context, s *Source, to *Sink) error {
	j, err := s.JSON()
	if err != nil {
		return err
	}
	defer j.Close()
	p := &pilot{to: to, src: s, rows: map[*pilotForm]*Rows{}}
	names := to.Rows("catalogue", "id", "position")
	err = j.Object(func(name string) error {
		c, err := j.space()
		switch {
		case err != nil:
			return j.cut(err)
		case name == "schema:itemListElement":
			return j.Array(func(i int) error {
				id, _, err := j.Scalar()
				if err != nil {
					return err
				}
				return names.Add(j.Line(), record.Str(id), record.Int(int64(i+1)))
			})
		case c != '{' || name == "@context":
			return nil
		}
		line := j.Line()
		v, err := j.Tree(maxDocument)
		if err != nil {
			return err
		}
		return p.row(&catalogueForm, branch{v}, branch{v}, line)
	})
	if err != nil {
		return err
	}
	return j.Finish()
}
