// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const (
	manyPositions = 2_000_000
	manyReadings  = 175_000
)

// recordsFile is a file of records, made when it is first needed: five years of
// positions as Google hands them out, about 300 MB, or ten years of half-hours
// as Enedis does.
func recordsFile(b *testing.B, name string) string {
	b.Helper()
	if works == "" {
		var err error
		works, err = os.MkdirTemp("", "speed")
		must(b, err)
	}
	file, write := filepath.Join(works, "Records.json"), writePositions
	if name == readings {
		file, write = filepath.Join(works, "curve.csv"), writeReadings
	}
	if _, err := os.Stat(file); err == nil {
		return file
	}
	f, err := os.Create(file)
	must(b, err)
	out := bufio.NewWriterSize(f, 1<<20)
	write(out, rand.New(rand.NewPCG(1, 2)))
	must(b, joinFirst(out.Flush(), f.Sync(), f.Close()))
	return file
}

// writePositions lets a phone say where it is every 80 seconds, on a walk that
// a generator takes at random.
func writePositions(out io.Writer, r *rand.Rand) {
	when, lat, lon := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC), 457500000.0, 48300000.0
	sources := []string{"WIFI", "GPS", "CELL"}
	between := "{\n  \"locations\": ["
	for range manyPositions {
		when = when.Add(time.Minute + time.Duration(r.Int64N(40e3))*time.Millisecond)
		lat, lon = lat+r.NormFloat64()*3000, lon+r.NormFloat64()*4000
		fmt.Fprintf(out, "%s{\n    \"latitudeE7\": %d,\n    \"longitudeE7\": %d,\n    \"accuracy\": %d,\n", between, int64(lat), int64(lon), 3+r.IntN(60))
		between = ", "
		if r.IntN(4) == 0 {
			fmt.Fprintf(out, "    \"velocity\": %d,\n    \"heading\": %d,\n    \"altitude\": %d,\n", r.IntN(30), r.IntN(360), 160+r.IntN(80))
		}
		fmt.Fprintf(out, "    \"source\": %q,\n    \"deviceTag\": -1042357901,\n    \"timestamp\": %q\n  }", sources[r.IntN(3)], when.Format("2006-01-02T15:04:05.000Z"))
	}
	fmt.Fprint(out, "]\n}\n")
}

// writeReadings lets a meter tell its mean power every half hour.
func writeReadings(out io.Writer, r *rand.Rand) {
	fmt.Fprint(out, "Identifiant PRM;Type de donnees;Date de debut;Date de fin;Grandeur physique;Grandeur metier;Etape metier;Unite;Pas en minutes\r\n"+
		"00000000004321;Courbe de charge;01/01/2016;25/12/2025;Energie active;Consommation;Comptage Brut;W;30\r\n\r\nHorodate;Valeur\r\n")
	when := time.Date(2016, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600))
	for i := range manyReadings {
		when = when.Add(30 * time.Minute)
		power := 90 + r.Int64N(60) + int64(2500*r.Float64()*float64(i/2%24)/24)
		fmt.Fprintf(out, "%s;%d\r\n", when.Format(time.RFC3339), power)
	}
}
