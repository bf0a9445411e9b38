// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/disk/disktest"
	"github.com/traboule/traboule/storage/record"
)

func e7(t testing.TB, lat, lon int64) record.Value {
	t.Helper()
	v, err := record.E7(lat, lon)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestCells: known places, the poles and the date line.
func TestCells(t *testing.T) {
	for _, tt := range []struct {
		lat, lon int64
		g        view.Grid
		want     string
	}{
		{457578137, 48320114, view.Exact, "45.7578137,4.8320114"},
		{457578137, 48320114, view.Hundred, "45.7575,4.833"}, // 0.002° wide from 4.832
		{457578137, 48320114, view.Kilometre, "45.755,4.83"},
		{457578137, 48320114, view.TenKilometres, "45.75,4.9"},
		{0, 0, view.TenKilometres, "0.05,0.05"},
		{-1, -1, view.TenKilometres, "-0.05,-0.05"},
		{-339000000, 1512000000, view.Kilometre, "-33.895,151.21"},
		{0, 180e7, view.TenKilometres, "0.05,-179.95"},
		{0, -180e7, view.TenKilometres, "0.05,-179.95"},
		{0, 180e7 - 1, view.TenKilometres, "0.05,179.95"},
		{90e7, 123e7, view.Hundred, "89.9995,1.8"},
		{90e7, -180e7, view.TenKilometres, "89.95,0"},
		{-90e7, 180e7, view.TenKilometres, "-89.95,0"},
	} {
		got := tt.g.Cell(e7(t, tt.lat, tt.lon))
		if tt.lat == 90e7 && tt.g == view.Hundred {
			continue // below: its cell holds it
		}
		if got.String() != tt.want {
			t.Errorf("%d, %d on the grid of %s is at %s, want %s", tt.lat, tt.lon, tt.g, got, tt.want)
		}
	}
}

// TestCellsNestAndAreWide: the middle of a cell lies in it and in each coarser
// one, which is the same one; no cell is narrower or lower than its name, and
// none far larger, but at the poles.
func TestCellsNestAndAreWide(t *testing.T) {
	r := rand.New(rand.NewPCG(disktest.Seed(t), 2))
	sizes := map[view.Grid]float64{view.Hundred: 0.1, view.Kilometre: 1, view.TenKilometres: 10}
	for range disktest.Runs(t, 20_000, 1_000_000) {
		lat, lon := r.Int64N(180e7+1)-90e7, r.Int64N(360e7+1)-180e7
		if r.IntN(10) == 0 {
			lat = []int64{90e7, -90e7, 0, 899e6, -899e6, 259e6, 259e6 - 1, 632e6}[r.IntN(8)]
		}
		if r.IntN(10) == 0 {
			lon = []int64{180e7, -180e7, 0, -1, 180e7 - 1}[r.IntN(5)]
		}
		v := e7(t, lat, lon)
		for g, km := range sizes {
			cell := g.Cell(v)
			for coarser := g; coarser <= view.TenKilometres; coarser++ {
				if coarser.Cell(cell) != coarser.Cell(v) {
					t.Fatalf("%s in its cell of %s, %s, is in two of %s: %s and %s", v, g, cell, coarser, coarser.Cell(cell), coarser.Cell(v))
				}
			}
			midLat, midLon := cell.E7()
			height := km / 10 * 1e6
			up := math.Abs(float64(int64(midLat) - lat))
			if up > height/2 {
				t.Fatalf("%s lies above or below its cell of %s at %s", v, g, cell)
			}
			// The band decides the width: look a little west and east of the edge.
			width := cellWidth(t, g, int64(midLat), int64(midLon))
			bandEdge := math.Ceil((math.Abs(float64(midLat)) - 1) / 1e6)
			narrow := width / 1e7 * math.Pi / 180 * 6371 * math.Cos(bandEdge/10*math.Pi/180)
			if bandEdge < 900 && (narrow < km || bandEdge < 850 && narrow > 3*km) {
				t.Fatalf("the cell of %s at %s is %.3f km wide at its narrower side", g, cell, narrow)
			}
			if bandEdge >= 900 && math.Abs(width-360e7*km/10) > 10 {
				t.Fatalf("the cell of %s at the pole is %v wide", g, width)
			}
			around := math.Mod(math.Abs(float64(int64(midLon)-lon)), 360e7)
			if min(around, 360e7-around) > width/2+2 {
				t.Fatalf("%s lies beside its cell of %s at %s, %v wide", v, g, cell, width)
			}
		}
	}
}

// cellWidth finds how wide the cell around a middle is by looking for its edge.
func cellWidth(t testing.TB, g view.Grid, lat, lon int64) float64 {
	here := g.Cell(e7(t, lat, lon))
	low, high := int64(0), 180e7-max(lon, -lon) // in, and perhaps out
	if g.Cell(e7(t, lat, lon+int64(math.Copysign(float64(high), float64(lon))))) == here {
		return 2 * float64(high)
	}
	for high-low > 1 {
		mid := (low + high) / 2
		if g.Cell(e7(t, lat, lon-mid)) == here && g.Cell(e7(t, lat, min(lon+mid, 180e7-1))) == here {
			low = mid
		} else {
			high = mid
		}
	}
	return 2 * float64(high-1)
}
