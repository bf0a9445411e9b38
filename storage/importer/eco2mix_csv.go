// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// eco2mixCSV reads éCO2mix, what the grid of France drew and emitted, as the
// open data of the grids have it: each moment with its offset. Lines of moments
// that are still to come have no figures, and are left out in silence.
var eco2mixCSV = Format{Name: "eco2mix-csv", Read: readEco2mix, Fits: func(h Head) Fit {
	head := Fold(firstLines(h, 1))
	if strings.Contains(head, "date_heure") && strings.Contains(head, "taux_co2") && strings.Contains(head, "consommation") {
		return Sure
	}
	return No
}}

func readEco2mix(_ context.Context, s *Source, to *Sink) error {
	rows := to.Rows("electricity-mix", "area", "nature", "at", "consumption", "carbon")
	var header []string
	return s.Records(0, func(line int, r []string) error {
		if header == nil {
			header = foldAll(r)
			return nil
		}
		at := func(name string) string { return valueAt(r, slices.Index(header, name)) }
		moment, err := time.Parse(time.RFC3339, at("date_heure"))
		if err != nil {
			to.Reject(line, Why("time", "value", clip(at("date_heure"))))
			return nil
		}
		consumption, err := Number(at("consommation"), 0)
		var carbon record.Value
		if err == nil {
			carbon, err = Number(at("taux_co2"), 0)
		}
		switch {
		case err != nil:
			to.Reject(line, err)
			return nil
		case consumption.IsNull() && carbon.IsNull():
			return nil
		}
		return rows.Add(line, record.Str(at("perimetre")), record.Str(at("nature")), record.At(moment), consumption, carbon)
	})
}
