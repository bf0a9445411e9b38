// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"io"
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
	c, err := s.CSV(0)
	if err != nil {
		return err
	}
	defer c.Close()
	header, err := c.Next()
	if err != nil {
		return Why("cut")
	}
	header = foldAll(header)
	at := func(r []string, name string) string { return valueAt(r, slices.Index(header, name)) }
	rows := to.Rows("electricity-mix", "area", "nature", "at", "consumption", "carbon")
	for {
		r, err := c.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		moment, err := time.Parse(time.RFC3339, at(r, "date_heure"))
		if err != nil {
			to.Reject(c.Line(), Why("time", "value", clip(at(r, "date_heure"))))
			continue
		}
		consumption, err := Number(at(r, "consommation"), 0)
		var carbon record.Value
		if err == nil {
			carbon, err = Number(at(r, "taux_co2"), 0)
		}
		if err == nil && consumption.IsNull() && carbon.IsNull() {
			continue
		}
		if err != nil {
			to.Reject(c.Line(), err)
			continue
		}
		if err := rows.Add(c.Line(), record.Str(at(r, "perimetre")), record.Str(at(r, "nature")), record.At(moment), consumption, carbon); err != nil {
			return err
		}
	}
}
